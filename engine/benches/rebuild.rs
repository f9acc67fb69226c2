//! How long a sale of a million reservations takes to be rebuilt, and how long Redis lets others wait meanwhile.
//!
//! `cargo bench -p doorbuster-engine --bench rebuild [-- <reservations>]`: a stage of its own, books filled by SQL, beside a client that
//! pings Redis all the while. Needs the programs built: `make build`.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot go on stops where it stands"
)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_stage::{Stage, StageOptions};
use sqlx::MySqlPool;

const GOAL: Duration = Duration::from_secs(30);
const GOAL_BLOCKED: Duration = Duration::from_millis(50);

#[tokio::main]
async fn main() {
    let reservations: u64 = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse().ok())
        .unwrap_or(1_000_000);
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let books = MySqlPool::connect(&stage.database_url()).await.unwrap();
    fill(&books, reservations).await;

    let stop = Arc::new(AtomicBool::new(false));
    let pinging = {
        let (stop, port) = (Arc::clone(&stop), stage.redis().port());
        std::thread::spawn(move || ping(port, &stop))
    };
    // From here on the books have a sale that Redis has not: the writer finds it missing.
    publish(&books, reservations).await;
    let began = clock::instant();
    let report = done(&books).await;
    let took = began.elapsed();
    stop.store(true, Ordering::Relaxed);
    let (pings, slowest, late) = pinging.join().unwrap();
    println!("{report}");
    println!(
        "{reservations} reservations rebuilt in {took:.1?} (goal {GOAL:?}); of {pings} pings the slowest took {slowest:.1?} (goal {GOAL_BLOCKED:?}), {late} over 10 ms"
    );
}

/// Waits for the outcome.
async fn done(books: &MySqlPool) -> String {
    let sql = "select cast(report as char) from rebuilds where sale_id = 's' and state = 'done'";
    loop {
        let report: Option<String> = sqlx::query_scalar(sql).fetch_optional(books).await.unwrap();
        if let Some(report) = report {
            return report;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn publish(books: &MySqlPool, reservations: u64) {
    let sql = "insert into journal_cursor values ('s', 1, ?, '1-1', utc_timestamp(6))";
    sqlx::query(sql)
        .bind(reservations + 1)
        .execute(books)
        .await
        .unwrap();
}

/// A sale that Redis never had: all of it is in the books only, one in ten reservations ended.
async fn fill(books: &MySqlPool, reservations: u64) {
    let run = async |sql: String| {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(books)
            .await
            .unwrap();
    };
    let units = reservations * 2;
    run("insert into sales values ('s', 's', '2020-01-01', '2099-01-01', 300, 300, 0, 'published', now(), now())".into()).await;
    run(format!(
        "insert into sale_items values ('s', 'tee', 0, 'tee', 1, 'KRW', {units}, 4)"
    ))
    .await;
    run(format!("insert into journal (sale_id, epoch, seq, kind, at, raw) values ('s', 1, 1, 'opened', utc_timestamp(3), 'O tee={units}')")).await;
    // Ten thousand a statement: one of all would be a long transaction.
    let digits = "(select 0 d union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
    let thousand =
        format!("select a.d * 100 + b.d * 10 + c.d as n from {digits} a, {digits} b, {digits} c");
    for from in (0..reservations).step_by(10_000) {
        let rows = format!(
            "(select {from} + t.d * 1000 + m.n as i from {digits} t, ({thousand}) m) r where r.i < {reservations}"
        );
        run(format!(
            "insert into journal (sale_id, epoch, seq, kind, at, raw) select 's', 1, r.i + 2, 'held', utc_timestamp(3), 'h' from {rows}"
        ))
        .await;
        run(format!(
            "insert into reservations select 's', r.i + 2, unhex(md5(r.i)), concat('user-', r.i), if(r.i % 10 = 0, 'released', 'held'),
             if(r.i % 10 = 0, 'expired', null), 1, '2098-01-01', unhex(md5('b')), utc_timestamp(3), null from {rows}"
        ))
        .await;
        run(format!(
            "insert into reservation_lines select 's', r.i + 2, 'tee', unhex(md5(r.i)), 1 from {rows}"
        ))
        .await;
    }
}

/// Pings until told to stop: how many, the slowest, and how many took more than 10 ms.
fn ping(port: u16, stop: &AtomicBool) -> (u64, Duration, u64) {
    let mut redis = TcpStream::connect(("127.0.0.1", port)).unwrap();
    redis.set_nodelay(true).unwrap();
    let (mut pings, mut slowest, mut late) = (0, Duration::ZERO, 0);
    let mut reply = [0; 7];
    while !stop.load(Ordering::Relaxed) {
        let sent = clock::instant();
        redis.write_all(b"PING\r\n").unwrap();
        redis.read_exact(&mut reply).unwrap();
        let took = sent.elapsed();
        pings += 1;
        slowest = slowest.max(took);
        late += u64::from(took > Duration::from_millis(10));
        std::thread::sleep(Duration::from_millis(1));
    }
    (pings, slowest, late)
}
