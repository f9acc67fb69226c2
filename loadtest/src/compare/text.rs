//! A comparison on a terminal: one row per way, notes where a figure needs one, and every round if that is wished.

use super::columns::{CPU, Column, ROUND, SCARCE, SPEED, WAY, WRONGS, cells, heads, whole};
use super::{Outcome, Verbosity};
use crate::report::number::{counted, grouped, seconds};

/// All of it.
pub(super) fn text(outcome: &Outcome, verbosity: Verbosity) -> String {
    let hardware = &outcome.hardware;
    let mut text = format!(
        "{}, {} cores; medians of {}; {} connections\n\n",
        hardware.cpu,
        hardware.cores,
        counted(outcome.rounds_of_each.into(), "round", "rounds"),
        outcome.connections
    );
    let columns = [&WAY[..], &SPEED, &WRONGS, &CPU].concat();
    text += &laid_out(&table(&columns, &outcome.rows), WAY.len());
    text += "\ngoodput, cpu: a rush on plenty; refusals: nothing left; p50 to p99.9: 10,000 orders at once on 10,000 units, from when each was due;\n\
             oversold, undersold, duplicates, lost: the worst of all rounds and cells; cpu: front/Redis/MySQL per order, while buyers were there and with what was done later\n\n";
    text += &laid_out(&table(&SCARCE, &outcome.rows), 1);
    for note in notes(outcome) {
        text += &format!("{note}\n");
    }
    text += &format!("\n{}\n", outcome.story);
    if verbosity == Verbosity::EveryRound {
        text += "\n";
        text += &laid_out(&table(&ROUND, &outcome.rounds), 2);
    }
    text
}

/// A row of heads, and one of each.
fn table<T>(columns: &[Column<T>], of: &[T]) -> Vec<Vec<String>> {
    let heads = heads(columns).into_iter().map(str::to_owned).collect();
    let mut table = vec![heads];
    table.extend(of.iter().map(|of| cells(columns, of)));
    table
}

/// What the figures of a row do not say.
fn notes(outcome: &Outcome) -> Vec<String> {
    let mut notes = Vec::new();
    for row in &outcome.rows {
        let way = row.way.as_str();
        if row.shelf_cuts > 0 {
            notes.push(format!(
                "{way}: 10,000 on 10,000 cut after {} in {} of {}; undersold is not judged there",
                seconds(outcome.cut_seconds),
                row.shelf_cuts,
                outcome.rounds_of_each
            ));
        }
        if row.shelf_put_off > 0.0 {
            notes.push(format!(
                "{way}: {} of 10,000 told to ask again later",
                whole(row.shelf_put_off)
            ));
        }
        if let Some(wrongs) = row.wrongs.filter(|wrongs| wrongs.miscounted > 0) {
            let units = grouped(wrongs.miscounted);
            notes.push(format!(
                "{way}: stock, sold and left differ by {units} units in its worst cell, which are there to be sold twice"
            ));
        }
        if let Some(after) = row.books_after_s {
            notes.push(format!(
                "{way}: MySQL had all of a rush {} after its last answer",
                seconds(after)
            ));
        }
    }
    notes
}

/// Columns as wide as their widest cell: the first are `words`, to the left; numbers go to the right.
fn laid_out(table: &[Vec<String>], words: usize) -> String {
    let width = |column: usize| {
        let cells = table.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let columns = table.first().map_or(0, Vec::len);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in table {
        let cells = row.iter().zip(&widths).enumerate();
        let line: Vec<String> = cells
            .map(|(column, (cell, &width))| {
                if column < words {
                    format!("{cell:<width$}")
                } else {
                    format!("{cell:>width$}")
                }
            })
            .collect();
        text += line.join("  ").trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::tests::{GUARDED, round};
    use crate::compare::story::tests::outcome;
    use crate::compare::way::Way;

    #[test]
    fn every_way_has_a_row_and_what_is_odd_a_note() {
        let mut rounds = vec![round(GUARDED, 1, 2_000.0), round(Way::Ours, 1, 40_000.0)];
        rounds[0].shelf.unsent = 9;
        rounds[0].shelf.judged.wrongs.as_mut().unwrap().miscounted = 5;
        let found = outcome(rounds);
        let short = text(&found, Verbosity::Medians);
        let line = |begin: &str| {
            let mut lines = short.lines();
            let line = lines.find(|line| line.starts_with(begin));
            line.unwrap_or_default()
                .split_whitespace()
                .collect::<Vec<_>>()
        };
        assert_eq!(
            line("guarded")[..8],
            [
                "guarded", "MySQL", "commit", "-", "2,000", "20.0", "4,000", "≥1.00"
            ]
        );
        assert_eq!(line("ours")[4..6], ["40,000", "1.00"]);
        assert!(short.contains("guarded: 10,000 on 10,000 cut after 5.00 s in 1 of 1"));
        assert!(short.contains("differ by 5 units"));
        assert!(!short.contains("100: last ms"));
        assert!(text(&found, Verbosity::EveryRound).contains("100: last ms"));
    }

    #[test]
    fn columns_line_up() {
        let row = |cells: [&str; 6]| cells.map(str::to_owned).to_vec();
        let table = [
            row(["way", "ack", "a", "b", "c", "d"]),
            row(["ours", "x", "1,000", "é", "2", "3"]),
        ];
        assert_eq!(
            laid_out(&table, 2),
            "way   ack      a  b  c  d\nours  x    1,000  é  2  3\n"
        );
    }
}
