//! Carries everyone through the line: whoever is due next gets a connection, asks, and is due again when told to be. Called by
//! `run`. People share the connections; one waits for an answer only while it asks.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use doorbuster_core::ids::IdempotencyKey;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::person::{End, Kind, Person, Span, Step, Story};
use super::view::Heard;
use crate::client::answer;
use crate::client::in_line::InLine;
use crate::client::pool::Pool;
use crate::crowd::Behaviour;
use crate::history::{Ask, Broken, Client, Seen, Verb};
use crate::limits::{EXCHANGE_TIMEOUT, LINE_STEP, SPAWNED_AT_ONCE_MAX};

/// Where all people of a run meet the engines.
#[derive(Debug)]
pub struct Street {
    pools: Vec<Pool>,
    /// One per engine.
    requests: Vec<InLine>,
    /// Each locked by its own exchange, for moments only.
    people: Vec<Mutex<Person>>,
    /// Whose turn it is when, in µs since the start, earliest first.
    due: Mutex<BinaryHeap<Reverse<(u64, usize)>>>,
    origin: Instant,
    /// Nobody asks any more.
    over: AtomicBool,
    pub counts: Counts,
}

/// Counters for the progress line. The results are counted anew from the stories.
#[derive(Debug, Default)]
pub struct Counts {
    pub joined: AtomicU64,
    pub polls: AtomicU64,
    pub admitted: AtomicU64,
    pub reserved: AtomicU64,
    pub done: AtomicU64,
}

/// What everyone was told, side by side.
#[derive(Debug, Default)]
pub struct Told {
    pub stories: Vec<Story>,
    pub users: Vec<String>,
    pub kinds: Vec<Kind>,
    /// When each wanted to join.
    pub dues_us: Vec<u64>,
    /// Those who got as far as the till, as the audit of the sale knows clients.
    pub buyers: Vec<Client>,
}

/// What came back.
enum Back {
    OfLine(Result<Heard, Broken>),
    OfTill(Seen),
}

impl Street {
    /// Its time began at `origin`.
    pub fn new(
        pools: Vec<Pool>,
        requests: Vec<InLine>,
        people: Vec<Person>,
        origin: Instant,
    ) -> Self {
        let due = people
            .iter()
            .enumerate()
            .map(|(i, person)| Reverse((person.due_us, i)));
        Self {
            pools,
            requests,
            due: Mutex::new(due.collect()),
            people: people.into_iter().map(Mutex::new).collect(),
            origin,
            over: AtomicBool::new(false),
            counts: Counts::default(),
        }
    }

    pub fn now_us(&self) -> u64 {
        let now = clock::instant().saturating_duration_since(self.origin);
        u64::try_from(now.as_micros()).unwrap_or(u64::MAX)
    }

    /// People who are not done yet.
    pub fn inside(&self) -> u64 {
        self.people.len() as u64 - self.counts.done.load(Ordering::Relaxed)
    }

    /// Sends everybody home who is still there.
    pub fn end(&self) {
        self.over.store(true, Ordering::Relaxed);
    }

    /// Carries everyone, until all are done or sent home.
    ///
    /// # Errors
    /// If someone panics.
    pub async fn walk(self: &Arc<Self>) -> Result<()> {
        let mut under_way = JoinSet::new();
        while self.inside() > 0 && !self.over.load(Ordering::Relaxed) {
            let now_us = self.now_us();
            for _ in 0..SPAWNED_AT_ONCE_MAX {
                let Some(number) = self.next_due(now_us) else {
                    break;
                };
                under_way.spawn(Arc::clone(self).turn(number));
            }
            while let Some(done) = under_way.try_join_next() {
                done.context("a person panicked")?;
            }
            if self.next_is_due() {
                tokio::task::yield_now().await;
            } else {
                sleep(LINE_STEP).await;
            }
        }
        while let Some(done) = under_way.join_next().await {
            done.context("a person panicked")?;
        }
        Ok(())
    }

    /// All that was told; whoever is not done by now never heard how it ended.
    pub fn told(&self) -> Told {
        let now_us = self.now_us();
        let mut told = Told::default();
        for number in 0..self.people.len() {
            let mut person = self.person(number);
            person.end(End::Unanswered, now_us);
            let story = std::mem::take(&mut person.story);
            if !story.reserves.is_empty() {
                told.buyers.push(Client {
                    user: person.user.clone(),
                    key: key(number).as_str().to_owned(),
                    behaviour: Behaviour::Plain,
                    due_us: person.due_us,
                    asks: story.reserves.clone(),
                    purchase: None,
                });
            }
            told.users.push(person.user.as_str().to_owned());
            told.kinds.push(person.kind);
            told.dues_us.push(person.due_us);
            told.stories.push(story);
        }
        told
    }

