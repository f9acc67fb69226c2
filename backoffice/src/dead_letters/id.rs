//! The name of a dead letter: its sale and its event's number.

use std::fmt;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use doorbuster_core::ids::LiveId;

use crate::error::ApiError;

/// e.g. `drop-1:42`, `coupon:welcome:7`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LetterId {
    pub(crate) live: LiveId,
    pub(crate) seq: u64,
}

impl LetterId {
    /// `None` where it is no name of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sale, seq) = text.rsplit_once(':')?;
        let id = Self {
            live: LiveId::from_book_id(sale).ok()?,
            seq: seq.parse().ok()?,
        };
        (id.to_string() == text).then_some(id)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.live.book_id(), self.seq)
    }
}

/// The letter that the path names.
#[derive(Debug)]
pub(crate) struct LetterPath(pub LetterId);

impl<S: Send + Sync> FromRequestParts<S> for LetterPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(id) = Path::<String>::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::UnknownDeadLetter)?;
        LetterId::parse(&id)
            .map(Self)
            .ok_or(ApiError::UnknownDeadLetter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_and_no_other_text_is_one() {
        for good in ["drop-1:42", "coupon:welcome:7"] {
            assert_eq!(LetterId::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "",
            ":",
            "drop-1",
            "drop-1:",
            "drop-1:x",
            "drop-1:042",
            "a b:1",
            "drop-1:-1",
        ] {
            assert_eq!(LetterId::parse(bad), None, "{bad}");
        }
    }
}
