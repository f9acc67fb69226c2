//! What people were promised about their wait, against what came true. Called by `figures`.

use serde::{Deserialize, Serialize};

use super::person::{Promise, Story};
use crate::bench::goals::median;
use crate::limits::CHART_POINTS;

/// Promises against what came true, of people who were admitted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct EtaFigures {
    /// People admitted who had been promised a time before.
    pub waiters: u64,
    /// Those for whom the truth lay in the first range that they were given.
    pub kept: u64,
    pub share: f64,
    /// The same of every single answer.
    pub promises: u64,
    pub promises_kept: u64,
    pub promises_share: f64,
    /// The median of how wide the first range was, and of how long its holder waited from then on, s.
    pub width_s_p50: f64,
    pub waited_s_p50: f64,
    /// Answers that said that the estimate had changed.
    pub estimates_changed: u64,
}

/// People in the order of their admission, a part of them: what they were promised first, and how long it was in truth; means, in s.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Wait {
    pub low_s: f64,
    pub high_s: f64,
    pub truth_s: f64,
}

fn is_kept(promise: &Promise, truth_us: u64) -> bool {
    let us = |seconds: f64| (seconds * 1e6) as u64;
    let from = promise.at.sent_us + us(promise.low_s);
    let until = promise.at.done_us + us(promise.high_s);
    (from..=until).contains(&truth_us)
}

/// Of everyone who was admitted after a promise.
pub(super) fn eta(stories: &[Story]) -> EtaFigures {
    let mut eta = EtaFigures::default();
    let (mut widths, mut waited) = (Vec::new(), Vec::new());
    for story in stories {
        eta.estimates_changed += u64::from(story.estimates_changed);
        let (Some(first), Some(admitted)) = (story.promises.first(), story.admitted) else {
            continue;
        };
        eta.waiters += 1;
        eta.kept += u64::from(is_kept(first, admitted.done_us));
        eta.promises += story.promises.len() as u64;
        let kept = story
            .promises
            .iter()
            .filter(|promise| is_kept(promise, admitted.done_us));
        eta.promises_kept += kept.count() as u64;
        widths.push(first.high_s - first.low_s);
        waited.push(admitted.done_us.saturating_sub(first.at.done_us) as f64 / 1e6);
    }
    let share = |part: u64, all: u64| part as f64 / all.max(1) as f64;
    eta.share = share(eta.kept, eta.waiters);
    eta.promises_share = share(eta.promises_kept, eta.promises);
    eta.width_s_p50 = median(&widths);
    eta.waited_s_p50 = median(&waited);
    eta
}

/// In the order of admission, as many parts as a chart has points.
pub(super) fn waits(stories: &[Story]) -> Vec<Wait> {
    let told = stories
        .iter()
        .filter_map(|story| Some((story.admitted?.done_us, story.promises.first()?)));
    let mut told: Vec<(u64, &Promise)> = told.collect();
    told.sort_unstable_by_key(|(at_us, _)| *at_us);
    let part = told.len().div_ceil(CHART_POINTS).max(1);
    let mean = |part: &[(u64, &Promise)], of: &dyn Fn(u64, &Promise) -> f64| {
        part.iter()
            .map(|(at_us, promise)| of(*at_us, promise))
            .sum::<f64>()
            / part.len() as f64
    };
    let wait = |part: &[(u64, &Promise)]| Wait {
        low_s: mean(part, &|_, promise| promise.low_s),
        high_s: mean(part, &|_, promise| promise.high_s),
        truth_s: mean(part, &|at_us, promise| {
            at_us.saturating_sub(promise.at.done_us) as f64 / 1e6
        }),
    };
    told.chunks(part).map(wait).collect()
}

#[cfg(test)]
mod tests {
    use super::super::person::Span;
    use super::*;

    fn promise(low_s: f64, high_s: f64) -> Promise {
        let at = Span {
            sent_us: 1_000_000,
            done_us: 1_010_000,
        };
        Promise {
            at,
            low_s,
            high_s,
            estimate: 1,
        }
    }

    #[test]
    fn a_promise_is_kept_within_its_range_and_broken_before_and_after_it() {
        let promise = promise(2.0, 4.0);
        for (truth_us, kept) in [
            (2_999_999, false),
            (3_000_000, true),
            (5_010_000, true),
            (5_010_001, false),
        ] {
            assert_eq!(is_kept(&promise, truth_us), kept, "{truth_us}");
        }
    }

    #[test]
    fn only_those_who_were_promised_a_time_and_admitted_count() {
        let admitted = Some(Span {
            sent_us: 3_000_000,
            done_us: 3_500_000,
        });
        let told = Story {
            promises: vec![promise(1.0, 3.0), promise(5.0, 6.0)],
            admitted,
            ..Story::default()
        };
        let waits = Story {
            promises: vec![promise(1.0, 3.0)],
            ..Story::default()
        };
        let untold = Story {
            admitted,
            ..Story::default()
        };
        let eta = eta(&[told.clone(), waits, untold]);
        assert_eq!(
            (eta.waiters, eta.kept, eta.promises, eta.promises_kept),
            (1, 1, 2, 1)
        );
        assert_eq!(super::waits(&[told]).len(), 1);
    }
}
