//! What the sandbox knows: charges by key, refunds by key. Decisions are made under one lock, in the order in which they reach the disk; nobody
//! is told of one before it is there, and neither is whoever asks for it again.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Result, bail};
use doorbuster_core::clock;
use uuid::Uuid;

use super::decision::{decided, fingerprint, view};
use super::fate::Fate;
use super::journal::{Journal, Line, Undecided};
use super::wire::{ChargeRequest, ChargeView, RefundRequest, RefundView, Status};

pub(crate) struct Till {
    journal: Journal,
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// In the order in which their keys were first heard.
    charges: Vec<Charge>,
    by_key: HashMap<Uuid, usize>,
    /// To the charge, and the refund in it.
    refunds: HashMap<Uuid, (usize, usize)>,
    /// Charges that are to be decided.
    undecided: Vec<usize>,
}

struct Charge {
    view: ChargeView,
    request: Option<String>,
    undecided: Option<Undecided>,
}

/// What became of a request for a charge.
pub(crate) enum Charged {
    /// Decided just now.
    New(ChargeView),
    /// The key was heard before, with the same request.
    Again(ChargeView),
    /// With another one.
    Mismatch,
    /// Voided: never again.
    Voided,
}

pub(crate) enum Refunded {
    Done(Box<Done>),
    Mismatch,
    UnknownCharge,
    NotCaptured,
    /// More than what was captured and has not gone back yet, or of another currency.
    TooMuch,
}

pub(crate) struct Done {
    pub(crate) refund: RefundView,
    pub(crate) of: ChargeView,
    pub(crate) is_new: bool,
}

/// How many of what.
#[derive(Debug, Default, serde::Serialize)]
pub(crate) struct Counts {
    pub(crate) charges: usize,
    pub(crate) captured: usize,
    pub(crate) declined: usize,
    pub(crate) pending: usize,
    pub(crate) voided: usize,
    pub(crate) refunds: usize,
}

impl Till {
    pub(crate) fn open(dir: &Path) -> Result<Self> {
        let (journal, lines) = Journal::open(dir)?;
        let mut books = Books::default();
        for line in lines {
            books.apply(line)?;
        }
        Ok(Self {
            journal,
            books: Mutex::new(books),
        })
    }

    /// Nothing is ever awaited under it.
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) async fn charge(&self, key: Uuid, request: &ChargeRequest, fate: Fate) -> Charged {
        let place = self.journal.place().await;
        let fingerprint = fingerprint(request);
        let (charged, written) = {
            let mut books = self.books();
            match books.charge(key) {
                Some(charge) => {
                    let charged = charge.repeated(&fingerprint);
                    (charged, place.wait())
                }
                None => {
                    let line = decided(key, request, fingerprint, fate);
                    let view = books.add(&line);
                    (Charged::New(view), place.write(&line))
                }
            }
        };
        written.done().await;
        charged
    }

    pub(crate) async fn find(&self, key: Uuid) -> Option<ChargeView> {
        let place = self.journal.place().await;
        let (found, written) = {
            let books = self.books();
            let found = books.charge(key).map(|charge| charge.view.clone());
            (found, place.wait())
        };
        written.done().await;
        found
    }

    /// The charge as it is then: voided, unless it was captured or declined before. Whether that is news.
    pub(crate) async fn void(&self, key: Uuid) -> (ChargeView, bool) {
        let place = self.journal.place().await;
        let (voided, is_new, written) = {
            let mut books = self.books();
            let known = books.charge(key);
            match known.filter(|charge| charge.view.status != Status::Pending) {
                Some(charge) => (charge.view.clone(), false, place.wait()),
                None => {
                    let line = Line::Charge {
                        charge: view(
                            key,
                            known.map_or("", |charge| &charge.view.order),
                            Status::Voided,
                        ),
                        request: known.and_then(|charge| charge.request.clone()),
                        undecided: known
                            .and_then(|charge| charge.undecided)
                            .filter(|undecided| undecided.is_stray),
                    };
                    (books.add(&line), true, place.write(&line))
                }
            }
        };
        written.done().await;
        (voided, is_new)
    }

    pub(crate) async fn refund(&self, key: Uuid, request: &RefundRequest) -> Refunded {
        let place = self.journal.place().await;
        let (refunded, written) = {
            let mut books = self.books();
            match books.judge_refund(key, request) {
                Ok(at) => {
                    let line = Line::Refund {
                        of: books.charges[at].view.key,
                        refund: RefundView {
                            id: format!("re_{}", key.simple()),
                            key,
                            charge: request.charge.clone(),
                            amount: request.amount,
                            at: clock::now(),
                        },
                    };
                    let of = books.add(&line);
                    let refund = of.refunds[of.refunds.len() - 1].clone();
                    let done = Refunded::Done(Box::new(Done {
                        refund,
                        of,
                        is_new: true,
                    }));
                    (done, place.write(&line))
                }
                Err(refused) => (refused, place.wait()),
            }
        };
        written.done().await;
        refunded
    }

    /// At most `rows` from the place `after` on, and whether there are more.
    pub(crate) fn page(&self, after: usize, rows: usize) -> (Vec<ChargeView>, bool) {
        let books = self.books();
        let from = after.min(books.charges.len());
        let until = from.saturating_add(rows).min(books.charges.len());
        let charges = books.charges[from..until].iter();
        (
            charges.map(|charge| charge.view.clone()).collect(),
            until < books.charges.len(),
        )
    }

    /// Decides what is due; the charges that were.
    pub(crate) async fn decide(&self, now_ms: u64) -> Vec<ChargeView> {
        let mut news = Vec::new();
        loop {
            let place = self.journal.place().await;
            let (view, written) = {
                let mut books = self.books();
                let Some(line) = books.due(now_ms) else { break };
                (books.add(&line), place.write(&line))
            };
            written.done().await;
            news.push(view);
        }
        news
    }

    pub(crate) fn counts(&self) -> Counts {
        let books = self.books();
        let of = |status| {
            books
                .charges
                .iter()
                .filter(|charge| charge.view.status == status)
                .count()
        };
        Counts {
            charges: books.charges.len(),
            captured: of(Status::Captured),
            declined: of(Status::Declined),
            pending: of(Status::Pending),
            voided: of(Status::Voided),
            refunds: books.refunds.len(),
        }
    }
}

