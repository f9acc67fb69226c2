//! Applies events to the books inside the step's transaction; sets aside the ones that MySQL refuses for what they say.
//!
//! A batch is tried whole. Only an error of the data itself bisects it: each half under a savepoint, down to the one
//! event, whose journal row is kept and which becomes a dead letter. Any other error ends the transaction.

use doorbuster_core::ids::LiveId;
use doorbuster_core::journal::{Entry, JournalError};
use sqlx::{MySql, Transaction};

use super::projection::{Numbered, number, project};
use super::{draw_store, returns_store, store};

/// What was done.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) events: usize,
    pub(super) dead_letters: usize,
}

/// Why some events could not be projected.
#[derive(Debug)]
enum Failed {
    /// What they say is to blame: trying again would be in vain.
    Data(String),
    Server(sqlx::Error),
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        if store::is_data_error(&error) {
            Failed::Data(error.to_string())
        } else {
            Failed::Server(error)
        }
    }
}

impl From<JournalError> for Failed {
    fn from(error: JournalError) -> Self {
        Failed::Data(error.to_string())
    }
}

/// Stops at once when there are more than `letters_max` dead letters; the caller must then roll back.
///
/// # Errors
/// Those of the server; nothing may be committed then.
pub(super) async fn apply(
    transaction: &mut Transaction<'_, MySql>,
    live: &LiveId,
    entries: &[Entry],
    letters_max: usize,
) -> Result<Applied, sqlx::Error> {
    let events = number(entries);
    let book_id = live.book_id();
    store::insert_journal(transaction, &book_id, &events).await?;
    let mut applied = Applied {
        events: events.len(),
        dead_letters: 0,
    };
    // Parts still to do, the earliest on top: an event may only follow those before it.
    let mut parts = vec![events.as_slice()];
    while let Some(part) = parts.pop() {
        store::savepoint(transaction).await?;
        match projected(transaction, live, part).await {
            Ok(()) => {}
            Err(Failed::Server(error)) => return Err(error),
            Err(Failed::Data(why)) => {
                store::rollback_to_savepoint(transaction).await?;
                if let [poison] = part {
                    store::insert_dead_letter(transaction, &book_id, poison, &why).await?;
                    applied.dead_letters += 1;
                    if applied.dead_letters > letters_max {
                        return Ok(applied);
                    }
                } else {
                    let (earlier, later) = part.split_at(part.len() / 2);
                    parts.extend([later, earlier]);
                }
            }
        }
    }
    Ok(applied)
}

async fn projected(
    transaction: &mut Transaction<'_, MySql>,
    live: &LiveId,
    events: &[Numbered<'_>],
) -> Result<(), Failed> {
    let projection = project(events)?;
    let book_id = live.book_id();
    store::insert_reservations(transaction, &book_id, &projection.held).await?;
    store::insert_lines(transaction, &book_id, &projection.held).await?;
    let found = store::update_reservations(transaction, &book_id, &projection.moved).await?;
    if found != projection.moved.len() as u64 {
        return Err(Failed::Data(format!(
            "{} reservations should have changed, {found} did",
            projection.moved.len()
        )));
    }
    let bought = returns_store::bought(transaction, &book_id, &projection.returned).await?;
    if bought != projection.returned.len() as u64 {
        return Err(Failed::Data(
            "units came back of what nobody bought".to_owned(),
        ));
    }
    returns_store::put_returns(transaction, &book_id, &projection.returned).await?;
    draw_store::insert_draws(transaction, &book_id, &projection.drawn).await?;
    match live {
        LiveId::Coupon(coupon) => {
            store::insert_claims(transaction, coupon.as_str(), &projection.claimed).await?
        }
        LiveId::Sale(_) if !projection.claimed.is_empty() => {
            return Err(Failed::Data("a sale has no claims".into()));
        }
        LiveId::Sale(_) => {}
    }
    Ok(())
}
