//! SQL of coupons as staff wrote them. Called by the handlers of `coupons`.
//! Times are bound without a zone: with one, MariaDB takes them for a `timestamp`, which ends in 2038.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{CouponId, LiveId};
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as};

use super::draft::{Coupon, Discount};
use crate::error::ApiError;
use crate::live::{Subject, Window};

/// A coupon in the books.
#[derive(Debug, Clone)]
pub(crate) struct StoredCoupon {
    pub(crate) coupon: Coupon,
    pub(crate) created_at: DateTime<Utc>,
    /// `None`: a draft.
    pub(crate) published_at: Option<DateTime<Utc>>,
}

impl StoredCoupon {
    pub(crate) fn subject(&self) -> Subject {
        let window = Window {
            opens_ms: clock::to_ms(self.coupon.starts_at),
            closes_ms: clock::to_ms(self.coupon.ends_at),
        };
        Subject {
            live: LiveId::Coupon(self.coupon.id.clone()),
            window,
            published: self.published_at.is_some(),
        }
    }
}

/// Writes a draft.
///
/// # Errors
/// [`ApiError::CouponExists`] where the id is taken.
pub(crate) async fn insert(tx: &mut MySqlConnection, coupon: &Coupon) -> Result<(), ApiError> {
    let discount =
        serde_json::to_string(&coupon.discount).map_err(|e| ApiError::Internal(e.into()))?;
    let inserted = query(
        "-- insert\ninsert into coupons (coupon_id, quantity, limit_per_user, starts_at, ends_at, discount, state, created_at)
        values (?, ?, ?, ?, ?, ?, 'draft', ?)",
    )
    .bind(coupon.id.as_str())
    .bind(coupon.quantity)
    .bind(coupon.limit_per_user)
    .bind(coupon.starts_at.naive_utc())
    .bind(coupon.ends_at.naive_utc())
    .bind(discount)
    .bind(clock::now().naive_utc())
    .execute(tx)
    .await;
    match inserted {
        // The primary key is the table's only unique index.
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(ApiError::CouponExists),
        other => Ok(other.map(drop)?),
    }
}

#[derive(FromRow)]
struct CouponRow {
    quantity: u32,
    limit_per_user: u32,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    discount: String,
    created_at: DateTime<Utc>,
    published_at: Option<DateTime<Utc>>,
}

/// # Errors
/// [`ApiError::UnknownCoupon`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &CouponId) -> Result<StoredCoupon, ApiError> {
    let row: Option<CouponRow> = query_as(
        "-- find\nselect quantity, limit_per_user, starts_at, ends_at, cast(discount as char) as discount, created_at, published_at
        from coupons where coupon_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    let row = row.ok_or(ApiError::UnknownCoupon)?;
    let discount: Discount =
        serde_json::from_str(&row.discount).map_err(|e| ApiError::Internal(e.into()))?;
    let CouponRow {
        quantity,
        limit_per_user,
        starts_at,
        ends_at,
        created_at,
        published_at,
        ..
    } = row;
    let coupon = Coupon {
        id: id.clone(),
        quantity,
        limit_per_user,
        starts_at,
        ends_at,
        discount,
    };
    Ok(StoredCoupon {
        coupon,
        created_at,
        published_at,
    })
}
