//! Who may use a route. The route table says it per route; [`guard`] holds requests against it before their handlers run.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use doorbuster_core::claims::{Claims, Role};
use doorbuster_core::clock;
use doorbuster_core::revocations::Judged;

use crate::app::App;
use crate::error::ApiError;
use crate::revocations;

/// Whom a route serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anyone, without a token.
    Public,
    /// The bearer of any valid token, about himself.
    Bearer,
    /// Operators and admins.
    Staff,
    /// Finance and admins: what moves money.
    Finance,
    /// Everybody who works here: operators, finance and admins.
    Office,
    /// Admins alone.
    Admin,
}

impl Access {
    /// Whether a bearer of `role` may pass.
    pub fn admits(self, role: Role) -> bool {
        match self {
            Access::Public | Access::Bearer => true,
            Access::Staff => matches!(role, Role::Operator | Role::Admin),
            Access::Finance => matches!(role, Role::Finance | Role::Admin),
            Access::Office => matches!(role, Role::Operator | Role::Finance | Role::Admin),
            Access::Admin => role == Role::Admin,
        }
    }
}

/// Lets the request through to its handler, with its claims, or answers 401 or 403.
pub(crate) async fn guard(
    State((app, access)): State<(App, Access)>,
    mut request: Request,
    next: Next,
) -> Response {
    match authorize(&app, access, request.headers()).await {
        Ok(claims) => {
            if let Some(claims) = claims {
                request.extensions_mut().insert(claims);
            }
            next.run(request).await
        }
        Err(refused) => refused.into_response(),
    }
}

async fn authorize(
    app: &App,
    access: Access,
    headers: &HeaderMap,
) -> Result<Option<Claims>, ApiError> {
    if access == Access::Public {
        return Ok(None);
    }
    let token = bearer(headers).ok_or(ApiError::Unauthorized)?;
    let now_ms = clock::now_ms();
    let claims = app
        .tokens
        .verify(token, now_ms / 1_000)
        .map_err(|_| ApiError::Unauthorized)?;
    let is_revoked = match app.revocations.judge(&claims, now_ms) {
        Judged::Valid => false,
        Judged::Revoked => true,
        // Redis is away; the books know it first anyway.
        Judged::Untold => {
            revocations::is_revoked_in_books(app, &claims.sub, claims.generation).await?
        }
    };
    if is_revoked {
        return Err(ApiError::Unauthorized);
    }
    if access.admits(claims.role) {
        Ok(Some(claims))
    } else {
        let admitted = match access {
            Access::Admin => "admin",
            Access::Finance => "finance or admin",
            Access::Office => "operator, finance or admin",
            _ => "operator or admin",
        };
        Err(ApiError::Forbidden(admitted))
    }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (value, None) = (values.next()?, values.next()) else {
        return None;
    };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    scheme
        .eq_ignore_ascii_case("bearer")
        .then_some(token.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_operators_and_admins_are_staff_and_only_admins_are_admins() {
        let staff = [Role::Buyer, Role::Operator, Role::Finance, Role::Admin]
            .map(|role| Access::Staff.admits(role));
        assert_eq!(staff, [false, true, false, true]);
        let admins = [Role::Buyer, Role::Operator, Role::Finance, Role::Admin]
            .map(|role| Access::Admin.admits(role));
        assert_eq!(admins, [false, false, false, true]);
        let money = [Role::Buyer, Role::Operator, Role::Finance, Role::Admin]
            .map(|role| (Access::Finance.admits(role), Access::Office.admits(role)));
        assert_eq!(
            money,
            [(false, false), (false, true), (true, true), (true, true)]
        );
    }

    #[test]
    fn a_bearer_token_stands_alone_in_its_header() {
        let headers = |values: &[&str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::AUTHORIZATION, value.parse().unwrap());
            }
            headers
        };
        assert_eq!(bearer(&headers(&["Bearer abc"])), Some("abc"));
        assert_eq!(bearer(&headers(&["bearer abc"])), Some("abc"));
        for bad in [&[][..], &["abc"], &["Basic abc"], &["Bearer a", "Bearer b"]] {
            assert_eq!(bearer(&headers(bad)), None);
        }
    }
}
