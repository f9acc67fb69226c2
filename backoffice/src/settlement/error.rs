//! Why a settlement is refused, and with which HTTP status. Called by `crate::error`, which writes the answer.

use axum::http::StatusCode;
use uuid::Uuid;

use crate::error::ApiError;

/// A refusal in the words of settlement.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("this period has not been settled")]
    UnknownSettlement,
    #[error("the period has no statement of this seller in this currency")]
    UnknownStatement,
    #[error(
        "the statement has too many entries to be read here: doorbuster-backoffice settle --month … --out <directory> writes it"
    )]
    StatementTooLong,
    #[error("the period is not over yet")]
    NotOver,
    #[error("a later month is closed, so this one cannot be any more")]
    LaterClosed,
    #[error(
        "{0} comes first: it has sales that are not settled, or its run did not come to its end"
    )]
    EarlierOpen(String),
    #[error(
        "event {1} of order {0} contradicts the books and is not posted; once it does not: doorbuster-backoffice settle --repost-refused"
    )]
    EventRefused(Uuid, u32),
    #[error("it does not come to what it came to when it was closed: {0}")]
    Altered(String),
    #[error("nothing is to be paid out, or it was paid under another reference")]
    NothingDue,
}

impl Refusal {
    pub(crate) fn answer(&self) -> (StatusCode, &'static str) {
        use StatusCode as S;
        match self {
            Self::UnknownSettlement => (S::NOT_FOUND, "unknown_settlement"),
            Self::UnknownStatement => (S::NOT_FOUND, "unknown_statement"),
            Self::StatementTooLong => (S::CONFLICT, "statement_too_long"),
            Self::NotOver => (S::CONFLICT, "not_over"),
            Self::LaterClosed => (S::CONFLICT, "later_closed"),
            Self::EarlierOpen(_) => (S::CONFLICT, "earlier_open"),
            Self::EventRefused(..) => (S::CONFLICT, "event_refused"),
            Self::Altered(_) => (S::CONFLICT, "settlement_altered"),
            Self::NothingDue => (S::CONFLICT, "nothing_due"),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        Self::Settlement(refusal)
    }
}
