//! SQL of the comparison of money: one question per contradiction, each answered with at most so many orders. Called by `money`.
//! An order moves in one transaction with its events, attempt and refunds, so of one instant they agree exactly; what another process books
//! later (reservations) is asked only of orders that have been at rest for a while.

use anyhow::Result;
use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::{MySqlConnection, MySqlExecutor, MySqlPool};
use sqlx::{AssertSqlSafe, FromRow, query, query_as, query_scalar};
use uuid::Uuid;

use super::view::{Decided, Difference, Kind};
use crate::bulk::push_in;
use crate::limits::{MONEY_HASTENED_AT_ONCE, MONEY_HASTENED_MAX, MONEY_RUNS_KEPT};

/// One contradiction.
pub(super) struct Question {
    kind: Kind,
    /// Who says `a` and who says `b`.
    who: (&'static str, &'static str),
    /// Selects order_id, of, a, b. Placeholders: `{at_rest}`, a time; a limit is added.
    sql: &'static str,
}

impl Question {
    pub(super) fn is_of(&self, kind: Kind) -> bool {
        self.kind == kind
    }
}

pub(super) const QUESTIONS: &[Question] = &[
    Question {
        kind: Kind::StateMoney,
        who: ("state", "money"),
        sql: "select order_id, cast(null as char) as of_whom, cast(concat(state, ' of ', total_amount) as char) as a,
                cast(concat('captured ', captured_amount, ', gone back ', refunded_amount) as char) as b
            from orders
            where (state in ('placed', 'charging') and captured_amount <> 0) or (state in ('captured', 'paid') and captured_amount <> total_amount)
                or (state = 'cancelled' and captured_amount <> 0) or (state = 'refunded' and refunded_amount <> captured_amount)",
    },
    Question {
        kind: Kind::EventsSum,
        who: ("order", "events"),
        sql: "select o.order_id, cast(null as char) as of_whom,
                cast(concat('captured ', o.captured_amount, ', gone back ', o.refunded_amount, ', points back ', o.points_returned, ', events ', o.events) as char) as a,
                cast(concat('captured ', coalesce(e.captured, 0), ', gone back ', coalesce(e.refunded, 0), ', points back ', coalesce(e.points_returned, 0),
                    ', events ', coalesce(e.events, 0)) as char) as b
            from orders o left join (
                select order_id, count(*) as events, max(n) as last, sum(if(kind = 'charged', amount, 0)) as captured,
                    sum(if(kind = 'refunded', amount, 0)) as refunded, sum(if(kind = 'points_returned', amount, 0)) as points_returned
                from order_events group by order_id) e on e.order_id = o.order_id
            where coalesce(e.captured, 0) <> o.captured_amount or coalesce(e.refunded, 0) <> o.refunded_amount
                or coalesce(e.points_returned, 0) <> o.points_returned or coalesce(e.events, 0) <> o.events or coalesce(e.last, 0) <> o.events",
    },
    Question {
        kind: Kind::LinesSum,
        who: ("order", "lines"),
        sql: "select o.order_id, cast(null as char) as of_whom,
                cast(concat(o.lines_amount, ', coupon ', o.coupon_amount, ', points ', o.points_amount) as char) as a,
                cast(concat(coalesce(l.amount, 0), ', coupon ', coalesce(l.coupon, 0), ', points ', coalesce(l.points, 0)) as char) as b
            from orders o left join (
                select order_id, sum(unit_amount * quantity) as amount, sum(coupon_amount) as coupon, sum(points_amount) as points
                from order_lines group by order_id) l on l.order_id = o.order_id
            where coalesce(l.amount, 0) <> o.lines_amount or coalesce(l.coupon, 0) <> o.coupon_amount or coalesce(l.points, 0) <> o.points_amount",
    },
    Question {
        kind: Kind::Attempt,
        who: ("order", "attempt"),
        sql: "select o.order_id, cast(null as char) as of_whom, cast(concat('captured ', o.captured_amount) as char) as a,
                cast(coalesce(concat(a.state, ' ', a.amount), 'none') as char) as b
            from orders o left join payment_attempts a on a.order_id = o.order_id
            where not (o.captured_amount = 0 and coalesce(o.reason, '') = 'settled_by_hand')
                and ((o.captured_amount > 0) <> (coalesce(a.state, '') = 'captured')
                    or (a.state = 'captured' and a.amount <> o.captured_amount and o.state not in ('parked', 'undoing', 'refunded')))",
    },
    Question {
        kind: Kind::RefundsSum,
        who: ("order", "refunds"),
        sql: "select o.order_id, cast(null as char) as of_whom, cast(o.refunded_amount as char) as a, cast(coalesce(r.amount, 0) as char) as b
            from orders o left join (
                select order_id, sum(amount) as amount from refunds where state in ('repaid', 'done') group by order_id) r on r.order_id = o.order_id
            where coalesce(r.amount, 0) <> o.refunded_amount",
    },
    Question {
        kind: Kind::PointsSum,
        who: ("balance", "entries"),
        sql: "select null as order_id, cast(concat('user ', a.user_id) as char) as of_whom, cast(concat(a.balance, ', version ', a.version) as char) as a,
                cast(concat(coalesce(e.amount, 0), ', version ', coalesce(e.entries, 0)) as char) as b
            from points_accounts a left join (
                select user_id, currency, sum(amount) as amount, count(*) as entries from points_entries group by user_id, currency) e
                on e.user_id = a.user_id and e.currency = a.currency
            where coalesce(e.amount, 0) <> a.balance or coalesce(e.entries, 0) <> a.version",
    },
    // An event is posted some time after it moved points; until then it is counted here.
    Question {
        kind: Kind::PointsLedger,
        who: ("ledger", "balances"),
        sql: "select cast(null as binary(16)) as order_id, cast(concat('all points of ', both_of.currency) as char) as of_whom,
                cast(both_of.owed as char) as a, cast(both_of.held as char) as b
            from (select sides.currency, cast(sum(sides.owed) as signed) as owed, cast(sum(sides.held) as signed) as held from (
                select currency, 0 as owed, sum(balance) as held from points_accounts group by currency
                union all
                select currency, -sum(amount), 0 from ledger_postings where account = 'points_liability' group by currency
                union all
                select currency, sum(if(kind in ('points_earned', 'points_returned'), amount, -amount)), 0 from order_events
                where posted = 0 and kind in ('points_spent', 'points_returned', 'points_earned', 'points_taken_back') group by currency) sides
                group by sides.currency) both_of
            where both_of.owed <> both_of.held",
    },
    Question {
        kind: Kind::PointsSpent,
        who: ("order", "entry"),
        sql: "select e.order_id, cast(null as char) as of_whom, cast(e.amount as char) as a, cast(coalesce(-p.amount, 'none') as char) as b
            from order_events e left join points_entries p on p.cause = convert(concat('spend:',
                lower(insert(insert(insert(insert(hex(e.order_id), 9, 0, '-'), 14, 0, '-'), 19, 0, '-'), 24, 0, '-'))) using ascii) collate ascii_bin
            where e.kind = 'points_spent' and coalesce(-p.amount, 0) <> e.amount",
    },
    Question {
        kind: Kind::CouponUse,
        who: ("order", "coupon"),
        sql: "select o.order_id, cast(null as char) as of_whom, cast(o.state as char) as a, cast(coalesce(r.state, 'unused') as char) as b
            from orders o left join coupon_redemptions r on r.claim_id = o.claim_id and r.order_id = o.order_id
            where o.claim_id is not null and ((o.state in ('charging', 'captured', 'paid') and coalesce(r.state, '') <> 'redeemed'
                    and not exists (select * from order_events e where e.order_id = o.order_id and e.cause = 'coupon_returned'))
                or (o.state in ('cancelled', 'refunded') and r.state = 'redeemed'))",
    },
    Question {
        kind: Kind::Units,
        who: ("order", "reservation"),
        sql: "select o.order_id, cast(null as char) as of_whom,
                cast(concat(o.state, ', units ', if(p.n is null, 0, l.units) - coalesce(b.units, 0)) as char) as a,
                cast(coalesce(concat(r.status, coalesce(concat(' ', r.reason), '')), 'none') as char) as b
            from orders o
            join (select order_id, sum(quantity) as units from order_lines group by order_id) l on l.order_id = o.order_id
            left join order_events p on p.order_id = o.order_id and p.cause = 'paid'
            left join (
                select f.order_id, sum(x.quantity) as units from refunds f join refund_lines x on x.refund_id = f.refund_id
                where f.state = 'done' and x.units in ('restock', 'write_off', 'lost') group by f.order_id) b on b.order_id = o.order_id
            left join reservations r on r.id = o.reservation_id
            where o.state in ('paid', 'cancelled', 'refunded')
                and not exists (select * from order_events late where late.order_id = o.order_id and late.at > {at_rest})
                and not exists (select * from refunds f where f.order_id = o.order_id and f.state in ('open', 'repaid'))
                and ((if(p.n is null, 0, l.units) > coalesce(b.units, 0)) <> (coalesce(r.status, '') = 'paid')
                    or (p.n is null and coalesce(r.status, '') in ('held', 'paying')))",
    },
    Question {
        kind: Kind::SoldWithoutOrder,
        who: ("reservation", "order"),
        sql: "select null as order_id, cast(concat('reservation ', lower(hex(r.id)), ' of ', r.sale_id) as char) as of_whom, 'paid' as a, 'none' as b
            from reservations r left join orders o on o.reservation_id = r.id
            where r.status = 'paid' and o.order_id is null",
    },
    Question {
        kind: Kind::Stuck,
        who: ("order", "next step"),
        sql: "select o.order_id, cast(null as char) as of_whom, cast(concat(o.state, if(o.cancel_asked_at is null, '', ', to be cancelled')) as char) as a,
                cast(coalesce(o.next_step_at, 'never') as char) as b
            from orders o
            where (o.state in ('placed', 'charging', 'captured', 'undoing') and (o.next_step_at is null or o.next_step_at < {at_rest}))
                or (o.state = 'paid' and o.next_step_at is null and (
                    exists (select * from refunds f where f.order_id = o.order_id and f.state in ('open', 'repaid') and f.created_at < {at_rest})
                    or (o.cancel_asked_at < {at_rest} and not exists (
                        select * from deliveries d where d.order_id = o.order_id and d.state in ('shipped', 'delivered')))))",
    },
];

