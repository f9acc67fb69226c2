//! What the sandbox's customers ask of it: charges, voids and refunds by key, and the list of all for those who reconcile.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use tokio::time::sleep;
use uuid::Uuid;

use super::Sandbox;
use super::error::Refused;
use super::fate::{Fate, HookFate};
use super::limits::{PAGE_ROWS_MAX, SILENCE, TEXT_CHARS_MAX};
use super::till::{Charged, Done, Refunded};
use super::wire::{
    ChargeRequest, ChargeView, ChargesPage, Event, RefundRequest, RefundView, Status,
};

pub(crate) async fn charge(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    body: Result<Json<ChargeRequest>, JsonRejection>,
) -> Result<Json<ChargeView>, Refused> {
    let (key, request) = (key(&headers)?, parsed(body)?);
    judge(&request)?;
    let fate = Fate::of(&sandbox.script(), key, &request);
    if fate == Fate::Busy || (fate == Fate::BusyOnce && sandbox.is_first(key)) {
        return Err(Refused::Away);
    }
    // Goes on when its client has gone: what is decided is told.
    let work = tokio::spawn(async move {
        let charged = sandbox.till.charge(key, &request, fate).await;
        if let Charged::New(charge) = &charged {
            sandbox.tell_as(charge, HookFate::of(&sandbox.script(), key, &request.token));
        }
        charged
    });
    let (charge, is_new) = match work.await.map_err(|_| Refused::Broke)? {
        Charged::New(charge) => (charge, true),
        Charged::Again(charge) => (charge, false),
        Charged::Mismatch => return Err(Refused::Mismatch),
        Charged::Voided => return Err(Refused::Voided),
    };
    match fate {
        Fate::Slow(wait) if is_new => sleep(wait).await,
        Fate::SilentOnce if is_new => sleep(SILENCE).await,
        Fate::Silent => sleep(SILENCE).await,
        Fate::ErrorOnce if is_new => return Err(Refused::Broke),
        _ => {}
    }
    Ok(Json(charge))
}

pub(crate) async fn find(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<Uuid>,
) -> Result<Json<ChargeView>, Refused> {
    let found = sandbox.till.find(key).await;
    found.map(Json).ok_or(Refused::UnknownCharge)
}

pub(crate) async fn void(
    State(sandbox): State<Arc<Sandbox>>,
    Path(key): Path<Uuid>,
) -> Json<ChargeView> {
    let (charge, is_new) = sandbox.till.void(key).await;
    if is_new {
        sandbox.tell(&charge);
    }
    Json(charge)
}

pub(crate) async fn refund(
    State(sandbox): State<Arc<Sandbox>>,
    headers: HeaderMap,
    body: Result<Json<RefundRequest>, JsonRejection>,
) -> Result<Json<RefundView>, Refused> {
    let (key, request) = (key(&headers)?, parsed(body)?);
    match sandbox.till.refund(key, &request).await {
        Refunded::Done(done) => {
            let Done { refund, of, is_new } = *done;
            if is_new {
                let event = Event {
                    id: format!("ev_refunded_{}", refund.key.simple()),
                    kind: "charge.refunded".to_owned(),
                    key: of.key,
                    charge: of.id,
                    at: refund.at,
                };
                let fate = sandbox.script().hook_fate(refund.key);
                sandbox.hooks.tell(event, fate);
            }
            Ok(Json(refund))
        }
        Refunded::Mismatch => Err(Refused::Mismatch),
        Refunded::UnknownCharge => Err(Refused::UnknownCharge),
        Refunded::NotCaptured => Err(Refused::NotCaptured),
        Refunded::TooMuch => Err(Refused::TooMuch),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PageQuery {
    after: Option<u64>,
    limit: Option<usize>,
}

pub(crate) async fn list(
    State(sandbox): State<Arc<Sandbox>>,
    Query(query): Query<PageQuery>,
) -> Json<ChargesPage> {
    let rows = query.limit.unwrap_or(PAGE_ROWS_MAX).clamp(1, PAGE_ROWS_MAX);
    let after = query.after.unwrap_or(0);
    let from = usize::try_from(after).unwrap_or(usize::MAX);
    let (charges, has_more) = sandbox.till.page(from, rows);
    let next_cursor = has_more.then(|| after + charges.len() as u64);
    Json(ChargesPage {
        charges,
        next_cursor,
    })
}

impl Sandbox {
    /// Tells of the charge's status, with the fate that the script gives it.
    pub(crate) fn tell(&self, charge: &ChargeView) {
        self.tell_as(charge, self.script().hook_fate(charge.key));
    }

    fn tell_as(&self, charge: &ChargeView, fate: HookFate) {
        let word = match charge.status {
            Status::Pending => return,
            Status::Captured => "captured",
            Status::Declined => "declined",
            Status::Voided => "voided",
        };
        let event = Event {
            id: format!("ev_{word}_{}", charge.key.simple()),
            kind: format!("charge.{word}"),
            key: charge.key,
            charge: charge.id.clone(),
            at: charge.at,
        };
        self.hooks.tell(event, fate);
    }
}

fn key(headers: &HeaderMap) -> Result<Uuid, Refused> {
    let value = headers
        .get("idempotency-key")
        .and_then(|value| value.to_str().ok());
    value
        .and_then(|text| Uuid::try_parse(text).ok())
        .ok_or_else(|| Refused::InvalidRequest("Idempotency-Key must be a UUID".to_owned()))
}

fn parsed<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refused> {
    body.map(|Json(request)| request)
        .map_err(|rejection| Refused::InvalidRequest(rejection.body_text()))
}

fn judge(request: &ChargeRequest) -> Result<(), Refused> {
    let texts = [&request.order, &request.method, &request.token];
    if request.amount.amount < 1 {
        return Err(Refused::InvalidRequest(
            "the amount must be more than nothing".to_owned(),
        ));
    }
    match texts
        .iter()
        .all(|text| (1..=TEXT_CHARS_MAX).contains(&text.chars().count()))
    {
        true => Ok(()),
        false => Err(Refused::InvalidRequest(format!(
            "order, method and token must be 1 to {TEXT_CHARS_MAX} characters"
        ))),
    }
}
