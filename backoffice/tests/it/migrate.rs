//! Migrations: on an empty server, twice, twice at once, and on a database of another version.

use std::process::{Child, Command, Output, Stdio};

use serde_json::Value;
use sqlx::{Connection as _, MySqlConnection};

use crate::stage::{name, shared};

fn start(database_url: &str) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
    command
        .args(["migrate", "--json"])
        .env_clear()
        .env("DATABASE_URL", database_url);
    command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn applied(output: &Output) -> usize {
    assert_eq!(
        output.status.code(),
        Some(0),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let result: Value = serde_json::from_slice(&output.stdout).unwrap();
    result["applied"].as_array().unwrap().len()
}

fn database() -> String {
    shared().database_url_named(&name("migrate").replace('-', "_"))
}

fn migrations() -> usize {
    let files = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../migrations")).unwrap();
    files
        .filter(|file| {
            file.as_ref()
                .unwrap()
                .path()
                .extension()
                .is_some_and(|extension| extension == "sql")
        })
        .count()
}

#[tokio::test]
async fn several_at_once_all_succeed_and_apply_each_migration_once() {
    let url = database();
    let running: Vec<Child> = (0..4).map(|_| start(&url)).collect();
    let done: Vec<usize> = running
        .into_iter()
        .map(|child| applied(&child.wait_with_output().unwrap()))
        .collect();
    assert_eq!(done.iter().sum::<usize>(), migrations(), "{done:?}");
    assert_eq!(
        done.iter().filter(|count| **count > 0).count(),
        1,
        "one did it all: {done:?}"
    );

    let mut books = MySqlConnection::connect(&url).await.unwrap();
    let rows: i64 = sqlx::query_scalar("select count(*) from _sqlx_migrations where success")
        .fetch_one(&mut books)
        .await
        .unwrap();
    assert_eq!(usize::try_from(rows).unwrap(), migrations());
    let charset: String = sqlx::query_scalar("select default_character_set_name from information_schema.schemata where schema_name = database()").fetch_one(&mut books).await.unwrap();
    assert_eq!(charset, "utf8mb4");
    assert_eq!(
        applied(&start(&url).wait_with_output().unwrap()),
        0,
        "a later run has nothing to do"
    );
}

#[tokio::test]
async fn a_database_that_a_newer_version_has_migrated_is_left_alone() {
    let url = database();
    applied(&start(&url).wait_with_output().unwrap());
    let mut books = MySqlConnection::connect(&url).await.unwrap();
    sqlx::query("insert into _sqlx_migrations (version, description, success, checksum, execution_time) values (9999, 'later', true, 'x', 0)").execute(&mut books).await.unwrap();
    let output = start(&url).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("9999"),
        "{output:?}"
    );
    let free: Option<i64> = sqlx::query_scalar("select is_free_lock('doorbuster_migrate')")
        .fetch_one(&mut books)
        .await
        .unwrap();
    assert!(free.is_some());
}
