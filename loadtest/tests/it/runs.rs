//! Whole runs of the program on a stage: what it says, how it exits, and that a saved run can be judged again.

use std::collections::HashMap;
use std::path::Path;
use std::process::{Command, Output};

use doorbuster_core::ids::{LiveId, SaleId};
use doorbuster_loadtest::audit::money::facts::Money;
use doorbuster_loadtest::audit::money::store::Store;
use doorbuster_loadtest::audit::money::{self, provider};
use doorbuster_loadtest::client::endpoint::{Endpoint, Reach};
use doorbuster_stage::{SandboxOptions, Stage, StageOptions};
use serde_json::Value;
use sqlx::AssertSqlSafe;
use sqlx::mysql::MySqlPool;

/// The program on the servers of `stage`.
fn loadtest(stage: &Stage, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"))
        .args(args)
        .env("REDIS_URL", stage.redis_url())
        .env("DATABASE_URL", stage.database_url())
        .env("TOKEN_SECRET", stage.token_secret())
        .output()
        .unwrap()
}

/// A run on the engines of `stage`, with its object.
fn run(stage: &Stage, report: &Path, args: &[&str]) -> Value {
    let mut all: Vec<String> = args.iter().map(ToString::to_string).collect();
    for i in 0..stage.engine_count() {
        all.extend(["--engine-url".into(), stage.engine(i).url().into()]);
    }
    all.extend([
        "--backoffice-url".into(),
        stage.backoffice(0).url().into(),
        "--json".into(),
    ]);
    all.extend(["--report".into(), report.display().to_string()]);
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    let output = loadtest(stage, &all);
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{args:?}\n{stdout}\n{stderr}");
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A stage of two engines that let one user ask as often as it likes, and a place for reports.
struct Ground {
    stage: Stage,
    dir: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let options = StageOptions::whole(2).engine_env("RATE_PER_USER", "0");
        Self {
            stage: Stage::start(&options).unwrap(),
            dir: tempfile::tempdir().unwrap(),
        }
    }

    /// A run given as one would type it.
    fn run(&self, line: &str) -> Value {
        let args: Vec<&str> = line.split_whitespace().collect();
        run(&self.stage, &self.dir.path().join("run.html"), &args)
    }
}

#[test]
fn a_rush_sells_every_unit_once_and_refuses_the_rest() {
    let ground = Ground::new();
    let plain = ground.run("rush --users 500 --stock 50");
    assert_eq!(plain["accepted"], 50);
    assert_eq!(plain["refused"]["sold_out"], 450);
    let lost = ground.run("rush --users 500 --stock 50 --lose-every-answer");
    assert_eq!(
        (&lost["accepted"], &lost["unanswered"]),
        (&50.into(), &0.into())
    );
    assert!(lost["lost_on_the_wire"].as_u64() >= Some(50));
    let duplicate = ground.run("rush --users 50 --stock 20 --duplicate 20");
    assert_eq!(
        (&duplicate["accepted"], &duplicate["offered"]),
        (&20.into(), &50.into())
    );
}

#[test]
fn whoever_has_a_hold_pays_for_it_once_whatever_the_provider_does() {
    let sandbox = SandboxOptions {
        script: "seed=3,decline=80,timeout=30,error=40,busy=40,pending=40,pending_ms=300,duplicate=100,lost=100".to_owned(),
        latency_ms: 5,
    };
    let options = StageOptions::whole(2)
        .with_sandbox(sandbox)
        .backoffice_env("PAYMENT_ATTEMPT_MS", "500");
    let ground = Ground {
        stage: Stage::start(&options).unwrap(),
        dir: tempfile::tempdir().unwrap(),
    };
    let payment_url = ground.stage.sandbox().url().to_owned();
    let line = "rush --users 400 --stock 200 --checkout --retry 0.1 --lose-answer 0.1 --cancel 0.1 --double-click 0.1";
    let run = ground.run(&format!("{line} --payment-url {payment_url}"));
    let money = &run["money"];
    for (name, number) in money["audit"].as_object().unwrap() {
        assert_eq!(number, 0, "{name}: {money}");
    }
    assert!(
        money["paid"].as_u64() > Some(100) && money["cancelled"].as_u64() > Some(0),
        "{money}"
    );
    assert!(
        money["refunded"].as_u64() > Some(0) && money["given_back"].as_i64() > Some(0),
        "{money}"
    );
    assert_eq!(money["unanswered"], 0);
    let page = std::fs::read_to_string(ground.dir.path().join("run.html")).unwrap();
    assert!(page.contains("<h2>Money</h2>") && page.contains("unsettled 0"));
    let misposted = misposted(&ground.stage);
    assert_eq!(misposted.len(), 4, "{misposted:?}");
    assert_eq!(misposted[0], 0, "{misposted:?}");
    assert!(
        misposted[1] > 0 && misposted[2] > 0 && misposted[3] > misposted[2],
        "{misposted:?}"
    );
}

