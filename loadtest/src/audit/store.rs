//! Reads what the books say about a sale; the only file of the harness with SQL. Plain reads, page by page.

use std::collections::{BTreeMap, HashMap};
use std::future::Future;

use anyhow::{Context, Result};
use doorbuster_core::clock;
use doorbuster_core::ids::{BodyHash, LiveId, ReservationId, SkuId, UserId};
use doorbuster_core::journal::{Event, RawEvent};
use doorbuster_core::record::{Line, Reason, Status};
use sqlx::mysql::{MySqlPool, MySqlPoolOptions, MySqlRow};
use sqlx::types::chrono::{DateTime, Utc};
use sqlx::{FromRow, Row};

use super::facts::{Books, Cursor, Holding, JournalRow, Offered};
use crate::limits::AUDIT_PAGE_ROWS;

/// A connection for reading the books.
#[derive(Debug, Clone)]
pub struct Store {
    pool: MySqlPool,
}

#[derive(FromRow)]
struct ReservationRow {
    seq: u64,
    id: Vec<u8>,
    user_id: String,
    status: String,
    reason: Option<String>,
    deadline: DateTime<Utc>,
    body_hash: Vec<u8>,
}

#[derive(FromRow)]
struct LineRow {
    seq: u64,
    sku: String,
    reservation_id: Vec<u8>,
    quantity: u32,
}

#[derive(FromRow)]
struct ClaimRow {
    seq: u64,
    id: Vec<u8>,
    user_id: String,
    claimed_at: DateTime<Utc>,
}

impl Store {
    /// # Errors
    /// If the database cannot be reached.
    pub async fn connect(database_url: &str) -> Result<Self> {
        let pool = MySqlPoolOptions::new()
            .max_connections(1)
            .connect(database_url)
            .await;
        Ok(Self {
            pool: pool.context("DATABASE_URL: the database cannot be reached")?,
        })
    }

