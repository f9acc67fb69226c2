//! What the command line and the environment say about the sandbox.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::script::Script;
use crate::config::ConfigError;
use crate::payments::signature::Signer;
use crate::secret_config::secret;

pub(crate) const HELP: &str = "\
Tokens that say what becomes of a charge (any other is captured at once):
  tok_decline  tok_insufficient   declined
  tok_slow_<ms>                   captured, and answered so much later
  tok_timeout                     captured, and no request for it is ever answered; asking by its key is
  tok_timeout_once                the same, but only the first request goes unanswered
  tok_500                         captured, and the first request is answered by 500
  tok_busy                        the first request is answered by 503 and does nothing
  tok_outage                      every request is answered by 503 and does nothing
  tok_pending_<ms>                not decided until so much later, then captured
  tok_pending_decline_<ms>        the same, then declined
  tok_stray_<ms>                  the same as tok_pending_<ms>, and captured even if it was voided meanwhile
  tok_wrong_amount                one minor unit less is captured than was asked for
  tok_wrong_currency              captured in XTS
  tok_hook_duplicate  tok_hook_reordered  tok_hook_late_<ms>  tok_hook_unsigned  tok_hook_lost
                                  captured; its webhooks come three times, after the next charge's, late, first with a bad signature, never
Amounts that do so whatever the token: 990001 decline, 990002 insufficient, 990003 timeout_once, 990004 500, 990005 wrong_amount, 990006 busy.

--script seed=7,decline=5,timeout=3,… gives each key a fate of its own, the same in every run of that seed. Numbers are per mille, or per cent
with a %: decline, insufficient, slow, timeout (once), error (500 after capture), busy, pending, wrong_amount; of webhooks: duplicate, reorder, late,
unsigned, lost. slow_ms=, pending_ms= and late_ms= say how long at most [default: 1000].

Control, from this machine only:
  POST /control/outage {\"mode\":\"refuse\"|\"hang\"|\"off\",\"seconds\":60}     503 to everybody, or no answer at all; without seconds: until told otherwise
  POST /control/script {\"script\":\"seed=7,…\"}
  GET  /control/state                                                 what it has, and how many requests have come

Secrets, from the environment only:
  PAYMENT_WEBHOOK_SECRET   signs webhooks; at least 32 bytes; required with --webhook-url
  PAYMENT_PROVIDER_KEY     the bearer token that requests must have [default: none]";

/// A payment provider for tests.
#[derive(Args)]
pub struct PaymentSandbox {
    /// Address and port to serve on
    #[arg(long, env = "PAYMENT_SANDBOX_LISTEN", default_value = "127.0.0.1:8082")]
    pub payment_sandbox_listen: SocketAddr,
    /// Where its books are; made if missing, read again at the next start
    #[arg(long, env = "PAYMENT_SANDBOX_DIR", default_value = "payment-sandbox")]
    pub dir: PathBuf,
    /// Where webhooks go, e.g. http://127.0.0.1:8081/v1/webhooks/payments; empty: nowhere
    #[arg(long, env = "PAYMENT_WEBHOOK_URL", default_value = "")]
    pub webhook_url: String,
    /// What becomes of charges whose token and amount say nothing
    #[arg(long, env = "PAYMENT_SANDBOX_SCRIPT", default_value = "")]
    pub script: Script,
    /// How long each request takes
    #[arg(long, env = "PAYMENT_SANDBOX_LATENCY_MS", default_value = "0", value_parser = clap::value_parser!(u64).range(..=60_000))]
    pub latency_ms: u64,
}

impl PaymentSandbox {
    /// Where webhooks go and what signs them; none where they go nowhere.
    pub(crate) fn hooks(&self) -> Result<Option<(hyper::Uri, Signer)>, ConfigError> {
        if self.webhook_url.is_empty() {
            return Ok(None);
        }
        let bad = |variable: &'static str, problem: &str| ConfigError::Secret {
            variable,
            problem: problem.to_owned(),
        };
        let url: hyper::Uri = self
            .webhook_url
            .parse()
            .map_err(|_| bad("PAYMENT_WEBHOOK_URL", "is no URL"))?;
        if url.scheme_str() != Some("http") || url.authority().is_none() {
            return Err(bad("PAYMENT_WEBHOOK_URL", "must begin with http://"));
        }
        let key = secret("PAYMENT_WEBHOOK_SECRET")?
            .ok_or_else(|| bad("PAYMENT_WEBHOOK_SECRET", "is not set: it signs webhooks"))?;
        Ok(Some((url, Signer::new(&key, None))))
    }
}
