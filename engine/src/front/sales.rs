//! `GET /v1/sales/{sale}`: what is sold, when, and how much is left.

use doorbuster_core::clock;
use doorbuster_core::gate::snapshot::State;
use doorbuster_core::ids::{LiveId, SaleId};
use serde::Serialize;
use serde_json::Value;

use super::problem::Refusal;
use super::reply::{self, Answer};
use crate::app::App;
use crate::books::Booked;
use crate::sale::registry::Looked;
use crate::sale::view::View;

#[derive(Serialize)]
struct SaleBody {
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Value>,
    state: &'static str,
    opens_at: String,
    closes_at: String,
    server_time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold_seconds: Option<u64>,
    waiting_room: bool,
    items: Vec<ItemBody>,
}

#[derive(Serialize)]
struct ItemBody {
    sku: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    price: Option<Value>,
    left: u64,
    /// Absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    limit_per_user: Option<u64>,
}

/// # Errors
/// [`Refusal::UnknownSale`], or why it cannot be told now.
pub(crate) async fn show(app: &App, sale: &str) -> Result<Answer, Refusal> {
    let id = SaleId::parse(sale)?;
    let live = LiveId::Sale(id);
    match app.registry.look_up(&live).await? {
        Looked::Live(sale) => {
            let view = sale.view().await?;
            Ok(reply::ok(&from_view(&live, &view)))
        }
        Looked::Absent(Booked::Draft {
            title,
            opens_at,
            closes_at,
        }) => Ok(reply::ok(&SaleBody {
            id: live.book_id(),
            title: Some(title.into()),
            state: "draft",
            opens_at: clock::rfc3339(clock::to_ms(opens_at)),
            closes_at: clock::rfc3339(clock::to_ms(closes_at)),
            server_time: clock::rfc3339(clock::now_ms()),
            hold_seconds: None,
            waiting_room: false,
            items: Vec::new(),
        })),
        Looked::Absent(Booked::Published) => Err(Refusal::Recovering),
        Looked::Absent(Booked::Unknown) => Err(Refusal::UnknownSale),
    }
}

fn from_view(live: &LiveId, view: &View) -> SaleBody {
    let snapshot = &view.snapshot;
    let now_ms = view.redis_now_ms();
    let state = match snapshot.state {
        _ if !snapshot.is_vouched() => "recovering",
        State::Closed => "closed",
        _ if now_ms >= snapshot.closes_ms => "closed",
        _ if now_ms < snapshot.opens_ms => "scheduled",
        State::Paused => "paused",
        State::Open => "open",
    };
    let items = snapshot.stock.iter().map(|(sku, stock)| ItemBody {
        sku: sku.to_string(),
        title: view.item(sku, "title"),
        price: view.item(sku, "price"),
        left: stock.left,
        limit_per_user: Some(stock.limit_per_user).filter(|limit| *limit > 0),
    });
    SaleBody {
        id: live.book_id(),
        title: view.config.get("title").cloned(),
        state,
        opens_at: clock::rfc3339(snapshot.opens_ms),
        closes_at: clock::rfc3339(snapshot.closes_ms),
        server_time: clock::rfc3339(now_ms),
        hold_seconds: Some(snapshot.hold_ms / 1_000),
        waiting_room: view.config.get("waiting_room") == Some(&Value::Bool(true)),
        items: items.collect(),
    }
}
