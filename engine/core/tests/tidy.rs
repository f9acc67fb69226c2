//! The shape of the workspace as a test: who may depend on whom, and what may stand only where (design: arrows, "only here").
//!
//! It reads the sources as text and the manifests through `cargo metadata`; it needs no server.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .expect("the workspace")
}

/// The files of our own, as git knows them or would: no target, no data.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder").flatten() {
            let (path, name) = (
                entry.path(),
                entry.file_name().to_string_lossy().into_owned(),
            );
            if path.is_dir() {
                if name != "target" && name != ".git" && name != "node_modules" {
                    folders.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let relative = path
                    .strip_prefix(root())
                    .expect("below the root")
                    .to_string_lossy()
                    .into_owned();
                found.push((relative, std::fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found.sort();
    found
}

/// Our crates that each of our crates needs: normal and build dependencies, then also those of its tests.
fn arrows(kind: fn(&Value) -> bool) -> BTreeSet<(String, String)> {
    let done = Command::new(env!("CARGO"))
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(root())
        .output()
        .expect("cargo");
    let metadata: Value = serde_json::from_slice(&done.stdout).expect("metadata");
    let packages = metadata["packages"].as_array().expect("packages");
    let needs = |package: &Value| {
        let from = package["name"].as_str().expect("a name").to_string();
        let all = package["dependencies"]
            .as_array()
            .expect("dependencies")
            .iter();
        let ours = all.filter(|d| {
            kind(&d["kind"])
                && d["name"]
                    .as_str()
                    .is_some_and(|name| name.starts_with("doorbuster-"))
        });
        ours.map(|d| {
            (
                from.clone(),
                d["name"].as_str().expect("a name").to_string(),
            )
        })
        .collect::<Vec<_>>()
    };
    packages.iter().flat_map(needs).collect()
}

fn pairs(list: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    list.iter()
        .map(|(from, to)| (format!("doorbuster-{from}"), format!("doorbuster-{to}")))
        .collect()
}

#[test]
fn crates_depend_on_each_other_along_the_arrows_only() {
    let allowed = pairs(&[
        ("engine", "core"),
        ("benches", "core"),
        ("benches", "engine"),
        ("backoffice", "core"),
        ("loadtest", "core"),
        ("loadtest", "stage"),
    ]);
    assert_eq!(arrows(|kind| kind != "dev"), allowed);
    for (from, to) in arrows(|kind| kind == "dev") {
        assert_eq!(
            to, "doorbuster-stage",
            "the tests of {from} may need the stage and nothing else of ours"
        );
    }
}

#[test]
fn the_harness_knows_the_core_for_its_audit_its_tokens_and_one_measure_only() {
    // What a batch of one size costs cannot be asked over HTTP, where batches are as large as they come.
    let may_ask = ["loadtest/src/audit/", "loadtest/src/bench/spread.rs"];
    for (path, text) in files(&[".rs"])
        .iter()
        .filter(|(path, _)| path.starts_with("loadtest/src/"))
    {
        let asks_the_gate = text.contains("gate::") || text.contains("::gate");
        assert!(
            !asks_the_gate || may_ask.iter().any(|part| path.starts_with(part)),
            "{path} asks Redis, but is not the audit"
        );
    }
}

#[test]
fn only_the_gate_calls_scripts() {
    for (path, text) in sources() {
        let calls = ["evalsha(", ".eval(", ".lua\""]
            .iter()
            .any(|word| text.contains(word));
        // The rivals bring scripts of their own, which no sale of ours ever meets.
        let may = ["engine/core/src/gate/", "loadtest/src/rivals/"];
        assert!(
            !calls || may.iter().any(|folder| path.starts_with(folder)),
            "{path} calls a script"
        );
    }
}

#[test]
fn only_store_files_hold_sql() {
    for (path, text) in sources() {
        if path.ends_with("store.rs") || path.starts_with("loadtest/src/rivals/") {
            continue;
        }
        let lower = text.to_ascii_lowercase();
        for word in [
            "\"select ",
            "\"insert into",
            "\"update ",
            "\"delete from",
            "sqlx::query(",
            "sqlx::query_as(",
            "sqlx::query_scalar(",
        ] {
            assert!(!lower.contains(word), "{path} holds SQL ({word})");
        }
    }
}

#[test]
fn only_config_files_read_the_environment() {
    for (path, text) in sources() {
        let reads = text.contains("env::var") || text.contains("env = \"");
        assert!(
            !reads || path.ends_with("config.rs"),
            "{path} reads the environment"
        );
    }
}

#[test]
fn only_reply_and_error_files_name_statuses() {
    for (path, text) in sources() {
        let server = path.starts_with("engine/src") || path.starts_with("backoffice/src");
        let names = text.contains("StatusCode::");
        assert!(
            !server || !names || path.ends_with("reply.rs") || path.ends_with("error.rs"),
            "{path} names an HTTP status"
        );
    }
}

#[test]
fn every_file_says_what_it_is_for_and_holds_one_idea() {
    for (path, text) in files(&[".rs"]) {
        assert!(
            text.starts_with("//!"),
            "{path} does not open with what it is for"
        );
        let lines = text.lines().count();
        assert!(lines <= 400, "{path} has {lines} lines");
    }
}

#[test]
fn nothing_is_left_behind() {
    let words = [
        concat!("TO", "DO"),
        concat!("FIX", "ME"),
        concat!("X", "XX"),
        concat!("dbg", "!("),
        concat!("todo", "!("),
        concat!("#[", "ignore"),
        concat!("#[", "allow("),
    ];
    for (path, text) in files(&[".rs", ".lua", ".sql", ".md", ".toml", ".html", ".sh"]) {
        for word in words {
            assert!(!text.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn names_of_machines_and_registries_stay_outside() {
    for (path, text) in files(&[
        ".rs", ".lua", ".sql", ".md", ".toml", ".html", ".sh", "Makefile", ".sample",
    ]) {
        for word in [
            concat!("/wo", "rk/"),
            concat!("/ro", "ot/"),
            concat!("crates", ".io"),
            concat!("registry", ".npmjs"),
            concat!("deb.deb", "ian.org"),
        ] {
            assert!(!text.contains(word), "{path} names {word}");
        }
    }
}

/// Program sources without tests.
fn sources() -> Vec<(String, String)> {
    let programs = files(&[".rs"])
        .into_iter()
        .filter(|(path, _)| path.contains("/src/") && !path.starts_with("loadtest/stage/"));
    programs
        .map(|(path, text)| {
            (
                path,
                text.split("#[cfg(test)]").next().unwrap_or("").to_string(),
            )
        })
        .collect()
}

/// Names in kebab case, as clap makes a flag of a field.
fn flag(name: &str) -> String {
    name.to_ascii_lowercase().replace('_', "-")
}

#[test]
fn the_sample_of_the_environment_loads_and_has_every_variable_with_its_flag() {
    let loaded = Command::new("sh")
        .args(["-c", "set -eu; . ./.env.sample; printf %s \"$MAIL_FROM\""])
        .current_dir(root())
        .output()
        .expect("sh");
    let said = String::from_utf8_lossy(&loaded.stderr);
    assert!(loaded.status.success() && said.is_empty(), "{said}");
    assert_eq!(loaded.stdout, b"Doorbuster <no-reply@localhost>");

    let sample = std::fs::read_to_string(root().join(".env.sample")).expect("the sample");
    let listed: BTreeSet<&str> = sample
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let (head, _) = sample.split_once("\n\n").expect("a head");
    let mut flags = 0;
    for (path, text) in files(&["config.rs"]) {
        if !path.starts_with("engine/src/") && !path.starts_with("backoffice/src/") {
            continue;
        }
        for part in text.split("env = \"").skip(1) {
            let name = part.split('"').next().unwrap_or_default();
            assert!(listed.contains(name), "{path}: {name}");
            // The field stands after its attribute, whose parentheses may go on.
            let field = part.lines().skip(1).map(str::trim).find_map(|line| {
                let line = line.strip_prefix("pub ").unwrap_or(line);
                let (field, _) = line.split_once(": ")?;
                let is_name = |c: char| c.is_ascii_lowercase() || c == '_';
                field.chars().all(is_name).then(|| flag(field))
            });
            let is_named = head.contains(name);
            assert!(
                field == Some(flag(name)) || is_named,
                "{path}: {name}, {field:?}"
            );
            flags += 1;
        }
    }
    assert!(flags > 25, "{flags}");
}