    /// How far the books of `live` are.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn cursor(&self, live: &LiveId) -> Result<Option<Cursor>> {
        let query = "-- cursor\nselect epoch, seq from journal_cursor where sale_id = ?";
        let row: Option<(u32, u64)> = sqlx::query_as(query)
            .bind(live.book_id())
            .fetch_optional(&self.pool)
            .await?;
        Ok(row.map(|(epoch, seq)| Cursor { epoch, seq }))
    }

    /// All that the books say.
    ///
    /// # Errors
    /// If the database does not answer.
    pub async fn read(&self, live: &LiveId) -> Result<Books> {
        let mut books = Books {
            offered: self.offered(live).await?,
            cursor: self.cursor(live).await?,
            journal: Vec::new(),
            holdings: HashMap::new(),
            dead_letters: self.dead_letters(live).await?,
            unreadable: Vec::new(),
        };
        books.journal = self.journal(live).await?;
        match live {
            LiveId::Sale(_) => self.reservations(live, &mut books).await?,
            LiveId::Coupon(coupon) => self.claims(coupon.as_str(), &mut books).await?,
        }
        Ok(books)
    }

    async fn offered(&self, live: &LiveId) -> Result<BTreeMap<SkuId, Offered>> {
        let (query, id) = match live {
            LiveId::Sale(id) => (
                "-- offered\nselect sku, stock, limit_per_user from sale_items where sale_id = ?",
                id.as_str(),
            ),
            LiveId::Coupon(id) => (
                "-- offered\nselect coupon_id, quantity, limit_per_user from coupons where coupon_id = ?",
                id.as_str(),
            ),
        };
        let rows: Vec<(String, u32, u32)> =
            sqlx::query_as(query).bind(id).fetch_all(&self.pool).await?;
        let offered = |(sku, stock, limit): (String, u32, u32)| {
            Ok((
                SkuId::parse(sku)?,
                Offered {
                    stock: stock.into(),
                    limit_per_user: limit.into(),
                },
            ))
        };
        rows.into_iter().map(offered).collect()
    }

    async fn dead_letters(&self, live: &LiveId) -> Result<u64> {
        let query = "-- dead_letters\nselect count(*) from dead_letters where sale_id = ?";
        let count: i64 = sqlx::query_scalar(query)
            .bind(live.book_id())
            .fetch_one(&self.pool)
            .await?;
        Ok(count.unsigned_abs())
    }

    async fn journal(&self, live: &LiveId) -> Result<Vec<JournalRow>> {
        let query = "-- journal\nselect epoch, seq, kind, reservation_id, at, raw from journal \
             where sale_id = ? and seq > ? order by seq limit ?";
        let rows = pages(async |after| {
            sqlx::query(query)
                .bind(live.book_id())
                .bind(after)
                .bind(AUDIT_PAGE_ROWS)
                .fetch_all(&self.pool)
                .await
        });
        rows.await?
            .into_iter()
            .map(|(_, row)| journal_row(&row))
            .collect()
    }

    async fn reservations(&self, live: &LiveId, books: &mut Books) -> Result<()> {
        let query = "-- reservations\nselect seq, id, user_id, status, reason, deadline, body_hash from reservations \
             where sale_id = ? and seq > ? order by seq limit ?";
        let rows = pages(async |after| {
            sqlx::query(query)
                .bind(live.book_id())
                .bind(after)
                .bind(AUDIT_PAGE_ROWS)
                .fetch_all(&self.pool)
                .await
        });
        for (_, row) in rows.await? {
            let row = ReservationRow::from_row(&row)?;
            let (seq, id) = (row.seq, reservation_id(&row.id)?);
            books.put(
                id,
                row.holding()
                    .with_context(|| format!("mysql: reservation {seq}")),
            );
        }
        self.lines(live, books).await
    }

    async fn lines(&self, live: &LiveId, books: &mut Books) -> Result<()> {
        // Paged by reservation, whose lines are few; a page never ends between the lines of one.
        let query = "-- lines\nselect l.seq, l.sku, l.reservation_id, l.quantity from reservation_lines l \
             where l.sale_id = ? and l.seq > ? and l.seq <= ? order by l.seq, l.sku";
        let mut after = 0;
        for upto in page_ends(books) {
            let rows: Vec<LineRow> = sqlx::query_as(query)
                .bind(live.book_id())
                .bind(after)
                .bind(upto)
                .fetch_all(&self.pool)
                .await?;
            rows.into_iter().try_for_each(|row| books.put_line(row))?;
            after = upto;
        }
        Ok(())
    }

    async fn claims(&self, coupon: &str, books: &mut Books) -> Result<()> {
        let query = "-- claims\nselect seq, id, user_id, claimed_at from coupon_claims \
             where coupon_id = ? and seq > ? order by seq limit ?";
        let rows = pages(async |after| {
            sqlx::query(query)
                .bind(coupon)
                .bind(after)
                .bind(AUDIT_PAGE_ROWS)
                .fetch_all(&self.pool)
                .await
        });
        let sku = SkuId::parse(coupon)?;
        for (_, row) in rows.await? {
            let row = ClaimRow::from_row(&row)?;
            let id = reservation_id(&row.id)?;
            books.put(id, row.holding(&sku));
        }
        Ok(())
    }
}

/// The last reservation of each page; the last page has no end, so that lines without a reservation are found too.
fn page_ends(books: &Books) -> Vec<u64> {
    let mut seqs: Vec<u64> = books.holdings.values().map(|holding| holding.seq).collect();
    seqs.sort_unstable();
    let mut ends: Vec<u64> = seqs
        .chunks(AUDIT_PAGE_ROWS as usize)
        .filter_map(|page| page.last().copied())
        .collect();
    ends.pop();
    ends.push(u64::MAX);
    ends
}

/// All rows, in pages that each start after the last `seq` of the one before.
async fn pages<F>(page: impl Fn(u64) -> F) -> Result<Vec<(u64, MySqlRow)>>
where
    F: Future<Output = sqlx::Result<Vec<MySqlRow>>>,
{
    let mut all = Vec::new();
    loop {
        let after = all.last().map_or(0, |(seq, _): &(u64, MySqlRow)| *seq);
        let rows = page(after).await?;
        let full = rows.len() == AUDIT_PAGE_ROWS as usize;
        for row in rows {
            all.push((row.try_get("seq")?, row));
        }
        if !full {
            return Ok(all);
        }
    }
}

