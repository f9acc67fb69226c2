//! How safe a payment is before anybody is told of it: the deployment's ack level, kept by back-offices as engines keep it.
//!
//! At level `replica` whatever a script promises about a reservation (that its payment has begun, that it is paid or released, that units came back)
//! counts only once a replica has it; the saga asks again until then. At level `mysql` an order is paid once the books have its reservation's payment
//! too, and not merely the order's own row: a sale that is rebuilt then knows its units to be sold. What else an order does needs no such wait: its own
//! row is committed before, and says what is to be told again.

use std::time::Duration;

use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::replicas::ReplicaHas;
use doorbuster_core::ids::LiveId;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::limits::{ACK_LOOK_EVERY, BOOKS_LOOK_EVERY, READY_TIMEOUT};

/// The last event of a sale that somebody waits for: its generation and number.
pub(crate) type At = (u32, u64);

/// Where a payment is by the time that somebody is told of it.
pub(crate) fn means(level: AckLevel, gate: &Gate) -> &'static str {
    match (level, gate.replica_has()) {
        (AckLevel::Memory, _) => "in redis's memory, and on its disk within two seconds",
        (AckLevel::Fsync, _) => "on redis's disk",
        (AckLevel::Replica, Some(ReplicaHas::Fsynced)) => {
            "on the disks of redis and of a replica (WAITAOF)"
        }
        (AckLevel::Replica, _) => "on redis's disk, and in a replica's memory (WAIT)",
        (AckLevel::Mysql, _) => "in redis, and committed in mysql with the order",
    }
}

/// Whether something would be as safe as that now, as far as a back-office can tell; the engines check the rest.
pub(crate) async fn is_met(level: AckLevel, gate: &Gate) -> bool {
    match level {
        AckLevel::Replica => matches!(
            timeout(READY_TIMEOUT, gate.replica_confirms()).await,
            Ok(Ok(true))
        ),
        AckLevel::Memory | AckLevel::Fsync | AckLevel::Mysql => true,
    }
}

/// Asks of replicas as much as the server can tell of them; after a failover it may be another one. Until `stop`.
pub(crate) async fn keep(app: App, stop: CancellationToken) {
    if app.ack_level != AckLevel::Replica {
        return;
    }
    loop {
        if let Ok(settings) = app.gate.server_settings().await {
            app.gate.require_of_replica(settings.asked_of_replica());
        }
        if stop
            .run_until_cancelled(sleep(ACK_LOOK_EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// Whether the books have the sale up to there, after `wait` at the latest; they are looked at once at least.
pub(crate) async fn is_in_books(app: &App, live: &LiveId, awaited: At, wait: Duration) -> bool {
    let deadline = Instant::now() + wait;
    loop {
        let has = app.gate.flushed(live).await.ok().flatten();
        if is_there(has, awaited) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        sleep(BOOKS_LOOK_EVERY).await;
    }
}

/// Of another generation nothing is known: what happened in the former one may be lost.
fn is_there(has: Option<At>, (in_epoch, up_to): At) -> bool {
    has.is_some_and(|(epoch, seq)| epoch == in_epoch && seq >= up_to)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_books_have_it_when_they_are_as_far_in_the_same_generation() {
        assert!(is_there(Some((1, 7)), (1, 7)));
        assert!(is_there(Some((1, 8)), (1, 7)));
        for has in [Some((1, 6)), Some((2, 9)), None] {
            assert!(!is_there(has, (1, 7)));
        }
    }
}
