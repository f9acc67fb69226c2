//! Settlement's part of the OpenAPI document. Called by `crate::openapi`.

use utoipa::OpenApi;

#[derive(OpenApi)]
#[openapi(
    paths(
        super::list, super::create, super::read, super::show_statement, super::pay_out, super::show_ledger, super::fees::list, super::fees::set,
        super::trace::show
    ),
    tags((name = "settlement", description = "Roles finance and admin"))
)]
pub(crate) struct SettlementApi;
