//! Every bound of the harness, in one place, with the relations between them checked at compile time.

use std::time::Duration;

/// Keep-alive connections to all engines together; a quarter of the ports that one address has to offer.
pub const CONNECTIONS_MAX: usize = 8_000;
/// Connections unless asked otherwise: users share them, as they share the proxies of a shop.
pub const CONNECTIONS_DEFAULT: usize = 1_000;
/// Connections being opened at one moment.
pub const OPENING_MAX: usize = 256;
/// Errands of one run, a user's request under one key being an errand. Each keeps its history in memory, about 1 KiB.
pub const ERRANDS_MAX: u64 = 1_000_000;
/// Sends of one errand at once.
pub const SENDS_PER_ERRAND_MAX: u32 = 1_000;
/// Sends of one run that are asked for by --duplicate.
pub const SENDS_MAX: u64 = 4_000_000;
/// Users set going before those who are on their way get a turn.
pub const SPAWNED_AT_ONCE_MAX: usize = 256;
/// Engines that a stage starts.
pub const ENGINES_MAX: usize = 32;
/// Seconds over which arrivals may be spread.
pub const ARRIVAL_SECONDS_MAX: u64 = 3_600;

/// A connection that was silent for longer is opened anew: an engine closes it after 15 seconds.
pub const CONNECTION_IDLE_MAX: Duration = Duration::from_secs(10);
/// Opening one connection.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// One request, from its first byte to the last of its answer. Past it the outcome is unknown.
pub const EXCHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Head of an answer.
pub const ANSWER_HEAD_BYTES_MAX: usize = 16 * 1024;
/// Body of an answer.
pub const ANSWER_BODY_BYTES_MAX: usize = 1024 * 1024;
/// Headers of an answer.
pub const ANSWER_HEADERS_MAX: usize = 32;

/// Sends of one request until its user gives up.
pub const TRIES_MAX: u32 = 60;
/// How long a user keeps trying, counted from the moment at which it wanted to start.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// The longest pause that a Retry-After may impose.
pub const RETRY_AFTER_MAX: Duration = Duration::from_secs(10);
/// Pause after a 429 or 503 that names none.
pub const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(1);
/// First pause after a broken connection; doubled up to the next.
pub const BACKOFF_MIN: Duration = Duration::from_millis(20);
pub const BACKOFF_MAX: Duration = Duration::from_secs(1);
/// How long someone looks at a hold before cancelling it, at most.
pub const SECOND_THOUGHTS_MAX: Duration = Duration::from_millis(300);

/// From the request to open until every engine sells.
pub const OPENING_BOUND: Duration = Duration::from_secs(30);
/// One call to the back-office.
pub const ADMIN_TIMEOUT: Duration = Duration::from_secs(20);
/// From the last answer until the journal is in MySQL.
pub const FLUSH_BOUND: Duration = Duration::from_secs(120);
/// Pause between two looks at a condition.
pub const POLL_STEP: Duration = Duration::from_millis(20);
/// Looks at Redis and MySQL until both stand still at the same event.
pub const SETTLED_LOOKS_MAX: usize = 50;
/// Pause between two attempts of the audit to reach Redis again.
pub const RECONNECT_PAUSE_MS: u32 = 100;
/// Rows that one statement of the audit reads.
pub const AUDIT_PAGE_ROWS: u32 = 20_000;
/// Orders of which one statement reads the ledger; each has some ten rows there.
pub const AUDIT_IDS: usize = 1_000;
/// Fields that one scan step asks Redis for.
pub const SCAN_COUNT: u32 = 2_000;

