//! One round: a sale, buyers who come and keep trying, faults in their midst; then everything heals, and the end begins.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::time::sleep;

use super::ending::Sale;
use super::faults::{FAULTS, Fault, Kind, Part};
use super::ground::Ground;
use super::scene::{Company, Notes, Recovery, Scene, some_ms};
use super::strikes;
use crate::audit::money::facts::Money;
use crate::audit::money::{self, MoneyNumbers};
use crate::audit::{Finding, Numbers};
use crate::crowd::Mix;
use crate::history::{Broken, Client, Seen};
use crate::limits::{
    DRILL_CONNECTIONS, DRILL_DUPLICATES, DRILL_PAUSE_MAX, DRILL_ROUND_SECONDS_MAX, DRILL_TAIL,
    DRILL_WARM_UP,
};
use crate::plan::{Losses, Offer, Plan, Scenario};
use crate::rush;
use crate::schedule::Arrivals;
use crate::setup;

/// Faults that strike at the same time.
const AT_ONCE_MAX: usize = 4;

/// What a round is asked to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct Task {
    pub(super) fault: &'static Fault,
    pub(super) seed: u64,
    /// Strikes of this round.
    pub(super) strikes: u32,
    /// Buyers a second.
    pub(super) rate: u32,
    /// The longest outage.
    pub(super) outage: Duration,
    pub(super) twist: Twist,
    /// The bug that its engines have.
    pub(super) planted: Option<&'static str>,
}

/// What a round does beside its fault, for planted bugs that no fault shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Twist {
    Nothing,
    /// Every buyer comes twice, to one front and the other, and may have one unit.
    TwoKeys,
    /// Units come back after the last, while no front hears of it.
    Restock,
    /// The last buyers ask once more after the last unit.
    AskAgain,
}

impl Task {
    /// Where choices that go through all there is begin: rounds whose seeds follow each other miss none.
    pub(super) fn turn(&self) -> u64 {
        self.seed.wrapping_mul(self.fault.per_round.into())
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) cycles: u32,
    pub(super) acked: u64,
    pub(super) recoveries: Vec<Recovery>,
    pub(super) numbers: Numbers,
    /// Orders, where buyers pay, and what was wrong with their money.
    pub(super) orders: u64,
    pub(super) money: MoneyNumbers,
    /// Acknowledged, lost with Redis, and known to be.
    pub(super) listed: u64,
    /// Of those, given again to buyers who presented their receipts.
    pub(super) honoured: u64,
    /// What was ended, and how often.
    pub(super) ended: BTreeMap<&'static str, u32>,
    pub(super) broken: Vec<String>,
}

impl Outcome {
    pub(super) fn holds(&self) -> bool {
        self.numbers.are_zero() && self.money.are_zero() && self.broken.is_empty()
    }

    pub(super) fn take(&mut self, notes: Notes) {
        self.cycles += notes.cycles;
        self.ended.extend(notes.ended);
        self.recoveries.extend(notes.recoveries);
        self.broken.extend(notes.broken);
    }

    pub(super) fn judged(&mut self, numbers: Numbers, findings: &[Finding]) {
        self.numbers = numbers;
        let words = findings.iter().take(5);
        self.broken
            .extend(words.map(|finding| format!("audit: {}", finding.text)));
    }

    /// What came of those who paid.
    pub(super) fn paid(&mut self, clients: &[Client], money: &Money, verdict: money::Verdict) {
        self.orders = money.orders.len() as u64;
        self.money = verdict.numbers;
        let words = verdict.findings.into_iter().take(5);
        self.broken
            .extend(words.map(|finding| format!("money: {finding}")));
        let purchases = clients
            .iter()
            .filter_map(|client| client.purchase.as_deref());
        let untold = purchases
            .filter(|purchase| purchase.ended_us.is_none())
            .count();
        if untold > 0 {
            self.broken.push(format!(
                "{untold} buyers were not told the end of their order"
            ));
        }
    }

    /// Answers that no fault excuses.
    pub(super) fn clients(&mut self, clients: &[Client], may_hang: bool) {
        let accepted = clients.iter().filter_map(Client::verdict);
        self.acked += accepted.filter(|answer| answer.is_acceptance()).count() as u64;
        let asks = || clients.iter().flat_map(|client| &client.asks);
        let failed = |seen: &Seen| matches!(seen, Seen::Answered(answer) if answer.status >= 500 && answer.status != 503);
        let failures = asks().filter(|ask| failed(&ask.seen)).count();
        let hung = asks().filter(|ask| ask.seen == Seen::Broken(Broken::Timeout));
        let hung = hung.count();
        if failures > 0 {
            self.broken.push(format!("{failures} answers of 500 or so"));
        }
        if hung > 0 && !may_hang {
            self.broken
                .push(format!("{hung} clients waited in vain for an answer"));
        }
    }

    /// Answers of a sale that had units all the time.
    pub(super) fn none_sold_out(&mut self, clients: &[Client]) {
        let told = clients.iter().filter_map(Client::verdict);
        let told = told.filter(|answer| answer.code.as_deref() == Some("sold_out"));
        let told = told.count();
        if told > 0 {
            self.broken.push(format!(
                "{told} buyers were told sold out while there were units"
            ));
        }
    }
}