/// What the audit says of the ledger as it is, and as somebody alters it who may: one leg of a payment, both, and a posting that nothing explains.
#[tokio::main(flavor = "current_thread")]
async fn misposted(stage: &Stage) -> Vec<u64> {
    let sandbox = Endpoint::resolve(stage.sandbox().url(), Reach::LoopbackOnly).await;
    let (sandbox, store) = (
        sandbox.unwrap(),
        Store::connect(&stage.database_url()).await,
    );
    let (store, books) = (
        store.unwrap(),
        MySqlPool::connect(&stage.database_url()).await,
    );
    let books = books.unwrap();
    let sale: String = sqlx::query_scalar("select min(sale_id) from orders")
        .fetch_one(&books)
        .await
        .unwrap();
    let live = LiveId::Sale(SaleId::parse(sale).unwrap());
    let charged = "(select x.order_id from (select min(order_id) as order_id from orders where state = 'paid') x)";
    let mut seen = Vec::new();
    for altering in [
        "drop trigger ledger_postings_no_update".to_owned(),
        format!("update ledger_postings set amount = amount - 1 where account = 'provider_clearing' and source_id = {charged}"),
        format!("update ledger_postings set amount = amount + 1 where account = 'buyer_receivable' and amount < 0 and source_id = {charged}"),
        format!("insert into ledger_postings (source_id, n, leg, source, account, seller_id, currency, amount, day)
            select source_id, 999, leg, source, account, seller_id, currency, amount, day from ledger_postings where n = 4 and source_id = {charged}"),
    ] {
        sqlx::raw_sql(AssertSqlSafe(altering)).execute(&books).await.unwrap();
        let orders = store.orders(&live).await.unwrap();
        let money = Money {
            charges: provider::captures(&sandbox).await.unwrap(),
            ledger: store.ledger(&orders).await.unwrap(),
            orders,
            open_refunds: 0,
        };
        seen.push(money::judge(&[], &money, &HashMap::new()).numbers.misposted);
    }
    seen
}

#[test]
fn limits_and_quantities_hold_over_engines() {
    let ground = Ground::new();
    let one_user = ground.run("rush --users 1 --keys 300 --stock 300 --per-user 3");
    assert_eq!(one_user["accepted"], 3);
    assert_eq!(one_user["refused"]["limit_reached"], 297);
    let triple = ground.run("rush --users 40 --stock 100 --quantity 3 --per-user 3");
    assert_eq!(
        (&triple["accepted"], &triple["left"]),
        (&33.into(), &1.into())
    );
    let coupon = ground.run("coupon --users 500 --coupons 50");
    assert_eq!(
        (&coupon["scenario"], &coupon["accepted"]),
        (&"coupon".into(), &50.into())
    );
}

#[test]
fn a_mixed_crowd_with_short_holds_is_told_the_truth() {
    let mixed = Ground::new().run(
        "rush --users 1500 --stock 300 --seconds 3 --hold-seconds 1 --cancel 0.2 --retry 0.2 --double-click 0.2 \
         --lose-answer 0.2 --abandon 0.1",
    );
    assert!(mixed["cancelled"].as_u64() > Some(0) && mixed["expired"].as_u64() > Some(0));
    assert!(
        mixed["accepted"].as_u64() > Some(300),
        "what came back was sold again: {mixed}"
    );
    assert!(mixed["sweep_lag_ms_max"].as_u64() <= Some(2_000), "{mixed}");
}

#[test]
fn a_saved_run_is_judged_again_and_a_false_one_is_found_out() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (report, saved) = (dir.path().join("run.html"), dir.path().join("run.jsonl"));
    run(&stage, &report, &["rush", "--users", "20", "--stock", "5"]);
    let audit = |file: &Path| {
        loadtest(
            &stage,
            &["audit", "--json", "--history", &file.display().to_string()],
        )
    };
    let numbers = |output: &Output| -> Value {
        serde_json::from_str::<Value>(text(&output.stdout).lines().last().unwrap()).unwrap()["audit"].clone()
    };
    let honest = audit(&saved);
    assert!(honest.status.success(), "{}", text(&honest.stdout));

    // Without one of those who were told yes, that one's hold is a phantom.
    let history = std::fs::read_to_string(&saved).unwrap();
    let holder = history
        .lines()
        .position(|line| line.contains("\"status\":201"))
        .unwrap();
    let others = history
        .lines()
        .enumerate()
        .filter(|(i, _)| *i != holder)
        .map(|(_, line)| line);
    let silent = dir.path().join("silent.jsonl");
    std::fs::write(&silent, others.collect::<Vec<_>>().join("\n")).unwrap();
    let found = audit(&silent);
    assert_eq!(
        (found.status.code(), &numbers(&found)["phantom"]),
        (Some(1), &1.into())
    );

    // One who claims to have been told another number contradicts the stores.
    let line = history.lines().nth(holder).unwrap();
    let false_line = line.replacen("\"seq\":", "\"seq\":9", 1);
    let lying = dir.path().join("lying.jsonl");
    std::fs::write(&lying, history.replace(line, &false_line)).unwrap();
    let found = audit(&lying);
    assert_eq!(
        (found.status.code(), &numbers(&found)["differences"]),
        (Some(1), &1.into())
    );

    let again = loadtest(
        &stage,
        &["report", "--history", &saved.display().to_string()],
    );
    assert!(again.status.success() && text(&again.stdout).trim().ends_with("run.html"));
}

