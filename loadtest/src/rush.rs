//! One run from the offer to the verdict: open, send the crowd, wait for the books, audit, report. Called by `main` and `demo`.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::task::{JoinSet, yield_now};
use tokio::time::sleep_until;

use crate::audit;
use crate::audit::money;
use crate::audit::settle::Sources;
use crate::checkout::{self, Till};
use crate::client::course::{self, Market};
use crate::client::pool::Pool;
use crate::client::request::Requests;
use crate::config::Colour;
use crate::crowd::{self, Errand};
use crate::history::{Client, Header, History};
use crate::limits::SPAWNED_AT_ONCE_MAX;
use crate::plan::Plan;
use crate::progress::{Goal, Progress};
use crate::schedule::Arrivals;
use crate::setup;
use crate::summary::{self, Outcome};
use crate::tally::Tally;
use crate::target::Target;

/// From the order to start until the start, so that the first is not late.
const RUN_UP: Duration = Duration::from_millis(50);

/// Where results go.
#[derive(Debug, Clone)]
pub struct Output {
    pub json: bool,
    pub report: Option<PathBuf>,
    pub colour: Colour,
}

/// What a run left behind.
#[derive(Debug)]
pub struct Finished {
    pub outcome: Outcome,
    pub history: History,
}

/// Lets this process and its children open as many connections as the system allows.
///
/// # Errors
/// If the system refuses.
pub fn raise_file_limit() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised)
        .context("the limit of open files cannot be raised to its maximum")
}

/// Opens what the plan offers on `target`, sends the crowd, and audits.
///
/// # Errors
/// If the programs fail in a way that leaves nothing to judge; a bad verdict is no error.
pub async fn run(plan: &Plan, target: &Target, colour: Colour) -> Result<Finished> {
    let sources = Sources::connect(&target.redis_url, &target.database_url).await?;
    setup::open(target, &plan.offer, sources.redis()).await?;
    follow(plan, target, colour, &sources).await
}

/// The same with an offer that somebody else has opened.
///
/// # Errors
/// As [`run`].
pub async fn run_open(plan: &Plan, target: &Target, colour: Colour) -> Result<Finished> {
    let sources = Sources::connect(&target.redis_url, &target.database_url).await?;
    setup::wait_selling(target, &plan.offer, sources.redis()).await?;
    follow(plan, target, colour, &sources).await
}

async fn follow(
    plan: &Plan,
    target: &Target,
    colour: Colour,
    sources: &Sources,
) -> Result<Finished> {
    say(&format!(
        "{} is open: {} units, {} errands",
        plan.offer.live,
        plan.offer.stock,
        plan.errands()
    ));
    let (history, last_answer) = send(plan, target, colour).await?;
    let live = &plan.offer.live;
    let till = match plan.checkout {
        true => Some(money::source::Source::connect(target).await?),
        false => None,
    };
    if let Some(books) = &till {
        books.wait_at_rest(live).await?;
    }
    let mysql_complete = sources.wait_flushed(live, last_answer).await?;
    let settled = sources.read(live).await?;
    let (verdict, ledger) = audit::judge(&history, &settled.live, &settled.books)?;
    let mut outcome = summary::sum_up(&history, verdict, &ledger, mysql_complete);
    if let Some(books) = &till {
        let money = books.read(live).await?;
        let verdict = money::judge(&history.clients, &money, &settled.books.holdings);
        outcome.summary.money = Some(Box::new(checkout::figures::sum_up(
            &history.clients,
            &money,
            &verdict,
        )));
        outcome.money_findings = verdict.findings;
    }
    Ok(Finished { outcome, history })
}

/// A step, told on standard error.
pub fn say(text: &str) {
    eprintln!("{text}");
}

/// Sends everyone; returns what they saw, and when the last answer came.
async fn send(plan: &Plan, target: &Target, colour: Colour) -> Result<(History, Instant)> {
    let crowd: Vec<(Errand, String)> = crowd(plan, target).collect();
    let (market, header) = market(plan, target).await?;
    let goal = Goal {
        errands: plan.errands() as u64,
        stock: plan.offer.stock.into(),
        quantity: plan.offer.quantity.into(),
    };
    let progress = Progress::start(Arc::clone(&market), goal, colour);
    let clients = walk_all(&market, crowd, &AtomicBool::new(false)).await?;
    progress.finish();
    let last_answer = market.origin + Duration::from_micros(summary::last_answer_us(&clients));
    Ok((History { header, clients }, last_answer))
}

