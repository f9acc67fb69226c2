//! Every bound that belongs to the engine alone, with the relations between them checked at compile time. What it shares
//! with the other programs is in `doorbuster_core::limits`.

use std::time::Duration;

use doorbuster_core::limits::{
    BACKLOG_EVENTS_MAX, BATCH_REQUESTS_MAX, NUMBER_RIPE, RECEIPT_GRACE, REPORT_LIFE, SCRIPT_TIMEOUT,
};

// ── One connection, one request ──────────────────────────────────────────────────────────────────────────────────

/// Bytes of a request body; 64 lines of 64-character skus fit four times.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// Bytes of all header names and values; more is 431 with a problem body.
pub const HEADER_BYTES_MAX: usize = 16 * 1024;
/// What a connection buffers while it reads a head. hyper answers 431 past it by itself.
pub const CONNECTION_BUFFER_BYTES: usize = 32 * 1024;
/// Headers of one request; hyper answers 431 past it by itself.
pub const HEADERS_MAX: usize = 64;
/// Larger maps of headers are not left to a later answer, whose connection keeps them; 24 is the library's step past a browser's sixteen.
pub const SPARE_HEADERS_MAX: usize = 24;
/// What a reservation's body says is kept for the next one that is the same, up to so long a body.
pub const KEPT_BODY_BYTES_MAX: usize = 256;
/// Answers up to this are sent as one piece, larger ones as the pieces they are made of.
pub const GATHERED_BYTES_MAX: usize = 4 * 1024;
/// From the first byte of a head, or from the last answer on a kept-alive connection, to its end.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(15);
/// Between two looks at which connections are silent.
pub const SILENCE_CHECK_EVERY: Duration = Duration::from_millis(500);
/// After an accept that failed.
pub const ACCEPT_RETRY_PAUSE: Duration = Duration::from_millis(20);
/// From the end of the head to the end of the body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// What a closing connection may still send, and for how long, so that its last answer is not thrown away by a reset.
pub const LINGER_BYTES_MAX: usize = 4 * 1024 * 1024;
pub const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
/// Connections past the cap that are told so at once; more are closed without a word.
pub const REFUSALS_AT_ONCE: usize = 256;
/// Connections that wait to be accepted.
pub const LISTEN_BACKLOG: u32 = 8_192;
/// Sockets that listen on the one address, each with such a queue.
pub const LISTEN_SOCKETS: usize = 4;
/// Connections that one of them accepts before requests have their turn.
pub const ACCEPTS_AT_ONCE: u32 = 128;
/// A connection goes to another front thread than the one that accepted it where that has fewer by more than one in so many.
pub const SEATS_UNEVEN: usize = 16;
/// Tasks that a front thread runs before it looks at its sockets and timers again: some 3 ms; PERFORMANCE.md has others.
pub const FRONT_TASKS_PER_LOOK: u32 = 200;

// ── Combiner ─────────────────────────────────────────────────────────────────────────────────────────────────────

/// Requests of one sale that wait for a script call; past it they are shed at once.
pub const QUEUE_REQUESTS_MAX: usize = 16_384;
/// How long a request may wait in a queue that is emptied now and then, and in one that stands; then it is shed.
pub const QUEUE_WAIT_MAX: Duration = Duration::from_secs(2);
pub const QUEUE_WAIT_STANDING_MAX: Duration = Duration::from_millis(100);
/// A queue of which batches have not served everybody for so long stands: more comes in than goes out. One that nobody has come to for the life of that is as
/// good as new.
pub const QUEUE_STANDS_AFTER: Duration = Duration::from_millis(300);
pub const QUEUE_STOOD_LIFE: Duration = Duration::from_secs(5);
/// What a request is to wait at most, in a queue that stands or for a thread; past it, who is cheaper to refuse yields. Half of what
/// a queue that stands lets wait, so that most are refused before they have waited at all.
pub const DELAY_TARGET: Duration = Duration::from_millis(50);
/// Requests in flight that are never too many: a batch in a call, and the next that waits for it.
pub const IN_FLIGHT_MIN: usize = 2 * BATCH_REQUESTS_MAX;
/// By how many more may be in flight after each look while a queue stands and nobody waits too long.
pub const IN_FLIGHT_STEP: usize = 64;
/// Between two looks at how long requests wait.
pub const LOAD_LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks in a row after which what they found is believed: as long as a queue has to stand.
pub const LOAD_LOOKS: u32 = 3;
/// One batch, from leaving the queue to its outcomes; past it they are unknown.
pub const CALL_TIMEOUT: Duration = Duration::from_secs(2);
/// Script calls of one sale under way at once. Two were no faster, and made smaller batches (PERFORMANCE.md).
pub const CALLS_PER_SALE_MAX: usize = 1;

