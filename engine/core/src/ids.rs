//! Names of things: private fields, `parse` as the only way in, so that whatever holds one holds a valid one.
//!
//! Ids of sales, skus, coupons and users share one alphabet (contract); the scripts' separators `/ | = ,` are outside it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::limits::{ID_CHARS_MAX, IDEMPOTENCY_KEY_CHARS_MAX};

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    #[error("{what} must have 1 to {max} characters of A-Z a-z 0-9 _ -")]
    Name { what: &'static str, max: usize },
    #[error(
        "Idempotency-Key must have 1 to {IDEMPOTENCY_KEY_CHARS_MAX} printable ASCII characters"
    )]
    Key,
    #[error("a reservation id is a UUID, as in 0b2c8f6e-5d1a-8c3e-9f00-3f1d7a9b2c4d")]
    Reservation,
}

fn check_name(what: &'static str, text: &str) -> Result<(), IdError> {
    let fits = (1..=ID_CHARS_MAX).contains(&text.len());
    let known = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    if fits && known {
        Ok(())
    } else {
        Err(IdError::Name {
            what,
            max: ID_CHARS_MAX,
        })
    }
}

macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// # Errors
            /// [`IdError::Name`] where `text` is empty, too long, or has a character outside the alphabet.
            pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                check_name($what, &text)?;
                Ok(Self(text))
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl From<$type> for String {
            fn from(id: $type) -> String {
                id.0
            }
        }
    };
}

name!(
    /// A sale: one timed offer of some skus.
    SaleId, "a sale id"
);
name!(
    /// A first-come coupon.
    CouponId, "a coupon id"
);
name!(
    /// A sellable option of a product.
    SkuId, "a sku"
);
name!(
    /// A buyer or member of staff; opaque, may belong to the shop's own user base.
    UserId, "a user id"
);

/// What a client names a request with, so that repeating it is safe.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// # Errors
    /// [`IdError::Key`] where `text` is empty, longer than 255, or not printable ASCII.
    pub fn parse(text: impl Into<String>) -> Result<Self, IdError> {
        let text = text.into();
        let fits = (1..=IDEMPOTENCY_KEY_CHARS_MAX).contains(&text.len());
        if fits && text.bytes().all(|b| (0x20..=0x7e).contains(&b)) {
            Ok(Self(text))
        } else {
            Err(IdError::Key)
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What lives in Redis under one hash tag: a sale, or a coupon, which lives like one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LiveId {
    Sale(SaleId),
    Coupon(CouponId),
}

impl LiveId {
    /// The hash tag's content: `sale:<id>` or `coupon:<id>`.
    pub fn tag(&self) -> String {
        let (kind, name) = self.kind_and_name();
        [kind, name].concat()
    }

    /// The sale's or coupon's own id.
    pub fn name(&self) -> &str {
        self.kind_and_name().1
    }

    fn kind_and_name(&self) -> (&'static str, &str) {
        match self {
            LiveId::Sale(id) => ("sale:", id.as_str()),
            LiveId::Coupon(id) => ("coupon:", id.as_str()),
        }
    }

    /// The `sale_id` in the books: `<id>` or `coupon:<id>`.
    pub fn book_id(&self) -> String {
        match self {
            LiveId::Sale(id) => id.to_string(),
            LiveId::Coupon(id) => format!("coupon:{id}"),
        }
    }

    /// # Errors
    /// [`IdError::Name`] where the text is neither form.
    pub fn from_book_id(text: &str) -> Result<Self, IdError> {
        match text.strip_prefix("coupon:") {
            Some(id) => Ok(LiveId::Coupon(CouponId::parse(id)?)),
            None => Ok(LiveId::Sale(SaleId::parse(text)?)),
        }
    }
}

impl Serialize for LiveId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for LiveId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let LiveId::Coupon(_) = self {
            f.write_str("coupon:")?;
        }
        f.write_str(self.name())
    }
}

/// A reservation or a claim. Derived from who asks for what under which key, so a repeat names the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ReservationId(Uuid);

