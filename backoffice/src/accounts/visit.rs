//! What a request of somebody unknown comes with: its id, where it comes from, from what kind of program, and which language it wants. For operations without a token.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use doorbuster_core::address::{FORWARDED, TrustedProxies, X_FORWARDED_FOR};
use doorbuster_core::ids::UserId;

use super::agent::Agent;
use crate::app::App;
use crate::error::ApiError;
use crate::extract::{Caller, RequestId};
use crate::language::Language;

/// The other end of the connection; put into each request by `server`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peer(pub(crate) IpAddr);

/// A request, before anybody knows who asks.
#[derive(Debug, Clone)]
pub(crate) struct Visit {
    pub(crate) request_id: RequestId,
    pub(crate) ip: IpAddr,
    pub(crate) language: Language,
    pub(crate) agent: Agent,
}

impl Visit {
    /// For the audit log, once it is known who asks.
    pub(crate) fn of(&self, user: &UserId) -> Caller {
        Caller {
            user: user.clone(),
            request_id: self.request_id.clone(),
            is_admin: false,
        }
    }
}

impl FromRequestParts<App> for Visit {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, ApiError> {
        let Some(Peer(peer)) = parts.extensions.get::<Peer>() else {
            return Err(ApiError::Internal(anyhow::anyhow!("a request of nowhere")));
        };
        let request_id = parts.extensions.get::<RequestId>().cloned();
        Ok(Self {
            request_id: request_id.unwrap_or_else(|| RequestId::of(&parts.headers)),
            ip: client(&app.people.proxies, *peer, &parts.headers),
            language: Language::preferred(&parts.headers),
            agent: Agent::of(&parts.headers),
        })
    }
}

/// Who asks, as far as it can be believed.
fn client(proxies: &TrustedProxies, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
    let said = |name| {
        headers
            .get_all(name)
            .iter()
            .map(|value| value.to_str().ok())
    };
    proxies.client(peer, said(FORWARDED), said(X_FORWARDED_FOR))
}
