//! From a hold to money: orders a second at a provider that answers in 20 ms, statements an order, and a minute without the provider.
//!
//! Holds are made before the clock starts. The audit of units and of money is held over each part; it must be all zero.

use std::collections::VecDeque;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_stage::{SandboxOptions, StageOptions};
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};

use super::arena::Arena;
use super::goals::Goal;
use crate::args::BenchArgs;
use crate::audit::money;
use crate::audit::money::source::Source;
use crate::checkout::Till;
use crate::checkout::buyer::Holder;
use crate::client::course::Market;
use crate::crowd::{Behaviour, Errand};
use crate::history::Client;
use crate::limits::{
    BENCH_BUYERS, BENCH_CHECKOUT_BACK_BOUND, BENCH_CHECKOUT_BURST, BENCH_CHECKOUT_HOLDS_PER_SECOND,
    BENCH_CHECKOUT_LATENCY_MS, BENCH_CHECKOUT_OUTAGE, BENCH_CHECKOUT_OUTAGE_RATE,
    BENCH_CHECKOUT_RESERVATIONS_RATE, BENCH_CHECKOUT_WORKERS, BENCH_STOCK, BENCH_SUSTAINED,
    POLL_STEP,
};
use crate::load::volley::Fired;
use crate::load::{Buyers, Pace, fire, told};
use crate::plan::{Losses, Offer};
use crate::rush::say;
use crate::setup::{self, Call};
use crate::tally::Tally;

/// Orders a second, at most and for a minute, and what each asks of MySQL.
pub(super) async fn run(_: &BenchArgs) -> Result<Vec<Goal>> {
    let (arena, source) = start().await?;
    let (burst, statements) = paid(&arena, &source, ("burst", BENCH_CHECKOUT_BURST)).await?;
    let (sustained, more) = paid(&arena, &source, ("sustained", BENCH_SUSTAINED)).await?;
    Ok(vec![
        Goal::at_least("checkout, a burst", 1_000.0, &[burst], "orders/s"),
        Goal::at_least("checkout, a minute", 500.0, &[sustained], "orders/s"),
        Goal::at_most(
            "statements of an order, burst and minute",
            12.0,
            &[statements, more],
            "each",
        ),
    ])
}

/// A minute without the provider.
pub(super) async fn run_away(_: &BenchArgs) -> Result<Vec<Goal>> {
    let (arena, source) = start().await?;
    let away = away(&arena, &source).await?;
    Ok(vec![
        Goal::at_least(
            "provider away for a minute, breaker opened",
            1.0,
            &[away.opened],
            "times",
        ),
        Goal::at_most(
            "provider back, backlog done after",
            30.0,
            &[away.backlog_s],
            "s",
        ),
        Goal::at_most(
            "provider away, p99 of reservations beside that before",
            2.0,
            &[away.p99_ratio],
            "×",
        ),
        Goal::at_most(
            "provider away, reservations not accepted",
            0.0,
            &[away.not_accepted],
            "",
        ),
    ])
}

async fn start() -> Result<(Arena, Source)> {
    let sandbox = SandboxOptions {
        latency_ms: BENCH_CHECKOUT_LATENCY_MS,
        ..SandboxOptions::default()
    };
    let options = StageOptions::whole(1)
        .large_database()
        .with_sandbox(sandbox);
    let arena = Arena::started(options).await?;
    let source = Source::connect(&arena.target).await?;
    Ok((arena, source))
}

/// So many holds of one sale, by as many buyers.
async fn holds(
    arena: &Arena,
    offer: &Offer,
    buyers: &Arc<Buyers>,
    count: u64,
) -> Result<(Vec<Client>, u64)> {
    let mut volley = arena.volley(offer, buyers, Duration::from_secs(120));
    volley.requests_max = count;
    let fired = fire(volley).await?;
    let start_ms = fired.start_ms;
    arena.drained(&offer.live, &fired).await?;
    Ok((told::clients(vec![fired], buyers), start_ms))
}