/// While a sale's backlog is full, one request in so long is put to Redis, and the others are shed from memory.
pub const BACKLOG_LOOK_EVERY: Duration = Duration::from_millis(200);
/// Between two lines of the log that say so.
pub const BACKLOG_SAID_EVERY: Duration = Duration::from_secs(10);

// ── The line ────────────────────────────────────────────────────────────────────────────────────────────────────

/// Lines at hand; a sale whose line would be one more is refused as overloaded. What a line takes grows with who waits in it.
pub const LINES_MAX: usize = 1_000;
/// Numbers of a line whose memory is taken at once, 16 bytes each.
pub const LINE_CHUNK_SLOTS: usize = 16_384;
/// Between two calls that move a line, while somebody waits or asks here.
pub const ADVANCE_EVERY: Duration = Duration::from_millis(500);
/// A line that nobody has asked for in so long is not moved from here: longer than the longest wait between two polls.
pub const LINE_IDLE: Duration = Duration::from_secs(120);
/// Parts of what an engine missed that it reads before it looks at all places.
pub const CATCH_UPS_MAX: usize = 10;
/// How long a client is told to wait before it polls again: near the head, and at most. In between a quarter of what is left to wait.
pub const POLL_AFTER_MIN: Duration = Duration::from_secs(1);
pub const POLL_AFTER_MAX: Duration = Duration::from_secs(30);
pub const POLL_AFTER_PART: u64 = 4;
/// Of one who is admitted, who has other things to do.
pub const POLL_AFTER_ADMITTED: Duration = Duration::from_secs(5);
/// While nothing is known of how fast the line will move: so much for each place ahead.
pub const POLL_AFTER_EACH: Duration = Duration::from_micros(300);
/// When everybody wants to know at once, as at the opening, they are spread: so many polls a second by their number, within a bound.
pub const POLL_SPREAD_PER_SECOND: u64 = 20_000;
pub const POLL_SPREAD_MAX: Duration = Duration::from_secs(8);
/// Who waits is alive until a poll was missed and so much has passed.
pub const ALIVE_GRACE: Duration = Duration::from_secs(1);
/// Streams of events on one engine, a task and a connection each; more are refused as overloaded, and poll.
pub const EVENT_STREAMS_MAX: usize = 8_192;
/// Between two looks of a stream at what it has to tell, and the longest that it is silent.
pub const EVENT_LOOK_EVERY: Duration = Duration::from_secs(1);
pub const EVENT_HEARTBEAT: Duration = Duration::from_secs(15);
/// Pieces that wait for a client to read them; then it is left.
pub const EVENT_PIECES_MAX: usize = 16;
/// Who listens counts as heard of with each look, and no longer than this after the last.
pub const LISTENER_AFTER: Duration = Duration::from_secs(2);
/// How fast a line moves is taken from the last so many looks, over so long.
pub const FORECAST_LOOKS_MAX: usize = 120;
pub const FORECAST_WINDOW: Duration = Duration::from_secs(30);
/// What is promised lies between these parts of the estimate, and some seconds more; an estimate is kept until it is off by more than the
/// tolerance, which must lie within.
pub const FORECAST_LOW: f64 = 0.5;
pub const FORECAST_HIGH: f64 = 1.8;
pub const FORECAST_SLACK: Duration = Duration::from_secs(3);
pub const FORECAST_TOLERANCE: f64 = 0.3;
/// A pace is measured over so long at least, and is one only if the slower half of it was so much of the faster, or a little less once it has been
/// promised from. While follow-capacity still looks for its rate, the halves of this span differ by more.
pub const FORECAST_EVEN_SPAN: Duration = Duration::from_secs(5);
pub const FORECAST_EVEN: f64 = 0.7;
pub const FORECAST_EVEN_KEPT: f64 = 0.4;

