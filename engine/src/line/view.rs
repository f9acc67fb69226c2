//! A line as it was at the last look, and what follows from it for one who waits. Pure: all polls between two looks ask the same view.

use std::sync::Arc;
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::draw::Ranks;
use doorbuster_core::gate::advance::{LineHead, Standing};
use doorbuster_core::gate::snapshot::State;
use doorbuster_core::ticket::{Lane, Place};

use super::forecast::Forecast;
use super::silence::Silence;
use crate::limits::{POLL_AFTER_ADMITTED, POLL_AFTER_MAX};

/// One look.
#[derive(Debug)]
pub(super) struct LineView {
    /// The generation that was looked at.
    pub(super) epoch: u32,
    /// Nothing before the first look.
    pub(super) head: Option<LineHead>,
    /// Whether those who came before the opening are drawn.
    pub(super) draws: bool,
    /// There once they have been.
    pub(super) ranks: Option<Arc<Ranks>>,
    pub(super) forecast: Forecast,
    taken: Instant,
}

/// What one who asks is told of the line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Outlook {
    pub(crate) phase: Phase,
    /// In the order of admission; nothing while it is not drawn yet.
    pub(crate) place: Option<Place>,
    /// One more than are ahead. Nothing where it is not known, or nobody waits any more; 0 for the admitted.
    pub(crate) position: Option<u32>,
    /// Seconds, at least and at most.
    pub(crate) eta: Option<(u64, u64)>,
    pub(crate) odds: Option<f64>,
    /// Number of the estimate that `eta` rests on.
    pub(crate) estimate: u32,
    pub(crate) units_may_come_back: bool,
    pub(crate) poll_after_ms: u64,
}

/// The states of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    Waiting,
    Admitted { until_ms: u64 },
    SoldOut,
    Closed,
    Expired,
}

impl Phase {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Phase::Waiting => "waiting",
            Phase::Admitted { .. } => "admitted",
            Phase::SoldOut => "sold_out",
            Phase::Closed => "closed",
            Phase::Expired => "expired",
        }
    }
}

impl LineView {
    pub(super) fn unseen(epoch: u32, draws: bool) -> Self {
        Self::new(epoch, None, draws, None, Forecast::default())
    }

    pub(super) fn new(
        epoch: u32,
        head: Option<LineHead>,
        draws: bool,
        ranks: Option<Arc<Ranks>>,
        forecast: Forecast,
    ) -> Self {
        Self {
            epoch,
            head,
            draws,
            ranks,
            forecast,
            taken: clock::instant(),
        }
    }

