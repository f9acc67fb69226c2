//! A short drill: an engine and a writer killed at crash points, Redis killed and cut off, wires broken. `make drill` has all.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

const LOADTEST: &str = env!("CARGO_BIN_EXE_doorbuster-loadtest");

fn drill(args: &[&str]) -> Output {
    Command::new(LOADTEST)
        .arg("drill")
        .args(args)
        .output()
        .unwrap()
}

#[test]
fn faults_of_every_kind_cost_nobody_anything() {
    let faults = ["F1", "F3", "F5", "F6", "F14"];
    let more = ["--cycles", "1", "--seed", "7", "--json"];
    let output = drill(&[&faults[..], &more].concat());
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let object: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let rows = object["faults"].as_array().unwrap();
    assert_eq!(rows.len(), faults.len());
    for (row, id) in rows.iter().zip(faults) {
        assert_eq!((&row["id"], &row["cycles"]), (&id.into(), &1.into()));
        assert!(row["acked"].as_u64() > Some(100), "{row}");
    }
}

#[test]
fn back_offices_that_end_in_the_midst_of_an_order_cost_nobody_anything() {
    let output = drill(&[
        "F26",
        "--cycles",
        "4",
        "--strikes",
        "4",
        "--seed",
        "5",
        "--json",
    ]);
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let object: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let row = &object["faults"][0];
    assert!(row["orders"].as_u64() > Some(100), "{row}");
    assert_eq!(row["money"]["unsettled"], 0);
}

#[test]
fn bugs_that_are_planted_are_caught() {
    let bugs = ["no-idempotency-record", "refusal-after-write"];
    let output = drill(&[&["--planted"], &bugs[..], &["--json"]].concat());
    let (stdout, stderr) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{stdout}\n{stderr}");
    let object: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let rows = object["bugs"].as_array().unwrap();
    assert_eq!(rows.len(), bugs.len());
    for (row, name) in rows.iter().zip(bugs) {
        assert_eq!((&row["name"], &row["caught"]), (&name.into(), &true.into()));
    }
}

#[test]
fn what_cannot_be_drilled_is_named() {
    for args in [&["F99"][..], &[], &["--hours", "0"], &["--planted", "x"]] {
        let output = drill(args);
        assert_eq!(output.status.code(), Some(64), "{args:?}");
        assert!(output.stdout.is_empty());
    }
    let list = drill(&["--list"]);
    assert!(list.status.success());
    assert!(String::from_utf8_lossy(&list.stdout).contains("F14"));
}

#[test]
fn the_programs_that_are_shipped_have_neither_crash_points_nor_planted_bugs() {
    let has = |program: &str, words: &[u8]| {
        let path = Path::new(LOADTEST).with_file_name(program);
        let bytes = std::fs::read(&path)
            .unwrap_or_else(|_| panic!("{}: run: make drill-programs", path.display()));
        bytes.windows(words.len()).any(|window| window == words)
    };
    for words in [&b"CRASH_POINT_FILE"[..], b"PLANTED_BUG", b"no-run-id-check"] {
        assert!(has("doorbuster-engine-drill", words));
        assert!(!has("doorbuster-engine", words));
    }
    assert!(has("doorbuster-backoffice-drill", b"CRASH_POINT_FILE"));
    assert!(!has("doorbuster-backoffice", b"CRASH_POINT_FILE"));
}
