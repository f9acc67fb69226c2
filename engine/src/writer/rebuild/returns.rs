//! What `returns` will hold of a rebuilt sale: from the events that told of units that came back. Pure.

use std::collections::BTreeMap;

use doorbuster_core::ids::{ReservationId, SkuId};
use doorbuster_core::journal::{Event, RawEvent};

/// Fields and values, from events in the order of their numbers.
pub(super) fn fields(own: &[(RawEvent, Event)]) -> Vec<(Vec<u8>, String)> {
    let mut totals: BTreeMap<[u8; 16], BTreeMap<&SkuId, u32>> = BTreeMap::new();
    let mut done: BTreeMap<Vec<u8>, u64> = BTreeMap::new();
    for (raw, event) in own {
        let Event::Returned(returned) = event else {
            continue;
        };
        let id: ReservationId = returned.id;
        let of_id = totals.entry(*id.as_bytes()).or_default();
        of_id.insert(&returned.sku, returned.total);
        let key = format!("{}{}", returned.to.letter(), returned.key);
        done.insert([id.as_bytes(), key.as_bytes()].concat(), raw.seq);
    }
    let totals = totals.into_iter().map(|(id, skus)| {
        let text: Vec<String> = skus
            .iter()
            .map(|(sku, units)| format!("{sku}={units}"))
            .collect();
        (id.to_vec(), text.join(","))
    });
    let done = done
        .into_iter()
        .map(|(field, seq)| (field, seq.to_string()));
    totals.chain(done).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn back(seq: u64, letter: &[u8], sku: &str, total: u32, key: &str) -> (RawEvent, Event) {
        let text = format!("3|ann|{sku}|1|{total}|{key}");
        let raw = RawEvent {
            seq,
            field: letter.to_vec(),
            value: [[7; 16].as_slice(), text.as_bytes()].concat(),
        };
        let event = raw.decode().unwrap();
        (raw, event)
    }

    #[test]
    fn the_last_total_of_each_sku_and_every_key_is_there() {
        let own = [
            back(5, b"B", "tee", 1, "a"),
            back(6, b"B", "cap", 1, "a"),
            back(8, b"W", "tee", 2, "a"),
        ];
        let field = |key: &str| [[7; 16].as_slice(), key.as_bytes()].concat();
        assert_eq!(
            fields(&own),
            [
                (field(""), "cap=1,tee=2".to_owned()),
                (field("Ba"), "6".to_owned()),
                (field("Wa"), "8".to_owned()),
            ]
        );
    }
}
