//! A minute at full speed with the books kept up: how far they lag, seen every 50 ms.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::Result;
use doorbuster_core::clock;
use doorbuster_core::ids::LiveId;
use tokio::time::sleep;

use super::arena::Arena;
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::audit::redis::Reader;
use crate::limits::{
    BENCH_BARE_SECONDS, BENCH_BUYERS, BENCH_STOCK, BENCH_SUSTAINED, LAG_LOOK_EVERY,
};
use crate::load::fire;
use crate::load::volley::Fired;
use crate::rivals::Name;
use crate::rush::say;

pub(super) async fn run(_: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arena::start(&[("WRITER_LAG_MAX", "0")]).await?;
    let bare = arena.guest(Name::Bare).await?;
    let buyers = arena.buyers(BENCH_BUYERS);
    let offer = arena.offer(BENCH_STOCK).await?;
    let volley = arena.volley(&offer, &buyers, BENCH_SUSTAINED);
    let mut alike = Arena::at_guest(volley.clone(), &bare, &offer);
    alike.lasting = BENCH_BARE_SECONDS;
    let reader = arena.sources.redis();
    let ours = async {
        let lags = lags(reader, &offer.live, BENCH_SUSTAINED);
        let (fired, lags) = tokio::join!(fire(volley), lags);
        Ok((fired?, lags))
    };
    let ((fired, mut lags), yardstick) = Arena::beside(alike, Fired::rate, ours).await?;
    lags.sort_by(f64::total_cmp);
    let p99 = lags.get(lags.len() * 99 / 100).copied().unwrap_or(f64::MAX);
    let rate = fired.rate();
    say(&format!(
        "sustained: {rate:.0}/s beside {yardstick:.0}/s bare; lag p99 {p99:.2} s of {} looks",
        lags.len()
    ));
    arena.drained(&offer.live, &fired).await?;
    arena.audit(&offer, vec![fired], &buyers).await?;
    let ratio = [rate / yardstick];
    Ok(vec![
        Goal::at_least(
            "a minute, accepted beside the bare server",
            0.38,
            &ratio,
            "×",
        ),
        Goal::at_most("a minute, p99 of the books' lag", 1.0, &[p99], "s"),
    ])
}

/// Seconds by which the books were behind at each look; at most one look's distance too much.
async fn lags(reader: &Reader, live: &LiveId, lasting: Duration) -> Vec<f64> {
    let began = clock::instant();
    let (mut lags, mut ahead, mut caught_up) = (Vec::new(), VecDeque::new(), began);
    while began.elapsed() < lasting {
        if let Ok(seen) = reader.snapshot(live).await {
            let now = clock::instant();
            ahead.push_back((now, seen.seq));
            lags.push(lag(&mut ahead, &mut caught_up, seen.flushed_seq, now));
        }
        sleep(LAG_LOOK_EVERY).await;
    }
    lags
}

/// `ahead` are looks at which the journal was ahead of the books; those they have reached are dropped.
fn lag(
    ahead: &mut VecDeque<(Instant, u64)>,
    caught_up: &mut Instant,
    flushed: u64,
    now: Instant,
) -> f64 {
    while let Some((at, _)) = ahead.front().copied().filter(|(_, seq)| *seq <= flushed) {
        *caught_up = at;
        ahead.pop_front();
    }
    now.saturating_duration_since(*caught_up).as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lag_is_the_age_of_the_last_look_that_the_books_have_reached() {
        let start = clock::instant();
        let at = |s| start + Duration::from_secs(s);
        let mut ahead: VecDeque<(Instant, u64)> = [(at(1), 10), (at(2), 20), (at(3), 30)].into();
        let mut caught_up = start;
        assert!((lag(&mut ahead, &mut caught_up, 9, at(3)) - 3.0).abs() < 1e-9);
        assert!((lag(&mut ahead, &mut caught_up, 20, at(3)) - 1.0).abs() < 1e-9);
        assert!(lag(&mut ahead, &mut caught_up, 30, at(3)).abs() < 1e-9);
    }
}
