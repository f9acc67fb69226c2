//! The report's charts, in a box of 1000 by 1000 that the page stretches. Called by `page`.

use crate::history::Header;
use crate::summary::{Moment, Outcome};

use super::number::{counted, grouped, seconds};

/// Height and width of the box.
pub(super) const BOX: f64 = 1_000.0;

/// A line or an area over time.
#[derive(Debug)]
pub(super) struct Series {
    /// Points of the line, for the attribute `points`.
    pub(super) line: String,
    /// The same closed along the bottom.
    pub(super) area: String,
}

/// Tenths of a power of ten at which an axis may end: round, and with a round half.
const TENTHS: [u64; 8] = [10, 12, 16, 20, 30, 40, 60, 80];

/// How far up the axis goes for values up to `max`; even, so that its middle is a number too.
pub(super) fn axis_top(max: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        let tops = TENTHS.iter().map(|tenths| power.saturating_mul(*tenths));
        if let Some(top) = tops
            .map(|top| top / 10 * 2)
            .find(|top| *top >= max && *top > 0)
        {
            return top;
        }
        if power > u64::MAX / 100 {
            return u64::MAX;
        }
        power *= 10;
    }
}

/// How two neighbouring points are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Straight,
    /// The value before stays until the next.
    Step,
}

/// `values` at equal distances, from `begin` at the left edge.
pub(super) fn series(begin: f64, values: &[f64], top: u64, join: Join) -> Series {
    let y = |value: f64| BOX - BOX * value.clamp(0.0, top as f64) / (top.max(1) as f64);
    let mut points = vec![(0.0, y(begin))];
    for (i, value) in values.iter().enumerate() {
        let x = BOX * (i + 1) as f64 / values.len() as f64;
        if join == Join::Step {
            points.push((x, points[points.len() - 1].1));
        }
        points.push((x, y(*value)));
    }
    let line: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let line = line.join(" ");
    Series {
        area: format!("0,{BOX} {line} {BOX},{BOX}"),
        line,
    }
}

/// Two series over the same time.
pub(super) struct Chart {
    pub(super) top: String,
    pub(super) middle: String,
    pub(super) until: String,
    pub(super) area: Series,
    pub(super) line: Series,
    /// The chart in a sentence.
    pub(super) said: String,
}

pub(super) fn people(outcome: &Outcome) -> Chart {
    let top = axis_top(outcome.summary.offered);
    let came = totals(&outcome.course, |moment| moment.arrived);
    let answered = totals(&outcome.course, |moment| moment.accepted + moment.refused);
    Chart {
        top: grouped(top),
        middle: grouped(top / 2),
        until: seconds(outcome.course.last().map_or(0.0, |moment| moment.at_s)),
        area: series(0.0, &came, top, Join::Straight),
        line: series(0.0, &answered, top, Join::Straight),
        said: format!(
            "{} came and {} got a final answer within {}.",
            grouped(outcome.summary.offered),
            grouped(outcome.summary.offered - outcome.summary.unanswered),
            seconds(outcome.summary.seconds)
        ),
    }
}

pub(super) fn units(header: &Header, outcome: &Outcome) -> Chart {
    let per_request: u64 = header
        .lines
        .iter()
        .map(|line| u64::from(line.quantity))
        .sum();
    let accepted = totals(&outcome.course, |moment| moment.accepted * per_request);
    let left: Vec<f64> = outcome
        .course
        .iter()
        .map(|moment| moment.left as f64)
        .collect();
    let most = accepted.last().copied().unwrap_or(0.0) as u64;
    let top = axis_top(outcome.summary.stock.max(most));
    Chart {
        top: grouped(top),
        middle: grouped(top / 2),
        until: seconds(outcome.course.last().map_or(0.0, |moment| moment.at_s)),
        area: series(outcome.summary.stock as f64, &left, top, Join::Step),
        line: series(0.0, &accepted, top, Join::Straight),
        said: format!(
            "Stock went from {} to {}; {} accepted in all.",
            grouped(outcome.summary.stock),
            grouped(outcome.summary.left),
            counted(most, "unit was", "units were")
        ),
    }
}

/// Running totals.
fn totals(course: &[Moment], count: impl Fn(&Moment) -> u64) -> Vec<f64> {
    let running = course.iter().scan(0, |sum, moment| {
        *sum += count(moment);
        Some(*sum as f64)
    });
    running.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (max, top) in [
            (0, 2),
            (2, 2),
            (3, 4),
            (100, 120),
            (1_018, 1_200),
            (20_000, 20_000),
            (20_001, 24_000),
        ] {
            assert_eq!(axis_top(max), top, "{max}");
        }
        assert_eq!(axis_top(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_series_spans_the_box() {
        let straight = series(0.0, &[5.0, 10.0], 10, Join::Straight);
        assert_eq!(straight.line, "0.0,1000.0 500.0,500.0 1000.0,0.0");
        assert_eq!(
            straight.area,
            "0,1000 0.0,1000.0 500.0,500.0 1000.0,0.0 1000,1000"
        );
        assert_eq!(
            series(10.0, &[0.0], 10, Join::Step).line,
            "0.0,0.0 1000.0,0.0 1000.0,1000.0"
        );
    }
}