/// Findings that are kept in words; all are counted.
pub const FINDINGS_KEPT_MAX: usize = 100;
/// Entries of a draw that one answer brings: less than an answer may hold by half.
pub const VERIFY_PAGE: u32 = 10_000;
/// How old a sold-out answer may be: what the engine promises for a unit that came back.
pub const SOLD_OUT_STALE: Duration = Duration::from_millis(1_000);
/// Points on the report's time axis.
pub const CHART_POINTS: usize = 60;
/// Connections of buyers at the till, to all back-offices together.
pub const CHECKOUT_CONNECTIONS: usize = 256;
/// How long a buyer waits for the end of an order.
pub const CHECKOUT_PATIENCE: Duration = Duration::from_secs(150);
/// Between two looks at an order, first and at most.
pub const CHECKOUT_LOOK_FIRST: Duration = Duration::from_millis(100);
pub const CHECKOUT_LOOK_MAX: Duration = Duration::from_secs(1);
/// From the last answer until every order must have come to an end, and between two looks whether they have.
pub const MONEY_REST_BOUND: Duration = Duration::from_secs(120);
pub const MONEY_REST_LOOK: Duration = Duration::from_millis(200);
/// Of the measurement of checkout: how long the provider takes, the length of a burst, buyers at the till at once, and holds made for each
/// second, more than can be paid for.
pub const BENCH_CHECKOUT_LATENCY_MS: u64 = 20;
pub const BENCH_CHECKOUT_BURST: Duration = Duration::from_secs(10);
pub const BENCH_CHECKOUT_WORKERS: usize = CHECKOUT_CONNECTIONS;
pub const BENCH_CHECKOUT_HOLDS_PER_SECOND: u64 = 3_000;
/// How long the provider is away, orders and reservations a second meanwhile, and when the backlog must be done at all.
pub const BENCH_CHECKOUT_OUTAGE: Duration = Duration::from_secs(60);
pub const BENCH_CHECKOUT_OUTAGE_RATE: u64 = 50;
pub const BENCH_CHECKOUT_RESERVATIONS_RATE: f64 = 1_000.0;
pub const BENCH_CHECKOUT_BACK_BOUND: Duration = Duration::from_secs(180);
/// Bytes of one line of a saved history.
pub const HISTORY_LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// Connections of the light client, unless a measurement is about connections.
pub const LOAD_CONNECTIONS: usize = 256;
/// Units that one buyer of a benchmark may have: counted at every request, and never met.
pub const BENCH_UNITS_PER_USER: u32 = 1_000;
/// Units on offer where none shall run out, where few are, and for a crowd of so many.
pub const BENCH_STOCK: u32 = 10_000_000;
pub const BENCH_SMALL_STOCK: u32 = 1_000;
pub const BENCH_CROWD: u32 = 10_000;
pub const BENCH_CROWD_STOCK: u32 = 100;
/// Length of a measurement of the yardstick, and of a sustained one.
pub const BENCH_BARE_SECONDS: Duration = Duration::from_secs(2);
/// What is compared takes turns so short that a machine whose speed changes within seconds is as fast for either; so
/// many turns in a round.
pub const BENCH_TURN: Duration = Duration::from_millis(500);
pub const BENCH_TURNS: u32 = 4;
pub const BENCH_SUSTAINED: Duration = Duration::from_secs(60);
/// Rates of the search for the knee: the first, and the one past which there is no use in looking; halvings between the
/// last that was held and the first that was not; connections of a step; and the rest after each.
pub const KNEE_FIRST_RATE: f64 = 1_000.0;
pub const KNEE_RATE_MAX: f64 = 100_000.0;
pub const KNEE_HALVINGS: u32 = 3;
pub const KNEE_CONNECTIONS_MAX: usize = 14_000;
pub const KNEE_REST: Duration = Duration::from_secs(1);
/// The p99 within which a rate must be served, in ms: shorter is below the clock of a busy machine, and a request that takes
/// longer than that is given up.
pub const KNEE_BOUND_MS_MIN: f64 = 1.0;
pub const KNEE_BOUND_MS_MAX: f64 = EXCHANGE_TIMEOUT.as_millis() as f64;
/// Chunks that a wire holds in one direction.
pub const PROXY_CHUNKS_MAX: usize = 1_024;
/// After an accept that failed on a wire.
pub const WIRE_RETRY_PAUSE: Duration = Duration::from_millis(20);
/// Between two looks at how far the books lag.
pub const LAG_LOOK_EVERY: Duration = Duration::from_millis(50);
/// Holds whose memory is measured, and their buyers, each with few enough to end.
pub const BENCH_MEMORY_HOLDS: u64 = 100_000;
pub const BENCH_MEMORY_BUYERS: u32 = 25_000;
/// Life of these holds, long enough that all are open when they are measured; how long they may take to be placed; and
/// how long after that until all have ended: many times their life, for a machine that is slow to sweep.
pub const BENCH_MEMORY_HOLD_LIFE: Duration = Duration::from_secs(8);
pub const BENCH_MEMORY_PLACING_MAX: Duration = Duration::from_secs(60);
pub const BENCH_MEMORY_ENDED_BOUND: Duration = Duration::from_secs(120);
/// Of an engine that nobody asks: until what the opening of a sale set off is over, and how long it is watched then.
pub const BENCH_IDLE_REST: Duration = Duration::from_secs(1);
pub const BENCH_IDLE_LOOK: Duration = Duration::from_secs(5);
/// Between two rounds beside one script call per request, so that what one left to do is not measured in the next.
pub const BENCH_PER_CALL_REST: Duration = Duration::from_millis(200);
/// Sales that are opened at once where many are wanted.
pub const BENCH_OPENED_AT_ONCE: usize = 8;
/// Live sales beside which one is measured, requests in each batch, batches of one measurement, its rounds at most, and
/// the buyers of a small sale and of a large one.
pub const SPREAD_SALES: usize = 1_000;
pub const SPREAD_BATCH: usize = 64;
pub const SPREAD_BATCHES: usize = 2_000;
pub const SPREAD_ROUNDS_MAX: u32 = 3;
pub const SPREAD_BUYERS_FEW: u64 = 1_000;
pub const SPREAD_BUYERS_MANY: u64 = 1_000_000;
/// Buyers of a benchmark: at 100,000 requests a second each asks once in two seconds, below every limit per user.
pub const BENCH_BUYERS: u32 = 200_000;
/// People of a line that is measured; those who join in one round; how long the rest may take to join; and the rest after which everyone
/// may poll again, half of the longest poll_after.
pub const BENCH_LINE_PEOPLE: u32 = 1_000_000;
pub const BENCH_LINE_JOINED: u32 = 60_000;
/// So many people poll in a turn at most, each once.
pub const BENCH_LINE_POLLED: u32 = 80_000;
pub const BENCH_LINE_FILL_MAX: Duration = Duration::from_secs(300);
pub const BENCH_LINE_REST: Duration = Duration::from_secs(16);
/// What the light client keeps of a refusal's code.
pub const LOAD_CODE_BYTES_MAX: usize = 32;
/// Between two attempts of the light client to open a connection beforehand.
pub const LOAD_OPENING_PAUSE: Duration = Duration::from_millis(50);

