//! Money: integer minor units and an ISO 4217 code. No floats, no arithmetic that can wrap.

use std::fmt;

use serde::{Deserialize, Serialize};

/// An amount in the smallest unit of its currency: 19900 KRW is ₩19,900, 19900 USD is $199.00.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Money {
    pub amount: i64,
    pub currency: Currency,
}

/// Three letters, as ISO 4217 writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

/// The text is not three capital letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a currency is three capital letters, as in KRW or USD")]
pub struct CurrencyError;

impl Currency {
    /// # Errors
    /// [`CurrencyError`] where `text` is not three capital letters.
    pub fn parse(text: &str) -> Result<Self, CurrencyError> {
        let letters: [u8; 3] = text.as_bytes().try_into().map_err(|_| CurrencyError)?;
        if letters.iter().all(u8::is_ascii_uppercase) {
            Ok(Self(letters))
        } else {
            Err(CurrencyError)
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|letter| write!(f, "{}", char::from(*letter)))
    }
}

impl TryFrom<String> for Currency {
    type Error = CurrencyError;
    fn try_from(text: String) -> Result<Self, CurrencyError> {
        Self::parse(&text)
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> String {
        currency.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_reads_and_writes_minor_units_and_a_code() {
        let won: Money = serde_json::from_str(r#"{"amount":19900,"currency":"KRW"}"#).unwrap();
        assert_eq!(
            (won.amount, won.currency.to_string()),
            (19_900, "KRW".to_string())
        );
        for bad in [
            r#"{"amount":1.5,"currency":"KRW"}"#,
            r#"{"amount":1,"currency":"krw"}"#,
            r#"{"amount":1,"currency":"KR"}"#,
        ] {
            assert!(serde_json::from_str::<Money>(bad).is_err(), "{bad}");
        }
    }
}
