//! The one word that says whether something sells. Pure; called by `view`, `switch` and `publish`.

use doorbuster_core::gate::snapshot::{Snapped, State};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Subject, Window};

/// Where a sale or coupon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Phase {
    /// Written, not yet opened
    Draft,
    /// Opened, before its opening time
    Scheduled,
    /// On sale
    Open,
    /// Stopped by staff for a while
    Paused,
    /// Not selling until Redis has been compared with the books
    Recovering,
    /// Over
    Closed,
}

impl Window {
    pub(crate) fn is_over(self, now_ms: u64) -> bool {
        now_ms >= self.closes_ms
    }
}

/// The phase of `subject` at `now_ms`, given what Redis says of it; a draft is not asked about.
pub(crate) fn phase(subject: &Subject, snapped: Option<&Snapped>, now_ms: u64) -> Phase {
    if !subject.published {
        return Phase::Draft;
    }
    let snapshot = match snapped {
        Some(Snapped::Snapshot(snapshot)) => Some(snapshot),
        Some(Snapped::Fenced(_)) | None => None,
    };
    match snapshot {
        Some(snapshot) if snapshot.state == State::Closed => Phase::Closed,
        _ if subject.window.is_over(now_ms) => Phase::Closed,
        None => Phase::Recovering,
        Some(snapshot) if !snapshot.is_vouched() => Phase::Recovering,
        Some(snapshot) if snapshot.state == State::Paused => Phase::Paused,
        Some(_) if now_ms < subject.window.opens_ms => Phase::Scheduled,
        Some(_) => Phase::Open,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use doorbuster_core::gate::Fenced;
    use doorbuster_core::gate::snapshot::Snapshot;
    use doorbuster_core::ids::{LiveId, SaleId};

    use super::*;

    fn snapped(state: State, run_id: &str) -> Snapped {
        Snapped::Snapshot(Box::new(Snapshot {
            now_ms: 0,
            server_run_id: "run".into(),
            run_id: run_id.into(),
            epoch: 1,
            state,
            opens_ms: 0,
            closes_ms: 0,
            hold_ms: 0,
            payment_ms: 0,
            seq: 1,
            flushed_seq: 1,
            bytes: 0,
            flushed_bytes: 0,
            last_now_ms: 0,
            config: String::new(),
            stock: BTreeMap::new(),
            records: 0,
            order: 0,
            entries: 1,
        }))
    }

    fn subject(published: bool) -> Subject {
        let window = Window {
            opens_ms: 100,
            closes_ms: 200,
        };
        Subject {
            live: LiveId::Sale(SaleId::parse("s").unwrap()),
            window,
            published,
        }
    }

    #[test]
    fn a_phase_is_what_a_buyer_would_find() {
        let at = |snapped: &Snapped, now_ms| phase(&subject(true), Some(snapped), now_ms);
        let open = snapped(State::Open, "run");
        assert_eq!(
            [99, 100, 199, 200].map(|now| at(&open, now)),
            [Phase::Scheduled, Phase::Open, Phase::Open, Phase::Closed]
        );
        assert_eq!(at(&snapped(State::Paused, "run"), 150), Phase::Paused);
        assert_eq!(at(&snapped(State::Closed, "run"), 150), Phase::Closed);
    }

    #[test]
    fn what_nobody_vouches_for_is_recovering_until_it_is_over() {
        for lost in [
            snapped(State::Open, ""),
            snapped(State::Paused, "other"),
            Snapped::Fenced(Fenced::UnknownSale),
        ] {
            assert_eq!(phase(&subject(true), Some(&lost), 150), Phase::Recovering);
            assert_eq!(phase(&subject(true), Some(&lost), 200), Phase::Closed);
        }
    }

    #[test]
    fn a_draft_is_a_draft() {
        assert_eq!(phase(&subject(false), None, 150), Phase::Draft);
    }
}
