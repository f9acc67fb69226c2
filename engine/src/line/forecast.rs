//! When a place will come up: one estimate for all who wait, kept until what happens leaves its tolerance. So what people are told counts
//! down evenly, and when it changes for all at once the estimate has another number, and clients can say so. A line that moves in jumps,
//! as many at once as there are units and then one by one as some come back, has no pace to promise anything from, and says nothing.

use std::collections::VecDeque;

use crate::limits::{
    FORECAST_EVEN, FORECAST_EVEN_KEPT, FORECAST_EVEN_SPAN, FORECAST_HIGH, FORECAST_LOOKS_MAX,
    FORECAST_LOW, FORECAST_SLACK, FORECAST_TOLERANCE, FORECAST_WINDOW,
};

/// The last looks at how far the line has come, and what follows from them.
#[derive(Debug, Clone, Default)]
pub(super) struct Forecast {
    looks: VecDeque<Look>,
    estimate: Option<Estimate>,
    /// Of the estimate, also of one that was taken back.
    number: u32,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Look {
    at_ms: u64,
    /// The last place that was offered admission.
    watermark: u32,
}

/// From a moment on, so many places a second.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Estimate {
    from: Look,
    per_second: f64,
}

impl Estimate {
    /// How long until `place` comes up; negative where it should have.
    fn remaining_ms(&self, place: u32, now_ms: u64) -> f64 {
        let places = f64::from(place) - f64::from(self.from.watermark);
        places / self.per_second * 1_000.0 - (now_ms as f64 - self.from.at_ms as f64)
    }
}

/// What somebody who waits is promised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Promise {
    pub(super) low_s: u64,
    pub(super) high_s: u64,
    /// The most likely.
    pub(super) remaining_ms: u64,
}

impl Forecast {
    /// The line has been looked at. `rate`: people a second that the mode lets in as long as there are any, 0 where it does not say; `last`:
    /// the last place that somebody has.
    pub(super) fn look(&mut self, at_ms: u64, watermark: u32, last: u32, rate: f64) {
        let look = Look { at_ms, watermark };
        if self
            .looks
            .back()
            .is_some_and(|before| before.watermark > watermark)
        {
            self.looks.clear();
        }
        self.looks.push_back(look);
        let since_ms = at_ms.saturating_sub(FORECAST_WINDOW.as_millis() as u64);
        while self.looks.len() > FORECAST_LOOKS_MAX
            || self
                .looks
                .get(1)
                .is_some_and(|second| second.at_ms <= since_ms)
        {
            self.looks.pop_front();
        }
        let Some(per_second) = self.measured().or((rate > 0.0).then_some(rate)) else {
            if self.estimate.take().is_some() {
                self.number += 1;
            }
            return;
        };
        let now = Estimate {
            from: look,
            per_second,
        };
        if self.estimate.is_none_or(|kept| differs(&kept, &now, last)) {
            self.estimate = Some(now);
            self.number += 1;
        }
    }

    /// Places a second of late; nothing where the line stood, or did not move evenly.
    fn measured(&self) -> Option<f64> {
        let (first, last) = (self.looks.front()?, self.looks.back()?);
        let span_ms = last.at_ms.checked_sub(first.at_ms)?;
        if span_ms < FORECAST_EVEN_SPAN.as_millis() as u64 {
            return None;
        }
        let middle_ms = first.at_ms + span_ms / 2;
        let middle = self.looks.iter().find(|look| look.at_ms >= middle_ms)?;
        let (before, after) = (pace(first, middle)?, pace(middle, last)?);
        let even = if self.estimate.is_some() {
            FORECAST_EVEN_KEPT
        } else {
            FORECAST_EVEN
        };
        let is_even = before.min(after) > even * before.max(after);
        is_even.then(|| pace(first, last))?
    }

    /// What the holder of `place` is promised, who is told so anew after `after_ms` at the latest.
    pub(super) fn promise(&self, place: u32, now_ms: u64, after_ms: u64) -> Option<Promise> {
        let remaining_ms = self.estimate?.remaining_ms(place, now_ms).max(0.0);
        let slack_ms = FORECAST_SLACK.as_millis() as f64 + after_ms as f64;
        Some(Promise {
            low_s: (FORECAST_LOW * remaining_ms / 1_000.0).floor() as u64,
            high_s: ((FORECAST_HIGH * remaining_ms + slack_ms) / 1_000.0).ceil() as u64,
            remaining_ms: remaining_ms as u64,
        })
    }

    pub(super) fn number(&self) -> u32 {
        self.number
    }
}

