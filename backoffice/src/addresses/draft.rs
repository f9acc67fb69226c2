//! An address as a user writes it, and what it must be to be kept. Pure. Called by the handlers of `addresses`.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::error::ApiError;
use crate::limits::{
    ADDRESS_LINE_CHARS_MAX, NAME_CHARS_MAX, PHONE_CHARS_MAX, POSTAL_CODE_CHARS_MAX,
};
use crate::validate::Problems;

/// An address to be kept.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"recipient": "Ann Lee", "phone": "+82-10-1234-5678", "country": "KR", "postal_code": "04524",
    "line1": "서울특별시 중구 세종대로 110", "line2": "5층", "is_default": true}))]
pub(crate) struct AddressBody {
    #[schema(min_length = 1, max_length = 100)]
    pub recipient: String,
    #[schema(max_length = 32, pattern = "^[+0-9][0-9 ()-]{3,31}$")]
    pub phone: String,
    /// ISO 3166-1 alpha-2
    #[schema(pattern = "^[A-Z]{2}$")]
    pub country: String,
    #[schema(pattern = "^[0-9A-Za-z -]{2,16}$")]
    pub postal_code: String,
    #[schema(min_length = 1, max_length = 200)]
    pub line1: String,
    #[serde(default)]
    #[schema(max_length = 200)]
    pub line2: String,
    /// Taken where an order names none
    #[serde(default)]
    pub is_default: bool,
}

/// An address that may be kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) recipient: String,
    pub(crate) phone: String,
    pub(crate) country: String,
    pub(crate) postal_code: String,
    pub(crate) line1: String,
    pub(crate) line2: String,
    pub(crate) is_default: bool,
}

impl AddressBody {
    /// # Errors
    /// [`ApiError::InvalidFields`] with every problem there is.
    pub(crate) fn validate(self) -> Result<Address, ApiError> {
        let mut problems = Problems::default();
        let recipient = problems.line("/recipient", &self.recipient, 1..=NAME_CHARS_MAX);
        let phone = problems.phone("/phone", &self.phone, PHONE_CHARS_MAX);
        let is_country =
            self.country.len() == 2 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        if !is_country {
            problems.add(
                "/country",
                "must be two letters A-Z (ISO 3166-1), such as KR",
            );
        }
        let is_code = (2..=POSTAL_CODE_CHARS_MAX).contains(&self.postal_code.len())
            && (self.postal_code.bytes()).all(|b| b.is_ascii_alphanumeric() || b" -".contains(&b));
        if !is_code {
            problems.add(
                "/postal_code",
                format_args!("must be 2 to {POSTAL_CODE_CHARS_MAX} of 0-9 A-Z a-z, space and -"),
            );
        }
        let line1 = problems.line("/line1", &self.line1, 1..=ADDRESS_LINE_CHARS_MAX);
        let line2 = problems.line("/line2", &self.line2, 0..=ADDRESS_LINE_CHARS_MAX);
        problems.none()?;
        let missing = "a field is missing only together with a problem";
        Ok(Address {
            recipient: recipient.expect(missing),
            phone: phone.expect(missing),
            country: self.country,
            postal_code: self.postal_code,
            line1: line1.expect(missing),
            line2: line2.expect(missing),
            is_default: self.is_default,
        })
    }
}
