//! SQL of projections, one reservation or claim at a time. Called by `projection` and by repairs, under the cursor's lock.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::{BodyHash, LiveId, ReservationId, SkuId, UserId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::{Claim, Line, Reason, Record, Status};
use sqlx::mysql::{MySqlConnection, MySqlDatabaseError};
use sqlx::{FromRow, MySql, QueryBuilder, query, query_as, query_scalar};
use uuid::Uuid;

use super::fold::{Projection, What};
use super::returns_store;

/// One event as the books keep it.
#[derive(Debug, FromRow)]
pub(crate) struct JournalRow {
    pub(crate) seq: u64,
    pub(crate) epoch: u32,
    pub(crate) kind: String,
    pub(crate) at: DateTime<Utc>,
    pub(crate) raw: Vec<u8>,
}

pub(crate) async fn journal_row(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
) -> sqlx::Result<Option<JournalRow>> {
    query_as("-- journal_row\nselect seq, epoch, kind, at, raw from journal where sale_id = ? and seq = ?")
        .bind(live.book_id())
        .bind(seq)
        .fetch_optional(tx)
        .await
}

/// The next `rows` events after `seq`.
pub(crate) async fn journal_after(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
    rows: u32,
) -> sqlx::Result<Vec<JournalRow>> {
    query_as("-- journal_after\nselect seq, epoch, kind, at, raw from journal where sale_id = ? and seq > ? order by seq limit ?")
        .bind(live.book_id())
        .bind(seq)
        .bind(rows)
        .fetch_all(tx)
        .await
}

/// All events of one reservation or claim that began with event `began`. Without an index of its own: it is asked seldom, and an
/// index would cost the writer on every event.
pub(crate) async fn journal_of(
    tx: &mut MySqlConnection,
    live: &LiveId,
    began: u64,
    id: ReservationId,
) -> sqlx::Result<Vec<JournalRow>> {
    query_as(
        "-- journal_of\nselect seq, epoch, kind, at, raw from journal
        where sale_id = ? and seq >= ? and reservation_id = ? order by seq",
    )
    .bind(live.book_id())
    .bind(began)
    .bind(id.as_bytes().as_slice())
    .fetch_all(tx)
    .await
}

/// Makes the columns of a journal row say what its raw event says.
pub(crate) async fn describe(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
    event: &Event,
) -> sqlx::Result<()> {
    let (id, user) = match event {
        Event::Reservation { id, record } => (Some(*id), Some(record.user.as_str())),
        Event::Claimed { id, claim } => (Some(*id), Some(claim.user.as_str())),
        Event::Reacquired { id, record } => (Some(*id), Some(record.user.as_str())),
        Event::Returned(returned) => (Some(returned.id), Some(returned.user.as_str())),
        _ => (None, None),
    };
    let (sku, by) = match event {
        Event::Adjusted { sku, by } => (Some(sku.as_str()), Some(*by)),
        Event::Returned(returned) => (Some(returned.sku.as_str()), Some(returned.stocked_by())),
        _ => (None, None),
    };
    query(
        "-- describe\nupdate journal set kind = ?, reservation_id = ?, user_id = ?, sku = ?, quantity = ?
        where sale_id = ? and seq = ?",
    )
    .bind(event.kind())
    .bind(id.map(|id| id.as_bytes().to_vec()))
    .bind(user)
    .bind(sku)
    .bind(by)
    .bind(live.book_id())
    .bind(seq)
    .execute(tx)
    .await
    .map(drop)
}

/// Writes a reservation or claim in the place of whatever the books had under its number or its id.
pub(crate) async fn put(
    tx: &mut MySqlConnection,
    live: &LiveId,
    projection: &Projection,
) -> sqlx::Result<()> {
    remove(tx, live, projection.id, projection.seq()).await?;
    match &projection.what {
        What::Reservation(record) => insert_reservation(tx, live, projection, record).await,
        What::Claim(claim) => insert_claim(tx, live, projection, claim).await,
    }
}

