//! What came of money, in words. Called by `text` and `page`.

use crate::checkout::figures::MoneyFigures;

use super::number::{counted, grouped, ms};

/// Name and value of each line.
pub(super) fn rows(figures: &MoneyFigures) -> Vec<(&'static str, String)> {
    let ends = [
        (figures.paid, "paid"),
        (figures.cancelled, "cancelled"),
        (figures.refunded, "refunded"),
        (figures.parked, "waiting for a person"),
    ];
    let ends: Vec<String> = ends
        .iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, how)| format!("{} {how}", grouped(*count)))
        .collect();
    let numbers: Vec<String> = figures
        .audit
        .named()
        .iter()
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    let verdict = if figures.audit.are_zero() {
        "clean"
    } else {
        "WRONG"
    };
    vec![
        (
            "orders",
            format!(
                "{} with a hold ordered: {}; {} not told its end in time",
                counted(figures.ordered, "buyer", "buyers"),
                ends.join(", "),
                grouped(figures.unanswered)
            ),
        ),
        (
            "paying",
            format!(
                "half within {}, 99 % within {}, all within {}; {} orders ended per second",
                ms(figures.order_ms.p50),
                ms(figures.order_ms.p99),
                ms(figures.order_ms.max),
                grouped(figures.orders_per_second.round() as u64)
            ),
        ),
        (
            "money",
            format!(
                "{} captured, {} given back, in minor units",
                grouped(figures.captured.unsigned_abs()),
                grouped(figures.given_back.unsigned_abs())
            ),
        ),
        ("audit", format!("{verdict}: {}", numbers.join(", "))),
    ]
}
