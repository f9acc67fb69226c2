//! Orders are written down: all that come together in one transaction. Called by the queue that `place` fills.

use tokio::sync::oneshot;

use super::queues::Job;
use crate::app::App;
use crate::crash;
use crate::error::ApiError;
use crate::orders::basis::Quoted;
use crate::orders::error::Refusal;
use crate::orders::model::Order;
use crate::orders::store::{self, NewRow};

/// An order to be written down.
pub(in crate::orders) struct New {
    pub(in crate::orders) order: Order,
    pub(in crate::orders) body_hash: [u8; 16],
    pub(in crate::orders) quoted: Quoted,
    pub(in crate::orders) address: Option<String>,
    pub(in crate::orders) told: oneshot::Sender<Told>,
}

/// What ends when the order has gone as far as it goes for now; or why it was not written down.
pub(in crate::orders) type Told = Result<oneshot::Receiver<()>, ApiError>;

pub(super) async fn batch(app: App, all: Vec<New>) {
    match write(&app, &all).await {
        Ok(true) => {
            crash::point("order_placed");
            for new in all {
                go_on(&app, new).await;
            }
        }
        // Each by itself: one of them is a repeat, or its hold is ordered.
        _ => {
            for new in all {
                match write(&app, std::slice::from_ref(&new)).await {
                    Ok(true) => go_on(&app, new).await,
                    Ok(false) => {
                        let _ = new.told.send(Err(ApiError::Order(Refusal::AlreadyOrdered)));
                    }
                    Err(error) => {
                        let _ = new.told.send(Err(error));
                    }
                }
            }
        }
    }
}

/// False: there is one of this id, or of this hold.
async fn write(app: &App, all: &[New]) -> Result<bool, ApiError> {
    let rows: Vec<NewRow<'_>> = all
        .iter()
        .map(|new| NewRow {
            order: &new.order,
            body_hash: new.body_hash,
            quoted: &new.quoted,
            address: new.address.as_deref(),
        })
        .collect();
    let mut tx = app.books.begin().await?;
    if !store::insert(&mut tx, &rows).await? {
        return Ok(false);
    }
    tx.commit().await?;
    Ok(true)
}

/// It is this process's from the beginning, as if it had been taken from the books.
async fn go_on(app: &App, new: New) {
    let (job, until) = Job::placed(new.order);
    // Whoever asked may have gone; the order goes on.
    let _ = new.told.send(Ok(until));
    app.saga.begin(job).await;
}
