//! One line as this engine knows it, shared by polls, joins and the task that moves it.
//!
//! Polls read the view and the slots, and leave a beat and perhaps a told place; they never wait. Whoever moves the line takes both, calls
//! `advance`, and puts what came of it into slots and view. A kill between any two lines loses beats, which come again, and told places,
//! whose holders wait again and are first.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::Instant;

use arc_swap::ArcSwap;
use crossbeam::queue::SegQueue;
use doorbuster_core::clock;
use doorbuster_core::draw::Ranks;
use doorbuster_core::gate::advance::{Advance, Advanced, LineHead, MoveId, Moves, Seen, Standing};
use doorbuster_core::gate::{Fenced, Gate, GateError};
use doorbuster_core::ids::LiveId;
use doorbuster_core::limits::{MOVES_MAX, OFFER_LIFE, REPORT_PLACES_MAX, TOLD_PLACES_MAX};
use doorbuster_core::line::{LineConfig, Mode};
use doorbuster_core::ticket::{Lane, Place};
use metrics::gauge;
use tokio::sync::Mutex;

use super::slots::Slots;
use super::view::LineView;
use crate::limits::CATCH_UPS_MAX;
use crate::metrics as names;
use crate::pressure::Pressure;
use crate::sale::view::Views;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) gate: Gate,
    pub(super) live: LiveId,
    pub(super) config: LineConfig,
    pub(super) view: ArcSwap<LineView>,
    /// Offered places whose holders have been told, and Redis not yet.
    pub(super) told: SegQueue<Place>,
    engine: String,
    views: Arc<Views>,
    pressure: Arc<Pressure>,
    lanes: [LaneSlots; 2],
    started: Instant,
    /// When anybody last asked, on the line's clock.
    asked_ms: AtomicU64,
    at: Mutex<At>,
}

#[derive(Debug)]
struct LaneSlots {
    slots: Slots,
    /// The highest number seen given.
    given: AtomicU32,
    /// No place before it waits.
    first: AtomicU32,
}

/// Up to where this engine knows how places have moved.
#[derive(Debug, Default)]
struct At {
    after: MoveId,
    moves: u64,
    restored_ms: u64,
}

impl Shared {
    pub(super) fn new(
        gate: Gate,
        live: LiveId,
        engine: String,
        config: LineConfig,
        views: Arc<Views>,
        pressure: Arc<Pressure>,
    ) -> Self {
        let lane = || LaneSlots {
            slots: Slots::new(),
            given: AtomicU32::new(0),
            first: AtomicU32::new(1),
        };
        let unseen = LineView::unseen(views.epoch(), config.draw.is_some());
        Self {
            gate,
            live,
            config,
            view: ArcSwap::from_pointee(unseen),
            told: SegQueue::new(),
            engine,
            views,
            pressure,
            lanes: [lane(), lane()],
            started: clock::instant(),
            asked_ms: AtomicU64::new(0),
            at: Mutex::default(),
        }
    }

    pub(super) fn slots(&self, lane: Lane) -> &Slots {
        &self.lane(lane).slots
    }

    fn lane(&self, lane: Lane) -> &LaneSlots {
        &self.lanes[lane as usize]
    }

    pub(super) fn pressure(&self) -> &Pressure {
        &self.pressure
    }

    /// The generation that this engine believes the sale is in.
    pub(super) fn epoch(&self) -> u32 {
        self.views.epoch()
    }

    /// The line's own clock at `now`, which beats are measured by.
    pub(super) fn clock_ms(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.started);
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    pub(super) fn asked(&self, clock_ms: u64) {
        // Seldom written: all polls share it.
        if clock_ms.saturating_sub(self.asked_ms.load(Ordering::Relaxed)) > 1_000 {
            self.asked_ms.store(clock_ms, Ordering::Relaxed);
        }
    }

    pub(super) fn idle_ms(&self) -> u64 {
        self.clock_ms(clock::instant())
            .saturating_sub(self.asked_ms.load(Ordering::Relaxed))
    }

    pub(super) fn saw_given(&self, given: u32, given_invites: u32) {
        let [invites, general] = &self.lanes;
        general.given.fetch_max(given, Ordering::Relaxed);
        invites.given.fetch_max(given_invites, Ordering::Relaxed);
    }

