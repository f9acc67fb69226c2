//! Tokens that are no access tokens: those in mails, and refresh tokens. Their keys are derived from the token secret, so that none passes for
//! another; MySQL has their hashes alone. What the previous secret made is accepted for as long as that is configured.

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
const REFRESH_MARK: &[u8] = b"doorbuster refresh token mark v1";
const PLACE: &[u8] = b"doorbuster known place v1";

/// SHA-256 of a token, as MySQL has it.
pub(crate) type Hash = [u8; 32];
/// What a mailed token is made of.
pub(crate) type Nonce = [u8; 16];

/// The keys of mailed and of refresh tokens.
#[derive(Clone)]
pub(crate) struct AccountKeys {
    current: KeySet,
    previous: Option<KeySet>,
}

/// Those of one secret.
#[derive(Clone)]
struct KeySet {
    mailed: HmacSha256,
    refresh: HmacSha256,
    mark: HmacSha256,
    place: HmacSha256,
}

impl KeySet {
    fn derive(secret: &[u8]) -> Result<Self, SecretTooShort> {
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
            mark: derived(REFRESH_MARK)?,
            place: derived(PLACE)?,
        })
    }

    fn mailed(&self, nonce: &Nonce) -> Secret {
        let mac = self.mailed.clone().chain_update(nonce).finalize();
        Secret::new(URL_SAFE_NO_PAD.encode(mac.into_bytes()))
    }

    fn refresh_token(&self, family: Uuid, number: u32, secret: [u8; 32]) -> RefreshToken {
        let mac = self.mark_of(family, number, &secret).finalize();
        let mut mark = [0; MARK_BYTES];
        mark.copy_from_slice(&mac.into_bytes()[..MARK_BYTES]);
        RefreshToken {
            family,
            number,
            secret,
            mark,
        }
    }

    fn has_marked(&self, token: &RefreshToken) -> bool {
        let mac = self.mark_of(token.family, token.number, &token.secret);
        mac.verify_truncated_left(&token.mark).is_ok()
    }

    fn mark_of(&self, family: Uuid, number: u32, secret: &[u8; 32]) -> HmacSha256 {
        (self.mark.clone())
            .chain_update(family.as_bytes())
            .chain_update(number.to_be_bytes())
            .chain_update(secret)
    }

    fn successor(&self, before: &RefreshToken) -> RefreshToken {
        let number = before.number.saturating_add(1);
        let mac = (self.refresh.clone())
            .chain_update(before.family.as_bytes())
            .chain_update(number.to_be_bytes())
            .chain_update(before.secret)
            .finalize();
        self.refresh_token(before.family, number, mac.into_bytes().into())
    }
}

impl AccountKeys {
    /// # Errors
    /// [`SecretTooShort`] below 32 bytes.
    pub(crate) fn derive(current: &[u8], previous: Option<&[u8]>) -> Result<Self, SecretTooShort> {
        Ok(Self {
            current: KeySet::derive(current)?,
            previous: previous.map(KeySet::derive).transpose()?,
        })
    }

    fn both(&self) -> impl Iterator<Item = &KeySet> {
        std::iter::once(&self.current).chain(&self.previous)
    }

    /// The token of a mail. It is made of the nonce again when the mail is sent, so that the mail's row lets nobody in.
    pub(crate) fn mailed(&self, nonce: &Nonce) -> Secret {
        self.current.mailed(nonce)
    }

    /// The same as the previous secret made it, where there is one: a mail may wait from before until after the change.
    pub(crate) fn mailed_before(&self, nonce: &Nonce) -> Option<Secret> {
        self.previous.as_ref().map(|keys| keys.mailed(nonce))
    }

    /// The first token of a new family.
    pub(crate) fn first(&self) -> RefreshToken {
        let mut secret = [0; 32];
        rand::rng().fill_bytes(&mut secret);
        self.current.refresh_token(Uuid::new_v4(), 1, secret)
    }

    /// A token that one of our back-offices made; whatever else looks like one is none, so that the name of a family proves nothing.
    pub(crate) fn refresh_token(&self, text: &Secret) -> Option<RefreshToken> {
        let token = RefreshToken::parse(text)?;
        self.both()
            .any(|keys| keys.has_marked(&token))
            .then_some(token)
    }

    /// The token that follows one of a family. Made of the one before, so that a repeat whose answer was lost gets the same.
    pub(crate) fn successor(&self, before: &RefreshToken) -> RefreshToken {
        self.current.successor(before)
    }

    /// The same, and as the previous secret made it.
    pub(crate) fn successors(&self, before: &RefreshToken) -> impl Iterator<Item = RefreshToken> {
        self.both().map(|keys| keys.successor(before))
    }

    /// What the books know a place by from which somebody signs in: nobody can try all addresses on it. As both secrets make it.
    pub(crate) fn places(&self, account: &str, place: &str) -> Vec<Hash> {
        let hash = |keys: &KeySet| {
            let mac = keys.place.clone().chain_update(account.as_bytes());
            let mac = mac.chain_update([0]).chain_update(place.as_bytes());
            mac.finalize().into_bytes().into()
        };
        self.both().map(hash).collect()
    }
}

