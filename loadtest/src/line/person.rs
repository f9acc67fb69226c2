//! One person in a line, as a state machine: what to do next, decided from what was heard last. No clock and no wire in here;
//! `street` carries people through it, `judge` reads what they were told.

use std::time::Duration;

use doorbuster_core::draw::Entry;
use doorbuster_core::ids::UserId;
use doorbuster_core::ticket::Place;
use rand::Rng;
use rand::rngs::SmallRng;

use super::view::{Heard, State, View};
use crate::history::{Answer, Ask, Broken, Seen};
use crate::limits::{
    BACKOFF_MAX, BACKOFF_MIN, LINE_BOT_EVERY, LINE_BOT_SNEAKS, LINE_POLL_AFTER_DEFAULT,
    LINE_POLL_AFTER_MAX, LINE_PROMISES_MAX, LINE_REJOINS_MAX, LINE_THINKING_MAX,
    RETRY_AFTER_DEFAULT, RETRY_AFTER_MAX,
};

/// How someone behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Polls when told to, and reserves once admitted.
    Patient,
    /// The same, but joins again now and then, as one who reloads the page or takes up another device.
    Reloader,
    /// Goes away without a word at this time (µs), if still waiting then.
    Leaver(u64),
    /// Polls far too early, and tries to reserve without being admitted.
    Bot,
}

/// What to ask next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Join,
    Poll,
    Reserve,
}

/// Why someone is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    Reserved,
    /// Refused at the till or at the door, with this code.
    Refused(String),
    /// The line ended, and said so.
    SoldOut,
    Closed,
    /// The place was used up by waiting too long with it, several times.
    Expired,
    Left,
    /// Never heard how it ended.
    Unanswered,
}

/// When something was asked and answered, in µs since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub sent_us: u64,
    pub done_us: u64,
}

/// An answer that promised when admission would come.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Promise {
    pub at: Span,
    pub low_s: f64,
    pub high_s: f64,
    /// The estimate that it was taken from.
    pub estimate: u64,
}

/// All that is known of a person afterwards.
#[derive(Debug, Clone, Default)]
pub struct Story {
    /// Its numbers, from when each was first asked for to the answer that gave it: one, unless a place was used up and another taken.
    pub numbers: Vec<(Span, Place)>,
    /// Other numbers that it was told while one was good.
    pub other_numbers: Vec<Place>,
    /// Of one who came early: number, and entry in the list that is drawn from.
    pub entry: Option<(u32, Entry)>,
    pub promises: Vec<Promise>,
    /// Times at which an answer named another estimate than the one before.
    pub estimates_changed: u32,
    /// The last answer that said waiting.
    pub waited: Option<Span>,
    /// Whether some poll came later than its heartbeat allows, by no fault of the line's.
    pub missed_a_beat: bool,
    pub admitted: Option<Span>,
    pub polls: u32,
    /// Polls refused as too early, and reservations refused for want of admission.
    pub too_early: u32,
    pub not_admitted: u32,
    /// Refusals of a ticket that was good.
    pub ticket_refused: u32,
    pub expired: u32,
    pub broken: u32,
    pub reserves: Vec<Ask>,
    pub end: Option<(End, u64)>,
}

/// One person.
#[derive(Debug)]
pub struct Person {
    pub user: UserId,
    pub token: Box<str>,
    pub kind: Kind,
    pub due_us: u64,
    pub engine: usize,
    pub ticket: String,
    pub step: Step,
    pub story: Story,
    rng: SmallRng,
    /// What it was asked to leave between two polls.
    poll_after: Duration,
    /// Until when the next poll keeps the place alive.
    beat_us: u64,
    tries: u32,
    /// Its place is used up, or it has none yet.
    wants_number: bool,
    /// When it first asked for that number in an attempt of which nobody knows what came: the number may be from then.
    asked_us: Option<u64>,
}

impl Person {
    pub fn new(user: UserId, token: String, kind: Kind, due_us: u64, rng: SmallRng) -> Self {
        Self {
            user,
            token: token.into(),
            kind,
            due_us,
            engine: 0,
            ticket: String::new(),
            step: Step::Join,
            story: Story::default(),
            rng,
            poll_after: LINE_POLL_AFTER_DEFAULT,
            beat_us: u64::MAX,
            tries: 0,
            wants_number: true,
            asked_us: None,
        }
    }