/// Orders a second over so long, and statements an order; audited.
async fn paid(
    arena: &Arena,
    source: &Source,
    (what, lasting): (&str, Duration),
) -> Result<(f64, f64)> {
    let (offer, buyers) = (arena.offer(BENCH_STOCK).await?, arena.buyers(BENCH_BUYERS));
    let count = BENCH_CHECKOUT_HOLDS_PER_SECOND * lasting.as_secs();
    let (clients, start_ms) = holds(arena, &offer, &buyers, count).await?;
    let market = Arc::new(market(arena, &offer));
    let statements = source.store().statements().await?;
    let began = clock::instant();
    let waiting: Arc<Mutex<VecDeque<Client>>> = Arc::new(Mutex::new(clients.into()));
    let mut workers = JoinSet::new();
    for number in 0..BENCH_CHECKOUT_WORKERS {
        let (market, waiting, token_of) =
            (Arc::clone(&market), Arc::clone(&waiting), tokens(&buyers));
        workers.spawn(async move {
            let mut done = Vec::new();
            while began.elapsed() < lasting {
                let next = waiting
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .pop_front();
                let Some(mut client) = next else { break };
                let token = token_of(&client);
                pay(&market, &mut client, &token, number).await;
                done.push(client);
            }
            done
        });
    }
    let mut clients = Vec::new();
    while let Some(done) = workers.join_next().await {
        clients.extend(done.context("a worker panicked")?);
    }
    let elapsed = began.elapsed();
    let ended = clients.len();
    if let Some(other) = clients.iter().find(|client| !is_paid(client)) {
        bail!("not paid, so nothing was measured: {:?}", other.purchase);
    }
    source.wait_at_rest(&offer.live).await?;
    let spent = source.store().statements().await? - statements;
    let left = std::mem::take(&mut *waiting.lock().unwrap_or_else(PoisonError::into_inner));
    let no_more = left.is_empty();
    clients.extend(left);
    let (rate, each) = (
        ended as f64 / elapsed.as_secs_f64(),
        spent as f64 / ended.max(1) as f64,
    );
    say(&format!(
        "checkout, {what}: {ended} orders in {:.1} s, {rate:.0}/s, {each:.1} statements each",
        elapsed.as_secs_f64()
    ));
    if no_more {
        say("checkout: there were no more holds to pay for; it could have been more");
    }
    audit(arena, source, &offer, clients, start_ms).await?;
    Ok((rate, each))
}

fn is_paid(client: &Client) -> bool {
    let purchase = client.purchase.as_ref();
    purchase.is_some_and(|purchase| purchase.state.as_deref() == Some("paid"))
}

/// Each buyer's token, by request.
fn tokens(buyers: &Arc<Buyers>) -> impl Fn(&Client) -> String + use<> {
    let buyers = Arc::clone(buyers);
    move |client| {
        let request = client
            .key
            .rsplit_once('-')
            .and_then(|(_, number)| number.parse().ok());
        buyers.token(request.unwrap_or(0)).to_owned()
    }
}

fn market(arena: &Arena, offer: &Offer) -> Market {
    Market {
        pools: Vec::new(),
        requests: Vec::new(),
        losses: Losses::None,
        sends: 1,
        keeps_receipts: false,
        till: Some(Till::new(&arena.target.backoffices, &offer.live)),
        origin: clock::instant(),
        over: AtomicBool::new(false),
        tally: Tally::default(),
    }
}

fn errand(client: &Client, number: usize) -> Result<Errand> {
    Ok(Errand {
        user: client.user.clone(),
        key: client.key()?,
        behaviour: Behaviour::Plain,
        due: Duration::ZERO,
        engine: number,
        seed: number as u64,
    })
}

async fn pay(market: &Market, client: &mut Client, token: &str, number: usize) {
    let hold = client
        .verdict()
        .and_then(|answer| answer.told.as_ref())
        .map(|told| told.id);
    let (Some(till), Some(hold), Ok(errand)) = (&market.till, hold, errand(client, number)) else {
        return;
    };
    let holder = Holder {
        market,
        errand: &errand,
        token,
        hold,
    };
    client.purchase = Some(Box::new(till.pay(&holder).await));
}

/// What a minute without the provider did.
struct Away {
    opened: f64,
    backlog_s: f64,
    p99_ratio: f64,
    not_accepted: f64,
}

