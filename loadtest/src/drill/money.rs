//! Money under faults: a payment provider that is scripted, hangs or is away, and back-offices that end at every step of an order.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use doorbuster_core::clock;
use doorbuster_stage::{Program, Server, Stage, free_port};
use rand::Rng;
use rand::rngs::StdRng;
use serde_json::json;
use tokio::time::{sleep, timeout};

use super::ground::{blocking, run_again};
use super::member::{self, Member, program_path, wire_to};
use super::processes::start_again;
use super::scene::{Goal, Scene, some_ms};
use crate::client::endpoint::{Endpoint, Reach};
use crate::limits::{DRILL_CRASH_BOUND, DRILL_HEALED_BOUND, DRILL_SELLS, POLL_STEP};
use crate::setup::{self, Call};
use crate::wire::{Toxic, Wire};

const SANDBOX: &str = "doorbuster-backoffice";

/// What becomes of charges and webhooks, beside what strikes.
const SCRIPT: &str = "decline=60,insufficient=20,slow=30,timeout=30,error=30,busy=30,pending=40,duplicate=60,reorder=60,late=60,unsigned=30,lost=60,slow_ms=400,pending_ms=6000,late_ms=1500";

/// Where a back-office may end: between any two steps of an order, and of the inbox of webhooks.
pub(super) const POINTS: [&str; 18] = [
    "order_placed",
    "order_begun_before_books",
    "order_begun_after_books",
    "charge_before_send",
    "charge_after_answer",
    "order_charged_before_books",
    "order_charge_unknown",
    "order_captured_after_books",
    "order_settled_before_books",
    "order_settled_after_books",
    "order_released_before_books",
    "order_undone_after_books",
    "order_repaid_before_books",
    "order_repaid_after_books",
    "refund_after_answer",
    "void_after_answer",
    "webhooks_taken",
    "webhooks_handed_over",
];

/// What else goes wrong with money, and how much of it there is beside each turn through all crash points: half, because some of it takes long.
const OTHERS: usize = 8;
pub(super) const OTHERS_PER_TURN: usize = OTHERS / 2;

/// Anywhere.
const KILLED: &str = "kill -9 of a back-office";
const SANDBOX_KILLED: &str = "kill -9 of the provider";

/// The provider and the wire to it.
pub(super) struct Money {
    pub(super) sandbox: Arc<Server>,
    wire: Wire,
}

impl Money {
    /// The sandbox, and two back-offices that charge there through one wire; it tells the first of them.
    ///
    /// # Errors
    /// If one of them does not start.
    pub(super) async fn start(stage: &Arc<Stage>) -> Result<(Vec<Member>, Self)> {
        let port = free_port()?;
        let secret = format!("drill-webhooks-{}", stage.token_secret());
        let webhooks = format!("http://127.0.0.1:{port}/v1/webhooks/payments");
        let (stage_of, secret_of) = (Arc::clone(stage), secret.clone());
        let path = program_path(SANDBOX)?;
        let sandbox = blocking(move || {
            stage_of.start_program(&Program {
                name: "payment-sandbox",
                path: &path,
                args: &["payment-sandbox"],
                env: &[
                    ("PAYMENT_SANDBOX_LISTEN", "127.0.0.1:{port}"),
                    ("PAYMENT_SANDBOX_LATENCY_MS", "10"),
                    ("PAYMENT_WEBHOOK_URL", &webhooks),
                    ("PAYMENT_WEBHOOK_SECRET", &secret_of),
                ],
                port: None,
            })
        })
        .await?;
        let wire = wire_to(sandbox.url())?;
        let provider = format!("http://{}", wire.address);
        let settings = [
            ("PAYMENT_PROVIDER_URL", provider.as_str()),
            ("PAYMENT_WEBHOOK_SECRET", &secret),
            // Shorter than a strike, so that some tries end in the midst of it.
            ("PAYMENT_ATTEMPT_MS", "1000"),
        ];
        let backoffices = vec![
            member::paying_backoffice(stage, ("backoffice-0", Some(port)), &settings).await?,
            member::paying_backoffice(stage, ("backoffice-1", None), &settings).await?,
        ];
        let money = Self {
            sandbox: Arc::new(sandbox),
            wire,
        };
        Ok((backoffices, money))
    }

    /// From now on each key has the fate that this seed gives it.
    async fn script(&self, seed: u64) -> Result<()> {
        let script = format!("seed={seed},{SCRIPT}");
        self.control("/control/script", json!({"script": script}))
            .await
    }

    async fn outage(&self, mode: &str) -> Result<()> {
        self.control("/control/outage", json!({"mode": mode})).await
    }

    async fn control(&self, path: &str, body: serde_json::Value) -> Result<()> {
        let endpoint = Endpoint::resolve(self.sandbox.url(), Reach::LoopbackOnly).await?;
        let reply = setup::call(&endpoint, &Call::post(path).saying(body)).await?;
        ensure!(
            reply.status == 200,
            "the payment sandbox answers {} to {path}",
            reply.status
        );
        Ok(())
    }

