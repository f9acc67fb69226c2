//! The line over HTTP: join it, ask where one stands, and show a ticket with a reservation.
//!
//! Only joining asks Redis. A ticket from before a loss has its user's number restored first, and is signed anew.

use std::sync::Arc;
use std::time::Instant;

use doorbuster_core::clock;
use doorbuster_core::gate::join::{Instead, Join, Joined};
use doorbuster_core::gate::reserve::Shown;
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::{LiveId, SaleId, UserId};
use doorbuster_core::limits::TICKET_LIFE;
use doorbuster_core::ticket::{Place, Ticket, TicketRefused};
use hyper::Request;
use hyper::body::Incoming;
use serde::Serialize;

use super::problem::Refusal;
use super::reply::{self, Answer};
use super::{auth, request};
use crate::app::App;
use crate::line::{Asking, Line, Outlook, Phase, TooEarly};
use crate::sale::LiveSale;

/// Where a ticket's user stands.
#[derive(Debug, Serialize)]
pub(super) struct TicketBody {
    /// There where it is new, and to be shown from now on.
    #[serde(skip_serializing_if = "Option::is_none")]
    ticket: Option<String>,
    lane: &'static str,
    number: u32,
    /// In the order of admission; null until it is drawn.
    place: Option<u32>,
    state: &'static str,
    position: Option<u32>,
    eta_seconds: Option<Eta>,
    odds: Option<f64>,
    estimate: u32,
    units_may_come_back: bool,
    poll_after_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    admitted_until: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    draw_entry: Option<String>,
}

impl TicketBody {
    /// With the ticket's text, where it is new.
    pub(super) fn with(self, ticket: Option<String>) -> Self {
        Self { ticket, ..self }
    }
}

#[derive(Debug, Serialize)]
struct Eta {
    low: u64,
    high: u64,
}

/// # Errors
/// [`Refusal::NoLine`], [`Refusal::Forbidden`] for another's invite, [`Refusal::LineEnded`] and [`Refusal::Closed`] once nobody is let in
/// any more; or why no number can be given now.
pub(crate) async fn join(
    app: &App,
    sale: &str,
    request: Request<Incoming>,
) -> Result<Answer, Refusal> {
    let user = auth::counted_user(app, &request, clock::now_ms())?;
    let id = SaleId::parse(sale)?;
    let invite = request::invite(&request)?.map(str::to_owned);
    let shown = request::ticket(&request)?.map(str::to_owned);
    request::nothing(request).await?;
    if !app.ack.is_met() {
        return Err(Refusal::Unavailable {
            detail: "the asked ack level is not met; see /readyz",
        });
    }
    let sale = app.registry.live(&LiveId::Sale(id.clone())).await?;
    let line = sale.line().ok_or(Refusal::NoLine)?;
    match line.has_ended() {
        Some(Phase::Closed) => return Err(Refusal::Closed),
        Some(_) => return Err(Refusal::LineEnded),
        None => {}
    }
    let invite = match invite {
        None => None,
        Some(_) if !line.config().invites => {
            return Err(Refusal::invalid("this sale takes no invites"));
        }
        Some(text) => Some(app.tickets.invited(&text, &id).ok_or(FOREIGN_INVITE)?),
    };
    let mut join = Join {
        user,
        invite,
        instead: Instead::Nothing,
    };
    // Who joins again with a ticket from before a loss has that number, and not a new one.
    if let Some(ticket) = kept(app, shown.as_deref(), &id, &join.user)?
        && line.is_outdated(&ticket)
    {
        join.instead = Instead::Back(ticket.number);
    }
    let mut given = give(&sale, line, &join).await?;
    if !given.is_new && line.is_over(given.number) {
        join.instead = Instead::Over(given.number);
        given = Box::pin(give(&sale, line, &join)).await?;
    }
    let outlook = line.ask(given.number, Asking::Joins, clock::instant());
    let outlook = outlook.map_err(too_early)?;
    let ticket = app.tickets.sign(&id, &join.user, &given.ticket());
    let entry = line.entry(&join.user, given.number);
    let body = TicketBody {
        ticket: Some(ticket),
        draw_entry: entry.map(|entry| to_hex(&entry.0)),
        ..body(given.number, outlook)
    };
    Ok(reply::joined(given.is_new, &body))
}

