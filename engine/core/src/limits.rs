//! Every bound that engine, back-office and harness share, in one place, with the relations between them checked at compile time.
//!
//! Bounds that belong to one program alone (its queues, its timeouts) live in that program's own `limits.rs`.

use std::time::Duration;

/// Characters of a sale, sku, coupon or user id (contract: 1–64 of `A–Z a–z 0–9 _ -`).
pub const ID_CHARS_MAX: usize = 64;
/// Characters of an Idempotency-Key (contract: 1–255 printable ASCII).
pub const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
/// Lines of one reservation request.
pub const LINES_PER_REQUEST_MAX: usize = 64;
/// Skus of one sale.
pub const SKUS_PER_SALE_MAX: usize = 256;
/// Units of one line, and of a sku's stock. Far below 2^53, where Lua's numbers stop being exact.
pub const UNITS_MAX: u32 = 1_000_000_000;

/// Requests that one script call decides.
pub const BATCH_REQUESTS_MAX: usize = 256;
/// Lines that one script call decides, over all its requests: Lua's `unpack` takes fewer than 8,000 values.
pub const BATCH_LINES_MAX: usize = 512;
/// Holds that one sweep ends.
pub const SWEEP_HOLDS_MAX: usize = 100;
/// Ended reservations that one user may have in one sale; then `limit_reached` (design §3).
pub const ENDED_PER_USER_MAX: u32 = 16;
/// Stock adjustments remembered per sale, for their idempotency.
pub const ADJUSTS_PER_SALE_MAX: u32 = 10_000;

/// Journal events not yet in MySQL, per sale, past which reservations and claims are refused `backlog` (`BACKLOG_MAX`): a minute
/// without MySQL at 30,000 a second, some 250 MB of Redis.
pub const BACKLOG_EVENTS_MAX: u64 = 2_000_000;
/// The same in bytes of events (`BACKLOG_BYTES_MAX`): four times that, for events of many lines.
pub const BACKLOG_BYTES_MAX: u64 = 1 << 30;

/// Events that an engine remembers until the books have them, so that it can tell them again after a loss; the oldest go first.
/// As many as may wait for MySQL at all.
pub const UNFLUSHED_EVENTS_MAX: usize = BACKLOG_EVENTS_MAX as usize;
/// The same in bytes: some 55 an event.
pub const UNFLUSHED_BYTES_MAX: usize = 256 << 20;
/// Bytes after which a part of a handover ends; far below the servers' smallest `max_allowed_packet`.
pub const HANDOVER_PART_BYTES: usize = 1 << 20;
/// Fields, or ids, that one `load` puts into Redis: it is busy for a millisecond or two.
pub const LOAD_ROWS_MAX: usize = 1_000;
/// After a rebuild that found a loss, units are kept for buyers with a receipt for so long: a client that still tries comes within
/// seconds, a person within minutes, and all others wait for it.
pub const RECEIPT_GRACE: Duration = Duration::from_secs(60);
/// Bytes of a `Receipt` header: a full request's lines, in base64.
pub const RECEIPT_BYTES_MAX: usize = 12 * 1024;

/// Answer of one script call. Past it the outcome is unknown and the same request resolves it.
pub const SCRIPT_TIMEOUT: Duration = Duration::from_millis(1_500);
/// Of it, for a replica to confirm what the call wrote or read.
pub const REPLICA_WAIT: Duration = Duration::from_millis(1_000);
/// Since a replica was last heard of; a healthy one reports every second.
pub const REPLICA_LAG_MAX_S: u64 = 3;
/// Connecting to Redis.
pub const REDIS_CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Silence on a connection with commands under way after which it is given up.
pub const REDIS_UNRESPONSIVE: Duration = Duration::from_secs(3);
/// Before a connection task that ended for good is started again.
pub const REDIS_RESTART_PAUSE: Duration = Duration::from_millis(250);
/// Script calls under way at once through one gate; more wait for none and fail at once.
pub const CALLS_IN_FLIGHT_MAX: usize = 1_024;
/// Connections of one gate.
pub const REDIS_CONNECTIONS: usize = 4;
/// Channel on which scripts say that a sku that had nothing left has something again.
pub const NOTICES_CHANNEL: &str = "doorbuster:restocked";
/// Channel on which `trim` says how far the books are.
pub const FLUSHED_CHANNEL: &str = "doorbuster:flushed";
/// Channel on which back-offices tell each other what of the shop's cache has changed.
pub const CACHE_CHANNEL: &str = "doorbuster:cache:changed";
/// Notices of one channel waiting to be taken; more are dropped, and a look at Redis finds what they said.
pub const NOTICES_MAX: usize = 1_024;

/// Longest life of an access token; a longer one is refused (design §7, Revocation).
pub const TOKEN_LIFE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Clock difference forgiven between the signer of a token and us.
pub const TOKEN_LEEWAY: Duration = Duration::from_secs(30);
/// Bytes of a token secret at least (contract).
pub const TOKEN_SECRET_BYTES_MIN: usize = 32;
/// Bytes of a bearer token at most.
pub const TOKEN_BYTES_MAX: usize = 2_048;

/// Numbers in one part of a draw's list in the books: a megabyte, far below the servers' smallest `max_allowed_packet`.
pub const DRAW_PART_NUMBERS: u32 = 65_536;

