//! Journal events as the books keep them (`journal.raw`: the stream's field, a space, its value), read back. Called by `live` and `reconcile`.

use doorbuster_core::journal::{Event, JournalError, RawEvent};
use doorbuster_core::record::Line;

/// Bytes of the field of an event that concerns a reservation or claim: its letter and 16 of id.
const ID_FIELD_BYTES: usize = 17;

/// # Errors
/// [`JournalError::Event`] where the bytes are no event.
pub(crate) fn event(seq: u64, raw: &[u8]) -> Result<Event, JournalError> {
    // Events of the sale itself have a capital letter and no id; an id may contain any byte, a space too.
    let field_bytes = if raw.first().is_some_and(u8::is_ascii_uppercase) {
        1
    } else {
        ID_FIELD_BYTES
    };
    let parted = raw
        .split_at_checked(field_bytes)
        .and_then(|(field, rest)| Some((field, rest.strip_prefix(b" ")?)));
    let (field, value) = parted.ok_or(JournalError::Event(seq, "raw"))?;
    RawEvent {
        seq,
        field: field.to_vec(),
        value: value.to_vec(),
    }
    .decode()
}

/// The stock of an `opened` event; nothing where it is another.
pub(crate) fn opened(raw: &[u8]) -> Vec<Line> {
    match event(0, raw) {
        Ok(Event::Opened(lines)) => lines,
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_journal_keeps_is_read_back_whatever_bytes_its_id_has() {
        let value = [b"h7|99|ann|tee=2|".as_slice(), &[b' '; 16]].concat();
        let event_in = RawEvent {
            seq: 7,
            field: [b"h".as_slice(), &[b' '; 16]].concat(),
            value,
        };
        assert_eq!(event(7, &event_in.raw()), event_in.decode());
        assert!(event_in.decode().is_ok());
        assert_eq!(opened(b"O tee=5")[0].quantity, 5);
        for bad in [b"".as_slice(), b"O", b"h short", b"Otee=5"] {
            assert!(event(1, bad).is_err());
        }
    }
}
