//! Where the buyer's page finds the engines: from the command line or the environment.

use std::fmt;
use std::str::FromStr;

use clap::Args;

#[derive(Args)]
pub struct Pages {
    /// Address under which browsers reach the engines; the engines must list this back-office's own origin in CORS_ORIGINS
    #[arg(
        long,
        env = "ENGINE_PUBLIC_URL",
        default_value = "http://127.0.0.1:8080"
    )]
    pub engine_public_url: Origin,
}

/// Scheme, host and port, as a browser writes an origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin(String);

impl Origin {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Origin {
    type Err = &'static str;

    /// It stands in a header and in a page, so nothing else than an origin may.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let origin = text.trim_end_matches('/').to_ascii_lowercase();
        let host = origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"));
        let fits = |host: &&str| {
            !host.is_empty()
                && host
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b".-:[]".contains(&b))
        };
        match host.filter(fits) {
            Some(_) => Ok(Self(origin)),
            None => Err("must be an origin, such as https://buy.shop.example"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_nothing_else() {
        for (good, same) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://Buy.Shop.example/", "https://buy.shop.example"),
            ("http://[::1]:80", "http://[::1]:80"),
        ] {
            assert_eq!(good.parse::<Origin>().unwrap().as_str(), same);
        }
        for bad in [
            "",
            "shop.example",
            "ftp://x",
            "https://",
            "https://x/path",
            "https://x; y",
            "https://x'y",
        ] {
            assert!(bad.parse::<Origin>().is_err(), "{bad}");
        }
    }
}
