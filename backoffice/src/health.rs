//! For those who run the service: whether it lives, whether it can work, what it counts.

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::limits::READY_TIMEOUT;
use crate::migrate;

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Live {
    #[schema(example = "live")]
    status: &'static str,
}

/// Everything it needs answers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Ready {
    #[schema(example = "ready")]
    status: &'static str,
    /// The newest migration
    #[schema(example = 12)]
    schema: i64,
    /// How it stands with the payment provider: off, closed (all is well), open (it is left alone), half_open (a few probes). It keeps nobody
    /// from being sent here
    #[schema(example = "closed")]
    payments: &'static str,
    /// memory, fsync, replica or mysql: where a payment is before anybody is told of it
    #[schema(example = "fsync")]
    ack_level: &'static str,
    #[schema(example = "on redis's disk")]
    ack_means: &'static str,
    /// Whether Redis was so, and its replicas at level replica, when that was looked at last, some seconds ago at most. It keeps nobody from being sent here
    #[schema(example = true)]
    ack_met: bool,
    /// False where a managed Redis hides its settings: then the level is declared, not verified
    #[schema(example = true)]
    ack_verified: bool,
}

/// Whether the process answers
#[utoipa::path(get, path = "/livez", tag = "operation", responses((status = 200, body = Live)))]
pub(crate) async fn livez() -> Json<Live> {
    Json(Live { status: "live" })
}

/// Whether requests may be sent here
#[utoipa::path(get, path = "/readyz", tag = "operation", responses(
    (status = 200, body = Ready),
    (status = 503, description = "unavailable: Redis or MySQL does not answer, migrations are missing, or it is about to end", body = Problem)))]
pub(crate) async fn readyz(State(app): State<App>) -> Result<Json<Ready>, ApiError> {
    let not_ready = |why: &'static str| ApiError::NotReady(why);
    if app.is_draining() {
        return Err(not_ready("it is about to end"));
    }
    let (redis, books) = tokio::join!(
        timeout(READY_TIMEOUT, app.gate.run_id()),
        timeout(READY_TIMEOUT, migrate::schema(&app.books))
    );
    if !matches!(redis, Ok(Ok(_))) {
        return Err(not_ready("redis does not answer"));
    }
    match books {
        Ok(Ok(Some(schema))) if schema == migrate::newest() => Ok(Json(Ready {
            status: "ready",
            schema,
            payments: app
                .payments
                .breaker()
                .map_or("off", |view| view.stand.word()),
            ack_level: app.ack_level.as_str(),
            ack_means: app.ack_level.means(app.gate.replica_has()),
            ack_met: app.ack_stand.is_met(),
            ack_verified: app.ack_stand.is_verified(),
        })),
        Ok(Ok(_)) => Err(not_ready(
            "the database's tables are those of another version: run doorbuster-backoffice migrate",
        )),
        _ => Err(not_ready("mysql does not answer, or has no tables yet")),
    }
}

/// Counts and timings for Prometheus
#[utoipa::path(get, path = "/metrics", tag = "operation", responses((status = 200, content_type = "text/plain", body = String)))]
pub(crate) async fn metrics(State(app): State<App>) -> impl IntoResponse {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        app.metrics.render(),
    )
}
