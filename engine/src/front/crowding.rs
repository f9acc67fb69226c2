//! How many connections one address may hold open. Counts by the peer's address; a proxy that is trusted holds those of
//! many clients, and is not counted.

use std::net::IpAddr;

use doorbuster_core::address::TrustedProxies;
use doorbuster_core::crowds::{Counted, Crowded, Crowds};

/// Counts no more addresses than there are connections.
#[derive(Debug)]
pub(super) struct Crowding {
    /// `None`: any number.
    crowds: Option<Crowds>,
}

impl Crowding {
    /// 0: any number.
    pub(super) fn new(most: u32) -> Self {
        let crowds = (most > 0).then(|| Crowds::new(most as usize));
        Self { crowds }
    }

    /// # Errors
    /// [`Crowded`].
    pub(super) fn enter(
        &self,
        peer: IpAddr,
        proxies: &TrustedProxies,
    ) -> Result<Option<Counted>, Crowded> {
        let counts = self.crowds.as_ref().filter(|_| !proxies.trusts(peer));
        counts.map(|crowds| crowds.enter(peer)).transpose()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_holds_so_many() {
        let (crowding, none) = (Crowding::new(1), TrustedProxies::default());
        let enter = |peer: &str| crowding.enter(peer.parse().unwrap(), &none);
        let first = enter("2001:db8::1").unwrap();
        assert_eq!(enter("2001:db8::2").unwrap_err(), Crowded);
        drop(first);
        assert!(enter("2001:db8::2").unwrap().is_some());
    }

    #[test]
    fn a_trusted_proxy_is_not_counted_and_nobody_is_where_it_is_off() {
        let proxies = TrustedProxies::parse(&["192.0.2.0/24".into()]).unwrap();
        let peer = [192, 0, 2, 1].into();
        let (one, off) = (Crowding::new(1), Crowding::new(0));
        for _ in 0..3 {
            assert!(one.enter(peer, &proxies).unwrap().is_none());
            let counted = off.enter(peer, &TrustedProxies::default());
            assert!(counted.unwrap().is_none());
        }
    }
}
