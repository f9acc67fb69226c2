//! SQL that reads a whole sale out of the books, for loading it into Redis.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, ReservationId, SkuId, UserId};
use doorbuster_core::journal::{Event, RawEvent};
use doorbuster_core::line::Pledge;
use doorbuster_core::listing::{ListedItem, Listing, booked_line};
use doorbuster_core::money::{Currency, Money};
use doorbuster_core::record::{Claim, Line, Record, Status};
use serde_json::{Value, json};
use sqlx::{MySql, Transaction};
use uuid::Uuid;

type Tx<'a> = Transaction<'a, MySql>;

/// How many events the journal has, and the last one's number.
pub(super) async fn journal_sums(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<(u64, u64), sqlx::Error> {
    let sql = "-- journal_sums
        select cast(count(*) as unsigned), cast(coalesce(max(seq), 0) as unsigned) from journal where sale_id = ?";
    sqlx::query_as(sql).bind(sale_id).fetch_one(&mut **tx).await
}

pub(super) async fn last_at_ms(
    tx: &mut Tx<'_>,
    sale_id: &str,
    seq: u64,
) -> Result<u64, sqlx::Error> {
    let sql = "-- last_at_ms
        select at from journal where sale_id = ? and seq = ?";
    let at: Option<DateTime<Utc>> = sqlx::query_scalar(sql)
        .bind(sale_id)
        .bind(seq)
        .fetch_optional(&mut **tx)
        .await?;
    Ok(at.map_or(0, clock::to_ms))
}

/// Numbers marked lost in the generation that is to be loaded, whichever attempt marked them, in order: a swap ends with an event of its own.
pub(super) async fn lost(tx: &mut Tx<'_>, sale_id: &str) -> Result<Vec<u64>, sqlx::Error> {
    let sql = "-- lost
        select cast(coalesce(max(seq), 0) as unsigned) from journal where sale_id = ? and kind = 'rebuilt'";
    let began: u64 = sqlx::query_scalar(sql)
        .bind(sale_id)
        .fetch_one(&mut **tx)
        .await?;
    let sql = "-- lost
        select seq from journal where sale_id = ? and seq > ? and kind = 'lost' order by seq";
    sqlx::query_scalar(sql)
        .bind(sale_id)
        .bind(began)
        .fetch_all(&mut **tx)
        .await
}

/// Events of the sale itself, in order; those that cannot be read are left out.
pub(super) async fn own_events(
    tx: &mut Tx<'_>,
    sale_id: &str,
) -> Result<Vec<(RawEvent, Event)>, sqlx::Error> {
    let sql = "-- own_events
        select seq, raw from journal
        where sale_id = ? and kind in ('opened', 'paused', 'resumed', 'closed', 'adjusted', 'restocked', 'written_off') order by seq";
    let rows: Vec<(u64, Vec<u8>)> = sqlx::query_as(sql)
        .bind(sale_id)
        .fetch_all(&mut **tx)
        .await?;
    let decoded = |(seq, raw): (u64, Vec<u8>)| {
        let raw = RawEvent::from_raw(seq, &raw).ok()?;
        let event = raw.decode().ok()?;
        Some((raw, event))
    };
    Ok(rows.into_iter().filter_map(decoded).collect())
}

/// Units of each sku that were stocked.
pub(super) fn stocked(events: &[(RawEvent, Event)]) -> HashMap<SkuId, i64> {
    let mut stocked: HashMap<SkuId, i64> = HashMap::new();
    for (_, event) in events {
        match event {
            Event::Opened(lines) => lines.iter().for_each(|line| {
                *stocked.entry(line.sku.clone()).or_default() += i64::from(line.quantity);
            }),
            Event::Adjusted { sku, by } => *stocked.entry(sku.clone()).or_default() += by,
            Event::Returned(returned) => {
                *stocked.entry(returned.sku.clone()).or_default() += returned.stocked_by();
            }
            _ => {}
        }
    }
    stocked
}

/// Units of each sku that are neither held nor sold.
pub(super) async fn left(
    tx: &mut Tx<'_>,
    live: &LiveId,
) -> Result<HashMap<SkuId, i64>, sqlx::Error> {
    let mut left = stocked(&own_events(tx, &live.book_id()).await?);
    // Held, being paid for or paid, as the reservations say. What orders know of lost payments beyond that, a back-office tells the rebuilt sale.
    let taken: Vec<(String, i64)> = match live {
        LiveId::Sale(id) => {
            let sql = "-- left
                select l.sku, cast(sum(l.quantity) as signed) - cast(sum(coalesce(b.quantity, 0)) as signed) from reservations r
                join reservation_lines l on l.sale_id = r.sale_id and l.seq = r.seq
                left join reservation_returns b on b.sale_id = l.sale_id and b.seq = l.seq and b.sku = l.sku
                where r.sale_id = ? and r.status <> 'released' group by l.sku";
            sqlx::query_as(sql)
                .bind(id.as_str())
                .fetch_all(&mut **tx)
                .await?
        }
        LiveId::Coupon(id) => {
            let sql = "-- left
                select coupon_id, count(*) from coupon_claims where coupon_id = ? group by coupon_id";
            sqlx::query_as(sql)
                .bind(id.as_str())
                .fetch_all(&mut **tx)
                .await?
        }
    };
    for (sku, units) in taken {
        if let Ok(sku) = SkuId::parse(sku) {
            *left.entry(sku).or_default() -= units;
        }
    }
    Ok(left)
}

/// What does not change while a sale lives, as it was opened with.
#[derive(Debug)]
pub(super) struct Offer {
    pub(super) opens_ms: u64,
    pub(super) closes_ms: u64,
    pub(super) hold_ms: u64,
    pub(super) payment_ms: u64,
    pub(super) config: String,
    /// Per user, of each sku; 0: none.
    pub(super) limits: HashMap<SkuId, u64>,
}

pub(super) async fn offer(tx: &mut Tx<'_>, live: &LiveId) -> Result<Offer, sqlx::Error> {
    match live {
        LiveId::Sale(id) => sale_offer(tx, id.as_str()).await,
        LiveId::Coupon(id) => coupon_offer(tx, id.as_str()).await,
    }
}

#[derive(sqlx::FromRow)]
struct SaleRow {
    title: String,
    opens_at: DateTime<Utc>,
    closes_at: DateTime<Utc>,
    hold_seconds: u32,
    payment_seconds: u32,
    line: Option<String>,
    draw_salt: Option<String>,
    draw_commitment: Option<String>,
}

#[derive(sqlx::FromRow)]
struct ItemRow {
    sku: String,
    title: String,
    amount: i64,
    currency: String,
    limit_per_user: u32,
}

async fn sale_offer(tx: &mut Tx<'_>, id: &str) -> Result<Offer, sqlx::Error> {
    let sql = "-- sale_offer
        select s.title, s.opens_at, s.closes_at, s.hold_seconds, s.payment_seconds,
            cast(l.settings as char) as line, l.draw_salt, l.draw_commitment
        from sales s left join sale_lines l on l.sale_id = s.sale_id where s.sale_id = ?";
    let sale: SaleRow = sqlx::query_as(sql).bind(id).fetch_one(&mut **tx).await?;
    let sql = "-- sale_offer
        select sku, title, amount, currency, limit_per_user from sale_items where sale_id = ? order by position";
    let items: Vec<ItemRow> = sqlx::query_as(sql).bind(id).fetch_all(&mut **tx).await?;
    let pledge = sale.draw_salt.zip(sale.draw_commitment);
    let pledge = pledge.map(|(salt, commitment)| Pledge { salt, commitment });
    let line = sale.line.map(|settings| booked_line(&settings, pledge));
    let listing = Listing {
        title: sale.title,
        hold_seconds: sale.hold_seconds,
        payment_seconds: sale.payment_seconds,
        line: line.transpose().map_err(|e| unlisted(id, e))?,
        items: items
            .iter()
            .map(|item| listed(id, item))
            .collect::<Result<_, _>>()?,
    };
    let limits = items
        .into_iter()
        .filter_map(|item| Some((SkuId::parse(item.sku).ok()?, item.limit_per_user.into())));
    Ok(Offer {
        opens_ms: clock::to_ms(sale.opens_at),
        closes_ms: clock::to_ms(sale.closes_at),
        hold_ms: u64::from(sale.hold_seconds) * 1_000,
        payment_ms: u64::from(sale.payment_seconds) * 1_000,
        config: listing.to_json(),
        limits: limits.collect(),
    })
}

fn listed(sale: &str, item: &ItemRow) -> Result<ListedItem, sqlx::Error> {
    Ok(ListedItem {
        sku: item.sku.clone(),
        title: item.title.clone(),
        price: Money {
            amount: item.amount,
            currency: Currency::parse(&item.currency).map_err(|e| unlisted(sale, e))?,
        },
        limit_per_user: item.limit_per_user,
    })
}

fn unlisted(sale: &str, what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("sale {sale} in the books: {what}").into())
}

