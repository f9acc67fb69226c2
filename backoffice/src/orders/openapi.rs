//! The document's part on orders. Called by `crate::openapi`.

use utoipa::OpenApi;

use super::desk::{decide, delivery, refund};
use super::{buyer, desk, place, policies};

#[derive(OpenApi)]
#[openapi(
    paths(
        buyer::quote, place::create, buyer::list, buyer::read, buyer::cancel,
        desk::list, desk::read, delivery::put, decide::decide, refund::create,
        policies::read, policies::put
    ),
    tags((name = "orders", description = "Looking and deciding: roles operator, finance and admin; deliveries and policies: operator and admin; refunds: finance and admin"))
)]
pub(crate) struct OrdersApi;
