//! Text in Korean and English, and the parts of a body that all things of the catalog share. Pure.

use doorbuster_core::money::Money;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ids::Named;
use crate::error::ApiError;
use crate::limits::TITLE_CHARS_MAX;
use crate::validate::Problems;

/// The same in Korean and in English; a draft may lack one of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"ko": "머그컵", "en": "Mug"}))]
pub(crate) struct Text {
    #[serde(default)]
    pub ko: String,
    #[serde(default)]
    pub en: String,
}

/// A unit's price: minor units and an ISO 4217 code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub(crate) struct Amount {
    #[schema(example = 19900)]
    pub amount: i64,
    #[schema(example = "KRW")]
    pub currency: String,
}

impl From<Money> for Amount {
    fn from(money: Money) -> Self {
        Self {
            amount: money.amount,
            currency: money.currency.to_string(),
        }
    }
}

impl Text {
    /// A short line in both languages, neither of which may be missing.
    pub(crate) fn title(self, problems: &mut Problems, at: &str) -> Option<Self> {
        let ko = problems.title(&format!("{at}/ko"), &self.ko);
        let en = problems.title(&format!("{at}/en"), &self.en);
        Some(Self { ko: ko?, en: en? })
    }

    /// The same, where one of the two may be missing yet.
    pub(crate) fn draft_title(self, problems: &mut Problems, at: &str) -> Option<Self> {
        let known = [("ko", &self.ko), ("en", &self.en)]
            .into_iter()
            .filter(|(_, text)| !text.is_empty());
        let mut count = 0;
        let mut fits = true;
        for (language, text) in known {
            count += 1;
            fits &= problems.title(&format!("{at}/{language}"), text).is_some();
        }
        if count == 0 {
            problems.add(
                at,
                format_args!(
                    "must have 1 to {TITLE_CHARS_MAX} characters in one language at least"
                ),
            );
        }
        (fits && count > 0).then_some(self)
    }

    /// Longer text of several lines, which may be missing.
    pub(crate) fn prose(self, problems: &mut Problems, at: &str, chars_max: usize) -> Option<Self> {
        let mut fits = true;
        for (language, text) in [("ko", &self.ko), ("en", &self.en)] {
            let readable = !text.chars().any(|c| c.is_control() && c != '\n');
            if !readable || text.chars().count() > chars_max {
                let pointer = format!("{at}/{language}");
                problems.add(pointer, format_args!("must be at most {chars_max} characters, without control characters but line ends"));
                fits = false;
            }
        }
        fits.then_some(self)
    }
}

/// What a `POST` of something new names it.
pub(crate) fn new_id<T: Named>(
    problems: &mut Problems,
    id: Option<String>,
    version: Option<u32>,
) -> Option<T> {
    if version.is_some() {
        problems.add("/version", "must be absent: what is new has none yet");
    }
    let Some(id) = id else {
        problems.add("/id", "must be there");
        return None;
    };
    problems.parsed("/id", T::parse(id))
}

/// The version that a `PUT` has seen; its id, where it has one, is the path's.
pub(crate) fn seen_version(
    problems: &mut Problems,
    path: &str,
    id: Option<&str>,
    version: Option<u32>,
) -> Option<u32> {
    if id.is_some_and(|id| id != path) {
        problems.add("/id", "must be the path's, or absent");
    }
    if version.is_none() {
        problems.add(
            "/version",
            "must be the one that was read, so that no edit of others is lost",
        );
    }
    version
}

/// For values that are there whenever no problem was found.
///
/// # Errors
/// [`ApiError::InvalidFields`] where there was any.
pub(crate) fn checked<T>(problems: Problems, value: Option<T>) -> Result<T, ApiError> {
    problems.none()?;
    Ok(value.expect("a field is missing only together with a problem"))
}
