//! A reservation that is asked for, on its way to a decision: what the head says of it, then its body, then what memory knows.
//!
//! Nothing here waits. Those who come too late, nearly all in a hot sale, are told so without a future of their own
//! ([`super::answering`]); the rest goes on in [`super::reservations`].

use std::sync::Arc;
use std::time::Instant;

use doorbuster_core::clock;
use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::ids::{LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::record::Line;
use hyper::Request;
use hyper::body::{Bytes, Incoming};

use super::problem::Refusal;
use super::wanted::{self, Wanted};
use super::{auth, request};
use crate::app::App;
use crate::sale::LiveSale;

/// A reservation that is asked for, as far as the head says it.
pub(super) struct Wish {
    id: ReservationId,
    user: UserId,
    live: LiveId,
    receipt: Option<String>,
    ticket: Option<String>,
}

/// One whose body has been read.
pub(super) struct Wished {
    pub(super) reserve: Reserve,
    pub(super) live: LiveId,
    pub(super) receipt: Option<String>,
    pub(super) ticket: Option<String>,
    /// The sale, if it is at hand: checked, and not known to be sold out.
    pub(super) sale: Option<Arc<LiveSale>>,
}

/// How far a wish comes without waiting for anything.
pub(super) enum Soon {
    /// To its end: those who come too late, nearly all.
    Told(Refusal),
    Wished(Wished),
    Refused(Early),
}

/// A refusal before the sale was at hand, which is to count it.
pub(super) struct Early {
    live: Option<LiveId>,
    refusal: Refusal,
}

impl Early {
    pub(super) fn of(live: LiveId, refusal: Refusal) -> Self {
        let live = Some(live);
        Self { live, refusal }
    }

    pub(super) async fn counted(self, app: &App) -> Refusal {
        if let Some(live) = &self.live {
            app.registry.refused(live, &self.refusal).await;
        }
        self.refusal
    }
}

impl Wish {
    /// # Errors
    /// Every refusal of the contract's table that the head is enough for.
    pub(super) fn read(
        app: &App,
        sale: &str,
        request: &Request<Incoming>,
        now: Instant,
    ) -> Result<Self, Early> {
        let user = auth::counted_user(app, request, clock::ms_at(now));
        let live = match SaleId::parse(sale) {
            Ok(id) => LiveId::Sale(id),
            Err(e) => {
                // Who asks is told first what is wrong with that.
                let (live, refusal) = (None, user.err().unwrap_or_else(|| e.into()));
                return Err(Early { live, refusal });
            }
        };
        let read = |live: &LiveId| {
            let user = user?;
            app.limiter.check_sale(live)?;
            let key = request::idempotency_key(request)?;
            let receipt = request::receipt(request)?.map(str::to_owned);
            let ticket = request::ticket(request)?.map(str::to_owned);
            request::check_media_type(request)?;
            Ok((user, key, receipt, ticket))
        };
        match read(&live) {
            Err(refusal) => Err(Early::of(live, refusal)),
            Ok((user, key, receipt, ticket)) => Ok(Self {
                id: ReservationId::derive(&live, &user, &key),
                user,
                live,
                receipt,
                ticket,
            }),
        }
    }

    /// With what the body says.
    fn with(self, wanted: &Wanted) -> Wished {
        Wished {
            reserve: Reserve {
                id: self.id,
                user: self.user,
                body: wanted.body,
                lines: wanted.lines.clone(),
            },
            live: self.live,
            receipt: self.receipt,
            ticket: self.ticket,
            sale: None,
        }
    }

    /// With its body: memory's answer, where it has one. Asks only the sale that nearly all ask for.
    pub(super) fn at_once(self, app: &App, body: Result<Bytes, Refusal>, now: Instant) -> Soon {
        let wanted = match body.and_then(|body| wanted::read(&body)) {
            Ok(wanted) => wanted,
            Err(refusal) => return Soon::Refused(Early::of(self.live, refusal)),
        };
        let asked = app.registry.with_hot(self.live.name(), |sale, _| {
            let refusal = match check_ack(app).and_then(|()| check_books(sale)) {
                Err(refusal) => Some(refusal),
                Ok(()) if self.receipt.is_some() => None,
                Ok(()) => sold_out(sale, self.id, &wanted.lines, now),
            };
            match refusal {
                Some(refusal) => {
                    sale.tally.count(refusal.code());
                    Err(refusal)
                }
                None => Ok(Arc::clone(sale)),
            }
        });
        match asked.transpose() {
            Err(refusal) => Soon::Told(refusal),
            Ok(sale) => Soon::Wished(Wished {
                sale,
                ..self.with(&wanted)
            }),
        }
    }
}

/// Whether what Redis acknowledges now would be worth its ack level.
pub(super) fn check_ack(app: &App) -> Result<(), Refusal> {
    if app.ack.is_met() {
        return Ok(());
    }
    Err(Refusal::Unavailable {
        detail: "the asked ack level is not met; see /readyz",
    })
}

/// Whether MySQL is near enough for another reservation of `sale`.
pub(super) fn check_books(sale: &LiveSale) -> Result<(), Refusal> {
    if !sale.is_confirmable() {
        return Err(Refusal::Unavailable {
            detail: "the books are behind what buyers wait for; repeat the same request with the same key after Retry-After",
        });
    }
    if sale.sheds_backlog() {
        return Err(Refusal::Backlog);
    }
    Ok(())
}

/// The refusal, where memory knows that nothing is left.
pub(super) fn sold_out(
    sale: &LiveSale,
    id: ReservationId,
    lines: &[Line],
    now: Instant,
) -> Option<Refusal> {
    let skus = lines.iter().map(|line| &line.sku);
    let sku = sale.shield.refuses(id, skus, now)?;
    Some(Refusal::SoldOut { sku, left: 0 })
}
