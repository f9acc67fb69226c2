//! What an order is quoted from: the hold as Redis has it, the sale's prices and policy, the coupon and its claim. Called by `place` and `buyer`.

use std::collections::{BTreeSet, HashSet};

use doorbuster_core::clock;
use doorbuster_core::gate::find::Found;
use doorbuster_core::ids::{CouponId, LiveId, SaleId, SkuId, UserId};
use doorbuster_core::money::Currency;
use doorbuster_core::record::{Line, Record, Status};
use sqlx::mysql::MySqlPool;
use uuid::Uuid;

use super::body::Wanted;
use super::limits::{LOOKS_AT_ONCE, LOOKS_WAITING_MAX};
use super::model::Late;
use super::quote::{Asked, Quote, QuoteLine, Shipping, Unquotable, quote};
use super::store::{self, OfferRow};
use crate::app::App;
use crate::catalog::categories;
use crate::coupons::redeem;
use crate::coupons::store::{self as coupons, StoredCoupon};
use crate::error::{ApiError, FieldProblem};
use crate::gathered::Together;
use crate::orders::error::Refusal;
use crate::points;

/// A quote, and what the order keeps of what it was made from.
#[derive(Debug)]
pub(crate) struct Quoted {
    pub(crate) quote: Quote,
    pub(crate) lines: Vec<QuotedLine>,
    pub(crate) claim: Option<Uuid>,
    pub(crate) late: Late,
    pub(crate) earn_per_mille: u32,
}

/// One line of it.
#[derive(Debug)]
pub(crate) struct QuotedLine {
    pub(crate) line: QuoteLine,
    pub(crate) title: String,
    pub(crate) seller: String,
}

/// What a sale asks for these skus. Whoever asks at the same time asks together: buyers of one sale mostly want the same.
#[derive(Debug)]
pub(crate) struct Offers {
    sale: SaleId,
    skus: Vec<SkuId>,
}

impl Together for Offers {
    type Answer = Vec<OfferRow>;

    const AT_ONCE: usize = LOOKS_AT_ONCE;
    const WAITING_MAX: usize = LOOKS_WAITING_MAX;

    async fn ask(books: &MySqlPool, all: &[Self]) -> sqlx::Result<Vec<Vec<OfferRow>>> {
        let mut wanted = BTreeSet::new();
        for Self { sale, skus } in all {
            wanted.extend(skus.iter().map(|sku| (sale, sku)));
        }
        let rows = store::offers(books, &wanted).await?;
        let of = |asked: &Self| {
            let is_asked = |row: &&OfferRow| {
                row.sale_id == asked.sale.as_str()
                    && asked.skus.iter().any(|sku| row.sku == sku.as_str())
            };
            rows.iter().filter(is_asked).cloned().collect()
        };
        Ok(all.iter().map(of).collect())
    }
}

/// Who sells what the catalog does not have.
const HOUSE: &str = "house";

/// # Errors
/// Whatever keeps the hold from being ordered so: it is not there, has ended, or is not to be had with this coupon or these points.
pub(crate) async fn quoted(app: &App, user: &UserId, wanted: &Wanted) -> Result<Quoted, ApiError> {
    let record = hold(app, user, wanted).await?;
    let skus = record.lines.iter().map(|line| line.sku.clone());
    let offers = Offers {
        sale: wanted.sale.clone(),
        skus: skus.collect(),
    };
    let offers = app.offers.ask(&app.books, offers).await?;
    let coupon = match &wanted.coupon {
        Some(coupon) => Some(claimed(app, user, coupon).await?),
        None => None,
    };
    let categories = match &coupon {
        Some((stored, _)) => categories_of(app, stored).await?,
        None => None,
    };
    let lines: Vec<QuotedLine> = record
        .lines
        .iter()
        .map(|line| quoted_line(line, &offers, categories.as_ref()))
        .collect::<Result<_, _>>()?;
    let first = offers.first().ok_or(ApiError::UnknownSku)?;
    let currency = Currency::parse(&first.currency).map_err(|e| ApiError::Internal(e.into()))?;
    let basis: Vec<QuoteLine> = lines.iter().map(|line| line.line.clone()).collect();
    let asked = Asked {
        currency,
        lines: &basis,
        coupon: coupon
            .as_ref()
            .map(|(stored, _)| (&stored.coupon.discount, &stored.coupon.policy)),
        points: wanted.points,
        shipping: Shipping {
            fee: first.shipping_fee.unwrap_or(0),
            free_from: first.free_from,
        },
    };
    let quote = quote(&asked).map_err(refuse)?;
    if wanted.points > 0
        && wanted.points > points::store::balance(&app.books, user, currency).await?
    {
        return Err(ApiError::Order(Refusal::InsufficientPoints));
    }
    let late = first.late_payment.as_deref().map(Late::of_word);
    Ok(Quoted {
        quote,
        lines,
        claim: coupon.map(|(_, claim)| claim),
        late: late.flatten().unwrap_or_default(),
        earn_per_mille: first.earn_per_mille.unwrap_or(0),
    })
}

