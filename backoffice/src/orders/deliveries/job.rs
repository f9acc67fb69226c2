//! Moves on the deliveries whose time has come. Any number of back-offices may: an order is locked while its delivery is looked at.

use doorbuster_core::clock;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::step::{Parcel, deliver, may_be_sent, ship};
use super::store;
use crate::app::App;
use crate::error::ApiError;
use crate::orders::limits::DELIVERIES_EVERY;
use crate::orders::model::State;
use crate::orders::saga;

/// Until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    loop {
        match store::due(&app.books).await {
            Ok(due) => {
                for order in due {
                    if let Err(error) = one(&app, order).await {
                        tracing::warn!(%error, %order, "a delivery could not go on");
                        // Where MySQL is away, it is due as before.
                        let _ = store::put_off(&app.books, order).await;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "deliveries that are due could not be seen"),
        }
        if stop
            .run_until_cancelled(sleep(DELIVERIES_EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

async fn one(app: &App, id: Uuid) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    // Not taken from whoever works at it, unless its goods go on.
    let Some(order) = saga::store::lock(&mut tx, id).await? else {
        return Ok(());
    };
    let Some(delivery) = store::lock(&mut tx, id).await? else {
        return Ok(());
    };
    // Looked at again under the lock: somebody may have been faster, or have put it off.
    if delivery.next_at.is_none_or(|at| at > clock::now()) {
        return Ok(());
    }
    let is_sent = delivery.state == "shipped";
    if order.state != State::Paid || !is_sent && !may_be_sent(&mut tx, &order).await? {
        store::put_off(&mut *tx, id).await?;
        return Ok(tx.commit().await?);
    }
    let Some(mut order) = saga::store::seize(&mut tx, id).await? else {
        return Ok(());
    };
    match (
        delivery.state.as_str(),
        &delivery.carrier,
        &delivery.tracking_number,
    ) {
        ("preparing", Some(carrier), Some(tracking_number)) => {
            let parcel = Parcel {
                carrier: carrier.clone(),
                tracking_number: tracking_number.clone(),
            };
            ship(&mut tx, &mut order, parcel).await?;
        }
        ("shipped", ..) => {
            deliver(&mut tx, &mut order, delivery).await?;
        }
        _ => store::put_off(&mut *tx, id).await?,
    }
    tx.commit().await?;
    app.people.mail_written.notify_one();
    Ok(())
}
