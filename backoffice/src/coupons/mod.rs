//! The operations of staff on first-come coupons, which live in Redis like a sale of one sku. Handlers only parse, call and answer.

pub(crate) mod draft;
pub(crate) mod policy;
pub(crate) mod redeem;
pub(crate) mod store;
pub(crate) mod view;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use doorbuster_core::gate::open::OpenSku;
use doorbuster_core::gate::switch::Verb;
use doorbuster_core::ids::{CouponId, LiveId, SkuId};
use serde_json::json;
use sqlx::mysql::MySqlConnection;

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::catalog::categories;
use crate::error::{ApiError, Problem, created};
use crate::extract::{Caller, CouponPath, StrictJson};
use crate::live;
use crate::live::publish::Launch;
use crate::validate::Problems;
use draft::CouponDraft;
use policy::Policy;
use store::StoredCoupon;
use view::CouponView;

/// Claims are final and never end, so their hold time means nothing; the scripts want a number.
const HOLD_MS: u64 = 1;

/// Writes a coupon down
#[utoipa::path(post, path = "/admin/v1/coupons", tag = "coupons", request_body = CouponDraft, security(("token" = [])), responses(
    (status = 201, description = "Written as a draft; Location names it", body = CouponView),
    (status = 400, description = "invalid_request: `errors` has every field that cannot be accepted", body = Problem),
    (status = 409, description = "coupon_exists", body = Problem)))]
pub(crate) async fn create(
    State(app): State<App>,
    caller: Caller,
    StrictJson(draft): StrictJson<CouponDraft>,
) -> Result<Response, ApiError> {
    let coupon = draft.validate()?;
    let mut tx = app.books.begin().await?;
    check_categories(&mut tx, &coupon.policy).await?;
    store::insert(&mut tx, &coupon).await?;
    let subject = LiveId::Coupon(coupon.id.clone()).tag();
    let after = json!({"state": "draft", "quantity": coupon.quantity, "discount": coupon.discount, "policy": coupon.policy});
    audit_log::in_transaction(
        &mut tx,
        &caller,
        Change {
            action: "coupon.create",
            subject,
            before: None,
            after: Some(after),
        },
    )
    .await?;
    tx.commit().await?;
    Ok(created(
        &format!("/admin/v1/coupons/{}", coupon.id),
        show(&app, &coupon.id).await?,
    ))
}

/// A coupon: live counts from Redis beside those of MySQL, and the journal's lag
#[utoipa::path(get, path = "/admin/v1/coupons/{id}", tag = "coupons", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, body = CouponView),
    (status = 404, description = "unknown_coupon", body = Problem)))]
pub(crate) async fn read(
    State(app): State<App>,
    CouponPath(id): CouponPath,
) -> Result<Json<CouponView>, ApiError> {
    show(&app, &id).await.map(Json)
}

/// Publishes a coupon with its window and lets it be claimed; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/coupons/{id}/open", tag = "coupons", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Opened, or open before; `state` is `recovering` until a writer has vouched for it", body = CouponView),
    (status = 404, description = "unknown_coupon", body = Problem),
    (status = 409, description = "closed", body = Problem),
    (status = 503, description = "recovering: Redis has lost a coupon that has been claimed; it is never opened a second time", body = Problem)))]
pub(crate) async fn open(
    State(app): State<App>,
    caller: Caller,
    CouponPath(id): CouponPath,
) -> Result<Json<CouponView>, ApiError> {
    let launch = launch(&store::find(&app.books, &id).await?)?;
    live::publish::open(&app, &caller, &launch).await?;
    show(&app, &id).await.map(Json)
}

/// Ends claiming for good; repeatable without effect
#[utoipa::path(post, path = "/admin/v1/coupons/{id}/close", tag = "coupons", params(("id" = String, Path)), security(("token" = [])), responses(
    (status = 200, description = "Closed, or closed before", body = CouponView),
    (status = 404, description = "unknown_coupon", body = Problem),
    (status = 409, description = "not_open", body = Problem),
    (status = 503, description = "recovering", body = Problem)))]
pub(crate) async fn close(
    State(app): State<App>,
    caller: Caller,
    CouponPath(id): CouponPath,
) -> Result<Json<CouponView>, ApiError> {
    let stored = store::find(&app.books, &id).await?;
    live::switch::switch(&app, &caller, &stored.subject(), Verb::Close).await?;
    show(&app, &id).await.map(Json)
}

/// Its one sku has its own name.
fn launch(stored: &StoredCoupon) -> Result<Launch, ApiError> {
    let coupon = &stored.coupon;
    let sku = SkuId::parse(coupon.id.as_str()).map_err(|e| ApiError::Internal(e.into()))?;
    let config = json!({"quantity": coupon.quantity, "limit_per_user": coupon.limit_per_user, "discount": coupon.discount});
    let skus = vec![OpenSku {
        sku,
        stock: coupon.quantity,
        limit_per_user: coupon.limit_per_user,
    }];
    Ok(Launch {
        subject: stored.subject(),
        version: None,
        hold_ms: HOLD_MS,
        payment_ms: HOLD_MS,
        config: config.to_string(),
        skus,
    })
}

/// # Errors
/// [`ApiError::InvalidFields`] with every one that there is not.
async fn check_categories(tx: &mut MySqlConnection, policy: &Policy) -> Result<(), ApiError> {
    if policy.categories.is_empty() {
        return Ok(());
    }
    let tree = categories::store::tree(tx).await?;
    let mut problems = Problems::default();
    for (i, id) in policy.categories.iter().enumerate() {
        if tree.subtree(id).is_empty() {
            problems.add(
                format!("/policy/categories/{i}"),
                "there is no such category",
            );
        }
    }
    problems.none()
}

async fn show(app: &App, id: &CouponId) -> Result<CouponView, ApiError> {
    view::coupon_view(app, &store::find(&app.books, id).await?).await
}
