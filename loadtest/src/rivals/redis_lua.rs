//! `redis-lua`: a lean script written by hand, one call per request. The orders are as durable as Redis' own file; nothing
//! carries them to MySQL, which spares this way what ours pays for its writer.

use anyhow::Result;
use fred::clients::Pool;
use fred::interfaces::{HashesInterface, KeysInterface, StreamsInterface};
use fred::types::scripts::Script;
use fred::types::{Key, MultipleKeys};

use super::live;
use super::way::{Bought, Order, Placed, State, Trouble, Way};
use crate::limits::RIVAL_UNITS_PER_USER_MAX;

const SALE: &str = "{rival:lua}:sale";
const RECORDS: &str = "{rival:lua}:records";
const USERS: &str = "{rival:lua}:users";
const JOURNAL: &str = "{rival:lua}:journal";
const KEYS: [&str; 4] = [SALE, RECORDS, USERS, JOURNAL];

pub(crate) struct RedisLua {
    redis: Pool,
    buy: Script,
    keys: MultipleKeys,
}

impl RedisLua {
    pub(crate) async fn open(redis_url: &str, connections: u32) -> Result<Self> {
        let redis = live::open(redis_url, connections).await?;
        let buy = Script::from_lua(include_str!("buy.lua"));
        buy.load(redis.next()).await?;
        let keys = KEYS.map(Key::from_static_str).to_vec().into();
        Ok(Self { redis, buy, keys })
    }
}

impl Way for RedisLua {
    async fn buy(&self, order: &Order) -> Result<Bought, Trouble> {
        let args = vec![
            order.id.to_string(),
            order.user.to_string(),
            order.line.quantity.to_string(),
            RIVAL_UNITS_PER_USER_MAX.to_string(),
            live::record(order),
        ];
        let client = self.redis.next();
        let reply: Vec<String> = self
            .buy
            .evalsha_with_reload(client, self.keys.clone(), args)
            .await?;
        decoded(order, &reply).ok_or_else(|| Trouble::Store(format!("{reply:?} is no reply")))
    }

    async fn reset(&self, stock: u32) -> Result<(), Trouble> {
        let client = self.redis.next();
        let _: () = client.del(KEYS.to_vec()).await?;
        let counts = vec![("stock", i64::from(stock)), ("left", i64::from(stock))];
        Ok(client.hset(SALE, counts).await?)
    }

    async fn state(&self) -> Result<State, Trouble> {
        let client = self.redis.next();
        let (stock, left): (i64, i64) = client.hmget(SALE, vec!["stock", "left"]).await?;
        let units: Vec<i64> = client.hvals(USERS).await?;
        Ok(State {
            stock,
            left,
            orders: client.xlen(JOURNAL).await?,
            orders_by_distinct_key: client.hlen(RECORDS).await?,
            units: units.iter().sum(),
            written_back: None,
        })
    }
}

fn decoded(order: &Order, reply: &[String]) -> Option<Bought> {
    match (reply.first()?.as_str(), reply.get(1)) {
        ("repeat", Some(record)) => Some(live::standing(record)?.answer(order)),
        ("placed", Some(number)) => Some(Bought::Now(Placed {
            number: number.parse().ok()?,
            deadline_ms: order.deadline_ms,
        })),
        ("sold_out", None) => Some(Bought::SoldOut),
        ("limit_reached", None) => Some(Bought::LimitReached),
        _ => None,
    }
}
