//! What takes longer than a test may, or wants the machine to itself: `cargo bench -p doorbuster-backoffice --bench trials -- storm`, `-- fuzz`
//! or `-- watch`.
//! Made of the tests' own parts. Ends with 1 where a goal is missed.

#![expect(
    clippy::unwrap_used,
    dead_code,
    reason = "a panic is a failed trial, and most of what the tests have is not used here"
)]

#[path = "../tests/it/browser.rs"]
mod browser;
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

/// Who is watched: ten thousand.
const CROWD: onlooker::Crowd = onlooker::Crowd {
    part: 3_334,
    over: Duration::from_secs(7),
};
/// Requests of the longer trial.
const CASES: u64 = 20_000;

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
    let is_met = !is_wanted("storm") || runtime.block_on(storm::trial()) == [true; 2];
    std::process::exit(i32::from(!is_met));
}