/// Takes out whatever stands under this number or this id, each found by its own index.
pub(crate) async fn remove(
    tx: &mut MySqlConnection,
    live: &LiveId,
    id: ReservationId,
    seq: u64,
) -> sqlx::Result<()> {
    let (stray, rest): (&'static str, &[&'static str]) = match live {
        LiveId::Sale(_) => (
            "-- remove\nselect seq from reservations where sale_id = ? and id = ?",
            &[
                "-- remove\ndelete from reservation_lines where sale_id = ? and seq = ?",
                "-- remove\ndelete from reservation_returns where sale_id = ? and seq = ?",
                "-- remove\ndelete from reservations where sale_id = ? and seq = ?",
            ],
        ),
        LiveId::Coupon(_) => (
            "-- remove\nselect seq from coupon_claims where coupon_id = ? and id = ?",
            &["-- remove\ndelete from coupon_claims where coupon_id = ? and seq = ?"],
        ),
    };
    let stray: Option<u64> = query_scalar(stray)
        .bind(own_id(live))
        .bind(id.as_bytes().as_slice())
        .fetch_optional(&mut *tx)
        .await?;
    for seq in [Some(seq), stray.filter(|stray| *stray != seq)]
        .into_iter()
        .flatten()
    {
        for statement in rest {
            query(*statement)
                .bind(own_id(live))
                .bind(seq)
                .execute(&mut *tx)
                .await?;
        }
    }
    Ok(())
}