    /// Whether it goes away now instead of doing what it was about to.
    pub fn leaves(&mut self, now_us: u64) -> bool {
        let leaves = matches!(self.kind, Kind::Leaver(at_us) if at_us <= now_us)
            && self.step == Step::Poll
            && self.story.admitted.is_none();
        if leaves {
            self.end(End::Left, now_us);
        }
        leaves
    }

    /// What came of a join or a poll; when the next step is due, unless it was the last.
    pub fn hear(&mut self, at: Span, heard: Result<Heard, Broken>) -> Option<u64> {
        if self.step == Step::Poll {
            self.story.polls += 1;
            self.story.missed_a_beat |= at.sent_us > self.beat_us;
        }
        let is_unsure = match &heard {
            Ok(Heard::View(_)) => false,
            Ok(Heard::Refused(status, ..)) => *status >= 500,
            Err(broken) => *broken != Broken::Unreachable,
        };
        if is_unsure && self.step == Step::Join && self.wants_number {
            self.asked_us.get_or_insert(at.sent_us);
        }
        match heard {
            Ok(Heard::View(view)) => self.look(at, &view),
            Ok(Heard::Refused(status, code, after_s)) => self.refused(at, status, code, after_s),
            Err(_) => Some(at.done_us + self.go_elsewhere()),
        }
    }

    fn look(&mut self, at: Span, view: &View) -> Option<u64> {
        self.tries = 0;
        if let Some(ticket) = &view.ticket {
            self.ticket.clone_from(ticket);
        }
        self.note_number(at, view.number());
        let entry = view.draw_entry.as_deref().and_then(Entry::parse);
        if let (None, Some(entry), Some(number)) = (self.story.entry, entry, view.number()) {
            self.story.entry = Some((number.number, entry));
        }
        self.step = Step::Poll;
        let poll_after = view
            .poll_after_ms
            .map_or(LINE_POLL_AFTER_DEFAULT, Duration::from_millis)
            .min(LINE_POLL_AFTER_MAX);
        self.poll_after = poll_after;
        self.beat_us = at.sent_us + us(2 * poll_after + LINE_POLL_AFTER_DEFAULT);
        match view.state {
            State::Waiting => {
                self.note_promise(at, view);
                self.story.waited = Some(at);
                Some(at.done_us + self.pause(poll_after))
            }
            State::Admitted => {
                self.story.admitted.get_or_insert(at);
                self.step = Step::Reserve;
                Some(at.done_us + self.rng.random_range(0..=us(LINE_THINKING_MAX)))
            }
            State::Expired => self.join_again(at),
            State::SoldOut => self.end(End::SoldOut, at.done_us),
            State::Closed => self.end(End::Closed, at.done_us),
        }
    }

    fn pause(&mut self, poll_after: Duration) -> u64 {
        match self.kind {
            Kind::Bot => self.bots_pause(),
            // Never before what was asked for, and not all together.
            _ => {
                if self.kind == Kind::Reloader && self.rng.random_ratio(1, 8) {
                    (self.step, self.engine) = (Step::Join, self.engine + 1);
                }
                us(poll_after.mul_f64(self.rng.random_range(1.0..1.1)))
            }
        }
    }

    /// Every few polls, however they were answered, it tries the till instead of the next one.
    fn bots_pause(&mut self) -> u64 {
        if self.step == Step::Poll && self.story.polls % LINE_BOT_SNEAKS == LINE_BOT_SNEAKS - 1 {
            self.step = Step::Reserve;
        }
        us(LINE_BOT_EVERY)
    }

    fn note_number(&mut self, at: Span, number: Option<Place>) {
        let Some(number) = number else { return };
        let wants_another = std::mem::take(&mut self.wants_number);
        let at = Span {
            sent_us: self.asked_us.take().unwrap_or(at.sent_us),
            ..at
        };
        match self.story.numbers.last() {
            Some((_, last)) if *last == number => {}
            Some(_) if !wants_another => self.story.other_numbers.push(number),
            _ => self.story.numbers.push((at, number)),
        }
    }

