//! Where a page ends: a position in the order of time and id, which rows that arrive later do not move. Called by `me`.

use std::fmt;

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use doorbuster_core::ids::ReservationId;

use crate::error::ApiError;

/// After this row the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Position {
    pub(crate) created_at: DateTime<Utc>,
    pub(crate) id: ReservationId,
}

impl Position {
    /// # Errors
    /// [`ApiError::InvalidRequest`] where it is no cursor of ours.
    pub(crate) fn parse(text: &str) -> Result<Self, ApiError> {
        let parsed = text.split_once('.').and_then(|(ms, id)| {
            let created_at = clock::from_ms(ms.parse().ok()?);
            Some(Self {
                created_at,
                id: ReservationId::parse(id).ok()?,
            })
        });
        // Written back, it must be the same text: a time that is out of range is none of ours.
        let ours = parsed.filter(|position| position.to_string() == text);
        ours.ok_or_else(|| {
            ApiError::InvalidRequest("cursor must be the next_cursor of another page".to_owned())
        })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", clock::to_ms(self.created_at), self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_back_and_no_other_text_is_one() {
        let position = Position {
            created_at: clock::from_ms(1_700_000_000_123),
            id: ReservationId::from_bytes([7; 16]),
        };
        assert_eq!(Position::parse(&position.to_string()).unwrap(), position);
        for bad in [
            "",
            ".",
            "1",
            "x.07070707-0707-0707-0707-070707070707",
            "1.x",
            "18446744073709551615.07070707-0707-0707-0707-070707070707",
        ] {
            assert!(Position::parse(bad).is_err(), "{bad}");
        }
    }
}