#[derive(FromRow)]
struct Found {
    order_id: Option<Uuid>,
    of_whom: Option<String>,
    a: String,
    b: String,
}

/// The orders that contradict themselves in this way; `at_rest`: since when an order must not have moved, where that matters.
pub(super) async fn ask(
    tx: &mut MySqlConnection,
    question: &Question,
    at_rest: DateTime<Utc>,
    most: u32,
) -> Result<Vec<Difference>> {
    let times = question.sql.matches("{at_rest}").count();
    let sql = format!(
        "-- {}\n{} limit ?",
        question.kind.word(),
        question.sql.replace("{at_rest}", "?")
    );
    // A constant of this file, with placeholders.
    let mut asked = query_as::<_, Found>(AssertSqlSafe(sql));
    for _ in 0..times {
        asked = asked.bind(at_rest.naive_utc());
    }
    let found = asked.bind(most).fetch_all(tx).await?;
    let (a, b) = question.who;
    Ok(found
        .into_iter()
        .map(|row| {
            let mut difference = Difference::new(question.kind, row.order_id)
                .says(a, row.a)
                .says(b, row.b);
            difference.of = row.of_whom;
            difference
        })
        .collect())
}

pub(super) struct Counts {
    pub(super) orders: i64,
    pub(super) parked: i64,
}

