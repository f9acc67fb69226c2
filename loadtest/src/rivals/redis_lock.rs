//! `redis-lock`: a distributed lock around a stock that is cached in Redis. `SET NX PX` with a random token; the holder
//! reads, decides and writes an absolute number; the lock is given back by compare-and-delete. Every so often the stock is
//! written back to MySQL, as an absolute number too.
//!
//! As good as this way gets: the orders are in Redis, the reads travel with the lock and the writes with its release, buyers
//! of one process wait in line instead of polling, and the token is also the fence: a holder that was too slow writes nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use doorbuster_core::clock;
use fred::clients::Pool;
use fred::interfaces::{HashesInterface, KeysInterface};
use fred::types::scripts::Script;
use fred::types::{Expiration, SetOptions};
use tokio::sync::Mutex;
use tokio::time::timeout;

use super::live;
use super::shop::pause;
use super::way::{Bought, Order, Placed, State, Trouble, Way};
use super::write_back::WriteBack;
use crate::limits::{RIVAL_LOCK_LIFE, RIVAL_LOCK_WAIT};

const LOCK: &str = "{rival:lock}:lock";
const LEFT: &str = "{rival:lock}:left";
const STOCK: &str = "{rival:lock}:stock";
const ORDERS: &str = "{rival:lock}:orders";

pub(crate) struct RedisLock {
    redis: Arc<Pool>,
    put: Script,
    release: Script,
    /// First come, first served, among the buyers of this process.
    line: Mutex<()>,
    looks_sold_out: AtomicBool,
    write_back: WriteBack,
}

/// What is read together with taking the lock.
struct Seen {
    is_locked: bool,
    stock: i64,
    left: i64,
    record: Option<String>,
}

impl RedisLock {
    pub(crate) async fn open(
        redis_url: &str,
        database_url: &str,
        connections: u32,
    ) -> Result<Self> {
        let redis = Arc::new(live::open(redis_url, connections).await?);
        let put = Script::from_lua(include_str!("put.lua"));
        let release = Script::from_lua(include_str!("release.lua"));
        put.load(redis.next()).await?;
        release.load(redis.next()).await?;
        Ok(Self {
            write_back: WriteBack::start(Arc::clone(&redis), LEFT, database_url).await?,
            redis,
            put,
            release,
            line: Mutex::new(()),
            looks_sold_out: AtomicBool::new(false),
        })
    }

    /// One round trip: the lock, and what it protects, which is only to be trusted if the lock was had.
    async fn lock(&self, token: &str, order: &Order) -> Result<Seen, Trouble> {
        let life = Expiration::PX(i64::try_from(RIVAL_LOCK_LIFE.as_millis()).unwrap_or(i64::MAX));
        let pipeline = self.redis.next().pipeline();
        let options = Some(SetOptions::NX);
        let _: () = pipeline
            .set(LOCK, token, Some(life), options, false)
            .await?;
        let _: () = pipeline.mget(vec![LEFT, STOCK]).await?;
        let _: () = pipeline.hget(ORDERS, order.id.to_string()).await?;
        let (locked, counts, record): (Option<String>, Vec<Option<i64>>, Option<String>) =
            pipeline.all().await?;
        Ok(Seen {
            is_locked: locked.is_some(),
            record,
            ..counted(&counts)
        })
    }

    /// What can be said without the lock; `None` where it is worth a try. The stock is read first: an order that took the
    /// last unit is then there to be found.
    async fn look(&self, order: &Order) -> Result<Option<Bought>, Trouble> {
        let pipeline = self.redis.next().pipeline();
        let _: () = pipeline.mget(vec![LEFT, STOCK]).await?;
        let _: () = pipeline.hget(ORDERS, order.id.to_string()).await?;
        let (counts, record): (Vec<Option<i64>>, Option<String>) = pipeline.all().await?;
        let seen = Seen {
            record,
            ..counted(&counts)
        };
        self.judge(&seen, order)
    }

