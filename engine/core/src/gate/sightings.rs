//! The highest seq that this process has seen of each sale: the witness against a Redis that came back older.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::ids::LiveId;

/// Per sale, the newest (epoch, seq). Bounded by the number of sales that were ever opened.
#[derive(Debug, Default)]
pub(crate) struct Sightings(Mutex<HashMap<LiveId, (u32, u64)>>);

impl Sightings {
    pub(crate) fn note(&self, live: &LiveId, epoch: u32, seq: u64) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match seen.get_mut(live) {
            Some(newest) => *newest = (*newest).max((epoch, seq)),
            None => {
                seen.insert(live.clone(), (epoch, seq));
            }
        }
    }

    pub(crate) fn all(&self) -> Vec<(LiveId, u32, u64)> {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter()
            .map(|(live, (epoch, seq))| (live.clone(), *epoch, *seq))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::SaleId;

    #[test]
    fn only_newer_sightings_count() {
        let seen = Sightings::default();
        let live = LiveId::Sale(SaleId::parse("s").unwrap());
        for (epoch, seq) in [(1, 5), (1, 4), (2, 1), (1, 9)] {
            seen.note(&live, epoch, seq);
        }
        assert_eq!(seen.all(), [(live, 2, 1)]);
    }
}
