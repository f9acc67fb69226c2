//! Reservations: make one, look at it, cancel it.

use std::sync::Arc;

use doorbuster_core::clock;
use doorbuster_core::gate::cancel::Cancelled;
use doorbuster_core::gate::find::Found;
use doorbuster_core::gate::reserve::{Reserve, Reserved};
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::record::{Reason, Record, Status};
use hyper::Request;
use hyper::body::Incoming;

use super::problem::Refusal;
use super::reply::{self, Answer, Shown};
use super::wish::{self, Early, Soon, Wished};
use super::{auth, receipts, tickets};
use crate::app::App;
use crate::crash;
use crate::load::Class;
use crate::sale::LiveSale;
use crate::sale::combiner::Answered;

/// Makes a reservation, or says why not.
///
/// # Errors
/// Every refusal of the contract's table.
pub(super) async fn create(app: &App, soon: Soon) -> Result<Answer, Refusal> {
    match soon {
        Soon::Told(refusal) => Err(refusal),
        Soon::Refused(early) => Err(early.counted(app).await),
        Soon::Wished(wished) => ask(app, wished).await,
    }
}

async fn ask(app: &App, wished: Wished) -> Result<Answer, Refusal> {
    let Wished {
        reserve,
        live,
        receipt,
        ticket,
        sale,
    } = wished;
    let (sale, too_late) = match sale {
        Some(sale) => (sale, None),
        // Boxed: nearly all ask for the one at hand.
        None => match Box::pin(open_sale(app, &live)).await {
            Ok(sale) => {
                // A receipt is for Redis to judge, whatever memory says.
                let too_late = match receipt {
                    Some(_) => None,
                    None => wish::sold_out(&sale, reserve.id, &reserve.lines, clock::instant()),
                };
                (sale, too_late)
            }
            Err(refusal) => return Err(Early::of(live, refusal).counted(app).await),
        },
    };
    let answer = match (receipt, too_late) {
        (Some(receipt), _) => Box::pin(receipts::present(app, &sale, reserve, &receipt)).await,
        (None, Some(refusal)) => Err(refusal),
        (None, None) => decide(app, &sale, reserve, ticket).await,
    };
    sale.tally.note(&answer);
    answer
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
    let user = auth::counted_user(app, request, clock::now_ms())?;
    Ok((
        LiveId::Sale(SaleId::parse(sale)?),
        ReservationId::parse(id)?,
        user,
    ))
}

/// The sale, if what Redis acknowledges now would be worth its ack level, and MySQL is not too far behind.
pub(super) async fn open_sale(app: &App, live: &LiveId) -> Result<Arc<LiveSale>, Refusal> {
    wish::check_ack(app)?;
    let sale = app.registry.live(live).await?;
    wish::check_books(&sale)?;
    Ok(sale)
}
