//! Every bound of the back-office, in one place: sizes, waits and counts. What it shares with the engine is in `doorbuster_core::limits`.

use std::time::Duration;

use doorbuster_core::limits::{REDIS_CONNECT_TIMEOUT, SCRIPT_TIMEOUT};

/// Bytes of a request body.
pub const BODY_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a request's head; more is answered by 431.
pub const HEAD_BYTES_MAX: usize = 16 * 1024;
/// From the first byte of a connection, or of a further request on it, to the end of the head.
pub const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// From the head to the last byte of the body.
pub const BODY_TIMEOUT: Duration = Duration::from_secs(5);
/// From the head to the answer. Past it the client is told that the outcome is unknown.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// A change goes on after its client has gone, so that script and audit row stay together; past this it is given up.
pub const WORK_TIMEOUT: Duration = Duration::from_secs(30);
/// A request id that a proxy gives is taken if it is no longer than this; the audit log has room for it.
pub const REQUEST_ID_CHARS_MAX: usize = 64;

/// From SIGTERM to the end of the last request under way; the process ends within 10 s.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(8);
/// After that, for what runs beside requests: a mail that is being handed over is given up and sent again.
pub const TASKS_DRAIN_TIMEOUT: Duration = Duration::from_secs(1);
/// Pause after an accept that failed for want of file descriptors or memory.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How often the metrics library sorts its samples.
pub const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Connections to MySQL.
pub const MYSQL_CONNECTIONS_MAX: u32 = 10;
/// Prepared statements that a connection keeps: those of orders in each of their sizes, and as many others. A server keeps 16,382 in all, where its
/// `max_prepared_stmt_count` does not say more: those of four back-offices.
pub const MYSQL_STATEMENTS_MAX: usize = 384;
/// Rows of one of them.
pub const STATEMENT_ROWS_MAX: usize = 512;
/// How long one that lies idle is believed to be there without being asked.
pub const MYSQL_TRUSTED_FOR: Duration = Duration::from_secs(1);
/// Waiting for one of them.
pub const MYSQL_ACQUIRE_TIMEOUT: Duration = Duration::from_secs(3);
/// One round of questions that were gathered: whoever asked is gone by then.
pub const ROUND_TIMEOUT: Duration = REQUEST_TIMEOUT;
/// Waiting for a row lock, in whole seconds as MySQL counts it.
pub const LOCK_WAIT_S: u32 = 5;
/// One look of /readyz at one server.
pub const READY_TIMEOUT: Duration = Duration::from_secs(1);
/// Waiting for another `migrate` to finish, in whole seconds.
pub const MIGRATE_LOCK_WAIT_S: u32 = 60;

/// How long `open` waits for a writer to vouch for the sale before it answers.
pub const VOUCH_WAIT: Duration = Duration::from_secs(2);
/// Pause between two looks during that wait.
pub const VOUCH_POLL: Duration = Duration::from_millis(20);
/// Sales that `pause` of all takes; more are on no calendar that we know of.
pub const PAUSE_ALL_SALES_MAX: u32 = 10_000;
/// Of these, script calls under way at once.
pub const PAUSE_ALL_AT_ONCE: usize = 32;
/// How long before its opening time a scheduled sale is published, where staff does not say: buyers can look, and a waiting room fills.
pub const PUBLISH_LEAD: Duration = Duration::from_secs(600);
/// Between two looks of one back-office at what is due.
pub const SCHEDULE_EVERY: Duration = Duration::from_secs(1);
/// Scheduled sales that one look takes; the rest waits a second.
pub const SCHEDULE_AT_ONCE: u32 = 20;
/// How long a back-office that has taken one is left alone with it: longer than it may work.
pub const SCHEDULE_LEASE: Duration = Duration::from_secs(40);
/// The longest pause between two tries.
pub const SCHEDULE_PAUSE_MAX: Duration = Duration::from_secs(60);
/// An engine that has given no sign of life for so long serves nobody: it gives one a second.
pub const ENGINE_SILENT: Duration = Duration::from_secs(5);
/// Holds shorter than this are pointed out to staff.
pub const HOLD_SECONDS_SHORT: u32 = 30;
/// Between two looks at a sale that somebody watches, however many do.
pub const WATCH_EVERY: Duration = Duration::from_secs(1);
/// Looks kept for those who come, or come back: two minutes, some 1 KB each.
pub const WATCH_LOOKS_KEPT: usize = 120;
/// Streams at one back-office, a connection and a task each; staff are few.
pub const WATCHERS_MAX: usize = 256;
/// Events that wait for one watcher's connection.
pub const WATCH_PIECES_MAX: usize = 16;
/// How long a watcher may leave its connection unread.
pub const WATCH_SEND_TIMEOUT: Duration = Duration::from_secs(10);
/// Life of a stream: its token is looked at anew when its client comes back.
pub const WATCH_LIFE: Duration = Duration::from_secs(300);
/// Journal entries read to tell the age of the oldest that MySQL has not got: the cursor's own, and the next.
pub const LAG_ENTRIES: usize = 2;

