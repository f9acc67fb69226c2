//! What a reservation costs in Redis at equal batch size: over a thousand sales beside one, and with a million buyers beside
//! a thousand.
//!
//! Batches of one size cannot be had through HTTP, so the script is called as the combiner calls it, while the engine
//! stands still: what Redis spends then is the cost of the batch alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Result, bail};
use doorbuster_core::clock;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::decided::Batch;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::ids::{BodyHash, IdempotencyKey, LiveId, ReservationId, UserId};

use super::arena::{Arena, us_each};
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::audit;
use crate::limits::{
    BENCH_STOCK, SPREAD_BATCH, SPREAD_BATCHES, SPREAD_BUYERS_FEW, SPREAD_BUYERS_MANY,
    SPREAD_ROUNDS_MAX, SPREAD_SALES,
};
use crate::plan::Offer;
use crate::rush::say;

/// Of a sale that was never rebuilt.
const FIRST_EPOCH: u32 = 1;

pub(super) async fn run(args: &BenchArgs) -> Result<Vec<Goal>> {
    let arena = Arc::new(Arena::start(&[]).await?);
    let sales = arena.offers(SPREAD_SALES, BENCH_STOCK).await?;
    let [one, few, many] = &arena.offers(3, BENCH_STOCK).await?[..] else {
        bail!("three sales were wanted");
    };
    let mut caller = Caller {
        arena: &arena,
        gate: Gate::connect(&arena.target.redis_url).await?,
        called: 0,
        held: HashMap::new(),
    };
    let filling = SPREAD_BUYERS_MANY as usize / SPREAD_BATCH;
    caller
        .batches(std::slice::from_ref(many), filling, SPREAD_BUYERS_MANY)
        .await?;
    caller.drained(&[many]).await?;
    let (mut over_sales, mut over_buyers) = (vec![], vec![]);
    for round in 1..=args.rounds.min(SPREAD_ROUNDS_MAX) {
        arena.stage().engine(0).freeze()?;
        let mut cost = async |sales: &[Offer], buyers| {
            let spent = caller.batches(sales, SPREAD_BATCHES, buyers).await;
            spent.map(|spent| us_each(spent, (SPREAD_BATCHES * SPREAD_BATCH) as u64))
        };
        let in_one = cost(std::slice::from_ref(one), SPREAD_BUYERS_FEW).await?;
        let in_all = cost(&sales, SPREAD_BUYERS_FEW).await?;
        let of_few = cost(std::slice::from_ref(few), SPREAD_BUYERS_FEW).await?;
        let of_many = cost(std::slice::from_ref(many), SPREAD_BUYERS_MANY).await?;
        arena.stage().engine(0).thaw()?;
        say(&format!(
            "spread {round}: µs of Redis each, {SPREAD_BATCH} in a call: one sale {in_one:.1}, {SPREAD_SALES} sales {in_all:.1}; {SPREAD_BUYERS_FEW} buyers {of_few:.1}, {SPREAD_BUYERS_MANY} buyers {of_many:.1}"
        ));
        over_sales.push(in_all / in_one);
        over_buyers.push(of_many / of_few);
        caller.drained(&[one, few, many]).await?;
        caller.drained(&sales.iter().collect::<Vec<_>>()).await?;
    }
    for offer in sales.iter().chain([one, few, many]) {
        caller.audit(offer).await?;
    }
    Ok(vec![
        Goal::at_most(
            "Redis CPU per reservation at equal batch size, 1,000 sales beside one",
            1.15,
            &over_sales,
            "×",
        ),
        Goal::at_most(
            "Redis CPU per reservation, a million buyers beside a thousand",
            1.15,
            &over_buyers,
            "×",
        ),
    ])
}

/// Calls the script as the combiner does, with as many requests in each batch.
struct Caller<'a> {
    arena: &'a Arena,
    gate: Gate,
    /// Numbers the requests; no two have the same key.
    called: u64,
    /// What was held, per sale.
    held: HashMap<LiveId, usize>,
}

impl Caller<'_> {
    /// Has so many batches decided, dealt to `sales` in turn, for the first `buyers` in turn. Returns what Redis spent.
    async fn batches(&mut self, sales: &[Offer], batches: usize, buyers: u64) -> Result<Duration> {
        let before = self.arena.spent();
        for (_, offer) in (0..batches).zip(sales.iter().cycle()) {
            let requests = self.requests(offer, buyers);
            let requests: Vec<&Reserve> = requests.iter().collect();
            let decided = self
                .gate
                .reserve(&offer.live, FIRST_EPOCH, &requests)
                .await?;
            let Batch::Decided(decided) = decided else {
                bail!("{}: {decided:?}", offer.live);
            };
            let is_held = |outcome: &Reserved| matches!(outcome, Reserved::Held { .. });
            if !decided.outcomes.iter().all(is_held) {
                bail!("{}: not all were held: {:?}", offer.live, decided.outcomes);
            }
            *self.held.entry(offer.live.clone()).or_default() += requests.len();
        }
        Ok(self.arena.spent().since(before).redis)
    }

    fn requests(&mut self, offer: &Offer, buyers: u64) -> Vec<Reserve> {
        let (body, lines) = (BodyHash::of(b"one of each"), offer.lines());
        let requests = (self.called..self.called + SPREAD_BATCH as u64).map(|number| {
            let user = UserId::parse(format!("s{}", number % buyers)).expect("a letter and digits");
            let key = IdempotencyKey::parse(format!("s-{number}")).expect("letters and digits");
            Reserve {
                id: ReservationId::derive(&offer.live, &user, &key),
                user,
                body,
                lines: lines.clone(),
            }
        });
        let requests = requests.collect();
        self.called += SPREAD_BATCH as u64;
        requests
    }

    async fn drained(&self, sales: &[&Offer]) -> Result<()> {
        for offer in sales {
            let sources = &self.arena.sources;
            sources.wait_flushed(&offer.live, clock::instant()).await?;
        }
        Ok(())
    }

    /// All that was held is in Redis and in MySQL, once, and nothing else.
    async fn audit(&self, offer: &Offer) -> Result<()> {
        let settled = self.arena.sources.read(&offer.live).await?;
        let verdict = audit::judge_stores(&settled.live, &settled.books);
        if let Some(finding) = verdict.findings.first() {
            bail!("the audit is not zero: {}", finding.text);
        }
        let (held, found) = (self.held.get(&offer.live), settled.live.holdings.len());
        if held.copied().unwrap_or(0) != found {
            bail!("{}: {held:?} were held, {found} are there", offer.live);
        }
        Ok(())
    }
}