/// Where a ticket stands.
///
/// # Errors
/// [`Refusal::TooEarly`] where it is; [`Refusal::Forbidden`] and [`Refusal::NotAdmitted`] for a ticket that is not the
/// user's, or has expired.
pub(crate) async fn current(
    app: &App,
    sale: &str,
    request: &Request<Incoming>,
) -> Result<Answer, Refusal> {
    let now_ms = clock::now_ms();
    let user = auth::user_at(app, request, now_ms)?;
    let id = SaleId::parse(sale)?;
    let ticket = presented(app, request, &id, &user, now_ms)?;
    let sale = app.registry.live(&LiveId::Sale(id.clone())).await?;
    let line = sale.line().ok_or(Refusal::NoLine)?;
    let renewed = renewed(app, &sale, line, (&id, &user), ticket, now_ms).await;
    told(line, renewed, clock::instant())
}

/// The same without waiting for anything, and without a share in the sale: what a crowd that waits asks all the time. `None` where the sale is not the one that
/// nearly all ask for, or the ticket's number has to be restored.
pub(crate) fn current_at_once(
    app: &App,
    sale: &str,
    request: &Request<Incoming>,
    now: Instant,
) -> Option<Result<Answer, Refusal>> {
    let now_ms = clock::ms_at(now);
    let asked = app.registry.with_hot(sale, |sale, id| {
        let user = auth::user_at(app, request, now_ms)?;
        let ticket = presented(app, request, id, &user, now_ms)?;
        let line = sale.line().ok_or(Refusal::NoLine)?;
        if line.is_outdated(&ticket) {
            return Ok(None);
        }
        let signed = signed_anew(app, (id, &user), ticket, now_ms);
        told(line, signed, now).map(Some)
    });
    asked?.transpose()
}

/// The ticket that is polled with.
fn presented(
    app: &App,
    request: &Request<Incoming>,
    sale: &SaleId,
    user: &UserId,
    now_ms: u64,
) -> Result<Ticket, Refusal> {
    let text = request::ticket(request)?
        .ok_or_else(|| Refusal::invalid("send the Queue-Ticket that joining gave"))?;
    checked(app, text, sale, user, now_ms)
}

fn told(
    line: &Line,
    (ticket, anew): (Ticket, Option<String>),
    now: Instant,
) -> Result<Answer, Refusal> {
    let outlook = line.ask(ticket.number, Asking::Polls, now);
    let outlook = outlook.map_err(too_early)?;
    let body = body(ticket.number, outlook);
    Ok(reply::ok(&body.with(anew)))
}

/// The place that a reservation's ticket shows; nothing where there is no ticket, or no place yet: what is a repeat needs none.
///
/// # Errors
/// [`Refusal::Forbidden`] and [`Refusal::NotAdmitted`] for a ticket that is not the user's, or has expired.
pub(super) async fn shown(
    app: &App,
    sale: &Arc<LiveSale>,
    line: &Line,
    user: &UserId,
    ticket: Option<String>,
) -> Result<Option<Shown>, Refusal> {
    let (Some(text), LiveId::Sale(id)) = (ticket, &sale.live) else {
        return Ok(None);
    };
    let now_ms = clock::now_ms();
    let ticket = checked(app, &text, id, user, now_ms)?;
    let (ticket, _) = renewed(app, sale, line, (id, user), ticket, now_ms).await;
    Ok(line.shown(ticket.number))
}

/// The ticket that is shown with a join; one that has expired is as good as none.
fn kept(
    app: &App,
    shown: Option<&str>,
    sale: &SaleId,
    user: &UserId,
) -> Result<Option<Ticket>, Refusal> {
    let checked = shown.map(|text| app.tickets.check(text, sale, user, clock::now_ms()));
    match checked {
        Some(Err(TicketRefused::Expired)) | None => Ok(None),
        Some(Err(why)) => Err(refused(why)),
        Some(Ok(ticket)) => Ok(Some(ticket)),
    }
}

const FOREIGN_INVITE: Refusal = Refusal::Forbidden {
    detail: "this Queue-Invite is not ours, or is to another sale",
};

const USED_INVITE: Refusal = Refusal::Forbidden {
    detail: "another user has come with this Queue-Invite",
};

