//! The rivals by name, and the one at work: the way that the command line chose. Asked by `front`.

use anyhow::Result;
use clap::ValueEnum;

use super::combined::Combined;
use super::guarded::Guarded;
use super::optimistic::Optimistic;
use super::read_then_write::ReadThenWrite;
use super::redis_lock::RedisLock;
use super::redis_lua::RedisLua;
use super::shop::Shop;
use super::skip_locked::SkipLocked;
use super::tables;
use super::way::{Bought, Order, State, Trouble, Way};

/// The ways to sell, in the order in which a comparison shows them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Name {
    /// No control at all: read the stock, write back one less.
    #[value(name = "none")]
    Uncontrolled,
    /// MySQL, pessimistic: SELECT … FOR UPDATE.
    RowLock,
    /// MySQL, optimistic: a version, and another try.
    Optimistic,
    /// MySQL, one guarded UPDATE.
    Guarded,
    /// MySQL, a row per unit and SKIP LOCKED.
    SkipLocked,
    /// A lock in Redis around a cached stock, written back to MySQL.
    RedisLock,
    /// A Lua script in Redis, one call per request.
    RedisLua,
    /// MySQL, the guarded UPDATE behind a combiner of the same kind as ours.
    GuardedCombined,
    /// The yardstick: a bare HTTP server that sells nothing.
    Bare,
}

impl Name {
    /// As on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Name::Uncontrolled => "none",
            Name::RowLock => "row-lock",
            Name::Optimistic => "optimistic",
            Name::Guarded => "guarded",
            Name::SkipLocked => "skip-locked",
            Name::RedisLock => "redis-lock",
            Name::RedisLua => "redis-lua",
            Name::GuardedCombined => "guarded-combined",
            Name::Bare => "bare",
        }
    }

    /// Whether it never sells a unit twice; `none` is there to show what that costs.
    pub fn is_safe(self) -> bool {
        !matches!(self, Name::Uncontrolled | Name::Bare)
    }
}

/// Where a way's stores are, and how many connections it may open to the one that decides.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stores<'a> {
    pub(crate) redis_url: &'a str,
    pub(crate) database_url: &'a str,
    pub(crate) connections: u32,
}

/// The way at work.
pub(crate) enum Rival {
    Uncontrolled(Shop<ReadThenWrite>),
    RowLock(Shop<ReadThenWrite>),
    Optimistic(Shop<Optimistic>),
    Guarded(Shop<Guarded>),
    SkipLocked(Shop<SkipLocked>),
    RedisLock(RedisLock),
    RedisLua(RedisLua),
    Combined(Combined),
}

impl Rival {
    /// Connects it; `None` for the yardstick, which has nothing to connect to.
    pub(crate) async fn open(name: Name, stores: Stores<'_>) -> Result<Option<Self>> {
        let Stores {
            redis_url,
            database_url,
            connections,
        } = stores;
        let pool = tables::open(database_url, connections);
        Ok(Some(match name {
            Name::Uncontrolled => {
                Rival::Uncontrolled(Shop::new(ReadThenWrite::uncontrolled(), pool.await?))
            }
            Name::RowLock => Rival::RowLock(Shop::new(ReadThenWrite::row_lock(), pool.await?)),
            Name::Optimistic => Rival::Optimistic(Shop::new(Optimistic, pool.await?)),
            Name::Guarded => Rival::Guarded(Shop::new(Guarded, pool.await?)),
            Name::SkipLocked => Rival::SkipLocked(Shop::new(SkipLocked::default(), pool.await?)),
            Name::RedisLock => {
                Rival::RedisLock(RedisLock::open(redis_url, database_url, connections).await?)
            }
            Name::RedisLua => Rival::RedisLua(RedisLua::open(redis_url, connections).await?),
            Name::GuardedCombined => {
                Rival::Combined(Combined::open(database_url, connections).await?)
            }
            Name::Bare => return Ok(None),
        }))
    }
}

/// Asks whichever way it is.
macro_rules! ask {
    ($rival:expr, $way:ident => $question:expr) => {
        match $rival {
            Rival::Uncontrolled($way) => $question,
            Rival::RowLock($way) => $question,
            Rival::Optimistic($way) => $question,
            Rival::Guarded($way) => $question,
            Rival::SkipLocked($way) => $question,
            Rival::RedisLock($way) => $question,
            Rival::RedisLua($way) => $question,
            Rival::Combined($way) => $question,
        }
    };
}

impl Way for Rival {
    async fn buy(&self, order: &Order) -> Result<Bought, Trouble> {
        ask!(self, way => way.buy(order).await)
    }

    async fn reset(&self, stock: u32) -> Result<(), Trouble> {
        ask!(self, way => way.reset(stock).await)
    }

    async fn state(&self) -> Result<State, Trouble> {
        ask!(self, way => way.state().await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_command_line() {
        for name in Name::value_variants() {
            let value = name.to_possible_value().unwrap();
            assert_eq!(value.get_name(), name.as_str());
        }
    }
}
