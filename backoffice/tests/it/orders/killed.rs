//! A back-office that is killed at any line of an order's way: another one takes it to its end, and nothing happens twice.

use std::path::Path;
use std::time::Duration;

use doorbuster_core::claims::Role;
use doorbuster_stage::{Program, Server};
use serde_json::json;

use super::{as_buyer, counts, order, sale, timeline, until};
use crate::http::Call;
use crate::stage::{Desk, name};
use crate::till::WEBHOOK_SECRET;

/// The back-office with crash points lies beside the one that is shipped.
fn drill_program() -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"))
        .with_file_name("doorbuster-backoffice-drill");
    assert!(
        path.exists(),
        "doorbuster-backoffice-drill is missing: cargo build -p doorbuster-backoffice --features crash-points --bin doorbuster-backoffice-drill, in the tests' profile"
    );
    path
}

/// A stage without back-offices of its own: the one that is killed, and the one that goes on.
struct Broken {
    shop: super::Shop,
    url: String,
}

/// One that will be killed.
struct Doomed {
    server: Server,
    file: std::path::PathBuf,
}

impl Doomed {
    /// From now on, when it comes to this place.
    fn at(&self, point: &str) {
        std::fs::write(&self.file, format!("{point} 1")).unwrap();
    }

    /// Whoever called it got no answer, or got it just in time.
    async fn dies_of(self, call: Call) {
        let _ = tokio::spawn(call.send()).await;
        self.server.wait_exit(Duration::from_secs(10)).unwrap();
    }
}

impl Broken {
    fn new() -> Self {
        let shop = super::Shop::new("", 1);
        Self {
            url: shop.till().url().to_owned(),
            shop,
        }
    }

