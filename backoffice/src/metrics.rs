//! Names and units of all metrics, and the recorder behind /metrics.

use std::sync::OnceLock;
use std::time::Duration;

use axum::http::Method;
use metrics::{
    Counter, Histogram, counter, describe_counter, describe_gauge, describe_histogram, gauge,
    histogram,
};
use metrics_exporter_prometheus::{BuildError, PrometheusBuilder, PrometheusHandle};

use crate::limits::METRICS_UPKEEP;
use crate::payments::breaker::Stand;

const REQUESTS: &str = "doorbuster_backoffice_requests_total";
const REQUEST_SECONDS: &str = "doorbuster_backoffice_request_seconds";
const CHANGES: &str = "doorbuster_backoffice_changes_total";
const AUDIT_FAILURES: &str = "doorbuster_backoffice_audit_failures_total";
const SIGN_INS: &str = "doorbuster_backoffice_sign_ins_total";
const REFRESH_REUSES: &str = "doorbuster_backoffice_refresh_reuses_total";
const MAILS: &str = "doorbuster_backoffice_mails_total";
const MAILS_KEPT: &str = "doorbuster_backoffice_mails";
const POINTS_DIFFERING: &str = "doorbuster_backoffice_points_accounts_differing";
const ORDERS: &str = "doorbuster_backoffice_orders";
const ORDERS_PARKED: &str = "doorbuster_backoffice_orders_parked_total";
const ORDERS_REFUSED: &str = "doorbuster_backoffice_order_steps_refused_total";
const CACHE_READS: &str = "doorbuster_backoffice_cache_reads_total";
const PAYMENTS: &str = "doorbuster_backoffice_payments_total";
const PAYMENT_CALL_SECONDS: &str = "doorbuster_backoffice_payment_call_seconds";
const PAYMENT_DIFFERENCES: &str = "doorbuster_backoffice_payment_differences_total";
const BREAKER: &str = "doorbuster_backoffice_payment_breaker";
const BREAKER_OPENED: &str = "doorbuster_backoffice_payment_breaker_opened_total";
const WEBHOOKS: &str = "doorbuster_backoffice_webhooks_total";
const WEBHOOKS_WAITING: &str = "doorbuster_backoffice_webhooks_waiting";
const ACK_MET: &str = "doorbuster_backoffice_ack_met";
const MONEY_DIFFERENCES: &str = "doorbuster_backoffice_money_differences";
const TURNED_AWAY: &str = "doorbuster_backoffice_connections_turned_away_total";

/// Upper bounds of the latency buckets, in seconds.
const SECONDS_BUCKETS: [f64; 10] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.0, 10.0];

