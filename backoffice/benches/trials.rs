//! What takes longer than a test may, or wants the machine to itself: `cargo bench -p doorbuster-backoffice --bench trials -- storm`, `-- told`,
//! `-- fuzz` or `-- watch`.
//! Made of the tests' own parts. Ends with 1 where a goal is missed.

#![expect(
    clippy::unwrap_used,
    dead_code,
    unused_imports,
    reason = "a panic is a failed trial, and most of what the tests have is not used here"
)]

#[path = "../tests/it/browser.rs"]
mod browser;
#[path = "../tests/it/cache.rs"]
mod cache;
#[path = "../tests/it/catalog.rs"]
mod catalog;
#[path = "../tests/it/fuzz/mod.rs"]
mod fuzz;
#[path = "../tests/it/http.rs"]
mod http;
#[path = "../tests/it/onlooker.rs"]
mod onlooker;
#[path = "../tests/it/people.rs"]
mod people;
#[path = "../tests/it/stage.rs"]
mod stage;
#[path = "../tests/it/storm.rs"]
mod storm;

use std::time::Duration;

use doorbuster_stage::{Stage, StageOptions};

use crate::stage::Desk;

/// Who is watched: ten thousand.
const CROWD: onlooker::Crowd = onlooker::Crowd {
    part: 3_334,
    over: Duration::from_secs(7),
};
/// Requests of the longer trial.
const CASES: u64 = 20_000;
/// Changes of a product that another back-office shows, and how soon it must show each.
const CHANGES: u64 = 200;
const TOLD_MAX: Duration = Duration::from_secs(1);

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with("--"))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if is_wanted("fuzz") {
        runtime.block_on(fuzz::run(CASES));
    }
    if is_wanted("watch") {
        runtime.block_on(onlooker::watch(CROWD));
    }
    let is_told = !is_wanted("told") || runtime.block_on(told());
    let is_calm = !is_wanted("storm") || runtime.block_on(storm::trial()) == [true; 2];
    std::process::exit(i32::from(!(is_told && is_calm)));
}

/// Whether changes are everywhere as soon as is promised where nothing else runs.
async fn told() -> bool {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let other = cache::another(&stage);
    let (id, draft) = cache::published_on_both(&desk, &other).await;
    let slowest = cache::changes(&desk, &other, (&id, draft), CHANGES).await;
    println!(
        "{CHANGES} changes, the slowest seen elsewhere after {slowest:?}   goal: at most {TOLD_MAX:?}"
    );
    slowest <= TOLD_MAX
}