    fn doomed(&self) -> Doomed {
        let name = name("doomed");
        let file = self.shop.stage.dir().join(format!("{name}.crash-point"));
        let path = file.display().to_string();
        let env = [
            ("BACKOFFICE_LISTEN", "127.0.0.1:{port}"),
            ("PAYMENT_PROVIDER_URL", self.url.as_str()),
            ("PAYMENT_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("CRASH_POINT_FILE", &path),
        ];
        let program = Program {
            name: &name,
            path: &drill_program(),
            args: &["serve"],
            env: &env,
            port: None,
        };
        let server = self.shop.stage.start_program(&program).unwrap();
        Doomed { server, file }
    }
}

#[tokio::test]
async fn an_order_survives_its_worker_at_every_step() {
    let broken = Broken::new();
    let desk = broken.shop.desk().await;
    let sale = sale(&desk, 50, (300, 300)).await;
    let mut killed = Vec::new();
    for (point, token, end) in [
        ("order_placed", "tok_ok", "paid"),
        ("order_begun_before_books", "tok_ok", "paid"),
        ("order_begun_after_books", "tok_ok", "paid"),
        ("charge_before_send", "tok_ok", "paid"),
        ("charge_after_answer", "tok_ok", "paid"),
        ("order_charged_before_books", "tok_ok", "paid"),
        ("order_captured_after_books", "tok_ok", "paid"),
        ("order_settled_before_books", "tok_ok", "paid"),
        ("order_settled_after_books", "tok_ok", "paid"),
        ("order_charged_before_books", "tok_decline", "cancelled"),
        ("order_released_before_books", "tok_decline", "cancelled"),
        ("order_undone_after_books", "tok_decline", "cancelled"),
    ] {
        let doomed = broken.doomed();
        let user = name("survivor");
        let hold = desk
            .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
            .await;
        let call = Call::new(doomed.server.url(), "POST", "/v1/orders");
        let call = call
            .token(&desk.token(&user, Role::Buyer))
            .header("idempotency-key", "k");
        doomed.at(point);
        doomed.dies_of(call.json(&order(&sale, &hold, token))).await;
        let list = as_buyer(&desk, &user, "GET", "/v1/orders")
            .send()
            .await
            .ok(200);
        killed.push((point, list["orders"][0].clone(), end));
    }
    let mut sold = 0;
    for (point, order, end) in killed {
        let ended = until(&desk, &order, end).await;
        sold += i64::from(end == "paid");
        let kinds = timeline(&ended);
        let mut once = kinds.clone();
        once.sort();
        once.dedup();
        assert_eq!(once.len(), kinds.len(), "{point}: {kinds:?}");
        let money = if end == "paid" { (10_000, 0) } else { (0, 0) };
        assert_eq!(broken.shop.money(&ended).await, money, "{point}");
    }
    assert_eq!(counts(&desk, &sale, "tee").await, [50, 50 - sold, 0, sold]);
    assert_eq!(broken.shop.captures().await, u64::try_from(sold).unwrap());
}

#[tokio::test]
async fn a_refund_survives_its_worker_at_every_step() {
    let broken = Broken::new();
    let desk = broken.shop.desk().await;
    let sale = sale(&desk, 50, (300, 300)).await;
    let points = [
        "refund_after_answer",
        "order_repaid_before_books",
        "order_repaid_after_books",
        "order_units_returned",
        "order_returned_before_books",
    ];
    let mut bought = Vec::new();
    for _ in points {
        bought.push(super::buy(&desk, &sale, &name("returner"), "tok_ok").await);
    }
    let doomed: Vec<Doomed> = points.iter().map(|_| broken.doomed()).collect();
    for doomed in &doomed {
        doomed.server.freeze().unwrap();
    }
    // One of them is awake at a time, so that it takes the refund.
    desk.stage.backoffice(0).freeze().unwrap();
    for ((point, doomed), order) in points.into_iter().zip(doomed).zip(&bought) {
        doomed.server.thaw().unwrap();
        doomed.at(point);
        let path = format!("/v1/orders/{}/cancel", order["id"].as_str().unwrap());
        let user = order["user"].as_str().unwrap();
        let call = Call::new(doomed.server.url(), "POST", &path);
        doomed
            .dies_of(call.token(&desk.token(user, Role::Buyer)))
            .await;
    }
    desk.stage.backoffice(0).thaw().unwrap();
    for (point, order) in points.into_iter().zip(&bought) {
        let ended = until(&desk, order, "refunded").await;
        assert_eq!(broken.shop.money(&ended).await, (10_000, 10_000), "{point}");
        let refunds = timeline(&ended)
            .iter()
            .filter(|kind| *kind == "refunded")
            .count();
        assert_eq!(refunds, 1, "{point}");
    }
    assert_eq!(counts(&desk, &sale, "tee").await, [50, 50, 0, 0]);
}

#[tokio::test]
async fn a_worker_that_stood_still_changes_nothing_when_it_goes_on() {
    let shop = super::Shop::new("", 2);
    let desk: Desk<'_> = shop.desk().await;
    let sale = sale(&desk, 5, (300, 300)).await;
    let user = name("frozen");
    let hold = desk
        .hold(&sale, &user, json!([{"sku": "tee", "quantity": 1}]))
        .await;
    let call = Call::new(desk.stage.backoffice(1).url(), "POST", "/v1/orders");
    let call = call
        .token(&desk.token(&user, Role::Buyer))
        .header("idempotency-key", "k");
    let placing = tokio::spawn(call.json(&order(&sale, &hold, "tok_slow_1000")).send());
    tokio::time::sleep(Duration::from_millis(500)).await;
    desk.stage.backoffice(1).freeze().unwrap();
    let list = as_buyer(&desk, &user, "GET", "/v1/orders")
        .send()
        .await
        .ok(200);
    let paid = until(&desk, &list["orders"][0], "paid").await;
    desk.stage.backoffice(1).thaw().unwrap();
    let _ = placing.await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(
        timeline(&super::look(&desk, &paid).await),
        ["placed", "charging", "charged", "paid"]
    );
    assert_eq!(shop.money(&paid).await, (10_000, 0));
    assert_eq!(counts(&desk, &sale, "tee").await, [5, 4, 0, 1]);
}