/// Characters of the title of a sale or an item.
pub const TITLE_CHARS_MAX: usize = 200;
/// Characters of the reason of an adjustment, or of a discard.
pub const REASON_CHARS_MAX: usize = 200;
/// Characters that are kept of why MySQL refused an event; its column has room for them.
pub const ERROR_CHARS_MAX: usize = 1_000;
/// Seconds of a hold, and of its one extension for payment.
pub const HOLD_SECONDS_MAX: u32 = 86_400;
/// Stock of a sku, and limit per user.
pub const UNITS_MAX: u32 = doorbuster_core::limits::UNITS_MAX;
/// Price of a unit, in minor units: an order of every unit there is still fits a signed 64-bit sum.
pub const AMOUNT_MAX: i64 = 9_000_000_000;

/// Points that one adjustment gives or takes; ten thousand of them still fit a balance.
pub const POINTS_MAX: i64 = 1_000_000_000_000;
/// Between two looks of one back-office at whether balances of points are the sums of their entries, and accounts that it takes at a time.
pub const POINTS_CHECK_EVERY: Duration = Duration::from_secs(3600);
pub const POINTS_CHECK_ROWS: u32 = 500;
/// Categories that a coupon is for.
pub const COUPON_CATEGORIES_MAX: usize = 20;

/// Reservations on one page of a buyer's own.
pub const PAGE_ROWS_MAX: u32 = 100;
/// The same, where the client does not say.
pub const PAGE_ROWS_DEFAULT: u32 = 20;

/// Rows of the audit log that a check, or `migrate`, takes at a time.
pub const AUDIT_ROWS: u32 = 500;
/// Roles of one account that are followed, those of roles included; one that has more is not judged.
pub const ROLES_MAX: usize = 50;

/// Entries of a draw in one answer: some 60 bytes each.
pub const DRAW_ENTRIES_MAX: u32 = 20_000;
/// The same, where the client does not say.
pub const DRAW_ENTRIES_DEFAULT: u32 = 10_000;
/// Draws of which the order is kept: 8 MB for a million.
pub const RANKINGS_KEPT: usize = 4;

/// Invites that one call makes.
pub const INVITES_MAX: u32 = 1_000_000;

/// Categories of the shop: all of them are read, and locked, at once.
pub const CATEGORIES_MAX: usize = 2_000;
/// Levels of the tree of categories.
pub const CATEGORY_DEPTH_MAX: usize = 8;
/// A category's place among its siblings.
pub const POSITION_MAX: u32 = 1_000_000;
/// Characters of a description, or of a notice; their columns have room for as many of any script.
pub const PROSE_CHARS_MAX: usize = 10_000;
/// Words to be found by, beside the titles.
pub const KEYWORDS_MAX: usize = 20;
/// Characters of one of them.
pub const KEYWORD_CHARS_MAX: usize = 40;
/// Options of a product, such as size and colour.
pub const OPTIONS_MAX: usize = 3;
/// Values of one of them.
pub const OPTION_VALUES_MAX: usize = 50;
/// Images of a product.
pub const IMAGES_MAX: usize = 20;
/// Characters of an image's address; its column has room for them.
pub const URL_CHARS_MAX: usize = 500;
/// Notices that shoppers are shown at a time.
pub const NOTICES_SHOWN_MAX: u32 = 50;
/// Skus in a cart.
pub const CART_ITEMS_MAX: u32 = 100;
/// Units of one of them.
pub const CART_QUANTITY_MAX: u32 = 999;
/// Products on a wish list.
pub const WISHES_MAX: u32 = 500;

