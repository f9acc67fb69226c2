//! Tokens that are no access tokens: those in mails, and refresh tokens. Their keys are derived from the token secret, so that none passes for
//! another; MySQL has their hashes alone.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorbuster_core::claims::SecretTooShort;
use doorbuster_core::limits::TOKEN_SECRET_BYTES_MIN;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngCore as _;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::secret::Secret;

type HmacSha256 = Hmac<Sha256>;

const MAILED: &[u8] = b"doorbuster mailed token v1";
const REFRESH: &[u8] = b"doorbuster refresh token v1";

/// SHA-256 of a token, as MySQL has it.
pub(crate) type Hash = [u8; 32];
/// What a mailed token is made of.
pub(crate) type Nonce = [u8; 16];

/// The keys of mailed and of refresh tokens.
#[derive(Clone)]
pub(crate) struct AccountKeys {
    mailed: HmacSha256,
    refresh: HmacSha256,
}

impl AccountKeys {
    /// # Errors
    /// [`SecretTooShort`] below 32 bytes.
    pub(crate) fn derive(secret: &[u8]) -> Result<Self, SecretTooShort> {
        let derived = |purpose: &[u8]| {
            let secret = Some(secret).filter(|secret| secret.len() >= TOKEN_SECRET_BYTES_MIN);
            let key = HmacSha256::new_from_slice(secret.ok_or(SecretTooShort)?)
                .map_err(|_| SecretTooShort)?
                .chain_update(purpose)
                .finalize()
                .into_bytes();
            HmacSha256::new_from_slice(&key).map_err(|_| SecretTooShort)
        };
        Ok(Self {
            mailed: derived(MAILED)?,
            refresh: derived(REFRESH)?,
        })
    }

    /// The token of a mail. It is made of the nonce again when the mail is sent, so that the mail's row lets nobody in.
    pub(crate) fn mailed(&self, nonce: &Nonce) -> Secret {
        let mac = self.mailed.clone().chain_update(nonce).finalize();
        Secret::new(URL_SAFE_NO_PAD.encode(mac.into_bytes()))
    }

    /// The secret of the token that follows one of `family`. Made of the one before, so that a repeat whose answer was lost gets the same.
    pub(crate) fn successor(&self, before: &RefreshToken) -> RefreshToken {
        let generation = before.generation.saturating_add(1);
        let mac = (self.refresh.clone())
            .chain_update(before.family.as_bytes())
            .chain_update(generation.to_be_bytes())
            .chain_update(before.secret)
            .finalize();
        RefreshToken {
            family: before.family,
            generation,
            secret: mac.into_bytes().into(),
        }
    }
}

/// A refresh token, taken apart: its family, its number in it, and what nobody can guess.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) family: Uuid,
    pub(crate) generation: u32,
    secret: [u8; 32],
}

impl RefreshToken {
    const BYTES: usize = 16 + 4 + 32;

    /// The first of a new family.
    pub(crate) fn first() -> Self {
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        Self {
            family: Uuid::new_v4(),
            generation: 1,
            secret,
        }
    }

    pub(crate) fn parse(token: &Secret) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        let length = URL_SAFE_NO_PAD
            .decode_slice(token.expose(), &mut bytes)
            .ok()?;
        if length != Self::BYTES {
            return None;
        }
        Some(Self {
            family: Uuid::from_slice(&bytes[..16]).ok()?,
            generation: u32::from_be_bytes(bytes[16..20].try_into().ok()?),
            secret: bytes[20..].try_into().ok()?,
        })
    }

    /// As its owner has it.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(self.family.as_bytes());
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.secret);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(crate) fn hash(&self) -> Hash {
        Sha256::digest(self.secret).into()
    }
}

pub(crate) fn nonce() -> Nonce {
    let mut nonce = Nonce::default();
    rand::rng().fill_bytes(&mut nonce);
    nonce
}

/// Of a mailed token.
pub(crate) fn hash(token: &Secret) -> Hash {
    Sha256::digest(token.expose()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> AccountKeys {
        AccountKeys::derive(&[byte; 32]).unwrap()
    }

    #[test]
    fn a_refresh_token_is_read_back_and_nothing_else_is_one() {
        let token = RefreshToken::first();
        let text = token.text();
        assert!(RefreshToken::parse(&Secret::new(text.as_str())) == Some(token));
        for bad in [
            "",
            "x",
            &text[1..],
            &format!("{text}A"),
            &text.replace(&text[..8], "!!!!!!!!"),
        ] {
            assert!(RefreshToken::parse(&Secret::new(bad)).is_none(), "{bad}");
        }
    }

    #[test]
    fn the_successor_is_the_same_each_time_and_another_for_every_token_and_secret() {
        let (first, other) = (RefreshToken::first(), RefreshToken::first());
        let next = keys(1).successor(&first);
        assert!(next == keys(1).successor(&first) && next.generation == 2);
        assert!(next != keys(1).successor(&other) && next != keys(2).successor(&first));
        assert!(next != keys(1).successor(&next));
    }

    #[test]
    fn a_mailed_token_depends_on_nonce_and_secret() {
        let (one, two) = (nonce(), nonce());
        let text = |keys: AccountKeys, nonce| keys.mailed(nonce).expose().to_owned();
        assert_eq!(text(keys(1), &one), text(keys(1), &one));
        assert_ne!(text(keys(1), &one), text(keys(1), &two));
        assert_ne!(text(keys(1), &one), text(keys(2), &one));
        assert!(AccountKeys::derive(&[1; 31]).is_err());
    }
}