/// The hold, as Redis has it at this moment.
async fn hold(app: &App, user: &UserId, wanted: &Wanted) -> Result<Record, ApiError> {
    let epoch = app.saga.epoch(app, &wanted.sale).await?;
    let live = LiveId::Sale(wanted.sale.clone());
    match app.gate.find(&live, epoch, wanted.reservation).await? {
        Found::Found { now_ms, record, .. } if record.user == *user => match record.status {
            Status::Held if record.deadline_ms > now_ms => Ok(*record),
            Status::Paying | Status::Paid => Err(ApiError::Order(Refusal::AlreadyOrdered)),
            Status::Held | Status::Released(_) => Err(ApiError::Order(Refusal::HoldEnded)),
        },
        Found::Found { .. } | Found::UnknownReservation => {
            Err(ApiError::Order(Refusal::UnknownReservation))
        }
        Found::Fenced(fenced) => Err(fenced.into()),
    }
}

/// The coupon, and a claim of it that the user has and has not used.
async fn claimed(
    app: &App,
    user: &UserId,
    coupon: &CouponId,
) -> Result<(StoredCoupon, Uuid), ApiError> {
    let stored = coupons::find(&app.books, coupon).await?;
    if !stored.coupon.policy.is_in_time(clock::now()) {
        return Err(ApiError::Order(Refusal::CouponUnusable("not at this time")));
    }
    let claim = redeem::store::free(&app.books, coupon, user).await?;
    let claim = claim.ok_or(ApiError::Order(Refusal::CouponUnusable(
        "you have none of it that is not used yet",
    )))?;
    Ok((stored, claim))
}

/// Those that the coupon is for, with all below them; none: all.
async fn categories_of(
    app: &App,
    stored: &StoredCoupon,
) -> Result<Option<HashSet<String>>, ApiError> {
    let named = &stored.coupon.policy.categories;
    if named.is_empty() {
        return Ok(None);
    }
    let tree = categories::store::tree(&app.books).await?;
    let all = named.iter().flat_map(|id| tree.subtree(id));
    Ok(Some(all.map(str::to_owned).collect()))
}

fn quoted_line(
    line: &Line,
    offers: &[OfferRow],
    categories: Option<&HashSet<String>>,
) -> Result<QuotedLine, ApiError> {
    let offer = offers.iter().find(|offer| offer.sku == line.sku.as_str());
    let offer = offer.ok_or(ApiError::UnknownSku)?;
    let category = offer.category_id.as_ref();
    Ok(QuotedLine {
        line: QuoteLine {
            sku: line.sku.clone(),
            quantity: line.quantity,
            unit: offer.amount,
            in_coupon: categories
                .is_none_or(|all| category.is_some_and(|category| all.contains(category))),
        },
        title: offer.title.clone(),
        seller: offer.seller_id.clone().unwrap_or_else(|| HOUSE.to_owned()),
    })
}

fn refuse(why: Unquotable) -> ApiError {
    let unusable = |why| ApiError::Order(Refusal::CouponUnusable(why));
    match why {
        Unquotable::TooMuch => ApiError::InvalidRequest("it comes to too much".to_owned()),
        Unquotable::Points { most } => ApiError::InvalidFields(vec![FieldProblem {
            pointer: "/points".to_owned(),
            detail: format!("must be 0 to {most}: what is left of the lines"),
        }]),
        Unquotable::CouponCurrency => unusable("it is of another currency"),
        Unquotable::CouponLines => unusable("it is for other products"),
        Unquotable::CouponMinimum(_) => unusable("it asks for a larger order"),
    }
}
