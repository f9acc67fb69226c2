//! Journal events as the books keep them (`journal.raw`), read back. Called by `live` and `reconcile`.

use doorbuster_core::journal::{Event, JournalError, RawEvent};
use doorbuster_core::record::Line;

/// # Errors
/// [`JournalError::Event`] where the bytes are no event.
pub(crate) fn event(seq: u64, raw: &[u8]) -> Result<Event, JournalError> {
    RawEvent::from_raw(seq, raw)?.decode()
}

/// The stock of an `opened` event; nothing where it is another.
pub(crate) fn opened(raw: &[u8]) -> Vec<Line> {
    match event(0, raw) {
        Ok(Event::Opened(lines)) => lines,
        _ => Vec::new(),
    }
}
