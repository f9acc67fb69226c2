//! Access tokens: JWT with HS256 and nothing else (RFC 7519; the rules of RFC 8725 that apply to one algorithm).
//!
//! Here because the check is on the admission path and one fixed algorithm is smaller than a library that negotiates.
//! A token never appears in `Debug`, in an error, or in a log.

mod unjudged;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use unjudged::Unjudged;

use crate::ids::UserId;
use crate::limits::{TOKEN_BYTES_MAX, TOKEN_LEEWAY, TOKEN_LIFE_MAX, TOKEN_SECRET_BYTES_MIN};

type HmacSha256 = Hmac<Sha256>;

const ISSUER: &str = "doorbuster";
const AUDIENCE: &str = "doorbuster";
const ACCESS: &str = "access";
/// `{"alg":"HS256","typ":"JWT"}`
const HEADER: &str = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9";

/// What the bearer may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    Buyer,
    Operator,
    Finance,
    Admin,
}

/// The claims of an access token, as the contract names them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Claims {
    pub sub: UserId,
    pub role: Role,
    /// The user's token generation; lower than the known one means revoked. Absent counts as 0.
    #[serde(rename = "gen")]
    pub generation: u64,
    pub iat: u64,
    pub exp: u64,
    pub iss: Cow<'static, str>,
    pub aud: Cow<'static, str>,
    pub typ: Cow<'static, str>,
}

impl Claims {
    /// An access token for `sub` from `now_s` on.
    pub fn access(sub: UserId, role: Role, now_s: u64, life_s: u64) -> Self {
        let (iss, aud, typ) = (ISSUER.into(), AUDIENCE.into(), ACCESS.into());
        Self {
            sub,
            role,
            generation: 0,
            iat: now_s,
            exp: now_s.saturating_add(life_s),
            iss,
            aud,
            typ,
        }
    }
}

#[derive(Deserialize)]
struct Header<'a> {
    #[serde(borrow)]
    alg: Cow<'a, str>,
    #[serde(default)]
    crit: Option<serde_json::Value>,
}

/// Why a token is not accepted. Buyers are told all of these alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenRefused {
    #[error("the token is malformed")]
    Malformed,
    #[error("the token's algorithm is not HS256")]
    Algorithm,
    #[error("the token's signature does not verify")]
    Signature,
    #[error("the token's claims are not those of an access token of this service")]
    Claims,
    #[error("the token has expired")]
    Expired,
    #[error("the token is not valid yet, or for longer than a day")]
    Life,
}

/// A secret that cannot sign tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must have at least {TOKEN_SECRET_BYTES_MIN} bytes")]
pub struct SecretTooShort;

/// The secrets that tokens are checked with; the first also signs.
#[derive(Clone)]
pub struct TokenKeys {
    current: HmacSha256,
    previous: Option<HmacSha256>,
}

impl std::fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKeys(redacted)")
    }
}

/// An HMAC keyed with `secret`.
///
/// # Errors
/// [`SecretTooShort`] below 32 bytes.
pub(crate) fn keyed(secret: &[u8]) -> Result<HmacSha256, SecretTooShort> {
    let long_enough = Some(secret)
        .filter(|s| s.len() >= TOKEN_SECRET_BYTES_MIN)
        .ok_or(SecretTooShort)?;
    HmacSha256::new_from_slice(long_enough).map_err(|_| SecretTooShort)
}

impl TokenKeys {
    /// Tokens are signed with the secret's bytes themselves (contract).
    ///
    /// # Errors
    /// [`SecretTooShort`] where either secret is below 32 bytes.
    pub fn new(current: &[u8], previous: Option<&[u8]>) -> Result<Self, SecretTooShort> {
        Ok(Self {
            current: keyed(current)?,
            previous: previous.map(keyed).transpose()?,
        })
    }

    /// The claims of `token` if it is one of ours and valid at `now_s`.
    ///
    /// # Errors
    /// [`TokenRefused`], with the signature judged before anything that the token says.
    pub fn verify(&self, token: &str, now_s: u64) -> Result<Claims, TokenRefused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenRefused::Malformed);
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenRefused::Malformed)?;
        let (header, claims) = signed.split_once('.').ok_or(TokenRefused::Malformed)?;
        let mut buffer = [0; TOKEN_BYTES_MAX];
        // Nearly every token has the header that we write; another way to write the same is read.
        if header != HEADER {
            let header = decoded(header, &mut buffer)?;
            let header: Header<'_> =
                serde_json::from_str(header).map_err(|_| TokenRefused::Malformed)?;
            if header.alg != "HS256" || header.crit.is_some() {
                return Err(TokenRefused::Algorithm);
            }
        }
        let length = URL_SAFE_NO_PAD
            .decode_slice(signature, &mut buffer)
            .map_err(|_| TokenRefused::Malformed)?;
        if !self.signed(signed.as_bytes(), &buffer[..length]) {
            return Err(TokenRefused::Signature);
        }
        let claims = Unjudged::read(decoded(claims, &mut buffer)?);
        judge(claims.ok_or(TokenRefused::Malformed)?, now_s)
    }

    /// The signed token.
    pub fn sign(&self, claims: &Claims) -> String {
        let claims = serde_json::to_vec(claims).expect("claims are strings and numbers");
        self.compact(HEADER, &claims)
    }

    /// The token of a header that is encoded and claims that are not (RFC 7515 §7.1).
    fn compact(&self, header: &str, claims: &[u8]) -> String {
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self
            .current
            .clone()
            .chain_update(&signed)
            .finalize()
            .into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signed(&self, bytes: &[u8], signature: &[u8]) -> bool {
        let by = |key: &HmacSha256| {
            key.clone()
                .chain_update(bytes)
                .verify_slice(signature)
                .is_ok()
        };
        by(&self.current) || self.previous.as_ref().is_some_and(by)
    }
}