// ── What the front remembers ─────────────────────────────────────────────────────────────────────────────────────

/// Sales that the front keeps at hand; the least used goes first.
pub const LIVE_SALES_MAX: u64 = 10_000;
/// Sales that Redis does not know, and what MySQL said of them.
pub const ABSENT_SALES_MAX: u64 = 10_000;
/// How long that is believed.
pub const ABSENT_LIFE: Duration = Duration::from_secs(1);
/// Age at which a view of a sale is renewed before it is shown (contract: `left` may lag ≤ 1 s).
pub const VIEW_LIFE: Duration = Duration::from_millis(250);
/// Look-ups of sales not at hand that are under way at once; more are refused: ids that do not exist cost buyers nothing.
pub const LOOK_UPS_MAX: usize = 32;
/// Of the requests for another sale than the hot one, every so manieth makes its own the hot one: many sales at once do not
/// fight for the place.
pub const HOT_EVERY: u64 = 16;
/// Buckets of each keyed limiter (users, addresses, sales): memory is bounded by construction; those that share one share its rate.
pub const RATE_BUCKETS: usize = 1 << 20;
/// So many of them come into being together: half a memory page of the processor's.
pub const RATE_BUCKETS_A_PAGE: usize = 256;
/// How often the metrics' histograms are made small.
pub const UPKEEP_EVERY: Duration = Duration::from_secs(10);

// ── Waiting for the books (ack level `mysql`) ────────────────────────────────────────────────────────────────────

/// For the books to have what a buyer is to be told; past it the buyer asks again.
pub const BOOKS_WAIT_MAX: Duration = Duration::from_secs(2);
/// Between two looks at how far the books are while somebody waits; covers a lost notice.
pub const BOOKS_LOOK_EVERY: Duration = Duration::from_millis(20);
/// The same while nobody waits, but somebody waited in vain.
pub const BOOKS_LOOK_EVERY_IDLE: Duration = Duration::from_millis(250);

// ── Sold-out shield ──────────────────────────────────────────────────────────────────────────────────────────────

/// Between two looks at whether a sold-out sku still is; covers a lost restock notice.
pub const SHIELD_CHECK_EVERY: Duration = Duration::from_millis(200);
/// A shield not checked for so long is not used: Redis decides.
pub const SHIELD_LIFE: Duration = Duration::from_millis(600);
/// A shield that answered nobody for so long is put down.
pub const SHIELD_IDLE: Duration = Duration::from_secs(15);
/// Holders (and former holders) that a shield remembers; a sale with more is not shielded.
pub const SHIELD_HOLDERS_MAX: u64 = 2_000_000;
/// Records fetched at once while loading holders: keeps each Redis call well below a millisecond.
pub const SHIELD_SCAN_COUNT: usize = 500;

// ── Writer and sweeper ───────────────────────────────────────────────────────────────────────────────────────────

