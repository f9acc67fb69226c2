//! Which providers there are. One file each: what it is asked in its own words, and what its answers mean in ours.
//!
//! To add one: write its file here, implement [`Provider`], and add its word to [`Kind`]. Nothing else changes. Connections, timeouts,
//! retries, the breaker and metrics are `client`'s and the same for all; a provider does no I/O and keeps no state.

mod sandbox;

use axum::http::HeaderMap;
use clap::ValueEnum;
use hyper::Method;
use hyper::body::Bytes;

use super::charge::{AttemptId, Charge, Charged, Found, Listed, Refund, Refunded, Voided};
use super::signature::{NotSigned, Signer};

/// A request, as a provider wants it.
pub(crate) struct Call {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The Idempotency-Key. A call that changes something and has none is never sent twice.
    pub(crate) key: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Call {
    /// Whether sending it twice is the same as once.
    pub(crate) fn is_repeatable(&self) -> bool {
        self.key.is_some() || self.method == Method::GET
    }
}

/// Its answer.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Bytes,
}

/// An answer that does not say what became of the matter: a fault of the provider's, or nothing that we know. Worth another try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Garbled;

/// What a webhook tells: that something happened to an attempt. What it was, the provider is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) attempt: AttemptId,
}

/// Why a webhook is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoEvent {
    NotSigned(NotSigned),
    /// It is signed, but says nothing that we know.
    Unreadable,
}

/// A payment provider, as far as it differs from others.
pub(crate) trait Provider: Send + Sync {
    fn charge(&self, charge: &Charge) -> Call;
    fn charged(&self, answer: &Answer) -> Result<Charged, Garbled>;

    fn find(&self, attempt: AttemptId) -> Call;
    fn found(&self, answer: &Answer) -> Result<Found, Garbled>;

    fn void(&self, attempt: AttemptId) -> Call;
    fn voided(&self, answer: &Answer) -> Result<Voided, Garbled>;

    fn refund(&self, refund: &Refund) -> Call;
    fn refunded(&self, answer: &Answer) -> Result<Refunded, Garbled>;

    /// All charges, from the first on.
    fn list(&self, after: Option<u64>) -> Call;
    fn listed(&self, answer: &Answer) -> Result<Listed, Garbled>;

    /// What a webhook tells, once its signature over the very bytes of its body is good.
    fn event(
        &self,
        signer: &Signer,
        headers: &HeaderMap,
        body: &[u8],
        now_s: u64,
    ) -> Result<Event, NoEvent>;
}

/// The providers by their words in `PAYMENT_PROVIDER`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// `doorbuster-backoffice payment-sandbox`
    Sandbox,
}

impl Kind {
    /// As `PAYMENT_PROVIDER` says it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Sandbox => "sandbox",
        }
    }

    pub(crate) fn provider(self) -> Box<dyn Provider> {
        match self {
            Self::Sandbox => Box::new(sandbox::Sandbox),
        }
    }
}