#[derive(sqlx::FromRow)]
struct CouponRow {
    quantity: u32,
    limit_per_user: u32,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    discount: String,
}

async fn coupon_offer(tx: &mut Tx<'_>, id: &str) -> Result<Offer, sqlx::Error> {
    let sql = "-- coupon_offer
        select quantity, limit_per_user, starts_at, ends_at, cast(discount as char) as discount from coupons where coupon_id = ?";
    let coupon: CouponRow = sqlx::query_as(sql).bind(id).fetch_one(&mut **tx).await?;
    let discount: Value = serde_json::from_str(&coupon.discount).unwrap_or(Value::Null);
    let config = json!({"quantity": coupon.quantity, "limit_per_user": coupon.limit_per_user, "discount": discount});
    let sku = SkuId::parse(id).ok();
    Ok(Offer {
        opens_ms: clock::to_ms(coupon.starts_at),
        closes_ms: clock::to_ms(coupon.ends_at),
        // Claims never end; the scripts want a number.
        hold_ms: 1,
        payment_ms: 1,
        config: config.to_string(),
        limits: sku
            .map(|sku| (sku, coupon.limit_per_user.into()))
            .into_iter()
            .collect(),
    })
}

#[derive(sqlx::FromRow)]
struct ReservationRow {
    seq: u64,
    id: Uuid,
    user_id: String,
    status: String,
    reason: Option<String>,
    deadline: DateTime<Utc>,
    body_hash: Vec<u8>,
}

