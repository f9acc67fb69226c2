//! What Redis is told of a sale when it opens. Called by the `open` handler; the engine shows `config` in `GET /v1/sales/{sale}`.

use doorbuster_core::gate::open::OpenSku;
use serde_json::json;

use super::draft::Sale;
use super::store::StoredSale;
use crate::live::publish::Launch;

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
    Launch {
        subject: stored.subject(),
        hold_ms,
        config: config(&stored.sale),
        skus,
    }
}

/// What does not change while a sale lives and is neither window nor stock.
fn config(sale: &Sale) -> String {
    let items: Vec<_> = sale
        .items
        .iter()
        .map(|item| json!({"sku": item.sku, "title": item.title, "price": item.price, "limit_per_user": item.limit_per_user}))
        .collect();
    json!({
        "title": sale.title,
        "hold_seconds": sale.hold_seconds,
        "payment_seconds": sale.payment_seconds,
        "waiting_room": false,
        "items": items,
    })
    .to_string()
}
