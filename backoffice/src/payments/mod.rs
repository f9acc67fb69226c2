//! Payments: charges, refunds and questions to the payment provider, and what it tells by itself.
//!
//! A tour. [`charge`] has the words: what is asked, and what may come of it. [`Payments`] is what the rest of the program calls. `provider` knows how each
//! provider says it, in one file each; `client` sends, tries again and gives up; `breaker` keeps from asking one that does not answer. `webhooks`
//! takes what the provider tells, checks it with `signature`, and asks before it believes anything. `page` shows staff how it stands.

pub mod breaker;
pub mod charge;
pub mod client;
pub mod config;
pub mod limits;
pub(crate) mod page;
pub mod provider;
pub mod signature;
pub(crate) mod webhooks;

use std::sync::Arc;

use axum::http::HeaderMap;
use tokio::time::Instant;

use self::charge::{AttemptId, Charge, Charged, Found, Listed, Refund, Refunded, Voided};
use self::client::{Asked, Client, Way};
use self::limits::BUDGET;
use self::provider::{Event, Kind, NoEvent, Provider};
use self::signature::Signer;
use crate::config::ConfigError;
use crate::{crash, metrics};

/// The payment provider, or none. Cheap to clone.
#[derive(Clone)]
pub struct Payments(Option<Arc<On>>);

struct On {
    kind: Kind,
    provider: Box<dyn Provider>,
    client: Client,
    signer: Signer,
}

impl Payments {
    /// # Errors
    /// Bad configuration.
    pub fn new(config: &config::Payments) -> Result<Self, ConfigError> {
        let Some((way, signer)) = config.way()? else {
            tracing::warn!("PAYMENT_PROVIDER_URL is not set: nothing can be paid for");
            return Ok(Self(None));
        };
        if config.payment_provider == Kind::Sandbox {
            tracing::warn!("payments go to a sandbox: no money is moved");
        }
        Ok(Self::by(config.payment_provider, way, signer))
    }

    /// By this provider, reached this way; `signer` checks its webhooks.
    pub fn by(kind: Kind, way: Way, signer: Signer) -> Self {
        Self(Some(Arc::new(On {
            kind,
            provider: kind.provider(),
            client: Client::new(way),
            signer,
        })))
    }

    /// Whether there is a provider. Without one every call is `NotSent` or `Unknown`.
    pub fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// Whose words it speaks; none where there is no provider.
    pub(crate) fn provider(&self) -> Option<&'static str> {
        Some(self.0.as_ref()?.kind.word())
    }

    /// How the breaker stands; none where there is no provider.
    pub fn breaker(&self) -> Option<breaker::View> {
        Some(self.0.as_ref()?.client.breaker.view())
    }

    /// Charges, at most once per attempt however often it is asked for.
    pub async fn charge(&self, charge: Charge) -> Charged {
        let Some(on) = &self.0 else {
            return Charged::NotSent;
        };
        let call = on.provider.charge(&charge);
        let read = |answer: &_| on.provider.charged(answer);
        crash::point("charge_before_send");
        let charged = match on.client.ask("charge", &call, charge.deadline, read).await {
            Asked::Said(charged) => charged,
            Asked::NotSent => Charged::NotSent,
            Asked::Unknown => Charged::Unknown,
        };
        crash::point("charge_after_answer");
        metrics::payment("charge", charged.word());
        if let Charged::Captured { amount, .. } = &charged
            && *amount != charge.amount
        {
            metrics::payment_difference();
            tracing::error!(
                alarm = "payment_difference",
                order = charge.order,
                asked = charge.amount.amount,
                captured = amount.amount,
                "the payment provider captured another amount than it was asked for"
            );
        }
        charged
    }

    /// What the provider knows of an attempt.
    pub async fn find(&self, attempt: AttemptId) -> Found {
        let Some(on) = &self.0 else {
            return Found::Unknown;
        };
        let call = on.provider.find(attempt);
        let read = |answer: &_| on.provider.found(answer);
        let found = match on.client.ask("find", &call, deadline(), read).await {
            Asked::Said(found) => found,
            Asked::NotSent | Asked::Unknown => Found::Unknown,
        };
        metrics::payment("find", found.word());
        found
    }

    /// Calls an attempt off, for ever.
    pub async fn void(&self, attempt: AttemptId) -> Voided {
        let Some(on) = &self.0 else {
            return Voided::NotSent;
        };
        let call = on.provider.void(attempt);
        let read = |answer: &_| on.provider.voided(answer);
        let voided = match on.client.ask("void", &call, deadline(), read).await {
            Asked::Said(voided) => voided,
            Asked::NotSent => Voided::NotSent,
            Asked::Unknown => Voided::Unknown,
        };
        crash::point("void_after_answer");
        metrics::payment("void", voided.word());
        voided
    }

    /// Gives back, once per refund however often it is asked for.
    pub async fn refund(&self, refund: Refund) -> Refunded {
        let Some(on) = &self.0 else {
            return Refunded::NotSent;
        };
        let call = on.provider.refund(&refund);
        let read = |answer: &_| on.provider.refunded(answer);
        let refunded = match on.client.ask("refund", &call, deadline(), read).await {
            Asked::Said(refunded) => refunded,
            Asked::NotSent => Refunded::NotSent,
            Asked::Unknown => Refunded::Unknown,
        };
        crash::point("refund_after_answer");
        metrics::payment("refund", refunded.word());
        refunded
    }

    /// What a webhook tells, once it is believed; none where there is no provider that could send one.
    pub(crate) fn event(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        now_s: u64,
    ) -> Option<Result<Event, NoEvent>> {
        let on = self.0.as_ref()?;
        Some(on.provider.event(&on.signer, headers, body, now_s))
    }

    /// A page of all that the provider has, for those who reconcile; none where it could not be asked.
    pub async fn list(&self, after: Option<u64>) -> Option<Listed> {
        let on = self.0.as_ref()?;
        let call = on.provider.list(after);
        let read = |answer: &_| on.provider.listed(answer);
        match on.client.ask("list", &call, deadline(), read).await {
            Asked::Said(listed) => Some(listed),
            Asked::NotSent | Asked::Unknown => None,
        }
    }
}

fn deadline() -> Instant {
    Instant::now() + BUDGET
}
