//! What Redis says about a sale's line: looks while it moves, and every place at its end. Plain reads beside the live sale.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use doorbuster_core::ids::{LiveId, SkuId};
use doorbuster_core::keys::Keys;
use doorbuster_core::ticket::Place;
use fred::interfaces::ClientLike;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::redis::Reader;
use crate::limits::SCAN_COUNT;

/// The line at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    pub epoch: u32,
    /// The highest number that was given, in the general lane.
    pub numbers: u32,
    /// The highest place that was admitted.
    pub watermark: u32,
    pub admitted_total: u64,
    /// Places that are offered admission or admitted, and have not reserved yet.
    pub unspent: u64,
    /// Units.
    pub left_before: u64,
    /// Read after the others: where it is as before, all of them are of one moment.
    pub left: u64,
    pub held: u64,
}

/// The line as it is in the end.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineState {
    pub epoch: u32,
    pub numbers: u32,
    pub watermark: u32,
    /// How many came before the sale opened, once that is settled.
    pub early: u32,
    /// The draw's seed, hex.
    pub drawn: Option<String>,
    /// Numbers that were set aside after losses.
    pub gaps: u64,
    /// Number of each user who has a place.
    pub places: HashMap<String, Place>,
    /// What could not be read.
    pub unreadable: Vec<String>,
}

impl Reader {
    /// The line as it is now, and the stock of `sku`.
    ///
    /// # Errors
    /// If Redis does not answer, or has no line.
    pub async fn line_look(&self, live: &LiveId, sku: &SkuId) -> Result<Look> {
        let keys = Keys::of(live);
        let (left, held) = (format!("{sku}/left"), format!("{sku}/held"));
        let stock = || vec!["HMGET", &keys.stock, &left, &held];
        let head = vec![
            "HMGET",
            &keys.line,
            "epoch",
            "given",
            "watermark",
            "admitted_total",
        ];
        // One write, so that no other client comes between.
        let pipeline = self.client.pipeline();
        for words in [
            stock(),
            head,
            vec!["ZCARD", &keys.offered],
            vec!["ZCARD", &keys.admitted],
            stock(),
        ] {
            let command = command(words[0], &keys.line);
            let _: Value = pipeline.custom(command, owned(&words[1..])).await?;
        }
        let (before, head, offered, admitted, after): (Fields, Fields, u64, u64, Fields) =
            pipeline.all().await?;
        let in_head = |i| number(&head, i);
        ensure!(in_head(1).is_some(), "redis has no line of this sale");
        let small = |i| in_head(i).map_or(0, |value| u32::try_from(value).unwrap_or(u32::MAX));
        Ok(Look {
            epoch: small(0),
            numbers: small(1),
            watermark: small(2),
            admitted_total: in_head(3).unwrap_or(0),
            unspent: offered + admitted,
            left_before: number(&before, 0).unwrap_or(0),
            left: number(&after, 0).unwrap_or(0),
            held: number(&after, 1).unwrap_or(0),
        })
    }

    /// All of the line.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn line_state(&self, live: &LiveId) -> Result<LineState> {
        let keys = Keys::of(live);
        let args = [
            keys.line.as_str(),
            "epoch",
            "given",
            "watermark",
            "early",
            "drawn",
            "gaps",
        ];
        let head: Fields = self
            .client
            .custom(command("HMGET", &keys.line), owned(&args))
            .await?;
        let small =
            |i| number(&head, i).map_or(0, |value| u32::try_from(value).unwrap_or(u32::MAX));
        let text = |i: usize| head.get(i).cloned().flatten().unwrap_or_default();
        let mut state = LineState {
            epoch: small(0),
            numbers: small(1),
            watermark: small(2),
            early: small(3),
            drawn: Some(text(4)).filter(|seed| !seed.is_empty()),
            gaps: set_aside(&text(5)),
            ..LineState::default()
        };
        let mut cursor = "0".to_owned();
        loop {
            let count = SCAN_COUNT.to_string();
            let args = [keys.places.as_str(), &cursor, "COUNT", &count];
            let reply: Value = self
                .client
                .custom(command("HSCAN", &keys.places), owned(&args))
                .await?;
            let (next, fields): (String, Vec<String>) = reply.convert()?;
            fields.chunks_exact(2).for_each(|pair| state.put(pair));
            cursor = next;
            if cursor == "0" {
                return Ok(state);
            }
        }
    }

    /// Memory of all keys of a line, in bytes, every element counted.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn line_bytes(&self, live: &LiveId) -> Result<u64> {
        let keys = Keys::of(live);
        let mut sum = 0;
        for key in [
            keys.line,
            keys.places,
            keys.offered,
            keys.admitted,
            keys.served,
            keys.over,
            keys.alive,
            keys.moves,
        ] {
            let args = ["USAGE", &key, "SAMPLES", "0"];
            let bytes: Option<u64> = self
                .client
                .custom(command("MEMORY", &key), owned(&args))
                .await?;
            sum += bytes.unwrap_or(0);
        }
        Ok(sum)
    }

    /// Commands that Redis has been sent so far, by all clients, this reader's among them.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn commands(&self) -> Result<u64> {
        let text: String = self
            .client
            .custom(
                CustomCommand::new_static("INFO", None, false),
                vec!["stats"],
            )
            .await?;
        let found = text
            .lines()
            .find_map(|line| line.strip_prefix("total_commands_processed:"));
        let found = found.and_then(|count| count.trim().parse().ok());
        found.context("INFO stats without total_commands_processed")
    }
}

impl LineState {
    /// Beside users there are the invites that were used, under a name that no user has.
    fn put(&mut self, pair: &[String]) {
        if pair[0].contains(':') {
            return;
        }
        match pair[1].parse() {
            Ok(place) => drop(self.places.insert(pair[0].clone(), place)),
            Err(_) => self
                .unreadable
                .push(format!("redis: place of {}: {}", pair[0], pair[1])),
        }
    }
}

/// Of a hash; nothing where a field is not there.
type Fields = Vec<Option<String>>;

/// Nothing where it is not there, or empty.
fn number(fields: &Fields, at: usize) -> Option<u64> {
    fields.get(at)?.as_deref()?.parse().ok()
}

/// Of `<after>:<after, of invites>:<how many>,` once for each loss.
fn set_aside(gaps: &str) -> u64 {
    let counts = gaps
        .split(',')
        .filter_map(|gap| gap.rsplit_once(':')?.1.parse::<u64>().ok());
    counts.sum()
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn command(name: &str, key: &str) -> CustomCommand {
    let slot = ClusterHash::Custom(fred::util::redis_keyslot(key.as_bytes()));
    CustomCommand::new(name.to_owned(), slot, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_aside_is_added_up() {
        assert_eq!(
            (set_aside(""), set_aside("7:0:10000,20300:10000:10000,")),
            (0, 20_000)
        );
    }
}
