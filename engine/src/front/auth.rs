//! Who is asking: the bearer token of a request.

use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use hyper::Request;
use hyper::header;

use super::problem::Refusal;
use crate::app::App;

/// The user of a request whose token verifies. All refusals read alike to the client; the reason is for the log.
///
/// # Errors
/// [`Refusal::Unauthorized`].
pub(crate) fn user<B>(app: &App, request: &Request<B>) -> Result<UserId, Refusal> {
    let mut values = request.headers().get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(Refusal::Unauthorized);
    };
    let token = value
        .to_str()
        .ok()
        .and_then(bearer)
        .ok_or(Refusal::Unauthorized)?;
    app.tokens
        .verify(token, clock::now_s())
        .map(|claims| claims.sub)
        .map_err(|e| {
            tracing::debug!(reason = %e, "token refused");
            Refusal::Unauthorized
        })
}

/// RFC 6750 §2.1; the scheme's case does not matter.
fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}
