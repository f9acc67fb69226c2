//! Who may do what, cell by cell. The cells are made from the documents that both programs publish: an operation without an expectation
//! here fails, and so does an expectation without its operation.

mod matrix;
mod replay;
mod world;

use std::collections::BTreeSet;

use doorbuster_backoffice::auth::Access::{self, Admin, Bearer, Finance, Office, Public, Staff};
use serde_json::Value;

use crate::http::Call;
use crate::stage::Desk;

/// Whom each operation of the back-office serves.
const BACKOFFICE: &[(Access, &str)] = &[
    (Staff, "POST /admin/v1/sales"),
    (Staff, "GET /admin/v1/sales"),
    (Staff, "GET /admin/v1/sales/{id}"),
    (Staff, "PUT /admin/v1/sales/{id}"),
    (Staff, "GET /admin/v1/sales/{id}/problems"),
    (Staff, "GET /admin/v1/sales/{id}/events"),
    (Staff, "POST /admin/v1/sales/{id}/schedule"),
    (Staff, "POST /admin/v1/sales/{id}/unschedule"),
    (Staff, "GET /admin/v1/audit-log"),
    (Staff, "POST /admin/v1/sales/{id}/open"),
    (Staff, "POST /admin/v1/sales/{id}/pause"),
    (Staff, "POST /admin/v1/sales/{id}/resume"),
    (Staff, "POST /admin/v1/sales/{id}/close"),
    (Staff, "POST /admin/v1/sales/{id}/adjust"),
    (Staff, "POST /admin/v1/sales/pause"),
    (Staff, "POST /admin/v1/coupons"),
    (Staff, "GET /admin/v1/coupons/{id}"),
    (Staff, "POST /admin/v1/coupons/{id}/open"),
    (Staff, "POST /admin/v1/coupons/{id}/close"),
    (Staff, "GET /admin/v1/dead-letters"),
    (Staff, "POST /admin/v1/dead-letters/{id}/retry"),
    (Admin, "POST /admin/v1/dead-letters/{id}/discard"),
    (Staff, "GET /admin/v1/users"),
    (Staff, "GET /admin/v1/users/{id}"),
    (Staff, "POST /admin/v1/users/{id}/log-out"),
    (Staff, "POST /admin/v1/users/{id}/deactivate"),
    (Staff, "POST /admin/v1/users/{id}/reactivate"),
    (Admin, "POST /admin/v1/users/{id}/role"),
    (Admin, "POST /admin/v1/users/{id}/erase"),
    (Staff, "GET /admin/v1/dead-mails"),
    (Staff, "POST /admin/v1/dead-mails/{id}/retry"),
    (Staff, "POST /admin/v1/sellers"),
    (Staff, "GET /admin/v1/sellers"),
    (Staff, "GET /admin/v1/sellers/{id}"),
    (Staff, "PUT /admin/v1/sellers/{id}"),
    (Staff, "POST /admin/v1/categories"),
    (Staff, "GET /admin/v1/categories"),
    (Staff, "GET /admin/v1/categories/{id}"),
    (Staff, "PUT /admin/v1/categories/{id}"),
    (Staff, "DELETE /admin/v1/categories/{id}"),
    (Staff, "POST /admin/v1/products"),
    (Staff, "GET /admin/v1/products"),
    (Staff, "GET /admin/v1/products/{id}"),
    (Staff, "PUT /admin/v1/products/{id}"),
    (Staff, "POST /admin/v1/products/{id}/publish"),
    (Staff, "POST /admin/v1/products/{id}/archive"),
    (Staff, "POST /admin/v1/notices"),
    (Staff, "GET /admin/v1/notices"),
    (Staff, "GET /admin/v1/notices/{id}"),
    (Staff, "PUT /admin/v1/notices/{id}"),
    (Staff, "DELETE /admin/v1/notices/{id}"),
    (Public, "GET /v1/products"),
    (Public, "GET /v1/products/{id}"),
    (Public, "GET /v1/categories"),
    (Public, "GET /v1/notices"),
    (Bearer, "GET /v1/me/cart"),
    (Bearer, "DELETE /v1/me/cart"),
    (Bearer, "PUT /v1/me/cart/{id}"),
    (Bearer, "DELETE /v1/me/cart/{id}"),
    (Bearer, "GET /v1/me/wish-list"),
    (Bearer, "PUT /v1/me/wish-list/{id}"),
    (Bearer, "DELETE /v1/me/wish-list/{id}"),
    (Public, "GET /v1/sales/{id}/draw"),
    (Public, "GET /v1/sales/{id}/draw/entries"),
    (Staff, "GET /admin/v1/payments/provider"),
    (Office, "GET /admin/v1/reconciliation"),
    (Finance, "GET /admin/v1/settlements"),
    (Finance, "POST /admin/v1/settlements"),
    (Finance, "GET /admin/v1/settlements/{id}"),
    (Finance, "GET /admin/v1/settlements/{id}/statement"),
    (Finance, "POST /admin/v1/settlements/{id}/payout"),
    (Finance, "GET /admin/v1/ledger"),
    (Finance, "GET /admin/v1/orders/{id}/postings"),
    (Finance, "GET /admin/v1/fees"),
    (Finance, "POST /admin/v1/fees"),
    (Public, "POST /v1/webhooks/payments"),
    (Public, "POST /v1/sign-ups"),
    (Public, "POST /v1/sign-ups/confirm"),
    (Public, "POST /v1/sessions"),
    (Public, "POST /v1/sessions/refresh"),
    (Public, "POST /v1/sessions/log-out"),
    (Bearer, "POST /v1/sessions/log-out-everywhere"),
    (Public, "POST /v1/password-resets"),
    (Public, "POST /v1/password-resets/complete"),
    (Public, "POST /v1/email-changes/confirm"),
    (Bearer, "GET /v1/me"),
    (Bearer, "PATCH /v1/me"),
    (Bearer, "PUT /v1/me/password"),
    (Bearer, "POST /v1/me/email"),
    (Bearer, "POST /v1/me/erase"),
    (Bearer, "GET /v1/me/sessions"),
    (Bearer, "DELETE /v1/me/sessions/{id}"),
    (Bearer, "GET /v1/me/addresses"),
    (Bearer, "POST /v1/me/addresses"),
    (Bearer, "PUT /v1/me/addresses/{id}"),
    (Bearer, "DELETE /v1/me/addresses/{id}"),
    (Bearer, "GET /v1/me/reservations"),
    (Bearer, "GET /v1/me/points"),
    (Bearer, "POST /v1/quotes"),
    (Bearer, "POST /v1/orders"),
    (Bearer, "GET /v1/orders"),
    (Bearer, "GET /v1/orders/{id}"),
    (Bearer, "POST /v1/orders/{id}/cancel"),
    (Office, "GET /admin/v1/orders"),
    (Office, "GET /admin/v1/orders/{id}"),
    (Staff, "PUT /admin/v1/orders/{id}/delivery"),
    (Finance, "POST /admin/v1/orders/{id}/decide"),
    (Finance, "POST /admin/v1/orders/{id}/refunds"),
    (Office, "GET /admin/v1/sales/{id}/policy"),
    (Staff, "PUT /admin/v1/sales/{id}/policy"),
    (Office, "GET /admin/v1/users/{id}/points"),
    (Finance, "POST /admin/v1/users/{id}/points/adjust"),
    (Public, "GET /account/confirm"),
    (Public, "POST /account/confirm"),
    (Public, "GET /account/email"),
    (Public, "POST /account/email"),
    (Public, "GET /account/password"),
    (Public, "POST /account/password"),
    (Public, "GET /"),
    (Public, "GET /sales/{id}"),
    (Public, "GET /orders"),
    (Public, "GET /assets/{name}"),
    (Public, "GET /livez"),
    (Public, "GET /readyz"),
    (Public, "GET /metrics"),
    (Public, "GET /openapi.json"),
    (Public, "GET /docs"),
];

