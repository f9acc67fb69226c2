//! Changes a sku's stock while a sale lives. Called by its handler. The script is idempotent by key and journalled; the reason is
//! kept in the audit log, which is written right after the script, and only if this call made the change.

use doorbuster_core::gate::adjust::{Adjust, Adjusted};
use doorbuster_core::ids::{IdempotencyKey, SkuId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit_log::{self, Change};
use crate::error::ApiError;
use crate::extract::Caller;
use crate::limits::{REASON_CHARS_MAX, UNITS_MAX};
use crate::live::{Subject, store};
use crate::validate::Problems;

/// A change of stock.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"sku": "tee-m", "by": -5, "reason": "five came damaged"}))]
pub(crate) struct AdjustBody {
    pub sku: String,
    /// Units to add; negative: to take from what is left. Not 0
    #[schema(minimum = -1_000_000_000, maximum = 1_000_000_000)]
    pub by: i64,
    /// For the audit log
    #[schema(min_length = 1, max_length = 200)]
    pub reason: String,
}

/// The sku after the change.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AdjustView {
    #[schema(example = "tee-m")]
    pub sku: String,
    #[schema(example = 95)]
    pub left: u64,
    /// Number of the change in the sale's journal
    #[schema(example = 42)]
    pub seq: u64,
}

/// A change that may be asked for.
#[derive(Debug)]
pub(crate) struct Order {
    key: IdempotencyKey,
    sku: SkuId,
    by: i64,
    reason: String,
}

impl AdjustBody {
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn validate(self, key: IdempotencyKey) -> Result<Order, ApiError> {
        let mut problems = Problems::default();
        let sku = problems.parsed("/sku", SkuId::parse(self.sku));
        if self.by == 0 || self.by.unsigned_abs() > u64::from(UNITS_MAX) {
            problems.add(
                "/by",
                format_args!("must be -{UNITS_MAX} to {UNITS_MAX}, and not 0"),
            );
        }
        if !(1..=REASON_CHARS_MAX).contains(&self.reason.chars().count())
            || self.reason.trim().is_empty()
        {
            problems.add(
                "/reason",
                format_args!("must be 1 to {REASON_CHARS_MAX} characters, not all spaces"),
            );
        }
        problems.none()?;
        let sku = sku.expect("a field is missing only together with a problem");
        Ok(Order {
            key,
            sku,
            by: self.by,
            reason: self.reason,
        })
    }
}

/// # Errors
/// Every refusal of the script, as the contract names it.
pub(crate) async fn adjust(
    app: &App,
    caller: &Caller,
    subject: &Subject,
    order: &Order,
) -> Result<AdjustView, ApiError> {
    let cursor = store::cursor(&app.books, &subject.live)
        .await?
        .ok_or(ApiError::NotOpen)?;
    let adjust = Adjust {
        key: &order.key,
        sku: &order.sku,
        by: order.by,
    };
    let (seq, left) = match app
        .gate
        .adjust(&subject.live, cursor.epoch, &adjust)
        .await?
    {
        Adjusted::Adjusted { seq, left } => {
            audit_log::after_script(
                app,
                caller,
                change(subject, order, (cursor.epoch, seq), left),
            )
            .await;
            (seq, left)
        }
        Adjusted::Repeat { seq, left } => (seq, left),
        Adjusted::Mismatch => return Err(ApiError::IdempotencyMismatch),
        Adjusted::UnknownSku => return Err(ApiError::UnknownSku),
        Adjusted::Insufficient { left } => return Err(ApiError::InsufficientStock { left }),
        Adjusted::TooMany => return Err(ApiError::TooManyAdjusts),
        Adjusted::Closed => return Err(ApiError::Closed),
        Adjusted::Fenced(fenced) => return Err(fenced.into()),
    };
    Ok(AdjustView {
        sku: order.sku.to_string(),
        left,
        seq,
    })
}

fn change(subject: &Subject, order: &Order, (epoch, seq): (u32, u64), left: u64) -> Change {
    Change {
        action: "sale.adjust",
        subject: subject.audit_name(),
        before: Some(json!({"sku": order.sku, "left": left.cast_signed() - order.by})),
        after: Some(
            json!({"sku": order.sku, "left": left, "by": order.by, "reason": order.reason, "key": order.key.as_str(), "epoch": epoch, "seq": seq}),
        ),
    }
}