/// Life of a ticket from when it was signed: longer than any place may last. One that is half as old is signed anew with a poll.
pub const TICKET_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Bytes of a ticket at most: the longest ids and numbers, in base64.
pub const TICKET_BYTES_MAX: usize = 320;
/// Bytes of an invite at most.
pub const INVITE_BYTES_MAX: usize = 256;
/// How long an admitted place may last (`place_seconds`): time to fill a basket, and no longer than a ticket by far.
pub const PLACE_LIFE_MIN: Duration = Duration::from_secs(5);
pub const PLACE_LIFE_MAX: Duration = Duration::from_secs(3_600);
pub const PLACE_LIFE: Duration = Duration::from_secs(120);
/// Numbers that a line gives in each lane: a person each, for any sale there ever was, and 4 MB of bits for the places that are over.
pub const LINE_PLACES_MAX: u32 = 1 << 24;
/// How long an offer of admission waits for its user to be told: people near the head ask every second or two.
pub const OFFER_LIFE: Duration = Duration::from_secs(10);
/// An engine's report of who is there counts for so long; it reports twice a second.
pub const REPORT_LIFE: Duration = Duration::from_secs(3);
/// A number is passed over by nobody, and offered nothing, before it is so old: by then the engine of its holder has reported it.
pub const NUMBER_RIPE: Duration = Duration::from_millis(700);
/// Places that one report names; behind the last of a report that was cut off nobody is admitted.
pub const REPORT_PLACES_MAX: usize = 1_024;
/// Places whose users have been told, in one report.
pub const TOLD_PLACES_MAX: usize = 1_000;
/// Places that one call admits, and of each kind of end that it ends.
pub const ADMIT_PLACES_MAX: usize = 2_000;
pub const ENDED_PLACES_MAX: usize = 1_000;
/// Changes of places that one call tells, each of at most what one call changes; and for how long they are kept for an engine
/// that was away. One that was away for longer looks at all places.
pub const MOVES_MAX: usize = 20;
pub const MOVES_LIFE: Duration = Duration::from_secs(60);
/// After a line was lost, those who had numbers have so long before new ones are given: as long as a stalled client needs to ask
/// again near the head.
pub const LINE_RESTORE: Duration = Duration::from_secs(5);
/// Numbers that are then set aside for those whom no engine alive remembers.
pub const LINE_GAP: u32 = 10_000;
/// People a second where the rate follows the engines: at first, at least and at most.
pub const CAPACITY_RATE_FIRST: u32 = 200;
pub const CAPACITY_RATE_MIN: u32 = 10;
pub const CAPACITY_RATE_MAX: u32 = ADMIT_PER_SECOND_MAX;
/// Places read at once while an engine looks at all that are admitted.
pub const STANDING_SCAN_COUNT: usize = 1_000;
/// People that a line may be told to admit in a second (`per_second`).
pub const ADMIT_PER_SECOND_MAX: u32 = 100_000;
/// Admitted and unspent places to units left (`factor`), at least and at most.
pub const FACTOR_MIN: f64 = 0.1;
pub const FACTOR_MAX: f64 = 20.0;

/// How long a revocation is kept: no token that was issued before it lives longer, its signer's clock ahead by the leeway included.
pub const REVOCATIONS_KEPT: Duration = Duration::from_secs(24 * 3600 + 60);
/// Between two looks for new ones.
pub const REVOCATIONS_EVERY: Duration = Duration::from_millis(500);
/// Between two looks while they fail, so that an engine is of use again as soon as Redis is.
pub const REVOCATIONS_RETRY: Duration = Duration::from_millis(50);
/// Age of the last look up to which "not revoked" is taken from memory: four looks, so that a busy machine refuses nobody for its
/// own slowness.
pub const REVOCATIONS_FRESH: Duration = Duration::from_secs(2);
/// Entries of one read: some 60 KiB.
pub const REVOCATIONS_PER_READ: usize = 1_000;

const _: () = {
    assert!(
        2 * PLACE_LIFE_MAX.as_secs() <= TICKET_LIFE.as_secs(),
        "a ticket that is signed anew at half its life outlives its place"
    );
    assert!(
        REVOCATIONS_KEPT.as_secs() > TOKEN_LIFE_MAX.as_secs() + TOKEN_LEEWAY.as_secs(),
        "a revocation outlives every token that it speaks of"
    );
    assert!(REVOCATIONS_FRESH.as_millis() > 2 * REVOCATIONS_EVERY.as_millis());
    // The first entry of a read is the last of the one before.
    assert!(REVOCATIONS_PER_READ > 1);
    assert!(
        LINES_PER_REQUEST_MAX <= BATCH_LINES_MAX,
        "a full request must fit a batch"
    );
    // The widest calls unpack six stock fields a line, a user's count and field a line, or two values a request.
    assert!(
        6 * BATCH_LINES_MAX < 7_900 && BATCH_REQUESTS_MAX + BATCH_LINES_MAX < 7_900,
        "lua unpack"
    );
    assert!(
        2 * SWEEP_HOLDS_MAX < 7_900 && SWEEP_HOLDS_MAX * (LINES_PER_REQUEST_MAX + 1) < 7_900,
        "lua unpack"
    );
    assert!(2 * LOAD_ROWS_MAX < 7_900, "lua unpack");
    assert!(
        2 * ADMIT_PLACES_MAX < 7_900 && 2 * TOLD_PLACES_MAX < 7_900 && ENDED_PLACES_MAX < 7_900,
        "lua unpack"
    );
    assert!(
        REPORT_LIFE.as_millis() < OFFER_LIFE.as_millis(),
        "an offer outlives an engine's silence"
    );
    assert!(OFFER_LIFE.as_millis() < MOVES_LIFE.as_millis());
    assert!(
        REPLICA_WAIT.as_millis() < SCRIPT_TIMEOUT.as_millis(),
        "a wait in vain is told from an unknown outcome"
    );
    assert!(BACKLOG_EVENTS_MAX > BATCH_REQUESTS_MAX as u64);
};
