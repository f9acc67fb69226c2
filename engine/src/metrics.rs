//! Names, units and meaning of every metric, and the recorder behind `/metrics`.
//!
//! Labels are bounded: outcome codes, routes, reasons, and live sales; never a user or a reservation.

use doorbuster_core::ids::LiveId;
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};

pub const ANSWERS: &str = "doorbuster_http_answers_total";
pub const ANSWER_SECONDS: &str = "doorbuster_http_answer_seconds";
pub const CONNECTIONS: &str = "doorbuster_connections";
pub const SHED: &str = "doorbuster_shed_total";
pub const IN_FLIGHT: &str = "doorbuster_in_flight";
pub const IN_FLIGHT_LIMIT: &str = "doorbuster_in_flight_limit";
pub const BATCH_REQUESTS: &str = "doorbuster_batch_requests";
pub const GATE_SECONDS: &str = "doorbuster_gate_call_seconds";
pub const GATE_ERRORS: &str = "doorbuster_gate_errors_total";
pub const QUEUE_DEPTH: &str = "doorbuster_queue_depth";
pub const JOIN_QUEUE_DEPTH: &str = "doorbuster_join_queue_depth";
pub const JOINED: &str = "doorbuster_line_joined_total";
pub const EARLY_POLLS: &str = "doorbuster_line_early_polls_total";
pub const LINE_WAITING: &str = "doorbuster_line_waiting";
pub const LINE_UNSPENT: &str = "doorbuster_line_unspent";
pub const LINE_ADMITTED: &str = "doorbuster_line_admitted_total";
pub const OUTCOMES: &str = "doorbuster_outcomes_total";
pub const SHIELD_ANSWERS: &str = "doorbuster_shield_answers_total";
pub const REVOKED_USERS: &str = "doorbuster_revoked_users";
pub const REVOCATION_ERRORS: &str = "doorbuster_revocation_read_errors_total";
pub const WRITER_EVENTS: &str = "doorbuster_writer_events_total";
pub const WRITER_LAG_SECONDS: &str = "doorbuster_writer_lag_seconds";
pub const WRITER_LAG_EVENTS: &str = "doorbuster_writer_lag_events";
pub const BACKLOG_USED: &str = "doorbuster_backlog_used_ratio";
pub const WRITER_TRANSACTION_SECONDS: &str = "doorbuster_writer_transaction_seconds";
pub const WRITER_ERRORS: &str = "doorbuster_writer_errors_total";
pub const DEAD_LETTERS: &str = "doorbuster_dead_letters_total";
pub const WRITER_STOPPED: &str = "doorbuster_writer_stopped";
pub const VOUCH_UNHEARD_SECONDS: &str = "doorbuster_vouch_unheard_seconds";
pub const RECOVERING: &str = "doorbuster_sale_recovering";
pub const REWINDS: &str = "doorbuster_rewinds_total";
pub const VOUCHES: &str = "doorbuster_vouches_total";
pub const REBUILDS: &str = "doorbuster_rebuilds_total";
pub const REBUILD_SECONDS: &str = "doorbuster_rebuild_seconds";
pub const TAKEN_OVER: &str = "doorbuster_taken_over_events_total";
pub const LOST: &str = "doorbuster_lost_events_total";
pub const RECEIPTS: &str = "doorbuster_receipts_total";
pub const UNFLUSHED: &str = "doorbuster_unflushed_events";
pub const UNFLUSHED_FORGOTTEN: &str = "doorbuster_unflushed_forgotten_events";
pub const SWEPT: &str = "doorbuster_swept_holds_total";
pub const SWEEPER_LAG_SECONDS: &str = "doorbuster_sweeper_lag_seconds";
pub const CONSERVATION: &str = "doorbuster_conservation_difference_units";
pub const CLOCK_BEHIND_SECONDS: &str = "doorbuster_redis_clock_behind_seconds";
pub const CLOCK_REFUSALS: &str = "doorbuster_clock_refusals_total";
pub const ACK_OK: &str = "doorbuster_ack_level_met";
pub const ACK_WAIT_SECONDS: &str = "doorbuster_ack_wait_seconds";
pub const ACK_MISSED: &str = "doorbuster_ack_missed_total";

/// Installs the process-wide recorder.
///
/// # Errors
/// [`BuildError`] if one is installed already.
pub fn install() -> Result<PrometheusHandle, BuildError> {
    let seconds = [
        0.000_5, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0,
    ];
    let requests = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &seconds)?
        .set_buckets_for_metric(Matcher::Full(BATCH_REQUESTS.into()), &requests)?
        .install_recorder()?;
    describe();
    Ok(handle)
}

fn describe() {
    describe_counter!(ANSWERS, "Answers by route, status and code.");
    describe_histogram!(
        ANSWER_SECONDS,
        Unit::Seconds,
        "From a request's head to its answer."
    );
    describe_gauge!(CONNECTIONS, "Open connections.");
    describe_counter!(
        SHED,
        "Requests and connections shed, by reason: a rate (rate_total, rate_address, rate_user, rate_sale), connections \
         (connections, connections_per_address), load by class (load_browse, load_join, load_reserve, load_cancel), a queue \
         (queue, queue_wait, timeout, look_ups), backlog."
    );
    describe_gauge!(
        IN_FLIGHT,
        "Requests that wait for a script call or are in one."
    );
    describe_gauge!(
        IN_FLIGHT_LIMIT,
        "How many of them there may be; 0 while no queue stands, when there is no limit."
    );
    describe_histogram!(BATCH_REQUESTS, "Requests that one script call decided.");
    describe_histogram!(
        GATE_SECONDS,
        Unit::Seconds,
        "Script calls that decide batches."
    );
    describe_counter!(GATE_ERRORS, "Script calls without an outcome, by kind.");
    describe_gauge!(QUEUE_DEPTH, "Requests waiting for a script call, by sale.");
    describe_counter!(OUTCOMES, "Requests decided, by outcome word.");
    describe_counter!(SHIELD_ANSWERS, "Sold-out answers given from memory.");
    describe_gauge!(
        REVOKED_USERS,
        "Users of whom some access token is known to be revoked."
    );
    describe_counter!(
        REVOCATION_ERRORS,
        "Looks for revoked tokens that Redis did not answer."
    );
    describe_lines();
    describe_books();
}

