//! What the command line and the environment say about payments.

use std::time::Duration;

use axum::http::{HeaderValue, Uri};
use clap::{Args, value_parser};

use super::client::Way;
use super::limits::{ATTEMPT_MS_DEFAULT, ATTEMPT_MS_MAX};
use super::provider::Kind;
use super::signature::Signer;
use crate::config::ConfigError;
use crate::secret_config::secret;

const URL: &str = "PAYMENT_PROVIDER_URL";
const WEBHOOKS: &str = "PAYMENT_WEBHOOK_SECRET";
const KEY: &str = "PAYMENT_PROVIDER_KEY";

/// What `serve` needs to know about payments.
#[derive(Args)]
pub struct Payments {
    /// Where the payment provider is, e.g. http://127.0.0.1:8082; empty: nothing can be paid for, and all else works
    #[arg(long, env = "PAYMENT_PROVIDER_URL", default_value = "")]
    pub payment_provider_url: String,
    /// Whose words it speaks
    #[arg(long, env = "PAYMENT_PROVIDER", default_value = "sandbox")]
    pub payment_provider: Kind,
    /// Milliseconds for one try of one call to it
    #[arg(long, env = "PAYMENT_ATTEMPT_MS", default_value_t = ATTEMPT_MS_DEFAULT, value_parser = value_parser!(u64).range(50..=ATTEMPT_MS_MAX))]
    pub payment_attempt_ms: u64,
}

impl Payments {
    /// The way to the provider, and what its webhooks are checked with; none where there is none.
    pub(crate) fn way(&self) -> Result<Option<(Way, Signer)>, ConfigError> {
        if self.payment_provider_url.is_empty() {
            return Ok(None);
        }
        let url: Uri = self
            .payment_provider_url
            .parse()
            .map_err(|_| unfit(URL, "is no URL"))?;
        if url.scheme_str() != Some("http") || url.authority().is_none() || url.query().is_some() {
            return Err(unfit(
                URL,
                "must be like http://127.0.0.1:8082; a TLS proxy of yours may stand between",
            ));
        }
        let current = secret(WEBHOOKS)?
            .ok_or_else(|| unfit(WEBHOOKS, "is not set: it checks the provider's webhooks"))?;
        let previous = secret("PAYMENT_WEBHOOK_SECRET_PREVIOUS")?;
        let way = Way {
            url,
            bearer: provider_key()?,
            attempt: Duration::from_millis(self.payment_attempt_ms),
        };
        Ok(Some((way, Signer::new(&current, previous.as_deref()))))
    }
}

/// What requests to the provider are authorized by; none where nothing is set.
pub(crate) fn provider_key() -> Result<Option<HeaderValue>, ConfigError> {
    let Some(key) = secret(KEY)? else {
        return Ok(None);
    };
    let value = HeaderValue::from_bytes(&[b"Bearer ", key.as_slice()].concat());
    let mut value = value.map_err(|_| unfit(KEY, "must be printable ASCII"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

fn unfit(variable: &'static str, problem: &str) -> ConfigError {
    ConfigError::Secret {
        variable,
        problem: problem.to_owned(),
    }
}
