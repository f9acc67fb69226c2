//! `GET /admin/v1/reconciliation`: what the last comparison of orders and money found.

use axum::Json;
use axum::extract::State;
use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::store;
use super::view::MoneyReport;
use crate::app::App;
use crate::error::ApiError;

/// The last run, and what it found
#[derive(Serialize, ToSchema)]
pub(crate) struct ReconciliationView {
    /// null: none has ended yet
    run: Option<RunView>,
}

/// One comparison of orders and money
#[derive(Serialize, ToSchema)]
pub(crate) struct RunView {
    #[schema(format = DateTime)]
    started_at: String,
    #[schema(format = DateTime)]
    ended_at: String,
    report: MoneyReport,
}

/// What the last comparison of orders and money found; each difference names its order
#[utoipa::path(get, path = "/admin/v1/reconciliation", tag = "payments", security(("token" = [])), responses((status = 200, body = ReconciliationView)))]
pub(crate) async fn last(State(app): State<App>) -> Result<Json<ReconciliationView>, ApiError> {
    let Some((started, ended, report)) = store::last_run(&app.books).await? else {
        return Ok(Json(ReconciliationView { run: None }));
    };
    let report = serde_json::from_str(&report).map_err(|e| ApiError::Internal(e.into()))?;
    let text = |at| clock::rfc3339(clock::to_ms(at));
    Ok(Json(ReconciliationView {
        run: Some(RunView {
            started_at: text(started),
            ended_at: text(ended),
            report,
        }),
    }))
}
