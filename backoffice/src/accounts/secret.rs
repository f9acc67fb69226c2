//! Texts that nobody but their owner may see: passwords and tokens in requests. None of them appears in `Debug`, and so in no log.

use std::fmt;

use serde::Deserialize;

use super::email::Email;
use crate::error::ApiError;
use crate::limits::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
use crate::validate::Problems;

const NOT_THE_ADDRESS: &str = "must not be the e-mail address";

/// A secret of a request's body, unjudged.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }

    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// A password that may be tried.
#[derive(Clone)]
pub(crate) struct Password(Secret);

impl Password {
    /// One that somebody chooses: long enough, and not his own address.
    pub(crate) fn chosen(
        problems: &mut Problems,
        pointer: &str,
        secret: Secret,
        email: Option<&Email>,
    ) -> Option<Self> {
        let text = secret.expose();
        if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&text.chars().count()) {
            problems.add(
                pointer,
                format_args!("must be {PASSWORD_CHARS_MIN} to {PASSWORD_CHARS_MAX} characters"),
            );
            return None;
        }
        let password = Self(secret);
        if email.is_some_and(|email| password.is_like(email.as_str())) {
            problems.add(pointer, NOT_THE_ADDRESS);
            return None;
        }
        Some(password)
    }

    /// The same by a link, of which it is not known yet whose it is; [`Password::must_not_be`] is asked once it is.
    ///
    /// # Errors
    /// [`ApiError::InvalidFields`].
    pub(crate) fn long_enough(pointer: &str, secret: Secret) -> Result<Self, ApiError> {
        let mut problems = Problems::default();
        let password = Self::chosen(&mut problems, pointer, secret, None);
        problems.none()?;
        Ok(password.expect("a password is missing only together with a problem"))
    }

    /// # Errors
    /// [`ApiError::InvalidFields`] where it is the address.
    pub(crate) fn must_not_be(&self, pointer: &str, email: &str) -> Result<(), ApiError> {
        let mut problems = Problems::default();
        if self.is_like(email) {
            problems.add(pointer, NOT_THE_ADDRESS);
        }
        problems.none()
    }

    fn is_like(&self, email: &str) -> bool {
        email.eq_ignore_ascii_case(self.expose().trim())
    }

    /// One that somebody claims to have: bounded, so that hashing it is too.
    pub(crate) fn claimed(problems: &mut Problems, pointer: &str, secret: Secret) -> Option<Self> {
        if (1..=PASSWORD_CHARS_MAX).contains(&secret.expose().chars().count()) {
            return Some(Self(secret));
        }
        problems.add(
            pointer,
            format_args!("must be 1 to {PASSWORD_CHARS_MAX} characters"),
        );
        None
    }

    pub(crate) fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(text: &str) -> bool {
        let mut problems = Problems::default();
        let email = Email::parse("ann@shop.example").unwrap();
        Password::chosen(&mut problems, "/password", Secret::new(text), Some(&email)).is_some()
    }

    #[test]
    fn passwords_are_as_long_as_they_may_be_and_not_the_address() {
        assert!(chosen("12345678") && chosen(&"가".repeat(128)));
        for bad in ["", "1234567", "Ann@shop.example", &"x".repeat(129)] {
            assert!(!chosen(bad), "{bad}");
        }
    }

    #[test]
    fn no_debug_shows_one() {
        let mut problems = Problems::default();
        let password = Password::claimed(&mut problems, "/password", Secret::new("hunter22"));
        assert!(!format!("{password:?} {:?}", Secret::new("hunter22")).contains("hunter22"));
    }
}