/// The first read of the transaction: it fixes the instant that all others show.
pub(super) async fn counts(tx: &mut MySqlConnection) -> Result<Counts> {
    let (orders, parked): (i64, i64) = query_as(
        "-- counts\nselect count(*), cast(coalesce(sum(state = 'parked'), 0) as signed) from orders",
    )
    .fetch_one(tx)
    .await?;
    Ok(Counts { orders, parked })
}

/// Orders that a person settled by hand, the newest first: when, and what he said of it.
pub(super) async fn decided(tx: &mut MySqlConnection, most: u32) -> Result<Vec<Decided>> {
    let rows: Vec<(Uuid, DateTime<Utc>, String, String)> = query_as(
        "-- decided\nselect o.order_id, e.at, cast(json_unquote(json_extract(e.data, '$.by')) as char), cast(json_unquote(json_extract(e.data, '$.reason')) as char)
        from orders o join order_events e on e.order_id = o.order_id
        where o.reason = 'settled_by_hand' and o.state in ('undoing', 'cancelled') and e.kind = 'decided'
            and json_unquote(json_extract(e.data, '$.decision')) = 'settled_by_hand'
            and e.n = (select max(d.n) from order_events d where d.order_id = e.order_id and d.kind = 'decided')
        order by e.at desc, o.order_id limit ?",
    )
    .bind(most)
    .fetch_all(tx)
    .await?;
    let decided = |(order, at, by, reason)| Decided {
        order,
        by,
        at: clock::rfc3339(clock::to_ms(at)),
        reason,
    };
    Ok(rows.into_iter().map(decided).collect())
}