/// Where the crowd of `plan` meets the engines, and the head of its history. Its time begins a moment from now.
pub(crate) async fn market(plan: &Plan, target: &Target) -> Result<(Arc<Market>, Header)> {
    let pools = open_pools(plan.connections, target).await?;
    let lines = plan.offer.lines();
    let requests = target
        .engines
        .iter()
        .map(|engine| Requests::new(engine, &plan.offer.live, &lines))
        .collect();
    let origin = clock::instant() + RUN_UP;
    let start_ms = clock::now_ms() + RUN_UP.as_millis() as u64;
    let (losses, sends, keeps_receipts) = (plan.losses, plan.sends, plan.keeps_receipts);
    let market = Arc::new(Market {
        pools,
        requests,
        losses,
        sends,
        keeps_receipts,
        till: plan
            .checkout
            .then(|| Till::new(&target.backoffices, &plan.offer.live)),
        origin,
        over: AtomicBool::new(false),
        tally: Tally::default(),
    });
    Ok((market, header(plan, target, start_ms)))
}

/// The errands of `plan`, each with its user's token.
pub(crate) fn crowd(plan: &Plan, target: &Target) -> impl Iterator<Item = (Errand, String)> {
    let with_token = |errand: Errand| {
        let token = target.token(errand.user.clone(), Role::Buyer);
        (errand, token)
    };
    crowd::gather(plan).into_iter().map(with_token)
}

/// So many connections, dealt to the engines.
pub(crate) async fn open_pools(connections: usize, target: &Target) -> Result<Vec<Pool>> {
    let mut pools = Vec::with_capacity(target.engines.len());
    for (i, engine) in target.engines.iter().enumerate() {
        // What does not divide evenly goes to the first.
        let size = (connections + target.engines.len() - 1 - i) / target.engines.len();
        let pool = Pool::new(engine.clone(), size);
        pool.fill()
            .await
            .with_context(|| format!("{size} connections to the engine on {}", engine.host))?;
        pools.push(pool);
    }
    Ok(pools)
}

/// Sets everyone going at its due time, whatever came of those before it; nobody any more once they are told to `stop`.
pub(crate) async fn walk_all(
    market: &Arc<Market>,
    crowd: impl IntoIterator<Item = (Errand, String)>,
    stop: &AtomicBool,
) -> Result<Vec<Client>> {
    let mut clients = Vec::new();
    let mut under_way = JoinSet::new();
    let mut since_pause = 0;
    for (errand, token) in crowd {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let due = market.origin + errand.due;
        if due > clock::instant() {
            sleep_until(due.into()).await;
            since_pause = 0;
        } else if since_pause == SPAWNED_AT_ONCE_MAX {
            // Those who are on their way get their turn too.
            yield_now().await;
            since_pause = 0;
        }
        since_pause += 1;
        under_way.spawn(course::walk(Arc::clone(market), errand, token));
        while let Some(done) = under_way.try_join_next() {
            clients.push(done.context("a client panicked")?);
        }
    }
    while let Some(done) = under_way.join_next().await {
        clients.push(done.context("a client panicked")?);
    }
    Ok(clients)
}

fn header(plan: &Plan, target: &Target, start_ms: u64) -> Header {
    Header {
        format: Header::format(),
        scenario: plan.scenario,
        book_id: plan.offer.live.book_id(),
        lines: plan.offer.lines(),
        stock: plan.offer.stock,
        per_user: plan.offer.per_user,
        users: plan.users,
        hold_seconds: plan.offer.hold_seconds,
        engines: plan.engines,
        connections: plan.connections,
        ack_level: target.ack_level.clone(),
        seed: plan.seed,
        arrival_seconds: match plan.arrivals {
            Arrivals::AtOnce => 0.0,
            Arrivals::Even(over) | Arrivals::Poisson(over) => over.as_secs_f64(),
        },
        start_ms,
    }
}

/// Judges a saved run anew, against stores in which its sale still is.
///
/// # Errors
/// If the history or one of the stores cannot be read.
pub async fn audit_again(history: &Path, redis_url: &str, database_url: &str) -> Result<Outcome> {
    let (history, before) = History::load(history)?;
    let live = history.header.live()?;
    let sources = Sources::connect(redis_url, database_url).await?;
    let since = clock::instant();
    let waited = sources.wait_flushed(&live, since).await?;
    let settled = sources.read(&live).await?;
    let (verdict, ledger) = audit::judge(&history, &settled.live, &settled.books)?;
    // How long the books took after the last answer, only the run itself could see.
    let measured = before
        .as_ref()
        .map(|outcome| Duration::from_secs_f64(outcome.summary.mysql_complete_seconds));
    let outcome = summary::sum_up(&history, verdict, &ledger, measured.unwrap_or(waited));
    Ok(match before {
        Some(before) => outcome.with_money_of(&before).with_line_of(before),
        None => outcome,
    })
}
