//! Who may use which route: the whole table against every role.

use doorbuster_backoffice::auth::Access;
use doorbuster_backoffice::route;
use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;

use crate::stage::{Desk, name};

const ROLES: [Role; 4] = [Role::Buyer, Role::Operator, Role::Finance, Role::Admin];

#[tokio::test]
async fn every_route_serves_those_whom_the_table_names_and_no_others() {
    let desk = Desk::shared().await;
    for route in route::table() {
        // An id that is none: whoever is let in finds nothing, and nothing is changed.
        let path = route
            .path
            .replace("{id}", "a%20b")
            .replace("{name}", "a%20b");
        let call = || desk.call(route.method.as_str(), &path);
        let anonymous = call().send().await;
        assert_eq!(
            anonymous.status == 401,
            route.access != Access::Public,
            "{} {path} without a token",
            route.method
        );
        if anonymous.status == 401 {
            assert_eq!(anonymous.refusal(), (401, "unauthorized"));
            assert_eq!(anonymous.header("www-authenticate"), "Bearer");
        }
        for role in ROLES {
            // Whoever is let into this one pauses the sales of other tests.
            if path == "/admin/v1/sales/pause" && route.access.admits(role) {
                continue;
            }
            // Whoever is let into this one is good for nothing more.
            let someone = name("someone");
            let answer = call().token(&desk.token(&someone, role)).send().await;
            assert!(answer.status != 401 && answer.status != 500, "{answer:?}");
            assert_eq!(
                answer.status == 403,
                !route.access.admits(role),
                "{} {path} as {role:?}",
                route.method
            );
            if answer.status == 403 {
                assert_eq!(answer.code(), "forbidden");
            }
        }
    }
}

/// Parts of the paths of what moves money, or tells of the ledger.
const MOVES_MONEY: [&str; 8] = [
    "/decide",
    "/refunds",
    "/points/adjust",
    "/settlements",
    "/fees",
    "/postings",
    "/ledger",
    "/payout",
];

/// What operators and finance both look at.
const SEEN_BY_ALL: [&str; 5] = [
    "/admin/v1/orders",
    "/admin/v1/orders/{id}",
    "/admin/v1/sales/{id}/policy",
    "/admin/v1/users/{id}/points",
    "/admin/v1/reconciliation",
];

const BUYERS: [&str; 2] = ["/v1/orders", "/v1/quotes"];

#[tokio::test]
async fn the_table_gives_administration_to_staff_alone() {
    for route in route::table() {
        let expected = match route.path {
            path if path.ends_with("/discard") => Access::Admin,
            "/admin/v1/users/{id}/role" | "/admin/v1/users/{id}/erase" => Access::Admin,
            path if MOVES_MONEY.iter().any(|part| path.contains(part)) => Access::Finance,
            path if route.method == "GET" && SEEN_BY_ALL.contains(&path) => Access::Office,
            path if path.starts_with("/admin/") => Access::Staff,
            path if BUYERS.iter().any(|of| path.starts_with(of)) => Access::Bearer,
            "/v1/me" | "/v1/sessions/log-out-everywhere" => Access::Bearer,
            path if path.starts_with("/v1/me/") => Access::Bearer,
            _ => Access::Public,
        };
        assert_eq!(route.access, expected, "{}", route.path);
    }
}

#[tokio::test]
async fn tokens_that_are_not_ours_or_over_are_refused() {
    let desk = Desk::shared().await;
    let (keys, now_s) = (
        TokenKeys::new(desk.stage.token_secret().as_bytes(), None).unwrap(),
        clock::now_s(),
    );
    let claims =
        |from, life| Claims::access(UserId::parse("olga").unwrap(), Role::Admin, from, life);
    let good = keys.sign(&claims(now_s, 60));
    let (signed, _) = good.rsplit_once('.').unwrap();
    let payload = signed.split_once('.').unwrap().1;
    let bad = [
        keys.sign(&claims(now_s - 120, 60)),
        keys.sign(&claims(now_s, 24 * 3_600 + 1)),
        TokenKeys::new(&[7; 32], None)
            .unwrap()
            .sign(&claims(now_s, 60)),
        format!("{signed}."),
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}."),
        "x".repeat(5_000),
    ];
    assert_eq!(
        desk.call("GET", "/admin/v1/sales/x")
            .token(&good)
            .send()
            .await
            .refusal(),
        (404, "unknown_sale")
    );
    for token in &bad {
        assert_eq!(
            desk.call("GET", "/admin/v1/sales/x")
                .token(token)
                .send()
                .await
                .refusal(),
            (401, "unauthorized"),
            "{token}"
        );
    }
}
