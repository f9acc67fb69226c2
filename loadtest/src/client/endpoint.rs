//! Where a program is reached, from its URL: resolved once, and refused beyond this machine unless that is wished.

use std::net::SocketAddr;

use tokio::net::lookup_host;

/// An address to connect to, and its name in the Host header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    pub address: SocketAddr,
    pub host: String,
}

/// Whether machines other than this one may be put under load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    LoopbackOnly,
    Anywhere,
}

/// Why a URL cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    #[error("{0} must be http://host:port and nothing more")]
    Malformed(String),
    #[error("{0} cannot be resolved")]
    Unknown(String),
    #[error("{0} is not on this machine; --allow-remote puts it under load all the same")]
    Remote(String),
}

impl Endpoint {
    /// # Errors
    /// [`EndpointError`] where `url` is not of the form, has no address, or is out of reach.
    pub async fn resolve(url: &str, reach: Reach) -> Result<Self, EndpointError> {
        let host = authority(url).ok_or_else(|| EndpointError::Malformed(url.into()))?;
        let found = lookup_host(&host)
            .await
            .map_err(|_| EndpointError::Unknown(url.into()))?;
        let addresses: Vec<SocketAddr> = found.collect();
        // A name with one address elsewhere is elsewhere: which one a connection takes is not ours to say.
        if reach == Reach::LoopbackOnly
            && !addresses.iter().all(|address| address.ip().is_loopback())
        {
            return Err(EndpointError::Remote(url.into()));
        }
        let address = *addresses
            .first()
            .ok_or_else(|| EndpointError::Unknown(url.into()))?;
        Ok(Self { address, host })
    }
}

/// `host:port` of `http://host:port[/]`.
fn authority(url: &str) -> Option<String> {
    let rest = url.strip_prefix("http://")?;
    let host = rest.strip_suffix('/').unwrap_or(rest);
    let plain = !host.is_empty() && !host.contains(['/', '@', '?', '#', ' ']) && host.is_ascii();
    let (_, port) = host.rsplit_once(':').unwrap_or((host, "80"));
    if !plain {
        return None;
    }
    match port.parse::<u16>() {
        Ok(_) if host.contains(':') => Some(host.to_owned()),
        Ok(_) => Some(format!("{host}:80")),
        Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_host_and_port() {
        assert_eq!(
            authority("http://127.0.0.1:8080").as_deref(),
            Some("127.0.0.1:8080")
        );
        assert_eq!(
            authority("http://[::1]:8080/").as_deref(),
            Some("[::1]:8080")
        );
        assert_eq!(
            authority("http://localhost").as_deref(),
            Some("localhost:80")
        );
        for bad in [
            "127.0.0.1:8080",
            "https://127.0.0.1",
            "http://",
            "http://a/b",
            "http://u@a:1",
            "http://a:99999",
        ] {
            assert_eq!(authority(bad), None, "{bad}");
        }
    }

    #[tokio::test]
    async fn other_machines_are_refused_unless_wished() {
        let url = "http://192.0.2.1:80";
        assert!(matches!(
            Endpoint::resolve(url, Reach::LoopbackOnly).await,
            Err(EndpointError::Remote(_))
        ));
        assert!(Endpoint::resolve(url, Reach::Anywhere).await.is_ok());
        assert!(
            Endpoint::resolve("http://127.0.0.1:80", Reach::LoopbackOnly)
                .await
                .is_ok()
        );
    }
}
