//! Every place of a line that does not simply wait, for an engine that has just started or was away.
//!
//! Plain reads, not of one instant: the change of places up to which the caller knows is read first, so that what changes meanwhile is
//! told again by `advance`, and the last word on each place is right.

use std::collections::HashMap;

use fred::types::Value;

use super::advance::{MoveId, Standing};
use super::{Gate, GateError};
use crate::ids::LiveId;
use crate::keys::Keys;
use crate::limits::STANDING_SCAN_COUNT;
use crate::ticket::Place;

/// All places that do not wait.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standings {
    /// What changed after it is not in here for certain.
    pub after: MoveId,
    /// Its number; 0 before the first.
    pub moves: u64,
    pub places: HashMap<Place, Standing>,
}

impl Gate {
    /// # Errors
    /// [`GateError`].
    pub async fn standings(&self, live: &LiveId) -> Result<Standings, GateError> {
        let keys = Keys::of(live);
        let mut standings = self.last_move(&keys.moves).await?;
        let offered = |until_ms| Standing::Offered { until_ms };
        let admitted = |until_ms| Standing::Admitted { until_ms };
        // From what comes first to what comes last, so that a place that moves on meanwhile is not taken back.
        self.walk(&keys.offered, offered, &mut standings).await?;
        self.walk(&keys.admitted, admitted, &mut standings).await?;
        self.walk(&keys.served, admitted, &mut standings).await?;
        let args = vec![keys.over.clone()];
        let over = match self.command("GET", Some(&keys.over), args).await? {
            Value::Null => Vec::new(),
            Value::Bytes(bytes) => bytes.to_vec(),
            Value::String(text) => text.as_bytes().to_vec(),
            _ => return Err(broken("a string of bits was expected")),
        };
        for place in places_over(&over) {
            standings.places.insert(place, Standing::Over);
        }
        Ok(standings)
    }

    async fn last_move(&self, key: &str) -> Result<Standings, GateError> {
        let args = [key, "+", "-", "COUNT", "1"].map(str::to_string);
        let entries = self.command("XREVRANGE", Some(key), args.to_vec()).await?;
        let Some(entry) = array(entries).and_then(|entries| entries.into_iter().next()) else {
            return Ok(Standings::default());
        };
        let read = || {
            let mut parts = array(entry)?.into_iter();
            let id = parts.next()?.into_string()?;
            let number = array(parts.next()?)?.into_iter().nth(1)?;
            Some((id, number.into_string()?.parse().ok()?))
        };
        let (id, moves) = read().ok_or_else(|| broken("an entry of moves"))?;
        Ok(Standings {
            after: MoveId(id),
            moves,
            places: HashMap::new(),
        })
    }

    async fn walk(
        &self,
        key: &str,
        standing: fn(u64) -> Standing,
        into: &mut Standings,
    ) -> Result<(), GateError> {
        let mut cursor = "0".to_string();
        loop {
            let count = STANDING_SCAN_COUNT.to_string();
            let args = vec![key.to_string(), cursor, "COUNT".into(), count];
            let reply = self.command("ZSCAN", Some(key), args).await?;
            let mut parts = array(reply).unwrap_or_default().into_iter();
            let next = parts.next().and_then(|next| next.into_string());
            let flat = parts.next().and_then(array);
            let (Some(next), Some(flat)) = (next, flat) else {
                return Err(broken("a part of a walk"));
            };
            let mut texts = flat.into_iter().map(|value| value.into_string());
            while let (Some(Some(place)), Some(Some(until))) = (texts.next(), texts.next()) {
                let place = place.parse().map_err(|_| broken("a place"))?;
                let until_ms = until.parse::<f64>().map_err(|_| broken("a time"))?;
                into.places.insert(place, standing(until_ms as u64));
            }
            if next == "0" {
                return Ok(());
            }
            cursor = next;
        }
    }
}

/// Bit 2n is the place n, bit 2n + 1 the place n of the invite lane; the first bit of a byte is its highest.
fn places_over(bits: &[u8]) -> impl Iterator<Item = Place> {
    let bytes = bits.iter().enumerate().filter(|(_, byte)| **byte != 0);
    bytes.flat_map(|(i, byte)| {
        let set = (0..8).filter(move |bit| byte & (0x80 >> bit) != 0);
        set.filter_map(move |bit| {
            let at = u32::try_from(8 * i).ok()? + bit;
            Some(match at % 2 {
                0 => Place::general(at / 2),
                _ => Place::invite(at / 2),
            })
        })
    })
}

fn array(value: Value) -> Option<Vec<Value>> {
    match value {
        Value::Array(values) => Some(values),
        Value::Null => Some(Vec::new()),
        _ => None,
    }
}

fn broken(detail: &str) -> GateError {
    GateError::Contract {
        script: "standings",
        detail: detail.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_are_places_of_both_lanes() {
        // Bits 2, 9 and 14.
        let places: Vec<Place> = places_over(&[0b0010_0000, 0b0100_0010]).collect();
        assert_eq!(
            places,
            [Place::general(1), Place::invite(4), Place::general(7)]
        );
        assert_eq!(places_over(&[]).count(), 0);
    }
}
