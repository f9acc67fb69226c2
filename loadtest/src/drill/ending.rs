//! The end of a round: the last units are fought for, and the audit holds every answer against Redis and the books.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use tokio::time::sleep;

use super::ground::Ground;
use super::round::{Outcome, Task, Twist, keys_per_user};
use crate::audit;
use crate::audit::money;
use crate::client::course::Market;
use crate::crowd::{Behaviour, Errand};
use crate::history::{Client, Header, History};
use crate::limits::{DRILL_LAST_BUYERS, DRILL_LAST_UNITS, DRILL_TAIL, DRILL_WARM_UP};
use crate::plan::Offer;
use crate::rush;
use crate::setup;
use crate::wire::Toxic;

/// A sale after its faults.
pub(super) struct Sale<'a> {
    pub(super) ground: &'a Ground,
    pub(super) offer: &'a Offer,
    pub(super) market: &'a Arc<Market>,
    pub(super) header: Header,
    /// The generation in which the sale must be.
    pub(super) epoch: u32,
}

impl Sale<'_> {
    /// Lets the last buyers come, and judges it all.
    ///
    /// # Errors
    /// If the stores cannot be read.
    pub(super) async fn finish(
        self,
        mut clients: Vec<Client>,
        crowd: &mut impl Iterator<Item = (Errand, String)>,
        task: &Task,
        outcome: &mut Outcome,
    ) -> Result<()> {
        let some = DRILL_LAST_BUYERS * keys_per_user(task.twist) as usize;
        let buyers: Vec<(Errand, String)> = crowd.take(some).collect();
        let mut last = self.sell_out(buyers.clone(), task.seed).await;
        if let Ok(clients) = &mut last {
            match task.twist {
                Twist::Nothing | Twist::TwoKeys => {}
                Twist::Restock => {
                    let more = crowd.take(DRILL_LAST_BUYERS).collect();
                    clients.extend(self.sell_what_came_back(more, task.seed).await?);
                }
                Twist::AskAgain => {
                    for again in self.send(buyers).await? {
                        let first = clients.iter_mut().find(|first| first.key == again.key);
                        first.context("the same buyer")?.asks.extend(again.asks);
                    }
                }
            }
        }
        match last {
            Ok(more) => {
                outcome.clients(&more, false);
                clients.extend(more);
                if let Err(error) = self.judge(clients, outcome).await {
                    outcome.broken.push(format!("the audit: {error:#}"));
                }
            }
            Err(error) => outcome.broken.push(format!("the last units: {error:#}")),
        }
        Ok(())
    }

    /// Leaves few units, and sends more buyers than there are.
    async fn sell_out(&self, last: Vec<(Errand, String)>, seed: u64) -> Result<Vec<Client>> {
        let (ground, offer) = (self.ground, self.offer);
        let snapshot = ground.sources.redis().snapshot(&offer.live).await?;
        let left = snapshot.stock.get(&offer.sku).context("the sku")?.left;
        let surplus = i64::try_from(left.saturating_sub(DRILL_LAST_UNITS))?;
        if surplus > 0 {
            setup::adjust(&ground.target, offer, -surplus, &format!("last-{seed}")).await?;
        }
        self.send(last).await
    }

    /// Units come back while no front is connected to Redis, so that no notice tells; as many buyers as before come for them.
    async fn sell_what_came_back(
        &self,
        buyers: Vec<(Errand, String)>,
        seed: u64,
    ) -> Result<Vec<Client>> {
        let (ground, by) = (self.ground, i64::try_from(DRILL_LAST_UNITS)?);
        let fronts = || ground.fronts.iter();
        fronts().for_each(|front| front.redis.set(Toxic::Refuse));
        setup::adjust(&ground.target, self.offer, by, &format!("back-{seed}")).await?;
        // What came back within the last second, nobody must know yet.
        sleep(DRILL_WARM_UP + DRILL_TAIL).await;
        fronts().for_each(|front| front.redis.heal());
        for front in fronts() {
            front.ready().await?;
        }
        self.send(buyers).await
    }

    /// All at once.
    async fn send(&self, mut last: Vec<(Errand, String)>) -> Result<Vec<Client>> {
        let now = clock::instant().saturating_duration_since(self.market.origin);
        for (errand, _) in &mut last {
            errand.due = now;
            // Nobody gives anything back any more.
            errand.behaviour = Behaviour::Plain;
        }
        rush::walk_all(self.market, last, &AtomicBool::new(false)).await
    }

    async fn judge(self, clients: Vec<Client>, outcome: &mut Outcome) -> Result<()> {
        let unanswered = clients.iter().filter(|client| client.verdict().is_none());
        let unanswered = unanswered.count();
        if unanswered > 0 {
            outcome
                .broken
                .push(format!("{unanswered} buyers gave up without an answer"));
        }
        let (sources, live) = (&self.ground.sources, &self.offer.live);
        let pays = self.ground.money.is_some();
        if pays {
            self.ground.money_source().await?.wait_at_rest(live).await?;
        }
        let settled = match sources.read(live).await {
            Ok(settled) => settled,
            // What there is tells more than that there is not all of it.
            Err(error) => {
                outcome.broken.push(format!("the audit: {error:#}"));
                sources.read_restless(live).await?
            }
        };
        let header = self.header;
        let history = History { header, clients };
        let (verdict, ledger) = audit::judge(&history, &settled.live, &settled.books)?;
        outcome.judged(verdict.numbers, &verdict.findings);
        if pays {
            let money = self.ground.money_source().await?.read(live).await?;
            let judged = money::judge(&history.clients, &money, &settled.books.holdings);
            outcome.paid(&history.clients, &money, judged);
        }
        if settled.live.epoch != self.epoch {
            // What engines remember makes good what Redis has lost: that it lost nothing, the generation tells.
            outcome.broken.push(format!(
                "the sale is in generation {}, not {}: it was rebuilt",
                settled.live.epoch, self.epoch
            ));
        }
        let left = settled.live.stock.get(&self.offer.sku);
        let left = left.map(|stock| stock.left);
        // Units of those whose payment failed come back after the last buyer.
        if left != Some(0) && !pays {
            outcome
                .broken
                .push(format!("{left:?} units are left, and more were asked for"));
        }
        if ledger.expired > 0 {
            outcome.broken.push(format!(
                "{} holds expired before their time",
                ledger.expired
            ));
        }
        outcome.broken.extend(self.ground.panics()?);
        Ok(())
    }
}