/// Journal entries that one read fetches, each of at most a batch of events.
pub const WRITER_ENTRIES_MAX: usize = 200;
/// Events past which a transaction takes no further entry.
pub const WRITER_EVENTS_MAX: usize = 2_000;
/// Any Redis call inside a transaction.
pub const WRITER_REDIS_TIMEOUT: Duration = Duration::from_secs(1);
/// A whole transaction.
pub const WRITER_TRANSACTION_TIMEOUT: Duration = Duration::from_secs(20);
/// Session `wait_timeout` of writer connections: a stopped writer must not hold a row lock for hours.
pub const WRITER_WAIT_TIMEOUT_S: u32 = 5;
/// Journal entries that a step's first read fetches; what they hold tells how many more are wanted.
pub const WRITER_FIRST_ENTRIES: usize = 16;
/// A batch of so many requests says that buyers keep the process busy, for so long.
pub const PRESSED_BATCH_REQUESTS: usize = 32;
/// So many decided within such a window say the same, however small their batches are: 10,000 a second.
pub const PRESSED_WINDOW: Duration = Duration::from_millis(50);
pub const PRESSED_WINDOW_REQUESTS: u64 = 500;
pub const PRESSED_FOR: Duration = Duration::from_millis(200);
/// Between two looks that are kept to tell how far the books lag.
pub const LAG_LOOK_EVERY: Duration = Duration::from_millis(100);
/// Looks that are kept for a sale: a minute of them. While the books do not move at all, no more are needed.
pub const LAG_LOOKS_MAX: usize = 600;
/// Past `WRITER_LAG_MAX` and this, buyers are slowed to what the books take, by a pause before each batch: the further the books lag the
/// longer, and the longest where it is by so much more.
pub const LAG_GRACE: Duration = Duration::from_millis(200);
pub const LAG_SLOWING: Duration = Duration::from_millis(400);
pub const PACE_MAX: Duration = Duration::from_millis(20);
/// Events past which the books of a sale lag no further, however busy the buyers; at most half of what sheds `backlog`.
pub const DEFERRED_EVENTS_MAX: u64 = BACKLOG_EVENTS_MAX / 2;
/// Sales written at once by one writer.
pub const WRITER_SALES_AT_ONCE: usize = 4;
/// Between two looks for backlog when there was none, at first and at most.
pub const WRITER_PAUSE_MIN: Duration = Duration::from_millis(10);
pub const WRITER_PAUSE_MAX: Duration = Duration::from_millis(100);
/// After an error of the server.
pub const WRITER_RETRY_PAUSE: Duration = Duration::from_millis(500);
/// Sales without backlog that a writer looks at in a second: with many of them each is looked at less often. Some 2 µs of Redis each.
pub const LOOKS_PER_SECOND_MAX: u64 = 5_000;
/// A sale that is over, is in the books as a whole, and has no hold left to end rests: it is looked at so seldom, which bounds how
/// late a change by staff reaches the books.
pub const REST_LOOK_EVERY: Duration = Duration::from_secs(30);
/// A window counts as over for so long after its end: more than any two clocks that scripts accept may differ by.
pub const REST_AFTER: Duration = Duration::from_secs(120);
/// A sale that has been rebuilt stays awake for so long, past any receipt's grace: whoever has one buys also from a sale that is over.
pub const REST_AFTER_REBUILD: Duration = Duration::from_secs(90);
/// Between two looks for newly published sales.
pub const ROSTER_EVERY: Duration = Duration::from_millis(250);
/// For MySQL to name them, a connection included.
pub const ROSTER_TIMEOUT: Duration = Duration::from_secs(2);
/// Dead letters a minute past which a sale's writer stops and asks for a person.
pub const DEAD_LETTERS_PER_MINUTE_MAX: usize = 3;
/// Between two tries of a sale that is stopped, and between two looks for what other writers have stopped.
pub const STOPPED_LOOK_EVERY: Duration = Duration::from_secs(2);
pub const STOPS_EVERY: Duration = Duration::from_secs(1);
/// A vouch that has waited for an engine's word for so long is said to wait: longer than an engine that is dead makes it wait.
pub const VOUCH_UNHEARD_ALARM: Duration = Duration::from_secs(5);
/// Longest wait between two sweeps of a sale: covers a clock that moved.
pub const SWEEP_EVERY_MAX: Duration = Duration::from_secs(20);
/// Shortest one, and the wait after a sale could not be swept.
pub const SWEEP_EVERY_MIN: Duration = Duration::from_millis(200);
/// After a rebuild nothing that is being paid for ends sooner: longer than a back-office's longest pause between two tries to settle what was
/// captured (`RETRY_MAX`, 10 s), so that a payment that was overdue only because of the loss finds its units.
pub const PAYING_GRACE: Duration = Duration::from_secs(15);
/// Between two rounds of per-sale gauges, and between two looks at a sale in which nothing has happened.
pub const GAUGES_EVERY: Duration = Duration::from_secs(1);
pub const GAUGES_EVERY_IDLE: Duration = Duration::from_secs(10);

// ── Witnesses ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Between two looks at which server process Redis is.
pub const WITNESS_EVERY: Duration = Duration::from_millis(200);
/// Between two times that what buyers were told is added up in MySQL.
pub const TALLY_EVERY: Duration = Duration::from_secs(1);
/// Rows of that in one statement, about; of sales past it the next one tells.
pub const TALLY_ROWS_MAX: usize = 1_000;
/// Between two signs of life in MySQL.
pub const HEARTBEAT_EVERY: Duration = Duration::from_secs(1);
/// An engine silent for so long is not waited for when a writer vouches.
pub const ENGINE_LIFE: Duration = Duration::from_secs(3);
/// Between two looks at whether a rebuild asks for what this engine remembers.
pub const ASKS_EVERY: Duration = Duration::from_millis(200);
/// Asks of rebuilds that an engine knows to have answered.
pub const ASKS_REMEMBERED_MAX: usize = 10_000;
/// Sales per look at how far the books are with what is remembered of them.
pub const FLUSHED_LOOK_SALES_MAX: usize = 1_000;

