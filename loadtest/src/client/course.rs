//! What one user does from its due time on: asks until there is a final answer, and then what its behaviour says.
//!
//! Every exchange ends up in the user's history, whatever came of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use doorbuster_core::clock;
use doorbuster_core::ids::ReservationId;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::checkout::buyer::Holder;
use crate::checkout::{Purchase, Till};
use crate::client::answer;
use crate::client::pool::{Lease, Pool};
use crate::client::request::Requests;
use crate::client::retry::{self, Next};
use crate::crowd::{Behaviour, Errand};
use crate::history::{Ask, Broken, Client, Seen, Verb};
use crate::limits::{EXCHANGE_TIMEOUT, SECOND_THOUGHTS_MAX};
use crate::plan::Losses;
use crate::tally::Tally;

/// Where all users of a run meet the engines.
#[derive(Debug)]
pub struct Market {
    pub pools: Vec<Pool>,
    /// One per engine.
    pub requests: Vec<Requests>,
    pub losses: Losses,
    /// Times that each request is sent at once.
    pub sends: u32,
    /// Whether buyers keep their receipts.
    pub keeps_receipts: bool,
    /// Where holds are paid for, if they are.
    pub till: Option<Till>,
    /// The start of the run.
    pub origin: Instant,
    /// Nobody tries again any more: who has no final answer by now is left without one.
    pub over: AtomicBool,
    pub tally: Tally,
}

/// One user with its errand and token.
#[derive(Debug)]
struct Buyer {
    market: Arc<Market>,
    errand: Errand,
    token: String,
}

/// How much of an answer the user gets to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Whole,
    /// Nothing: the connection is dropped once the request is on the wire.
    Nothing,
    /// A 201 is lost on the wire, anything else is read.
    AllButAcceptances,
}

/// Runs one errand to its end.
pub async fn walk(market: Arc<Market>, errand: Errand, token: String) -> Client {
    let buyer = Arc::new(Buyer {
        market,
        errand,
        token,
    });
    let asks = Arc::clone(&buyer).take_as_often_as_asked().await;
    let mut client = buyer.client(asks);
    buyer.market.tally.count(client.verdict());
    let more = buyer.afterwards(&client).await;
    client.asks.extend(more);
    client.purchase = buyer.checks_out(&client).await;
    client
}

/// Presents the receipt of an errand whose reservation was lost, until there is a final answer.
pub async fn present(
    market: Arc<Market>,
    errand: Errand,
    token: String,
    receipt: &str,
) -> Vec<Ask> {
    let (engine, seed) = (errand.engine, errand.seed);
    let buyer = Buyer {
        market,
        errand,
        token,
    };
    let (token, key) = (&buyer.token, &buyer.errand.key);
    buyer
        .until_final(Verb::Take, engine, seed, |engine, _| {
            let requests = &buyer.market.requests[engine];
            (requests.present(token, key, receipt), Reading::Whole)
        })
        .await
}

/// Cancels the hold of an errand, until there is a final answer.
pub async fn cancel(
    market: Arc<Market>,
    errand: Errand,
    token: String,
    id: ReservationId,
) -> Vec<Ask> {
    let seed = errand.seed;
    let buyer = Buyer {
        market,
        errand,
        token,
    };
    buyer.cancel(id, seed).await
}

impl Market {
    fn now(&self) -> Duration {
        clock::instant().saturating_duration_since(self.origin)
    }

    /// Microseconds since the start of the run.
    pub fn now_us(&self) -> u64 {
        u64::try_from(self.now().as_micros()).unwrap_or(u64::MAX)
    }
}

impl Buyer {
    fn client(&self, asks: Vec<Ask>) -> Client {
        let Errand {
            user,
            key,
            behaviour,
            due,
            ..
        } = &self.errand;
        let due_us = u64::try_from(due.as_micros()).unwrap_or(u64::MAX);
        Client {
            user: user.clone(),
            key: key.as_str().to_owned(),
            behaviour: *behaviour,
            due_us,
            asks,
            purchase: None,
        }
    }

    /// All sends of the same request at once, spread over the engines; in the order in which they ended.
    async fn take_as_often_as_asked(self: Arc<Self>) -> Vec<Ask> {
        let clicks = if self.errand.behaviour == Behaviour::DoubleClick {
            2
        } else {
            1
        };
        let sends = self.market.sends.max(clicks) as usize;
        if sends == 1 {
            return self.take(self.errand.engine, self.errand.seed).await;
        }
        let mut under_way = JoinSet::new();
        for i in 0..sends {
            let buyer = Arc::clone(&self);
            let (engine, seed) = (
                self.errand.engine + i,
                self.errand.seed.wrapping_add(i as u64),
            );
            under_way.spawn(async move { buyer.take(engine, seed).await });
        }
        under_way.join_all().await.into_iter().flatten().collect()
    }

    /// Whoever has a hold and means to keep it pays for it, where there is a till.
    async fn checks_out(&self, client: &Client) -> Option<Box<Purchase>> {
        let till = self.market.till.as_ref()?;
        let keeps = self.errand.behaviour != Behaviour::Abandon && !self.cancels_hold();
        let told = client.verdict().filter(|_| keeps)?.told.as_ref()?;
        let holder = Holder {
            market: &self.market,
            errand: &self.errand,
            token: &self.token,
            hold: told.id,
        };
        Some(Box::new(till.pay(&holder).await))
    }

