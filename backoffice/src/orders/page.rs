//! Which orders a list is asked for: filters, and a cursor that orders placed later do not move. Called by `buyer` and `desk`.

use chrono::{DateTime, Utc};
use doorbuster_core::ids::{ReservationId, SaleId, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::model::State;
use super::store::{self, Filter, OrderRow};
use super::view::{self, OrderView};
use crate::app::App;
use crate::error::ApiError;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};
use crate::me::page::Position;

/// Which of the bearer's orders are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OwnOrdersQuery {
    /// placed, charging, captured, paid, undoing, cancelled, refunded or parked
    #[param(example = "paid")]
    pub state: Option<String>,
    /// preparing, shipped, delivered or stopped
    pub delivery: Option<String>,
    pub sale: Option<String>,
    /// Placed at this time or later
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<DateTime<Utc>>,
    /// Placed before this time
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<DateTime<Utc>>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// Which orders are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct OrdersQuery {
    /// placed, charging, captured, paid, undoing, cancelled, refunded or parked
    #[param(example = "parked")]
    pub state: Option<String>,
    /// preparing, shipped, delivered or stopped
    pub delivery: Option<String>,
    pub sale: Option<String>,
    pub user: Option<String>,
    /// Placed at this time or later
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<DateTime<Utc>>,
    /// Placed before this time
    #[param(value_type = Option<String>, format = DateTime)]
    pub until: Option<DateTime<Utc>>,
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// A page of orders, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OrdersPage {
    pub orders: Vec<OrderView>,
    /// For the next page; null where this is the last
    pub next_cursor: Option<String>,
}

impl OwnOrdersQuery {
    /// Of this user.
    pub(crate) fn of(self, user: &UserId) -> OrdersQuery {
        let Self {
            state,
            delivery,
            sale,
            from,
            until,
            limit,
            cursor,
        } = self;
        OrdersQuery {
            state,
            delivery,
            sale,
            user: Some(user.to_string()),
            from,
            until,
            limit,
            cursor,
        }
    }
}

/// # Errors
/// [`ApiError::InvalidRequest`] where the query asks for what cannot be.
pub(crate) async fn page(app: &App, query: OrdersQuery) -> Result<OrdersPage, ApiError> {
    let limit = query.limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if !(1..=PAGE_ROWS_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )));
    }
    let after = query.cursor.as_deref().map(Position::parse).transpose()?;
    let filter = query.filter()?;
    let mut rows = store::list(&app.books, &filter, (after, limit + 1)).await?;
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| !is_last).map(position);
    Ok(OrdersPage {
        orders: view::many(app, rows).await?,
        next_cursor,
    })
}

fn position(row: &OrderRow) -> String {
    let position = Position {
        created_at: row.created_at,
        id: ReservationId::from_bytes(*row.order_id.as_bytes()),
    };
    position.to_string()
}

impl OrdersQuery {
    fn filter(self) -> Result<Filter, ApiError> {
        let bad = |what: &str| ApiError::InvalidRequest(format!("there is no such {what}"));
        let states = ["preparing", "shipped", "delivered", "stopped"];
        let delivery = self.delivery.map(|word| {
            let found = states.into_iter().find(|state| *state == word);
            found.ok_or_else(|| bad("delivery"))
        });
        let state = self.state.map(|word| {
            let state = State::of_word(&word).ok_or_else(|| bad("state"));
            state.map(State::word)
        });
        Ok(Filter {
            user: self
                .user
                .map(UserId::parse)
                .transpose()
                .map_err(|_| bad("user"))?,
            sale: self
                .sale
                .map(SaleId::parse)
                .transpose()
                .map_err(|_| bad("sale"))?,
            state: state.transpose()?,
            delivery: delivery.transpose()?,
            from: self.from,
            until: self.until,
        })
    }
}
