//! Waits until no order moves any more, and then reads books and provider. Called after a run.

use std::collections::HashSet;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use tokio::time::sleep;

use super::facts::{Ledger, Money, Order};
use super::provider;
use super::store::Store;
use crate::client::endpoint::Endpoint;
use crate::limits::{MONEY_REST_BOUND, MONEY_REST_LOOK};
use crate::target::Target;

/// Where money is read from.
#[derive(Debug, Clone)]
pub struct Source {
    store: Store,
    sandbox: Endpoint,
}

impl Source {
    /// # Errors
    /// If one of them cannot be reached.
    pub async fn connect(target: &Target) -> Result<Self> {
        let sandbox = target.sandbox.clone();
        Ok(Self {
            store: Store::connect(&target.database_url).await?,
            sandbox: sandbox.context("no payment sandbox is known: --payment-url")?,
        })
    }

    /// The books of orders.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Waits until every order of `live` has come to an end, within a bound; whatever has not by then is judged as it is.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn wait_at_rest(&self, live: &LiveId) -> Result<()> {
        let began = clock::instant();
        loop {
            let (moving, open) = (
                self.store.moving(live).await?,
                self.store.open_refunds(live).await?,
            );
            if (moving == 0 && open == 0) || began.elapsed() > MONEY_REST_BOUND {
                return Ok(());
            }
            sleep(MONEY_REST_LOOK).await;
        }
    }

    /// What both say of `live`.
    ///
    /// # Errors
    /// If one of them does not answer.
    pub async fn read(&self, live: &LiveId) -> Result<Money> {
        // The provider first: whatever it has by then, the books must know.
        let mut charges = provider::captures(&self.sandbox).await?;
        let orders = self.store.orders(live).await?;
        let ledger = self.ledger(&orders).await?;
        let all = self.store.ids().await?;
        let ours: HashSet<&str> = orders.iter().map(|order| order.id.as_str()).collect();
        // Those of other sales on the same servers are judged with them; those of no order, here.
        charges
            .retain(|charge| ours.contains(charge.order.as_str()) || !all.contains(&charge.order));
        Ok(Money {
            charges,
            open_refunds: self.store.open_refunds(live).await?,
            ledger,
            orders,
        })
    }

    /// Once everything that happened is posted, within the same bound.
    async fn ledger(&self, orders: &[Order]) -> Result<Ledger> {
        let began = clock::instant();
        while self.store.unposted().await? > 0 && began.elapsed() < MONEY_REST_BOUND {
            sleep(MONEY_REST_LOOK).await;
        }
        self.store.ledger(orders).await
    }
}
