//! What the journal says a reservation or claim is, and making the books say the same. Called by `dead_letters` and `reconcile`.
//!
//! The writer projects events as they come, in bulk. Here one reservation at a time is written anew from all events that the
//! journal has of it, so the last word stands whatever order they were applied in. Always under the cursor's lock: no writer
//! is at work on the sale meanwhile.

pub(crate) mod draw_store;
pub(crate) mod fold;
pub(crate) mod returns_store;
pub(crate) mod store;

use doorbuster_core::draw::Drawn;
use doorbuster_core::ids::LiveId;
use doorbuster_core::journal::{Event, JournalError};
use sqlx::mysql::MySqlConnection;

use crate::raw;

use draw_store::BookedDraw;
pub(crate) use fold::Folder;

/// Why an event is not in the books now.
#[derive(Debug)]
pub(crate) enum Failed {
    /// What it says is to blame, or what the tables allow.
    Data(String),
    Server(sqlx::Error),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        if store::is_data_error(&error) {
            Self::Data(error.to_string())
        } else {
            Self::Server(error)
        }
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        Self::Data(error.to_string())
    }
}

/// Brings what event `seq` concerns to where the journal's last word puts it.
///
/// # Errors
/// [`Failed`]; the caller rolls back.
pub(crate) async fn apply(tx: &mut MySqlConnection, live: &LiveId, seq: u64) -> Result<(), Failed> {
    let row = store::journal_row(tx, live, seq).await?;
    let row = row.ok_or_else(|| Failed::Data("the journal has no such event".to_owned()))?;
    let event = raw::event(seq, &row.raw)?;
    if row.kind != event.kind() {
        // An earlier version could not read it.
        store::describe(tx, live, seq, &event).await?;
    }
    let (id, began) = match &event {
        Event::Reservation { id, record } => (*id, record.seq),
        Event::Claimed { id, claim } => (*id, claim.seq),
        Event::Reacquired { id, record } => (*id, record.seq),
        Event::Returned(returned) => (returned.id, returned.began),
        Event::Drawn(drawn) => return apply_draw(tx, live, &row, *drawn).await,
        // The rest is in the journal alone.
        _ => return Ok(()),
    };
    let mut folder = Folder::default();
    for row in store::journal_of(tx, live, began, id).await? {
        folder.take(row.epoch, row.at, &raw::event(row.seq, &row.raw)?);
    }
    let projection = folder.projection(id).ok_or_else(|| {
        Failed::Data(format!(
            "the journal does not have event {began}, which began it"
        ))
    })?;
    store::put(tx, live, &projection).await?;
    Ok(())
}

/// A sale is drawn once: another draw in the books stands.
async fn apply_draw(
    tx: &mut MySqlConnection,
    live: &LiveId,
    row: &store::JournalRow,
    drawn: Drawn,
) -> Result<(), Failed> {
    let draw = BookedDraw {
        seq: row.seq,
        epoch: row.epoch,
        at: row.at,
        drawn,
    };
    match draw_store::find(&mut *tx, live).await? {
        Some(other) if other != draw => Err(Failed::Data(format!(
            "the sale was drawn by event {}",
            other.seq
        ))),
        _ => Ok(draw_store::put(tx, live, Some(&draw)).await?),
    }
}
