//! SQL of the tree of categories. Called by the handlers of `categories`, and by the shop, which shows the tree.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, query, query_as};

use super::tree::{Node, Tree};
use super::{Category, CategoryView};
use crate::catalog::error::Refusal;
use crate::catalog::ids::CategoryId;
use crate::catalog::text::Text;
use crate::error::ApiError;

#[derive(FromRow)]
struct CategoryRow {
    category_id: String,
    parent_id: Option<String>,
    title_ko: String,
    title_en: String,
    position: u32,
    version: u32,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<CategoryRow> for CategoryView {
    fn from(row: CategoryRow) -> Self {
        let written = |at| clock::rfc3339(clock::to_ms(at));
        Self {
            id: row.category_id,
            parent: row.parent_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            position: row.position,
            version: row.version,
            created_at: written(row.created_at),
            updated_at: written(row.updated_at),
        }
    }
}

impl From<CategoryRow> for Node {
    fn from(row: CategoryRow) -> Self {
        Self {
            id: row.category_id,
            parent: row.parent_id,
            title: Text {
                ko: row.title_ko,
                en: row.title_en,
            },
            position: row.position,
        }
    }
}

pub(crate) async fn tree(books: impl MySqlExecutor<'_>) -> sqlx::Result<Tree> {
    let rows = rows(books).await?;
    Ok(Tree::new(rows.into_iter().map(Node::from).collect()))
}

pub(crate) async fn all(books: &MySqlPool) -> sqlx::Result<Vec<CategoryView>> {
    let rows = rows(books).await?;
    Ok(rows.into_iter().map(CategoryView::from).collect())
}

async fn rows(books: impl MySqlExecutor<'_>) -> sqlx::Result<Vec<CategoryRow>> {
    query_as(
        "-- rows\nselect category_id, parent_id, title_ko, title_en, position, version, created_at, updated_at
        from categories order by category_id",
    )
    .fetch_all(books)
    .await
}

/// # Errors
/// [`Refusal::CategoryExists`] where the id is taken.
pub(crate) async fn insert(
    tx: &mut MySqlConnection,
    id: &CategoryId,
    category: &Category,
) -> Result<(), ApiError> {
    let now = clock::now().naive_utc();
    let inserted = query(
        "-- insert\ninsert into categories
            (category_id, parent_id, title_ko, title_en, position, version, created_at, updated_at)
        values (?, ?, ?, ?, ?, 1, ?, ?)",
    )
    .bind(id.as_str())
    .bind(&category.parent)
    .bind(&category.title.ko)
    .bind(&category.title.en)
    .bind(category.position)
    .bind(now)
    .bind(now)
    .execute(tx)
    .await;
    match inserted {
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => {
            Err(Refusal::CategoryExists.into())
        }
        other => Ok(other.map(drop)?),
    }
}

/// # Errors
/// [`Refusal::UnknownCategory`] where there is none.
pub(crate) async fn find(books: &MySqlPool, id: &CategoryId) -> Result<CategoryView, ApiError> {
    let row: Option<CategoryRow> = query_as(
        "-- find\nselect category_id, parent_id, title_ko, title_en, position, version, created_at, updated_at
        from categories where category_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    Ok(row.ok_or(Refusal::UnknownCategory)?.into())
}

/// What it is so far.
///
/// # Errors
/// [`Refusal::UnknownCategory`]; [`Refusal::VersionConflict`] where `version` is not the present one.
pub(crate) async fn before(
    tx: &mut MySqlConnection,
    id: &CategoryId,
    version: u32,
) -> Result<Category, ApiError> {
    let row: Option<(u32, Option<String>, String, String, u32)> =
        query_as("-- before\nselect version, parent_id, title_ko, title_en, position from categories where category_id = ?")
            .bind(id.as_str())
            .fetch_optional(tx)
            .await?;
    let (present, parent, ko, en, position) = row.ok_or(Refusal::UnknownCategory)?;
    if present == version {
        let title = Text { ko, en };
        Ok(Category {
            parent,
            title,
            position,
        })
    } else {
        Err(Refusal::VersionConflict { version: present }.into())
    }
}

pub(crate) async fn update(
    tx: &mut MySqlConnection,
    id: &CategoryId,
    category: &Category,
) -> sqlx::Result<()> {
    query(
        "-- update\nupdate categories
        set parent_id = ?, title_ko = ?, title_en = ?, position = ?, version = version + 1, updated_at = ?
        where category_id = ?",
    )
    .bind(&category.parent)
    .bind(&category.title.ko)
    .bind(&category.title.en)
    .bind(category.position)
    .bind(clock::now().naive_utc())
    .bind(id.as_str())
    .execute(tx)
    .await
    .map(drop)
}

/// # Errors
/// [`Refusal::CategoryInUse`] where a category or a product is below it.
pub(crate) async fn delete(tx: &mut MySqlConnection, id: &CategoryId) -> Result<(), ApiError> {
    let deleted = query("-- delete\ndelete from categories where category_id = ?")
        .bind(id.as_str())
        .execute(tx)
        .await;
    match deleted {
        Err(sqlx::Error::Database(e)) if e.is_foreign_key_violation() => {
            Err(Refusal::CategoryInUse.into())
        }
        Err(other) => Err(other.into()),
        Ok(done) if done.rows_affected() == 0 => Err(Refusal::UnknownCategory.into()),
        Ok(_) => Ok(()),
    }
}
