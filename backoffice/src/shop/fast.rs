//! The shortest way to a product's page: one that is near is answered before the router, in the task of its connection, because
//! there is nothing to wait for. Everything else of a request goes the long way. Called by `server`.

use std::time::Instant;

use axum::extract::Request;
use axum::http::{HeaderMap, Method, header};
use axum::response::Response;
use doorbuster_core::clock;

use super::cache::Name;
use crate::app::App;
use crate::catalog::ids::{Named as _, ProductId};
use crate::extract::RequestId;
use crate::{edge, metrics};

/// A product's page that somebody asks for.
pub(crate) struct Asked {
    name: Name,
    request_id: RequestId,
    began: Instant,
}

/// Whether this is `GET /v1/products/{id}`, and nothing about it is for the long way to judge.
pub(crate) fn asked<B>(app: &App, request: &Request<B>) -> Option<Asked> {
    let began = clock::instant();
    let id = request.uri().path().strip_prefix("/v1/products/")?;
    let is_plain = request.method() == Method::GET && request.uri().query().is_none();
    if !is_plain || !app.hosts.allow(host(request.headers())) {
        return None;
    }
    Some(Asked {
        name: Name::Product(ProductId::parse(id.to_owned()).ok()?),
        request_id: RequestId::of(request.headers()),
        began,
    })
}

impl Asked {
    /// The answer, where the page is near.
    pub(crate) async fn answer(self, app: &App) -> Option<Response> {
        let entry = app.shop.near(&self.name).await?;
        let mut response = entry.response().ok()?;
        app.views.note(entry.product_no);
        edge::dress(&mut response, &self.request_id);
        metrics::near_page(self.began.elapsed());
        Some(response)
    }
}

fn host(headers: &HeaderMap) -> Option<&str> {
    headers
        .get(header::HOST)
        .and_then(|value| value.to_str().ok())
}