fn describe_lines() {
    describe_gauge!(
        JOIN_QUEUE_DEPTH,
        "Users waiting for a number in a line, by sale."
    );
    describe_counter!(JOINED, "Numbers given in lines.");
    describe_counter!(
        EARLY_POLLS,
        "Polls that came before half of the time that was told, and got no answer."
    );
    describe_gauge!(
        LINE_WAITING,
        "People behind the last place that was admitted, those who left without a word included, by sale."
    );
    describe_gauge!(
        LINE_UNSPENT,
        "Places that are admitted and have no reservation yet, by sale."
    );
    describe_gauge!(LINE_ADMITTED, "Offers of admission ever made, by sale.");
}

fn describe_books() {
    describe_counter!(WRITER_EVENTS, "Journal events applied to MySQL.");
    describe_gauge!(
        WRITER_LAG_SECONDS,
        Unit::Seconds,
        "Age of the oldest event not yet in MySQL, by sale."
    );
    describe_gauge!(WRITER_LAG_EVENTS, "Events not yet in MySQL, by sale.");
    describe_gauge!(
        BACKLOG_USED,
        "What waits for MySQL as a part of what may (BACKLOG_MAX, BACKLOG_BYTES_MAX), by sale; at 1 buyers are told to come back."
    );
    describe_histogram!(
        WRITER_TRANSACTION_SECONDS,
        Unit::Seconds,
        "Writer transactions, begin to commit."
    );
    describe_counter!(
        WRITER_ERRORS,
        "Writer transactions that failed and will be tried again."
    );
    describe_counter!(DEAD_LETTERS, "Events whose projection MySQL refused.");
    describe_gauge!(
        WRITER_STOPPED,
        "1 while a sale's writer is stopped by dead letters and asks for a person, by sale."
    );
    describe_gauge!(
        VOUCH_UNHEARD_SECONDS,
        Unit::Seconds,
        "How long a vouch has waited for the word of an engine that gives signs of life, by sale."
    );
    describe_gauge!(
        RECOVERING,
        "1 while a sale may not sell: not vouched for, rewound, or missing in Redis."
    );
    describe_counter!(
        REWINDS,
        "Times that Redis was found older than the books or than an engine had seen."
    );
    describe_counter!(VOUCHES, "Sales vouched for.");
    describe_counter!(SWEPT, "Overdue holds ended.");
    describe_gauge!(
        SWEEPER_LAG_SECONDS,
        Unit::Seconds,
        "How late the last overdue hold was ended, by sale."
    );
    describe_gauge!(
        CONSERVATION,
        "stocked - left - held - sold, absolute, over all skus of a sale; always 0."
    );
    describe_gauge!(
        CLOCK_BEHIND_SECONDS,
        Unit::Seconds,
        "How far Redis TIME is behind the sale's last event, by sale."
    );
    describe_counter!(
        CLOCK_REFUSALS,
        "Calls refused because Redis TIME leapt and this machine's clock disagrees."
    );
    describe_ack();
}

fn describe_ack() {
    describe_gauge!(
        ACK_OK,
        "1 while Redis, its replicas or MySQL keep what the ack level promises."
    );
    describe_histogram!(
        ACK_WAIT_SECONDS,
        Unit::Seconds,
        "From a decision to the books having it, where buyers wait for that."
    );
    describe_counter!(
        ACK_MISSED,
        "Waits that ended before replica or books had what was decided; the buyers ask again."
    );
    describe_rebuilds();
}

/// What a rewind costs, and what is kept so that it costs nothing.
fn describe_rebuilds() {
    describe_counter!(
        REBUILDS,
        "Rebuilds by outcome: done, or waits for a person."
    );
    describe_gauge!(
        REBUILD_SECONDS,
        Unit::Seconds,
        "How long the last rebuild took, by sale."
    );
    describe_counter!(
        TAKEN_OVER,
        "Events that a rebuild had from live engines or the audit log, and not from Redis."
    );
    describe_counter!(
        LOST,
        "Events of which a rebuild found proof and nothing else: acknowledged, perhaps, and lost."
    );
    describe_counter!(
        RECEIPTS,
        "Receipts presented, by outcome; sold_out and limit_reached were proven and could not be honoured."
    );
    describe_gauge!(
        UNFLUSHED,
        "Events that this process remembers until the books have them."
    );
    describe_gauge!(
        UNFLUSHED_FORGOTTEN,
        "Events that this process had to forget for want of room before the books had them."
    );
}

/// A script refused because Redis TIME leapt by more than a minute and this machine's clock does not agree (design §3, Time).
pub(crate) fn clock_alarm(live: &LiveId) {
    metrics::counter!(CLOCK_REFUSALS).increment(1);
    tracing::error!(alarm = "clock", sale = %live, "redis TIME leapt and this machine's clock disagrees: one of the two is wrong");
}
