//! The curves of a line's page. Called by `page`.

use super::super::chart::{BOX, Chart, Join, axis_top, series};
use super::super::number::{grouped, seconds};
use crate::line::figures::{LineCourse, LineFigures, LineMoment};

/// What was promised, as a band, and what came true, as a line over it.
pub(super) struct Band {
    pub(super) top: String,
    pub(super) middle: String,
    pub(super) until: String,
    pub(super) band: String,
    pub(super) line: String,
    pub(super) said: String,
}

fn values(course: &LineCourse, of: fn(&LineMoment) -> u64) -> Vec<f64> {
    let moments = course.moments.iter();
    moments.map(|moment| of(moment) as f64).collect()
}

/// People in the line, and those who were let in so far.
pub(super) fn people(line: &LineFigures, course: &LineCourse) -> Chart {
    let (waiting, admitted) = (
        values(course, |m| m.waiting),
        values(course, |m| m.admitted),
    );
    let longest = course
        .moments
        .iter()
        .map(|m| m.waiting.max(m.admitted))
        .max();
    let top = axis_top(longest.unwrap_or(0));
    let most = course.moments.iter().map(|m| m.waiting).max().unwrap_or(0);
    Chart {
        top: grouped(top),
        middle: grouped(top / 2),
        until: seconds(course.moments.last().map_or(0.0, |moment| moment.at_s)),
        area: series(0.0, &waiting, top, Join::Straight),
        line: series(0.0, &admitted, top, Join::Straight),
        said: format!(
            "At most {} waited at once; {} were let in.",
            grouped(most),
            grouped(line.admitted)
        ),
    }
}

/// How far the line had moved, and people let in, side by side: where they part, places were skipped.
pub(super) fn places(line: &LineFigures, course: &LineCourse) -> Chart {
    let (watermark, admitted) = (
        values(course, |m| m.watermark),
        values(course, |m| m.admitted),
    );
    let top = axis_top(line.watermark.max(line.admitted));
    Chart {
        top: grouped(top),
        middle: grouped(top / 2),
        until: seconds(course.moments.last().map_or(0.0, |moment| moment.at_s)),
        area: series(0.0, &watermark, top, Join::Step),
        line: series(0.0, &admitted, top, Join::Straight),
        said: format!(
            "The line moved up to place {}; {} places up to there were let in, the others were not there.",
            grouped(line.watermark),
            grouped(line.admitted)
        ),
    }
}

/// Of people in the order of their admission.
pub(super) fn promises(line: &LineFigures, course: &LineCourse) -> Band {
    let waits = &course.waits;
    let longest = waits
        .iter()
        .map(|wait| wait.high_s.max(wait.truth_s))
        .fold(0.0, f64::max);
    let top = axis_top(longest.ceil() as u64);
    let x = |i: usize| BOX * (i as f64 + 0.5) / waits.len().max(1) as f64;
    let y = |value: f64| BOX - BOX * value.clamp(0.0, top as f64) / top.max(1) as f64;
    let point = |i: usize, value: f64| format!("{:.1},{:.1}", x(i), y(value));
    let each = waits.iter().enumerate();
    let high: Vec<String> = each
        .clone()
        .map(|(i, wait)| point(i, wait.high_s))
        .collect();
    let low: Vec<String> = each
        .clone()
        .rev()
        .map(|(i, wait)| point(i, wait.low_s))
        .collect();
    let truth: Vec<String> = each.map(|(i, wait)| point(i, wait.truth_s)).collect();
    Band {
        top: format!("{top} s"),
        middle: format!("{} s", top / 2),
        until: format!("{} let in", grouped(line.eta.waiters)),
        band: [high, low].concat().join(" "),
        line: truth.join(" "),
        said: format!(
            "The first range that each was promised held for {:.1} % of {} people; means of neighbours are shown.",
            100.0 * line.eta.share,
            grouped(line.eta.waiters)
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::eta::Wait;
    use crate::line::figures::tests::{course, figures};

    #[test]
    fn the_band_goes_along_the_upper_bounds_and_back_along_the_lower() {
        let mut course = course();
        let wait = |low_s, high_s, truth_s| Wait {
            low_s,
            high_s,
            truth_s,
        };
        course.waits = vec![wait(0.0, 6.0, 3.0), wait(6.0, 12.0, 9.0)];
        let band = promises(&figures(), &course);
        assert_eq!(band.top, "12 s");
        assert_eq!(band.band, "250.0,500.0 750.0,0.0 750.0,500.0 250.0,1000.0");
        assert_eq!(band.line, "250.0,750.0 750.0,250.0");
    }

    #[test]
    fn a_line_that_nobody_came_to_has_charts_too() {
        let mut course = course();
        course.moments.clear();
        let line = figures();
        let band = promises(&line, &course).band;
        assert_eq!(
            (band, people(&line, &course).top),
            (String::new(), "2".to_owned())
        );
    }
}
