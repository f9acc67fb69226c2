//! Liveness, readiness, metrics, and the OpenAPI document.

use serde::Serialize;

use super::reply::{self, Answer};
use crate::app::App;

/// The document, kept by hand beside the routes; a test holds it against them.
pub(crate) const OPENAPI: &str = include_str!("openapi.json");

#[derive(Serialize)]
struct Ready {
    ready: bool,
    ack_level: &'static str,
    /// Where an accepted request is by the time its buyer is told.
    ack_means: &'static str,
    /// False where the server hides its settings: the level is then declared, not verified.
    ack_verified: bool,
    draining: bool,
    /// What must change before this is ready.
    problems: Vec<String>,
    /// What would be better otherwise, though this is ready.
    advice: Vec<String>,
}

/// The process runs. Asks nobody.
pub(crate) fn livez() -> Answer {
    reply::ok(&serde_json::json!({ "live": true }))
}

/// Whether buyers should be sent here.
pub(crate) async fn readyz(app: &App) -> Answer {
    let ack = app.ack.state();
    let mut problems = ack.problems.clone();
    if let Err(e) = app.gate.run_id().await {
        problems.push(e.to_string());
    }
    if app.serves_buyers && !app.revocations.is_fresh() {
        problems.push("which tokens are revoked could not be read from redis lately".into());
    }
    problems.dedup();
    let draining = app.is_draining();
    let ready = problems.is_empty() && !draining;
    let body = Ready {
        ready,
        ack_level: app.ack.level.as_str(),
        ack_means: app.ack.means(&app.gate),
        ack_verified: ack.verified,
        draining,
        problems,
        advice: ack.advice.clone(),
    };
    reply::ready(ready, &body)
}

pub(crate) fn metrics(app: &App) -> Answer {
    reply::text("text/plain; version=0.0.4", app.metrics.render())
}

pub(crate) fn openapi() -> Answer {
    reply::text("application/json", OPENAPI)
}