// ── Rebuild ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Sales rebuilt at once by one writer, each with two connections of its own.
pub const REBUILDS_AT_ONCE: usize = 4;
/// Session `wait_timeout` of those: between two statements lie some seconds of loading Redis at most.
pub const REBUILD_WAIT_TIMEOUT_S: u32 = 30;
/// A whole rebuild: a million reservations take a third of it.
pub const REBUILD_TIMEOUT: Duration = Duration::from_secs(120);
/// For every live engine to hand over what it remembers, from the last part that arrived on; an engine that dies meanwhile is not waited for (`ENGINE_LIFE`).
pub const HANDOVER_WAIT: Duration = Duration::from_secs(10);
/// Between two looks at who has.
pub const HANDOVER_POLL: Duration = Duration::from_millis(50);
/// After a rebuild that could not be done; and after one that waits for a person.
pub const REBUILD_RETRY_PAUSE: Duration = Duration::from_millis(500);
pub const REBUILD_WAITS_PAUSE: Duration = Duration::from_secs(5);
/// For MySQL to name what staff have requested, and to take what came of it, a connection included.
pub const REQUESTS_TIMEOUT: Duration = Duration::from_secs(2);
/// Between two looks for rebuilds that staff have requested.
pub const REQUESTS_EVERY: Duration = Duration::from_millis(500);
/// Reservations read from the books at once.
pub const REBUILD_ROWS: u32 = 1_000;
/// Ranges of lost events, and reservations without units, that a report names one by one.
pub const REPORT_ROWS_MAX: usize = 100;

/// An engine that has been silent for so long is not asked at all: no outage of MySQL that a sale lives through is longer.
pub const ENGINE_MEMORY: Duration = Duration::from_secs(600);

// ── Self-check ───────────────────────────────────────────────────────────────────────────────────────────────────

/// Between two checks of the server's settings against the ack level.
pub const SELF_CHECK_EVERY: Duration = Duration::from_secs(2);

// ── MySQL connections and shutdown ───────────────────────────────────────────────────────────────────────────────

/// Users that a conductor reads from a line in one step: Redis is busy for a millisecond or two.
pub const DRAW_SCAN_ROWS: usize = 2_000;
/// How long one engine lets another go first with a draw, for each who came early: about what reading one takes.
pub const DRAW_STAGGER_EACH: Duration = Duration::from_micros(1);
/// Engines that begin a draw at once fall into so many turns.
pub const DRAW_STAGGER_SLOTS: u32 = 3;
/// For the list of a draw to be written before it. Past it buyers wait for no books.
pub const DRAW_LIST_WAIT: Duration = Duration::from_secs(5);
/// Tries to write it afterwards, and the pause before each: an hour, which is longer than any MySQL is away and yet not for ever.
pub const DRAW_LIST_TRIES: u32 = 720;
pub const DRAW_LIST_PAUSE: Duration = Duration::from_secs(5);

/// Connections of the front (look-ups of unknown sales, signs of life).
pub const FRONT_CONNECTIONS: u32 = 4;
/// Waiting for a connection, or for MySQL at all, on the front.
pub const FRONT_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(2);
/// An answer of MySQL to the front, the wait for a connection included.
pub const FRONT_QUERY_TIMEOUT: Duration = Duration::from_secs(3);
/// After readiness flips, for the load balancer to notice.
pub const DRAIN_NOTICE: Duration = Duration::from_millis(500);
/// Then for requests under way to end.
pub const DRAIN_REQUESTS: Duration = Duration::from_secs(6);
/// A connection silent for so long is closed while draining; and between two looks at that.
pub const DRAIN_SILENCE: Duration = Duration::from_millis(100);
pub const DRAIN_STEP: Duration = Duration::from_millis(20);
/// Then for writer and sweeper to end their step.
pub const DRAIN_TASKS: Duration = Duration::from_secs(3);
/// Of `Retry-After`, in seconds: at least this, and up to so many more than what is to be waited for, in turn, so that those who wait do not return at
/// once. Who is past a rate knows when the next request passes; who met an overload does not.
pub const RETRY_AFTER_MIN_S: u64 = 1;
pub const RETRY_SPREAD_RATE_S: u64 = 1;
pub const RETRY_SPREAD_LOAD_S: u64 = 2;

