//! `POST /v1/webhooks/payments`: what the provider tells by itself. The handler checks the signature over the body as it came and writes the event
//! down once, with all that come at the same time; `inbox` asks the provider what really happened, and only that moves anything.

pub(crate) mod inbox;
pub(crate) mod store;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::provider::NoEvent;
use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::WebhookBody;
use crate::metrics;

/// It is in the inbox.
#[derive(Serialize, ToSchema)]
pub(crate) struct Taken {
    #[schema(example = "taken")]
    outcome: &'static str,
}

/// For the payment provider: something has happened to a charge. Signed as Standard Webhooks has it, over id, time and the body as it is sent
#[utoipa::path(post, path = "/v1/webhooks/payments", tag = "payments", request_body(content = Object, description = "The provider's; of the sandbox: id, type, key, charge, at"),
    params(("webhook-id" = String, Header), ("webhook-timestamp" = String, Header), ("webhook-signature" = String, Header)), responses(
    (status = 200, description = "It is in the inbox, now or since an earlier time", body = Taken),
    (status = 400, description = "invalid_request: signed, but nothing that we know", body = Problem),
    (status = 401, description = "bad_signature: by none of our secrets, or more than 300 s old", body = Problem),
    (status = 413, description = "body_too_large", body = Problem),
    (status = 503, description = "payments_off, or unavailable: send it again", body = Problem)))]
pub(crate) async fn take(
    State(app): State<App>,
    headers: HeaderMap,
    WebhookBody(body): WebhookBody,
) -> Result<Json<Taken>, ApiError> {
    let event = match app.payments.event(&headers, &body, clock::now_s()) {
        None => return Err(ApiError::PaymentsOff),
        Some(Ok(event)) => event,
        Some(Err(NoEvent::NotSigned(why))) => {
            metrics::webhook(why.word());
            tracing::warn!(why = why.word(), "a webhook is not believed");
            return Err(ApiError::BadSignature);
        }
        Some(Err(NoEvent::Unreadable)) => {
            metrics::webhook("unreadable");
            return Err(ApiError::InvalidRequest(
                "the event cannot be read".to_owned(),
            ));
        }
    };
    app.webhooks.ask(&app.books, event).await?;
    metrics::webhook("taken");
    Ok(Json(Taken { outcome: "taken" }))
}
