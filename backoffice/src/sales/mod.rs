//! The operations of staff on sales. Handlers only parse, call and answer; `draft` and `line` say what a sale must be, `edit` changes drafts,
//! `live` does what coupons do too, `adjust` and `pause_all` are their own.

pub(crate) mod adjust;
pub(crate) mod draft;
pub(crate) mod edit;
pub(crate) mod items;
pub(crate) mod launch;
pub(crate) mod line;
pub(crate) mod list;
pub(crate) mod pause_all;
pub(crate) mod problems;
pub(crate) mod schedule;
pub(crate) mod store;
pub(crate) mod view;
pub(crate) mod watch;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::ids::{LiveId, SaleId};
use serde_json::json;

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::catalog::offers;
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, Key, SalePath, StrictJson};
use crate::live;
use draft::SaleDraft;
use view::SaleView;

/// Writes a sale down
#[utoipa::path(post, path = "/admin/v1/sales", tag = "sales", request_body = SaleDraft, security(("token" = [])), responses(
    (status = 201, description = "Written as a draft; Location names it", body = SaleView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 409, description = "sale_exists", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(draft): StrictJson<SaleDraft>,
) -> Result<Response, ApiError> {
    let offers = offers::store::offers(&app.books, &draft.left_to_the_catalog()).await?;
    let sale = draft.validate(&offers)?;
    let mut tx = app.books.begin().await?;
    store::insert(&mut tx, &sale).await?;
    let subject = LiveId::Sale(sale.id.clone()).tag();
    let after = json!({"state": "draft", "title": sale.title, "items": sale.items.len()});
    audit_log::in_transaction(
        &mut tx,
        &caller,
        Change {
            action: "sale.create",
            subject,
            before: None,
            after: Some(after),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(created(
        &format!("/admin/v1/sales/{}", sale.id),
        show(&app, &sale.id).await?,
    ))
}

/// A sale: live counts from Redis beside those of MySQL, and the journal's lag
#[utoipa::path(get, path = "/admin/v1/sales/{id}", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = SaleView),
    (status = 404, description = "unknown_sale", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, ApiError> {
    show(&app, &id).await.map(Json)
}

/// Edits a draft; a schedule of it moves with its opening time, unless it was missed. What has been opened stays as it is
#[utoipa::path(put, path = "/admin/v1/sales/{id}", tag = "sales", params(("id" = String, Path)), request_body = SaleDraft, security(("token" = [])), responses(
    (status = 200, body = SaleView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 409, description = "not_draft: it has been opened; version_conflict: it has been edited since it was read", body = Problem)))]
pub(crate) async fn update(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
    StrictJson(draft): StrictJson<SaleDraft>,
) -> Result<Json<SaleView>, ApiError> {
    let offers = offers::store::offers(&app.books, &draft.left_to_the_catalog()).await?;
    let (version, sale) = draft.revise(&id, &offers)?;
    edit::update(&app, &caller, version, &sale).await?;
    show(&app, &id).await.map(Json)
}

/// Publishes a sale with its window and puts it on sale; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/sales/{id}/open", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Opened, or open before; `state` is `recovering` until a writer has vouched for it", body = SaleView),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 409, description = "closed; version_conflict: it was edited at this very moment", body = Problem),
    (status = 503, description = "recovering: Redis has lost a sale that has sold; it is never opened a second time", body = Problem)))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, ApiError> {
    let stored = launch::ready(&app, &id).await?;
    live::publish::open(&app, &caller, &launch::launch(&stored)).await?;
    show(&app, &id).await.map(Json)
}

/// Has a draft open by itself: published ahead of its opening time, on sale at that time
#[utoipa::path(post, path = "/admin/v1/sales/{id}/schedule", tag = "sales", params(("id" = String, Path)), request_body = schedule::ScheduleBody,
    security(("token" = [])), responses(
    (status = 200, description = "Scheduled, in the place of an earlier schedule; a sale that is published already stays as it is", body = SaleView),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 409, description = "closed", body = Problem)))]
