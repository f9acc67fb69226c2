//! The bars of a comparison's page: one chart per question, one bar per way. Called by `page`.

use super::Outcome;
use super::columns::{cpu, whole};
use super::correct::Wrongs;
use super::figures::Row;
use super::way::Way;
use crate::report::number::{grouped, ms};

pub(super) struct Chart {
    pub(super) title: &'static str,
    pub(super) note: &'static str,
    pub(super) bars: Vec<Bar>,
    /// What the parts of a bar are, where it has several.
    pub(super) parts: &'static [(&'static str, &'static str)],
}

pub(super) struct Bar {
    pub(super) name: &'static str,
    /// Class of the row.
    pub(super) class: &'static str,
    pub(super) parts: Vec<Part>,
    pub(super) value: String,
}

/// In hundredths of the whole width.
pub(super) struct Part {
    pub(super) class: &'static str,
    pub(super) x: String,
    pub(super) width: String,
}

const ONE: &[&str] = &["a"];
const STORES: &[(&str, &str)] = &[("a", "front"), ("b", "Redis"), ("c", "MySQL")];

pub(super) fn charts(outcome: &Outcome) -> Vec<Chart> {
    let mut charts = Vec::from(measured(&outcome.rows));
    charts.extend(faults(&outcome.rows));
    charts
}

fn measured(rows: &[Row]) -> [Chart; 4] {
    let chart = |title, note, value: fn(&Row) -> f64, shown: fn(&Row) -> String| Chart {
        title,
        note,
        bars: bars(rows, ONE, |row| vec![value(row)], shown),
        parts: &[],
    };
    let cpu_each = |row: &Row| {
        let cpu = row.cpu_with_books_us;
        vec![cpu.front, cpu.redis, cpu.mysql]
    };
    [
        chart(
            "Goodput",
            "Orders accepted a second, one hot item, plenty of it.",
            |row| row.goodput,
            |row| format!("{}/s", whole(row.goodput)),
        ),
        chart(
            "Sold out",
            "Answers a second once nothing is left.",
            |row| row.refusals_per_s,
            |row| format!("{}/s", whole(row.refusals_per_s)),
        ),
        chart(
            "Waiting, p99",
            "10,000 orders at once on 10,000 units, from when each was due.",
            |row| row.shelf_ms.p99,
            |row| {
                let at_least = if row.shelf_cuts > 0 { "≥ " } else { "" };
                format!("{at_least}{}", ms(row.shelf_ms.p99))
            },
        ),
        Chart {
            title: "CPU per order",
            note: "In µs, with what was done after the last answer.",
            bars: bars(rows, &["a", "b", "c"], cpu_each, |row| {
                cpu(row.cpu_with_books_us)
            }),
            parts: STORES,
        },
    ]
}

fn faults(rows: &[Row]) -> [Chart; 2] {
    let selling = rows.iter().filter(|row| row.wrongs.is_some());
    let selling: Vec<Row> = selling.cloned().collect();
    let chart = |title, note, count: fn(&Wrongs) -> u64| {
        let count = |row: &Row| row.wrongs.as_ref().map_or(0, count);
        Chart {
            title,
            note,
            bars: bars(
                &selling,
                ONE,
                |row| vec![count(row) as f64],
                |row| grouped(count(row)),
            ),
            parts: &[],
        }
    };
    [
        chart(
            "Who oversold",
            "Units sold above stock, in the worst round.",
            |wrongs| wrongs.oversold,
        ),
        chart(
            "Who lost",
            "Orders told and not there, or sold units back on the shelf, in the worst round.",
            |wrongs| wrongs.lost.max(wrongs.miscounted),
        ),
    ]
}

/// All on one scale, which ends at the longest.
fn bars(
    rows: &[Row],
    classes: &[&'static str],
    values: impl Fn(&Row) -> Vec<f64>,
    shown: impl Fn(&Row) -> String,
) -> Vec<Bar> {
    let sum = |row: &Row| values(row).iter().sum::<f64>();
    let longest = rows
        .iter()
        .map(sum)
        .fold(0.0, f64::max)
        .max(f64::MIN_POSITIVE);
    let bar = |row: &Row| {
        let mut x = 0.0;
        let parts = values(row).into_iter().zip(classes).map(|(value, class)| {
            let width = 100.0 * value / longest;
            let part = Part {
                class,
                x: format!("{x:.2}"),
                width: format!("{width:.2}"),
            };
            x += width;
            part
        });
        Bar {
            name: row.way.as_str(),
            class: if row.way == Way::Ours { "ours" } else { "" },
            parts: parts.collect(),
            value: shown(row),
        }
    };
    rows.iter().map(bar).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::figures::tests::{GUARDED, round};
    use crate::compare::story::tests::outcome;

    #[test]
    fn bars_share_a_scale_and_parts_follow_each_other() {
        let found = outcome(vec![
            round(GUARDED, 1, 10_000.0),
            round(Way::Ours, 1, 40_000.0),
        ]);
        let charts = charts(&found);
        let widths = |chart: &Chart| -> Vec<String> {
            let parts = chart.bars.iter().flat_map(|bar| &bar.parts);
            parts
                .map(|part| format!("{}+{}", part.x, part.width))
                .collect()
        };
        assert_eq!(widths(&charts[0]), ["0.00+25.00", "0.00+100.00"]);
        assert_eq!(
            widths(&charts[3])[..3],
            ["0.00+62.50", "62.50+25.00", "87.50+12.50"]
        );
        assert_eq!(widths(&charts[4]), ["0.00+0.00", "0.00+0.00"]);
    }
}
