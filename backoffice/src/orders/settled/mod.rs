//! What a loss did to payments: orders whose units the books no longer know to be sold, or to have come back, are told to the rebuilt sale again.
//!
//! A settle, a restock or a write-off is told by no engine: where Redis lost it before it was booked, the order stays `paid` while its
//! reservation ends, and its unit would be sold twice. So as soon as a sale's epoch has risen ([`store::risen`]), and before the deadlines of its payments
//! where possible, all its orders are held against their reservations, page by page. What differs is asked of the gate again, by the very calls
//! that were lost: each is done once. Where the units are others' by now, a person has to look. Who had settled an order just before the loss may
//! write it down as paid for as long as it is his, so there is a second walk after that time; only then is the epoch noted.
//!
//! The hourly comparison of orders and money has a sale gone along again where it finds units that contradict their orders, and so has a refund some of
//! whose units were lost ([`doubt`]). A person who decides that a parked order is to have its units after all asks for them himself ([`again`]).
//! Any number of back-offices may do it at once, and one that is killed leaves the epoch to be noted by the next.

mod store;

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use doorbuster_core::ack::AckLevel;
use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::restock::Returned;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::record::{Reason, Status};
use doorbuster_core::returns::ReturnTo;
use serde_json::json;
use sqlx::mysql::MySqlExecutor;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::limits::{LEASE, SETTLED_AT_ONCE, SETTLED_EVERY};
use super::model::{Event, Order, State, Why};
use super::refunds::Units;
use super::refunds::store as refunds;
use super::refunds::units::{Whose, give_back, of};
use super::saga::store::{Move, advance, seize};
use crate::app::App;
use crate::error::ApiError;
use crate::limits::{BOOKS_LOOK_EVERY, BOOKS_WAIT};
use crate::metrics;
use store::Row;

/// A rise of a sale's epoch, or a doubt, as this process has seen it.
struct Rise {
    seen: (u32, Option<DateTime<Utc>>),
    since: Instant,
    /// All orders were gone along once.
    walked: bool,
}

