//! What is said about a line: rows for a terminal ([`rows`]), a paragraph, and a page of its own ([`page::html`]).

mod charts;
mod page;

pub(super) use page::html;

use crate::line::figures::LineFigures;
use crate::summary::Summary;

use super::number::{counted, grouped, seconds};

/// The line, figure by figure: a name and what it came to.
pub(super) fn rows(line: &LineFigures) -> Vec<(&'static str, String)> {
    let mut rows = vec![
        ("joined", joined(line)),
        ("admitted", admitted(line)),
        ("polls", polls(line)),
        ("promises", promises(line)),
    ];
    rows.extend(
        line.sold_out_seconds
            .map(|after| ("sold out", format!("{} after the opening", seconds(after)))),
    );
    rows.extend(broke(line).map(|broke| ("broke", broke)));
    rows
}

/// Its audit in a row.
pub(super) fn audit(line: &LineFigures) -> String {
    let named = line.audit.named();
    let all: Vec<String> = named
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let verdict = if line.audit.are_zero() {
        "clean"
    } else {
        "WRONG"
    };
    format!("{verdict}: {}", all.join(", "))
}

fn joined(line: &LineFigures) -> String {
    let order = if line.is_drawn {
        "drawn"
    } else {
        "served as they came"
    };
    format!(
        "{} of {}; {} early, {order}; {} left without a word",
        grouped(line.joined),
        counted(line.people, "person", "people"),
        grouped(line.early),
        grouped(line.left)
    )
}

fn admitted(line: &LineFigures) -> String {
    format!(
        "{}, up to place {} ({}); {} reserved; {} turned away at the till",
        grouped(line.admitted),
        grouped(line.watermark),
        line.mode.replace('_', " "),
        grouped(line.reserved),
        counted(line.not_admitted, "attempt", "attempts"),
    )
}

fn polls(line: &LineFigures) -> String {
    format!(
        "{}, {}/s; Redis ran {} commands a second for all that happened; too early: {} of bots, {} of others",
        grouped(line.polls),
        grouped(line.polls_per_second.round() as u64),
        grouped(line.redis_commands_per_second.round() as u64),
        grouped(line.too_early_of_bots),
        grouped(line.too_early_of_others)
    )
}

fn promises(line: &LineFigures) -> String {
    let eta = line.eta;
    if eta.waiters == 0 {
        return "nobody was promised a time and then admitted".to_owned();
    }
    format!(
        "kept for {:.1} % of {} who were promised a time, {:.1} % of all {}; half waited {} with a range of {}",
        100.0 * eta.share,
        grouped(eta.waiters),
        100.0 * eta.promises_share,
        counted(eta.promises, "answer", "answers"),
        seconds(eta.waited_s_p50),
        seconds(eta.width_s_p50)
    )
}

fn broke(line: &LineFigures) -> Option<String> {
    let what = line.broke.as_ref()?;
    let back = line
        .restored_seconds
        .map(|after| format!(", and the line was there again {} later", seconds(after)));
    Some(format!("{what}{}", back.unwrap_or_default()))
}

/// The paragraph of its page.
pub(super) fn story(summary: &Summary, line: &LineFigures) -> String {
    let early = if line.early > 0 {
        let order = if line.is_drawn {
            "and were drawn"
        } else {
            "and were served as they came"
        };
        format!(" {} came before the opening {order}.", grouped(line.early))
    } else {
        String::new()
    };
    let gone = line.sold_out_seconds.map_or(String::new(), |after| {
        format!(
            " The last unit was set aside {} after the opening.",
            seconds(after)
        )
    });
    let broke = broke(line).map_or(String::new(), |broke| format!(" Meanwhile: {broke}."));
    let verdict = if line.audit.are_zero() && summary.audit.are_zero() {
        "Nobody lost a place, was overtaken, or was told what was not so; every unit is accounted for."
    } else {
        "Something is wrong: see the audit."
    };
    format!(
        "{} queued for {}.{early} {} were let in and {} got what they came for.{gone}{broke} {}: {}. {verdict}",
        counted(line.people, "person", "people"),
        counted(summary.stock, "unit", "units"),
        grouped(line.admitted),
        grouped(line.reserved),
        "Promised times",
        promises(line),
    )
}