fn journal_row(row: &MySqlRow) -> Result<JournalRow> {
    let (seq, raw): (u64, Vec<u8>) = (row.try_get("seq")?, row.try_get("raw")?);
    let id: Option<Vec<u8>> = row.try_get("reservation_id")?;
    let at: DateTime<Utc> = row.try_get("at")?;
    Ok(JournalRow {
        epoch: row.try_get("epoch")?,
        seq,
        kind: row.try_get("kind")?,
        at_ms: clock::to_ms(at),
        event: raw_event(seq, id.as_deref(), &raw)
            .and_then(|event| event.decode().map_err(|why| why.to_string())),
    })
}

/// The event that `raw` is, if its columns say the same.
fn raw_event(seq: u64, id: Option<&[u8]>, raw: &[u8]) -> Result<RawEvent, String> {
    let event = RawEvent::from_raw(seq, raw).map_err(|why| why.to_string())?;
    // Those that concern a reservation beside its record name it in their value.
    let named = match event.decode() {
        Ok(Event::Returned(returned)) => Some(returned.id),
        Ok(Event::Reacquired { id, .. }) => Some(id),
        _ => None,
    };
    let same = match (id, named) {
        (Some(id), Some(named)) => reservation_id(id).is_ok_and(|id| id == named),
        (Some(id), None) => event.field == id,
        (None, _) => event.field.len() == 1 && named.is_none(),
    };
    same.then_some(event)
        .ok_or_else(|| "its raw form is not that of its columns".to_owned())
}

fn reservation_id(bytes: &[u8]) -> Result<ReservationId> {
    Ok(ReservationId::from_bytes(
        bytes.try_into().context("an id has 16 bytes")?,
    ))
}

impl ReservationRow {
    /// Without its lines, which are in a table of their own.
    fn holding(self) -> Result<Holding> {
        let body: [u8; 16] = self
            .body_hash
            .as_slice()
            .try_into()
            .context("body_hash has 16 bytes")?;
        Ok(Holding {
            seq: self.seq,
            user: UserId::parse(self.user_id)?,
            status: status(&self.status, self.reason.as_deref())?,
            at_ms: clock::to_ms(self.deadline),
            lines: Vec::new(),
            body: Some(BodyHash::from_bytes(body)),
        })
    }
}

fn status(status: &str, reason: Option<&str>) -> Result<Status> {
    let known = [
        Status::Held,
        Status::Paying,
        Status::Paid,
        Status::Released(Reason::Expired),
        Status::Released(Reason::Cancelled),
        Status::Released(Reason::PaymentFailed),
        Status::Released(Reason::Refunded),
    ];
    let same =
        |known: &Status| known.as_str() == status && known.reason().map(Reason::as_str) == reason;
    known
        .into_iter()
        .find(same)
        .with_context(|| format!("unknown status {status} {reason:?}"))
}

impl ClaimRow {
    fn holding(self, sku: &SkuId) -> Result<Holding> {
        Ok(Holding {
            seq: self.seq,
            user: UserId::parse(self.user_id)?,
            status: Status::Paid,
            at_ms: clock::to_ms(self.claimed_at),
            lines: vec![Line {
                sku: sku.clone(),
                quantity: 1,
            }],
            body: None,
        })
    }
}

impl Books {
    fn put(&mut self, id: ReservationId, holding: Result<Holding>) {
        match holding {
            Ok(holding) => drop(self.holdings.insert(id, holding)),
            Err(why) => self.unreadable.push(format!("{why:#}")),
        }
    }

    fn put_line(&mut self, row: LineRow) -> Result<()> {
        let line = Line {
            sku: SkuId::parse(row.sku)?,
            quantity: row.quantity,
        };
        match self.holdings.get_mut(&reservation_id(&row.reservation_id)?) {
            Some(holding) if holding.seq == row.seq => holding.lines.push(line),
            _ => self.unreadable.push(format!(
                "mysql: a line of {} belongs to no reservation",
                row.seq
            )),
        }
        Ok(())
    }
}