/// Connections that the people of a line share, unless asked otherwise: few enough that engines and client spend their time on people.
pub const LINE_CONNECTIONS_DEFAULT: usize = 2_000;
/// People who come in a second, unless asked otherwise, and the shortest time over which they come.
pub const LINE_ARRIVALS_PER_SECOND: u32 = 5_000;
pub const LINE_ARRIVING_MIN: u64 = 5;
/// From the first word to the back-office until the first guest: by then the sale is there on every engine.
pub const LINE_RUN_UP: Duration = Duration::from_secs(3);
/// The last early guests come so long before the opening, so that no slow answer makes them late.
pub const LINE_DOORSTEP: Duration = Duration::from_millis(500);
/// How often it is looked whose turn it is.
pub const LINE_STEP: Duration = Duration::from_millis(2);
/// Until the next poll, where the line does not say; the longest that it may say; and the longest that an admitted person thinks.
pub const LINE_POLL_AFTER_DEFAULT: Duration = Duration::from_secs(1);
pub const LINE_POLL_AFTER_MAX: Duration = Duration::from_secs(60);
pub const LINE_THINKING_MAX: Duration = Duration::from_millis(500);
/// Promises of one person that are kept in memory.
pub const LINE_PROMISES_MAX: usize = 128;
/// Places that one person uses up before giving up.
pub const LINE_REJOINS_MAX: u32 = 2;
/// Share of the people who now and then join again.
pub const LINE_RELOADERS: f64 = 0.05;
/// A bot's pause, whatever it is told, and after how many polls it tries to buy without being admitted.
pub const LINE_BOT_EVERY: Duration = Duration::from_millis(250);
pub const LINE_BOT_SNEAKS: u32 = 8;
/// Connections that each bot opens for nothing, and all of them at most.
pub const LINE_BOT_CONNECTIONS: usize = 4;
pub const LINE_HOARD_MAX: usize = 4_000;
/// Between two looks at the line, and between two lines of progress.
pub const LINE_LOOK_EVERY: Duration = Duration::from_millis(200);
pub const LINE_SAY_EVERY: Duration = Duration::from_secs(2);
/// Once nothing is left for so long, the sale is closed; it is closed in any case so long after its opening.
pub const LINE_QUIET: Duration = Duration::from_secs(5);
pub const LINE_BOUND: Duration = Duration::from_secs(900);
/// From then on, until everyone has heard it: the longest poll_after and a little.
pub const LINE_GOING_HOME: Duration = Duration::from_secs(90);
/// Added to a stage's time for people to come, so that a line that shall break still moves afterwards.
pub const LINE_TROUBLED_SECONDS: u64 = 20;
/// How long Redis stands still in a line that shall be troubled so.
pub const LINE_HANG: Duration = Duration::from_secs(10);
/// How many seconds of its rate a line may be ahead of its clock.
pub const LINE_BURST_SECONDS: f64 = 2.0;
/// Whoever was heard of so long after a loss has the place back.
pub const LINE_RESTORED_BOUND: Duration = Duration::from_secs(10);
/// A place that is alive may be told to wait so long after a later one was let in: reports are as old as that.
pub const LINE_OVERTAKE: Duration = Duration::from_secs(4);
/// Connections that try false tickets, and people in each role.
pub const FORGE_CONNECTIONS: usize = 128;
pub const FORGE_PEOPLE: u32 = 500;
/// The place life of those whose tickets are shown again when it is over; between two looks at who is admitted, longer than a line wants
/// to be left alone; and looks until they must be.
pub const FORGE_USED_UP: Duration = Duration::from_secs(5);
pub const FORGE_REST: Duration = Duration::from_millis(1_500);
pub const FORGE_LOOKS_MAX: u32 = 40;

