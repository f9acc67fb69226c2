//! Whose address a request comes from: the peer's, or behind proxies that are trusted the one they say it came from.
//!
//! What a client wrote into `Forwarded` (RFC 7239) or `X-Forwarded-For` stands left of what the proxies added. So the hops are read
//! from the right, and the first that is no trusted proxy is the client. Whatever cannot be read is not believed: the peer it is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// The headers that proxies write; both programs hand their values to [`TrustedProxies::client`].
pub const FORWARDED: &str = "forwarded";
pub const X_FORWARDED_FOR: &str = "x-forwarded-for";

/// `TRUSTED_PROXIES`.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Vec<Network>);

/// An address, or all that begin like it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Network {
    first: u128,
    prefix: u32,
}

/// No address and no network in CIDR notation.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no address and no network like 10.0.0.0/8 or fd00::/8")]
pub struct NoNetwork(String);

impl TrustedProxies {
    /// # Errors
    /// The first that is neither an address nor a network.
    pub fn parse(texts: &[String]) -> Result<Self, NoNetwork> {
        let networks: Result<_, _> = texts.iter().map(|text| text.parse()).collect();
        networks.map(Self)
    }

    pub fn trusts(&self, address: IpAddr) -> bool {
        let bits = bits(address);
        self.0.iter().any(|network| network.contains(bits))
    }

    /// Who asks, as far as it can be believed: of both headers the values in their order, `None` for one that is no text.
    pub fn client<'a>(
        &self,
        peer: IpAddr,
        standard: impl DoubleEndedIterator<Item = Option<&'a str>>,
        other: impl DoubleEndedIterator<Item = Option<&'a str>>,
    ) -> IpAddr {
        if !self.trusts(peer) {
            return peer;
        }
        let said = match (
            self.outermost(standard, forwarded),
            self.outermost(other, node),
        ) {
            (said, Hop::None) | (Hop::None, said) => said,
            // A proxy that writes one of them passes on what the client wrote into the other.
            (standard, other) if standard == other => standard,
            _ => Hop::Unreadable,
        };
        match said {
            Hop::Of(address) => address,
            Hop::None | Hop::Unreadable => peer,
        }
    }

    /// From the right, the first hop that is no trusted proxy, or the last one.
    fn outermost<'a>(
        &self,
        values: impl DoubleEndedIterator<Item = Option<&'a str>>,
        read: fn(&str) -> Option<IpAddr>,
    ) -> Hop {
        let mut outermost = Hop::None;
        for value in values.rev() {
            let Some(hops) = value.and_then(|value| split(value, ',')) else {
                return Hop::Unreadable;
            };
            for hop in hops.into_iter().rev() {
                let Some(address) = read(hop) else {
                    return Hop::Unreadable;
                };
                outermost = Hop::Of(address);
                if !self.trusts(address) {
                    return outermost;
                }
            }
        }
        outermost
    }
}

/// What a header says of who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Hop {
    /// It was not sent.
    None,
    Of(IpAddr),
    /// A hop before the first that is no trusted proxy cannot be read.
    Unreadable,
}

impl FromStr for TrustedProxies {
    type Err = NoNetwork;

    /// Comma-separated.
    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let listed = text.split(',').map(str::trim).filter(|one| !one.is_empty());
        listed.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl FromStr for Network {
    type Err = NoNetwork;

    fn from_str(text: &str) -> Result<Self, NoNetwork> {
        let wrong = || NoNetwork(text.to_owned());
        let (address, prefix) = match text.split_once('/') {
            None => (text, None),
            Some((address, prefix)) => (address, Some(prefix.parse().map_err(|_| wrong())?)),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let (before, all) = match address {
            IpAddr::V4(_) => (96, 32),
            IpAddr::V6(_) => (0, 128),
        };
        let prefix: u32 = prefix.unwrap_or(all);
        if prefix > all {
            return Err(wrong());
        }
        let prefix = before + prefix;
        Ok(Self {
            first: bits(address) & mask(prefix),
            prefix,
        })
    }
}

impl Network {
    fn contains(self, bits: u128) -> bool {
        bits & mask(self.prefix) == self.first
    }
}

/// The first `prefix` bits of 128.
fn mask(prefix: u32) -> u128 {
    u128::MAX.checked_shl(128 - prefix).unwrap_or(0)
}

/// Addresses of both families in one space, those of four bytes as RFC 4291 §2.5.5.2 maps them.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().to_bits(),
        IpAddr::V6(v6) => v6.to_bits(),
    }
}

/// What counts as one client: an address of four bytes; of the long ones the first half, because a single customer is given
/// all the rest.
pub fn network(address: IpAddr) -> u64 {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().into(),
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

/// The parts between `separator`s that stand in no quotes; `None` where quotes are left open.
fn split(text: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            // What a backslash hides needs more than this, and no address has one.
            '\\' => return None,
            _ => {}
        }
    }
    parts.push(&text[start..]);
    (!quoted).then_some(parts)
}

/// The address of an element of `Forwarded`.
fn forwarded(element: &str) -> Option<IpAddr> {
    let mut found = None;
    for pair in split(element, ';')? {
        let (name, value) = pair.split_once('=')?;
        if name.trim().eq_ignore_ascii_case("for") {
            if found.is_some() {
                return None;
            }
            let value = value.trim();
            let bare = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
            found = Some(node(bare.unwrap_or(value))?);
        }
    }
    found
}

