//! A sale as staff see it: what was written, what Redis has now, what the books have. Called by every handler that answers with a sale.

use doorbuster_core::clock;
use serde::Serialize;
use utoipa::ToSchema;

use super::draft::Item;
use super::line::LineView;
use super::schedule::{self, ScheduleView};
use super::store::StoredSale;
use crate::app::App;
use crate::error::ApiError;
use crate::live::state::Phase;
use crate::live::view::{Counts, Lag, Look, look};
use crate::rebuild;
use crate::rebuild::view::RebuildView;

/// A sale.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SaleView {
    #[schema(example = "drop-1")]
    pub id: String,
    #[schema(example = "한정판 티셔츠")]
    pub title: String,
    pub state: Phase,
    #[schema(format = DateTime, example = "2030-01-01T10:00:00.000Z")]
    pub opens_at: String,
    #[schema(format = DateTime, example = "2030-01-01T12:00:00.000Z")]
    pub closes_at: String,
    #[schema(example = 300)]
    pub hold_seconds: u32,
    #[schema(example = 300)]
    pub payment_seconds: u32,
    pub waiting_room: bool,
    /// For the next edit of the draft
    #[schema(example = 1)]
    pub version: u32,
    /// Null without a waiting room
    pub line: Option<LineView>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub published_at: Option<String>,
    /// Redis time where Redis has the sale
    #[schema(format = DateTime)]
    pub server_time: String,
    pub items: Vec<ItemView>,
    /// Null where Redis does not have the sale
    pub journal_lag: Option<Lag>,
    /// Units by which Redis breaks stocked = left + held + sold; anything but 0 is an alarm. Null where Redis does not have the sale
    #[schema(example = 0)]
    pub conservation_difference: Option<i64>,
    /// Null where it opens by hand alone
    pub schedule: Option<ScheduleView>,
    /// Null where Redis never lost it
    pub rebuild: Option<RebuildView>,
}

/// One sku of it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ItemView {
    #[schema(example = "tee-m")]
    pub sku: String,
    #[schema(example = "Tee, M")]
    pub title: String,
    pub price: Price,
    /// As written; `stocked` has the adjustments too
    #[schema(example = 100)]
    pub stock: u32,
    /// 0: no limit
    #[schema(example = 1)]
    pub limit_per_user: u32,
    /// In Redis now; null where Redis does not have the sale
    pub live: Option<Counts>,
    /// In MySQL now; null before the first event has arrived there
    pub books: Option<Counts>,
}

/// Minor units and an ISO 4217 code.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Price {
    #[schema(example = 19900)]
    pub amount: i64,
    #[schema(example = "KRW")]
    pub currency: String,
}

/// # Errors
/// [`ApiError::Unavailable`] where Redis or MySQL does not answer.
pub(crate) async fn sale_view(app: &App, stored: &StoredSale) -> Result<SaleView, ApiError> {
    let look = look(app, &stored.subject()).await?;
    let rebuild = rebuild::view::last(&app.books, &stored.subject().live).await?;
    let sale = &stored.sale;
    let written = |at| clock::rfc3339(clock::to_ms(at));
    Ok(SaleView {
        id: sale.id.to_string(),
        title: sale.title.clone(),
        state: look.phase,
        opens_at: written(sale.opens_at),
        closes_at: written(sale.closes_at),
        hold_seconds: sale.hold_seconds,
        payment_seconds: sale.payment_seconds,
        waiting_room: sale.line.is_some(),
        version: stored.version,
        line: sale
            .line
            .as_ref()
            .zip(stored.line())
            .map(|(draft, config)| LineView::new(draft, config)),
        created_at: written(stored.created_at),
        published_at: stored.published_at.map(written),
        server_time: clock::rfc3339(look.server_time_ms),
        items: sale
            .items
            .iter()
            .map(|item| item_view(item, &look))
            .collect(),
        journal_lag: look.lag,
        conservation_difference: look.conservation_difference,
        schedule: schedule::view(app, &sale.id).await?,
        rebuild,
    })
}

fn item_view(item: &Item, look: &Look) -> ItemView {
    ItemView {
        sku: item.sku.to_string(),
        title: item.title.clone(),
        price: Price {
            amount: item.price.amount,
            currency: item.price.currency.to_string(),
        },
        stock: item.stock,
        limit_per_user: item.limit_per_user,
        live: look.live(&item.sku),
        books: look.books.get(&item.sku).copied(),
    }
}
