//! What an engine hands over to a rebuild: journal entries as the scripts wrote them, packed into parts of bounded size.
//!
//! Per entry, all numbers little-endian: epoch u32, first seq u64, time u64, count u32; then per event its length u32 and its
//! raw text.

use crate::journal::{Entry, RawEvent, StreamId};
use crate::limits::HANDOVER_PART_BYTES;

/// The bytes are no handover of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed handover: {0}")]
pub struct HandoverError(&'static str);

/// At least one part, empty where there is nothing to hand over.
pub fn pack(entries: &[Entry]) -> Vec<Vec<u8>> {
    let (mut parts, mut part) = (Vec::new(), Vec::new());
    for entry in entries {
        part.extend(entry.epoch.to_le_bytes());
        part.extend(entry.first_seq.to_le_bytes());
        part.extend(entry.at_ms.to_le_bytes());
        part.extend(length(entry.events.len()));
        for event in &entry.events {
            let raw = event.raw();
            part.extend(length(raw.len()));
            part.extend(raw);
        }
        if part.len() >= HANDOVER_PART_BYTES {
            parts.push(std::mem::take(&mut part));
        }
    }
    if parts.is_empty() || !part.is_empty() {
        parts.push(part);
    }
    parts
}

/// What [`pack`] packed into one part.
///
/// # Errors
/// [`HandoverError`] naming what is malformed.
pub fn unpack(part: &[u8]) -> Result<Vec<Entry>, HandoverError> {
    let (mut rest, mut entries) = (part, Vec::new());
    while !rest.is_empty() {
        let epoch = u32::from_le_bytes(*take(&mut rest)?);
        let first_seq = u64::from_le_bytes(*take(&mut rest)?);
        let at_ms = u64::from_le_bytes(*take(&mut rest)?);
        let count = u64::from(u32::from_le_bytes(*take(&mut rest)?));
        let events = (first_seq..first_seq.saturating_add(count))
            .map(|seq| {
                let length = u32::from_le_bytes(*take(&mut rest)?) as usize;
                let (raw, after) = rest
                    .split_at_checked(length)
                    .ok_or(HandoverError("an event is cut off"))?;
                rest = after;
                RawEvent::from_raw(seq, raw).map_err(|_| HandoverError("an event"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        entries.push(Entry {
            id: StreamId::start(),
            epoch,
            first_seq,
            at_ms,
            events,
        });
    }
    Ok(entries)
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_le_bytes()
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], HandoverError> {
    let (taken, after) = rest
        .split_first_chunk::<N>()
        .ok_or(HandoverError("a number is cut off"))?;
    *rest = after;
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(first_seq: u64, events: usize, bytes: usize) -> Entry {
        let value = [b"h1|2|ann|tee=1|".as_slice(), &vec![7; bytes], &[0; 16]].concat();
        let event = |seq| RawEvent {
            seq,
            field: vec![9; 16],
            value: value.clone(),
        };
        Entry {
            id: StreamId::start(),
            epoch: 3,
            first_seq,
            at_ms: 5,
            events: (first_seq..first_seq + events as u64).map(event).collect(),
        }
    }

    #[test]
    fn what_is_handed_over_arrives_whole_in_parts_of_bounded_size() {
        assert_eq!(pack(&[]), [Vec::<u8>::new()]);
        let entries: Vec<Entry> = (0..50).map(|i| entry(1 + 256 * i, 256, 100)).collect();
        let parts = pack(&entries);
        assert!(parts.len() > 1);
        assert!(
            parts
                .iter()
                .all(|part| part.len() < 2 * HANDOVER_PART_BYTES)
        );
        let arrived: Vec<Entry> = parts.iter().flat_map(|p| unpack(p).unwrap()).collect();
        assert_eq!(arrived, entries);
    }

    #[test]
    fn a_part_that_is_cut_off_anywhere_is_refused() {
        let part = pack(&[entry(1, 2, 0)]).remove(0);
        for end in 1..part.len() {
            assert!(unpack(&part[..end]).is_err(), "{end}");
        }
    }
}