pub(super) fn plan(task: &Task, name: &str) -> Plan {
    let keys_per_user = keys_per_user(task.twist);
    Plan {
        scenario: Scenario::Rush,
        offer: Offer {
            // More than can be asked for: until the end nobody shall be told that it is sold out.
            stock: 2 * task.rate * DRILL_ROUND_SECONDS_MAX,
            ..Offer::sale(name)
        },
        users: task.rate * DRILL_ROUND_SECONDS_MAX / keys_per_user,
        keys_per_user,
        arrivals: Arrivals::Even(Duration::from_secs(DRILL_ROUND_SECONDS_MAX.into())),
        engines: crate::limits::DRILL_FRONTS,
        connections: DRILL_CONNECTIONS,
        mix: Mix {
            double_click: 0.1,
            retry: 0.1,
            lose_answer: 0.05,
            // So that money goes back too, and charges are called off.
            cancel: if task.fault.pays { 0.15 } else { 0.05 },
            ..Mix::default()
        },
        sends: if task.fault.id == "F21" {
            DRILL_DUPLICATES
        } else {
            1
        },
        losses: Losses::None,
        keeps_receipts: task.fault.kind == Kind::Loss,
        checkout: task.fault.pays,
        seed: task.seed,
    }
}

pub(super) fn keys_per_user(twist: Twist) -> u32 {
    if twist == Twist::TwoKeys { 2 } else { 1 }
}

/// # Errors
/// If the round cannot be held at all; what does not hold is in its outcome.
pub(super) async fn round(ground: &Ground, task: &Task, name: &str) -> Result<Outcome> {
    let mut rng = StdRng::seed_from_u64(task.seed);
    let plan = plan(task, name);
    setup::open(&ground.target, &plan.offer, ground.sources.redis()).await?;
    let mut crowd = rush::crowd(&plan, &ground.target);
    let (market, header) = rush::market(&plan, &ground.target).await?;
    let faults = drawn(task.fault, &mut rng);
    let company = if faults.len() > 1 {
        Company::Among
    } else {
        Company::Alone
    };
    let scene = Scene::new(
        ground,
        &plan.offer.live,
        &market,
        company,
        (task.outage, task.turn()),
    );
    let stop = AtomicBool::new(false);
    let (clients, struck) = tokio::join!(rush::walk_all(&market, crowd.by_ref(), &stop), async {
        let struck = act(&scene, &faults, task.strikes, &mut rng).await;
        let healed = ground.heal().await;
        stop.store(true, Ordering::Relaxed);
        struck.and(healed)
    });
    let mut clients = clients?;
    if let Err(error) = struck {
        scene.broken(format!("{error:#}"));
    }
    let mut notes = scene.into_notes();
    clients.append(&mut notes.guests);
    let mut outcome = Outcome::default();
    // Two outages in a row may outlast a client's wait.
    outcome.clients(&clients, company == Company::Among);
    outcome.none_sold_out(&clients);
    let named = faults.iter().map(|fault| fault.id).collect::<Vec<_>>();
    if named.len() > 1 && !notes.broken.is_empty() {
        outcome
            .broken
            .push(format!("while {} struck", named.join(", ")));
    }
    outcome.take(notes);
    let sale = Sale {
        ground,
        offer: &plan.offer,
        market: &market,
        header,
        epoch: 1,
    };
    sale.finish(clients, &mut crowd, task, &mut outcome).await?;
    Ok(outcome)
}

/// The fault itself, or those that strike together.
fn drawn(fault: &'static Fault, rng: &mut StdRng) -> Vec<&'static Fault> {
    if fault.kind != Kind::Combined {
        return vec![fault];
    }
    let wanted = rng.random_range(2..=AT_ONCE_MAX);
    let mut drawn: Vec<&'static Fault> = Vec::new();
    let all: Vec<&'static Fault> = FAULTS
        .iter()
        // Duplicates are a crowd of their own, and a database away for a minute is drilled alone.
        .filter(|fault| fault.kind == Kind::Strike && !fault.pays)
        .filter(|fault| !["F12", "F21"].contains(&fault.id))
        .collect();
    while drawn.len() < wanted {
        let one = all[rng.random_range(0..all.len())];
        // A rolling restart is of fronts and writers alike, so are wrong clocks, and a writer's crash points need Redis now and then.
        let parts = |fault: &Fault| match fault.id {
            "F17" => vec![Part::Front, Part::Writer],
            "F3" => vec![Part::Writer, Part::Redis],
            "F16" => vec![Part::Redis, Part::Front, Part::Writer],
            _ => vec![fault.part],
        };
        let clash = |other: &&Fault| parts(other).iter().any(|part| parts(one).contains(part));
        if !drawn.iter().any(clash) {
            drawn.push(one);
        } else if drawn.len() >= 2 && rng.random_bool(0.2) {
            break;
        }
    }
    drawn
}

async fn act(
    scene: &Scene<'_>,
    faults: &[&'static Fault],
    strikes: u32,
    rng: &mut StdRng,
) -> Result<()> {
    sleep(DRILL_WARM_UP).await;
    scene.sells().await.context("before any fault")?;
    for _ in 0..strikes {
        let seeds: [u64; AT_ONCE_MAX] = rng.random();
        let one = async |i: usize| match faults.get(i) {
            Some(fault) => {
                let mut rng = StdRng::seed_from_u64(seeds[i]);
                let struck = strikes::strike(fault, scene, &mut rng).await;
                struck.context(fault.id)
            }
            None => Ok(()),
        };
        let (a, b, c, d) = tokio::join!(one(0), one(1), one(2), one(3));
        a.and(b).and(c).and(d)?;
        sleep(some_ms(rng, 100, DRILL_PAUSE_MAX.as_millis() as u64)).await;
    }
    sleep(DRILL_TAIL).await;
    Ok(())
}