    fn next_due(&self, now_us: u64) -> Option<usize> {
        let mut due = self.lock_due();
        let Reverse((at_us, _)) = *due.peek()?;
        let number = (at_us <= now_us).then(|| due.pop());
        number.flatten().map(|Reverse((_, number))| number)
    }

    fn next_is_due(&self) -> bool {
        let now_us = self.now_us();
        let due = self.lock_due();
        due.peek()
            .is_some_and(|Reverse((at_us, _))| *at_us <= now_us)
    }

    /// One request of one person, and what it makes of the answer.
    async fn turn(self: Arc<Self>, number: usize) {
        let (engine, step, bytes) = {
            let mut person = self.person(number);
            if person.leaves(self.now_us()) {
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                return;
            }
            let engine = person.engine % self.pools.len();
            let requests = &self.requests[engine];
            let (token, ticket) = (&person.token, &person.ticket);
            let bytes = match person.step {
                Step::Join => requests.join(token, ticket),
                Step::Poll => requests.poll(token, ticket),
                Step::Reserve => requests.reserve(token, &key(number), ticket),
            };
            (engine, person.step, bytes)
        };
        let lease = self.pools[engine].take().await;
        let sent_us = self.now_us();
        let back = match lease {
            Err(broken) => Back::broken(step, broken),
            Ok(mut lease) => {
                let talk = async {
                    lease.connection.send(&bytes).await?;
                    let response = lease.connection.receive().await?;
                    let then = response.then;
                    let back = Back::of(step, &response);
                    lease.end(then);
                    Ok(back)
                };
                let talked = timeout(EXCHANGE_TIMEOUT, talk).await;
                let talked = talked.unwrap_or(Err(Broken::Timeout));
                talked.unwrap_or_else(|broken| Back::broken(step, broken))
            }
        };
        let at = Span {
            sent_us,
            done_us: self.now_us(),
        };
        self.take_in(number, engine, at, back);
    }

    fn take_in(&self, number: usize, engine: usize, at: Span, back: Back) {
        let mut person = self.person(number);
        let before = Before::of(&person);
        let next = match back {
            Back::OfLine(heard) => person.hear(at, heard),
            Back::OfTill(seen) => person.served(Ask {
                verb: Verb::Take,
                engine,
                sent_us: at.sent_us,
                done_us: at.done_us,
                seen,
            }),
        };
        self.counts.count(&before, &person);
        match next {
            Some(due_us) => self.lock_due().push(Reverse((due_us, number))),
            None => {
                self.counts.done.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn person(&self, number: usize) -> MutexGuard<'_, Person> {
        self.people[number]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn lock_due(&self) -> MutexGuard<'_, BinaryHeap<Reverse<(u64, usize)>>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key under which a person reserves.
pub(super) fn key(number: usize) -> IdempotencyKey {
    IdempotencyKey::parse(format!("line-{number:07}")).expect("printable")
}

impl Back {
    fn of(step: Step, response: &crate::client::connection::Response<'_>) -> Self {
        match step {
            Step::Join | Step::Poll => Back::OfLine(Ok(Heard::of(response))),
            Step::Reserve => Back::OfTill(Seen::Answered(Box::new(answer::understand(response)))),
        }
    }

    fn broken(step: Step, broken: Broken) -> Self {
        match step {
            Step::Join | Step::Poll => Back::OfLine(Err(broken)),
            Step::Reserve => Back::OfTill(Seen::Broken(broken)),
        }
    }
}

/// What of a person is counted when it changes.
struct Before {
    polls: u32,
    joined: bool,
    admitted: bool,
}

impl Before {
    fn of(person: &Person) -> Self {
        let story = &person.story;
        Self {
            polls: story.polls,
            joined: !story.numbers.is_empty(),
            admitted: story.admitted.is_some(),
        }
    }
}

impl Counts {
    fn count(&self, before: &Before, person: &Person) {
        let now = Before::of(person);
        let add = |counter: &AtomicU64, more: bool| {
            counter.fetch_add(more.into(), Ordering::Relaxed);
        };
        add(&self.polls, now.polls > before.polls);
        add(&self.joined, now.joined && !before.joined);
        add(&self.admitted, now.admitted && !before.admitted);
        let reserved = matches!(person.story.end, Some((End::Reserved, _)));
        add(&self.reserved, reserved);
    }
}
