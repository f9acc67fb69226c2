//! The claims of a token as they stand in it, before anybody has judged them.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IntoDeserializer as _;
use serde::de::value::{Error, StrDeserializer};

use super::{ACCESS, AUDIENCE, ISSUER, Role};

/// [`super::Claims`], unjudged.
#[derive(Debug, PartialEq, Eq, Deserialize)]
pub(super) struct Unjudged<'a> {
    #[serde(borrow)]
    pub(super) sub: Cow<'a, str>,
    pub(super) role: Role,
    #[serde(default, rename = "gen")]
    pub(super) generation: u64,
    pub(super) iat: u64,
    pub(super) exp: u64,
    #[serde(borrow)]
    pub(super) iss: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) aud: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) typ: Cow<'a, str>,
}

impl<'a> Unjudged<'a> {
    /// Nothing where `json` is not the claims of a token.
    pub(super) fn read(json: &'a str) -> Option<Self> {
        Self::as_written(json).or_else(|| serde_json::from_str(json).ok())
    }

    /// Claims written to the byte as [`super::TokenKeys::sign`] writes them, without looking for what else JSON could say; nothing where
    /// they are written otherwise.
    fn as_written(json: &'a str) -> Option<Self> {
        let (sub, rest) = json.strip_prefix(r#"{"sub":""#)?.split_once('"')?;
        let (role, rest) = rest.strip_prefix(r#","role":""#)?.split_once('"')?;
        let (generation, rest) = digits(rest.strip_prefix(r#","gen":"#)?)?;
        let (iat, rest) = digits(rest.strip_prefix(r#","iat":"#)?)?;
        let (exp, rest) = digits(rest.strip_prefix(r#","exp":"#)?)?;
        let role: StrDeserializer<'_, Error> = role.into_deserializer();
        let role = Role::deserialize(role).ok()?;
        let is_ours = rest == r#","iss":"doorbuster","aud":"doorbuster","typ":"access"}"#;
        // An escape, or what JSON has no place for unescaped.
        let is_plain = sub.bytes().all(|b| b != b'\\' && !b.is_ascii_control());
        (is_ours && is_plain).then_some(Self {
            sub: sub.into(),
            role,
            generation,
            iat,
            exp,
            iss: ISSUER.into(),
            aud: AUDIENCE.into(),
            typ: ACCESS.into(),
        })
    }
}

/// A number as JSON writes one that is whole and not negative, and what follows it.
fn digits(text: &str) -> Option<(u64, &str)> {
    let end = text.bytes().position(|b| !b.is_ascii_digit())?;
    let (digits, rest) = text.split_at(end);
    let is_padded = digits.len() > 1 && digits.starts_with('0');
    (!is_padded).then_some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::super::Claims;
    use super::*;
    use crate::ids::UserId;

    fn claims() -> Claims {
        let ann = UserId::parse("ann").unwrap();
        Claims::access(ann, Role::Buyer, 1_700_000_000, 3_600)
    }

    #[test]
    fn claims_as_we_write_them_are_read_as_any_json_is() {
        for role in [Role::Buyer, Role::Operator, Role::Finance, Role::Admin] {
            let mut claims = Claims { role, ..claims() };
            claims.generation = u64::MAX;
            let json = serde_json::to_string(&claims).unwrap();
            let any: Unjudged<'_> = serde_json::from_str(&json).unwrap();
            assert_eq!(Unjudged::as_written(&json), Some(any));
        }
    }

    #[test]
    fn nothing_that_json_says_otherwise_is_read_as_ours() {
        let ours = serde_json::to_string(&claims()).unwrap();
        for at in 0..ours.len() {
            for byte in (0..=0x7f_u8).map(char::from) {
                let mut altered = ours.clone();
                altered.replace_range(at..=at, byte.encode_utf8(&mut [0; 4]));
                let Some(quick) = Unjudged::as_written(&altered) else {
                    continue;
                };
                let any: Unjudged<'_> = serde_json::from_str(&altered).expect("JSON");
                assert_eq!(quick, any, "{altered}");
            }
            assert!(Unjudged::as_written(&ours[..at]).is_none());
        }
        for (from, to) in [
            ("\"gen\":0", "\"gen\":00"),
            ("ann", "a\\u006en"),
            ("}", "} "),
        ] {
            assert!(Unjudged::as_written(&ours.replace(from, to)).is_none());
        }
    }
}
