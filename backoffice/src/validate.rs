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

    /// One line of text that people can read, without spaces around it; empty only where that is allowed.
    pub(crate) fn line(
        &mut self,
        pointer: &str,
        text: &str,
        chars: RangeInclusive<usize>,
    ) -> Option<String> {
        let text = text.trim();
        let fits = chars.contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if !fits {
            self.add(
                pointer,
                format_args!(
                    "must be {} to {} characters, not counting spaces around them, without control characters",
                    chars.start(),
                    chars.end()
                ),
            );
        }
        fits.then(|| text.to_owned())
    }

    /// A phone number as people write it.
    pub(crate) fn phone(&mut self, pointer: &str, text: &str, chars_max: usize) -> Option<String> {
        let (first, rest) = text.split_at_checked(1).unwrap_or_default();
        let begins = first.bytes().all(|b| b.is_ascii_digit() || b == b'+') && !first.is_empty();
        let goes_on = rest
            .bytes()
            .all(|b| b.is_ascii_digit() || b" ()-".contains(&b));
        let fits = begins && goes_on && (4..=chars_max).contains(&text.len());
        if !fits {
            self.add(
                pointer,
                format_args!(
                    "must be 4 to {chars_max} of 0-9, space, ( ) and -, after + or a digit"
                ),
            );
        }
        fits.then(|| text.to_owned())
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