/// Bytes of a token's mark.
const MARK_BYTES: usize = 16;

/// A refresh token, taken apart: its family, its number in it, what nobody can guess, and a mark that we made it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct RefreshToken {
    pub(crate) family: Uuid,
    pub(crate) number: u32,
    secret: [u8; 32],
    mark: [u8; MARK_BYTES],
}

impl RefreshToken {
    const BYTES: usize = 16 + 4 + 32 + MARK_BYTES;

    fn parse(token: &Secret) -> Option<Self> {
        let mut bytes = [0; Self::BYTES];
        let length = URL_SAFE_NO_PAD
            .decode_slice(token.expose(), &mut bytes)
            .ok()?;
        if length != Self::BYTES {
            return None;
        }
        Some(Self {
            family: Uuid::from_slice(&bytes[..16]).ok()?,
            number: u32::from_be_bytes(bytes[16..20].try_into().ok()?),
            secret: bytes[20..52].try_into().ok()?,
            mark: bytes[52..].try_into().ok()?,
        })
    }

    /// As its owner has it.
    pub(crate) fn text(&self) -> String {
        let mut bytes = Vec::with_capacity(Self::BYTES);
        bytes.extend_from_slice(self.family.as_bytes());
        bytes.extend_from_slice(&self.number.to_be_bytes());
        bytes.extend_from_slice(&self.secret);
        bytes.extend_from_slice(&self.mark);
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
        AccountKeys::derive(&[byte; 32], None).unwrap()
    }

    fn after(byte: u8, previous: u8) -> AccountKeys {
        AccountKeys::derive(&[byte; 32], Some(&[previous; 32])).unwrap()
    }

    #[test]
    fn a_refresh_token_is_read_back_and_nothing_else_is_one() {
        let token = keys(1).first();
        let text = token.text();
        let read = |text: &str| keys(1).refresh_token(&Secret::new(text));
        assert!(read(&text) == Some(token));
        for bad in [
            "",
            "x",
            &text[1..],
            &format!("{text}A"),
            &text.replace(&text[..8], "!!!!!!!!"),
        ] {
            assert!(read(bad).is_none(), "{bad}");
        }
        assert!(keys(2).refresh_token(&Secret::new(text)).is_none());
    }

    #[test]
    fn nobody_makes_a_token_of_a_family_that_he_knows() {
        let token = keys(1).first();
        let changed: [fn(&mut RefreshToken); 4] = [
            |token| token.number += 1,
            |token| token.secret[0] ^= 1,
            |token| token.mark[15] ^= 1,
            |token| token.family = Uuid::new_v4(),
        ];
        for change in changed {
            let mut forged = token;
            change(&mut forged);
            let text = Secret::new(forged.text());
            assert!(keys(1).refresh_token(&text).is_none());
        }
    }

    #[test]
    fn the_successor_is_the_same_each_time_and_another_for_every_token_and_secret() {
        let (first, other) = (keys(1).first(), keys(1).first());
        let next = keys(1).successor(&first);
        assert!(next == keys(1).successor(&first) && next.number == 2);
        assert!(next != keys(1).successor(&other) && next != keys(2).successor(&first));
        assert!(next != keys(1).successor(&next));
        assert!(keys(1).refresh_token(&Secret::new(next.text())) == Some(next));
    }

    #[test]
    fn a_mailed_token_depends_on_nonce_and_secret() {
        let (one, two) = (nonce(), nonce());
        let text = |keys: AccountKeys, nonce| keys.mailed(nonce).expose().to_owned();
        assert_eq!(text(keys(1), &one), text(keys(1), &one));
        assert_ne!(text(keys(1), &one), text(keys(1), &two));
        assert_ne!(text(keys(1), &one), text(keys(2), &one));
        assert!(AccountKeys::derive(&[1; 31], None).is_err());
        assert!(AccountKeys::derive(&[1; 32], Some(&[1; 31])).is_err());
    }

    #[test]
    fn what_the_previous_secret_made_is_good_after_a_change() {
        let (nonce, first) = (nonce(), keys(1).first());
        let next = keys(1).successor(&first);
        let changed = after(2, 1);
        for token in [first, next] {
            assert!(changed.refresh_token(&Secret::new(token.text())) == Some(token));
        }
        assert!(changed.successors(&first).any(|token| token == next));
        assert!(changed.successor(&first) == keys(2).successor(&first));
        let before = changed.mailed_before(&nonce).unwrap();
        assert_eq!(before.expose(), keys(1).mailed(&nonce).expose());
        assert!(keys(2).mailed_before(&nonce).is_none());
        let place = &keys(1).places("ann", "1.2.3.4")[0];
        assert!(changed.places("ann", "1.2.3.4").contains(place));
        assert!(!changed.places("bob", "1.2.3.4").contains(place));
    }
}
