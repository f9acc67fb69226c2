//! A waiting room from the first guest to the verdict, and false tickets.

use std::process::Command;

use doorbuster_stage::{Stage, StageOptions};
use serde_json::Value;

/// A run of `line` on a stage of its own, given as one would type it, with its object.
fn line(options: &str) -> Value {
    let stage = Stage::start(&StageOptions::whole(2).engine_env("RATE_PER_USER", "0")).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"));
    command.arg("line").args(options.split_whitespace());
    for i in 0..stage.engine_count() {
        command.args(["--engine-url", stage.engine(i).url()]);
    }
    command.args(["--backoffice-url", stage.backoffice(0).url(), "--json"]);
    command.arg("--report").arg(dir.path().join("line.html"));
    let output = command
        .env("REDIS_URL", stage.redis_url())
        .env("DATABASE_URL", stage.database_url())
        .env("TOKEN_SECRET", stage.token_secret())
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{options}\n{stdout}\n{stderr}");
    serde_json::from_str(stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn a_crowd_with_leavers_and_bots_is_drawn_let_in_in_order_and_told_the_end() {
    let told = line(
        "--people 600 --stock 60 --early 60 --leavers 10 --bots 20 --seconds 4 --connections 100",
    );
    assert_eq!(
        (&told["scenario"], &told["accepted"], &told["left"]),
        (&"line".into(), &60.into(), &0.into())
    );
    let line = &told["line"];
    assert_eq!(
        (&line["joined"], &line["is_drawn"]),
        (&600.into(), &true.into())
    );
    assert_eq!(line["early"], 360);
    let left = line["left"].as_u64().unwrap();
    let refused: u64 = told["refused"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(Value::as_u64)
        .sum();
    assert_eq!(60 + left + refused, 600, "everyone was answered: {told}");
    assert!(line["too_early_of_bots"].as_u64() > Some(0), "{line}");
    assert!(line["not_admitted"].as_u64() > Some(0), "{line}");
}

#[test]
fn no_false_ticket_passes() {
    let told = line("--forge 4000");
    assert_eq!(
        (&told["offered"], &told["accepted"], &told["unanswered"]),
        (&4_000.into(), &0.into(), &0.into())
    );
    let kinds = told["kinds"].as_object().unwrap();
    assert_eq!(kinds.len(), 9, "{told}");
}
