//! How many connections to its store each rival gets: as many as suit it best here, so that none loses for want of tuning.

use std::time::Duration;

use anyhow::Result;
use serde::Serialize;

use super::cells;
use super::ground::Ground;
use super::seller::Seller;
use super::way::Way;
use crate::limits::{COMPARE_POOL_SECONDS, RIVAL_STORE_CONNECTIONS};
use crate::rush::say;

/// What was tried for one way, and kept.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Swept {
    pub(super) way: Way,
    pub(super) kept: u32,
    /// Connections, and accepted a second with so many.
    pub(super) tried: Vec<(u32, f64)>,
}

/// Tries all numbers of connections for one way; `None` where there is nothing to choose.
///
/// # Errors
/// If the way does not start.
pub(super) async fn sweep(ground: &Ground, way: Way) -> Result<Option<Swept>> {
    let mut tried = Vec::new();
    for pool in way.pools() {
        let seller = Seller::start(&ground.arena, way, pool).await?;
        let lasting = Duration::from_secs_f64(COMPARE_POOL_SECONDS);
        let rush = cells::rush(ground, &seller, lasting).await?;
        tried.push((pool, rush.goodput));
    }
    let Some(kept) = best(&tried) else {
        return Ok(None);
    };
    let rates: Vec<String> = tried
        .iter()
        .map(|(pool, rate)| format!("{pool}: {rate:.0}/s"))
        .collect();
    say(&format!(
        "connections of {}: {}; kept {kept}",
        way.as_str(),
        rates.join(", ")
    ));
    Ok(Some(Swept { way, kept, tried }))
}

/// What a way gets where nothing was swept.
pub(super) fn as_shipped(way: Way) -> u32 {
    let most = way.pools().into_iter().max();
    most.map_or(RIVAL_STORE_CONNECTIONS, |most| {
        most.min(RIVAL_STORE_CONNECTIONS)
    })
}

/// The fastest; of equals the one with fewer.
fn best(tried: &[(u32, f64)]) -> Option<u32> {
    let fastest = tried
        .iter()
        .rev()
        .max_by(|(_, one), (_, other)| one.total_cmp(other));
    fastest.map(|(pool, _)| *pool)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fastest_is_kept_and_of_equals_the_smaller() {
        assert_eq!(best(&[(2, 10.0), (8, 30.0), (16, 20.0)]), Some(8));
        assert_eq!(best(&[(2, 10.0), (8, 10.0)]), Some(2));
        assert_eq!(best(&[]), None);
    }
}
