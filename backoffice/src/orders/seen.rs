//! Orders as the books have them, with all that is shown of one: whoever looks at the same time is answered by the same statements, since the
//! buyers of one batch look together. Called by `view`.

use std::collections::HashMap;

use sqlx::mysql::MySqlPool;
use uuid::Uuid;

use super::limits::{LOOKS_AT_ONCE, LOOKS_WAITING_MAX};
use super::refunds;
use super::refunds::store::RefundRow;
use super::store::{self, EventRow, LineRow, OrderRow};
use crate::gathered::Together;

/// A look at one order, by its id.
#[derive(Debug)]
pub(crate) struct Look(pub(super) Uuid);

/// What is seen.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(super) row: OrderRow,
    pub(super) lines: Vec<LineRow>,
    pub(super) events: Vec<EventRow>,
    pub(super) refunds: Vec<RefundRow>,
}

/// Nothing goes back unless one of these has happened, so most orders need no look for it.
const MAY_GO_BACK: [&str; 5] = ["failed", "refund_asked", "decided", "refunded", "returned"];

impl Together for Look {
    /// None where there is no such order.
    type Answer = Option<Seen>;

    const AT_ONCE: usize = LOOKS_AT_ONCE;
    const WAITING_MAX: usize = LOOKS_WAITING_MAX;

    /// In one transaction, which sees all of it as of one moment: nobody is told that he has paid, and shown a timeline that does not say so.
    async fn ask(books: &MySqlPool, all: &[Self]) -> sqlx::Result<Vec<Option<Seen>>> {
        let ids = || all.iter().map(|Self(id)| *id);
        let mut tx = books.begin().await?;
        let mut lines = by_order(store::lines(&mut *tx, ids()).await?, |row| row.order_id);
        let mut events = by_order(store::events(&mut tx, ids()).await?, |row| row.order_id);
        let may_go_back = events.iter().filter(|(_, events)| {
            let mut kinds = events.iter().map(|event| event.kind.as_str());
            kinds.any(|kind| MAY_GO_BACK.contains(&kind))
        });
        let may_go_back: Vec<Uuid> = may_go_back.map(|(id, _)| *id).collect();
        let gone_back = refunds::store::of(&mut tx, &may_go_back).await?;
        let mut refunds = by_order(gone_back, |row| row.order_id);
        let rows = store::rows(&mut tx, ids()).await?;
        tx.commit().await?;
        let seen = rows.into_iter().map(|row| {
            let id = row.order_id;
            let seen = Seen {
                row,
                lines: lines.remove(&id).unwrap_or_default(),
                events: events.remove(&id).unwrap_or_default(),
                refunds: refunds.remove(&id).unwrap_or_default(),
            };
            (id, seen)
        });
        let seen: HashMap<Uuid, Seen> = seen.collect();
        Ok(ids().map(|id| seen.get(&id).cloned()).collect())
    }
}

/// In the order of the rows.
pub(super) fn by_order<R>(rows: Vec<R>, order: impl Fn(&R) -> Uuid) -> HashMap<Uuid, Vec<R>> {
    let mut of: HashMap<Uuid, Vec<R>> = HashMap::new();
    for row in rows {
        of.entry(order(&row)).or_default().push(row);
    }
    of
}