/// Places a second from one look to another.
fn pace(from: &Look, to: &Look) -> Option<f64> {
    let places = f64::from(to.watermark.checked_sub(from.watermark)?);
    let seconds = to.at_ms.checked_sub(from.at_ms)? as f64 / 1_000.0;
    (seconds > 0.0).then(|| places / seconds)
}

/// Whether what is estimated now is something else than what people have been told: for who is next, or for the last.
fn differs(kept: &Estimate, now: &Estimate, last: u32) -> bool {
    let (at_ms, slack_ms) = (now.from.at_ms, FORECAST_SLACK.as_millis() as f64);
    let is_off = |place: u32| {
        let (told, is) = (
            kept.remaining_ms(place, at_ms),
            now.remaining_ms(place, at_ms),
        );
        (told - is).abs() > FORECAST_TOLERANCE * is.abs() + slack_ms
    };
    is_off(now.from.watermark) || is_off(last.max(now.from.watermark))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 100 places a second from 0 on, for so many seconds.
    fn steady(forecast: &mut Forecast, seconds: u64) {
        for half in 0..=2 * seconds {
            forecast.look(half * 500, half as u32 * 50, 100_000, 0.0);
        }
    }

    #[test]
    fn nothing_is_promised_before_the_line_moves_unless_its_rate_is_set() {
        let mut forecast = Forecast::default();
        forecast.look(0, 0, 10, 0.0);
        forecast.look(500, 0, 10, 0.0);
        assert_eq!(forecast.promise(10, 500, 0), None);
        forecast.look(1_000, 0, 10, 5.0);
        let promise = forecast.promise(10, 1_000, 0).unwrap();
        assert_eq!(promise.remaining_ms, 2_000);
    }

    #[test]
    fn while_a_line_moves_evenly_the_promise_counts_down_and_the_estimate_stays() {
        let mut forecast = Forecast::default();
        steady(&mut forecast, 20);
        let number = forecast.number();
        let mut before = forecast.promise(50_000, 20_000, 0).unwrap();
        assert!(before.low_s < 480 && 480 < before.high_s);
        for half in 41..=120_u64 {
            forecast.look(half * 500, half as u32 * 50, 100_000, 0.0);
            let promise = forecast.promise(50_000, half * 500, 0).unwrap();
            assert!(promise.low_s <= before.low_s && promise.high_s <= before.high_s);
            before = promise;
        }
        assert_eq!(forecast.number(), number);
    }

    #[test]
    fn when_the_rate_changes_the_estimate_says_so() {
        let mut forecast = Forecast::default();
        steady(&mut forecast, 20);
        let number = forecast.number();
        let slow = |half: u64| 2_000 + (half as u32 - 40) * 10;
        for half in 41..=160_u64 {
            forecast.look(half * 500, slow(half), 100_000, 0.0);
        }
        assert!(forecast.number() > number);
        let promise = forecast.promise(14_000, 80_000, 0).unwrap();
        let is_s = (14_000 - slow(160)) / 20;
        assert!(promise.low_s <= u64::from(is_s) && u64::from(is_s) <= promise.high_s);
    }

    #[test]
    fn a_jump_is_no_pace() {
        let mut forecast = Forecast::default();
        forecast.look(0, 0, 100_000, 0.0);
        for half in 1..=240_u64 {
            // As many as there are units at once, then a few every ten seconds.
            let watermark = 1_000 + half as u32 / 20 * 7;
            forecast.look(half * 500, watermark, 100_000, 0.0);
            assert_eq!(forecast.promise(2_000, half * 500, 0), None, "{half}");
        }
        assert_eq!(forecast.number(), 0);
    }

    #[test]
    fn a_pace_that_is_still_looked_for_is_not_promised() {
        let mut forecast = Forecast::default();
        let (mut watermark, mut per_half) = (0.0_f64, 25.0_f64);
        for half in 0..=40_u64 {
            forecast.look(half * 500, watermark as u32, 1_000_000, 0.0);
            (watermark, per_half) = (watermark + per_half, per_half * 1.1);
        }
        assert_eq!(
            (forecast.promise(900_000, 20_000, 0), forecast.number()),
            (None, 0)
        );
    }

    #[test]
    fn a_line_that_stands_promises_nothing() {
        let mut forecast = Forecast::default();
        steady(&mut forecast, 20);
        let window = FORECAST_WINDOW.as_millis() as u64;
        for half in 0..=2 * window / 500 + 2 {
            forecast.look(20_500 + half * 500, 2_000, 100_000, 0.0);
        }
        let later = 21_500 + window;
        assert_eq!(forecast.promise(50_000, later, 0), None);
    }
}