    /// Calls `advance` once and takes in what it says, and once more for each part of what was missed.
    pub(super) async fn advance(&self) {
        let mut at = self.at.lock().await;
        let (alive, is_cut_off) = self.report();
        let told: Vec<Place> = std::iter::from_fn(|| self.told.pop())
            .take(TOLD_PLACES_MAX)
            .collect();
        let is_pressed = self.pressure.take_shed() > 0;
        let mut telling = told.as_slice();
        for _ in 0..CATCH_UPS_MAX {
            let advance = Advance {
                engine: &self.engine,
                after: &at.after,
                alive: &alive,
                is_cut_off,
                is_pressed,
                told: telling,
                seen: self.seen(),
                line: &self.config,
            };
            let epoch = self.epoch();
            match self.gate.advance(&self.live, epoch, &advance).await {
                Ok(Advanced::Advanced { head, moves }) => {
                    telling = &[];
                    let more = moves.len() == MOVES_MAX;
                    if let Err(e) = self.take_in(&mut at, epoch, *head, moves).await {
                        tracing::debug!(sale = %self.live, error = %e, "a line could not be looked at as a whole");
                        return;
                    }
                    if !more {
                        return;
                    }
                }
                not => {
                    for place in telling {
                        self.told.push(*place);
                    }
                    return self.stuck(not).await;
                }
            }
        }
    }

    async fn stuck(&self, not: Result<Advanced, GateError>) {
        match not {
            Ok(Advanced::Fenced(Fenced::Recovering(why))) if why == "epoch" => {
                self.views.renew().await;
            }
            Ok(not) => tracing::debug!(sale = %self.live, ?not, "a line does not move"),
            Err(e) => tracing::debug!(sale = %self.live, error = %e, "a line does not move"),
        }
    }

    /// What this engine has seen at most.
    fn seen(&self) -> Seen {
        let seen = self.view.load().head.as_ref().map(|head| head.seen);
        let seen = seen.unwrap_or_default();
        let [invites, general] = &self.lanes;
        Seen {
            given: seen.given.max(general.given.load(Ordering::Relaxed)),
            given_invites: seen
                .given_invites
                .max(invites.given.load(Ordering::Relaxed)),
            ..seen
        }
    }

    /// The generation, and how many came early, of a line that is to be drawn now.
    pub(super) fn undrawn(&self) -> Option<(u32, u32)> {
        let view = self.view.load();
        let head = view.head.as_ref()?;
        let early = u32::try_from(head.seen.early?).ok()?;
        let is_due = view.draws && early > 0 && head.seen.seed.is_none() && !head.is_restoring;
        is_due.then_some((view.epoch, early))
    }

    /// The lowest places at which somebody waits here, in order, and whether there may be more.
    fn report(&self) -> (Vec<Place>, bool) {
        let (view, clock_ms) = (self.view.load(), self.clock_ms(clock::instant()));
        let seen = self.seen();
        let mut alive = Vec::new();
        for (lane, given) in [
            (Lane::Invite, seen.given_invites),
            (Lane::General, seen.given),
        ] {
            // Until this engine knows the order that was drawn it may have the first of all: nobody is to be let in meanwhile on the word
            // of engines that are quicker.
            if lane == Lane::General && !view.is_ordered() {
                return (alive, true);
            }
            let LaneSlots { slots, first, .. } = self.lane(lane);
            let mut first_waiting = None;
            for number in first.load(Ordering::Relaxed)..=given {
                if slots.standing(number) != Standing::Waiting {
                    continue;
                }
                let place = Place { lane, number };
                first_waiting.get_or_insert(number);
                let pulse = view
                    .number_of(place)
                    .and_then(|number| slots.pulse(number.number));
                if pulse.is_some_and(|pulse| pulse.is_alive(clock_ms)) {
                    if alive.len() == REPORT_PLACES_MAX {
                        return (alive, true);
                    }
                    alive.push(place);
                }
            }
            // Only whoever moves the line writes it, one at a time.
            first.store(first_waiting.unwrap_or(given + 1), Ordering::Relaxed);
        }
        (alive, false)
    }

