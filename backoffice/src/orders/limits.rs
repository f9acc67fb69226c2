//! Every bound of orders: batches, queues, waits. Part of the crate's limits, in a file of its own beside them.

use std::time::Duration;

use crate::limits::REQUEST_TIMEOUT;

/// Orders that one transaction moves on.
pub(crate) const BATCH_MAX: usize = 128;
/// Orders that one look shows, and holds that one statement prices, for all who ask at the same time; and how many may wait for the next.
pub(crate) const LOOKS_AT_ONCE: usize = 128;
pub(crate) const LOOKS_WAITING_MAX: usize = 4_096;
/// Orders of one process that wait for one step; more wait in the books.
pub(crate) const QUEUE_MAX: usize = 4_096;
/// Orders that one look takes from the books.
pub(crate) const TAKEN_MAX: u32 = 256;
/// Between two looks for orders that are due, where nobody in this process has made one so.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(500);
/// How long an order is its worker's: longer than he may be between two of its transactions.
pub(crate) const LEASE: Duration = Duration::from_secs(20);
/// How old a job may be when its step begins; an older one is left to whoever takes it next.
pub(crate) const FRESH_FOR: Duration = Duration::from_secs(5);
/// Orders of one batch with points or a coupon, each in a transaction of its own, at once: a fraction of the connections.
pub(crate) const SET_ASIDE_AT_ONCE: usize = 8;
/// Charges, and other talks with the provider about one order, under way at once.
pub(crate) const TALKS_MAX: usize = 512;
/// Waits for the books at ack level `mysql` under way at once, each of one sale's part of a batch: a fraction of `TALKS_MAX`, since each ends with a
/// transaction.
pub(crate) const BOOKS_AWAITED_MAX: usize = 256;
/// Of them, those of one sale, whose writer may stand still: the rest of its orders is put off, and the books of others are awaited as ever.
pub(crate) const BOOKS_AWAITED_OF_SALE_MAX: usize = 64;
/// All tries of one charge.
pub(crate) const CHARGE_BUDGET: Duration = Duration::from_secs(8);
/// All that one step says to the provider: asking, sending, asking again.
pub(crate) const STEP_BUDGET: Duration = Duration::from_secs(12);
/// One question to the provider, or its refund.
pub(crate) const ASK_BUDGET: Duration = Duration::from_secs(5);
/// The first pause before a step is tried again; it doubles up to the longest.
pub(crate) const RETRY_FIRST: Duration = Duration::from_millis(500);
pub(crate) const RETRY_MAX: Duration = Duration::from_secs(10);
/// How long who orders waits for the end before he is told how far it is.
pub(crate) const PLACE_WAIT: Duration = Duration::from_secs(2);
/// Between two looks of who waits for a cancellation, or a refund, during that time.
pub(crate) const CANCEL_POLL: Duration = Duration::from_millis(50);
/// How long an epoch is believed: a wrong one is refused by the scripts, and looked up anew.
pub(crate) const EPOCH_LIFE: Duration = Duration::from_secs(1);
/// Between two looks for sales that were rebuilt, whose payments may have been lost: far less than a payment has.
pub(crate) const SETTLED_EVERY: Duration = Duration::from_secs(2);
/// Rebuilt sales that one look goes along, their orders that one statement reads, and those that are told to Redis at once.
pub(crate) const RISEN_MAX: u32 = 256;
pub(crate) const SETTLED_PAGE: u32 = 1_024;
pub(crate) const SETTLED_AT_ONCE: usize = 128;
/// Sales whose epoch is kept.
pub(crate) const EPOCHS_KEPT: usize = 1_024;

/// Characters of the means of payment, and of what stands for it; the columns have room for them.
pub(crate) const METHOD_CHARS_MAX: usize = 32;
pub(crate) const TOKEN_CHARS_MAX: usize = 255;
/// Characters of a carrier's name, and of a tracking number.
pub(crate) const CARRIER_CHARS_MAX: usize = 100;
pub(crate) const TRACKING_CHARS_MAX: usize = 64;
/// Deliveries that one look moves on, and how long after it left one is taken for delivered unless somebody says more.
pub(crate) const DELIVERIES_AT_ONCE: u32 = 100;
pub(crate) const DELIVERIES_EVERY: Duration = Duration::from_secs(1);
/// When one that cannot go on, because money goes back or a person has to look at its order, is looked at again.
pub(crate) const DELIVERY_AGAIN: Duration = Duration::from_secs(60);
pub(crate) const DELIVERED_AFTER: Duration = Duration::from_secs(3 * 24 * 3600);
/// Life of earned points.
pub(crate) const POINTS_LIFE: Duration = Duration::from_secs(365 * 24 * 3600);
/// Until then a mail about an order is worth sending.
pub(crate) const MAIL_LIFE: Duration = Duration::from_secs(24 * 3600);
/// The most that a sale charges for shipping, in minor units.
pub(crate) const SHIPPING_MAX: i64 = 1_000_000_000;

const _: () = {
    assert!(
        FRESH_FOR.as_millis() + STEP_BUDGET.as_millis() + 2_000 < LEASE.as_millis(),
        "a worker has written down what came of an order before another takes it"
    );
    assert!(BOOKS_AWAITED_OF_SALE_MAX * 4 <= BOOKS_AWAITED_MAX);
    assert!(ASK_BUDGET.as_millis() < STEP_BUDGET.as_millis());
    assert!(CHARGE_BUDGET.as_millis() < STEP_BUDGET.as_millis());
    assert!(PLACE_WAIT.as_millis() < REQUEST_TIMEOUT.as_millis());
    assert!(RETRY_MAX.as_millis() < LEASE.as_millis());
};