/// An address, with or without brackets and port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bracketed = || {
        let bare = text.strip_prefix('[')?.strip_suffix(']')?;
        bare.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
    };
    let with_port = || text.parse::<SocketAddr>().ok().map(|at| at.ip());
    let address = text.parse().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies() -> TrustedProxies {
        let listed = ["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"];
        TrustedProxies::parse(&listed.map(String::from)).unwrap()
    }

    fn client(peer: &str, sent: &[(&'static str, &str)]) -> String {
        let of = |header: &'static str| {
            let values = sent.iter().filter(move |(name, _)| *name == header);
            values.map(|(_, value)| Some(*value))
        };
        let peer = peer.parse().unwrap();
        let client = proxies().client(peer, of(FORWARDED), of(X_FORWARDED_FOR));
        client.to_string()
    }

    #[test]
    fn networks_are_what_they_say_and_nothing_else_is_one() {
        let trusts = |text: &str| proxies().trusts(text.parse().unwrap());
        for inside in [
            "10.0.0.0",
            "10.255.255.255",
            "::ffff:10.1.2.3",
            "2001:db8:1:ffff::1",
            "192.0.2.7",
        ] {
            assert!(trusts(inside), "{inside}");
        }
        for outside in ["11.0.0.0", "9.255.255.255", "2001:db8:2::1", "192.0.2.8"] {
            assert!(!trusts(outside), "{outside}");
        }
        let every = TrustedProxies::parse(&["0.0.0.0/0".into(), "::/0".into()]).unwrap();
        assert!(every.trusts([1, 2, 3, 4].into()));
        assert!(!TrustedProxies::default().trusts([127, 0, 0, 1].into()));
        for bad in [
            "10.0.0.0/33",
            "::/129",
            "10.0.0",
            "proxy",
            "10.0.0.0/-1",
            "10.0.0.0/",
            "/8",
            "",
        ] {
            assert_eq!(
                TrustedProxies::parse(&[bad.into()]).unwrap_err(),
                NoNetwork(bad.into())
            );
        }
    }

    #[test]
    fn nobody_else_is_believed() {
        let sent = [
            ("x-forwarded-for", "198.51.100.1"),
            ("forwarded", "for=198.51.100.1"),
        ];
        assert_eq!(client("203.0.113.5", &sent), "203.0.113.5");
    }

    #[test]
    fn the_first_hop_from_the_right_that_is_no_proxy_asks() {
        for (sent, asks) in [
            (
                vec![("x-forwarded-for", "1.1.1.1, 198.51.100.1")],
                "198.51.100.1",
            ),
            (
                vec![("x-forwarded-for", "1.1.1.1, 198.51.100.1, 10.9.9.9")],
                "198.51.100.1",
            ),
            (
                vec![
                    ("x-forwarded-for", "1.1.1.1"),
                    ("x-forwarded-for", "198.51.100.1,10.9.9.9"),
                ],
                "198.51.100.1",
            ),
            (
                vec![("x-forwarded-for", "not read, 198.51.100.1:4711")],
                "198.51.100.1",
            ),
            (
                vec![("x-forwarded-for", "[2001:db8:7::1]:443")],
                "2001:db8:7::1",
            ),
            (vec![("x-forwarded-for", "2001:db8:7::1")], "2001:db8:7::1"),
            (
                vec![("x-forwarded-for", "::ffff:198.51.100.1")],
                "198.51.100.1",
            ),
            (vec![("x-forwarded-for", "10.7.7.7, 10.9.9.9")], "10.7.7.7"),
            (
                vec![(
                    "forwarded",
                    r#"for=1.1.1.1, For="[2001:db8:7::1]:80";proto=https;by=_a, for=10.9.9.9"#,
                )],
                "2001:db8:7::1",
            ),
            (
                vec![("forwarded", r#"host="a,b;for=1.1.1.1";for=198.51.100.1"#)],
                "198.51.100.1",
            ),
            (
                vec![
                    ("forwarded", "for=198.51.100.1"),
                    ("x-forwarded-for", "198.51.100.1"),
                ],
                "198.51.100.1",
            ),
        ] {
            assert_eq!(client("10.0.0.1", &sent), asks, "{sent:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_not_believed() {
        let peer = "10.0.0.1".parse().unwrap();
        let values = [Some("198.51.100.1"), None].into_iter();
        assert_eq!(proxies().client(peer, values, [].into_iter()), peer);
    }

    #[test]
    fn what_cannot_be_read_is_not_believed() {
        for sent in [
            vec![],
            vec![("x-forwarded-for", "")],
            vec![("x-forwarded-for", "198.51.100.1,")],
            vec![("x-forwarded-for", "198.51.100.1, unknown")],
            vec![("x-forwarded-for", "198.51.100.1, 10.0.0.300")],
            vec![("x-forwarded-for", "[2001:db8:7::1")],
            vec![("x-forwarded-for", r"198.51.100.1\")],
            vec![("forwarded", "for=unknown")],
            vec![("forwarded", "for=_hidden")],
            vec![("forwarded", "proto=https")],
            vec![("forwarded", "for=198.51.100.1;for=198.51.100.2")],
            vec![("forwarded", r#"for="198.51.100.1"#)],
            vec![("forwarded", "198.51.100.1")],
            // The proxy wrote one of them, the client the other.
            vec![
                ("forwarded", "for=1.1.1.1"),
                ("x-forwarded-for", "198.51.100.1"),
            ],
            vec![
                ("forwarded", "for=nonsense"),
                ("x-forwarded-for", "198.51.100.1"),
            ],
        ] {
            assert_eq!(client("10.0.0.1", &sent), "10.0.0.1", "{sent:?}");
        }
    }
}
