//! All that Redis holds of one sale, as text, and what a script is expected to change in it. Used by the test of every
//! script: an expected state is a copy of the one before, edited, and compared as a whole.

use std::collections::BTreeMap;

use doorbuster_core::gate::reserve::Reserve;
use doorbuster_core::ids::ReservationId;

pub(crate) type Fields = BTreeMap<String, String>;
/// Field and value of an event, as bytes.
pub(crate) type Pair = (Vec<u8>, Vec<u8>);

/// Bytes beyond ASCII are escaped; stream ids are left out, being the server's own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) sale: Fields,
    pub(crate) stock: Fields,
    pub(crate) users: Fields,
    pub(crate) records: Fields,
    pub(crate) order: Vec<String>,
    /// Id and deadline.
    pub(crate) paying: Fields,
    pub(crate) adjusts: Fields,
    pub(crate) returns: Fields,
    pub(crate) journal: Vec<Vec<(String, String)>>,
    /// Keys under the sale's tag that no script should have made.
    pub(crate) strangers: Vec<String>,
    /// Keys that have a time to live.
    pub(crate) expiring: Vec<String>,
}

pub(crate) fn text(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().escape_ascii().to_string()
}

pub(crate) fn id_text(id: ReservationId) -> String {
    text(id.as_bytes())
}

impl State {
    pub(crate) fn number(&self, field: &str) -> u64 {
        self.sale[field].parse().unwrap()
    }

    pub(crate) fn units(&self, field: &str) -> u64 {
        self.stock[field].parse().unwrap()
    }

    fn add(fields: &mut Fields, field: &str, by: i64) {
        let was: i64 = fields.get(field).map_or(0, |value| value.parse().unwrap());
        fields.insert(field.to_string(), (was + by).to_string());
    }

    pub(crate) fn stock(&mut self, field: &str, by: i64) {
        Self::add(&mut self.stock, field, by);
    }

    /// A count that reaches 0 goes.
    pub(crate) fn user(&mut self, field: &str, by: i64) {
        Self::add(&mut self.users, field, by);
        self.users.retain(|_, count| count != "0");
    }

    /// One journal entry with these events, and the head of the sale after it.
    pub(crate) fn entry(&mut self, now_ms: u64, events: &[Pair]) {
        let first = self.number("seq") + 1;
        let bytes = self.number("bytes")
            + events
                .iter()
                .map(|(_, value)| value.len() as u64 + 16)
                .sum::<u64>();
        let head = [
            ("e", self.number("epoch")),
            ("s", first),
            ("n", events.len() as u64),
            ("t", now_ms),
            ("b", bytes),
        ];
        let mut pairs: Vec<(String, String)> = head
            .map(|(name, n)| (name.to_string(), n.to_string()))
            .to_vec();
        pairs.extend(
            events
                .iter()
                .map(|(field, value)| (text(field), text(value))),
        );
        self.journal.push(pairs);
        for (field, value) in [
            ("seq", first + events.len() as u64 - 1),
            ("bytes", bytes),
            ("last_now_ms", now_ms),
        ] {
            self.sale.insert(field.to_string(), value.to_string());
        }
    }

    /// Entry of one state event. Its reply names no time, so the time is what the script says it was.
    pub(crate) fn state_entry(&mut self, after: &State, letter: &str, value: &str) {
        assert!(
            after.number("last_now_ms") >= self.number("last_now_ms"),
            "time went back"
        );
        self.entry(
            after.number("last_now_ms"),
            &[(letter.into(), value.into())],
        );
    }

    /// What one call that holds these requests, and no others, leaves behind.
    pub(crate) fn held(&mut self, now_ms: u64, requests: &[&Reserve]) {
        let (first, deadline_ms) = (self.number("seq") + 1, now_ms + self.number("hold_ms"));
        let mut events: Vec<Pair> = Vec::new();
        for (request, seq) in requests.iter().zip(first..) {
            let record = record_of('h', seq, deadline_ms, request);
            for line in &request.lines {
                let units = i64::from(line.quantity);
                self.stock(&format!("{}/left", line.sku), -units);
                self.stock(&format!("{}/held", line.sku), units);
                self.user(&format!("{}/{}", request.user, line.sku), units);
            }
            self.records.insert(id_text(request.id), text(&record));
            self.order.push(id_text(request.id));
            events.push((request.id.as_bytes().to_vec(), record));
        }
        self.entry(now_ms, &events);
    }

    /// What one call that ends these holds leaves behind; `records` are theirs from before it.
    pub(crate) fn ended(&mut self, now_ms: u64, letter: char, ended: &[(&Reserve, Vec<u8>)]) {
        let last = (self.number("seq") + ended.len() as u64).to_string();
        let mut events: Vec<Pair> = Vec::new();
        let were = self.stock.clone();
        for (request, held) in ended {
            let record = [letter.to_string().as_bytes(), &held[1..]].concat();
            for line in &request.lines {
                let units = i64::from(line.quantity);
                self.stock(&format!("{}/left", line.sku), units);
                self.stock(&format!("{}/held", line.sku), -units);
                self.user(&format!("{}/{}", request.user, line.sku), -units);
                if were[&format!("{}/left", line.sku)] == "0" {
                    self.stock
                        .insert(format!("{}/restocked", line.sku), last.clone());
                }
            }
            self.user(request.user.as_str(), 1);
            self.records.insert(id_text(request.id), text(&record));
            events.push((request.id.as_bytes().to_vec(), record));
        }
        self.entry(now_ms, &events);
    }
}

/// The record that `reserve` writes for `request`.
pub(crate) fn record_of(letter: char, seq: u64, deadline_ms: u64, request: &Reserve) -> Vec<u8> {
    let lines: Vec<String> = request
        .lines
        .iter()
        .map(|line| format!("{}={}", line.sku, line.quantity))
        .collect();
    let head = format!(
        "{letter}{seq}|{deadline_ms}|{}|{}|",
        request.user,
        lines.join(",")
    );
    [head.as_bytes(), request.body.as_bytes()].concat()
}