    /// `None` where the order may be placed.
    fn judge(&self, seen: &Seen, order: &Order) -> Result<Option<Bought>, Trouble> {
        let is_enough = seen.left >= order.units();
        self.looks_sold_out.store(!is_enough, Ordering::Relaxed);
        if let Some(record) = &seen.record {
            let standing = live::standing(record)
                .ok_or_else(|| Trouble::Store(format!("{record} is no record")))?;
            return Ok(Some(standing.answer(order)));
        }
        Ok((!is_enough).then_some(Bought::SoldOut))
    }

    /// With the lock: decides and gives it back. `None` where the lock was lost before the order was written.
    async fn decide(
        &self,
        token: String,
        seen: &Seen,
        order: &Order,
    ) -> Result<Option<Bought>, Trouble> {
        let client = self.redis.next();
        if let Some(bought) = self.judge(seen, order)? {
            let keys = vec![LOCK];
            let _: () = self
                .release
                .evalsha_with_reload(client, keys, vec![token])
                .await?;
            return Ok(Some(bought));
        }
        let left = seen.left - order.units();
        let placed = Placed {
            number: u64::try_from(seen.stock - left).unwrap_or(0),
            deadline_ms: order.deadline_ms,
        };
        let record = format!("{}|{}", placed.number, live::record(order));
        let args = vec![token, left.to_string(), order.id.to_string(), record];
        let keys = vec![LOCK, LEFT, ORDERS];
        let written: bool = self.put.evalsha_with_reload(client, keys, args).await?;
        Ok(written.then_some(Bought::Now(placed)))
    }
}

impl Way for RedisLock {
    async fn buy(&self, order: &Order) -> Result<Bought, Trouble> {
        let since = clock::instant();
        let mut tries = 0;
        while since.elapsed() < RIVAL_LOCK_WAIT {
            if self.looks_sold_out.load(Ordering::Relaxed)
                && let Some(bought) = self.look(order).await?
            {
                return Ok(bought);
            }
            let Ok(_turn) = timeout(RIVAL_LOCK_WAIT, self.line.lock()).await else {
                break;
            };
            if self.looks_sold_out.load(Ordering::Relaxed) {
                // The last unit went while this one waited: no reason to wait for the lock as well.
                continue;
            }
            let token = format!("{:032x}", rand::random::<u128>());
            let seen = self.lock(&token, order).await?;
            if seen.is_locked
                && let Some(bought) = self.decide(token, &seen, order).await?
            {
                return Ok(bought);
            }
            pause(tries).await;
            tries += 1;
        }
        Err(Trouble::Busy)
    }

    async fn reset(&self, stock: u32) -> Result<(), Trouble> {
        let client = self.redis.next();
        let stock = i64::from(stock);
        let _: () = client.del(vec![LOCK, ORDERS]).await?;
        let _: () = client.mset(vec![(STOCK, stock), (LEFT, stock)]).await?;
        self.looks_sold_out.store(false, Ordering::Relaxed);
        self.write_back.reset(stock).await
    }

    async fn state(&self) -> Result<State, Trouble> {
        let client = self.redis.next();
        let counts: Vec<Option<i64>> = client.mget(vec![LEFT, STOCK]).await?;
        let Seen { stock, left, .. } = counted(&counts);
        let records: Vec<String> = client.hvals(ORDERS).await?;
        let quantity = |record: &String| record.split('|').nth(2)?.parse::<i64>().ok();
        Ok(State {
            stock,
            left,
            orders: i64::try_from(records.len()).unwrap_or(i64::MAX),
            orders_by_distinct_key: client.hlen(ORDERS).await?,
            units: records.iter().filter_map(quantity).sum(),
            written_back: self.write_back.last().await?,
        })
    }
}

/// The answer to `MGET left stock`.
fn counted(counts: &[Option<i64>]) -> Seen {
    let count = |i: usize| counts.get(i).copied().flatten().unwrap_or(0);
    Seen {
        is_locked: false,
        stock: count(1),
        left: count(0),
        record: None,
    }
}
