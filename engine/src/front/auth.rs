//! Who is asking: the bearer token of a request.

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use doorbuster_core::revocations::Judged;
use hyper::Request;
use hyper::header;

use super::problem::Refusal;
use crate::app::App;

/// While nobody can tell which tokens are revoked, none is taken; whatever it is good for needs Redis too.
const UNTOLD: Refusal = Refusal::Unavailable {
    detail: "whether the token has been revoked cannot be told at the moment; nothing was decided; repeat the same request after Retry-After",
};

/// The user of a request whose token verifies and is not revoked. All refusals of a token read alike to the client; the reason is for
/// the log.
///
/// # Errors
/// [`Refusal::Unauthorized`]; [`Refusal::Unavailable`] where Redis has not been read for too long.
pub(crate) fn user<B>(app: &App, request: &Request<B>) -> Result<UserId, Refusal> {
    user_at(app, request, clock::now_ms())
}

/// The same, and counted against how often one user may ask.
///
/// # Errors
/// As [`user`], and [`Refusal::RateLimited`].
pub(super) fn counted_user<B>(
    app: &App,
    request: &Request<B>,
    now_ms: u64,
) -> Result<UserId, Refusal> {
    let user = user_at(app, request, now_ms)?;
    app.limiter.check_user(&user)?;
    Ok(user)
}

/// The same at `now_ms`.
pub(super) fn user_at<B>(app: &App, request: &Request<B>, now_ms: u64) -> Result<UserId, Refusal> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Unauthorized);
    };
    let token = value
        .to_str()
        .ok()
        .and_then(bearer)
        .ok_or(Refusal::Unauthorized)?;
    let claims = app.tokens.verify(token, now_ms / 1_000).map_err(|e| {
        tracing::debug!(reason = %e, "token refused");
        Refusal::Unauthorized
    })?;
    match app.revocations.judge(&claims, now_ms) {
        Judged::Valid => Ok(claims.sub),
        Judged::Revoked => {
            tracing::debug!(reason = "revoked", "token refused");
            Err(Refusal::Unauthorized)
        }
        Judged::Untold => Err(UNTOLD),
    }
}

/// RFC 6750 §2.1; the scheme's case does not matter.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
