//! The columns of a comparison's tables, each with its head and what it shows. Rendered by `text` and `page`.

use super::figures::Row;
use super::rounds::Round;
use super::stand::CpuUs;
use crate::report::number::grouped;

/// Its head, and its cell in the row of one `T`.
pub(super) type Column<T> = (&'static str, fn(&T) -> String);

/// Who; words, as no other column of a row.
pub(super) const WAY: [Column<Row>; 2] = [
    ("way", |row| row.way.as_str().to_owned()),
    ("ack", |row| row.ack.to_owned()),
];

pub(super) const SPEED: [Column<Row>; 7] = [
    ("conn", |row| {
        row.pool.map_or(NONE.to_owned(), |pool| pool.to_string())
    }),
    ("goodput/s", |row| whole(row.goodput)),
    ("ours ×", |row| {
        row.ours_times.map_or(NONE.to_owned(), short)
    }),
    ("refusals/s", |row| whole(row.refusals_per_s)),
    ("p50 ms", |row| shelf(row, row.shelf_ms.p50)),
    ("p99 ms", |row| shelf(row, row.shelf_ms.p99)),
    ("p99.9 ms", |row| shelf(row, row.shelf_ms.p999)),
];

pub(super) const WRONGS: [Column<Row>; 4] = [
    ("oversold", |row| {
        count(row.wrongs.map(|wrongs| wrongs.oversold))
    }),
    ("undersold", |row| {
        count(row.wrongs.and_then(|wrongs| wrongs.undersold))
    }),
    ("duplicates", |row| {
        count(row.wrongs.map(|wrongs| wrongs.duplicates))
    }),
    ("lost", |row| count(row.wrongs.map(|wrongs| wrongs.lost))),
];

pub(super) const MISCOUNTED: [Column<Row>; 1] = [("miscounted", |row| {
    count(row.wrongs.map(|wrongs| wrongs.miscounted))
})];

pub(super) const CPU: [Column<Row>; 2] = [
    ("cpu µs", |row| cpu(row.cpu_us)),
    ("with books", |row| cpu(row.cpu_with_books_us)),
];

/// The second classic case, by itself.
pub(super) const SCARCE: [Column<Row>; 5] = [
    ("10,000 users for 100 units", |row| {
        row.way.as_str().to_owned()
    }),
    ("last answer ms", scarce_last_ms),
    ("p50 ms", |row| short(row.scarce_ms.p50)),
    ("p99 ms", |row| short(row.scarce_ms.p99)),
    ("refusals/s", |row| whole(row.scarce_refusals_per_s)),
];

/// The same in one column.
pub(super) const SCARCE_LAST: [Column<Row>; 1] = [("100: last ms", scarce_last_ms)];

/// One way in one round; number and way are words.
pub(super) const ROUND: [Column<Round>; 11] = [
    ("round", |round| round.round.to_string()),
    ("way", |round| round.way.as_str().to_owned()),
    ("goodput/s", |round| whole(round.rush.goodput)),
    ("cpu µs", |round| cpu(round.rush.cpu_us)),
    ("with books", |round| cpu(round.rush.cpu_with_books_us)),
    ("refusals/s", |round| whole(round.sold_out.refusals_per_s)),
    ("10,000: /s", |round| whole(round.shelf.goodput)),
    ("p99 ms", |round| short(round.shelf.latency_ms.p99)),
    ("cut off", |round| grouped(round.shelf.unsent)),
    ("100: last ms", |round| {
        short(round.scarce.last_answer_s * 1_000.0)
    }),
    ("p99 ms", |round| short(round.scarce.latency_ms.p99)),
];

/// Where there is nothing to show.
const NONE: &str = "-";

pub(super) fn heads<T>(columns: &[Column<T>]) -> Vec<&'static str> {
    columns.iter().map(|(head, _)| *head).collect()
}

pub(super) fn cells<T>(columns: &[Column<T>], of: &T) -> Vec<String> {
    columns.iter().map(|(_, cell)| cell(of)).collect()
}

fn shelf(row: &Row, ms: f64) -> String {
    let at_least = if row.shelf_cuts > 0 { "≥" } else { "" };
    format!("{at_least}{}", short(ms))
}

fn scarce_last_ms(row: &Row) -> String {
    short(row.scarce_last_s * 1_000.0)
}

fn count(count: Option<u64>) -> String {
    count.map_or(NONE.to_owned(), grouped)
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
