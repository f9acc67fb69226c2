//! One line from its first guest to the verdict. Called by `command`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, SaleId};

use super::judge::{self, Facts};
use super::street::Street;
use super::watch::Watch;
use super::{LinePlan, crowd, drawn, figures};
use crate::audit;
use crate::audit::settle::Sources;
use crate::client::in_line::InLine;
use crate::history::{Header, History};
use crate::limits::LINE_RUN_UP;
use crate::plan::{Room, Scenario};
use crate::report::number::grouped;
use crate::rush::{Finished, open_pools, say};
use crate::setup;
use crate::target::Target;

/// A waiting room that is open, with everyone on the way to it.
struct Opened {
    plan: LinePlan,
    street: Arc<Street>,
    /// Wall clock at the start; the sale itself opens so many µs later.
    start_ms: u64,
    opens_us: u64,
    /// What was published of its draw beforehand.
    pledged: Option<String>,
}

/// Opens the waiting room of `plan` on `target`, sends the crowd, and audits.
///
/// # Errors
/// If the programs fail in a way that leaves nothing to judge; a bad verdict is no error.
pub async fn run(plan: &LinePlan, target: &Target) -> Result<Finished> {
    let sources = Sources::connect(&target.redis_url, &target.database_url).await?;
    let opened = open(plan, target, &sources).await?;
    let (plan, opens_us) = (&opened.plan, opened.opens_us);
    let hoarded = crowd::hoard(plan, target).await;
    let watch = Watch {
        plan,
        target,
        sources: &sources,
        street: &opened.street,
        opens_us,
    };
    let (walked, watched) = tokio::join!(opened.street.walk(), watch.watch());
    drop(hoarded);
    walked?;
    let watched = watched?;
    let state = sources.redis().line_state(&plan.offer.live).await?;
    let told = opened.street.told();
    let last_answer = clock::instant();
    let mysql_complete = sources.wait_flushed(&plan.offer.live, last_answer).await?;
    let settled = sources.read(&plan.offer.live).await?;
    let draw = match (&opened.pledged, sale(plan)) {
        (Some(pledged), Some(sale)) if state.early > 0 => {
            drawn::check(&target.backoffice, sale, pledged, &told.stories).await
        }
        _ => Vec::new(),
    };
    let history = History {
        header: header(plan, target, opened.start_ms),
        clients: told.buyers,
    };
    let (verdict, ledger) = audit::judge(&history, &settled.live, &settled.books)?;
    let facts = Facts {
        plan,
        header: &history.header,
        stories: &told.stories,
        users: &told.users,
        kinds: &told.kinds,
        dues_us: &told.dues_us,
        state: &state,
        watched: &watched,
        ledger: &ledger,
        draw: &draw,
        opens_us,
    };
    let judged = judge::judge(&facts);
    let outcome = figures::sum_up(&facts, &history, (verdict, judged), mysql_complete);
    Ok(Finished { outcome, history })
}

async fn open(plan: &LinePlan, target: &Target, sources: &Sources) -> Result<Opened> {
    let pools = open_pools(plan.connections, target).await?;
    let early = if plan.early > 0.0 {
        plan.arriving
    } else {
        Duration::ZERO
    };
    // Signed before the clock runs: what it costs is none of the line's business.
    let opens_us = micros(early);
    let people = crowd::gather(plan, opens_us, target);
    let origin = clock::instant() + LINE_RUN_UP;
    let start_ms = clock::now_ms() + millis(LINE_RUN_UP);
    let mut plan = plan.clone();
    if let Some(room) = &mut plan.offer.room {
        room.opens_ms = opens_ms(start_ms, early);
    }
    setup::open(target, &plan.offer, sources.redis()).await?;
    let pledged = match sale(&plan) {
        Some(sale) => Some(drawn::pledged(&target.backoffice, sale).await?),
        None => None,
    };
    say(&opening(&plan));
    let lines = plan.offer.lines();
    let requests = target
        .engines
        .iter()
        .map(|engine| InLine::new(engine, &plan.offer.live, &lines));
    let street = Street::new(pools, requests.collect(), people, origin);
    Ok(Opened {
        plan,
        street: Arc::new(street),
        start_ms,
        opens_us,
        pledged,
    })
}

/// The sale, if it draws among those who come early.
fn sale(plan: &LinePlan) -> Option<&SaleId> {
    let draws = plan.early > 0.0 && plan.offer.room.is_some_and(|room| room.line.draw);
    match &plan.offer.live {
        LiveId::Sale(sale) if draws => Some(sale),
        _ => None,
    }
}

/// A minute ago, where nobody comes early, so that no clock difference keeps it shut.
fn opens_ms(start_ms: u64, early: Duration) -> u64 {
    if early.is_zero() {
        start_ms - millis(Duration::from_secs(60))
    } else {
        start_ms + millis(early)
    }
}

fn opening(plan: &LinePlan) -> String {
    let room: Option<&Room> = plan.offer.room.as_ref();
    let mode = room.map_or("", |room| room.line.mode.as_str());
    format!(
        "{} has a waiting room ({mode}): {} people, {} of them early, for {} units",
        plan.offer.live,
        grouped(plan.people.into()),
        grouped(plan.early_people().into()),
        grouped(plan.offer.stock.into()),
    )
}

fn header(plan: &LinePlan, target: &Target, start_ms: u64) -> Header {
    Header {
        format: Header::format(),
        scenario: Scenario::Line,
        book_id: plan.offer.live.book_id(),
        lines: plan.offer.lines(),
        stock: plan.offer.stock,
        per_user: plan.offer.per_user,
        users: plan.people,
        hold_seconds: plan.offer.hold_seconds,
        engines: plan.engines,
        connections: plan.connections,
        ack_level: target.ack_level.clone(),
        seed: plan.seed,
        arrival_seconds: plan.arriving.as_secs_f64(),
        start_ms,
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