    fn note_promise(&mut self, at: Span, view: &View) {
        let Some(eta) = view.eta_seconds else { return };
        let estimate = view.estimate.unwrap_or(0);
        let promise = Promise {
            at,
            low_s: eta.low,
            high_s: eta.high,
            estimate,
        };
        let promises = &mut self.story.promises;
        if promises
            .last()
            .is_some_and(|last| last.estimate != estimate)
        {
            self.story.estimates_changed += 1;
        }
        if promises.len() < LINE_PROMISES_MAX {
            promises.push(promise);
        }
    }

    fn refused(
        &mut self,
        at: Span,
        status: u16,
        code: String,
        after_s: Option<u32>,
    ) -> Option<u64> {
        match (self.step, status) {
            (_, 429 | 500..) => {
                self.story.too_early +=
                    u32::from(self.step == Step::Poll && code == "rate_limited");
                Some(at.done_us + self.come_back(after_s))
            }
            // A good ticket was not taken: whoever it is has to queue up again.
            (Step::Poll, 400..=404) => {
                self.story.ticket_refused += 1;
                self.join_again(at)
            }
            _ => self.end(End::Refused(code), at.done_us),
        }
    }

    fn join_again(&mut self, at: Span) -> Option<u64> {
        self.story.expired += 1;
        if self.story.expired > LINE_REJOINS_MAX {
            return self.end(End::Expired, at.done_us);
        }
        (self.step, self.wants_number) = (Step::Join, true);
        self.ticket.clear();
        self.story.admitted = None;
        Some(at.done_us + us(LINE_POLL_AFTER_DEFAULT))
    }

    /// What came of a reservation; when the next step is due, unless it was the last.
    pub fn served(&mut self, ask: Ask) -> Option<u64> {
        let (seen, done_us) = (ask.seen.clone(), ask.done_us);
        self.story.reserves.push(ask);
        let answer = match seen {
            Seen::Answered(answer) => *answer,
            Seen::Lost | Seen::Broken(_) => return Some(done_us + self.go_elsewhere()),
        };
        self.tries = 0;
        match (answer.status, answer.code.as_deref()) {
            _ if answer.is_acceptance() => self.end(End::Reserved, done_us),
            _ if !answer.is_final() => Some(done_us + self.come_back(answer.retry_after_s)),
            (403, _) => {
                // Not admitted yet, or not any more: the line knows.
                self.story.not_admitted += 1;
                self.step = Step::Poll;
                let pause = if self.kind == Kind::Bot {
                    LINE_BOT_EVERY
                } else {
                    self.poll_after
                };
                Some(done_us + us(pause))
            }
            (_, Some("not_open" | "paused")) => {
                self.step = Step::Poll;
                Some(done_us + us(LINE_POLL_AFTER_DEFAULT))
            }
            _ => self.end(End::Refused(code_of(&answer)), done_us),
        }
    }

    /// Nobody answers here: another engine, a little later.
    fn go_elsewhere(&mut self) -> u64 {
        self.story.broken += 1;
        self.engine += 1;
        self.tries += 1;
        let pause = BACKOFF_MIN
            .saturating_mul(1 << self.tries.min(8))
            .min(BACKOFF_MAX);
        us(pause.mul_f64(self.rng.random_range(0.5..1.0)))
    }

    fn come_back(&mut self, after_s: Option<u32>) -> u64 {
        if self.kind == Kind::Bot {
            return self.bots_pause();
        }
        let pause = after_s.map_or(RETRY_AFTER_DEFAULT, |s| Duration::from_secs(s.into()));
        us(pause
            .min(RETRY_AFTER_MAX)
            .mul_f64(self.rng.random_range(1.0..1.5)))
    }

    /// Over; nothing is due any more.
    pub fn end(&mut self, end: End, at_us: u64) -> Option<u64> {
        self.story.end.get_or_insert((end, at_us));
        None
    }
}

fn code_of(answer: &Answer) -> String {
    let code = answer.code.clone();
    code.unwrap_or_else(|| format!("status_{}", answer.status))
}

fn us(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
