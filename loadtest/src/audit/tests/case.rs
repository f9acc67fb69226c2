//! A perfect run that a test can spoil. Used by the audit's own tests, and where a judged run is needed.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use doorbuster_core::gate::snapshot::Stock;
use doorbuster_core::ids::{BodyHash, ReservationId, SkuId, UserId};
use doorbuster_core::journal::Event;
use doorbuster_core::record::{Line, Reason, Record, Status};

use crate::audit::facts::{Books, Cursor, Holding, JournalRow, LiveState, Offered};
use crate::audit::{Numbers, Verdict, judge};
use crate::crowd::Behaviour;
use crate::history::{Answer, Ask, Client, Header, History, Seen, Told, Verb};
use crate::plan::{Offer, Scenario};
use crate::summary::{self, Outcome};

pub(super) const START_MS: u64 = 1_700_000_000_000;
pub(super) const DEADLINE_MS: u64 = START_MS + 300_000;

/// A run of one unit per request, perfect until a test changes it.
pub(crate) struct Case {
    pub(crate) history: History,
    pub(crate) live: LiveState,
    pub(crate) books: Books,
}

pub(super) fn sku() -> SkuId {
    Offer::sale("s").sku
}

pub(super) fn user(number: u64) -> UserId {
    UserId::parse(format!("u{number}")).unwrap()
}

pub(super) fn ask(verb: Verb, at_ms: u64, seen: Seen) -> Ask {
    Ask {
        verb,
        engine: 0,
        sent_us: at_ms * 1_000,
        done_us: at_ms * 1_000 + 500,
        seen,
    }
}

pub(super) fn refusal(code: &str) -> Seen {
    Seen::Answered(Box::new(Answer {
        status: 409,
        code: Some(code.into()),
        ..Answer::default()
    }))
}

pub(crate) fn client(number: u64, asks: Vec<Ask>) -> Client {
    Client {
        user: user(number),
        key: format!("k{number}"),
        behaviour: Behaviour::Plain,
        due_us: 0,
        asks,
        purchase: None,
    }
}

impl Case {
    /// Stock of `stock`, taken one per second by as many users; one more comes and is refused.
    pub(crate) fn sold(stock: u64) -> Self {
        let offered = Offered {
            stock,
            limit_per_user: 1,
        };
        let header = Header {
            format: Header::format(),
            scenario: Scenario::Rush,
            book_id: "s".into(),
            lines: vec![Line {
                sku: sku(),
                quantity: 1,
            }],
            stock: u32::try_from(stock).unwrap(),
            per_user: 1,
            users: u32::try_from(stock).unwrap() + 1,
            hold_seconds: 300,
            engines: 1,
            connections: 1,
            ack_level: "fsync".into(),
            seed: 1,
            arrival_seconds: 0.0,
            start_ms: START_MS,
        };
        let opened = vec![Line {
            sku: sku(),
            quantity: u32::try_from(stock).unwrap(),
        }];
        let counters = Stock {
            stocked: stock,
            left: stock,
            held: 0,
            sold: 0,
            limit_per_user: 1,
            restocked_seq: 0,
        };
        let mut case = Self {
            history: History {
                header,
                clients: Vec::new(),
            },
            live: LiveState {
                epoch: 1,
                seq: 0,
                flushed_seq: 0,
                stock: BTreeMap::from([(sku(), counters)]),
                holdings: HashMap::new(),
                counted: BTreeMap::new(),
                unreadable: Vec::new(),
            },
            books: Books {
                offered: BTreeMap::from([(sku(), offered)]),
                cursor: None,
                journal: Vec::new(),
                holdings: HashMap::new(),
                dead_letters: 0,
                unreadable: Vec::new(),
            },
        };
        case.event(START_MS - 60_000, Event::Opened(opened));
        (1..=stock).for_each(|number| case.hold(number));
        let refused_at_ms = stock * 1_000 + 5_000;
        case.history.clients.push(client(
            stock + 1,
            vec![ask(Verb::Take, refused_at_ms, refusal("sold_out"))],
        ));
        case
    }

