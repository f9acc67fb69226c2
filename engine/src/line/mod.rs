//! The line in front of a sale (design §6): who comes gets a number in Redis once, and from then on asks this engine alone.
//!
//! - `slots`: when each was last heard of, and how each place stands
//! - `view`, `forecast`, `silence`: what follows for one who asks: position, time, odds, when to ask again
//! - `joins`: numbers for those who come, a batch in a call
//! - `shared`: what all of these share, and the call that moves the line
//! - `listeners`: one stream of events for each ticket
//! - `conductor`: the draw among those who came before the sale opened
//! - `lines`: the lines at hand

mod conductor;
mod forecast;
mod joins;
mod lines;
mod listeners;
mod shared;
mod silence;
mod slots;
mod view;

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::draw::{DrawKeys, Entry, SaleDraw};
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::advance::Standing;
use doorbuster_core::gate::join::{Join, Joined};
use doorbuster_core::gate::reserve::Shown;
use doorbuster_core::ids::{LiveId, UserId};
use doorbuster_core::line::LineConfig;
use doorbuster_core::ticket::{Lane, Place, Ticket};

use crate::books::Books;
use crate::limits::{ADVANCE_EVERY, LINE_IDLE, LISTENER_AFTER};
use crate::pressure::Pressure;
use crate::sale::combiner::{Answered, Combiner, Undecided};
use crate::sale::view::Views;
use crate::threads::Threads;
use joins::Joins;
use listeners::Listeners;
use shared::Shared;
use slots::Pulse;

pub(crate) use lines::Lines;
pub(crate) use view::{Outlook, Phase};

/// The line of one sale.
#[derive(Debug)]
pub(crate) struct Line {
    shared: Arc<Shared>,
    joins: Arc<Combiner<Joins>>,
    listeners: Listeners,
    /// Where the sale draws, and its pledge is ours.
    draw: Option<SaleDraw>,
}

/// What a line needs of the engine and its sale.
#[derive(Debug)]
pub(crate) struct Setting<'a> {
    pub(crate) gate: &'a Gate,
    pub(crate) live: &'a LiveId,
    pub(crate) engine: &'a str,
    pub(crate) views: &'a Arc<Views>,
    pub(crate) pressure: &'a Arc<Pressure>,
    pub(crate) threads: &'a Arc<Threads>,
    pub(crate) draws: &'a DrawKeys,
    pub(crate) books: &'a Books,
}

/// How one asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Asking {
    /// Has just come, or has come back to ask for the ticket.
    Joins,
    Polls,
    /// Is told of what changes.
    Listens,
}

/// Asked earlier than told to; comes too early for so long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooEarly(pub(crate) Duration);

impl Line {
    pub(crate) fn new(setting: &Setting<'_>, config: LineConfig) -> Self {
        let draw = match (setting.live, &config.draw) {
            (LiveId::Sale(sale), Some(pledge)) => setting.draws.pledged(sale, pledge),
            _ => None,
        };
        let shared = Arc::new(Shared::new(
            setting.gate.clone(),
            setting.live.clone(),
            setting.engine.to_owned(),
            config,
            Arc::clone(setting.views),
            Arc::clone(setting.pressure),
        ));
        setting
            .threads
            .gate()
            .spawn(keep_moving(Arc::downgrade(&shared)));
        match &draw {
            Some(draw) => {
                let (line, books) = (Arc::downgrade(&shared), setting.books.clone());
                let drawing = conductor::keep_drawn(line, books, draw.clone());
                setting.threads.background().spawn(drawing);
            }
            None if shared.config.draw.is_some() => {
                tracing::error!(alarm = "draw", sale = %setting.live, "the draw was pledged under another secret, and cannot be held here: set TOKEN_SECRET_PREVIOUS");
            }
            None => {}
        }
        let joins = Joins(Arc::clone(&shared));
        let joins = Combiner::new(setting.live, joins, Arc::clone(setting.threads));
        Self {
            shared,
            joins: Arc::new(joins),
            listeners: Listeners::default(),
            draw,
        }
    }

    pub(crate) fn config(&self) -> &LineConfig {
        &self.shared.config
    }

    pub(crate) async fn join(&self, join: Join) -> Result<Answered<Joined>, Undecided> {
        self.shared.asked(self.shared.clock_ms(clock::instant()));
        self.joins.submit(Arc::new(join)).await
    }

    /// Whether the ticket is from before a loss: its user is to have its number back before anything else.
    pub(crate) fn is_outdated(&self, ticket: &Ticket) -> bool {
        let view = self.shared.view.load();
        let restored_ms = view.head.as_ref().map_or(0, |head| head.restored_ms);
        ticket.issued_ms < restored_ms || ticket.epoch != view.epoch
    }