#[test]
fn bad_configuration_exits_with_64_and_names_what_is_wrong() {
    let cases: [(&[&str], &str); 5] = [
        (&["rush", "--users", "0"], "--users"),
        (&["rush", "--users", "many"], "--users"),
        (&["rush", "--connections", "9000"], "--connections"),
        (
            &[
                "rush",
                "--engine-url",
                "http://127.0.0.1:1",
                "--backoffice-url",
                "http://127.0.0.1:2",
            ],
            "TOKEN_SECRET",
        ),
        (&["launch"], "launch"),
    ];
    for (args, name) in cases {
        let output = Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"))
            .args(args)
            .env_remove("TOKEN_SECRET")
            .output()
            .unwrap();
        let stderr = text(&output.stderr);
        assert!(
            output.status.code() == Some(64) && stderr.contains(name),
            "{args:?}: {:?} {stderr}",
            output.status
        );
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn other_machines_are_not_put_under_load() {
    let args = [
        "rush",
        "--engine-url",
        "http://192.0.2.1:8080",
        "--backoffice-url",
        "http://192.0.2.1:8081",
    ];
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"));
    let output = command
        .args(args)
        .env("TOKEN_SECRET", "0123456789abcdef0123456789abcdef")
        .output()
        .unwrap();
    assert!(
        !output.status.success() && text(&output.stderr).contains("--allow-remote"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn help_begins_with_examples() {
    for args in [
        &["--help"][..],
        &["rush", "--help"],
        &["coupon", "--help"],
        &["demo", "--help"],
        &["audit", "--help"],
        &["compare", "--help"],
        &["line", "--help"],
        &["rival", "--help"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"))
            .args(args)
            .output()
            .unwrap();
        let help = text(&output.stdout);
        let (examples, options) = (
            help.find("Examples:").unwrap(),
            help.find("Usage:").unwrap(),
        );
        assert!(output.status.success() && examples < options, "{help}");
    }
}
