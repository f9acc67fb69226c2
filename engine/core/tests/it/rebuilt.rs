//! A sale put together again: what the tests of `stake`, `load`, `swap` and `honour` begin with.

use doorbuster_core::gate::load::{Load, Loaded};
use doorbuster_core::gate::snapshot::{State as Verb, Stock};
use doorbuster_core::gate::stake::Staked;
use doorbuster_core::gate::swap::{Counts, Swap, SwapSku, Swapped};
use doorbuster_core::ids::ReservationId;

use crate::harness::{EPOCH, HOUR_MS, Scene, sku};

pub(crate) const NEXT: u32 = EPOCH + 1;
pub(crate) const EVENT: &str = "7";

/// Stakes the next generation; the server's run id.
pub(crate) async fn stake(scene: &Scene) -> String {
    match scene.gate.stake(&scene.live, NEXT).await.unwrap() {
        Staked::Staked { run_id, .. } => run_id,
        other => panic!("{other:?}"),
    }
}

pub(crate) async fn load(scene: &Scene, load: Load<'_>) -> Loaded {
    scene.gate.load(&scene.live, NEXT, &load).await.unwrap()
}

/// Name, stocked, held, limit, kept.
pub(crate) type Shelf<'a> = (&'a str, u64, u64, u64, u64);

pub(crate) fn skus(shelves: &[Shelf<'_>]) -> Vec<SwapSku> {
    let one = |(name, stocked, held, limit_per_user, kept): &Shelf<'_>| SwapSku {
        sku: sku(name),
        stock: Stock {
            stocked: *stocked,
            left: stocked - held,
            held: *held,
            sold: 0,
            limit_per_user: *limit_per_user,
            restocked_seq: 0,
        },
        kept: *kept,
    };
    shelves.iter().map(one).collect()
}

/// Swaps in what has been loaded; the books stood at 7.
pub(crate) async fn swap(
    scene: &Scene,
    run_id: &str,
    counts: Counts,
    shelves: &[Shelf<'_>],
) -> Swapped {
    let skus = skus(shelves);
    let swap = Swap {
        epoch: NEXT,
        run_id,
        state: Verb::Open,
        opens_ms: 1,
        closes_ms: 4_000_000_000_000,
        hold_ms: HOUR_MS,
        payment_ms: HOUR_MS / 2,
        config: "{}",
        seq: 7,
        last_now_ms: 1,
        event: EVENT,
        counts,
        skus: &skus,
    };
    scene.gate.swap(&scene.live, &swap).await.unwrap()
}

/// A sale in its next generation that has these records and nothing in its order.
pub(crate) async fn rebuilt(shelves: &[Shelf<'_>], records: &[(ReservationId, Vec<u8>)]) -> Scene {
    let scene = Scene::selling(&[("old", 1, 0)]).await;
    let run_id = stake(&scene).await;
    if !records.is_empty() {
        assert_eq!(load(&scene, Load::Records(records)).await, Loaded::Loaded);
    }
    let counts = Counts {
        records: records.len() as u64,
        ..Counts::default()
    };
    let swapped = swap(&scene, &run_id, counts, shelves).await;
    assert_eq!(swapped, Swapped::Swapped { seq: 8 });
    scene
}
