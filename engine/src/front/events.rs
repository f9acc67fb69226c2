//! `GET …/tickets/current/events`: where a ticket's user stands, told as it changes (server-sent events, WHATWG HTML §9.2).
//!
//! An event's id says what it tells, so one who comes back with `Last-Event-ID`, to any engine, is told only what is news. A change of state
//! is told within a second, all else as often as a poll would. Silence is broken by a comment. A ticket has one stream on an engine: a
//! new one ends the one before. Streams are bounded in number, and a client that does not read ends its own.

use std::fmt::Write as _;
use std::sync::Arc;

use bytes::Bytes;
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, SaleId, UserId};
use doorbuster_core::ticket::{Place, Ticket};
use hyper::Request;
use hyper::body::Incoming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Sender, channel};

use super::problem::Refusal;
use super::reply::{self, Answer};
use super::tickets;
use super::{auth, request};
use crate::app::App;
use crate::limits::{EVENT_HEARTBEAT, EVENT_LOOK_EVERY, EVENT_PIECES_MAX};
use crate::line::{Asking, Line, Outlook, Phase};

/// # Errors
/// As `tickets::current`, and [`Refusal::Overloaded`] where too many are listening.
pub(crate) async fn listen(
    app: &'static App,
    sale: &str,
    request: &Request<Incoming>,
) -> Result<Answer, Refusal> {
    let id = SaleId::parse(sale)?;
    let (user, ticket) = whose(app, &id, request)?;
    app.limiter.check_user(&user)?;
    let last = request.headers().get("last-event-id");
    let last = last
        .and_then(|id| id.to_str().ok())
        .unwrap_or("")
        .to_owned();
    let sale = app.registry.live(&LiveId::Sale(id.clone())).await?;
    let line = Arc::clone(sale.line().ok_or(Refusal::NoLine)?);
    let permit = Arc::clone(&app.streams).try_acquire_owned();
    let permit = permit.map_err(|_| Refusal::Overloaded)?;
    let now_ms = clock::now_ms();
    let renewing = tickets::renewed(app, &sale, &line, (&id, &user), ticket, now_ms);
    let (ticket, anew) = renewing.await;
    let (pieces, receiver) = channel(EVENT_PIECES_MAX);
    let stream = Stream {
        app,
        number: ticket.number,
        turn: line.listens(ticket.number),
        line,
        sale: id,
        user,
        ticket,
        anew,
        last,
        pieces,
        _permit: permit,
    };
    // Bounded by the permits; ends with its client, its ticket's next stream, or the engine.
    tokio::spawn(stream.tell());
    Ok(reply::events(receiver))
}

/// The bearer of the token and of the ticket; the ticket alone, in the address, where a client cannot send headers.
fn whose(
    app: &App,
    sale: &SaleId,
    request: &Request<Incoming>,
) -> Result<(UserId, Ticket), Refusal> {
    let shown = request::ticket(request)?;
    let query = request.uri().query().unwrap_or("");
    let asked = query
        .split('&')
        .find_map(|pair| pair.strip_prefix("ticket="));
    let text = shown.or(asked).ok_or_else(|| {
        Refusal::invalid("send the ticket that joining gave, as Queue-Ticket or as ?ticket=")
    })?;
    if request.headers().contains_key(hyper::header::AUTHORIZATION) || shown.is_some() {
        let user = auth::user(app, request)?;
        let ticket = tickets::checked(app, text, sale, &user, clock::now_ms())?;
        return Ok((user, ticket));
    }
    let whose = app.tickets.whose(text, sale, clock::now_ms());
    whose.map_err(tickets::refused)
}

struct Stream {
    app: &'static App,
    line: Arc<Line>,
    /// Which of the number's streams this is.
    number: Place,
    turn: u64,
    sale: SaleId,
    user: UserId,
    ticket: Ticket,
    anew: Option<String>,
    /// Id of the last event that was told.
    last: String,
    pieces: Sender<Bytes>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.line.left(self.number, self.turn);
    }
}

impl Stream {
    async fn tell(mut self) {
        let (mut told_ms, mut said_ms, mut phase) = (0, clock::now_ms(), None);
        let heartbeat_ms = EVENT_HEARTBEAT.as_millis() as u64;
        while !self.app.is_draining() && self.line.is_listening(self.number, self.turn) {
            if self.line.is_outdated(&self.ticket) {
                self.restore().await;
            }
            let (line, now) = (&self.line, clock::instant());
            let Ok(outlook) = line.ask(self.ticket.number, Asking::Listens, now) else {
                return;
            };
            let now_ms = clock::ms_at(now);
            let is_news = phase != Some(kind(outlook.phase)) || self.anew.is_some();
            let is_due = now_ms >= told_ms + outlook.poll_after_ms;
            let id = event_id(&outlook);
            let piece = if (is_news || is_due) && (id != self.last || self.anew.is_some()) {
                told_ms = now_ms;
                Some(self.event(&id, outlook))
            } else {
                (now_ms >= said_ms + heartbeat_ms).then(|| Bytes::from_static(b":\n\n"))
            };
            phase = Some(kind(outlook.phase));
            if let Some(piece) = piece {
                said_ms = now_ms;
                self.last = id;
                // A client that does not read has its pieces pile up, and is left.
                if self.pieces.try_send(piece).is_err() {
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(EVENT_LOOK_EVERY) => {}
                () = self.pieces.closed() => return,
            }
        }
    }

    /// Gets the number back that Redis has lost.
    async fn restore(&mut self) {
        let live = LiveId::Sale(self.sale.clone());
        if let Ok(sale) = self.app.registry.live(&live).await {
            let renewing = tickets::renewed(
                self.app,
                &sale,
                &self.line,
                (&self.sale, &self.user),
                self.ticket,
                clock::now_ms(),
            );
            let (ticket, anew) = renewing.await;
            self.ticket = ticket;
            self.anew = anew.or(self.anew.take());
        }
    }

    fn event(&mut self, id: &str, outlook: Outlook) -> Bytes {
        let body = tickets::body(self.ticket.number, outlook);
        let body = body.with(self.anew.take());
        let json = serde_json::to_string(&body).expect("a ticket is plain data");
        Bytes::from(format!("id: {id}\ndata: {json}\n\n"))
    }
}

fn kind(phase: Phase) -> &'static str {
    phase.as_str()
}

/// What an event tells, in short: two events with one id tell the same.
fn event_id(outlook: &Outlook) -> String {
    let mut id = outlook.phase.as_str().to_owned();
    let position = outlook.position.map_or(-1, i64::from);
    let (low, high) = outlook.eta.unwrap_or_default();
    let back = u8::from(outlook.units_may_come_back);
    // Only who waits is told of times.
    let estimate = match outlook.phase {
        Phase::Waiting => outlook.estimate,
        _ => 0,
    };
    write!(id, ".{position}.{low}.{high}.{estimate}.{back}").expect("a String takes all");
    id
}
