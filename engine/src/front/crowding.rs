//! How many connections one address may hold open. Counts by the peer's address; a proxy that is trusted holds those of
//! many clients, and is not counted.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::{Mutex, MutexGuard, PoisonError};

use doorbuster_core::address::{self, TrustedProxies};

/// Counts no more addresses than there are connections.
#[derive(Debug)]
pub(super) struct Crowding {
    /// `None`: any number.
    most: Option<NonZeroU32>,
    open: Mutex<HashMap<u64, u32>>,
}

/// One connection of an address; given back on drop.
#[derive(Debug)]
pub(super) struct Counted {
    by: &'static Crowding,
    network: u64,
}

/// The address holds as many as it may.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Crowded;

impl Crowding {
    pub(super) fn new(most: u32) -> Self {
        Self {
            most: NonZeroU32::new(most),
            open: Mutex::default(),
        }
    }

    /// # Errors
    /// [`Crowded`].
    pub(super) fn enter(
        &'static self,
        peer: IpAddr,
        proxies: &TrustedProxies,
    ) -> Result<Option<Counted>, Crowded> {
        let Some(most) = self.most.filter(|_| !proxies.trusts(peer)) else {
            return Ok(None);
        };
        let network = address::network(peer);
        let mut open = self.lock();
        let count = open.entry(network).or_default();
        if *count >= most.get() {
            return Err(Crowded);
        }
        *count += 1;
        Ok(Some(Counted { by: self, network }))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<u64, u32>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut open = self.by.lock();
        if let Some(count) = open.get_mut(&self.network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.network);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn crowding(most: u32) -> &'static Crowding {
        Box::leak(Box::new(Crowding::new(most)))
    }

    #[test]
    fn an_address_holds_so_many_and_what_it_closes_it_may_open_again() {
        let (crowding, none) = (crowding(2), TrustedProxies::default());
        let enter = |peer: &str| crowding.enter(peer.parse().unwrap(), &none);
        let first = enter("2001:db8::1").unwrap();
        let second = enter("2001:db8::2").unwrap();
        assert_eq!(enter("2001:db8::3").unwrap_err(), Crowded);
        let other = enter("192.0.2.1").unwrap();
        drop(first);
        let third = enter("2001:db8::3").unwrap();
        drop((second, other, third));
        assert!(crowding.lock().is_empty(), "nothing is kept of the gone");
    }

    #[test]
    fn a_trusted_proxy_is_not_counted_and_nobody_is_where_it_is_off() {
        let proxies = TrustedProxies::parse(&["192.0.2.0/24".into()]).unwrap();
        let peer = [192, 0, 2, 1].into();
        let (one, off) = (crowding(1), crowding(0));
        for _ in 0..3 {
            assert!(one.enter(peer, &proxies).unwrap().is_none());
            let counted = off.enter(peer, &TrustedProxies::default());
            assert!(counted.unwrap().is_none());
        }
    }
}
