//! Collects what is wrong with a body, field by field, so that a client learns all of it at once. Called by `sales` and `coupons`.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::error::{ApiError, FieldProblem};
use crate::limits::TITLE_CHARS_MAX;

/// The problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems(Vec<FieldProblem>);

impl Problems {
    pub(crate) fn add(&mut self, pointer: impl Into<String>, detail: impl Display) {
        self.0.push(FieldProblem {
            pointer: pointer.into(),
            detail: detail.to_string(),
        });
    }

    /// The value, or `None` and a problem.
    pub(crate) fn parsed<T, E: Display>(
        &mut self,
        pointer: &str,
        parsed: Result<T, E>,
    ) -> Option<T> {
        parsed.map_err(|problem| self.add(pointer, problem)).ok()
    }

    /// `value` as a count within `bounds`, or `None` and a problem.
    pub(crate) fn number(
        &mut self,
        pointer: &str,
        value: i64,
        bounds: RangeInclusive<u32>,
    ) -> Option<u32> {
        let number = u32::try_from(value).ok().filter(|n| bounds.contains(n));
        if number.is_none() {
            self.add(
                pointer,
                format_args!("must be {} to {}", bounds.start(), bounds.end()),
            );
        }
        number
    }

    /// A title: text that people can read.
    pub(crate) fn title(&mut self, pointer: &str, text: &str) -> Option<String> {
        let fits = (1..=TITLE_CHARS_MAX).contains(&text.chars().count());
        let readable = !text.trim().is_empty() && !text.chars().any(char::is_control);
        if !(fits && readable) {
            self.add(pointer, format_args!("must be 1 to {TITLE_CHARS_MAX} characters, not all spaces, without control characters"));
        }
        (fits && readable).then(|| text.to_owned())
    }

    /// # Errors
    /// [`ApiError::InvalidFields`] where there is any.
    pub(crate) fn none(self) -> Result<(), ApiError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(ApiError::InvalidFields(self.0))
        }
    }
}