pub(crate) async fn schedule(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
    StrictJson(body): StrictJson<schedule::ScheduleBody>,
) -> Result<Json<SaleView>, ApiError> {
    schedule::set(&app, &caller, &id, &body).await?;
    show(&app, &id).await.map(Json)
}

/// Takes a schedule back; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/sales/{id}/unschedule", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "It opens by hand alone; what has been published stays so", body = SaleView),
    (status = 404, description = "unknown_sale", body = Problem)))]
pub(crate) async fn unschedule(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, ApiError> {
    let stored = store::find(&app.books, &id).await?;
    schedule::unset(&app, &caller, &stored).await?;
    show(&app, &id).await.map(Json)
}

/// Stops selling for a while; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/sales/{id}/pause", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Paused, or paused before", body = SaleView),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 409, description = "not_open, closed", body = Problem),
    (status = 503, description = "recovering", body = Problem)))]
pub(crate) async fn pause(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, ApiError> {
    switch(&app, &caller, &id, Verb::Pause).await
}

/// Goes on selling; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/sales/{id}/resume", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Resumed, or not paused before", body = SaleView),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 409, description = "not_open, closed", body = Problem),
    (status = 503, description = "recovering", body = Problem)))]
pub(crate) async fn resume(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, ApiError> {
    switch(&app, &caller, &id, Verb::Resume).await
}

/// Stops selling for good; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/sales/{id}/close", tag = "sales", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Closed, or closed before", body = SaleView),
    (status = 404, description = "unknown_sale", body = Problem),
    (status = 409, description = "not_open", body = Problem),
    (status = 503, description = "recovering", body = Problem)))]
pub(crate) async fn close(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
) -> Result<Json<SaleView>, ApiError> {
    switch(&app, &caller, &id, Verb::Close).await
}

/// Pauses every published sale that is not over
#[utoipa::path(post, path = "/admin/v1/sales/pause", tag = "sales", security(("token" = [])), responses(
    (status = 200, description = "What became of each sale; `failed` counts those that may still sell", body = pause_all::PausedAll)))]
pub(crate) async fn pause_all(
    State(app): State<App>,
    caller: Caller,
) -> Result<Json<pause_all::PausedAll>, ApiError> {
    pause_all::pause_all(&app, &caller).await.map(Json)
}

/// Adds units to a sku's stock, or takes some away, once per Idempotency-Key
#[utoipa::path(post, path = "/admin/v1/sales/{id}/adjust", tag = "sales", request_body = adjust::AdjustBody, security(("token" = [])),
    params(("id" = String, Path), ("Idempotency-Key" = String, Header, description = "1 to 255 printable ASCII characters")), responses(
    (status = 200, description = "Done, or done before under this key, with what was left then", body = adjust::AdjustView),
    (status = 400, description = "invalid_request, missing_idempotency_key", body = Problem),
    (status = 404, description = "unknown_sale, unknown_sku", body = Problem),
    (status = 409, description = "insufficient_stock, not_open, closed, too_many_adjusts", body = Problem),
    (status = 422, description = "idempotency_mismatch", body = Problem),
    (status = 503, description = "recovering", body = Problem)))]
pub(crate) async fn adjust(
    State(app): State<App>,
    caller: Caller,
    SalePath(id): SalePath,
    Key(key): Key,
    StrictJson(body): StrictJson<adjust::AdjustBody>,
) -> Result<Json<adjust::AdjustView>, ApiError> {
    let order = body.validate(key)?;
    let stored = store::find(&app.books, &id).await?;
    adjust::adjust(&app, &caller, &stored.subject(), &order)
        .await
        .map(Json)
}

async fn switch(
    app: &App,
    caller: &Caller,
    id: &SaleId,
    verb: Verb,
) -> Result<Json<SaleView>, ApiError> {
    let stored = store::find(&app.books, id).await?;
    live::switch::switch(app, caller, &stored.subject(), verb).await?;
    show(app, id).await.map(Json)
}

async fn show(app: &App, id: &SaleId) -> Result<SaleView, ApiError> {
    view::sale_view(app, &store::find(&app.books, id).await?).await
}
