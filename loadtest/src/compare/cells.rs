//! What is measured of each way in each round: a rush for plenty, a crowd for as many units as it wants, a crowd for few, and
//! those who come when nothing is left. Called by `rounds`.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::correct::Course;
use super::ground::Ground;
use super::seller::Seller;
use super::stand::{CpuUs, Judged, Stand};
use super::way::Way;
use crate::limits::{BENCH_CROWD, BENCH_CROWD_STOCK, COMPARE_REPEAT_EVERY};
use crate::load::volley::Fired;
use crate::load::{Heard, Pace, Shot, fire};
use crate::record::Latency;

/// Plenty of stock, every connection asks again as soon as it has its answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Rush {
    pub(super) accepted: u64,
    /// Accepted a second.
    pub(super) goodput: f64,
    pub(super) put_off: u64,
    pub(super) broken: u64,
    /// Per unit sold, while buyers were there.
    pub(super) cpu_us: CpuUs,
    /// The same until all that was left to be done later was done.
    pub(super) cpu_with_books_us: CpuUs,
    /// After the last answer, of a way that carries its orders to MySQL later.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) books_after_s: Option<f64>,
    #[serde(flatten)]
    pub(super) judged: Judged,
}

/// Ten thousand orders, all due at once, some of them sent twice.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Crowd {
    pub(super) accepted: u64,
    /// Accepted a second until the last was.
    pub(super) goodput: f64,
    pub(super) sold_out: u64,
    /// Told that nothing was decided, or nothing is known yet.
    pub(super) put_off: u64,
    pub(super) broken: u64,
    /// Still waiting for a connection when the crowd was cut.
    pub(super) unsent: u64,
    /// From when each was due; those that were cut have waited at least until then.
    pub(super) latency_ms: Latency,
    pub(super) last_answer_s: f64,
    #[serde(flatten)]
    pub(super) judged: Judged,
}

/// Nothing left, every connection asks again as soon as it has its answer.
#[derive(Debug, Clone, Serialize)]
pub(super) struct SoldOut {
    /// Refused as sold out, a second; of the yardstick, which refuses nobody, its answers.
    pub(super) refusals_per_s: f64,
    pub(super) accepted: u64,
    pub(super) put_off: u64,
}

/// The rush.
///
/// # Errors
/// If it leaves nothing to measure.
pub(super) async fn rush(ground: &Ground, seller: &Seller, lasting: Duration) -> Result<Rush> {
    let stock = seller.way.plenty(lasting);
    let stand = ground.put_up(seller, stock, &ground.buyers).await?;
    stand.quiet().await;
    let before = stand.spent();
    let fired = fire(stand.volley(lasting)).await?;
    let spent = stand.spent().since(before);
    let books_after = stand.settle(&fired).await?;
    let with_books = stand.spent().since(before);
    let accepted = fired.accepted();
    Ok(Rush {
        accepted,
        goodput: goodput(&fired),
        put_off: put_off(&fired),
        broken: fired.broken(),
        cpu_us: spent.us_each(accepted),
        cpu_with_books_us: with_books.us_each(accepted),
        books_after_s: books_after.map(|after| after.as_secs_f64()),
        judged: stand.judge(vec![fired], Course::Finished).await?,
    })
}

/// A crowd for as many units as it orders.
///
/// # Errors
/// As [`rush`].
pub(super) async fn shelf(ground: &Ground, seller: &Seller, cut: Duration) -> Result<Crowd> {
    let stand = ground.put_up(seller, BENCH_CROWD, &ground.crowd).await?;
    let fired = come_at_once(&stand, cut).await?;
    stand.settle(&fired).await?;
    let mut crowd = Crowd::of(&fired, cut);
    let course = crowd.course();
    crowd.judged = stand.judge(vec![fired], course).await?;
    Ok(crowd)
}

