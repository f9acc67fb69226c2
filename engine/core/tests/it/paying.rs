//! What the tests of the scripts of a payment begin with, and what each such script is expected to leave behind.

use doorbuster_core::gate::begin_payment::BegunPayment;
use doorbuster_core::gate::release::Released;
use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::gate::settle::Settled;
use doorbuster_core::ids::ReservationId;
use doorbuster_core::record::Record;

use crate::harness::{EPOCH, Scene, sku};
use crate::state::{State, id_text, text};

pub(crate) async fn begin(scene: &Scene, ask: &Reserve) -> BegunPayment {
    let (gate, live) = (&scene.gate, &scene.live);
    gate.begin_payment(live, EPOCH, ask.id, &ask.user)
        .await
        .unwrap()
}

pub(crate) async fn settle(scene: &Scene, ask: &Reserve, reacquire: bool) -> Settled {
    let (gate, live) = (&scene.gate, &scene.live);
    gate.settle(live, EPOCH, ask.id, &ask.user, reacquire)
        .await
        .unwrap()
}

pub(crate) async fn release(scene: &Scene, ask: &Reserve) -> Released {
    let (gate, live) = (&scene.gate, &scene.live);
    gate.release(live, EPOCH, ask.id, &ask.user).await.unwrap()
}

pub(crate) async fn record(scene: &Scene, id: ReservationId) -> Box<Record> {
    Box::new(Record::parse(&scene.record(id).await).unwrap())
}

/// Two skus, the second sold out by this very hold.
pub(crate) async fn with_a_hold() -> (Scene, Reserve) {
    let scene = Scene::selling(&[("tee", 5, 3), ("cap", 2, 0)]).await;
    let ask = scene.ask("ann", "k", &[("tee", 3), ("cap", 2)]);
    scene.reserve_one(&ask).await;
    (scene, ask)
}

/// The same, being paid.
pub(crate) async fn with_a_payment() -> (Scene, Reserve) {
    let (scene, ask) = with_a_hold().await;
    let begun = begin(&scene, &ask).await;
    assert!(
        matches!(begun, BegunPayment::Paying { seq: 3, .. }),
        "{begun:?}"
    );
    (scene, ask)
}

/// The same, paid.
pub(crate) async fn with_a_sale() -> (Scene, Reserve) {
    let (scene, ask) = with_a_payment().await;
    let settled = settle(&scene, &ask, false).await;
    assert!(
        matches!(settled, Settled::Paid { seq: 4, .. }),
        "{settled:?}"
    );
    (scene, ask)
}

/// Puts the payment's deadline where the caller wants it, in the record and in `paying`.
pub(crate) async fn set_payment_deadline(scene: &Scene, id: ReservationId, deadline_ms: u64) {
    scene.set_deadline(id, deadline_ms).await;
    let args = vec![
        scene.key("paying").into_bytes(),
        deadline_ms.to_string().into_bytes(),
        id.as_bytes().to_vec(),
    ];
    scene.raw("ZADD", args).await.unwrap();
}

/// A return: its letter in the journal, its key, sku, units and how many of it have come back by then, and what `returns` says of
/// the whole reservation.
pub(crate) struct Back<'a> {
    pub(crate) letter: char,
    pub(crate) key: &'a str,
    pub(crate) lines: &'a [(&'a str, u32, u32)],
    pub(crate) totals: &'a str,
}

impl State {
    /// What a payment leaves behind that begins at `now_ms`.
    pub(crate) fn paying(&mut self, now_ms: u64, ask: &Reserve, held: &[u8]) {
        let deadline_ms = now_ms + self.number("payment_ms");
        let parts: Vec<&[u8]> = held[1..].splitn(3, |byte| *byte == b'|').collect();
        let deadline = deadline_ms.to_string();
        let record = [
            b"p",
            [parts[0], deadline.as_bytes(), parts[2]]
                .join(&b'|')
                .as_slice(),
        ]
        .concat();
        self.paying.insert(id_text(ask.id), deadline);
        self.turned(now_ms, ask, record);
    }

    /// What a settlement leaves behind: held units are sold.
    pub(crate) fn paid(&mut self, now_ms: u64, ask: &Reserve, before: &[u8]) {
        for line in &ask.lines {
            let units = i64::from(line.quantity);
            self.stock(&format!("{}/held", line.sku), -units);
            self.stock(&format!("{}/sold", line.sku), units);
        }
        self.paying.remove(&id_text(ask.id));
        self.turned(now_ms, ask, [b"s", &before[1..]].concat());
    }

    /// The same of a reservation that had ended: units that are left are sold, and it has not ended any more.
    pub(crate) fn reacquired(&mut self, now_ms: u64, ask: &Reserve, before: &[u8]) {
        for line in &ask.lines {
            let units = i64::from(line.quantity);
            self.stock(&format!("{}/left", line.sku), -units);
            self.stock(&format!("{}/sold", line.sku), units);
            self.user(&format!("{}/{}", ask.user, line.sku), units);
        }
        self.user(ask.user.as_str(), -1);
        let record = [b"s", &before[1..]].concat();
        self.records.insert(id_text(ask.id), text(&record));
        let again = [ask.id.as_bytes(), before].concat();
        let paid = (ask.id.as_bytes().to_vec(), record);
        self.entry(now_ms, &[(b"Q".to_vec(), again), paid]);
    }

    /// What a return leaves behind; `sold` is the record from before it.
    pub(crate) fn returned(&mut self, now_ms: u64, ask: &Reserve, sold: &[u8], back: &Back<'_>) {
        let Back {
            letter,
            key,
            lines,
            totals,
        } = back;
        let began = Record::parse(sold).unwrap().seq;
        let is_whole = *totals == ask_text(ask);
        let last = self.number("seq") + lines.len() as u64 + u64::from(is_whole);
        let (mut events, were) = (Vec::new(), self.stock.clone());
        for (name, units, total) in *lines {
            let by = i64::from(*units);
            self.stock(&format!("{name}/sold"), -by);
            if *letter == 'B' {
                self.stock(&format!("{name}/left"), by);
                if were[&format!("{name}/left")] == "0" {
                    self.stock
                        .insert(format!("{name}/restocked"), last.to_string());
                }
            } else {
                self.stock(&format!("{name}/stocked"), -by);
            }
            self.user(&format!("{}/{}", ask.user, sku(name)), -by);
            let value = format!("{began}|{}|{name}|{units}|{total}|{key}", ask.user);
            events.push((
                letter.to_string().into_bytes(),
                [ask.id.as_bytes(), value.as_bytes()].concat(),
            ));
        }
        if is_whole {
            let record = [b"r", &sold[1..]].concat();
            self.user(ask.user.as_str(), 1);
            self.records.insert(id_text(ask.id), text(&record));
            events.push((ask.id.as_bytes().to_vec(), record));
        }
        self.returns.insert(id_text(ask.id), (*totals).to_owned());
        let field = text([ask.id.as_bytes(), format!("{letter}{key}").as_bytes()].concat());
        self.returns.insert(field, last.to_string());
        self.entry(now_ms, &events);
    }

    fn turned(&mut self, now_ms: u64, ask: &Reserve, record: Vec<u8>) {
        self.records.insert(id_text(ask.id), text(&record));
        self.entry(now_ms, &[(ask.id.as_bytes().to_vec(), record)]);
    }
}

/// The lines of a request as records have them.
fn ask_text(ask: &Reserve) -> String {
    let lines = ask.lines.iter();
    let lines: Vec<String> = lines
        .map(|line| format!("{}={}", line.sku, line.quantity))
        .collect();
    lines.join(",")
}
