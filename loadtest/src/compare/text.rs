//! A comparison on a terminal: one row per way, notes where a figure needs one, and every round if that is wished.

use super::figures::Row;
use super::rounds::Round;
use super::stand::CpuUs;
use super::{Outcome, Verbosity};
use crate::report::number::{counted, grouped, seconds};

const HEAD: [&str; 15] = [
    "way",
    "ack",
    "conn",
    "goodput/s",
    "ours ×",
    "refusals/s",
    "p50 ms",
    "p99 ms",
    "p99.9 ms",
    "over",
    "under",
    "dup",
    "lost",
    "cpu µs",
    "with books",
];

/// Columns of words; the others are numbers.
const WORDS: usize = 2;

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
    let mut table = vec![HEAD.map(str::to_owned)];
    table.extend(outcome.rows.iter().map(cells));
    text += &laid_out(&table);
    text += "\ngoodput, cpu: a rush on plenty; refusals: nothing left; p50 to p99.9: 10,000 orders at once on 10,000 units, from when each was due;\n\
             over, under, dup, lost: the worst of all rounds and cells; cpu: front/Redis/MySQL per order, while buyers were there and with what was done later\n\n";
    text += &laid_out(&scarce(outcome));
    for note in notes(outcome) {
        text += &format!("{note}\n");
    }
    text += &format!("\n{}\n", outcome.story);
    if verbosity == Verbosity::EveryRound {
        text += "\n";
        text += &laid_out(&every_round(outcome));
    }
    text
}

fn cells(row: &Row) -> [String; 15] {
    let wrongs = row.wrongs;
    let wrong = |count: Option<u64>| count.map_or("-".to_owned(), grouped);
    let over = |value: f64| {
        let at_least = if row.shelf_cuts > 0 { "≥" } else { "" };
        format!("{at_least}{}", short(value))
    };
    [
        row.way.as_str().to_owned(),
        row.ack.to_owned(),
        row.pool.map_or("-".to_owned(), |pool| pool.to_string()),
        whole(row.goodput),
        row.ours_times.map_or("-".to_owned(), short),
        whole(row.refusals_per_s),
        over(row.shelf_ms.p50),
        over(row.shelf_ms.p99),
        over(row.shelf_ms.p999),
        wrong(wrongs.map(|wrongs| wrongs.oversold)),
        wrong(wrongs.and_then(|wrongs| wrongs.undersold)),
        wrong(wrongs.map(|wrongs| wrongs.duplicates)),
        wrong(wrongs.map(|wrongs| wrongs.lost)),
        cpu(row.cpu_us),
        cpu(row.cpu_with_books_us),
    ]
}

/// The second classic case.
fn scarce(outcome: &Outcome) -> Vec<[String; 5]> {
    let head = [
        "10,000 users for 100 units",
        "last answer ms",
        "p50 ms",
        "p99 ms",
        "refusals/s",
    ];
    let row = |row: &Row| {
        [
            row.way.as_str().to_owned(),
            short(row.scarce_last_s * 1_000.0),
            short(row.scarce_ms.p50),
            short(row.scarce_ms.p99),
            whole(row.scarce_refusals_per_s),
        ]
    };
    let mut table = vec![head.map(str::to_owned)];
    table.extend(outcome.rows.iter().map(row));
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

fn every_round(outcome: &Outcome) -> Vec<[String; 11]> {
    let head = [
        "round",
        "way",
        "goodput/s",
        "cpu µs",
        "with books",
        "refusals/s",
        "10,000: /s",
        "p99 ms",
        "cut off",
        "100: last ms",
        "p99 ms",
    ];
    let row = |round: &Round| {
        [
            round.round.to_string(),
            round.way.as_str().to_owned(),
            whole(round.rush.goodput),
            cpu(round.rush.cpu_us),
            cpu(round.rush.cpu_with_books_us),
            whole(round.sold_out.refusals_per_s),
            whole(round.shelf.goodput),
            short(round.shelf.latency_ms.p99),
            grouped(round.shelf.unsent),
            short(round.scarce.last_answer_s * 1_000.0),
            short(round.scarce.latency_ms.p99),
        ]
    };
    let mut table = vec![head.map(str::to_owned)];
    table.extend(outcome.rounds.iter().map(row));
    table
}

pub(super) fn whole(value: f64) -> String {
    grouped(value.round() as u64)
}

/// As many digits as mean something.
pub(super) fn short(value: f64) -> String {
    if value >= 100.0 {
        whole(value)
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

pub(super) fn cpu(cpu: CpuUs) -> String {
    format!("{:.1}/{:.1}/{:.1}", cpu.front, cpu.redis, cpu.mysql)
}

/// Columns as wide as their widest cell: words to the left, numbers to the right.
fn laid_out<const N: usize>(table: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = table.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in table {
        let cells = row.iter().zip(widths).enumerate();
        let line: Vec<String> = cells
            .map(|(column, (cell, width))| {
                if column < WORDS.min(N - 4) {
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
        let row = |cells: [&str; 6]| cells.map(str::to_owned);
        let table = [
            row(["way", "ack", "a", "b", "c", "d"]),
            row(["ours", "x", "1,000", "é", "2", "3"]),
        ];
        assert_eq!(
            laid_out(&table),
            "way   ack      a  b  c  d\nours  x    1,000  é  2  3\n"
        );
    }
}