/// A crowd for few units, and then those who come too late.
///
/// # Errors
/// As [`rush`].
pub(super) async fn coupons(
    ground: &Ground,
    seller: &Seller,
    cut: Duration,
    lasting: Duration,
) -> Result<(Crowd, SoldOut)> {
    let stand = ground
        .put_up(seller, BENCH_CROWD_STOCK, &ground.crowd)
        .await?;
    let fired = come_at_once(&stand, cut).await?;
    stand.settle(&fired).await?;
    let mut volley = stand.volley(lasting);
    volley.first = shots(BENCH_CROWD.into());
    let late = fire(volley).await?;
    stand.settle(&late).await?;
    let sold_out = SoldOut::of(&late, seller.way);
    let mut crowd = Crowd::of(&fired, cut);
    let course = crowd.course();
    crowd.judged = stand.judge(vec![fired, late], course).await?;
    Ok((crowd, sold_out))
}

async fn come_at_once(stand: &Stand<'_>, cut: Duration) -> Result<Fired> {
    stand.quiet().await;
    let mut volley = stand.volley(cut);
    (volley.pace, volley.cut) = (Pace::AtOnce, Some(cut));
    volley.requests_max = shots(BENCH_CROWD.into());
    fire(volley).await
}

/// Requests among which there are so many different orders.
fn shots(orders: u64) -> u64 {
    orders + orders.saturating_sub(1) / (COMPARE_REPEAT_EVERY - 1)
}

fn is_accepted(shot: &Shot) -> bool {
    matches!(shot.heard, Heard::Accepted(..))
}

/// Nothing is divided by less than this, where nothing was accepted.
const SHORTEST_S: f64 = 1e-6;

fn goodput(fired: &Fired) -> f64 {
    let until = fired.last(is_accepted).as_secs_f64();
    fired.accepted() as f64 / until.max(SHORTEST_S)
}

/// Too many requests, or unavailable: to be asked again.
fn put_off(fired: &Fired) -> u64 {
    let heard = fired.shots.iter().map(|shot| &shot.heard);
    let later = heard.filter(|heard| matches!(heard, Heard::Refused(429 | 500.., _)));
    later.count() as u64
}

impl Crowd {
    fn of(fired: &Fired, cut: Duration) -> Self {
        let unsent = shots(BENCH_CROWD.into()).saturating_sub(fired.shots.len() as u64);
        let mut latency = fired.latency(|_| true);
        // A histogram takes whatever is within its bounds, and an hour is.
        latency.saturating_record_n(u64::try_from(cut.as_micros()).unwrap_or(u64::MAX), unsent);
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            accepted: fired.accepted(),
            goodput: goodput(fired),
            sold_out: fired.refused("sold_out"),
            put_off: put_off(fired),
            broken: fired.broken(),
            unsent,
            latency_ms: Latency {
                p50: at(0.5),
                p99: at(0.99),
                p999: at(0.999),
                max: latency.max() as f64 / 1_000.0,
            },
            last_answer_s: fired.elapsed.as_secs_f64(),
            judged: Judged::default(),
        }
    }

    pub(super) fn course(&self) -> Course {
        if self.unsent == 0 {
            Course::Finished
        } else {
            Course::Cut
        }
    }
}

impl SoldOut {
    fn of(late: &Fired, way: Way) -> Self {
        let refusals = if way.decider() == super::way::Decider::Nobody {
            late.answered()
        } else {
            late.refused("sold_out")
        };
        Self {
            refusals_per_s: refusals as f64 / late.elapsed.as_secs_f64().max(SHORTEST_S),
            accepted: late.accepted(),
            put_off: put_off(late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_has_as_many_different_orders_as_is_said() {
        for orders in [1_u64, 19, 20, 100, 10_000] {
            let sent = shots(orders);
            assert_eq!(sent - sent / COMPARE_REPEAT_EVERY, orders);
            assert_ne!(sent % COMPARE_REPEAT_EVERY, 0, "the last is no repeat");
        }
    }
}