/// Orders that nobody would look at again, one reason after the other. Placeholders: since when, and at most how many.
const STUCK: [&str; 3] = [
    "-- stuck\nselect order_id from orders where state in ('placed', 'charging', 'captured', 'undoing') and next_step_at is null and created_at <= ? limit ?",
    "-- stuck\nselect distinct o.order_id from refunds f join orders o on o.order_id = f.order_id
        where f.state in ('open', 'repaid') and f.created_at < ? and o.state = 'paid' and o.next_step_at is null limit ?",
    "-- stuck\nselect o.order_id from orders o where o.state = 'paid' and o.next_step_at is null and o.cancel_asked_at < ? and not exists (
            select * from deliveries d where d.order_id = o.order_id and d.state in ('shipped', 'delivered')) limit ?",
];

/// Makes them due; their sagas find out what there is to do. They are looked for without locks, and only they are locked then.
pub(super) async fn hasten_stuck(books: &MySqlPool, at_rest: DateTime<Utc>) -> Result<u64> {
    let mut hastened = 0;
    // Nobody leaves an order of the first kind with nothing due, not even for a moment.
    for (stuck, since) in STUCK.into_iter().zip([clock::now(), at_rest, at_rest]) {
        let ids: Vec<Uuid> = query_scalar(stuck)
            .bind(since.naive_utc())
            .bind(MONEY_HASTENED_MAX)
            .fetch_all(books)
            .await?;
        for chunk in ids.chunks(MONEY_HASTENED_AT_ONCE) {
            hastened += hasten(books, chunk).await?;
        }
    }
    Ok(hastened)
}

/// Those of them of which nothing is due still; one that has nothing left to do goes to rest by itself.
async fn hasten(books: &MySqlPool, orders: &[Uuid]) -> Result<u64> {
    let mut statement: sqlx::QueryBuilder<sqlx::MySql> =
        sqlx::QueryBuilder::new("-- hasten\nupdate orders set next_step_at = ");
    statement.push_bind(clock::now().naive_utc()).push(
        " where next_step_at is null and state in ('placed', 'charging', 'captured', 'undoing', 'paid') and order_id in (",
    );
    push_in(&mut statement, orders.iter().copied());
    let done = statement.build().execute(books).await?;
    Ok(done.rows_affected())
}