pub(super) fn checked(
    app: &App,
    text: &str,
    sale: &SaleId,
    user: &UserId,
    now_ms: u64,
) -> Result<Ticket, Refusal> {
    app.tickets.check(text, sale, user, now_ms).map_err(refused)
}

/// All but one that has expired read alike to the client; the reason is for the log.
pub(super) fn refused(why: TicketRefused) -> Refusal {
    tracing::debug!(reason = %why, "ticket refused");
    match why {
        TicketRefused::Expired => Refusal::NotAdmitted,
        TicketRefused::Forged | TicketRefused::OtherSale | TicketRefused::OtherUser => {
            Refusal::Forbidden {
                detail: "this Queue-Ticket is not ours, or is for another sale or user",
            }
        }
    }
}

/// A number, and when and in which generation Redis said it.
struct Given {
    number: Place,
    is_new: bool,
    epoch: u32,
    now_ms: u64,
}

impl Given {
    fn ticket(&self) -> Ticket {
        Ticket {
            number: self.number,
            epoch: self.epoch,
            issued_ms: self.now_ms,
        }
    }
}

async fn give(sale: &LiveSale, line: &Line, join: &Join) -> Result<Given, Refusal> {
    let answered = sale.join(line, join.clone()).await?;
    let (number, is_new) = match answered.outcome {
        Joined::Joined(number) => (number, true),
        Joined::Already(number) => (number, false),
        Joined::Uninvited => return Err(USED_INVITE),
        Joined::NotYet => return Err(Refusal::Recovering),
        Joined::Closed => return Err(Refusal::Closed),
        Joined::Full => return Err(Refusal::Overloaded),
    };
    Ok(Given {
        number,
        is_new,
        epoch: answered.epoch,
        now_ms: answered.now_ms,
    })
}

/// The ticket as it counts now, and its text where that has changed: one from before a loss has its number restored, if that can be done
/// now, and one that is half as old as it may get is signed anew.
pub(super) async fn renewed(
    app: &App,
    sale: &Arc<LiveSale>,
    line: &Line,
    (id, user): (&SaleId, &UserId),
    ticket: Ticket,
    now_ms: u64,
) -> (Ticket, Option<String>) {
    if line.is_outdated(&ticket) {
        let back = Join {
            user: user.clone(),
            invite: None,
            instead: Instead::Back(ticket.number),
        };
        // Where it cannot be restored yet its user waits on, and asks again. Boxed: no poll carries the room for it.
        if let Ok(given) = Box::pin(give(sale, line, &back)).await {
            let ticket = given.ticket();
            return (ticket, Some(app.tickets.sign(id, user, &ticket)));
        }
        return (ticket, None);
    }
    signed_anew(app, (id, user), ticket, now_ms)
}

/// The ticket, and its text where it is half as old as it may get.
fn signed_anew(
    app: &App,
    (id, user): (&SaleId, &UserId),
    ticket: Ticket,
    now_ms: u64,
) -> (Ticket, Option<String>) {
    let half_ms = TICKET_LIFE.as_millis() as u64 / 2;
    if now_ms < ticket.issued_ms.saturating_add(half_ms) {
        return (ticket, None);
    }
    let ticket = Ticket {
        issued_ms: now_ms,
        ..ticket
    };
    (ticket, Some(app.tickets.sign(id, user, &ticket)))
}

pub(super) fn too_early(early: TooEarly) -> Refusal {
    metrics::counter!(crate::metrics::EARLY_POLLS).increment(1);
    Refusal::TooEarly { wait: early.0 }
}

pub(super) fn body(number: Place, outlook: Outlook) -> TicketBody {
    TicketBody {
        ticket: None,
        lane: number.lane.as_str(),
        number: number.number,
        place: outlook.place.map(|place| place.number),
        state: outlook.phase.as_str(),
        position: outlook.position,
        eta_seconds: outlook.eta.map(|(low, high)| Eta { low, high }),
        odds: outlook.odds,
        estimate: outlook.estimate,
        units_may_come_back: outlook.units_may_come_back,
        poll_after_ms: outlook.poll_after_ms,
        admitted_until: match outlook.phase {
            Phase::Admitted { until_ms } => Some(clock::rfc3339(until_ms)),
            _ => None,
        },
        draw_entry: None,
    }
}
