//! SQL of notices. Called by the handlers of `notices`, and by the shop, which shows those of the moment.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::{Notice, NoticeView};
use crate::catalog::error::Refusal;
use crate::catalog::ids::NoticeId;
use crate::catalog::text::Text;
use crate::error::ApiError;
use crate::limits::NOTICES_SHOWN_MAX;

#[derive(FromRow)]
struct NoticeRow {
    notice_id: String,
    title_ko: String,
    title_en: String,
    body_ko: String,
    body_en: String,
    starts_at: DateTime<Utc>,
    ends_at: DateTime<Utc>,
    version: u32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<NoticeRow> for NoticeView {
    fn from(row: NoticeRow) -> Self {
        let written = |at| clock::rfc3339(clock::to_ms(at));
        Self {
            id: row.notice_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            body: Text {
                ko: row.body_ko,
                en: row.body_en,
            },
            starts_at: written(row.starts_at),
            ends_at: written(row.ends_at),
            version: row.version,
            created_at: written(row.created_at),
            updated_at: written(row.updated_at),
        }
    }
}

/// # Errors
/// [`Refusal::NoticeExists`] where the id is taken.
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    id: &NoticeId,
    notice: &Notice,
) -> Result<(), ApiError> {
    let now = clock::now().naive_utc();
    let inserted = query(
        "-- insert\ninsert into notices
            (notice_id, title_ko, title_en, body_ko, body_en, starts_at, ends_at, version, created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, 1, ?, ?)",
    )
    .bind(id.as_str())
    .bind(&notice.title.ko)
    .bind(&notice.title.en)
    .bind(&notice.body.ko)
    .bind(&notice.body.en)
    .bind(notice.starts_at.naive_utc())
    .bind(notice.ends_at.naive_utc())
    .bind(now)
    .bind(now)
    .execute(tx)
    .await;
    match inserted {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            Err(Refusal::NoticeExists.into())
        }
        other => Ok(other.map(drop)?),
    }
}

/// # Errors
/// [`Refusal::UnknownNotice`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &NoticeId) -> Result<NoticeView, ApiError> {
    let row: Option<NoticeRow> = query_as("-- find\nselect * from notices where notice_id = ?")
        .bind(id.as_str())
        .fetch_optional(books)
        .await?;
    Ok(row.ok_or(Refusal::UnknownNotice)?.into())
}

pub(crate) async fn page(
    books: &MySqlPool,
    after: Option<&NoticeId>,
    rows: u32,
) -> sqlx::Result<Vec<NoticeView>> {
    let found: Vec<NoticeRow> =
        query_as("-- page\nselect * from notices where notice_id > ? order by notice_id limit ?")
            .bind(after.map_or("", NoticeId::as_str))
            .bind(rows)
            .fetch_all(books)
            .await?;
    Ok(found.into_iter().map(NoticeView::from).collect())
}

/// Those whose time it is, the newest first.
pub(crate) async fn current(books: &MySqlPool) -> sqlx::Result<Vec<NoticeView>> {
    let now = clock::now().naive_utc();
    let found: Vec<NoticeRow> = query_as(
        "-- current\nselect * from notices where ends_at > ? and starts_at <= ?
        order by starts_at desc, notice_id limit ?",
    )
    .bind(now)
    .bind(now)
    .bind(NOTICES_SHOWN_MAX)
    .fetch_all(books)
    .await?;
    Ok(found.into_iter().map(NoticeView::from).collect())
}

/// What it is so far, with its row locked until the transaction ends.
///
/// # Errors
/// [`Refusal::UnknownNotice`]; [`Refusal::VersionConflict`] where `version` is asked for and not the present one.
pub(crate) async fn lock(
    tx: &mut MySqlConnection,
    id: &NoticeId,
    version: Option<u32>,
) -> Result<Notice, ApiError> {
    let row: Option<NoticeRow> =
        query_as("-- lock\nselect * from notices where notice_id = ? for update")
            .bind(id.as_str())
            .fetch_optional(tx)
            .await?;
    let row = row.ok_or(Refusal::UnknownNotice)?;
    if version.is_some_and(|version| version != row.version) {
        return Err(Refusal::VersionConflict {
            version: row.version,
        }
        .into());
    }
    let (title, body) = (
        Text {
            ko: row.title_ko,
            en: row.title_en,
        },
        Text {
            ko: row.body_ko,
            en: row.body_en,
        },
    );
    let (starts_at, ends_at) = (row.starts_at, row.ends_at);
    Ok(Notice {
        title,
        body,
        starts_at,
        ends_at,
    })
}

pub(crate) async fn update(
    tx: &mut MySqlConnection,
    id: &NoticeId,
    notice: &Notice,
) -> sqlx::Result<()> {
    query(
        "-- update\nupdate notices
        set title_ko = ?, title_en = ?, body_ko = ?, body_en = ?, starts_at = ?, ends_at = ?,
            version = version + 1, updated_at = ?
        where notice_id = ?",
    )
    .bind(&notice.title.ko)
    .bind(&notice.title.en)
    .bind(&notice.body.ko)
    .bind(&notice.body.en)
    .bind(notice.starts_at.naive_utc())
    .bind(notice.ends_at.naive_utc())
    .bind(clock::now().naive_utc())
    .bind(id.as_str())
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn delete(tx: &mut MySqlConnection, id: &NoticeId) -> sqlx::Result<()> {
    query("-- delete\ndelete from notices where notice_id = ?")
        .bind(id.as_str())
        .execute(tx)
        .await
        .map(drop)
}

/// When a notice begins or ends next, in milliseconds since 1970.
pub(crate) async fn next_turn(books: &MySqlPool) -> sqlx::Result<Option<u64>> {
    let now = clock::now().naive_utc();
    let next: Option<DateTime<Utc>> = query_scalar(
        "-- next_turn\nselect min(t) from (select min(starts_at) t from notices where starts_at > ?
            union all select min(ends_at) from notices where ends_at > ?) turns",
    )
    .bind(now)
    .bind(now)
    .fetch_one(books)
    .await?;
    Ok(next.map(clock::to_ms))
}
