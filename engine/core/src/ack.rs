//! The ack level of a deployment: where something is before anybody is told of it (design §3). One setting of all its engines and back-offices.

use std::str::FromStr;

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
