//! Every bound of the sandbox: it is a program of its own, and shares none with the back-office.

use std::time::Duration;

/// Lines that wait for the disk; more requests wait for room.
pub(crate) const LINES_WAITING_MAX: usize = 4_096;
/// Of them, how many one sync takes.
pub(crate) const LINES_AT_ONCE: usize = 1_024;
/// Bytes of a request's body.
pub(crate) const BODY_BYTES_MAX: usize = 16 * 1024;
/// Charges on a page.
pub(crate) const PAGE_ROWS_MAX: usize = 1_000;
/// Characters of an order's id, a method and a token.
pub(crate) const TEXT_CHARS_MAX: usize = 255;
/// How long a request that is never answered is kept waiting, so that clients which wait for ever do not stay here for ever.
pub(crate) const SILENCE: Duration = Duration::from_secs(120);
/// Webhooks that wait to be told; more are lost, as they are where a provider is overrun.
pub(crate) const HOOKS_WAITING_MAX: usize = 100_000;
/// Of them, how many are told at once.
pub(crate) const HOOKS_AT_ONCE: usize = 32;
/// For one to be taken.
pub(crate) const HOOK_TIMEOUT: Duration = Duration::from_secs(5);
/// Tries of one; the pauses between them double from the first to the longest: some 30 s in all.
pub(crate) const HOOK_TRIES_MAX: u32 = 10;
pub(crate) const HOOK_RETRY_FIRST: Duration = Duration::from_millis(100);
pub(crate) const HOOK_RETRY_MAX: Duration = Duration::from_secs(5);
/// How long a reordered webhook waits to be overtaken by later ones.
pub(crate) const HOOK_REORDER_WAIT: Duration = Duration::from_millis(500);
/// Between two looks at charges that are to be decided.
pub(crate) const DECIDE_EVERY: Duration = Duration::from_millis(20);
