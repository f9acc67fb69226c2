//! The names under which the service may be called. Read by `config` from ALLOWED_HOSTS, asked by `edge` for every request.

use std::str::FromStr;

/// Hosts that a request may name; none listed allows any.
#[derive(Debug, Clone, Default)]
pub struct Hosts(Vec<String>);

impl Hosts {
    /// Whether a request with this Host header may be served. A listed name allows every port, a listed `name:port` that one.
    pub fn allow(&self, host: Option<&str>) -> bool {
        let Some(host) = host else {
            return self.0.is_empty();
        };
        let host = host.to_ascii_lowercase();
        let name = host
            .rsplit_once(':')
            .filter(|(_, port)| port.bytes().all(|b| b.is_ascii_digit()))
            .map_or(host.as_str(), |(name, _)| name);
        self.0.is_empty()
            || self
                .0
                .iter()
                .any(|listed| *listed == host || listed == name)
    }
}

impl FromStr for Hosts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hosts: Vec<String> = text
            .split(',')
            .map(|host| host.trim().to_ascii_lowercase())
            .filter(|host| !host.is_empty())
            .collect();
        match hosts.iter().find(|host| host.contains(['/', ' ', '*'])) {
            Some(bad) => Err(format!(
                "{bad} is no host name; list names such as shop.example, comma-separated"
            )),
            None => Ok(Self(hosts)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_compared_without_case_and_with_any_port_unless_one_is_named() {
        let hosts: Hosts = "shop.example, admin.example:8443".parse().unwrap();
        for good in ["shop.example", "SHOP.example:8081", "admin.example:8443"] {
            assert!(hosts.allow(Some(good)), "{good}");
        }
        for bad in [
            Some("evil.example"),
            Some("admin.example"),
            Some("shop.example.evil"),
            Some(""),
            None,
        ] {
            assert!(!hosts.allow(bad), "{bad:?}");
        }
        assert!(Hosts::default().allow(None));
        assert!("http://x".parse::<Hosts>().is_err());
    }
}
