//! The ways that are compared, ours among them, and what is known of each before it is measured.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use serde::{Serialize, Serializer};

use crate::limits::{
    BENCH_STOCK, COMPARE_POOLS, COMPARE_UNIT_ROWS_PER_SECOND, RIVAL_CALLS_MAX, RIVAL_UNIT_ROWS_MAX,
};
use crate::rivals::Name;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Rival(Name),
    Ours,
}

/// Which store decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decider {
    MySql,
    Redis,
    Nobody,
}

/// As a table shows them: the yardstick last.
const ALL: [Way; 10] = [
    Way::Rival(Name::Uncontrolled),
    Way::Rival(Name::RowLock),
    Way::Rival(Name::Optimistic),
    Way::Rival(Name::Guarded),
    Way::Rival(Name::SkipLocked),
    Way::Rival(Name::RedisLock),
    Way::Rival(Name::RedisLua),
    Way::Rival(Name::GuardedCombined),
    Way::Ours,
    Way::Rival(Name::Bare),
];

impl Way {
    pub fn as_str(self) -> &'static str {
        match self {
            Way::Rival(name) => name.as_str(),
            Way::Ours => "ours",
        }
    }

    /// How it sells, in a few words.
    pub(super) fn said(self) -> &'static str {
        match self {
            Way::Ours => "Lua in Redis behind a combiner, every event carried to MySQL",
            Way::Rival(Name::Uncontrolled) => "no control: read the stock, write back one less",
            Way::Rival(Name::RowLock) => "MySQL, SELECT … FOR UPDATE",
            Way::Rival(Name::Optimistic) => "MySQL, a version and another try",
            Way::Rival(Name::Guarded) => "MySQL, one guarded UPDATE",
            Way::Rival(Name::SkipLocked) => "MySQL, a row per unit and SKIP LOCKED",
            Way::Rival(Name::RedisLock) => "a lock in Redis around a cached stock",
            Way::Rival(Name::RedisLua) => "Lua in Redis, one call per request",
            Way::Rival(Name::GuardedCombined) => "MySQL, the guarded UPDATE behind a combiner",
            Way::Rival(Name::Bare) => "the yardstick: HTTP alone, nothing sold",
        }
    }

    pub(super) fn decider(self) -> Decider {
        match self {
            Way::Ours | Way::Rival(Name::RedisLock | Name::RedisLua) => Decider::Redis,
            Way::Rival(Name::Bare) => Decider::Nobody,
            Way::Rival(_) => Decider::MySql,
        }
    }

    /// What a yes is worth: who had it on disk before it was said.
    pub(super) fn ack(self) -> &'static str {
        match self.decider() {
            Decider::MySql => "MySQL commit",
            Decider::Redis => "Redis fsync",
            Decider::Nobody => "-",
        }
    }

    /// Not many in one transaction, as the combined way does.
    pub(super) fn decides_in_mysql_order_by_order(self) -> bool {
        self.decider() == Decider::MySql && self != Way::Rival(Name::GuardedCombined)
    }

    /// Whether it claims to sell every unit once.
    pub(super) fn is_safe(self) -> bool {
        match self {
            Way::Ours => true,
            Way::Rival(name) => name.is_safe(),
        }
    }

    /// Numbers of connections to the store among which the best is looked for; none where there is nothing to choose.
    pub(super) fn pools(self) -> Vec<u32> {
        let most = match self {
            Way::Ours | Way::Rival(Name::Bare) => 0,
            Way::Rival(Name::GuardedCombined) => RIVAL_CALLS_MAX,
            Way::Rival(_) => u32::MAX,
        };
        let pools = COMPARE_POOLS.iter().copied();
        pools.filter(|pool| *pool <= most).collect()
    }

    /// Units that do not run out in a rush of that length.
    pub(super) fn plenty(self, lasting: Duration) -> u32 {
        if self != Way::Rival(Name::SkipLocked) {
            return BENCH_STOCK;
        }
        let rows = lasting.as_secs_f64().max(1.0) * COMPARE_UNIT_ROWS_PER_SECOND;
        (rows as u32).min(RIVAL_UNIT_ROWS_MAX)
    }
}

impl ValueEnum for Way {
    fn value_variants<'a>() -> &'a [Self] {
        &ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.as_str()))
    }
}

impl Serialize for Way {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rival_takes_part() {
        for name in Name::value_variants() {
            assert!(ALL.contains(&Way::Rival(*name)), "{name:?}");
        }
    }

    #[test]
    fn a_pool_is_swept_where_there_is_one() {
        assert_eq!(Way::Rival(Name::Guarded).pools(), COMPARE_POOLS);
        assert_eq!(Way::Rival(Name::GuardedCombined).pools(), [2, 8]);
        assert!(Way::Ours.pools().is_empty());
    }
}
