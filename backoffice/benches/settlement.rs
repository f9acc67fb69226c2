//! What it takes to settle a month: `cargo bench -p doorbuster-backoffice --bench settlement`.
//!
//! Servers of its own: 1,000,000 paid orders of 100 sellers, a hundredth of them with a refund. The month before is closed first, which posts
//! all of it to the ledger; then the month is settled, with statements for everybody, and once more, which must come to the same bytes. Memory
//! is the command's own at its most. Ends with 1 where a goal is missed. `--orders N` for another number.

#![expect(clippy::unwrap_used, reason = "a panic is a failed measurement")]

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use doorbuster_core::clock;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::Value;
use sqlx::MySqlPool;

const ORDERS: u64 = 1_000_000;
const TIME_MAX: Duration = Duration::from_secs(60);
const MEMORY_MB_MAX: u64 = 200;
/// Rows of one insert, so that none is a transaction of gigabytes.
const ROWS: u64 = 50_000;

fn main() {
    let mut arguments = std::env::args().skip_while(|arg| arg != "--orders").skip(1);
    let orders = arguments
        .next()
        .map_or(ORDERS, |number| number.parse().unwrap());
    // No back-office of the stage posts meanwhile: its job is what is measured.
    let stage = Stage::start(&StageOptions::whole(0).large_database()).unwrap();
    stage.backoffice(0).kill9().unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(seed(&stage, orders));
    let out = stage.dir().join("statements");
    let (posted, posting) = settle(&stage, "2019-12", &out.join("before"));
    assert!(
        posted["settlement"]["statements"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let (first, settling) = settle(&stage, "2020-01", &out.join("first"));
    let (second, again) = settle(&stage, "2020-01", &out.join("second"));
    let same = first["settlement"]["digest"] == second["settlement"]["digest"]
        && files(&out.join("first")) == files(&out.join("second"));
    let entries: u64 = first["settlement"]["statements"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["entries"].as_u64().unwrap())
        .sum();
    println!(
        "{orders} orders, {entries} entries of statements, {} files",
        files(&out.join("first")).len()
    );
    for (what, Cost { time, megabytes }) in [
        ("posted to the ledger", &posting),
        ("settled, with statements", &settling),
        ("settled again", &again),
    ] {
        println!("{what:<26} {:>6.1} s {megabytes:>5} MB", time.as_secs_f64());
    }
    println!("identical to the byte: {same}");
    let (checked, checking) = run(&stage, &["settle", "--check", "--json"]);
    println!(
        "checked: balanced {} in {:.1} s",
        checked["ledger"]["balanced"],
        checking.time.as_secs_f64()
    );
    let within = |cost: &Cost| cost.time <= TIME_MAX && cost.megabytes <= MEMORY_MB_MAX;
    let met = same && within(&settling) && within(&again) && posting.megabytes <= MEMORY_MB_MAX;
    let balanced = checked["ledger"]["balanced"] == true;
    println!(
        "goal: at most {TIME_MAX:?} and {MEMORY_MB_MAX} MB: {}",
        if met { "met" } else { "missed" }
    );
    std::process::exit(i32::from(!(met && balanced)));
}

/// What a command took.
struct Cost {
    time: Duration,
    megabytes: u64,
}

fn settle(stage: &Stage, month: &str, out: &Path) -> (Value, Cost) {
    let out = out.to_str().unwrap();
    run(
        stage,
        &[
            "settle", "--month", month, "--by", "bench", "--out", out, "--json",
        ],
    )
}

fn run(stage: &Stage, args: &[&str]) -> (Value, Cost) {
    let began = clock::instant();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
    command
        .args(args)
        .args(["--database-url", &stage.database_url()])
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut kilobytes = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let peak = peak.and_then(|peak| peak.trim().strip_suffix(" kB"));
        kilobytes = kilobytes.max(peak.and_then(|peak| peak.parse().ok()).unwrap_or(0));
        std::thread::sleep(Duration::from_millis(20));
    }
    let time = began.elapsed();
    let output = child.wait_with_output().unwrap();
    let json = serde_json::from_slice(&output.stdout).unwrap();
    let megabytes = kilobytes / 1_024;
    (json, Cost { time, megabytes })
}

fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().flatten();
    entries
        .map(|entry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, std::fs::read(entry.path()).unwrap())
        })
        .collect()
}

async fn seed(stage: &Stage, orders: u64) {
    let began = clock::instant();
    let books = MySqlPool::connect(&stage.database_url()).await.unwrap();
    let run = async |sql: String| {
        sqlx::query(sqlx::AssertSqlSafe(sql))
            .execute(&books)
            .await
            .unwrap();
    };
    run("insert into fee_schedules values ('*', 'KRW', '2019-01-01', 1000, 100)".to_owned()).await;
    let digits = "(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4
        union all select 5 union all select 6 union all select 7 union all select 8 union all select 9)";
    let numbers = format!(
        "(select a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d as i
          from {digits} a, {digits} b, {digits} c, {digits} d, {digits} e) m"
    );
    for from in (0..orders).step_by(usize::try_from(ROWS).unwrap()) {
        let upto = (from + ROWS).min(orders);
        let rows = format!("{numbers} where m.i < {}", upto - from);
        let (i, id) = (
            format!("(m.i + {from})"),
            format!("unhex(md5(m.i + {from}))"),
        );
        let at = format!("date_add('2020-01-01', interval {i} % 2678400 second)");
        run(format!(
            "insert into orders (order_id, user_id, sale_id, reservation_id, body_hash, state, currency, lines_amount, shipping_amount,
                coupon_amount, points_amount, total_amount, captured_amount, refunded_amount, points_returned, points_earned, earn_per_mille,
                late_payment, method, events, version, tries, created_at)
             select {id}, concat('u', {i}), 's', {id}, {id}, 'paid', 'KRW', 19900 + {i} % 1000, 3000, 0, 0, 22900 + {i} % 1000,
                22900 + {i} % 1000, 0, 0, 0, 0, 'reacquire', 'card', 2, 0, 0, {at} from {rows}"
        ))
        .await;
        run(format!(
            "insert into order_lines (order_id, position, sku, title, seller_id, quantity, unit_amount, coupon_amount, points_amount)
             select {id}, 1, 'tee', 'tee', concat('seller-', {i} % 100), 1, 19900 + {i} % 1000, 0, 0 from {rows}"
        ))
        .await;
        for (n, kind) in [(1, "charged"), (2, "paid")] {
            run(format!(
                "insert into order_events (order_id, n, kind, at, amount, currency, cause)
                 select {id}, {n}, '{kind}', {at}, 22900 + {i} % 1000, 'KRW', '{kind}' from {rows}"
            ))
            .await;
        }
        for (n, kind) in [(3, "refunded"), (4, "returned")] {
            run(format!(
                "insert into order_events (order_id, n, kind, at, amount, currency, data, cause)
                 select {id}, {n}, '{kind}', {at}, 19900 + {i} % 1000, 'KRW',
                    concat('{{\"shipping\": 0, \"lines\": [{{\"sku\": \"tee\", \"quantity\": 1, \"points\": 0, \"amount\": ', 19900 + {i} % 1000, '}}]}}'),
                    '{kind}' from {rows} and {i} % 100 = 0"
            ))
            .await;
        }
    }
    println!("seeded in {:.0?}", began.elapsed());
}