/// What came of one order.
enum Told {
    /// As it was.
    Right,
    /// Its units are sold, or back, again.
    Again,
    /// The sale is not there yet.
    Later,
    /// Its hold has ended, and nobody wants its units again.
    Ended,
    /// Its units are others'.
    Gone(&'static str),
}

/// How units are gone whose reservation is known.
const OTHERS: &str = "its units went to others after a loss";

/// Whether one order has its units again.
pub(super) enum Again {
    Has,
    /// Others have them.
    Gone,
    /// Some of them went back before, and there are not as many as it had with those. The journal tells in this order that a reservation is sold and that
    /// units of it came back, so all are asked for.
    Short,
}

/// Until `stop`.
pub(crate) async fn run(app: App, stop: CancellationToken) {
    let mut rises = HashMap::new();
    loop {
        if let Err(error) = look(&app, &mut rises).await {
            tracing::debug!(%error, "sales that were rebuilt could not be seen");
        }
        if stop
            .run_until_cancelled(sleep(SETTLED_EVERY))
            .await
            .is_none()
        {
            return;
        }
    }
}

/// The books contradict these orders' units: the next look goes along their sales, whether they were rebuilt or not.
///
/// # Errors
/// Where MySQL does not answer.
pub(crate) async fn doubt(books: impl MySqlExecutor<'_>, orders: &[Uuid]) -> sqlx::Result<()> {
    store::doubt(books, orders).await
}

/// Asks for the units of one order whose sale may have forgotten that they were sold. Repeatable.
///
/// # Errors
/// Where a server does not answer, or the sale is being brought back.
pub(super) async fn again(app: &App, order: &Order) -> Result<Again, ApiError> {
    let Some(row) = store::one(&app.books, order.id).await? else {
        return Ok(Again::Gone);
    };
    let refunds = store::returned(&app.books, std::slice::from_ref(&row)).await?;
    let refunds: Vec<Uuid> = refunds.into_iter().map(|(_, refund)| refund).collect();
    let row = Row {
        // As one that is paid: it takes units from the shelf, whatever the books have of them.
        state: State::Paid.word().to_owned(),
        status: None,
        ..row
    };
    let epoch = app.saga.epoch(app, &order.sale).await?;
    match tell(app, &order.live(), epoch, &row, &refunds).await? {
        Told::Right | Told::Again | Told::Ended => {}
        Told::Gone(OTHERS) if !refunds.is_empty() => return Ok(Again::Short),
        Told::Gone(_) => return Ok(Again::Gone),
        Told::Later => return Err(ApiError::Recovering("units of an order".to_owned())),
    }
    if app.ack_level == AckLevel::Mysql {
        in_books(app, order.id).await?;
    }
    Ok(Again::Has)
}

/// Waits until the books have that its units are sold, or have all come back.
async fn in_books(app: &App, order: Uuid) -> Result<(), ApiError> {
    let deadline = Instant::now() + BOOKS_WAIT;
    loop {
        let row = store::one(&app.books, order).await?;
        let is_there = row.is_some_and(|row| {
            row.status.as_deref() == Some("paid") || row.reason.as_deref() == Some("refunded")
        });
        if is_there {
            return Ok(());
        }
        if Instant::now() >= deadline {
            let late = anyhow::anyhow!("the books do not have it yet");
            return Err(ApiError::Unavailable(late));
        }
        sleep(BOOKS_LOOK_EVERY).await;
    }
}

async fn look(app: &App, rises: &mut HashMap<String, Rise>) -> Result<(), ApiError> {
    let risen = store::risen(&app.books).await?;
    rises.retain(|sale, _| risen.iter().any(|one| one.sale_id == *sale));
    for one in risen {
        let (sale, epoch) = (one.sale_id.as_str(), one.epoch);
        let new = || Rise {
            seen: (epoch, one.noted_at),
            since: Instant::now(),
            walked: false,
        };
        let rise = rises.entry(sale.to_owned()).or_insert_with(new);
        if rise.seen != (epoch, one.noted_at) {
            *rise = new();
        }
        let is_last = rise.since.elapsed() > LEASE;
        if rise.walked && !is_last {
            continue;
        }
        match walk(app, sale, epoch).await {
            Ok(true) => rise.walked = true,
            Ok(false) => continue,
            // One sale never keeps the others.
            Err(error) => {
                tracing::debug!(%error, sale, "orders of a rebuilt sale could not all be looked at");
                continue;
            }
        }
        if is_last {
            store::note(&app.books, &one).await?;
        }
    }
    Ok(())
}

/// Along all orders of the sale; whether each of them could be told.
async fn walk(app: &App, sale: &str, epoch: u32) -> Result<bool, ApiError> {
    let live = SaleId::parse(sale).map_err(|e| ApiError::Internal(e.into()))?;
    let live = LiveId::Sale(live);
    let (mut after, mut again, mut is_whole) = ((DateTime::UNIX_EPOCH, Uuid::nil()), 0_u64, true);
    loop {
        let mut rows = store::page(&app.books, sale, after).await?;
        let Some(last) = rows.last() else { break };
        after = (last.created_at, last.order_id);
        rows.retain(|row| row.state == State::Paid.word() || row.state == State::Refunded.word());
        let mut returned: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for (order, refund) in store::returned(&app.books, &rows).await? {
            returned.entry(order).or_default().push(refund);
        }
        // What gave its hold up has no units to be sold.
        rows.retain(|row| {
            returned.contains_key(&row.order_id)
                || (row.state == State::Paid.word() && row.status.as_deref() != Some("paid"))
        });
        rows.retain(|row| row.reason.as_deref() != Some("refunded"));
        for some in rows.chunks(SETTLED_AT_ONCE) {
            let mut asked = JoinSet::new();
            for row in some {
                let (app, live, row) = (app.clone(), live.clone(), row.clone());
                let refunds = returned.remove(&row.order_id).unwrap_or_default();
                asked.spawn(async move {
                    let told = tell(&app, &live, epoch, &row, &refunds).await;
                    (row, told)
                });
            }
            for (row, told) in asked.join_all().await {
                match told {
                    Ok(Told::Right | Told::Ended) => {}
                    Ok(Told::Again) => again += 1,
                    Ok(Told::Later) => is_whole = false,
                    Ok(Told::Gone(found)) => park(app, row.order_id, found).await?,
                    Err(error) => {
                        tracing::debug!(%error, order = %row.order_id, "an order could not be told to a rebuilt sale");
                        is_whole = false;
                    }
                }
            }
            // Redis, or the sale, is not there: the next look begins anew.
            if !is_whole {
                return Ok(false);
            }
        }
    }
    if again > 0 {
        tracing::warn!(
            sale,
            epoch,
            orders = again,
            "payments that were lost with redis were told again"
        );
    }
    Ok(is_whole)
}

async fn tell(
    app: &App,
    live: &LiveId,
    epoch: u32,
    row: &Row,
    refunds: &[Uuid],
) -> Result<Told, ApiError> {
    let mut told = if row.status.as_deref() == Some("paid") {
        Told::Right
    } else {
        sell(app, live, epoch, row).await?
    };
    if matches!(told, Told::Later | Told::Gone(_)) {
        return Ok(told);
    }
    let is_ended = matches!(told, Told::Ended);
    for refund in refunds {
        match bring_back(app, live, epoch, row, (*refund, is_ended)).await? {
            Told::Right => {}
            other => told = other,
        }
        if matches!(told, Told::Later | Told::Gone(_)) {
            break;
        }
    }
    Ok(told)
}

/// The same call as the saga's last step.
async fn sell(app: &App, live: &LiveId, epoch: u32, row: &Row) -> Result<Told, ApiError> {
    let (id, user) = whose(row)?;
    // One whose units have all come back takes none from the shelf for that.
    let is_kept = row.state == State::Paid.word();
    let mut settled = app.gate.settle(live, epoch, id, &user, is_kept).await?;
    if let Settled::NotPaying(_) = settled {
        // Its begin was lost too.
        if let BegunPayment::Fenced(_) = app.gate.begin_payment(live, epoch, id, &user).await? {
            return Ok(Told::Later);
        }
        settled = app.gate.settle(live, epoch, id, &user, is_kept).await?;
    }
    Ok(match settled {
        Settled::Paid { .. } => Told::Again,
        // All that it had has come back meanwhile.
        Settled::Gone { record } if record.status == Status::Released(Reason::Refunded) => {
            Told::Right
        }
        Settled::Gone { .. } if is_kept => Told::Gone(OTHERS),
        Settled::UnknownReservation if is_kept => Told::Gone("its reservation was lost"),
        Settled::Gone { .. } | Settled::UnknownReservation => Told::Ended,
        Settled::NotPaying(_) | Settled::Fenced(_) => Told::Later,
    })
}

/// The same calls as the refund's, under the same keys. Units that had been lost when it was done, and that the order has again since it was told
/// anew, are on sale again; those of a hold that has ended are so already.
async fn bring_back(
    app: &App,
    live: &LiveId,
    epoch: u32,
    row: &Row,
    (refund, is_ended): (Uuid, bool),
) -> Result<Told, ApiError> {
    let lines = refunds::lines(&app.books, refund).await?;
    let (id, user) = whose(row)?;
    let mut told = Told::Right;
    let on_shelf: &[Units] = if is_ended {
        &[Units::Restock]
    } else {
        &[Units::Restock, Units::Lost]
    };
    for (to, units) in [
        (ReturnTo::Shelf, on_shelf),
        (ReturnTo::WriteOff, &[Units::WriteOff]),
    ] {
        let wanted = of(&lines, units)?;
        if wanted.is_empty() {
            continue;
        }
        let whose = Whose {
            live,
            epoch,
            reservation: id,
            user: &user,
        };
        let returned = give_back(app, &whose, (refund, to), &wanted).await?;
        match returned {
            Returned::Done { .. } => told = Told::Again,
            Returned::Already { .. } => {}
            Returned::Fenced(_) => return Ok(Told::Later),
            // Not sold, so nobody has them: that they are on sale is right, that they are gone is for a stocktaking to say.
            Returned::NotPaid(_) | Returned::UnknownReservation | Returned::TooMany => {
                tracing::warn!(alarm = "units", order = %row.order_id, %refund, ?returned, "units of a refund could not be told again");
            }
        }
    }
    Ok(told)
}

fn whose(row: &Row) -> Result<(ReservationId, UserId), ApiError> {
    let user = UserId::parse(row.user_id.as_str()).map_err(|e| ApiError::Internal(e.into()))?;
    let id = ReservationId::from_bytes(*row.reservation_id.as_bytes());
    Ok((id, user))
}

/// Its money is here and its units are not: a person has to look.
async fn park(app: &App, id: Uuid, found: &'static str) -> Result<(), ApiError> {
    let mut tx = app.books.begin().await?;
    let Some(mut order) = seize(&mut tx, id).await? else {
        return Ok(());
    };
    // Where money goes back already, that ends it, or the next look sees what is left of it.
    if order.state != State::Paid || refunds::under_way(&mut *tx, id).await?.is_some() {
        return Ok(());
    }
    let data = json!({"reason": Why::Late.word(), "found": found});
    let parked = Event {
        cause: format!("parked:{}", order.version),
        ..Event::once("parked")
    };
    let to = Move::to(State::Parked).why(Why::Late);
    advance(&mut tx, &mut order, to, &[parked.data(data)]).await?;
    tx.commit().await?;
    metrics::order_parked();
    tracing::error!(alarm = "order_parked", order = %id, found, "a paid order waits for a person");
    Ok(())
}