    pub(crate) fn outcome(&self) -> Outcome {
        let (verdict, ledger) = judge(&self.history, &self.live, &self.books).unwrap();
        summary::sum_up(&self.history, verdict, &ledger, Duration::from_millis(20))
    }

    pub(super) fn numbers(&self) -> Numbers {
        self.verdict().numbers
    }

    pub(super) fn verdict(&self) -> Verdict {
        judge(&self.history, &self.live, &self.books).unwrap().0
    }

    pub(super) fn id(number: u64) -> ReservationId {
        let live = Offer::sale("s").live;
        ReservationId::derive(&live, &user(number), &client(number, vec![]).key().unwrap())
    }

    /// The books and Redis take in one event.
    pub(super) fn event(&mut self, at_ms: u64, event: Event) {
        let seq = self.live.seq + 1;
        (self.live.seq, self.live.flushed_seq) = (seq, seq);
        self.books.cursor = Some(Cursor { epoch: 1, seq });
        self.books.journal.push(JournalRow {
            epoch: 1,
            seq,
            kind: event.kind().into(),
            at_ms,
            event: Ok(event),
        });
    }

    pub(super) fn record(&mut self, number: u64, at_ms: u64, record: Record) {
        self.event(
            at_ms,
            Event::Reservation {
                id: Self::id(number),
                record: record.clone(),
            },
        );
        self.live
            .holdings
            .insert(Self::id(number), record.clone().into());
        self.books.holdings.insert(Self::id(number), record.into());
    }

    /// User `number` takes one unit at second `number`, without its client's knowing.
    pub(super) fn hold_silently(&mut self, number: u64) {
        let record = Record {
            status: Status::Held,
            seq: self.live.seq + 1,
            deadline_ms: DEADLINE_MS,
            user: user(number),
            lines: vec![Line {
                sku: sku(),
                quantity: 1,
            }],
            body: BodyHash::of(b"one"),
        };
        self.record(number, START_MS + number * 1_000, record);
        self.live
            .counted
            .insert(format!("{}/{}", user(number), sku()), 1);
        let stock = self.stock();
        (stock.left, stock.held) = (stock.left.saturating_sub(1), stock.held + 1);
    }

    pub(super) fn hold(&mut self, number: u64) {
        self.hold_silently(number);
        let asks = vec![ask(
            Verb::Take,
            number * 1_000,
            Seen::Answered(Box::new(self.acceptance(number))),
        )];
        self.history.clients.push(client(number, asks));
    }

    pub(super) fn release(&mut self, number: u64, at_ms: u64, reason: Reason) {
        let Holding {
            seq,
            at_ms: deadline_ms,
            user,
            lines,
            body,
            ..
        } = self.live.holdings[&Self::id(number)].clone();
        let status = Status::Released(reason);
        self.record(
            number,
            at_ms,
            Record {
                status,
                seq,
                deadline_ms,
                user,
                lines,
                body: body.unwrap(),
            },
        );
        self.live.counted.clear();
        let stock = self.stock();
        (stock.left, stock.held) = (stock.left + 1, stock.held - 1);
    }

    pub(super) fn acceptance(&self, number: u64) -> Answer {
        let holding = &self.live.holdings[&Self::id(number)];
        let told = Told {
            id: Self::id(number),
            seq: holding.seq,
            user: user(number),
            of: "s".into(),
            lines: holding.lines.clone(),
            status: "held".into(),
            reason: None,
            deadline_ms: Some(holding.at_ms),
            receipt: None,
        };
        Answer {
            status: 201,
            told: Some(told),
            ..Answer::default()
        }
    }

    pub(super) fn stock(&mut self) -> &mut Stock {
        self.live.stock.get_mut(&sku()).unwrap()
    }

    pub(super) fn last_answer(&mut self, number: usize) -> &mut Answer {
        match &mut self.history.clients[number - 1]
            .asks
            .last_mut()
            .unwrap()
            .seen
        {
            Seen::Answered(answer) => answer,
            other => panic!("{other:?}"),
        }
    }
}
