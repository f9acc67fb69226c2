//! The program as a command: help, configuration, tokens.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use doorbuster_core::claims::{Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_stage::eventually;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// Runs the program with these variables and no others; one that serves instead of ending is a failed test.
fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
    command
        .args(args)
        .env_clear()
        .envs(env.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if eventually(Duration::from_secs(20), || child.try_wait().unwrap()).is_none() {
        child.kill().unwrap();
        panic!(
            "{args:?} {env:?} did not end: {:?}",
            child.wait_with_output()
        );
    }
    child.wait_with_output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[test]
fn help_shows_examples_first_and_then_every_option_with_its_variable_and_default() {
    let output = run(&["--help"], &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0));
    assert!(text.starts_with("Examples:\n"), "{text}");
    for command in [
        "migrate",
        "token",
        "invite",
        "serve",
        "reconcile",
        "rebuild",
        "audit-check",
    ] {
        assert!(
            text.contains(&format!("doorbuster-backoffice {command}")),
            "{command}: {text}"
        );
        assert!(
            stdout(&run(&[command, "--help"], &[])).contains("Usage:"),
            "{command}"
        );
    }
    let serve = stdout(&run(&["serve", "--help"], &[]));
    for option in [
        "--redis-url",
        "[env: REDIS_URL]",
        "[default: redis://127.0.0.1:6379]",
        "[env: DATABASE_URL]",
        "[default: mysql://root@127.0.0.1:3306/doorbuster]",
        "--backoffice-listen",
        "[env: BACKOFFICE_LISTEN",
        "[default: 127.0.0.1:8081]",
        "--allowed-hosts",
        "--max-connections",
        "TOKEN_SECRET",
    ] {
        assert!(serve.contains(option), "{option}: {serve}");
        assert!(text.contains(option), "{option}: {text}");
    }
    assert!(
        !serve.contains("--token-secret"),
        "secrets never stand in a list of processes"
    );
}

#[test]
fn version_is_said() {
    assert_eq!(
        stdout(&run(&["--version"], &[])),
        format!("doorbuster-backoffice {}\n", env!("CARGO_PKG_VERSION"))
    );
}

/// What is named, the arguments, the environment.
type Case<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

const GOOD: (&str, &str) = ("TOKEN_SECRET", SECRET);

const BAD: [Case; 14] = [
    ("TOKEN_SECRET", &["serve"], &[]),
    ("TOKEN_SECRET", &["serve"], &[("TOKEN_SECRET", "")]),
    ("TOKEN_SECRET", &["serve"], &[("TOKEN_SECRET", "short")]),
    (
        "TOKEN_SECRET",
        &["token", "--user", "ann"],
        &[("TOKEN_SECRET", "change-me-change-me-change-me-change-me")],
    ),
    (
        "TOKEN_SECRET_PREVIOUS",
        &["serve"],
        &[GOOD, ("TOKEN_SECRET_PREVIOUS", "short")],
    ),
    (
        "BACKOFFICE_LISTEN",
        &["serve"],
        &[GOOD, ("BACKOFFICE_LISTEN", "nowhere")],
    ),
    (
        "MAX_CONNECTIONS",
        &["serve"],
        &[GOOD, ("MAX_CONNECTIONS", "0")],
    ),
    (
        "ALLOWED_HOSTS",
        &["serve"],
        &[GOOD, ("ALLOWED_HOSTS", "http://x")],
    ),
    ("REDIS_URL", &["serve"], &[GOOD, ("REDIS_URL", "http://x")]),
    (
        "DATABASE_URL",
        &["serve"],
        &[GOOD, ("DATABASE_URL", "postgres://u:hunter2@x/y")],
    ),
    (
        "DATABASE_URL",
        &["migrate"],
        &[("DATABASE_URL", "mysql://root@127.0.0.1:3306")],
    ),
    (
        "--ttl",
        &["token", "--user", "ann", "--ttl", "25h"],
        &[GOOD],
    ),
    ("--user", &["token", "--user", "a b"], &[GOOD]),
    ("--undo", &["reconcile", "--undo"], &[]),
];

#[test]
fn bad_configuration_ends_with_64_and_names_the_variable() {
    for (variable, args, env) in BAD {
        let output = run(args, env);
        assert_eq!(
            output.status.code(),
            Some(64),
            "{args:?} {env:?}: {}",
            stderr(&output)
        );
        assert!(
            stderr(&output).contains(variable),
            "{variable}: {}",
            stderr(&output)
        );
        assert!(
            stdout(&output).is_empty(),
            "stdout is data: {}",
            stdout(&output)
        );
        assert!(!stderr(&output).contains("hunter2"), "no secret is quoted");
    }
}

#[test]
fn a_token_says_who_may_do_what_and_for_how_long() {
    let keys = TokenKeys::new(SECRET.as_bytes(), None).unwrap();
    for (args, role, life_s) in [
        (&["token", "--user", "ann"][..], Role::Buyer, 3_600),
        (
            &[
                "token", "--user", "ann", "--role", "operator", "--ttl", "30s",
            ],
            Role::Operator,
            30,
        ),
        (
            &[
                "token", "--user", "ann", "--role", "finance", "--ttl", "15m",
            ],
            Role::Finance,
            900,
        ),
        (
            &["token", "--user", "ann", "--role", "admin", "--ttl", "24h"],
            Role::Admin,
            86_400,
        ),
    ] {
        let output = run(args, &[("TOKEN_SECRET", SECRET)]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let claims = keys
            .verify(stdout(&output).trim_end(), clock::now_s())
            .unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.role, claims.exp - claims.iat),
            ("ann", role, life_s)
        );
        assert!(stderr(&output).is_empty(), "{}", stderr(&output));
    }
    let output = run(
        &["token", "--user", "ann", "--json"],
        &[("TOKEN_SECRET", SECRET)],
    );
    let issued: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert!(
        keys.verify(issued["token"].as_str().unwrap(), clock::now_s())
            .is_ok()
    );
    assert_eq!(
        (&issued["user"], &issued["role"]),
        (&"ann".into(), &"buyer".into())
    );
}

#[test]
fn a_port_that_is_taken_is_a_failure_that_names_the_variable() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(
        &["serve"],
        &[
            ("TOKEN_SECRET", SECRET),
            ("BACKOFFICE_LISTEN", &address),
            ("REDIS_URL", "redis://127.0.0.1:1"),
        ],
    );
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("BACKOFFICE_LISTEN"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn a_payment_sandbox_that_others_may_reach_needs_a_key() {
    let open = run(
        &["payment-sandbox", "--dir", "/nonexistent"],
        &[("PAYMENT_SANDBOX_LISTEN", "0.0.0.0:0")],
    );
    assert!(!open.status.success());
    let said = stderr(&open);
    assert!(said.contains("PAYMENT_PROVIDER_KEY"), "{said}");
}