    /// Where there is a till, half of those who cancel do so once they have paid.
    fn cancels_hold(&self) -> bool {
        let is_early = self.market.till.is_none() || self.errand.seed.is_multiple_of(2);
        self.errand.behaviour == Behaviour::Cancel && is_early
    }

    async fn afterwards(&self, client: &Client) -> Vec<Ask> {
        let verdict = client.verdict();
        let (next_engine, seed) = (self.errand.engine + 1, !self.errand.seed);
        match (
            self.errand.behaviour,
            verdict.and_then(|answer| answer.told.as_ref()),
        ) {
            (Behaviour::Retry, _) if verdict.is_some() => self.take(next_engine, seed).await,
            (Behaviour::Cancel, Some(told)) if self.cancels_hold() => {
                self.cancel(told.id, seed).await
            }
            _ => Vec::new(),
        }
    }

    /// Asks until there is a final answer, or tries or patience are used up.
    async fn take(&self, engine: usize, seed: u64) -> Vec<Ask> {
        let loses_first = self.errand.behaviour == Behaviour::LoseAnswer;
        let reading = |tries: u32| match self.market.losses {
            _ if loses_first && tries == 1 => Reading::Nothing,
            Losses::EveryAcceptance => Reading::AllButAcceptances,
            Losses::None => Reading::Whole,
        };
        self.until_final(Verb::Take, engine, seed, |engine, tries| {
            (
                self.market.requests[engine].take(&self.token, &self.errand.key),
                reading(tries),
            )
        })
        .await
    }

    async fn cancel(&self, id: ReservationId, seed: u64) -> Vec<Ask> {
        let second_thoughts = SmallRng::seed_from_u64(seed).random::<f64>();
        sleep(SECOND_THOUGHTS_MAX.mul_f64(second_thoughts)).await;
        let requests = &self.market.requests;
        let asks = self
            .until_final(Verb::Cancel, self.errand.engine, seed, |engine, _| {
                (requests[engine].cancel(&self.token, id), Reading::Whole)
            })
            .await;
        let cancelled =
            |ask: &Ask| matches!(&ask.seen, Seen::Answered(answer) if answer.is_acceptance());
        if asks.iter().any(cancelled) {
            self.market.tally.count_cancelled();
        }
        asks
    }

    async fn until_final(
        &self,
        verb: Verb,
        mut engine: usize,
        seed: u64,
        request: impl Fn(usize, u32) -> (Vec<u8>, Reading),
    ) -> Vec<Ask> {
        let mut rng = SmallRng::seed_from_u64(seed);
        let began = self.market.now();
        let mut asks = Vec::with_capacity(1);
        for tries in 1.. {
            engine %= self.market.pools.len();
            let (bytes, reading) = request(engine, tries);
            let ask = self.exchange(verb, engine, &bytes, reading).await;
            let next = retry::after(
                &ask.seen,
                tries,
                self.market.now().saturating_sub(began),
                &mut rng,
            );
            if !matches!(ask.seen, Seen::Answered(_)) {
                // Whoever heard nothing tries his luck elsewhere.
                engine += 1;
            }
            asks.push(ask);
            match next {
                Next::AgainAfter(pause) if !self.market.over.load(Ordering::Relaxed) => {
                    sleep(pause).await;
                }
                Next::AgainAfter(_) | Next::Done | Next::GiveUp => break,
            }
        }
        asks
    }

    async fn exchange(&self, verb: Verb, engine: usize, request: &[u8], reading: Reading) -> Ask {
        let lease = self.market.pools[engine].take().await;
        let sent_us = self.market.now_us();
        let seen = match lease {
            Err(broken) => Seen::Broken(broken),
            Ok(lease) => {
                self.market.tally.count_sent();
                let talked = talk(lease, request, reading, self.market.keeps_receipts);
                let talked = timeout(EXCHANGE_TIMEOUT, talked).await;
                talked
                    .unwrap_or(Err(Broken::Timeout))
                    .unwrap_or_else(Seen::Broken)
            }
        };
        Ask {
            verb,
            engine,
            sent_us,
            done_us: self.market.now_us(),
            seen,
        }
    }
}

/// One exchange on one connection, which is closed unless the answer was read to its end.
async fn talk(
    mut lease: Lease<'_>,
    request: &[u8],
    reading: Reading,
    keeps_receipts: bool,
) -> Result<Seen, Broken> {
    lease.connection.send(request).await?;
    if reading == Reading::Nothing {
        return Ok(Seen::Lost);
    }
    let response = lease.connection.receive().await?;
    if reading == Reading::AllButAcceptances && response.status == 201 {
        return Ok(Seen::Lost);
    }
    let (mut answer, then) = (answer::understand(&response), response.then);
    if let Some(told) = answer.told.as_mut().filter(|_| keeps_receipts) {
        told.receipt = answer::receipt(&response);
    }
    lease.end(then);
    Ok(Seen::Answered(Box::new(answer)))
}
