//! What the front knows of one live sale (or coupon): its view, the combiner in front of its scripts, its sold-out shield.

pub mod combiner;
pub mod registry;
pub mod shield;
pub mod tally;
pub mod view;

mod decide;
mod flushed;
mod full;
mod patience;

use std::sync::Arc;

use doorbuster_core::ack::AckLevel;
use doorbuster_core::draw::DrawKeys;
use doorbuster_core::gate::claim::{ClaimCoupon, Claimed};
use doorbuster_core::gate::join::{Join, Joined};
use doorbuster_core::gate::reserve::{InLine, Reserve, Reserved, Shown};
use doorbuster_core::gate::snapshot::Snapshot;
use doorbuster_core::gate::{Fenced, Gate};
use doorbuster_core::ids::LiveId;
use doorbuster_core::line::LineConfig;

use crate::books::Books;
use crate::front::problem::Refusal;
use crate::line::{Line, Lines, Setting};
use crate::pressure::Pressure;
use crate::threads::Threads;
use combiner::{Answered, Combiner};
use decide::{Claims, Reservations, ReservationsInLine};
use flushed::FlushedSeq;
use full::Full;
use registry::Absent;
use shield::Shield;
use tally::Tally;
use view::{View, Views};

/// One sale at hand.
#[derive(Debug)]
pub struct LiveSale {
    pub live: LiveId,
    pub shield: Arc<Shield>,
    /// How many were told what.
    pub tally: Tally,
    full: Arc<Full>,
    views: Arc<Views>,
    absent: Absent,
    decides: Decides,
    /// Where buyers are told only what the books have.
    flushed: Option<Arc<FlushedSeq>>,
}

#[derive(Debug)]
enum Decides {
    Reservations(Arc<Combiner<Reservations>>),
    InLine(Arc<Line>, Arc<Combiner<ReservationsInLine>>),
    Claims(Arc<Combiner<Claims>>),
}

/// What all sales of an engine have in common.
#[derive(Debug)]
pub(crate) struct Around {
    pub(crate) gate: Gate,
    /// Names this process.
    pub(crate) engine: String,
    pub(crate) pressure: Arc<Pressure>,
    pub(crate) threads: Arc<Threads>,
    pub(crate) level: AckLevel,
    pub(crate) draws: DrawKeys,
    pub(crate) books: Books,
    pub(crate) lines: Lines,
}

impl LiveSale {
    fn new(
        around: &Around,
        live: LiveId,
        first: Snapshot,
        absent: Absent,
    ) -> Result<Self, Refusal> {
        let Around {
            gate,
            pressure,
            threads,
            ..
        } = around;
        let config = line_config(&live, &first)?;
        let views = Arc::new(Views::new(gate.clone(), live.clone(), first));
        let shield = Arc::new(Shield::new(gate.clone(), live.clone()));
        let full = Arc::new(Full::default());
        let calls = decide::Calls {
            gate: gate.clone(),
            live: live.clone(),
            views: Arc::clone(&views),
            shield: Arc::clone(&shield),
            full: Arc::clone(&full),
            pressure: Arc::clone(pressure),
        };
        let decides = match (&live, config) {
            (LiveId::Sale(_), Some(config)) => {
                let setting = Setting {
                    gate,
                    live: &live,
                    engine: &around.engine,
                    views: &views,
                    pressure,
                    threads,
                    draws: &around.draws,
                    books: &around.books,
                };
                let line = around.lines.of(&setting, config)?;
                let calls = ReservationsInLine(calls);
                Decides::InLine(
                    line,
                    Arc::new(Combiner::new(&live, calls, Arc::clone(threads))),
                )
            }
            (LiveId::Sale(_), None) => Decides::Reservations(Arc::new(Combiner::new(
                &live,
                Reservations(calls),
                Arc::clone(threads),
            ))),
            (LiveId::Coupon(coupon), _) => Decides::Claims(Arc::new(Combiner::new(
                &live,
                Claims(calls, coupon.clone()),
                Arc::clone(threads),
            ))),
        };
        let flushed = (around.level == AckLevel::Mysql)
            .then(|| Arc::new(FlushedSeq::new(gate.clone(), live.clone())));
        Ok(Self {
            live,
            shield,
            tally: Tally::default(),
            full,
            views,
            absent,
            decides,
            flushed,
        })
    }

    /// Its line, if it has one.
    pub(crate) fn line(&self) -> Option<&Arc<Line>> {
        match &self.decides {
            Decides::InLine(line, _) => Some(line),
            Decides::Reservations(_) | Decides::Claims(_) => None,
        }
    }