    /// Redis time at `now`, by this machine's monotonic clock since the look.
    pub(super) fn ms_at(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.taken);
        let since = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
        let looked = self.head.as_ref().map_or(0, |head| head.now_ms);
        looked.saturating_add(since)
    }

    /// How many of the general lane came before the opening, as far as their order is a matter of the draw.
    fn early(&self) -> Option<u32> {
        let early = self.head.as_ref()?.seen.early?;
        u32::try_from(if self.draws { early } else { 0 }).ok()
    }

    /// Where `number` is in the order of admission; nothing while that is not known.
    pub(super) fn place_of(&self, number: Place) -> Option<Place> {
        if number.lane == Lane::Invite || !self.draws {
            return Some(number);
        }
        if number.number > self.early()? {
            return Some(number);
        }
        let place = self.ranks.as_ref()?.place_of(number.number)?;
        Some(Place::general(place))
    }

    /// Whose place it is.
    pub(super) fn number_of(&self, place: Place) -> Option<Place> {
        if place.lane == Lane::Invite || !self.draws {
            return Some(place);
        }
        if place.number > self.early()? {
            return Some(place);
        }
        let number = self.ranks.as_ref()?.number_of(place.number)?;
        Some(Place::general(number))
    }

    /// Whether it is known who is first in the general lane.
    pub(super) fn is_ordered(&self) -> bool {
        !self.draws
            || match self.early() {
                None => false,
                Some(early) => early == 0 || self.ranks.is_some(),
            }
    }

    /// How many are before `place`, as far as is known: who has left without a word is among them, numbers that were set aside are not.
    fn ahead(&self, head: &LineHead, place: Place) -> u32 {
        let seen = &head.seen;
        let invites = |number: u32| {
            let gaps = head.gaps.iter().map(|gap| (gap.after_invites, gap.count));
            between(seen.watermark_invites, number, gaps)
        };
        match place.lane {
            Lane::Invite => invites(place.number),
            Lane::General => {
                let gaps = head.gaps.iter().map(|gap| (gap.after, gap.count));
                between(seen.watermark, place.number, gaps)
                    + invites(seen.given_invites.saturating_add(1))
            }
        }
    }

    fn phase(&self, standing: Standing, now_ms: u64) -> Phase {
        if let Some(head) = &self.head {
            if head.state == State::Closed || now_ms >= head.closes_ms {
                return Phase::Closed;
            }
            if head.left + head.held == 0 {
                return Phase::SoldOut;
            }
        }
        match standing {
            Standing::Waiting => Phase::Waiting,
            Standing::Offered { until_ms } | Standing::Admitted { until_ms } => {
                Phase::Admitted { until_ms }
            }
            Standing::Over => Phase::Expired,
        }
    }

    /// What the holder of `number` is told at `now`, whose place stands so.
    pub(super) fn outlook(&self, number: Place, standing: Standing, now: Instant) -> Outlook {
        let now_ms = self.ms_at(now);
        let (phase, place) = (self.phase(standing, now_ms), self.place_of(number));
        let mut outlook = Outlook {
            phase,
            place,
            position: None,
            eta: None,
            odds: None,
            estimate: self.forecast.number(),
            units_may_come_back: false,
            poll_after_ms: ms(POLL_AFTER_MAX),
        };
        let Some(head) = &self.head else {
            outlook.poll_after_ms = Silence::unseen(number).ms();
            return outlook;
        };
        outlook.units_may_come_back = head.left == 0 && head.held > 0;
        match phase {
            Phase::SoldOut | Phase::Closed | Phase::Expired => outlook,
            Phase::Admitted { .. } => Outlook {
                position: Some(0),
                eta: Some((0, 0)),
                poll_after_ms: ms(POLL_AFTER_ADMITTED),
                ..outlook
            },
            Phase::Waiting => {
                let ahead = place.map(|place| self.ahead(head, place));
                let promise = |after_ms| {
                    // While nothing is left nobody moves, and nobody knows what comes back.
                    place.filter(|p| p.lane == Lane::General && head.left > 0)?;
                    let next = head.seen.watermark + 1;
                    let place = next.saturating_add(ahead?);
                    self.forecast.promise(place, now_ms, after_ms)
                };
                let silence = Silence {
                    number,
                    given: head.seen.given,
                    opens_in_ms: head.opens_ms.saturating_sub(now_ms),
                    ahead,
                    remaining_ms: promise(0).map(|promise| promise.remaining_ms),
                };
                let poll_after_ms = silence.ms();
                Outlook {
                    position: ahead.map(|ahead| ahead + 1),
                    eta: promise(poll_after_ms).map(|p| (p.low_s, p.high_s)),
                    odds: ahead.map(|ahead| odds(head, ahead)),
                    poll_after_ms,
                    ..outlook
                }
            }
        }
    }
}

/// Numbers after `watermark` and before `number` that are in no gap.
fn between(watermark: u32, number: u32, gaps: impl Iterator<Item = (u32, u32)>) -> u32 {
    let last = number.saturating_sub(1);
    let in_gaps = gaps.map(|(after, count)| {
        let end = after.saturating_add(count).min(last);
        end.saturating_sub(after.max(watermark))
    });
    last.saturating_sub(watermark).saturating_sub(in_gaps.sum())
}

/// Units left for each of those who come before, and for oneself.
fn odds(head: &LineHead, ahead: u32) -> f64 {
    let people = head.unspent + u64::from(ahead) + 1;
    let odds = (head.left as f64 / people as f64).min(1.0);
    (odds * 1_000.0).round() / 1_000.0
}