/// The next reservations after `seq`, at most `rows`; fewer: there are no more.
pub(super) async fn reservations(
    tx: &mut Tx<'_>,
    sale_id: &str,
    seq: u64,
    rows: u32,
) -> Result<Vec<(ReservationId, Record)>, sqlx::Error> {
    let sql = "-- reservations
        select seq, id, user_id, status, reason, deadline, body_hash from reservations
        where sale_id = ? and seq > ? order by seq limit ?";
    let found: Vec<ReservationRow> = sqlx::query_as(sql)
        .bind(sale_id)
        .bind(seq)
        .bind(rows)
        .fetch_all(&mut **tx)
        .await?;
    let last = found.last().map_or(seq, |row| row.seq);
    let sql = "-- reservations
        select seq, sku, quantity from reservation_lines where sale_id = ? and seq > ? and seq <= ? order by seq, sku";
    let lines: Vec<(u64, String, u32)> = sqlx::query_as(sql)
        .bind(sale_id)
        .bind(seq)
        .bind(last)
        .fetch_all(&mut **tx)
        .await?;
    let mut lines = lines.into_iter().peekable();
    let mut all = Vec::with_capacity(found.len());
    for row in found {
        let mut own = Vec::with_capacity(1);
        while let Some((_, sku, quantity)) = lines.next_if(|line| line.0 <= row.seq) {
            let sku = SkuId::parse(sku).map_err(|e| broken(row.seq, e))?;
            own.push(Line { sku, quantity });
        }
        all.push(reservation(row, own)?);
    }
    Ok(all)
}

fn reservation(
    row: ReservationRow,
    lines: Vec<Line>,
) -> Result<(ReservationId, Record), sqlx::Error> {
    let body = <[u8; 16]>::try_from(row.body_hash).map_err(|_| broken(row.seq, "body_hash"))?;
    let status = Status::from_words(&row.status, row.reason.as_deref())
        .ok_or_else(|| broken(row.seq, "status"))?;
    let record = Record {
        status,
        seq: row.seq,
        deadline_ms: clock::to_ms(row.deadline),
        user: UserId::parse(row.user_id).map_err(|e| broken(row.seq, e))?,
        lines,
        body: doorbuster_core::ids::BodyHash::from_bytes(body),
    };
    Ok((ReservationId::from_bytes(*row.id.as_bytes()), record))
}

/// What has come back of the reservations after `seq` and up to `last`.
pub(super) async fn returned(
    tx: &mut Tx<'_>,
    sale_id: &str,
    seq: u64,
    last: u64,
) -> Result<Vec<(u64, Line)>, sqlx::Error> {
    let sql = "-- returned
        select seq, sku, quantity from reservation_returns where sale_id = ? and seq > ? and seq <= ? order by seq, sku";
    let rows: Vec<(u64, String, u32)> = sqlx::query_as(sql)
        .bind(sale_id)
        .bind(seq)
        .bind(last)
        .fetch_all(&mut **tx)
        .await?;
    let line = |(seq, sku, quantity): (u64, String, u32)| {
        let sku = SkuId::parse(sku).map_err(|e| broken(seq, e))?;
        Ok((seq, Line { sku, quantity }))
    };
    rows.into_iter().map(line).collect()
}

/// The same of a coupon's claims.
pub(super) async fn claims(
    tx: &mut Tx<'_>,
    coupon_id: &str,
    seq: u64,
    rows: u32,
) -> Result<Vec<(ReservationId, Claim)>, sqlx::Error> {
    let sql = "-- claims
        select seq, id, user_id, claimed_at from coupon_claims where coupon_id = ? and seq > ? order by seq limit ?";
    let found: Vec<(u64, Uuid, String, DateTime<Utc>)> = sqlx::query_as(sql)
        .bind(coupon_id)
        .bind(seq)
        .bind(rows)
        .fetch_all(&mut **tx)
        .await?;
    let claim = |(seq, id, user, at): (u64, Uuid, String, DateTime<Utc>)| {
        let claim = Claim {
            seq,
            claimed_ms: clock::to_ms(at),
            user: UserId::parse(user).map_err(|e| broken(seq, e))?,
        };
        Ok((ReservationId::from_bytes(*id.as_bytes()), claim))
    };
    found.into_iter().map(claim).collect()
}

fn broken(seq: u64, what: impl std::fmt::Display) -> sqlx::Error {
    sqlx::Error::Decode(format!("reservation {seq} in the books: {what}").into())
}
