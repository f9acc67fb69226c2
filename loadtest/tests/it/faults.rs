//! Servers killed in the middle of a rush: whatever the clients had to go through, what they were told in the end is true.

use std::time::Duration;

use doorbuster_loadtest::audit::redis::Reader;
use doorbuster_loadtest::config::Colour;
use doorbuster_loadtest::crowd::Mix;
use doorbuster_loadtest::plan::{Losses, Offer, Plan, Scenario};
use doorbuster_loadtest::rush::{self, Finished};
use doorbuster_loadtest::schedule::Arrivals;
use doorbuster_loadtest::target::{Running, Target, Wanted};
use doorbuster_stage::{Stage, StageOptions};

const USERS: u32 = 2_000;
const STOCK: u32 = 1_000;

fn plan(name: &str) -> Plan {
    Plan {
        scenario: Scenario::Rush,
        offer: Offer {
            stock: STOCK,
            ..Offer::sale(name)
        },
        users: USERS,
        keys_per_user: 1,
        arrivals: Arrivals::Poisson(Duration::from_secs(4)),
        engines: 2,
        connections: 200,
        mix: Mix {
            double_click: 0.2,
            retry: 0.1,
            lose_answer: 0.1,
            ..Mix::default()
        },
        sends: 1,
        losses: Losses::None,
        keeps_receipts: false,
        checkout: false,
        seed: 7,
    }
}

/// Sends a rush to two engines and does `harm` when a quarter of the stock is gone.
fn rush_with(name: &str, harm: fn(&Stage)) -> Finished {
    let stage = Stage::start(&StageOptions::whole(2)).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let plan = plan(name);
        let target = Target::reach(&Wanted::Running(Running::on(&stage)))
            .await
            .unwrap();
        let reader = Reader::connect(stage.redis_url()).await.unwrap();
        let (run, ()) = tokio::join!(rush::run(&plan, &target, Colour::Off), async {
            until_sold(&reader, &plan.offer, STOCK / 4).await;
            tokio::task::block_in_place(|| harm(&stage));
        });
        run.unwrap()
    })
}

async fn until_sold(reader: &Reader, offer: &Offer, units: u32) {
    let gone = async {
        loop {
            let snapshot = reader.snapshot(&offer.live).await;
            if snapshot
                .is_ok_and(|snapshot| snapshot.stock[&offer.sku].left <= u64::from(STOCK - units))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), gone)
        .await
        .unwrap();
}

fn is_true_to_the_last_unit(finished: &Finished) {
    let summary = &finished.outcome.summary;
    assert!(
        summary.audit.are_zero(),
        "{:?} {:?}",
        summary.audit,
        finished.outcome.findings
    );
    assert!(
        summary.broken + summary.put_off > 0,
        "the fault came too late to be felt"
    );
    assert_eq!(
        (summary.accepted, summary.unanswered, summary.left),
        (u64::from(STOCK), 0, 0)
    );
}

#[test]
fn an_engine_killed_in_a_rush_costs_nobody_anything() {
    is_true_to_the_last_unit(&rush_with("engine-killed", |stage| {
        stage.engine(0).kill9().unwrap()
    }));
}

#[test]
fn both_engines_killed_and_started_again_in_a_rush_lose_nothing() {
    is_true_to_the_last_unit(&rush_with("engines-killed", |stage| {
        (0..2).for_each(|i| stage.engine(i).kill9().unwrap());
        (0..2).for_each(|i| stage.engine(i).start().unwrap());
    }));
}

#[test]
fn redis_killed_and_started_again_in_a_rush_loses_nothing() {
    is_true_to_the_last_unit(&rush_with("redis-killed", |stage| {
        stage.redis().restart().unwrap()
    }));
}
