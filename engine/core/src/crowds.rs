//! How many of each address there are at a time, and may be: connections, or people who wait. Memory is bounded by those who are counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::address;

/// Cheap to clone; all clones count together.
#[derive(Debug, Clone)]
pub struct Crowds {
    most: usize,
    present: Arc<Mutex<HashMap<u64, usize>>>,
}

/// One of an address (of its /64 of IPv6); given back on drop.
#[derive(Debug)]
pub struct Counted {
    by: Crowds,
    network: u64,
}

/// There are as many of the address as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("as many as may come from one address are here")]
pub struct Crowded;

impl Crowds {
    /// Of at most so many each.
    pub fn new(most: usize) -> Self {
        let present = Arc::default();
        Self { most, present }
    }

    /// # Errors
    /// [`Crowded`].
    pub fn enter(&self, ip: IpAddr) -> Result<Counted, Crowded> {
        let network = address::network(ip);
        let mut present = self.lock();
        let count = present.get(&network).copied().unwrap_or_default();
        if count >= self.most {
            return Err(Crowded);
        }
        present.insert(network, count + 1);
        let by = self.clone();
        Ok(Counted { by, network })
    }

    /// Whether nobody is counted.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, usize>> {
        self.present.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut present = self.by.lock();
        if let Some(count) = present.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                present.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_there_are_so_many_and_who_has_gone_leaves_room() {
        let crowds = Crowds::new(2);
        let enter = |ip: &str| crowds.enter(ip.parse().unwrap());
        let first = enter("2001:db8::1").unwrap();
        let second = enter("2001:db8::2").unwrap();
        assert_eq!(enter("2001:db8::3").unwrap_err(), Crowded);
        let other = enter("192.0.2.1").unwrap();
        drop(first);
        let third = enter("2001:db8::3").unwrap();
        drop((second, other, third));
        assert!(crowds.is_empty(), "nothing is kept of the gone");
    }

    #[test]
    fn where_none_may_be_nothing_is_kept_of_those_who_were_refused() {
        let crowds = Crowds::new(0);
        assert_eq!(crowds.enter([192, 0, 2, 1].into()).unwrap_err(), Crowded);
        assert!(crowds.is_empty());
    }
}
