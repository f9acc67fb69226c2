//! What Redis is told of a sale when it opens. Called by the `open` handler; the engine shows `config` in `GET /v1/sales/{sale}`.

use doorbuster_core::gate::open::OpenSku;
use doorbuster_core::ids::SaleId;
use doorbuster_core::listing::{ListedItem, Listing};
use uuid::Uuid;

use super::store::{self, StoredSale};
use crate::app::App;
use crate::catalog::error::Refusal;
use crate::error::ApiError;
use crate::live::publish::Launch;

/// Pledges the draw of a draft that has one: from here on its secret is chosen. Repeating changes nothing.
///
/// # Errors
/// [`ApiError::Unavailable`] where MySQL does not answer.
async fn pledge(app: &App, stored: &StoredSale) -> Result<(), ApiError> {
    let is_drawn = stored.sale.line.as_ref().is_some_and(|line| line.draw);
    if is_drawn && stored.pledge.is_none() && stored.published_at.is_none() {
        let salt = Uuid::new_v4().simple().to_string();
        let pledge = app.draws.pledge(&stored.sale.id, salt);
        store::pledge(&app.books, &stored.sale.id, &pledge).await?;
    }
    Ok(())
}

/// A sale as it is to be opened, its draw pledged.
///
/// # Errors
/// [`ApiError::UnknownSale`]; [`Refusal::VersionConflict`] where it was edited meanwhile: what was pledged, or was not, belongs to the draft before.
pub(crate) async fn ready(app: &App, id: &SaleId) -> Result<StoredSale, ApiError> {
    let read = store::find(&app.books, id).await?;
    pledge(app, &read).await?;
    let stored = store::find(&app.books, id).await?;
    let version = stored.version;
    if version != read.version {
        return Err(Refusal::VersionConflict { version }.into());
    }
    Ok(stored)
}

pub(crate) fn launch(stored: &StoredSale) -> Launch {
    let skus = stored
        .sale
        .items
        .iter()
        .map(|item| OpenSku {
            sku: item.sku.clone(),
            stock: item.stock,
            limit_per_user: item.limit_per_user,
        })
        .collect();
    let hold_ms = u64::from(stored.sale.hold_seconds) * 1_000;
    let payment_ms = u64::from(stored.sale.payment_seconds) * 1_000;
    Launch {
        subject: stored.subject(),
        version: Some(stored.version),
        hold_ms,
        payment_ms,
        config: listing(stored).to_json(),
        skus,
    }
}

fn listing(stored: &StoredSale) -> Listing {
    let sale = &stored.sale;
    let items = sale.items.iter().map(|item| ListedItem {
        sku: item.sku.to_string(),
        title: item.title.clone(),
        price: item.price,
        limit_per_user: item.limit_per_user,
    });
    Listing {
        title: sale.title.clone(),
        hold_seconds: sale.hold_seconds,
        payment_seconds: sale.payment_seconds,
        line: stored.line(),
        items: items.collect(),
    }
}
