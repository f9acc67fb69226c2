//! How it stands with the payment provider, for staff.

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::breaker::Stand;
use super::webhooks::store;
use crate::app::App;
use crate::error::ApiError;

/// The provider, as this back-office sees it.
#[derive(Serialize, ToSchema)]
pub(crate) struct ProviderView {
    /// false: PAYMENT_PROVIDER_URL is not set, and nothing can be paid for
    on: bool,
    /// As PAYMENT_PROVIDER says it; `sandbox` moves no money. null where it is off
    #[schema(example = "sandbox")]
    provider: Option<&'static str>,
    /// null where it is off
    breaker: Option<BreakerView>,
    inbox: InboxView,
}

/// Whether it is asked. Each back-office has a breaker of its own
#[derive(Serialize, ToSchema)]
pub(crate) struct BreakerView {
    state: Stand,
    #[schema(example = 0)]
    failures_in_a_row: u32,
    /// How often it has opened since this back-office started
    #[schema(example = 0)]
    opened: u64,
    /// How long it has been as it is; null: it has never changed
    seconds: Option<u64>,
    /// Milliseconds until it lets a few probes through; null where it is not open
    probes_in_ms: Option<u64>,
}

/// What the provider told by itself, and what has not been looked at yet
#[derive(Serialize, ToSchema)]
pub(crate) struct InboxView {
    #[schema(example = 0)]
    waiting: i64,
    /// null where nothing waits
    #[schema(format = DateTime)]
    oldest: Option<String>,
}

/// How it stands with the payment provider
#[utoipa::path(get, path = "/admin/v1/payments/provider", tag = "payments", security(("token" = [])), responses((status = 200, body = ProviderView)))]
pub(crate) async fn provider(State(app): State<App>) -> Result<Json<ProviderView>, ApiError> {
    let waiting = store::waiting(&app.books).await?;
    let breaker = app.payments.breaker().map(|view| BreakerView {
        state: view.stand,
        failures_in_a_row: view.failures_in_a_row,
        opened: view.opened,
        seconds: view.since.map(|since| since.as_secs()),
        probes_in_ms: view
            .probes_in
            .map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
    });
    Ok(Json(ProviderView {
        on: app.payments.is_on(),
        provider: app.payments.provider(),
        breaker,
        inbox: InboxView {
            waiting: waiting.waiting,
            oldest: waiting.oldest.map(|at| clock::rfc3339(clock::to_ms(at))),
        },
    }))
}
