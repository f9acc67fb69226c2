//! Vouching: is this Redis as new as the books, and as anything that a live engine saw (design §5)?
//!
//! Runs under the cursor's lock with nothing left to write, so the books stand still and stand exactly at the cursor.

use std::time::Instant;

use anyhow::Context as _;
use doorbuster_core::gate::snapshot::Snapped;
use doorbuster_core::gate::vouch::{Vouch, Vouched};
use sqlx::{MySql, Transaction};

use super::rebuild;
use super::step::{Step, Stepped};
use super::store::{self, Cursor, Witness};
use crate::crash;
use crate::limits::{ENGINE_MEMORY, HEARTBEAT_EVERY, WRITER_REDIS_TIMEOUT};

/// Some engine gives signs of life and has not said what it saw before this Redis process.
pub(super) const UNTESTIFIED: &str = "a live engine has not testified yet";

pub(super) async fn vouch(
    step: &Step<'_>,
    transaction: &mut Transaction<'_, MySql>,
    cursor: &Cursor,
    began: Instant,
) -> anyhow::Result<Stepped> {
    if cursor.seq == 0 {
        return Ok(Stepped::Waits("the books have not seen it open"));
    }
    let look = tokio::time::timeout(WRITER_REDIS_TIMEOUT, step.gate.snapshot(step.live))
        .await
        .context("redis did not answer in time")?;
    let Snapped::Snapshot(snapshot) = look.context("look at the sale")? else {
        return Ok(Stepped::Rewound(
            "the sale is not in redis, or not whole".into(),
        ));
    };
    if snapshot.server_run_id != step.server {
        return Ok(Stepped::Waits("redis restarted again"));
    }
    if (snapshot.epoch, snapshot.seq) != (cursor.epoch, cursor.seq) {
        let (epoch, seq) = (snapshot.epoch, snapshot.seq);
        return Ok(Stepped::Rewound(format!(
            "redis is at epoch {epoch}, seq {seq}, the books at epoch {}, seq {}",
            cursor.epoch, cursor.seq
        )));
    }
    if snapshot.stock.is_empty() {
        return Ok(Stepped::Rewound("the stock is not in redis".into()));
    }
    if let Some((sku, stock)) = snapshot
        .stock
        .iter()
        .find(|(_, stock)| stock.difference() != 0)
    {
        return Ok(Stepped::Rewound(format!(
            "stocked = left + held + sold does not hold for {sku}: {stock:?}"
        )));
    }
    if let Some(stepped) = stands_against(step, transaction, cursor, began).await? {
        return Ok(stepped);
    }
    let vouch = Vouch {
        epoch: cursor.epoch,
        seq: cursor.seq,
        entry_id: &cursor.stream_id,
        run_id: step.server,
    };
    crash::point("writer.before_vouch");
    let vouched = tokio::time::timeout(WRITER_REDIS_TIMEOUT, step.gate.vouch(step.live, &vouch))
        .await
        .context("redis did not answer in time")?;
    crash::point("writer.after_vouch");
    match vouched.context("vouch")? {
        Vouched::Vouched => Ok(Stepped::Vouched),
        Vouched::Already => Ok(Stepped::Waits("vouched for already")),
        Vouched::Moved { .. } => Ok(Stepped::Waits("it moved meanwhile")),
        Vouched::Fenced(fenced) => Ok(Stepped::Rewound(format!("{fenced:?}"))),
    }
}

/// What engines saw.
async fn stands_against(
    step: &Step<'_>,
    transaction: &mut Transaction<'_, MySql>,
    cursor: &Cursor,
    began: Instant,
) -> anyhow::Result<Option<Stepped>> {
    // Where MySQL has kept this step waiting, it has kept engines from their signs.
    let is_slow = || began.elapsed() >= HEARTBEAT_EVERY;
    let engine_life = if is_slow() {
        ENGINE_MEMORY
    } else {
        step.rebuilds.engine_life()
    };
    let witnesses = store::witnesses(transaction, &step.live.book_id(), engine_life)
        .await
        .context("read the engines' testimony")?;
    if engine_life < ENGINE_MEMORY && is_slow() {
        return Ok(Some(Stepped::Waits("mysql was slow to answer")));
    }
    if let Some(stepped) = judge(&witnesses, step.server, cursor) {
        return Ok(Some(stepped));
    }
    // Also one that is dead by now may have seen more, and have noted it.
    let seen = rebuild::store::newest_sighting(transaction, &step.live.book_id())
        .await
        .context("read what engines noted")?;
    let newer = seen.filter(|seen| *seen > (cursor.epoch, cursor.seq));
    Ok(newer.map(|(epoch, seq)| {
        Stepped::Rewound(format!(
            "an engine noted epoch {epoch}, seq {seq}; redis is at seq {}",
            cursor.seq
        ))
    }))
}

/// `None` if no witness stands against it.
fn judge(witnesses: &[Witness], server: &str, cursor: &Cursor) -> Option<Stepped> {
    if witnesses.iter().any(|witness| witness.run_id != server) {
        return Some(Stepped::Waits(UNTESTIFIED));
    }
    let more = witnesses
        .iter()
        .filter_map(|w| Some((w.epoch?, w.seq?)))
        .find(|seen| *seen > (cursor.epoch, cursor.seq))?;
    Some(Stepped::Rewound(format!(
        "an engine saw epoch {}, seq {}; redis is at seq {}",
        more.0, more.1, cursor.seq
    )))
}

#[cfg(test)]
mod tests {
    use doorbuster_core::journal::StreamId;

    use super::*;

    fn witness(run_id: &str, seen: Option<(u32, u64)>) -> Witness {
        Witness {
            run_id: run_id.into(),
            epoch: seen.map(|s| s.0),
            seq: seen.map(|s| s.1),
        }
    }

    #[test]
    fn redis_must_be_as_new_as_anything_a_live_engine_saw() {
        let cursor = Cursor {
            epoch: 1,
            seq: 10,
            stream_id: StreamId::new("1-0"),
        };
        assert!(judge(&[], "now", &cursor).is_none());
        assert!(
            judge(
                &[witness("now", Some((1, 10))), witness("now", None)],
                "now",
                &cursor
            )
            .is_none()
        );
        assert!(matches!(
            judge(&[witness("before", Some((1, 10)))], "now", &cursor),
            Some(Stepped::Waits(_))
        ));
        assert!(matches!(
            judge(&[witness("now", Some((1, 11)))], "now", &cursor),
            Some(Stepped::Rewound(_))
        ));
        assert!(matches!(
            judge(&[witness("now", Some((2, 1)))], "now", &cursor),
            Some(Stepped::Rewound(_))
        ));
    }
}
