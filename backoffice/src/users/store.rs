//! SQL of users and their passwords. Called by all that concerns people. Whoever changes what a user may do locks his row first, so that a
//! sign-in cannot slip past a change of password, role or state.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{FromRow, query, query_as, query_scalar};

use super::page::{Position, Wanted};
use crate::accounts::email::Email;
use crate::accounts::person::{RoleWord, State};
use crate::error::ApiError;
use crate::language::Language;
use crate::{email_changes, orders};

/// A user in the books.
#[derive(Debug, Clone)]
pub(crate) struct User {
    pub(crate) id: UserId,
    /// `None` once erased.
    pub(crate) email: Option<Email>,
    pub(crate) role: RoleWord,
    pub(crate) state: State,
    pub(crate) name: String,
    pub(crate) phone: Option<String>,
    pub(crate) language: Language,
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) state_at: DateTime<Utc>,
}

#[derive(FromRow)]
struct UserRow {
    user_id: String,
    email: Option<String>,
    role: String,
    state: String,
    name: String,
    phone: Option<String>,
    language: String,
    created_at: DateTime<Utc>,
    state_at: DateTime<Utc>,
}

impl TryFrom<UserRow> for User {
    type Error = ApiError;

    fn try_from(row: UserRow) -> Result<Self, ApiError> {
        let broken =
            |what| ApiError::Internal(anyhow::anyhow!("the books have a user of no {what}"));
        let email = row.email.as_deref().map(Email::parse).transpose();
        Ok(Self {
            id: UserId::parse(row.user_id).map_err(|_| broken("id"))?,
            email: email.map_err(|_| broken("address"))?,
            role: RoleWord::of_word(&row.role).ok_or_else(|| broken("role"))?,
            state: State::of_word(&row.state).ok_or_else(|| broken("state"))?,
            name: row.name,
            phone: row.phone,
            language: Language::of_code(&row.language),
            created_at: row.created_at,
            state_at: row.state_at,
        })
    }
}

/// # Errors
/// [`ApiError::UnknownUser`] where there is none.
pub(crate) async fn find(books: impl MySqlExecutor<'_>, id: &UserId) -> Result<User, ApiError> {
    let row: Option<UserRow> = query_as(
        "-- find\nselect user_id, email, role, state, name, phone, language, created_at, state_at from users where user_id = ?",
    )
    .bind(id.as_str())
    .fetch_optional(books)
    .await?;
    row.ok_or(ApiError::UnknownUser)?.try_into()
}

/// The same, locked until the transaction ends.
///
/// # Errors
/// [`ApiError::UnknownUser`] where there is none.
pub(crate) async fn lock(tx: &mut MySqlConnection, id: &UserId) -> Result<User, ApiError> {
    let row: Option<UserRow> = query_as(
        "-- lock\nselect user_id, email, role, state, name, phone, language, created_at, state_at from users where user_id = ? for update",
    )
    .bind(id.as_str())
    .fetch_optional(tx)
    .await?;
    row.ok_or(ApiError::UnknownUser)?.try_into()
}