/// Processes of a drill: two of each, so that one can be broken while the other goes on.
pub const DRILL_FRONTS: usize = 2;
pub const DRILL_WRITERS: usize = 2;
/// Buyers a second, unless asked otherwise and at most; each is an errand of its own.
pub const DRILL_RATE: u32 = 600;
pub const DRILL_RATE_MAX: u32 = 5_000;
/// At most, where buyers pay.
pub const DRILL_PAYING_RATE: u32 = 150;
/// Connections that they share.
pub const DRILL_CONNECTIONS: usize = 200;
/// The longest outage of a fault, and one of those of which there are many.
pub const DRILL_OUTAGE_SECONDS: u64 = 60;
pub const DRILL_OUTAGE_SECONDS_SHORT: u64 = 2;
/// How long buyers come in one round at most; the longest faults last a minute.
pub const DRILL_ROUND_SECONDS_MAX: u32 = 150;
/// Before the first fault of a round, so that there is something to lose; between two; and after the last.
pub const DRILL_WARM_UP: Duration = Duration::from_millis(800);
pub const DRILL_PAUSE_MAX: Duration = Duration::from_millis(800);
pub const DRILL_TAIL: Duration = Duration::from_millis(500);
/// Units left for the last buyers of a round, and those who come for them: more, so that the last unit is fought for.
pub const DRILL_LAST_UNITS: u64 = 300;
pub const DRILL_LAST_BUYERS: usize = 500;
/// Acceptances by which it is known that a sale sells again.
pub const DRILL_SELLS: u64 = 5;
/// What is waited for before a fault counts as not healed; the goals are below it.
pub const DRILL_HEALED_BOUND: Duration = Duration::from_secs(60);
/// Until a program that was started or healed says that it is ready.
pub const DRILL_READY_BOUND: Duration = Duration::from_secs(20);
/// Of the log of a program that does not answer when it should.
pub const DRILL_LOG_LINES: usize = 25;
/// And of one that has ended, to tell whether its crash point did it; the other threads may have said something meanwhile.
pub const DRILL_LAST_WORDS: usize = 3;
/// Until a crash point must have struck under load.
pub const DRILL_CRASH_BOUND: Duration = Duration::from_secs(20);
/// Rounds on one stage; then a fresh one, whose books are short.
pub const DRILL_ROUNDS_PER_STAGE: u32 = 8;
/// Cycles of one fault, and hours of a drill, that can be asked for.
pub const DRILL_CYCLES_MAX: u32 = 100_000;
/// Strikes of one round: its buyers last no longer.
pub const DRILL_STRIKES_MAX: u32 = 50;
pub const DRILL_HOURS_MAX: f64 = 240.0;
/// Until a round with a planted bug counts as one that the bug keeps from ending; without it the same round must end in time.
pub const DRILL_PLANTED_BOUND: Duration = Duration::from_secs(60);
/// Until its books count as ones that the bug keeps from being complete.
pub const DRILL_PLANTED_FLUSH: Duration = Duration::from_secs(15);
/// Recovery goals: selling again after Redis is back; books complete after MySQL is back; a process that was told to stop has
/// stopped; goodput after a retry storm.
pub const DRILL_READMISSION: Duration = Duration::from_secs(5);
pub const DRILL_DRAINED: Duration = Duration::from_secs(30);
pub const DRILL_PAYING: Duration = Duration::from_secs(30);
pub const DRILL_STOPPED: Duration = Duration::from_secs(10);
pub const DRILL_GOODPUT: Duration = Duration::from_secs(10);
/// And selling after a loss: a rebuild waits for three seconds where engines died with Redis.
pub const DRILL_REBUILT: Duration = Duration::from_secs(10);
/// Idle connections of a flood.
pub const DRILL_IDLE_CONNECTIONS: usize = 500;
/// Sends of each request where everything comes several times.
pub const DRILL_DUPLICATES: u32 = 4;