impl Charge {
    fn repeated(&self, fingerprint: &str) -> Charged {
        if self.view.status == Status::Voided {
            Charged::Voided
        } else if self.request.as_deref() == Some(fingerprint) {
            Charged::Again(self.view.clone())
        } else {
            Charged::Mismatch
        }
    }
}

impl Books {
    fn charge(&self, key: Uuid) -> Option<&Charge> {
        self.by_key.get(&key).map(|at| &self.charges[*at])
    }

    /// One that is due to be decided, as it will be.
    fn due(&mut self, now_ms: u64) -> Option<Line> {
        let charges = &self.charges;
        self.undecided.retain(|at| charges[*at].undecided.is_some());
        let at = self.undecided.iter().copied().find(|at| {
            charges[*at]
                .undecided
                .is_some_and(|undecided| undecided.due_ms <= now_ms)
        })?;
        let (charge, undecided) = (&self.charges[at], self.charges[at].undecided?);
        let mut decided = view(charge.view.key, &charge.view.order, Status::Captured);
        if undecided.declined {
            decided.status = Status::Declined;
            decided.reason = Some("declined".to_owned());
        } else {
            decided.captured = Some(undecided.amount);
        }
        Some(Line::Charge {
            charge: decided,
            request: charge.request.clone(),
            undecided: None,
        })
    }

    /// The charge to be refunded, or why it is not.
    fn judge_refund(&self, key: Uuid, request: &RefundRequest) -> Result<usize, Refunded> {
        if let Some((at, place)) = self.refunds.get(&key) {
            let of = &self.charges[*at].view;
            let refund = &of.refunds[*place];
            if refund.charge != request.charge || refund.amount != request.amount {
                return Err(Refunded::Mismatch);
            }
            return Err(Refunded::Done(Box::new(Done {
                refund: refund.clone(),
                of: of.clone(),
                is_new: false,
            })));
        }
        let id = request.charge.strip_prefix("ch_");
        let key = id.and_then(|id| Uuid::try_parse(id).ok());
        let at = key.and_then(|key| self.by_key.get(&key).copied());
        let at = at.ok_or(Refunded::UnknownCharge)?;
        let charge = &self.charges[at].view;
        let captured = charge.captured.ok_or(Refunded::NotCaptured)?;
        let gone: i64 = charge
            .refunds
            .iter()
            .map(|refund| refund.amount.amount)
            .sum();
        let fits = request.amount.currency == captured.currency
            && (1..=captured.amount - gone).contains(&request.amount.amount);
        if fits { Ok(at) } else { Err(Refunded::TooMuch) }
    }

    /// A line that was just decided, which fits.
    fn add(&mut self, line: &Line) -> ChargeView {
        let key = match line {
            Line::Charge { charge, .. } => charge.key,
            Line::Refund { of, .. } => *of,
        };
        self.apply(line.clone())
            .expect("it was decided by these books");
        self.charges[self.by_key[&key]].view.clone()
    }

    fn apply(&mut self, line: Line) -> Result<()> {
        match line {
            Line::Charge {
                charge,
                request,
                undecided,
            } => {
                let key = charge.key;
                let next = Charge {
                    view: charge,
                    request,
                    undecided,
                };
                let at = match self.by_key.get(&key) {
                    Some(at) => {
                        self.charges[*at] = next;
                        *at
                    }
                    None => {
                        self.charges.push(next);
                        self.by_key.insert(key, self.charges.len() - 1);
                        self.charges.len() - 1
                    }
                };
                if undecided.is_some() {
                    self.undecided.push(at);
                }
            }
            Line::Refund { of, refund } => {
                let Some(at) = self.by_key.get(&of).copied() else {
                    bail!("a refund of a charge that is not there");
                };
                let refunds = &mut self.charges[at].view.refunds;
                self.refunds.insert(refund.key, (at, refunds.len()));
                refunds.push(refund);
            }
        }
        Ok(())
    }
}