    async fn take_in(
        &self,
        at: &mut At,
        epoch: u32,
        head: LineHead,
        moves: Vec<Moves>,
    ) -> Result<(), GateError> {
        let before = self.view.load_full();
        let ranks = self.ranks(&before, &head).await;
        let mut forecast = before.forecast.clone();
        let Seen {
            given, watermark, ..
        } = head.seen;
        if head.now_ms >= head.opens_ms {
            // Where stock decides, `per_second` is a bound; where load does, the rate of now is where the search for one has got to.
            let rate = match self.config.mode {
                Mode::FollowStock | Mode::FollowCapacity => 0.0,
                Mode::Fixed => head.rate,
            };
            forecast.look(head.now_ms, watermark, given, rate);
        }
        self.saw_given(given, head.seen.given_invites);
        self.count(&head);
        let (is_restored, moves_now) = (head.restored_ms != at.restored_ms, head.moves);
        at.restored_ms = head.restored_ms;
        let view = LineView::new(epoch, Some(head), before.draws, ranks, forecast);
        self.view.store(Arc::new(view));

        let is_whole = moves.len() == MOVES_MAX
            || moves.last().map_or(at.moves, |last| last.number) == moves_now;
        let follows = (at.moves + 1..).zip(&moves).all(|(n, m)| n == m.number);
        if is_restored || !is_whole || !follows {
            return self.look_at_all(at).await;
        }
        for Moves { id, number, places } in moves {
            for (place, standing) in places {
                self.put(place, standing);
            }
            (at.after, at.moves) = (id, number);
        }
        Ok(())
    }

    fn put(&self, place: Place, standing: Standing) {
        let LaneSlots { slots, first, .. } = self.lane(place.lane);
        slots.set(place.number, standing);
        if standing == Standing::Waiting {
            first.fetch_min(place.number, Ordering::Relaxed);
            let before_ms = OFFER_LIFE.as_millis() as u64;
            if let Some(number) = self.view.load().number_of(place) {
                let not_since_ms = self.clock_ms(clock::instant()).saturating_sub(before_ms);
                slots.still(number.number, not_since_ms);
            }
        }
    }

    /// Some changes were missed: every place that does not wait is looked up.
    async fn look_at_all(&self, at: &mut At) -> Result<(), GateError> {
        let standings = self.gate.standings(&self.live).await?;
        let seen = self.seen();
        for (lane, given) in [
            (Lane::Invite, seen.given_invites),
            (Lane::General, seen.given),
        ] {
            let LaneSlots { slots, first, .. } = self.lane(lane);
            for number in 1..=given {
                let is_open = matches!(
                    slots.standing(number),
                    Standing::Offered { .. } | Standing::Admitted { .. }
                );
                // What is over stays over, also where Redis has lost it.
                if is_open && !standings.places.contains_key(&Place { lane, number }) {
                    slots.set(number, Standing::Waiting);
                    first.fetch_min(number, Ordering::Relaxed);
                }
            }
        }
        for (place, standing) in standings.places {
            self.lane(place.lane).slots.set(place.number, standing);
        }
        (at.after, at.moves) = (standings.after, standings.moves);
        Ok(())
    }

    /// The order of those who were drawn, put together once.
    async fn ranks(&self, before: &LineView, head: &LineHead) -> Option<Arc<Ranks>> {
        let (seed, early) = (head.seen.seed?, u32::try_from(head.seen.early?).ok()?);
        let known = before.head.as_ref().and_then(|head| head.seen.seed);
        if known == Some(seed)
            && let Some(ranks) = &before.ranks
        {
            return Some(Arc::clone(ranks));
        }
        let ranks = tokio::task::spawn_blocking(move || Ranks::new(&seed, early)).await;
        ranks.ok().map(Arc::new)
    }

    fn count(&self, head: &LineHead) {
        let sale = self.live.book_id();
        let seen = &head.seen;
        let ahead = seen.given.saturating_sub(seen.watermark)
            + seen.given_invites.saturating_sub(seen.watermark_invites);
        gauge!(names::LINE_WAITING, "sale" => sale.clone()).set(f64::from(ahead));
        gauge!(names::LINE_UNSPENT, "sale" => sale.clone()).set(head.unspent as f64);
        gauge!(names::LINE_ADMITTED, "sale" => sale).set(head.admitted_total as f64);
    }
}