    /// What the holder of `number` is told. An offer counts from here on as told.
    ///
    /// # Errors
    /// [`TooEarly`]: it is not told anything, and does not count as heard of.
    pub(crate) fn ask(
        &self,
        number: Place,
        asking: Asking,
        now: Instant,
    ) -> Result<Outlook, TooEarly> {
        let (line, clock_ms) = (&self.shared, self.shared.clock_ms(now));
        let slots = line.slots(number.lane);
        if asking == Asking::Polls
            && let Some(pulse) = slots.pulse(number.number)
            && clock_ms < pulse.next_ms()
        {
            let wait_ms = pulse.next_ms() - clock_ms;
            return Err(TooEarly(Duration::from_millis(wait_ms)));
        }
        let view = line.view.load();
        let place = view.place_of(number);
        let mut standing = place.map_or(Standing::Waiting, |place| slots.standing(place.number));
        let mut outlook = view.outlook(number, standing, now);
        if let (Some(place), Standing::Offered { .. }) = (place, standing)
            && matches!(outlook.phase, Phase::Admitted { .. })
        {
            let place_ms = u64::from(line.config.place_seconds) * 1_000;
            let until_ms = view.ms_at(now) + place_ms;
            if slots.tell(place.number, standing, until_ms) {
                line.told.push(place);
            }
            standing = slots.standing(place.number);
            outlook = view.outlook(number, standing, now);
        }
        line.asked(clock_ms);
        let after_ms = match asking {
            Asking::Joins | Asking::Polls => outlook.poll_after_ms,
            Asking::Listens => LISTENER_AFTER.as_millis() as u64,
        };
        slots.beat(
            number.number,
            Pulse {
                seen_ms: clock_ms,
                after_ms,
            },
        );
        Ok(outlook)
    }

    /// A stream for that number begins, and ends the one before; returns which it is.
    pub(crate) fn listens(&self, number: Place) -> u64 {
        self.listeners.begins(number)
    }

    /// Whether that one is still the last.
    pub(crate) fn is_listening(&self, number: Place, turn: u64) -> bool {
        self.listeners.is_last(number, turn)
    }

    pub(crate) fn left(&self, number: Place, turn: u64) {
        self.listeners.ends(number, turn);
    }

    /// Whether the number's place has had its time.
    pub(crate) fn is_over(&self, number: Place) -> bool {
        let place = self.shared.view.load().place_of(number);
        place.is_some_and(|place| {
            self.shared.slots(place.lane).standing(place.number) == Standing::Over
        })
    }

    /// Whether nobody gets anything any more, as far as is known.
    pub(crate) fn has_ended(&self) -> Option<Phase> {
        // A place that there is not: what is told to all.
        let nobody = Place::general(u32::MAX);
        let outlook = self
            .shared
            .view
            .load()
            .outlook(nobody, Standing::Waiting, clock::instant());
        match outlook.phase {
            ended @ (Phase::SoldOut | Phase::Closed) => Some(ended),
            Phase::Waiting | Phase::Admitted { .. } | Phase::Expired => None,
        }
    }

    fn is_idle(&self) -> bool {
        Duration::from_millis(self.shared.idle_ms()) >= LINE_IDLE
    }

    /// What a reservation shows with this number; nothing while its place is not known.
    pub(crate) fn shown(&self, number: Place) -> Option<Shown> {
        self.shared.asked(self.shared.clock_ms(clock::instant()));
        let place = self.shared.view.load().place_of(number)?;
        Some(Shown { number, place })
    }

    /// How the ticket stands in the list that is drawn from, if it came before the opening of a sale that draws.
    pub(crate) fn entry(&self, user: &UserId, number: Place) -> Option<Entry> {
        let (draw, view) = (self.draw.as_ref()?, self.shared.view.load());
        let head = view.head.as_ref()?;
        let is_early = match head.seen.early {
            Some(early) => u64::from(number.number) <= early,
            // Between the opening and the next look nobody can say: joining again will tell.
            None => view.ms_at(clock::instant()) < head.opens_ms,
        };
        (number.lane == Lane::General && is_early).then(|| draw.entry(user, number.number))
    }
}

/// Moves a line while anybody asks for it, as long as it is at hand.
async fn keep_moving(line: Weak<Shared>) {
    loop {
        match line.upgrade() {
            None => return,
            Some(line) if Duration::from_millis(line.idle_ms()) < LINE_IDLE => {
                line.advance().await;
            }
            Some(_) => {}
        }
        tokio::time::sleep(ADVANCE_EVERY).await;
    }
}