const _: () = {
    assert!(QUEUE_REQUESTS_MAX > BATCH_REQUESTS_MAX * CALLS_PER_SALE_MAX);
    assert!(
        QUEUE_STOOD_LIFE.as_millis() > CALL_TIMEOUT.as_millis() + PACE_MAX.as_millis(),
        "a call that takes its time is no rest"
    );
    assert!(RATE_BUCKETS.is_multiple_of(RATE_BUCKETS_A_PAGE));
    assert!(IN_FLIGHT_MIN < QUEUE_REQUESTS_MAX);
    assert!(
        DELAY_TARGET.as_millis() < QUEUE_WAIT_STANDING_MAX.as_millis(),
        "refused before it waits in vain"
    );
    assert!(LOAD_LOOK_EVERY.as_millis() > DELAY_TARGET.as_millis());
    assert!(LOAD_LOOK_EVERY.as_millis() * LOAD_LOOKS as u128 >= QUEUE_STANDS_AFTER.as_millis());
    assert!(
        CALL_TIMEOUT.as_millis() > SCRIPT_TIMEOUT.as_millis(),
        "a call that times out by itself says more"
    );
    assert!(
        FORECAST_LOW < 1.0 - FORECAST_TOLERANCE && 1.0 + FORECAST_TOLERANCE < FORECAST_HIGH,
        "an estimate that is kept keeps its promises"
    );
    assert!(
        ADVANCE_EVERY.as_millis() * 2 < REPORT_LIFE.as_millis(),
        "a report that is late is still one"
    );
    assert!(
        ADVANCE_EVERY.as_millis() < NUMBER_RIPE.as_millis(),
        "a number is reported before it may be passed over"
    );
    assert!(LINE_IDLE.as_millis() > 2 * POLL_AFTER_MAX.as_millis());
    assert!(
        FRONT_QUERY_TIMEOUT.as_millis() > FRONT_ACQUIRE_TIMEOUT.as_millis(),
        "a wait for a connection that times out by itself says more"
    );
    assert!(
        BOOKS_WAIT_MAX.as_millis() < DRAIN_REQUESTS.as_millis(),
        "a draining engine gives its last answers"
    );
    assert!(
        HANDOVER_WAIT.as_millis() > ENGINE_LIFE.as_millis() + ASKS_EVERY.as_millis(),
        "an engine that is dead must not keep a rebuild from its end"
    );
    assert!(
        HANDOVER_WAIT.as_secs() < REBUILD_WAIT_TIMEOUT_S as u64
            && CALL_TIMEOUT.as_millis() < HANDOVER_WAIT.as_millis()
    );
    assert!(REBUILD_ROWS as usize <= doorbuster_core::limits::LOAD_ROWS_MAX);
    assert!(SHIELD_LIFE.as_millis() > 2 * SHIELD_CHECK_EVERY.as_millis());
    assert!(
        SHIELD_LIFE.as_millis() < 1_000,
        "a returned unit is sold within a second on every engine"
    );
    assert!(
        WRITER_WAIT_TIMEOUT_S as u64 > WRITER_REDIS_TIMEOUT.as_secs(),
        "a live writer must not lose its own connection"
    );
    assert!(
        REST_AFTER_REBUILD.as_millis() > RECEIPT_GRACE.as_millis() + ROSTER_TIMEOUT.as_millis(),
        "a roster hears of a rebuild after its swap"
    );
    assert!(VOUCH_UNHEARD_ALARM.as_millis() > ENGINE_LIFE.as_millis());
    assert!(
        LINGER_TIMEOUT.as_millis() < DRAIN_REQUESTS.as_millis(),
        "the last answers of a draining engine arrive"
    );
    assert!(
        DRAIN_NOTICE.as_millis() + DRAIN_REQUESTS.as_millis() + DRAIN_TASKS.as_millis() < 10_000,
        "L7: drained in 10 s"
    );
};
