//! Reservations: make one, look at it, cancel it.

use std::sync::Arc;

use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::find::Found;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::record::{Reason, Record, Status};
use hyper::Request;
use hyper::body::Incoming;

use super::problem::Refusal;
use super::reply::{self, Answer, Shown};
use super::{auth, receipts, request, tickets};
use crate::app::App;
use crate::crash;
use crate::load::Class;
use crate::sale::LiveSale;
use crate::sale::combiner::Answered;

/// # Errors
/// Every refusal of the contract's table.
pub(crate) async fn create(
    app: &App,
    sale: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    match ask(app, sale, request).await {
        Ok((sale, answer)) => {
            sale.tally.note(&answer);
            answer
        }
        Err(refusal) => Err(Box::pin(refused_early(app, sale, refusal)).await),
    }
}

/// Counts a refusal before the sale was at hand.
async fn refused_early(app: &App, sale: &str, refusal: Refusal) -> Refusal {
    if let Ok(id) = SaleId::parse(sale) {
        app.registry.refused(&LiveId::Sale(id), &refusal).await;
    }
    refusal
}

/// The sale, and what it says.
async fn ask(
    app: &App,
    sale: &str,
    request: Request<Incoming>,
) -> Result<(Arc<LiveSale>, Result<Answer, Refusal>), Refusal> {
    let user = auth::user(app, &request)?;
    app.limiter.check_user(&user)?;
    let live = LiveId::Sale(SaleId::parse(sale)?);
    app.limiter.check_sale(&live)?;
    let key = request::idempotency_key(&request)?;
    let receipt = request::receipt(&request)?.map(str::to_owned);
    let ticket = request::ticket(&request)?.map(str::to_owned);
    let wanted = request::wanted(request).await?;
    let id = ReservationId::derive(&live, &user, &key);
    let sale = open_sale(app, &live).await?;
    let reserve = Reserve {
        id,
        user,
        body: wanted.body,
        lines: wanted.lines,
    };
    let answer = match receipt {
        Some(receipt) => Box::pin(receipts::present(app, &sale, reserve, &receipt)).await,
        None => match sold_out(&sale, &reserve) {
            // Boxed: those who come too late, nearly all, carry no room for what the others need.
            None => Box::pin(decide(app, &sale, reserve, ticket)).await,
            Some(refusal) => Err(refusal),
        },
    };
    Ok((sale, answer))
}

/// The refusal, where memory knows that nothing is left.
fn sold_out(sale: &LiveSale, reserve: &Reserve) -> Option<Refusal> {
    let skus = reserve.lines.iter().map(|line| &line.sku);
    let sku = sale.shield.refuses(reserve.id, skus)?;
    Some(Refusal::SoldOut { sku, left: 0 })
}

async fn decide(
    app: &App,
    sale: &Arc<LiveSale>,
    reserve: Reserve,
    ticket: Option<String>,
) -> Result<Answer, Refusal> {
    let reserve = Arc::new(reserve);
    let shown = match sale.line() {
        None => None,
        Some(line) => tickets::shown(app, sale, line, &reserve.user, ticket).await?,
    };
    let answered = sale.reserve(Arc::clone(&reserve), shown).await?;
    confirmed(app, sale, &reserve, answered).await
}

/// The answer, once what it promises is as safe as the ack level asks.
pub(super) async fn confirmed(
    app: &App,
    sale: &LiveSale,
    reserve: &Reserve,
    answered: Answered<Reserved>,
) -> Result<Answer, Refusal> {
    if let Some(seq) = promised(&answered) {
        sale.confirmed(answered.epoch, seq).await?;
    }
    crash::point("front.before_answer");
    answer(app, sale, reserve, answered)
}

/// The event by which an accepted request is what its buyer will be told.
fn promised(answered: &Answered<Reserved>) -> Option<u64> {
    match &answered.outcome {
        Reserved::Held { seq, .. } => Some(*seq),
        Reserved::Repeat(record) => Some(settled_by(record, answered.seq)),
        _ => None,
    }
}

/// The event by which `record` is what it is, or a later one: which event ended it, it does not say, but the sale stood at
/// `seq` by then.
fn settled_by(record: &Record, seq: u64) -> u64 {
    match record.status {
        Status::Held => record.seq,
        _ => seq,
    }
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
        ..
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
        Reserved::NotAdmitted => Err(Refusal::NotAdmitted),
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
    let _place = app.pressure.load.place(Class::Cancel)?;
    let sale = app.registry.live(&live).await?;
    let epoch = sale.epoch();
    match app
        .gate
        .find(&live, epoch, id)
        .await
        .map_err(|e| Refusal::from(&e))?
    {
        Found::Found {
            now_ms,
            seq,
            record,
        } if record.user == user => {
            sale.confirmed(epoch, settled_by(&record, seq)).await?;
            Ok(reply::present(
                app,
                &Shown::of(id, &live, epoch, &record, now_ms),
            ))
        }
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
    let _place = app.pressure.load.place(Class::Cancel)?;
    let sale = app.registry.live(&live).await?;
    let epoch = sale.epoch();
    let (seq, record) = match app
        .gate
        .cancel(&live, epoch, id, &user)
        .await
        .map_err(|e| Refusal::from(&e))?
    {
        Cancelled::Cancelled { seq, record } => (seq, record),
        Cancelled::Ended { seq, record } => match record.status {
            Status::Released(Reason::Cancelled) => (seq, record),
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
    sale.confirmed(epoch, seq).await?;
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

/// The sale, if what Redis acknowledges now would be worth its ack level, and MySQL is not too far behind.
pub(super) async fn open_sale(app: &App, live: &LiveId) -> Result<Arc<LiveSale>, Refusal> {
    if !app.ack.is_met() {
        return Err(Refusal::Unavailable {
            detail: "the asked ack level is not met; see /readyz",
        });
    }
    let sale = app.registry.live(live).await?;
    if !sale.is_confirmable() {
        return Err(Refusal::Unavailable {
            detail: "the books are behind what buyers wait for; repeat the same request with the same key after Retry-After",
        });
    }
    if sale.sheds_backlog() {
        return Err(Refusal::Backlog);
    }
    Ok(sale)
}