/// Installs the process's recorder and keeps it tidy; once per process.
///
/// # Errors
/// [`BuildError`] where a recorder is there already.
pub(crate) fn install() -> Result<PrometheusHandle, BuildError> {
    let handle = PrometheusBuilder::new()
        .set_buckets(&SECONDS_BUCKETS)?
        .install_recorder()?;
    describe();
    breaker(Stand::Closed);
    for name in [
        AUDIT_FAILURES,
        REFRESH_REUSES,
        TURNED_AWAY,
        PAYMENT_DIFFERENCES,
        BREAKER_OPENED,
    ] {
        counter!(name).increment(0);
    }
    let upkeep = handle.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(METRICS_UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// What each is, and its unit.
fn describe() {
    describe_counter!(REQUESTS, "Requests answered, by method, route and status.");
    describe_histogram!(
        REQUEST_SECONDS,
        "Time from a request's head to its answer, by route."
    );
    describe_counter!(CHANGES, "Changes made by staff, by action.");
    describe_counter!(
        AUDIT_FAILURES,
        "Changes made in Redis whose audit row could not be written; the log has them."
    );
    describe_counter!(SIGN_INS, "Attempts to sign in, by outcome.");
    describe_counter!(
        REFRESH_REUSES,
        "Refresh tokens that came a second time, each of which ended a sign-in."
    );
    describe_counter!(MAILS, "Tries to send a mail, by outcome.");
    describe_gauge!(MAILS_KEPT, "Mails not sent, by state.");
    describe_orders();
    describe_counter!(
        CACHE_READS,
        "Answers to shoppers by what they are and where they came from: near (this process), far (Redis), books (MySQL)."
    );
    describe_counter!(
        TURNED_AWAY,
        "Connections closed at once because as many as allowed were open."
    );
    describe_counter!(
        PAYMENTS,
        "Calls to the payment provider, all their tries together, by operation and outcome."
    );
    describe_histogram!(
        PAYMENT_CALL_SECONDS,
        "Time to the answer of those that were answered, by operation."
    );
    describe_counter!(
        PAYMENT_DIFFERENCES,
        "Captures of another amount or currency than was asked for."
    );
    describe_gauge!(
        BREAKER,
        "The payment provider's breaker: 0 closed, 1 half-open, 2 open."
    );
    describe_counter!(WEBHOOKS, "Webhooks of the payment provider, by outcome.");
    describe_gauge!(
        WEBHOOKS_WAITING,
        "Webhooks in the inbox about which the provider has not been asked yet."
    );
    describe_counter!(BREAKER_OPENED, "How often it has opened.");
    describe_gauge!(
        ACK_MET,
        "1 while Redis keeps the ack level, as of the last look; else 0."
    );
    describe_gauge!(
        MONEY_DIFFERENCES,
        "What the last comparison of orders and money found, where this back-office made it; anything but 0 is an alarm."
    );
}

fn describe_orders() {
    describe_gauge!(
        POINTS_DIFFERING,
        "Accounts of points whose balance is not the sum of their entries; anything but 0 is an alarm."
    );
    describe_gauge!(ORDERS, "Orders on their way, by state.");
    describe_counter!(
        ORDERS_PARKED,
        "Orders that were left to a person; each is an alarm."
    );
    describe_counter!(
        ORDERS_REFUSED,
        "Steps of orders that MySQL refused for good; each is an alarm."
    );
}

pub(crate) fn ack_met(is_met: bool) {
    gauge!(ACK_MET).set(f64::from(u8::from(is_met)));
}

pub(crate) fn request(method: &Method, route: &str, status: u16, took: Duration) {
    let method = known(method);
    counter!(REQUESTS, "method" => method, "route" => route.to_owned(), "status" => status.to_string()).increment(1);
    histogram!(REQUEST_SECONDS, "route" => route.to_owned()).record(took.as_secs_f64());
}

/// A page that was answered before the router. Its counters are looked up once: there is nothing quicker to answer.
pub(crate) fn near_page(took: Duration) {
    static HANDLES: OnceLock<(Counter, Counter, Histogram)> = OnceLock::new();
    let (requests, reads, seconds) = HANDLES.get_or_init(|| {
        let route = "/v1/products/{id}";
        (
            counter!(REQUESTS, "method" => "GET", "route" => route, "status" => "200"),
            counter!(CACHE_READS, "kind" => "product", "from" => "near"),
            histogram!(REQUEST_SECONDS, "route" => route),
        )
    });
    requests.increment(1);
    reads.increment(1);
    seconds.record(took.as_secs_f64());
}

pub(crate) fn change(action: &'static str) {
    counter!(CHANGES, "action" => action).increment(1);
}

pub(crate) fn audit_failure() {
    counter!(AUDIT_FAILURES).increment(1);
}

pub(crate) fn sign_in(outcome: &'static str) {
    counter!(SIGN_INS, "outcome" => outcome).increment(1);
}

pub(crate) fn refresh_reuse() {
    counter!(REFRESH_REUSES).increment(1);
}

pub(crate) fn mail(outcome: &'static str) {
    counter!(MAILS, "outcome" => outcome).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "counts of mails")]
pub(crate) fn mails(waiting: i64, dead: i64) {
    gauge!(MAILS_KEPT, "state" => "waiting").set(waiting as f64);
    gauge!(MAILS_KEPT, "state" => "dead").set(dead as f64);
}

#[expect(clippy::cast_precision_loss, reason = "a count of accounts")]
pub(crate) fn points_differing(accounts: usize) {
    gauge!(POINTS_DIFFERING).set(accounts as f64);
}

/// States that no order is in are told as 0.
#[expect(clippy::cast_precision_loss, reason = "counts of orders")]
pub(crate) fn orders(counts: &[(String, i64)]) {
    for state in ["placed", "charging", "captured", "undoing", "parked"] {
        let count = counts.iter().find(|(word, _)| word == state);
        gauge!(ORDERS, "state" => state).set(count.map_or(0, |(_, count)| *count) as f64);
    }
}

pub(crate) fn order_parked() {
    counter!(ORDERS_PARKED).increment(1);
}

pub(crate) fn order_refused() {
    counter!(ORDERS_REFUSED).increment(1);
}

pub(crate) fn cache_read(kind: &'static str, from: &'static str) {
    counter!(CACHE_READS, "kind" => kind, "from" => from).increment(1);
}

pub(crate) fn payment(operation: &'static str, outcome: &'static str) {
    counter!(PAYMENTS, "operation" => operation, "outcome" => outcome).increment(1);
}

pub(crate) fn payment_call(operation: &'static str, took: Duration) {
    histogram!(PAYMENT_CALL_SECONDS, "operation" => operation).record(took.as_secs_f64());
}

/// Found by the last comparison of orders and money that this back-office made.
pub(crate) fn money_differences(found: u64) {
    gauge!(MONEY_DIFFERENCES).set(u32::try_from(found).unwrap_or(u32::MAX));
}

pub(crate) fn payment_difference() {
    counter!(PAYMENT_DIFFERENCES).increment(1);
}

pub(crate) fn breaker(stand: Stand) {
    let number = match stand {
        Stand::Closed => 0.0,
        Stand::HalfOpen => 1.0,
        Stand::Open => 2.0,
    };
    gauge!(BREAKER).set(number);
}

pub(crate) fn breaker_opened() {
    counter!(BREAKER_OPENED).increment(1);
}

pub(crate) fn webhook(outcome: &'static str) {
    counter!(WEBHOOKS, "outcome" => outcome).increment(1);
}

#[expect(clippy::cast_precision_loss, reason = "a count of webhooks")]
pub(crate) fn webhooks_waiting(waiting: i64) {
    gauge!(WEBHOOKS_WAITING).set(waiting as f64);
}

pub(crate) fn turned_away() {
    counter!(TURNED_AWAY).increment(1);
}

/// A client may make up methods; a label must not grow with them.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
