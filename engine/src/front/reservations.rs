//! Reservations: make one, look at it, cancel it.

use std::sync::Arc;

use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::find::Found;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::record::{Reason, Status};
use hyper::Request;
use hyper::body::Incoming;

use super::problem::Refusal;
use super::reply::{self, Answer, Shown};
use super::{auth, request};
use crate::app::App;
use crate::crash;
use crate::sale::LiveSale;
use crate::sale::combiner::Answered;

/// # Errors
/// Every refusal of the contract's table.
pub(crate) async fn create(
    app: &App,
    sale: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let user = auth::user(app, &request)?;
    app.limiter.check_user(&user)?;
    let live = LiveId::Sale(SaleId::parse(sale)?);
    let key = request::idempotency_key(&request)?;
    let wanted = request::wanted(request).await?;
    let id = ReservationId::derive(&live, &user, &key);
    let sale = open_sale(app, &live).await?;
    if let Some(sku) = sale
        .shield
        .refuses(id, wanted.lines.iter().map(|line| &line.sku))
    {
        return Err(Refusal::SoldOut { sku, left: 0 });
    }
    let reserve = Arc::new(Reserve {
        id,
        user,
        body: wanted.body,
        lines: wanted.lines,
    });
    let answered = sale.reserve(Arc::clone(&reserve)).await?;
    crash::point("front.before_answer");
    answer(app, &sale, &reserve, answered)
}

fn answer(
    app: &App,
    sale: &LiveSale,
    reserve: &Reserve,
    answered: Answered<Reserved>,
) -> Result<Answer, Refusal> {
    let Answered {
        now_ms,
        epoch,
        outcome,
    } = answered;
    match outcome {
        Reserved::Held { seq, deadline_ms } => Ok(reply::created(
            app,
            &Shown {
                id: reserve.id,
                live: &sale.live,
                user: &reserve.user,
                lines: &reserve.lines,
                status: Status::Held,
                deadline_ms,
                seq,
                epoch,
            },
        )),
        Reserved::Repeat(record) => Ok(reply::present(
            app,
            &Shown::of(reserve.id, &sale.live, epoch, &record, now_ms),
        )),
        Reserved::Mismatch => Err(Refusal::IdempotencyMismatch),
        Reserved::SoldOut { sku, left } => Err(Refusal::SoldOut { sku, left }),
        Reserved::LimitReached { sku, limit } => Err(Refusal::LimitReached { sku, limit }),
        Reserved::UnknownSku(sku) => Err(Refusal::UnknownSku(sku)),
        Reserved::NotOpen => Err(Refusal::NotOpen),
        Reserved::Paused => Err(Refusal::Paused),
        Reserved::Closed => Err(Refusal::Closed),
        Reserved::Backlog => Err(Refusal::Backlog),
    }
}

/// # Errors
/// [`Refusal::UnknownReservation`] also where it is someone else's.
pub(crate) async fn show(
    app: &App,
    sale: &str,
    id: &str,
    request: &Request<Incoming>,
) -> Result<Answer, Refusal> {
    let (live, id, user) = named(app, sale, id, request)?;
    let sale = app.registry.live(&live).await?;
    let epoch = sale.epoch();
    match app
        .gate
        .find(&live, epoch, id)
        .await
        .map_err(|e| Refusal::from(&e))?
    {
        Found::Found { now_ms, record } if record.user == user => Ok(reply::present(
            app,
            &Shown::of(id, &live, epoch, &record, now_ms),
        )),
        Found::Found { .. } | Found::UnknownReservation => Err(Refusal::UnknownReservation),
        Found::Fenced(fenced) => Err(sale.fenced(fenced).await),
    }
}

/// # Errors
/// [`Refusal::HoldEnded`] where it had ended otherwise, [`Refusal::InFlight`] while it is being paid.
pub(crate) async fn cancel(
    app: &App,
    sale: &str,
    id: &str,
    request: &Request<Incoming>,
) -> Result<Answer, Refusal> {
    let (live, id, user) = named(app, sale, id, request)?;
    let sale = app.registry.live(&live).await?;
    let epoch = sale.epoch();
    let record = match app
        .gate
        .cancel(&live, epoch, id, &user)
        .await
        .map_err(|e| Refusal::from(&e))?
    {
        Cancelled::Cancelled(record) => record,
        Cancelled::Ended(record) => match record.status {
            Status::Released(Reason::Cancelled) => record,
            Status::Released(reason) => {
                return Err(Refusal::HoldEnded {
                    how: reason.as_str(),
                });
            }
            status => {
                return Err(Refusal::HoldEnded {
                    how: status.as_str(),
                });
            }
        },
        Cancelled::InFlight(_) => return Err(Refusal::InFlight),
        Cancelled::UnknownReservation => return Err(Refusal::UnknownReservation),
        Cancelled::Fenced(fenced) => return Err(sale.fenced(fenced).await),
    };
    Ok(reply::present(
        app,
        &Shown::of(id, &live, epoch, &record, record.deadline_ms),
    ))
}

fn named(
    app: &App,
    sale: &str,
    id: &str,
    request: &Request<Incoming>,
) -> Result<(LiveId, ReservationId, UserId), Refusal> {
    let user = auth::user(app, request)?;
    app.limiter.check_user(&user)?;
    Ok((
        LiveId::Sale(SaleId::parse(sale)?),
        ReservationId::parse(id)?,
        user,
    ))
}

/// The sale, if what Redis acknowledges now would be worth its ack level.
pub(super) async fn open_sale(app: &App, live: &LiveId) -> Result<Arc<LiveSale>, Refusal> {
    if !app.ack.is_met() {
        return Err(Refusal::Unavailable {
            detail: "the asked ack level is not met; see /readyz",
        });
    }
    app.registry.live(live).await
}