/// Life of the tokens of a run.
pub const TOKEN_LIFE: Duration = Duration::from_secs(6 * 3_600);

/// Connections of a rival's clients; as many as an engine takes.
pub const RIVAL_CONNECTIONS_MAX: usize = 16_384;
/// Its clients' connections that wait to be accepted.
pub const RIVAL_LISTEN_BACKLOG: u32 = 8_192;
/// What it buffers of a connection while it reads a head.
pub const RIVAL_CONNECTION_BUFFER_BYTES: usize = 32 * 1024;
/// Headers of one request to it.
pub const RIVAL_HEADERS_MAX: usize = 64;
/// Sockets that it listens on, each with such a queue.
pub const RIVAL_LISTEN_SOCKETS: usize = 4;
/// After a connection could not be accepted.
pub const RIVAL_ACCEPT_PAUSE: Duration = Duration::from_millis(20);
/// Body of one request to it.
pub const RIVAL_BODY_BYTES_MAX: usize = 16 * 1024;
/// From the end of the head to the end of the body.
pub const RIVAL_BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// From the checks to the answer; twice what our engine takes, past it the outcome is unknown.
pub const RIVAL_ANSWER_TIMEOUT: Duration = Duration::from_secs(8);
/// How long a rival says that it holds units.
pub const RIVAL_HOLD: Duration = Duration::from_secs(300);
/// Units that one user may have where a way counts them. Never reached: what is compared is the cost of counting.
pub const RIVAL_UNITS_PER_USER_MAX: u32 = 1_000_000;
/// Connections of a rival to the store that decides, unless asked otherwise and at most.
pub const RIVAL_STORE_CONNECTIONS: u32 = 16;
pub const RIVAL_STORE_CONNECTIONS_MAX: u32 = 256;
/// Waiting for one of them; past it nothing was decided.
pub const RIVAL_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(6);
/// Statements that a database connection keeps prepared: one per size of a batch, and the few others.
pub const RIVAL_STATEMENTS_MAX: usize = 512;
/// Tries of one order, or batch, among those who race for the same row; past it nothing was decided.
pub const RIVAL_TRIES_MAX: u32 = 100;
/// Longest pause before the second try; doubled with each up to the next.
pub const RIVAL_PAUSE_MIN: Duration = Duration::from_micros(200);
pub const RIVAL_PAUSE_MAX: Duration = Duration::from_millis(50);
/// Units of a sale that has a row for each.
pub const RIVAL_UNIT_ROWS_MAX: u32 = 1_000_000;
/// Of those, how many one statement inserts.
pub const RIVAL_UNITS_PER_STATEMENT: usize = 1_000;
/// Orders that wait for a rival's combiner; past it they are shed at once.
pub const RIVAL_QUEUE_ORDERS_MAX: usize = 16_384;
/// Orders of one of its transactions.
pub const RIVAL_BATCH_ORDERS_MAX: usize = 256;
/// Its transactions under way at once, at most.
pub const RIVAL_CALLS_MAX: u32 = 8;
/// A command to Redis.
pub const RIVAL_REDIS_TIMEOUT: Duration = Duration::from_secs(5);
/// After which a lock in Redis is anyone's.
pub const RIVAL_LOCK_LIFE: Duration = Duration::from_secs(2);
/// Waiting for it; past it nothing was decided.
pub const RIVAL_LOCK_WAIT: Duration = Duration::from_secs(6);
/// Between two writes of a cached stock to MySQL.
pub const RIVAL_WRITE_BACK_EVERY: Duration = Duration::from_millis(200);