/// Orders keep coming while the provider is away; others go on reserving.
async fn away(arena: &Arena, source: &Source) -> Result<Away> {
    let (offer, buyers) = (arena.offer(BENCH_STOCK).await?, arena.buyers(BENCH_BUYERS));
    let count = BENCH_CHECKOUT_OUTAGE_RATE * BENCH_CHECKOUT_OUTAGE.as_secs();
    let (clients, start_ms) = holds(arena, &offer, &buyers, count).await?;
    let other = arena.offer(BENCH_STOCK).await?;
    let calm = reserving(arena, &other, 0, Duration::from_secs(10)).await?;
    let market = Arc::new(market(arena, &offer));
    arena.stage().set_outage("refuse")?;
    let ordering = order_all(&market, clients, tokens(&buyers));
    let reserving = reserving(arena, &other, 1, BENCH_CHECKOUT_OUTAGE);
    let (clients, meanwhile) = tokio::join!(ordering, reserving);
    let (clients, meanwhile) = (clients?, meanwhile?);
    let refused = clients.iter().find(|client| {
        let purchase = client.purchase.as_ref();
        purchase.is_none_or(|purchase| purchase.order.is_none())
    });
    if let Some(refused) = refused {
        bail!("not ordered, so nothing waited: {:?}", refused.purchase);
    }
    let opened = opened(arena).await?;
    arena.stage().set_outage("off")?;
    let back = clock::instant();
    let backlog_s = done(source, &offer, back).await?.as_secs_f64();
    let p99 = |fired: &Fired| fired.latency(|_| true).value_at_quantile(0.99) as f64;
    let (before, during) = (p99(&calm), p99(&meanwhile));
    say(&format!(
        "checkout, provider away: {count} orders waited, breaker opened {opened} times, all done {backlog_s:.1} s after; reservations p99 {before} µs before, {during} µs meanwhile"
    ));
    let not_accepted = (meanwhile.shots.len() as u64 - meanwhile.accepted()) as f64;
    audit(arena, source, &offer, clients, start_ms).await?;
    Ok(Away {
        opened,
        backlog_s,
        p99_ratio: during / before.max(1.0),
        not_accepted,
    })
}

async fn reserving(arena: &Arena, offer: &Offer, part: u64, lasting: Duration) -> Result<Fired> {
    let buyers = arena.buyers(BENCH_BUYERS);
    let mut volley = arena.volley(offer, &buyers, lasting);
    volley.pace = Pace::PerSecond(BENCH_CHECKOUT_RESERVATIONS_RATE);
    volley.first = part * 1_000_000;
    fire(volley).await
}

/// One order after the other, evenly; nobody waits for its end.
async fn order_all(
    market: &Arc<Market>,
    clients: Vec<Client>,
    token: impl Fn(&Client) -> String,
) -> Result<Vec<Client>> {
    let mut ticks = interval(Duration::from_secs(1) / u32::try_from(BENCH_CHECKOUT_OUTAGE_RATE)?);
    let (mut placing, mut placed) = (JoinSet::new(), Vec::with_capacity(clients.len()));
    for (number, client) in clients.into_iter().enumerate() {
        ticks.tick().await;
        let (market, token) = (Arc::clone(market), token(&client));
        placing.spawn(async move {
            let (mut client, errand) = (client.clone(), errand(&client, number));
            let hold = client
                .verdict()
                .and_then(|answer| answer.told.as_ref())
                .map(|told| told.id);
            if let (Some(till), Some(hold), Ok(errand)) = (&market.till, hold, errand) {
                let holder = Holder {
                    market: &market,
                    errand: &errand,
                    token: &token,
                    hold,
                };
                client.purchase = Some(Box::new(till.place_only(&holder).await));
            }
            client
        });
    }
    while let Some(client) = placing.join_next().await {
        placed.push(client.context("a buyer panicked")?);
    }
    Ok(placed)
}

/// How often the back-office's breaker has opened.
async fn opened(arena: &Arena) -> Result<f64> {
    let staff = doorbuster_core::ids::UserId::parse("loadtest-operator").context("a user id")?;
    let token = arena.target.token(staff, Role::Operator);
    let call = Call::get("/admin/v1/payments/provider").by(&token);
    let reply = setup::call(&arena.target.backoffice, &call).await?;
    let view: Value = serde_json::from_slice(&reply.body).context("the provider's page")?;
    view["breaker"]["opened"].as_f64().context("the breaker")
}

/// When all orders have come to an end.
async fn done(source: &Source, offer: &Offer, since: Instant) -> Result<Duration> {
    while source.store().moving(&offer.live).await? > 0 {
        if since.elapsed() > BENCH_CHECKOUT_BACK_BOUND {
            bail!("orders are not done {BENCH_CHECKOUT_BACK_BOUND:?} after the provider is back");
        }
        sleep(POLL_STEP).await;
    }
    Ok(since.elapsed())
}

async fn audit(
    arena: &Arena,
    source: &Source,
    offer: &Offer,
    clients: Vec<Client>,
    start_ms: u64,
) -> Result<()> {
    let settled = arena.sources.read(&offer.live).await?;
    let money = source.read(&offer.live).await?;
    let verdict = money::judge(&clients, &money, &settled.books.holdings);
    if let Some(finding) = verdict.findings.first() {
        bail!("the audit of money is not zero: {finding}");
    }
    let numbers = arena.numbers(offer, clients, start_ms).await?;
    if !numbers.are_zero() {
        bail!("the audit is not zero: {numbers:?}");
    }
    Ok(())
}