/// Locks his row until the transaction ends, if he has one: whatever is written of him meanwhile comes before an erasure, which takes it
/// along, or not at all. The shop's own users have none.
///
/// # Errors
/// [`ApiError::UnknownUser`] where his account is not active.
pub(crate) async fn lock_if_ours(tx: &mut MySqlConnection, id: &UserId) -> Result<(), ApiError> {
    match lock(tx, id).await {
        Ok(user) if user.state == State::Active => Ok(()),
        Ok(_) => Err(ApiError::UnknownUser),
        Err(ApiError::UnknownUser) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The user with this address, and the hash of his password.
pub(crate) async fn with_password(
    books: &MySqlPool,
    email: &Email,
) -> Result<Option<(UserId, Option<String>)>, ApiError> {
    let row: Option<(String, Option<String>)> = query_as(
        "-- with_password\nselect u.user_id, c.password_hash from users u left join credentials c on c.user_id = u.user_id where u.email = ?",
    )
    .bind(email.as_str())
    .fetch_optional(books)
    .await?;
    row.map(|(id, hash)| {
        Ok((
            UserId::parse(id).map_err(|e| ApiError::Internal(e.into()))?,
            hash,
        ))
    })
    .transpose()
}

pub(crate) async fn by_email(
    books: impl MySqlExecutor<'_>,
    email: &Email,
) -> Result<Option<User>, ApiError> {
    let row: Option<UserRow> = query_as(
        "-- by_email\nselect user_id, email, role, state, name, phone, language, created_at, state_at from users where email = ?",
    )
    .bind(email.as_str())
    .fetch_optional(books)
    .await?;
    row.map(User::try_from).transpose()
}

pub(crate) async fn password_hash(
    books: impl MySqlExecutor<'_>,
    id: &UserId,
) -> sqlx::Result<Option<String>> {
    query_scalar("-- password_hash\nselect password_hash from credentials where user_id = ?")
        .bind(id.as_str())
        .fetch_optional(books)
        .await
}

/// Writes a user down; false where another has the address.
pub(crate) async fn insert(tx: &mut MySqlConnection, user: &User) -> Result<bool, ApiError> {
    let inserted = query(
        "-- insert\ninsert into users (user_id, email, role, state, name, phone, language, created_at, state_at)
        values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(user.id.as_str())
    .bind(user.email.as_ref().map(Email::as_str))
    .bind(user.role.word())
    .bind(user.state.word())
    .bind(&user.name)
    .bind(&user.phone)
    .bind(user.language.code())
    .bind(user.created_at.naive_utc())
    .bind(user.state_at.naive_utc())
    .execute(tx)
    .await;
    match inserted {
        // The id is random, so it is the address. What MySQL says of it names the address, and must not be logged.
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Ok(false),
        other => Ok(other.map(|_| true)?),
    }
}

pub(crate) async fn set_password(
    tx: &mut MySqlConnection,
    id: &UserId,
    hash: &str,
) -> sqlx::Result<()> {
    let now = clock::now().naive_utc();
    query(
        "-- set_password\ninsert into credentials (user_id, password_hash, changed_at) values (?, ?, ?)
        on duplicate key update password_hash = ?, changed_at = ?",
    )
    .bind(id.as_str())
    .bind(hash)
    .bind(now)
    .bind(hash)
    .bind(now)
    .execute(tx)
    .await
    .map(drop)
}

pub(crate) async fn set_profile(tx: &mut MySqlConnection, user: &User) -> sqlx::Result<()> {
    query("-- set_profile\nupdate users set name = ?, phone = ?, language = ? where user_id = ?")
        .bind(&user.name)
        .bind(&user.phone)
        .bind(user.language.code())
        .bind(user.id.as_str())
        .execute(tx)
        .await
        .map(drop)
}

pub(crate) async fn set_role(
    tx: &mut MySqlConnection,
    id: &UserId,
    role: RoleWord,
) -> sqlx::Result<()> {
    query("-- set_role\nupdate users set role = ? where user_id = ?")
        .bind(role.word())
        .bind(id.as_str())
        .execute(tx)
        .await
        .map(drop)
}

pub(crate) async fn set_state(
    tx: &mut MySqlConnection,
    id: &UserId,
    state: State,
) -> sqlx::Result<()> {
    query("-- set_state\nupdate users set state = ?, state_at = ? where user_id = ?")
        .bind(state.word())
        .bind(clock::now().naive_utc())
        .bind(id.as_str())
        .execute(tx)
        .await
        .map(drop)
}

/// Takes away all that tells who the user was. What is left is an id.
pub(crate) async fn erase(tx: &mut MySqlConnection, user: &User) -> sqlx::Result<()> {
    let id = user.id.as_str();
    email_changes::store::forget(&mut *tx, &user.id).await?;
    for statement in [
        "-- erase\ndelete from credentials where user_id = ?",
        "-- erase\ndelete from one_time_tokens where user_id = ?",
        "-- erase\ndelete from addresses where user_id = ?",
        "-- erase\ndelete from refresh_families where user_id = ?",
        "-- erase\ndelete from known_places where user_id = ?",
        "-- erase\ndelete from cart_items where user_id = ?",
        "-- erase\ndelete from wishes where user_id = ?",
    ] {
        query(statement).bind(id).execute(&mut *tx).await?;
    }
    orders::store::forget(&mut *tx, &user.id).await?;
    if let Some(email) = &user.email {
        for statement in [
            "-- erase\ndelete from sign_ups where email = ?",
            "-- erase\ndelete from mails where recipient = ?",
        ] {
            query(statement)
                .bind(email.as_str())
                .execute(&mut *tx)
                .await?;
        }
    }
    query(
        "-- erase\nupdate users set email = null, name = '', phone = null, state = 'erased', state_at = ? where user_id = ?",
    )
    .bind(clock::now().naive_utc())
    .bind(id)
    .execute(tx)
    .await
    .map(drop)
}

/// Locks all active admins, and counts them: two who leave at once see each other.
pub(crate) async fn lock_admins(tx: &mut MySqlConnection) -> sqlx::Result<usize> {
    let admins: Vec<String> = query_scalar(
        "-- lock_admins\nselect user_id from users where role = 'admin' and state = 'active' order by user_id for update",
    )
    .fetch_all(tx)
    .await?;
    Ok(admins.len())
}

/// At most `wanted.rows` users, newest first.
pub(crate) async fn page(books: &MySqlPool, wanted: &Wanted) -> Result<Vec<User>, ApiError> {
    let (email, role, state) = (
        wanted.email.as_ref().map(Email::as_str),
        wanted.role.map(RoleWord::word),
        wanted.state.map(State::word),
    );
    let (created_at, id) = match &wanted.after {
        Some(Position { created_at, id }) => (Some(created_at.naive_utc()), Some(id.as_str())),
        None => (None, None),
    };
    let rows: Vec<UserRow> = query_as(
        "-- page\nselect user_id, email, role, state, name, phone, language, created_at, state_at from users
        where (? is null or email = ?) and (? is null or role = ?) and (? is null or state = ?)
            and (? is null or created_at < ? or (created_at = ? and user_id < ?))
        order by created_at desc, user_id desc limit ?",
    )
    .bind(email)
    .bind(email)
    .bind(role)
    .bind(role)
    .bind(state)
    .bind(state)
    .bind(created_at)
    .bind(created_at)
    .bind(created_at)
    .bind(id)
    .bind(wanted.rows)
    .fetch_all(books)
    .await?;
    rows.into_iter().map(User::try_from).collect()
}