fn ms(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use doorbuster_core::gate::advance::{Gap, Seen};

    use super::*;

    fn head(given: u32, watermark: u32, left: u64) -> LineHead {
        LineHead {
            now_ms: 10_000,
            state: State::Open,
            opens_ms: 1_000,
            closes_ms: 1_000_000,
            left,
            held: 0,
            unspent: 0,
            served: 0,
            seen: Seen {
                given,
                watermark,
                early: Some(0),
                ..Seen::default()
            },
            gaps: Vec::new(),
            restored_ms: 0,
            is_restoring: false,
            moves: 0,
            admitted_total: 0,
            rate: 0.0,
        }
    }

    fn view(head: LineHead) -> LineView {
        LineView::new(1, Some(head), false, None, Forecast::default())
    }

    fn waiting(view: &LineView, number: u32) -> Outlook {
        view.outlook(Place::general(number), Standing::Waiting, clock::instant())
    }

    #[test]
    fn a_position_counts_who_is_ahead_and_not_what_was_set_aside() {
        let mut head = head(30_000, 40, 5);
        assert_eq!(waiting(&view(head.clone()), 41).position, Some(1));
        assert_eq!(waiting(&view(head.clone()), 45).position, Some(5));
        // Skipped while away, and back.
        assert_eq!(waiting(&view(head.clone()), 7).position, Some(1));
        head.gaps = vec![Gap {
            after: 100,
            after_invites: 6,
            count: 10_000,
        }];
        assert_eq!(waiting(&view(head.clone()), 10_101).position, Some(61));
        head.seen.watermark = 9_000;
        assert_eq!(waiting(&view(head.clone()), 10_102).position, Some(2));
        (head.seen.given_invites, head.seen.watermark_invites) = (10_009, 5);
        let view = view(head);
        // An invite before what was set aside, and three behind it.
        assert_eq!(waiting(&view, 10_102).position, Some(2 + 4));
        let invited = view.outlook(Place::invite(10_008), Standing::Waiting, clock::instant());
        assert_eq!(invited.position, Some(3));
    }

    #[test]
    fn nobody_knows_a_place_before_it_is_drawn_and_late_comers_do() {
        let mut of_draw = head(10, 0, 5);
        of_draw.seen.early = None;
        let view = |head: &LineHead, ranks| {
            LineView::new(1, Some(head.clone()), true, ranks, Forecast::default())
        };
        assert_eq!(view(&of_draw, None).place_of(Place::general(3)), None);
        of_draw.seen.early = Some(8);
        let undrawn = view(&of_draw, None);
        assert_eq!(undrawn.place_of(Place::general(3)), None);
        assert_eq!(waiting(&undrawn, 3).position, None);
        assert!(!undrawn.is_ordered());
        assert_eq!(undrawn.place_of(Place::general(9)), Some(Place::general(9)));
        let drawn = view(&of_draw, Some(Arc::new(Ranks::new(&[1; 32], 8))));
        assert!(drawn.is_ordered());
        let mut places: Vec<u32> = (1..=8)
            .filter_map(|n| drawn.place_of(Place::general(n)))
            .inspect(|place| assert!(drawn.number_of(*place).is_some()))
            .map(|place| place.number)
            .collect();
        places.sort_unstable();
        assert_eq!(places, [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    #[test]
    fn it_ends_for_all_when_nothing_is_left_or_held_and_not_before() {
        let mut sold = head(10, 3, 0);
        sold.held = 1;
        let told = waiting(&view(sold.clone()), 9);
        assert_eq!(told.phase, Phase::Waiting);
        assert!(told.units_may_come_back);
        assert_eq!(told.odds, Some(0.0));
        sold.held = 0;
        for standing in [
            Standing::Waiting,
            Standing::Admitted { until_ms: 99_999 },
            Standing::Over,
        ] {
            let told = view(sold.clone()).outlook(Place::general(2), standing, clock::instant());
            assert_eq!((told.phase, told.position), (Phase::SoldOut, None));
            assert!(!told.units_may_come_back);
        }
        sold.state = State::Closed;
        assert_eq!(waiting(&view(sold), 2).phase, Phase::Closed);
    }

    #[test]
    fn odds_are_units_for_each_who_may_come_before() {
        assert_eq!(waiting(&view(head(10, 0, 5)), 3).odds, Some(1.0));
        assert_eq!(waiting(&view(head(100, 0, 5)), 50).odds, Some(0.1));
    }
}
