//! Reads what Redis says about a sale: one snapshot, every record, every user's count. Plain reads beside the live sale.

use std::collections::{BTreeMap, HashMap};

use anyhow::{Context, Result};
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::snapshot::{Snapped, Snapshot};
use doorbuster_core::ids::{LiveId, ReservationId, SkuId};
use doorbuster_core::keys::Keys;
use doorbuster_core::record::{Claim, Record};
use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{Config, ReconnectPolicy};
use fred::types::{Builder, ClusterHash, CustomCommand, Value};

use super::facts::{Holding, LiveState};
use crate::limits::{RECONNECT_PAUSE_MS, SCAN_COUNT};

/// The server answers, and does not have what was asked for: waiting will not help.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotThere(pub String);

/// A connection for reading what the audit needs.
#[derive(Debug, Clone)]
pub struct Reader {
    gate: Gate,
    /// For the users' counts, which no program but the scripts ever asks for.
    pub(super) client: Client,
}

impl Reader {
    /// # Errors
    /// If Redis cannot be reached.
    pub async fn connect(redis_url: &str) -> Result<Self> {
        let gate = Gate::connect(redis_url).await.context("REDIS_URL")?;
        let mut builder = Builder::from_config(Config::from_url(redis_url).context("REDIS_URL")?);
        // Redis may be killed and started again between the run and its audit.
        builder.set_policy(ReconnectPolicy::new_constant(0, RECONNECT_PAUSE_MS));
        let client = builder.build()?;
        client
            .init()
            .await
            .context("REDIS_URL: redis cannot be reached")?;
        Ok(Self { gate, client })
    }

    /// The sale at one instant.
    ///
    /// # Errors
    /// If Redis does not answer, or does not know the sale.
    pub async fn snapshot(&self, live: &LiveId) -> Result<Snapshot> {
        match self.gate.snapshot(live).await? {
            Snapped::Snapshot(snapshot) => Ok(*snapshot),
            Snapped::Fenced(fenced) => {
                Err(NotThere(format!("redis has no whole {live}: {fenced:?}")).into())
            }
        }
    }

    /// All that Redis says; consistent if nothing happens meanwhile, which the caller sees from `seq` before and after.
    ///
    /// # Errors
    /// If Redis does not answer, or does not know the sale.
    pub async fn read(&self, live: &LiveId) -> Result<LiveState> {
        let Snapshot {
            epoch,
            seq,
            flushed_seq,
            stock,
            ..
        } = self.snapshot(live).await?;
        let mut state = LiveState {
            epoch,
            seq,
            flushed_seq,
            stock,
            holdings: HashMap::new(),
            counted: self.counted(live).await?,
            unreadable: Vec::new(),
        };
        let mut cursor = 0;
        loop {
            let (next, records) = self
                .gate
                .scan_records(live, cursor, SCAN_COUNT as usize)
                .await?;
            records
                .into_iter()
                .for_each(|(id, record)| state.put(live, id, &record));
            cursor = next;
            if cursor == 0 {
                return Ok(state);
            }
        }
    }

    /// Forgets everything, as a Redis does whose disk is gone.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn empty(&self) -> Result<()> {
        let command = CustomCommand::new_static("FLUSHALL", None, false);
        let _: Value = self.client.custom(command, Vec::<String>::new()).await?;
        Ok(())
    }

    /// Memory of all keys of a sale, in bytes, every element counted.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn bytes(&self, live: &LiveId) -> Result<u64> {
        let keys = Keys::of(live);
        let mut sum = 0;
        for key in [
            keys.sale,
            keys.stock,
            keys.users,
            keys.records,
            keys.order,
            keys.adjusts,
            keys.journal,
        ] {
            let slot = ClusterHash::Custom(fred::util::redis_keyslot(key.as_bytes()));
            let command = CustomCommand::new_static("MEMORY", slot, false);
            let args = vec!["USAGE", &key, "SAMPLES", "0"];
            let bytes: Option<u64> = self.client.custom(command, args).await?;
            sum += bytes.unwrap_or(0);
        }
        Ok(sum)
    }

    /// `user/sku` → units. Fields without a slash count ended reservations, which have a bound and no sum.
    async fn counted(&self, live: &LiveId) -> Result<BTreeMap<String, u64>> {
        let key = Keys::of(live).users;
        let slot = ClusterHash::Custom(fred::util::redis_keyslot(key.as_bytes()));
        let command = CustomCommand::new_static("HSCAN", slot, false);
        let (mut counted, mut cursor) = (BTreeMap::new(), "0".to_owned());
        loop {
            let args = vec![
                key.clone(),
                cursor,
                "COUNT".to_owned(),
                SCAN_COUNT.to_string(),
            ];
            let reply: Value = self.client.custom(command.clone(), args).await?;
            let (next, fields): (String, Vec<String>) = reply.convert()?;
            for pair in fields.chunks_exact(2).filter(|pair| pair[0].contains('/')) {
                counted.insert(pair[0].clone(), pair[1].parse().context("a user's count")?);
            }
            cursor = next;
            if cursor == "0" {
                return Ok(counted);
            }
        }
    }
}

impl LiveState {
    fn put(&mut self, live: &LiveId, id: ReservationId, record: &[u8]) {
        let holding = match live {
            LiveId::Sale(_) => Record::parse(record).map(Holding::from),
            LiveId::Coupon(coupon) => Claim::parse(record).map(|claim| {
                let sku =
                    SkuId::parse(coupon.as_str()).expect("sku and coupon ids share one alphabet");
                Holding::of_claim(claim, sku)
            }),
        };
        match holding {
            Ok(holding) => drop(self.holdings.insert(id, holding)),
            Err(why) => self.unreadable.push(format!("redis: {id}: {why}")),
        }
    }
}