/// One part of a token; `buffer` is as long as the longest token.
fn decoded<'a>(part: &str, buffer: &'a mut [u8]) -> Result<&'a str, TokenRefused> {
    let length = URL_SAFE_NO_PAD
        .decode_slice(part, buffer)
        .map_err(|_| TokenRefused::Malformed)?;
    std::str::from_utf8(&buffer[..length]).map_err(|_| TokenRefused::Malformed)
}

fn judge(claims: Unjudged<'_>, now_s: u64) -> Result<Claims, TokenRefused> {
    if claims.iss != ISSUER || claims.aud != AUDIENCE || claims.typ != ACCESS {
        return Err(TokenRefused::Claims);
    }
    if claims.exp <= now_s {
        return Err(TokenRefused::Expired);
    }
    let early = claims.iat > now_s.saturating_add(TOKEN_LEEWAY.as_secs());
    if early || claims.exp.saturating_sub(claims.iat) > TOKEN_LIFE_MAX.as_secs() {
        return Err(TokenRefused::Life);
    }
    let sub = UserId::parse(claims.sub).map_err(|_| TokenRefused::Malformed)?;
    let mut judged = Claims::access(sub, claims.role, claims.iat, 0);
    (judged.generation, judged.exp) = (claims.generation, claims.exp);
    Ok(judged)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_700_000_000;

    fn keys(secret: u8) -> TokenKeys {
        TokenKeys::new(&[secret; 32], None).unwrap()
    }

    fn claims() -> Claims {
        Claims::access(UserId::parse("ann").unwrap(), Role::Buyer, NOW, 3_600)
    }

    fn forge(header: &str, claims: &str, keys: &TokenKeys) -> String {
        keys.compact(&URL_SAFE_NO_PAD.encode(header), claims.as_bytes())
    }

    #[test]
    fn a_signed_token_verifies_until_it_expires() {
        let token = keys(1).sign(&claims());
        assert_eq!(keys(1).verify(&token, NOW + 3_599), Ok(claims()));
        assert_eq!(
            keys(1).verify(&token, NOW + 3_600),
            Err(TokenRefused::Expired)
        );
    }

    #[test]
    fn the_previous_secret_is_accepted_and_no_other() {
        let token = keys(1).sign(&claims());
        let rotated = TokenKeys::new(&[2; 32], Some(&[1; 32])).unwrap();
        assert!(rotated.verify(&token, NOW).is_ok());
        assert_eq!(keys(2).verify(&token, NOW), Err(TokenRefused::Signature));
    }

    #[test]
    fn only_hs256_is_an_algorithm() {
        let body = serde_json::to_string(&claims()).unwrap();
        for header in [
            r#"{"alg":"none"}"#,
            r#"{"alg":"HS512"}"#,
            r#"{"alg":"RS256"}"#,
            r#"{"alg":"hs256"}"#,
            r#"{"alg":"HS256","crit":["x"]}"#,
        ] {
            assert_eq!(
                keys(1).verify(&forge(header, &body, &keys(1)), NOW),
                Err(TokenRefused::Algorithm),
                "{header}"
            );
        }
        let unsigned = format!(
            "{}.{}.",
            URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256"}"#),
            URL_SAFE_NO_PAD.encode(&body)
        );
        assert_eq!(keys(1).verify(&unsigned, NOW), Err(TokenRefused::Signature));
    }

    #[test]
    fn tokens_for_others_of_other_types_or_too_long_are_refused() {
        type Change = fn(&mut Claims);
        let changes: [(Change, TokenRefused); 5] = [
            (|c| c.iss = "x".into(), TokenRefused::Claims),
            (|c| c.aud = "x".into(), TokenRefused::Claims),
            (|c| c.typ = "refresh".into(), TokenRefused::Claims),
            (|c| c.exp = c.iat + 24 * 3_600 + 1, TokenRefused::Life),
            (
                |c| (c.iat, c.exp) = (NOW + 31, NOW + 60),
                TokenRefused::Life,
            ),
        ];
        for (change, refused) in changes {
            let mut claims = claims();
            change(&mut claims);
            assert_eq!(keys(1).verify(&keys(1).sign(&claims), NOW), Err(refused));
        }
    }

    #[test]
    fn every_flipped_bit_is_noticed() {
        let token = keys(1).sign(&claims()).into_bytes();
        for (byte, bit) in (0..token.len()).flat_map(|byte| (0..7).map(move |bit| (byte, bit))) {
            let mut bad = token.clone();
            bad[byte] ^= 1 << bit;
            let bad = String::from_utf8(bad).unwrap();
            assert!(keys(1).verify(&bad, NOW).is_err(), "byte {byte} bit {bit}");
        }
    }

    #[test]
    fn a_missing_generation_counts_as_zero() {
        let body = format!(
            r#"{{"sub":"ann","role":"buyer","iat":{NOW},"exp":{},"iss":"doorbuster","aud":"doorbuster","typ":"access"}}"#,
            NOW + 60
        );
        assert_eq!(
            keys(1)
                .verify(&forge(r#"{"alg":"HS256"}"#, &body, &keys(1)), NOW)
                .unwrap()
                .generation,
            0
        );
    }

    #[test]
    fn secrets_are_long_and_never_shown() {
        assert_eq!(TokenKeys::new(&[1; 31], None).unwrap_err(), SecretTooShort);
        assert!(TokenKeys::new(&[1; 32], Some(&[])).is_err());
        assert_eq!(format!("{:?}", keys(1)), "TokenKeys(redacted)");
    }
}