impl ReservationId {
    /// The first 128 bits of SHA-256 over sale, user and key, marked as a UUID of version 8 (RFC 9562 §5.8).
    pub fn derive(live: &LiveId, user: &UserId, key: &IdempotencyKey) -> Self {
        let mut hash = Sha256::new();
        // The tag is fed in its two parts, which saves putting it together.
        let (kind, name) = live.kind_and_name();
        hash.update(kind.as_bytes());
        for part in [name, user.as_str(), key.as_str()] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        Self(uuid::Builder::from_custom_bytes(first_16(&hash.finalize())).into_uuid())
    }

    /// # Errors
    /// [`IdError::Reservation`] where `text` is no hyphenated UUID.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        let hyphenated = text.len() == 36;
        Uuid::try_parse(text)
            .ok()
            .filter(|_| hyphenated)
            .map(Self)
            .ok_or(IdError::Reservation)
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(Uuid::from_bytes(bytes))
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        self.0.as_bytes()
    }

    /// Hyphenated, in lower case.
    pub fn text(&self) -> IdText {
        let mut text = [0; uuid::fmt::Hyphenated::LENGTH];
        self.0.hyphenated().encode_lower(&mut text);
        IdText(text)
    }

    pub fn as_uuid(&self) -> Uuid {
        self.0
    }
}

impl fmt::Display for ReservationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

/// A reservation's id as text, without memory of its own.
#[derive(Debug, Clone, Copy)]
pub struct IdText([u8; uuid::fmt::Hyphenated::LENGTH]);

impl std::ops::Deref for IdText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("digits and hyphens")
    }
}

/// 128 bits of SHA-256 over the canonical form of a request's body: equal bodies have equal hashes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct BodyHash([u8; 16]);

impl BodyHash {
    pub fn of(canonical: &[u8]) -> Self {
        Self(first_16(&Sha256::digest(canonical)))
    }

    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

fn first_16(digest: &[u8]) -> [u8; 16] {
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> IdempotencyKey {
        IdempotencyKey::parse(text).unwrap()
    }

    #[test]
    fn names_keep_to_their_alphabet_and_length() {
        for good in ["a", "Drop-1_x", &"x".repeat(64)] {
            assert!(SaleId::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "a b",
            "a/b",
            "a|b",
            "é",
            "a:b",
            "a=b",
            "a,b",
            &"x".repeat(65),
        ] {
            assert!(SaleId::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn keys_are_printable_ascii_up_to_255() {
        assert!(IdempotencyKey::parse("x".repeat(255)).is_ok());
        for bad in [
            String::new(),
            "x".repeat(256),
            "a\tb".into(),
            "é".into(),
            "a\u{7f}".into(),
        ] {
            assert!(IdempotencyKey::parse(bad).is_err());
        }
    }

    #[test]
    fn reservation_ids_differ_by_sale_user_and_key_and_by_nothing_else() {
        let sale = LiveId::Sale(SaleId::parse("s").unwrap());
        let coupon = LiveId::Coupon(CouponId::parse("s").unwrap());
        let (ann, bob) = (UserId::parse("ann").unwrap(), UserId::parse("bob").unwrap());
        let id = ReservationId::derive(&sale, &ann, &key("k"));
        assert_eq!(id, ReservationId::derive(&sale, &ann, &key("k")));
        for other in [
            ReservationId::derive(&coupon, &ann, &key("k")),
            ReservationId::derive(&sale, &bob, &key("k")),
            ReservationId::derive(&sale, &ann, &key("l")),
        ] {
            assert_ne!(id, other);
        }
        assert_eq!(ReservationId::parse(&id.to_string()), Ok(id));
        assert_eq!(id.as_uuid().get_version_num(), 8);
    }

    #[test]
    fn reservation_ids_are_read_in_hyphenated_form_only() {
        for bad in [
            "",
            "x",
            "00000000000000000000000000000000",
            "{00000000-0000-0000-0000-000000000000}",
        ] {
            assert_eq!(
                ReservationId::parse(bad),
                Err(IdError::Reservation),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_coupon_has_its_own_name_in_the_books() {
        let coupon = LiveId::Coupon(CouponId::parse("welcome").unwrap());
        assert_eq!(coupon.book_id(), "coupon:welcome");
        assert_eq!(LiveId::from_book_id("coupon:welcome"), Ok(coupon));
        assert_eq!(
            LiveId::from_book_id("drop-1"),
            Ok(LiveId::Sale(SaleId::parse("drop-1").unwrap()))
        );
    }
}
