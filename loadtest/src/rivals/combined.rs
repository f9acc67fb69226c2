//! `guarded-combined`: the guarded update behind a combiner of the same kind as ours, the honest answer to "why Redis?".
//! All orders that wait go into one transaction: one insert of many rows, then one guarded update for all their units.
//!
//! As long as there is enough for all, a batch costs four round trips whatever its size. If an insert meets an order that
//! stands already, or the update finds too little, a look (one statement) sorts out who is new and for how many there is
//! enough; the rest are answered, and those try again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorbuster_core::ids::ReservationId;
use sqlx::mysql::MySqlConnection;

use super::batches::{self, Done};
use super::books::{self, Fault};
use super::combiner::{Combiner, Decide};
use super::pool::Pool;
use super::shop::pause;
use super::tables::{self, Shelf};
use super::way::{Bought, Order, Placed, Standing, State, Trouble, Way};
use crate::limits::{RIVAL_CALLS_MAX, RIVAL_TRIES_MAX};

pub(crate) struct Combined {
    combiner: Arc<Combiner<Desk>>,
}

/// Where batches are decided.
pub(crate) struct Desk {
    pool: Pool,
    looks_sold_out: AtomicBool,
}

type Outcomes = HashMap<ReservationId, Bought>;

impl Combined {
    pub(crate) async fn open(database_url: &str, connections: u32) -> anyhow::Result<Self> {
        let calls = connections.min(RIVAL_CALLS_MAX);
        let desk = Desk {
            pool: tables::open(database_url, calls).await?,
            looks_sold_out: AtomicBool::new(false),
        };
        let combiner = Arc::new(Combiner::new(desk, calls));
        Ok(Self { combiner })
    }
}

impl Way for Combined {
    async fn buy(&self, order: &Order) -> Result<Bought, Trouble> {
        self.combiner.submit(order.clone()).await
    }

    async fn reset(&self, stock: u32) -> Result<(), Trouble> {
        let desk = &self.combiner.decide;
        let reset = async |connection: &mut MySqlConnection| {
            tables::reset(connection, Shelf::Counter, stock).await
        };
        let done = desk.pool.run(reset).await;
        desk.looks_sold_out.store(false, Ordering::Relaxed);
        Ok(done?)
    }

    async fn state(&self) -> Result<State, Trouble> {
        let state = async |connection: &mut MySqlConnection| {
            tables::state(connection, Shelf::Counter).await
        };
        Ok(self.combiner.decide.pool.run(state).await?)
    }
}

impl Decide for Desk {
    /// The same order twice in one batch is decided once; whoever comes second is told what a repeat is told.
    async fn decide(&self, orders: &[&Order]) -> Result<Vec<Bought>, Trouble> {
        let mut seen = HashSet::with_capacity(orders.len());
        let firsts = orders.iter().copied();
        let firsts = firsts.filter(|order| seen.insert(order.id)).collect();
        let outcomes = self.decide_each(firsts).await?;
        let mut placed: HashMap<ReservationId, Standing> = HashMap::new();
        let answers = orders.iter().map(|order| {
            let outcome = outcomes.get(&order.id).copied();
            match (outcome, placed.get(&order.id)) {
                (Some(Bought::Now(_)), Some(standing)) => Some(standing.answer(order)),
                (Some(Bought::Now(now)), None) => {
                    let (id, body) = (order.id, order.body);
                    placed.insert(id, Standing { placed: now, body });
                    outcome
                }
                _ => outcome,
            }
        });
        let answers: Option<Vec<Bought>> = answers.collect();
        answers.ok_or_else(|| Trouble::Store("an order of the batch has no outcome".into()))
    }
}

impl Desk {
    async fn decide_each(&self, mut open: Vec<&Order>) -> Result<Outcomes, Trouble> {
        let mut outcomes = HashMap::with_capacity(open.len());
        let mut is_clear = !self.looks_sold_out.load(Ordering::Relaxed);
        for tries in 0..RIVAL_TRIES_MAX {
            let enough_for = if is_clear {
                open.len()
            } else {
                self.sort_out(&mut open, &mut outcomes).await?
            };
            if open.is_empty() {
                return Ok(outcomes);
            }
            // Batches that share orders lock them in the same order.
            let mut batch = open[..enough_for].to_vec();
            batch.sort_by_key(|order| order.id);
            match self.place(&batch).await? {
                Done::Placed(first) => {
                    open.drain(..enough_for);
                    outcomes.extend((first..).zip(batch).map(|(number, order)| {
                        let deadline_ms = order.deadline_ms;
                        let placed = Placed {
                            number,
                            deadline_ms,
                        };
                        (order.id, Bought::Now(placed))
                    }));
                }
                Done::Unclear => {}
                Done::Raced => pause(tries).await,
            }
            is_clear = open.is_empty();
        }
        Err(Trouble::Busy)
    }

    /// Answers those whose order stands and, if nothing is left, all others. How many of those still open there is enough for.
    async fn sort_out(
        &self,
        open: &mut Vec<&Order>,
        outcomes: &mut Outcomes,
    ) -> Result<usize, Trouble> {
        let look = async |connection: &mut MySqlConnection| batches::look(connection, open).await;
        let (left, standing) = self.pool.run(look).await?;
        open.retain(|order| match standing.get(&order.id) {
            Some(standing) => {
                outcomes.insert(order.id, standing.answer(order));
                false
            }
            None => true,
        });
        let mut wanted = 0;
        let enough_for = open.iter().take_while(|order| {
            wanted += order.units();
            wanted <= left
        });
        let enough_for = enough_for.count();
        self.looks_sold_out.store(left < 1, Ordering::Relaxed);
        if enough_for == 0 {
            outcomes.extend(open.drain(..).map(|order| (order.id, Bought::SoldOut)));
        }
        Ok(enough_for)
    }

    async fn place(&self, orders: &[&Order]) -> Result<Done, Trouble> {
        let place =
            async |connection: &mut MySqlConnection| batches::place(connection, orders).await;
        let done = self.pool.run(place).await;
        done.or_else(|error| match books::fault(&error) {
            Fault::Duplicate => Ok(Done::Unclear),
            Fault::Raced => Ok(Done::Raced),
            Fault::Other => Err(error.into()),
        })
    }
}
