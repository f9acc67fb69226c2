//! Bounds of the ledger and of settlement.

use std::time::Duration;

/// Events that one transaction posts to the ledger: some 5,000 rows, locked for a quarter of a second.
pub(crate) const LEDGER_EVENTS: u32 = 2_000;
/// Such transactions at once where all that waits is wanted.
pub(crate) const LEDGER_BATCHES_AT_ONCE: u64 = 2;
/// Between two looks for more.
pub(crate) const LEDGER_EVERY: Duration = Duration::from_secs(1);
/// Tries of closing a period while something of it is being posted.
pub(crate) const SETTLEMENT_CLOSE_TRIES: u32 = 20;
/// Entries of a statement that are in memory at once: some 2 MB.
pub(crate) const STATEMENT_ENTRIES: u32 = 10_000;
/// Entries of a statement that is read by HTTP, in memory whole: some 10 MB. Longer ones the command line writes.
pub(crate) const STATEMENT_ENTRIES_MAX: u32 = 100_000;
/// Fixed fee of an order, in minor units.
pub(crate) const FEE_FIXED_MAX: i64 = 1_000_000_000;
/// Postings of one order that are shown: far more than any has.
pub(crate) const ORDER_POSTINGS_MAX: u32 = 1_000;
/// Characters of a bank's reference.
pub(crate) const REFERENCE_CHARS_MAX: usize = 100;
