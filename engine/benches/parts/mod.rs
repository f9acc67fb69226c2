//! The pure parts of the purchase path, each ready to be done once: timed by `path`, counted by `counts`.

use std::hint::black_box;

use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::gate::reserve::{Reserve, encode};
use doorbuster_core::ids::{IdempotencyKey, LiveId, ReservationId, SaleId, UserId};
use doorbuster_core::limits::BATCH_REQUESTS_MAX;
use doorbuster_core::receipt::{Accepted, ReceiptKey};
use doorbuster_core::record::Record;
use doorbuster_engine::front::wanted;

const NOW_S: u64 = 1_700_000_000;
const SECRET: [u8; 32] = [7; 32];
const BODY: &[u8] = br#"{"items":[{"sku":"doorbuster","quantity":1}]}"#;

/// A part's name, how many requests one doing of it serves, and how to do it.
pub(crate) type Part = (&'static str, u64, fn(&Parts));

/// What the parts work on.
pub(crate) struct Parts {
    tokens: TokenKeys,
    token: String,
    receipts: ReceiptKey,
    live: LiveId,
    user: UserId,
    key: IdempotencyKey,
    record: Vec<u8>,
    batch: Vec<Reserve>,
}

impl Parts {
    /// # Panics
    /// Never: what it is made from is fixed.
    pub(crate) fn new() -> Self {
        let tokens = TokenKeys::new(&SECRET, None).expect("32 bytes");
        let user = UserId::parse("buyer-0012345").expect("letters and digits");
        let live = LiveId::Sale(SaleId::parse("drop-2026-11-21").expect("letters and digits"));
        let wanted = wanted::parse(BODY).expect("a body as the contract says");
        let reserve = |n: usize| Reserve {
            id: id(&live, &user, &format!("key-{n}")),
            user: UserId::parse(format!("buyer-{n:07}")).expect("letters and digits"),
            body: wanted.body,
            lines: wanted.lines.clone(),
        };
        let text = b"h123456|1763692400123|buyer-0012345|doorbuster=1|0123456789abcdef";
        Self {
            token: tokens.sign(&Claims::access(user.clone(), Role::Buyer, NOW_S, 3_600)),
            tokens,
            receipts: ReceiptKey::derive(&SECRET).expect("32 bytes"),
            key: IdempotencyKey::parse("5f2c1b1e-8a55-4e51-9a75-0c5c0f6f5b3f").expect("printable"),
            record: text.to_vec(),
            batch: (0..BATCH_REQUESTS_MAX).map(reserve).collect(),
            live,
            user,
        }
    }

    /// Every part.
    pub(crate) const ALL: [Part; 6] = [
        ("token", 1, Parts::token),
        ("body", 1, Parts::body),
        ("id", 1, Parts::id),
        ("batch", BATCH_REQUESTS_MAX as u64, Parts::batch),
        ("receipt", 1, Parts::receipt),
        ("record", 1, Parts::record),
    ];

    /// Checks an access token.
    fn token(&self) {
        let _ = black_box(self.tokens.verify(black_box(&self.token), NOW_S));
    }

    /// Reads a request's body.
    fn body(&self) {
        let _ = black_box(wanted::parse(black_box(BODY)));
    }

    /// Derives a reservation's id.
    fn id(&self) {
        black_box(ReservationId::derive(
            &self.live,
            &self.user,
            black_box(&self.key),
        ));
    }

    /// Writes the arguments of a full batch.
    fn batch(&self) {
        let requests: Vec<&Reserve> = self.batch.iter().collect();
        black_box(encode(black_box(&requests)));
    }

    /// Signs a receipt.
    fn receipt(&self) {
        let first = &self.batch[0];
        black_box(self.receipts.sign(black_box(&Accepted {
            id: first.id,
            live: &self.live,
            user: &self.user,
            lines: &first.lines,
            epoch: 1,
            seq: 123_456,
            deadline_ms: 1_763_692_400_123,
            ack_level: "fsync",
        })));
    }

    /// Reads a record, as the writer does for every event.
    fn record(&self) {
        let _ = black_box(Record::parse(black_box(&self.record)));
    }
}

fn id(live: &LiveId, user: &UserId, key: &str) -> ReservationId {
    let key = IdempotencyKey::parse(key).expect("printable");
    ReservationId::derive(live, user, &key)
}
