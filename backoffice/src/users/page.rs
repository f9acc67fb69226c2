//! Which users a page shows, and where it ends. Called by `users`.

use std::fmt;

use chrono::{DateTime, TimeZone as _, Utc};
use doorbuster_core::ids::UserId;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::accounts::email::Email;
use crate::accounts::person::{RoleWord, State};
use crate::error::ApiError;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};

/// Which users are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct UsersQuery {
    /// The one with this address
    pub email: Option<String>,
    pub role: Option<RoleWord>,
    pub state: Option<State>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// The same, judged.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) email: Option<Email>,
    pub(crate) role: Option<RoleWord>,
    pub(crate) state: Option<State>,
    pub(crate) rows: u32,
    pub(crate) after: Option<Position>,
}

/// After this user the next page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) id: UserId,
}

impl UsersQuery {
    /// # Errors
    /// [`ApiError::InvalidRequest`].
    pub(crate) fn validate(self) -> Result<Wanted, ApiError> {
        let rows = self.limit.unwrap_or(PAGE_ROWS_DEFAULT);
        if !(1..=PAGE_ROWS_MAX).contains(&rows) {
            return Err(ApiError::InvalidRequest(format!(
                "limit must be 1 to {PAGE_ROWS_MAX}"
            )));
        }
        let email = self.email.as_deref().map(Email::parse).transpose();
        let email = email.map_err(|e| ApiError::InvalidRequest(format!("email {e}")))?;
        let after = self.cursor.as_deref().map(Position::parse).transpose()?;
        Ok(Wanted {
            email,
            role: self.role,
            state: self.state,
            rows,
            after,
        })
    }
}

impl Position {
    fn parse(text: &str) -> Result<Self, ApiError> {
        let parsed = text.split_once('.').and_then(|(us, id)| {
            let created_at = Utc.timestamp_micros(us.parse().ok()?).single()?;
            let id = UserId::parse(id).ok()?;
            Some(Self { created_at, id })
        });
        let ours = parsed.filter(|position| position.to_string() == text);
        ours.ok_or_else(|| {
            ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.created_at.timestamp_micros(), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_no_other_text_is_one() {
        let position = Position {
            created_at: Utc.timestamp_micros(1_700_000_000_123_456).unwrap(),
            id: UserId::parse("u-1").unwrap(),
        };
        assert_eq!(Position::parse(&position.to_string()).unwrap(), position);
        for bad in [
            "",
            ".",
            "1",
            "x.u-1",
            "1.a b",
            "01.u-1",
            "99999999999999999999.u-1",
        ] {
            assert!(Position::parse(bad).is_err(), "{bad}");
        }
    }
}
