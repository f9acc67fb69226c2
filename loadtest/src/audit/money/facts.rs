//! What the books and the payment provider say about money, in types that can be compared. Filled by `store` and `provider`.

use doorbuster_core::ids::ReservationId;

/// All of it, of one sale.
#[derive(Debug, Clone, Default)]
pub struct Money {
    pub orders: Vec<Order>,
    /// Every capture of an order of this sale, and those of no order at all.
    pub charges: Vec<Charge>,
    /// Refunds that have not come to an end.
    pub open_refunds: u64,
    pub ledger: Ledger,
}

/// What the ledger has of these orders, and what all of it comes to.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    pub events: Vec<Event>,
    pub transactions: Vec<Transaction>,
    /// Currencies in which all of it does not sum to 0, and to what.
    pub unbalanced: Vec<(String, i64)>,
}

/// Something that happened to an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub order: String,
    pub n: u32,
    pub kind: String,
    /// Of `paid`: what it comes to, coupon and points included.
    pub amount: i64,
    /// It contradicts the books, and the ledger refused it.
    pub is_refused: bool,
}

/// What was posted of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transaction {
    pub order: String,
    pub n: u32,
    pub legs: i64,
    pub sum: i64,
    /// None where its legs have several.
    pub currency: Option<String>,
    /// Its part of what the provider has of ours.
    pub clearing: i64,
    /// Its part of what is open of the order: at its end there is nothing.
    pub open: i64,
    /// Its part of what is on its way back: the same.
    pub returning: i64,
}

/// An order, as the books have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: String,
    pub user: String,
    pub reservation: ReservationId,
    pub state: String,
    pub reason: Option<String>,
    pub currency: String,
    pub total: i64,
    pub captured: i64,
    pub refunded: i64,
    /// What the provider was asked to charge, under which key; none where it was not.
    pub attempt: Option<Attempt>,
}

/// What was asked of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    pub key: String,
    pub amount: i64,
}

/// A capture, as the provider has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    pub key: String,
    /// As it was told.
    pub order: String,
    pub currency: String,
    pub captured: i64,
    pub refunded: i64,
}

impl Order {
    /// Nothing will happen to it by itself any more.
    pub fn is_at_rest(&self) -> bool {
        matches!(
            self.state.as_str(),
            "paid" | "cancelled" | "refunded" | "parked"
        )
    }
}