/// Days whose reads and sales make a product popular.
pub const STATISTICS_DAYS: i64 = 7;
/// Products that have statistics; nobody pages further through what is popular.
pub const STATISTICS_PRODUCTS_MAX: u32 = 10_000;
/// Sales that Redis is asked about for them, one after the other, some 0.2 ms each.
pub const STATISTICS_SALES_MAX: u32 = 10_000;
/// Rows of one statement that writes statistics.
pub const STATISTICS_ROWS: usize = 500;
/// Products whose reads are counted between two refreshes.
pub const VIEWED_PRODUCTS_MAX: usize = 100_000;

/// Bytes of answers to shoppers that one back-office keeps: all pages of some ten thousand products.
pub const CACHE_NEAR_BYTES_MAX: u64 = 64 << 20;
/// How long it shows one before it looks again, a fifth more or less.
pub const CACHE_NEAR_LIFE: Duration = Duration::from_secs(15);
/// How long it believes that there is no such product, no notice, no category.
pub const CACHE_ABSENT_LIFE: Duration = Duration::from_secs(2);
/// How long one is in Redis, a fifth more or less.
pub const CACHE_FAR_LIFE: Duration = Duration::from_secs(30);
/// Bytes of an answer that goes there.
pub const CACHE_FAR_BYTES_MAX: usize = 16 * 1024;
/// How many one back-office puts there in a second: with their lives, some 100 MB of the sales' Redis at the very worst.
pub const CACHE_FAR_PUTS_MAX: u64 = 200;
/// For Redis to answer; MySQL is as quick as that.
pub const CACHE_FAR_TIMEOUT: Duration = Duration::from_millis(100);
/// For how long it is left alone once it did not.
pub const CACHE_FAR_PAUSE: Duration = Duration::from_secs(1);
/// Between two looks for changes to tell again, and between the first time that Redis took one and the second; then twice as long each time.
pub const CACHE_TELL_AGAIN: Duration = Duration::from_millis(250);
/// How often Redis takes each: whoever lost his connection to it has subscribed anew by the last, after some eight seconds, and has mostly after one.
pub const CACHE_TELLS: u32 = 6;
/// For how long a change is remembered against what is older: longer than anything older lives.
pub const CACHE_FLOOR_LIFE: Duration = Duration::from_secs(60);
/// Changes that are remembered; past it, everything that is near is forgotten instead.
pub const CACHE_FLOORS_MAX: usize = 10_000;
/// Looks at MySQL for one miss, where changes come while it looks.
pub const CACHE_LOADS_MAX: usize = 3;
/// Products that are read ahead at a time.
pub const CACHE_WARM_PRODUCTS: u32 = 500;
/// Between two looks at what goes on sale soon.
pub const CACHE_WARM_EVERY: Duration = Duration::from_secs(10);
/// How soon that is.
pub const CACHE_WARM_AHEAD: Duration = Duration::from_secs(60);

/// Products that `seed` adds in one transaction.
pub const SEED_PRODUCTS_AT_ONCE: usize = 5_000;
/// Rows of one of its statements, of as many columns as a product has; servers take 65,535 values.
pub const SEED_ROWS: usize = 500;
/// Products that it adds at all.
pub const SEED_PRODUCTS_MAX: u32 = 1_000_000;

/// Rows, or records, that reconcile compares at a time.
pub const RECONCILE_CHUNK: u32 = 512;
/// Rows that one run repairs in a sale, all in one transaction under the cursor's lock, which keeps the writer waiting: some
/// seconds. What is left over, the next run does.
pub const REPAIRS_MAX: usize = 10_000;
/// Journal entries that it reads from Redis at a time; each has up to 128 events.
pub const RECONCILE_ENTRIES: usize = 200;

/// Differences of one kind that a comparison of orders and money tells of; the first hundred say what is wrong.
pub const MONEY_DIFFERENCES_MAX: u32 = 1_000;
/// How long an order must have been at rest before it is held against what other processes book: writers lag some seconds.
pub const MONEY_GRACE: Duration = Duration::from_secs(120);
/// Pages of the provider's list: ten million charges.
pub const MONEY_PAGES_MAX: u32 = 20_000;
/// Orders that nobody looked after, of one reason, that one repair makes due; and of them, how many one statement locks.
pub const MONEY_HASTENED_MAX: u32 = 10_000;
pub const MONEY_HASTENED_AT_ONCE: usize = 100;
/// Runs whose reports are kept.
pub const MONEY_RUNS_KEPT: u32 = 200;
/// Between two looks whether a run is due.
pub const MONEY_LOOK_EVERY: Duration = Duration::from_secs(5);