    async fn act(&self, act: impl FnOnce(&Server) -> Result<()> + Send + 'static) -> Result<()> {
        let sandbox = Arc::clone(&self.sandbox);
        blocking(move || act(&sandbox)).await
    }

    pub(super) async fn heal(&self) -> Result<()> {
        self.wire.heal();
        self.act(run_again).await?;
        self.outage("off").await
    }
}

/// Each strike is another one: every crash point in turn, and then some of what else can go wrong with money.
pub(super) async fn struck(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let money = scene.ground.money.as_ref();
    let money = money.context("nobody pays on this ground")?;
    money.script(rng.random()).await?;
    let turn = scene.turn();
    let (whole, at) = (
        turn / (POINTS.len() + OTHERS_PER_TURN),
        turn % (POINTS.len() + OTHERS_PER_TURN),
    );
    match POINTS.get(at) {
        Some(point) => ended_at(scene, point, rng).await?,
        None => match (whole * OTHERS_PER_TURN + at - POINTS.len()) % OTHERS {
            0 => killed(scene, rng).await?,
            1 => frozen(scene, some_ms(rng, 2_000, 5_000), rng).await?,
            // Past its leases: somebody else does its orders meanwhile.
            2 => frozen(scene, some_ms(rng, 21_000, 24_000), rng).await?,
            3 => sandbox_killed(scene, money, rng).await?,
            4 => away(money, "refuse", rng).await?,
            5 => away(money, "hang", rng).await?,
            6 => wire_broken(money, Toxic::DropReplies, rng).await?,
            _ => wire_broken(money, Toxic::Reset, rng).await?,
        },
    }
    pays_again(scene).await
}

/// Waits until a few more orders have come to an end.
async fn pays_again(scene: &Scene<'_>) -> Result<()> {
    let ground = scene.ground;
    let since = clock::instant();
    let store = ground.money_source().await?;
    let before = store.store().ended(scene.live).await?;
    while store.store().ended(scene.live).await? < before + DRILL_SELLS as i64 {
        ensure!(
            since.elapsed() < DRILL_HEALED_BOUND,
            "no order came to an end for {DRILL_HEALED_BOUND:?}"
        );
        sleep(POLL_STEP).await;
    }
    scene.recovered(Goal::Paying, since.elapsed());
    Ok(())
}

async fn ended_at(scene: &Scene<'_>, point: &'static str, rng: &mut StdRng) -> Result<()> {
    let backoffices = &scene.ground.backoffices;
    // What comes with cancellations and failures alone is seldom come by.
    let is_seldom = ["void", "refund", "repaid", "undone", "released", "unknown"]
        .iter()
        .any(|word| point.contains(word));
    let times = if is_seldom {
        1
    } else {
        rng.random_range(1..=4)
    };
    for backoffice in backoffices {
        backoffice.arm(point, times)?;
    }
    let one_is_gone = async {
        while backoffices.iter().all(|one| one.server.is_running()) {
            sleep(POLL_STEP).await;
        }
    };
    let gone = timeout(DRILL_CRASH_BOUND, one_is_gone).await;
    backoffices.iter().for_each(Member::disarm);
    match gone {
        Ok(()) => scene.ended(point),
        // Nobody came by in all that time. How often each was struck is counted, and a documented run wants enough of each.
        Err(_) if is_seldom => return Ok(()),
        Err(_) => bail!("nobody came to crash point {point}"),
    }
    sleep(some_ms(rng, 0, 500)).await;
    for backoffice in backoffices {
        start_again(backoffice).await?;
    }
    Ok(())
}

fn one<'a>(scene: &'a Scene<'_>, rng: &mut StdRng) -> &'a Member {
    let backoffices = &scene.ground.backoffices;
    &backoffices[rng.random_range(0..backoffices.len())]
}

async fn killed(scene: &Scene<'_>, rng: &mut StdRng) -> Result<()> {
    let backoffice = one(scene, rng);
    backoffice.act(|server| server.kill9()).await?;
    scene.ended(KILLED);
    sleep(some_ms(rng, 0, 1_000)).await;
    start_again(backoffice).await
}

async fn frozen(scene: &Scene<'_>, time: Duration, rng: &mut StdRng) -> Result<()> {
    let backoffice = one(scene, rng);
    backoffice.act(|server| server.freeze()).await?;
    sleep(time).await;
    backoffice.act(|server| server.thaw()).await?;
    backoffice.ready().await
}

async fn sandbox_killed(scene: &Scene<'_>, money: &Money, rng: &mut StdRng) -> Result<()> {
    money.act(|server| server.kill9()).await?;
    scene.ended(SANDBOX_KILLED);
    sleep(some_ms(rng, 0, 2_000)).await;
    money.act(|server| server.start()).await
}

async fn away(money: &Money, mode: &str, rng: &mut StdRng) -> Result<()> {
    money.outage(mode).await?;
    sleep(some_ms(rng, 1_000, 4_000)).await;
    money.outage("off").await
}

async fn wire_broken(money: &Money, toxic: Toxic, rng: &mut StdRng) -> Result<()> {
    money.wire.set(toxic);
    sleep(some_ms(rng, 500, 3_000)).await;
    money.wire.heal();
    Ok(())
}