/// An attempt to charge as the books have it, with its order.
#[derive(FromRow)]
pub(super) struct Booked {
    pub(super) attempt_id: Uuid,
    pub(super) order_id: Uuid,
    pub(super) currency: String,
    pub(super) state: String,
    pub(super) captured_amount: i64,
    pub(super) refunded_amount: i64,
    /// Whether nothing is being done about it.
    pub(super) is_at_rest: bool,
    /// A person gave back what the provider has of it.
    pub(super) is_settled_by_hand: bool,
}

const BOOKED: &str = "select a.attempt_id, a.order_id, a.currency, o.state, o.captured_amount, o.refunded_amount,
        o.state in ('paid', 'cancelled', 'refunded', 'parked') and not exists (
            select * from refunds f where f.order_id = o.order_id and f.state = 'open') as is_at_rest,
        coalesce(o.reason, '') = 'settled_by_hand' and o.state = 'cancelled' as is_settled_by_hand
    from payment_attempts a join orders o on o.order_id = a.order_id";

/// Those of them that are ours.
pub(super) async fn booked(books: &MySqlPool, attempts: &[Uuid]) -> Result<Vec<Booked>> {
    if attempts.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement: sqlx::QueryBuilder<sqlx::MySql> = sqlx::QueryBuilder::new("-- booked\n");
    statement.push(BOOKED).push(" where a.attempt_id in (");
    push_in(&mut statement, attempts.iter().copied());
    Ok(statement.build_query_as().fetch_all(books).await?)
}

/// Attempts whose capture the books had before then, in the order of their ids.
pub(super) async fn captured_before(
    books: &MySqlPool,
    before: DateTime<Utc>,
    after: Uuid,
    most: u32,
) -> Result<Vec<Booked>> {
    let sql = format!(
        "-- captured_before\n{BOOKED} where a.state = 'captured' and a.ended_at < ? and a.attempt_id > ? order by a.attempt_id limit ?"
    );
    // Constants of this file.
    Ok(query_as(AssertSqlSafe(sql))
        .bind(before.naive_utc())
        .bind(after)
        .bind(most)
        .fetch_all(books)
        .await?)
}

/// Whether the run of that time is the caller's: one back-office of all makes it.
pub(super) async fn begin_run(books: &MySqlPool, slot: u64) -> Result<bool> {
    let done =
        query("-- begin_run\ninsert ignore into reconcile_runs (slot, started_at) values (?, ?)")
            .bind(slot)
            .bind(clock::now().naive_utc())
            .execute(books)
            .await?;
    Ok(done.rows_affected() == 1)
}

/// Keeps what it found, and forgets the oldest.
pub(super) async fn end_run(books: &MySqlPool, slot: u64, found: u64, report: &str) -> Result<()> {
    query("-- end_run\nupdate reconcile_runs set ended_at = ?, differences = ?, report = ? where slot = ?")
        .bind(clock::now().naive_utc())
        .bind(found)
        .bind(report)
        .bind(slot)
        .execute(books)
        .await?;
    let kept: Option<u64> = query_scalar(
        "-- end_run\nselect slot from reconcile_runs order by slot desc limit 1 offset ?",
    )
    .bind(MONEY_RUNS_KEPT)
    .fetch_optional(books)
    .await?;
    if let Some(slot) = kept {
        query("-- end_run\ndelete from reconcile_runs where slot <= ?")
            .bind(slot)
            .execute(books)
            .await?;
    }
    Ok(())
}

/// The last run that ended.
pub(super) async fn last_run(
    books: impl MySqlExecutor<'_>,
) -> sqlx::Result<Option<(DateTime<Utc>, DateTime<Utc>, String)>> {
    query_as(
        "-- last_run\nselect started_at, ended_at, cast(report as char) from reconcile_runs where ended_at is not null order by slot desc limit 1",
    )
    .fetch_optional(books)
    .await
}