/// Between two looks at whether Redis keeps the ack level; ten times as often while it does not.
pub const ACK_LOOK_EVERY: Duration = Duration::from_secs(2);
/// How long an order waits for the books at ack level `mysql` before it is tried again later, and between two looks: as engines do.
pub const BOOKS_WAIT: Duration = Duration::from_secs(2);
pub const BOOKS_LOOK_EVERY: Duration = Duration::from_millis(20);

/// Between two looks at how far a rebuild is.
pub const REBUILD_POLL: Duration = Duration::from_millis(100);
/// For a writer to take a request up: it looks twice a second. Past it the command starts one of its own.
pub const REBUILD_BEGIN_WAIT: Duration = Duration::from_secs(5);
/// For a rebuild; a million reservations take a tenth of it.
pub const REBUILD_WAIT: Duration = Duration::from_secs(180);

/// Characters of an e-mail address (RFC 5321 §4.5.3.1.3, without its brackets).
pub const EMAIL_CHARS_MAX: usize = 254;
/// Characters of a password: as many as a person may want, and so few that hashing them is nothing.
pub const PASSWORD_CHARS_MIN: usize = 8;
pub const PASSWORD_CHARS_MAX: usize = 128;

/// Life of an access token: as long as a revocation that never arrived could matter.
pub const ACCESS_TOKEN_LIFE: Duration = Duration::from_secs(15 * 60);
/// Life of a sign-in without use, and in all; then the password is asked for again.
pub const SESSION_IDLE_MAX: Duration = Duration::from_secs(14 * 24 * 3600);
pub const SESSION_LIFE_MAX: Duration = Duration::from_secs(30 * 24 * 3600);
/// For so long the token just replaced may come again, from a client whose answer was lost or that has two windows, and gets the same
/// successor. Later it is a stolen one.
pub const REFRESH_GRACE: Duration = Duration::from_secs(10);
/// Sign-ins of one user at once; one more ends the oldest.
pub const SESSIONS_PER_USER_MAX: u32 = 50;
/// Sign-ins, ended or not, are kept for so long after the end of their life, for those who look into what happened.
pub const SESSIONS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Life of the link that confirms an address, and of the one that sets a password.
pub const SIGN_UP_LIFE: Duration = Duration::from_secs(24 * 3600);
pub const PASSWORD_RESET_LIFE: Duration = Duration::from_secs(3600);
/// Life of the link that gives an account another address.
pub const EMAIL_CHANGE_LIFE: Duration = Duration::from_secs(24 * 3600);
/// Characters of a person's name, of a phone number, of a postal code, and of one line of an address.
pub const NAME_CHARS_MAX: usize = 100;
pub const PHONE_CHARS_MAX: usize = 32;
pub const POSTAL_CODE_CHARS_MAX: usize = 16;
pub const ADDRESS_LINE_CHARS_MAX: usize = 200;
/// Addresses of one user.
pub const ADDRESSES_PER_USER_MAX: u32 = 20;

