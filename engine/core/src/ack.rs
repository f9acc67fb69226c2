//! The ack level of a deployment: where something is before anybody is told of it (design §3). One setting of all its engines and back-offices.

use std::str::FromStr;

use crate::gate::replicas::ReplicaHas;

/// What an acknowledged reservation, or payment, has survived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AckLevel {
    /// Redis has it.
    Memory,
    /// Redis has it on its disk.
    Fsync,
    /// And a replica has it.
    Replica,
    /// And MySQL has committed it.
    Mysql,
}

/// The word is none of [`AckLevel::WORDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be memory, fsync, replica or mysql")]
pub struct NotALevel;

impl AckLevel {
    pub const ALL: [Self; 4] = [Self::Memory, Self::Fsync, Self::Replica, Self::Mysql];
    /// As configuration, answers and receipts have them.
    pub const WORDS: [&'static str; 4] = ["memory", "fsync", "replica", "mysql"];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Fsync => "fsync",
            Self::Replica => "replica",
            Self::Mysql => "mysql",
        }
    }

    /// Where what was accepted is by the time that somebody is told of it. `replica` is what one is asked for before an answer.
    pub fn means(self, replica: Option<ReplicaHas>) -> &'static str {
        match (self, replica) {
            (Self::Memory, _) => "in redis's memory, and on its disk within two seconds",
            (Self::Fsync, _) => "on redis's disk",
            (Self::Replica, Some(ReplicaHas::Fsynced)) => {
                "on the disks of redis and of a replica (WAITAOF)"
            }
            (Self::Replica, _) => "on redis's disk, and in a replica's memory (WAIT)",
            (Self::Mysql, _) => "in redis, and committed in mysql",
        }
    }
}

impl FromStr for AckLevel {
    type Err = NotALevel;

    fn from_str(word: &str) -> Result<Self, NotALevel> {
        let mut all = Self::ALL.into_iter();
        all.find(|level| level.as_str() == word).ok_or(NotALevel)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_is_read_as_it_is_written() {
        assert_eq!(AckLevel::ALL.map(AckLevel::as_str), AckLevel::WORDS);
        for level in AckLevel::ALL {
            assert_eq!(level.as_str().parse(), Ok(level));
        }
        for word in ["", "Fsync", "disk", "fsync "] {
            assert_eq!(word.parse::<AckLevel>(), Err(NotALevel), "{word:?}");
        }
    }
}
