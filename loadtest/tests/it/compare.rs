//! A short comparison from the command line to its table, its JSON and its report.

use std::process::Command;

use serde_json::Value;

#[test]
fn ways_are_compared_and_each_has_a_row() {
    let dir = tempfile::tempdir().unwrap();
    let report = dir.path().join("compare.html");
    let output = Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"))
        .args(["compare", "--quick", "--ways", "guarded,redis-lua,ours"])
        .args(["--seconds", "0.3", "--cut-seconds", "2", "--json"])
        .arg("--report")
        .arg(&report)
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stdout}\n{stderr}");

    let found: Value = serde_json::from_str(stdout.lines().last().unwrap()).unwrap();
    let rows = found["rows"].as_array().unwrap();
    let names: Vec<&str> = rows
        .iter()
        .map(|row| row["strategy"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["guarded", "redis-lua", "ours"]);
    for row in rows {
        assert!(row["goodput"].as_f64() > Some(0.0), "{row}");
        assert!(row["refusals_per_second"].as_f64() > Some(0.0), "{row}");
        assert!(row["ours_times"].as_f64() > Some(0.0), "{row}");
        assert!(row["p50_ms"].as_f64() > Some(0.0) && row["p99_ms"].as_f64() > Some(0.0));
        assert_eq!(
            (&row["oversold"], &row["undersold"]),
            (&0.into(), &0.into())
        );
        assert!(row["ack_level"].is_string(), "{row}");
        for wrong in ["oversold", "duplicates", "lost", "miscounted"] {
            assert_eq!(row["wrongs"][wrong], 0, "{wrong}: {row}");
        }
    }
    let beside = found["goals"][0]["measured"].as_f64();
    assert_eq!(
        beside,
        rows[0]["ours_times"].as_f64(),
        "one round, one rival in MySQL"
    );
    assert_eq!(found["rounds"].as_array().unwrap().len(), 3);
    assert!(stdout.contains("goodput/s") && stdout.contains("10,000 users for 100 units"));
    let page = std::fs::read_to_string(&report).unwrap();
    assert!(page.contains("Who oversold") && page.contains("audit of ours: all zero"));
}