/// The same of the engine.
const ENGINE: &[(Access, &str)] = &[
    (Public, "GET /v1/sales/{sale}"),
    (Bearer, "POST /v1/sales/{sale}/reservations"),
    (Bearer, "GET /v1/sales/{sale}/reservations/{id}"),
    (Bearer, "DELETE /v1/sales/{sale}/reservations/{id}"),
    (Bearer, "POST /v1/coupons/{coupon}/claims"),
    (Bearer, "POST /v1/sales/{sale}/tickets"),
    (Bearer, "GET /v1/sales/{sale}/tickets/current"),
    (Bearer, "GET /v1/sales/{sale}/tickets/current/events"),
    (Public, "GET /livez"),
    (Public, "GET /readyz"),
    (Public, "GET /metrics"),
    (Public, "GET /openapi.json"),
];

#[derive(Debug, Clone, Copy, PartialEq)]
enum Program {
    Backoffice,
    Engine,
}

impl Program {
    fn base(self, desk: &Desk<'_>) -> String {
        match self {
            Self::Backoffice => desk.stage.backoffice(0).url().to_owned(),
            Self::Engine => desk.stage.engine(0).url().to_owned(),
        }
    }
}

/// An operation of one of the programs.
#[derive(Debug, Clone, Copy)]
struct Operation {
    program: Program,
    access: Access,
    method: &'static str,
    path: &'static str,
}

/// All operations of both programs, each with its expectation.
async fn operations(desk: &Desk<'_>) -> Vec<Operation> {
    let mut all = Vec::new();
    for (program, expected) in [(Program::Backoffice, BACKOFFICE), (Program::Engine, ENGINE)] {
        let published = published(&program.base(desk)).await;
        let named: BTreeSet<String> = expected.iter().map(|(_, key)| (*key).to_owned()).collect();
        assert_eq!(named.len(), expected.len(), "each is expected once");
        let missing: Vec<_> = published.difference(&named).collect();
        assert!(missing.is_empty(), "whom do these serve? {missing:?}");
        let gone: Vec<_> = named.difference(&published).collect();
        assert!(gone.is_empty(), "these are not there any more: {gone:?}");
        all.extend(expected.iter().map(|(access, key)| {
            let (method, path) = key.split_once(' ').unwrap();
            Operation {
                program,
                access: *access,
                method,
                path,
            }
        }));
    }
    all
}

/// The operations of a document, e.g. `GET /v1/me`.
async fn published(base: &str) -> BTreeSet<String> {
    let document = Call::new(base, "GET", "/openapi.json").send().await.ok(200);
    let paths = document["paths"].as_object().unwrap();
    let mut keys = BTreeSet::new();
    for (path, members) in paths {
        let members = members.as_object().unwrap().iter();
        for (method, _) in members.filter(|(_, member)| is_operation(member)) {
            keys.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    keys
}

/// A path has members that are none, such as `parameters`.
fn is_operation(member: &Value) -> bool {
    member.get("responses").is_some()
}