async fn insert_reservation(
    tx: &mut MySqlConnection,
    live: &LiveId,
    projection: &Projection,
    record: &Record,
) -> sqlx::Result<()> {
    let id = projection.id.as_bytes().as_slice();
    query(
        "-- insert_reservation\ninsert into reservations
            (sale_id, seq, id, user_id, status, reason, epoch, deadline, body_hash, created_at, ended_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(own_id(live))
    .bind(record.seq)
    .bind(id)
    .bind(record.user.as_str())
    .bind(record.status.as_str())
    .bind(record.status.reason().map(Reason::as_str))
    .bind(projection.epoch)
    .bind(clock::from_ms(record.deadline_ms).naive_utc())
    .bind(record.body.as_bytes().as_slice())
    .bind(projection.created_at.naive_utc())
    .bind(projection.ended_at.map(|at| at.naive_utc()))
    .execute(&mut *tx)
    .await?;
    let mut statement: QueryBuilder<MySql> = QueryBuilder::new(
        "-- insert_lines\ninsert into reservation_lines (sale_id, seq, sku, reservation_id, quantity) ",
    );
    statement.push_values(&record.lines, |mut row, line| {
        row.push_bind(own_id(live))
            .push_bind(record.seq)
            .push_bind(line.sku.as_str())
            .push_bind(id)
            .push_bind(line.quantity);
    });
    statement.build().execute(&mut *tx).await?;
    returns_store::insert(tx, own_id(live), projection).await
}

async fn insert_claim(
    tx: &mut MySqlConnection,
    live: &LiveId,
    projection: &Projection,
    claim: &Claim,
) -> sqlx::Result<()> {
    query(
        "-- insert_claim\ninsert into coupon_claims (coupon_id, seq, id, user_id, epoch, claimed_at)
        values (?, ?, ?, ?, ?, ?)",
    )
    .bind(own_id(live))
    .bind(claim.seq)
    .bind(projection.id.as_bytes().as_slice())
    .bind(claim.user.as_str())
    .bind(projection.epoch)
    .bind(clock::from_ms(claim.claimed_ms).naive_utc())
    .execute(tx)
    .await
    .map(drop)
}

/// A row of the books under its number and id; `None` where it says what no event could.
pub(crate) type BookRow = (u64, ReservationId, Option<Projection>);

/// The next `rows` reservations (or claims) after `seq`, with all that an event says of them.
pub(crate) async fn rows_after(
    tx: &mut MySqlConnection,
    live: &LiveId,
    seq: u64,
    rows: u32,
) -> sqlx::Result<Vec<BookRow>> {
    match live {
        LiveId::Sale(id) => {
            let rows: Vec<ReservationRow> = query_as(
                "-- rows_after\nselect seq, id, user_id, status, reason, epoch, deadline, body_hash, created_at, ended_at
                from reservations where sale_id = ? and seq > ? order by seq limit ?",
            )
            .bind(id.as_str())
            .bind(seq)
            .bind(rows)
            .fetch_all(&mut *tx)
            .await?;
            let mut lines = lines_of(tx, id.as_str(), &rows).await?;
            let span = rows.first().zip(rows.last());
            let span = span.map(|(first, last)| (first.seq, last.seq));
            let mut returned = returns_store::between(tx, id.as_str(), span).await?;
            let read = |row: ReservationRow| {
                let lines = lines.remove(&row.seq).unwrap_or_default();
                let returned = returned.remove(&row.seq).unwrap_or_default();
                (row.seq, id_of(row.id), row.projection(lines, returned))
            };
            Ok(rows.into_iter().map(read).collect())
        }
        LiveId::Coupon(id) => {
            let rows: Vec<ClaimRow> = query_as(
                "-- rows_after\nselect seq, id, user_id, epoch, claimed_at from coupon_claims
                where coupon_id = ? and seq > ? order by seq limit ?",
            )
            .bind(id.as_str())
            .bind(seq)
            .bind(rows)
            .fetch_all(tx)
            .await?;
            let read = |row: ClaimRow| (row.seq, id_of(row.id), row.projection());
            Ok(rows.into_iter().map(read).collect())
        }
    }
}

#[derive(FromRow)]
struct ReservationRow {
    seq: u64,
    id: Uuid,
    user_id: String,
    status: String,
    reason: Option<String>,
    epoch: u32,
    deadline: DateTime<Utc>,
    body_hash: Vec<u8>,
    created_at: DateTime<Utc>,
    ended_at: Option<DateTime<Utc>>,
}

impl ReservationRow {
    fn projection(
        self,
        lines: Vec<(String, u32)>,
        returned: Vec<(String, u32)>,
    ) -> Option<Projection> {
        let back = |(sku, units)| Some((SkuId::parse(sku).ok()?, units));
        let line = |(sku, quantity)| {
            Some(Line {
                sku: SkuId::parse(sku).ok()?,
                quantity,
            })
        };
        let record = Record {
            status: Status::from_words(&self.status, self.reason.as_deref())?,
            seq: self.seq,
            deadline_ms: clock::to_ms(self.deadline),
            user: UserId::parse(self.user_id).ok()?,
            lines: lines.into_iter().map(line).collect::<Option<_>>()?,
            body: BodyHash::from_bytes(self.body_hash.try_into().ok()?),
        };
        Some(Projection {
            id: id_of(self.id),
            epoch: self.epoch,
            created_at: self.created_at,
            what: What::Reservation(record),
            returned: returned.into_iter().map(back).collect::<Option<_>>()?,
            ended_at: self.ended_at,
        })
    }
}

#[derive(FromRow)]
struct ClaimRow {
    seq: u64,
    id: Uuid,
    user_id: String,
    epoch: u32,
    claimed_at: DateTime<Utc>,
}

impl ClaimRow {
    fn projection(self) -> Option<Projection> {
        let claim = Claim {
            seq: self.seq,
            claimed_ms: clock::to_ms(self.claimed_at),
            user: UserId::parse(self.user_id).ok()?,
        };
        Some(Projection {
            id: id_of(self.id),
            epoch: self.epoch,
            created_at: self.claimed_at,
            what: What::Claim(claim),
            returned: BTreeMap::new(),
            ended_at: None,
        })
    }
}

async fn lines_of(
    tx: &mut MySqlConnection,
    sale: &str,
    rows: &[ReservationRow],
) -> sqlx::Result<HashMap<u64, Vec<(String, u32)>>> {
    let mut lines: HashMap<u64, Vec<(String, u32)>> = HashMap::new();
    if let (Some(first), Some(last)) = (rows.first(), rows.last()) {
        let found: Vec<(u64, String, u32)> = query_as(
            "-- lines_of\nselect seq, sku, quantity from reservation_lines
            where sale_id = ? and seq between ? and ? order by seq, sku",
        )
        .bind(sale)
        .bind(first.seq)
        .bind(last.seq)
        .fetch_all(tx)
        .await?;
        for (seq, sku, quantity) in found {
            lines.entry(seq).or_default().push((sku, quantity));
        }
    }
    Ok(lines)
}

/// The sale or coupon as its own tables name it.
fn own_id(live: &LiveId) -> &str {
    match live {
        LiveId::Sale(id) => id.as_str(),
        LiveId::Coupon(id) => id.as_str(),
    }
}

fn id_of(id: Uuid) -> ReservationId {
    ReservationId::from_bytes(*id.as_bytes())
}

/// Whether the server refuses what a row says, rather than being unable to take it; the writer's list.
pub(crate) fn is_data_error(error: &sqlx::Error) -> bool {
    const DATA: [u16; 11] = [
        1048, 1062, 1264, 1265, 1292, 1366, 1406, 1452, 1690, 3819, 4025,
    ];
    let database = match error {
        sqlx::Error::Database(e) => e.try_downcast_ref::<MySqlDatabaseError>(),
        _ => None,
    };
    database.is_some_and(|e| DATA.contains(&e.number()))
}