/// Connections of a rival to its store that are tried, and how long each number is.
pub const COMPARE_POOLS: &[u32] = &[2, 8, 16, 32, 64];
pub const COMPARE_POOL_SECONDS: f64 = 0.4;
/// Before the first round, so that statements are prepared and caches are warm.
pub const COMPARE_WARM_UP_SECONDS: f64 = 0.2;
/// Rounds of a comparison.
pub const COMPARE_ROUNDS_MAX: u32 = 100;
/// Seconds of one measurement, or until it is cut.
pub const COMPARE_SECONDS_MIN: f64 = 0.1;
pub const COMPARE_SECONDS_MAX: f64 = 60.0;
/// Units of a way that has a row for each, where none shall run out: more than it can sell in a second.
pub const COMPARE_UNIT_ROWS_PER_SECOND: f64 = 30_000.0;
/// Every so many requests of a crowd, one repeats that before it.
pub const COMPARE_REPEAT_EVERY: u64 = 20;
/// Those who come in crowds and after them: many more than asked for at once, below every limit per user.
pub const COMPARE_CROWD_BUYERS: u32 = 50_000;
/// Between two looks at whether all is quiet, what may be spent meanwhile if it is, and until it is no longer waited for.
pub const COMPARE_QUIET_STEP: Duration = Duration::from_millis(50);
pub const COMPARE_QUIET_SPENT_MAX: Duration = Duration::from_millis(5);
pub const COMPARE_QUIET_BOUND: Duration = Duration::from_secs(3);

/// A mail of the demo: a line of text and a link.
pub const MAIL_BYTES_MAX: usize = 64 << 10;
/// Mails that nobody has read yet; the demo sends two.
pub const MAILS_WAITING_MAX: usize = 16;
/// Longer than a mail takes on this machine, also while it does something else.
pub const MAIL_BOUND: Duration = Duration::from_secs(30);

const _: () = {
    assert!(CONNECTIONS_DEFAULT <= CONNECTIONS_MAX);
    assert!(BACKOFF_MIN.as_millis() < BACKOFF_MAX.as_millis());
    assert!(RETRY_AFTER_DEFAULT.as_millis() <= RETRY_AFTER_MAX.as_millis());
    assert!(TOKEN_LIFE.as_secs() < doorbuster_core::limits::TOKEN_LIFE_MAX.as_secs());
    assert!(TOKEN_LIFE.as_secs() > ARRIVAL_SECONDS_MAX + PATIENCE.as_secs());
    assert!(LINE_CONNECTIONS_DEFAULT <= CONNECTIONS_MAX);
    assert!(LINE_GOING_HOME.as_secs() > LINE_POLL_AFTER_MAX.as_secs());
    assert!(TOKEN_LIFE.as_secs() > 2 * ARRIVAL_SECONDS_MAX + LINE_BOUND.as_secs());
    assert!(BENCH_MEMORY_HOLD_LIFE.as_secs() < BENCH_MEMORY_ENDED_BOUND.as_secs());
    assert!(
        RIVAL_ANSWER_TIMEOUT.as_secs() < EXCHANGE_TIMEOUT.as_secs(),
        "a client hears that the outcome is unknown before it gives up"
    );
    assert!(RIVAL_ACQUIRE_TIMEOUT.as_secs() < RIVAL_ANSWER_TIMEOUT.as_secs());
    assert!(RIVAL_LOCK_WAIT.as_secs() < RIVAL_ANSWER_TIMEOUT.as_secs());
    assert!(
        RIVAL_LOCK_LIFE.as_secs() < RIVAL_LOCK_WAIT.as_secs(),
        "a lock whose holder is gone is waited for"
    );
    assert!(RIVAL_STATEMENTS_MAX > RIVAL_BATCH_ORDERS_MAX);
    assert!(
        RIVAL_STATEMENTS_MAX * (RIVAL_CALLS_MAX as usize) < 16_382,
        "what MySQL keeps prepared"
    );
};