/// Failures that cost no wait: at one account from one place, at one account from anywhere, of one place at anything (a place may
/// be a whole office), and mails of one kind to one mailbox: their links live longer than it takes until the next, so whoever reads them has one.
pub const THROTTLE_PAIR_FREE: u32 = 5;
pub const THROTTLE_ACCOUNT_FREE: u32 = 100;
pub const THROTTLE_PLACE_FREE: u32 = 300;
pub const THROTTLE_MAIL_FREE: u32 = 5;
/// Sign-ins of one user that succeed without a wait: a person with every device he has, on a day on which all sign him out; and a bound
/// on the revocations that one user can bring about, some 250 a day.
pub const THROTTLE_SIGN_INS_FREE: u32 = 100;
/// Places from which an account was used that are kept, and for how long after it was.
pub const KNOWN_PLACES_PER_USER_MAX: u32 = 20;
pub const KNOWN_PLACES_KEPT: Duration = Duration::from_secs(30 * 24 * 3600);
/// The longest wait, and the longest for an account as a whole, which strangers could bring about.
pub const THROTTLE_WAIT_MAX: Duration = Duration::from_secs(15 * 60);
pub const THROTTLE_ACCOUNT_WAIT_MAX: Duration = Duration::from_secs(30);
/// After so long one failure has worn off: of one person and place, or one mailbox, and of a place.
pub const THROTTLE_PERSON_REFILL: Duration = Duration::from_secs(600);
pub const THROTTLE_PLACE_REFILL: Duration = Duration::from_secs(1);
/// Rows so old are removed; whatever they held has worn off, or nearly.
pub const THROTTLE_FORGOTTEN: Duration = Duration::from_secs(24 * 3600);
/// Between two rounds that remove rows of the past; rows that one statement of it takes of a table, and how often it comes back for more.
pub const SWEEP_EVERY: Duration = Duration::from_secs(60);
pub const SWEEP_ROWS_MAX: u32 = 1_024;
pub const SWEEP_REPEATS_MAX: u32 = 20;

/// For one mail to be handed to the SMTP server, from the connection to its end.
pub const SMTP_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two looks for mails that are due, where nobody in this process has written one.
pub const MAIL_EVERY: Duration = Duration::from_secs(1);
/// Tries of one mail; the pauses between them double from the first to the longest: 2 h 25 min in all.
pub const MAIL_TRIES_MAX: u32 = 12;
pub const MAIL_RETRY_FIRST: Duration = Duration::from_secs(5);
pub const MAIL_RETRY_MAX: Duration = Duration::from_secs(3600);
/// Mails that could not be sent are kept for so long.
pub const DEAD_MAILS_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);

/// Revocations that Redis is told in one go; more wait for the next look.
pub const REVOCATIONS_CHUNK: u32 = 500;

const _: () = {
    assert!(
        SCRIPT_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis(),
        "a script's outcome is known before its request is given up"
    );
    assert!(VOUCH_WAIT.as_millis() + SCRIPT_TIMEOUT.as_millis() < REQUEST_TIMEOUT.as_millis());
    assert!((LOCK_WAIT_S as u128) * 1_000 < REQUEST_TIMEOUT.as_millis());
    assert!(REQUEST_TIMEOUT.as_millis() < WORK_TIMEOUT.as_millis());
    assert!(
        AMOUNT_MAX.checked_mul(UNITS_MAX as i64).is_some(),
        "a sale's whole turnover fits 64 bits"
    );
    assert!(
        WORK_TIMEOUT.as_millis() < SCHEDULE_LEASE.as_millis(),
        "whoever has taken a scheduled sale is done with it before another takes it"
    );
    assert!(PAGE_ROWS_DEFAULT <= PAGE_ROWS_MAX);
    assert!(DRAW_ENTRIES_DEFAULT <= DRAW_ENTRIES_MAX && RANKINGS_KEPT > 0);
    assert!(ACCESS_TOKEN_LIFE.as_secs() <= doorbuster_core::limits::TOKEN_LIFE_MAX.as_secs());
    assert!(PASSWORD_CHARS_MIN <= PASSWORD_CHARS_MAX);
    assert!(SMTP_TIMEOUT.as_millis() < WORK_TIMEOUT.as_millis());
    assert!(
        CACHE_FLOOR_LIFE.as_millis() * 10
            > (CACHE_NEAR_LIFE.as_millis() + CACHE_FAR_LIFE.as_millis()) * 12,
        "nothing older than a change outlives the memory of the change"
    );
    assert!(
        CACHE_TELL_AGAIN.as_millis() * ((1 << (CACHE_TELLS - 1)) - 1)
            > REDIS_CONNECT_TIMEOUT.as_millis() + 1_000,
        "whoever connects anew, a second between tries, is told"
    );
    assert!(
        SEED_ROWS * 10 * 2 < 65_535 && SEED_PRODUCTS_AT_ONCE < 65_535,
        "placeholders of a statement"
    );
    assert!(
        PROSE_CHARS_MAX * 4 < 65_536,
        "a description fits its column, in four bytes a character"
    );
    assert!(
        AMOUNT_MAX
            .checked_mul(CART_QUANTITY_MAX as i64 * CART_ITEMS_MAX as i64)
            .is_some(),
        "a cart's total fits 64 bits"
    );
};