    /// # Errors
    /// Why no number was given, or is not known to be.
    pub(crate) async fn join(&self, line: &Line, join: Join) -> Result<Answered<Joined>, Refusal> {
        self.explained(line.join(join).await).await
    }

    /// The generation that this engine believes the sale is in.
    pub fn epoch(&self) -> u32 {
        self.views.epoch()
    }

    /// Whether too much of it waits for MySQL for this request to be taken; one now and then is let through to find out.
    pub fn sheds_backlog(&self) -> bool {
        self.full.sheds()
    }

    /// The sale as it was at most a quarter of a second ago.
    ///
    /// # Errors
    /// Why it cannot be told.
    pub async fn view(&self) -> Result<Arc<View>, Refusal> {
        match self.views.current().await? {
            Ok(view) => Ok(view),
            Err(fenced) => Err(Box::pin(self.fenced(fenced)).await),
        }
    }

    /// `shown`: the place that the buyer's ticket shows, where the sale has a line.
    ///
    /// # Errors
    /// Why it was not decided, or is not known to be.
    pub async fn reserve(
        &self,
        request: Arc<Reserve>,
        shown: Option<Shown>,
    ) -> Result<Answered<Reserved>, Refusal> {
        match &self.decides {
            Decides::Reservations(combiner) => self.explained(combiner.submit(request).await).await,
            Decides::InLine(_, combiner) => {
                let reserve = Arc::unwrap_or_clone(request);
                let request = Arc::new(InLine { reserve, shown });
                self.explained(combiner.submit(request).await).await
            }
            Decides::Claims(_) => Err(Refusal::UnknownSale),
        }
    }

    /// # Errors
    /// Why it was not decided, or is not known to be.
    pub async fn claim(&self, request: Arc<ClaimCoupon>) -> Result<Answered<Claimed>, Refusal> {
        match &self.decides {
            Decides::Claims(combiner) => self.explained(combiner.submit(request).await).await,
            Decides::Reservations(_) | Decides::InLine(..) => Err(Refusal::UnknownCoupon),
        }
    }

    /// Waits until what was decided with event `seq` of generation `epoch` is where the ack level promises it to be, as far as
    /// that is still to be waited for: Redis has it, and its replicas were asked with the decision.
    ///
    /// # Errors
    /// That it is not confirmed in time. Nothing is undone, and the same request resolves it.
    pub async fn confirmed(&self, epoch: u32, seq: u64) -> Result<(), Refusal> {
        match &self.flushed {
            None => Ok(()),
            // Boxed: at other levels no request carries the room for it.
            Some(flushed) => Box::pin(flushed.reach(epoch, seq)).await,
        }
    }

    /// Whether what is decided now can be expected to be confirmed: not while the books lack what buyers waited for.
    pub fn is_confirmable(&self) -> bool {
        self.flushed
            .as_ref()
            .is_none_or(|flushed| !flushed.is_behind())
    }

    /// A notice of how far the books are.
    pub(crate) fn flushed(&self, epoch: u32, seq: u64) {
        if let Some(flushed) = &self.flushed {
            flushed.note(epoch, seq);
        }
    }

    /// The refusal that `fenced` is for a buyer: a sale that Redis does not know may be one that it has lost.
    pub async fn fenced(&self, fenced: Fenced) -> Refusal {
        match fenced {
            Fenced::UnknownSale => self.absent.refusal(&self.live).await,
            Fenced::Recovering(why) => {
                tracing::debug!(sale = %self.live, why, "recovering");
                if why == "clock" {
                    crate::metrics::clock_alarm(&self.live);
                }
                if why == "epoch" {
                    self.views.renew().await;
                }
                Refusal::Recovering
            }
            other => other.into(),
        }
    }

    async fn explained<O>(
        &self,
        answered: Result<Answered<O>, combiner::Undecided>,
    ) -> Result<Answered<O>, Refusal> {
        match answered {
            Ok(answered) => Ok(answered),
            Err(combiner::Undecided::Fenced(fenced)) => Err(Box::pin(self.fenced(fenced)).await),
            Err(combiner::Undecided::Refused(refusal)) => Err(refusal),
        }
    }
}

/// The line that the sale's config speaks of. One that cannot be read lets nobody in: without it the sale would be open to all.
fn line_config(live: &LiveId, first: &Snapshot) -> Result<Option<LineConfig>, Refusal> {
    let config = serde_json::from_str(&first.config).unwrap_or_default();
    LineConfig::of_sale(&config).map_err(|e| {
        tracing::error!(sale = %live, error = %e, "a sale's line cannot be read");
        Refusal::Unavailable {
            detail: "this sale's line was set up by another version of the program",
        }
    })
}
