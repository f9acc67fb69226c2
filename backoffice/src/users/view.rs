//! A user as staff and he himself see him. Called by `users`, `profile` and `sessions`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::store::User;
use crate::accounts::email::Email;
use crate::accounts::person::{RoleWord, State};
use crate::language::Language;

/// A user.
#[derive(Serialize, ToSchema)]
pub(crate) struct UserView {
    #[schema(example = "u-3f1d7a9b2c4d4e5f8a9b0c1d2e3f4a5b")]
    pub id: String,
    /// Null once erased
    #[schema(example = "ann@shop.example")]
    pub email: Option<String>,
    pub role: RoleWord,
    pub state: State,
    #[schema(example = "Ann Lee")]
    pub name: String,
    #[schema(example = "+82-10-1234-5678")]
    pub phone: Option<String>,
    /// In which mails are written
    pub language: Language,
    #[schema(format = DateTime)]
    pub created_at: String,
    /// Of the last change of `state`
    #[schema(format = DateTime)]
    pub state_at: String,
}

/// A page of users, newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct UsersPage {
    pub users: Vec<UserView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

impl From<User> for UserView {
    fn from(user: User) -> Self {
        let written = |at: DateTime<Utc>| clock::rfc3339(clock::to_ms(at));
        Self {
            id: user.id.to_string(),
            email: user.email.as_ref().map(Email::as_str).map(str::to_owned),
            role: user.role,
            state: user.state,
            name: user.name,
            phone: user.phone,
            language: user.language,
            created_at: written(user.created_at),
            state_at: written(user.state_at),
        }
    }
}
