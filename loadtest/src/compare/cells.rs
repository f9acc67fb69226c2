//! What is measured of each way in each round: a rush for plenty, a crowd for as many units as it wants, a crowd for few, and
//! those who come when nothing is left. Called by `rounds`.

use std::collections::HashSet;
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
    let accepted = accepted(&fired);
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
pub(super) async fn scarce(
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

/// Orders, however often each was asked for and told.
fn accepted(fired: &Fired) -> u64 {
    let shots = fired.shots.iter().filter(|shot| is_accepted(shot));
    let orders: HashSet<u64> = shots.map(|shot| shot.request).collect();
    orders.len() as u64
}

fn goodput(fired: &Fired) -> f64 {
    let until = fired.last(is_accepted).as_secs_f64();
    accepted(fired) as f64 / until.max(SHORTEST_S)
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
        if unsent > 0 {
            let cut_us = u64::try_from(cut.as_micros()).unwrap_or(u64::MAX);
            latency.saturating_record_n(cut_us, unsent);
        }
        let at = |quantile| latency.value_at_quantile(quantile) as f64 / 1_000.0;
        Self {
            accepted: accepted(fired),
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
            accepted: accepted(late),
            put_off: put_off(late),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests with their status and when each was answered, in ms.
    fn fired(shots: &[(u64, u16, u64)]) -> Fired {
        let shot = |(request, status, done_ms): &(u64, u16, u64)| Shot {
            request: *request,
            server: 0,
            due_us: 0,
            sent_us: 0,
            done_us: done_ms * 1_000,
            heard: match status {
                200 | 201 => Heard::Accepted(*status, Box::from([])),
                409 => Heard::Refused(*status, "sold_out".into()),
                _ => Heard::Refused(*status, "overloaded".into()),
            },
        };
        Fired {
            shots: shots.iter().map(shot).collect(),
            start_ms: 0,
            start: doorbuster_core::clock::instant(),
            elapsed: Duration::from_secs(1),
        }
    }

    #[test]
    fn an_order_that_was_asked_for_twice_is_one() {
        let told = fired(&[(1, 201, 100), (1, 200, 200), (2, 201, 400), (3, 409, 900)]);
        assert_eq!(accepted(&told), 2);
        assert!((goodput(&told) - 5.0).abs() < 1e-9, "two within 0.4 s");
        let crowd = Crowd::of(&told, Duration::from_secs(5));
        assert_eq!((crowd.sold_out, crowd.put_off), (1, 0));
    }

    #[test]
    fn those_who_were_cut_have_waited_until_then() {
        let cut = Duration::from_secs(5);
        let crowd = Crowd::of(&fired(&[(1, 201, 100), (2, 503, 200)]), cut);
        assert_eq!((crowd.unsent, crowd.put_off), (shots(10_000) - 2, 1));
        assert_eq!(crowd.course(), Course::Cut);
        assert!((crowd.latency_ms.p50 - 5_000.0).abs() < 5.0);
        let all: Vec<_> = (0..shots(10_000)).map(|n| (n, 201, 100)).collect();
        let crowd = Crowd::of(&fired(&all), cut);
        assert_eq!(crowd.course(), Course::Finished);
        assert!(crowd.latency_ms.max < 101.0, "nobody was cut");
    }

    #[test]
    fn a_crowd_has_as_many_different_orders_as_is_said() {
        for orders in [1_u64, 19, 20, 100, 10_000] {
            let sent = shots(orders);
            assert_eq!(sent - sent / COMPARE_REPEAT_EVERY, orders);
            assert_ne!(sent % COMPARE_REPEAT_EVERY, 0, "the last is no repeat");
        }
    }
}
