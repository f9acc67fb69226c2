//! The audit log: chained, append-only, and read by staff a page at a time.

use std::process::{Command, Output};

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Connection as _, Executor as _, MySqlConnection};

use crate::stage::{Desk, name, shared};

fn run(database_url: &str, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
    command.args(args).env_clear();
    command.env("DATABASE_URL", database_url).output().unwrap()
}

/// What `audit-check` says: its exit status and its result.
fn check(database_url: &str, args: &[&str]) -> (i32, Value) {
    let output = run(database_url, &[&["audit-check", "--json"], args].concat());
    let result = serde_json::from_slice(&output.stdout);
    let result = result.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), result)
}

/// A database of its own with rows that have no link yet, as an older version wrote them.
struct Old {
    url: String,
    books: MySqlConnection,
}

impl Old {
    async fn with_rows(rows: u32) -> Self {
        let url = shared().database_url_named(&name("audit").replace('-', "_"));
        assert!(run(&url, &["migrate"]).status.success());
        let mut books = MySqlConnection::connect(&url).await.unwrap();
        for row in 0..rows {
            sqlx::query(
                "insert into audit_log (at, actor, action, subject, request_id, before_state, after_state)
                values (now(6), 'olga', 'sale.pause', 'sale:a', ?, null, ?)",
            )
            .bind(format!("r-{row}"))
            .bind(json!({"state": "paused", "n": row, "half": 0.5, "text": "한"}).to_string())
            .execute(&mut books)
            .await
            .unwrap();
        }
        Self { url, books }
    }

    fn migrate(&self) -> Value {
        let output = run(&self.url, &["migrate", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// As root, who first takes the triggers away.
    async fn tamper(&mut self, statement: &str) {
        for trigger in [
            "audit_log_no_update",
            "audit_log_no_delete",
            "audit_links_no_update",
            "audit_links_no_delete",
        ] {
            let drop = format!("drop trigger if exists {trigger}");
            self.sql(&drop).await.unwrap();
        }
        self.sql(statement).await.unwrap();
    }

    async fn sql(&mut self, statement: &str) -> sqlx::Result<u64> {
        let statement = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()));
        let done = self.books.execute(statement).await?;
        Ok(done.rows_affected())
    }

    async fn id(&mut self, position: u64) -> u64 {
        sqlx::query_scalar("select id from audit_links where position = ?")
            .bind(position)
            .fetch_one(&mut self.books)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn changes_made_at_the_same_time_are_in_one_unbroken_chain() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let sales = at_once(12, async || {
        let id = desk.selling("chained").await;
        desk.post(&format!("/admin/v1/sales/{id}/pause"))
            .await
            .ok(200);
    });
    sales.await;
    let (status, result) = check(&stage.database_url(), &[]);
    assert_eq!((status, &result["rows"]), (0, &json!(36)), "{result}");

    // The account of the programs adds rows, and can do no more.
    let mut programs = MySqlConnection::connect(
        &stage
            .database_url()
            .replace("mysql://root@", "mysql://doorbuster@"),
    )
    .await
    .unwrap();
    for refused in [
        "update audit_log set actor = 'nobody'",
        "delete from audit_log",
        "truncate table audit_log",
        "drop table audit_links",
        "update audit_links set hash = previous",
        "delete from audit_links",
        "drop trigger audit_log_no_update",
        "alter table audit_log drop column actor",
        "update ledger_postings set amount = -amount",
        "delete from ledger_postings",
    ] {
        let error = programs.execute(sqlx::raw_sql(refused)).await.unwrap_err();
        assert!(error.to_string().contains("denied"), "{refused}: {error}");
    }
    // Root meets the triggers.
    for refused in [
        "update audit_log set actor = 'nobody'",
        "delete from audit_log",
        "update audit_links set hash = previous",
        "delete from audit_links",
    ] {
        let error = sqlx::raw_sql(refused).execute(&desk.books).await;
        let error = error.unwrap_err().to_string();
        assert!(error.contains("is append-only"), "{refused}: {error}");
    }
    assert_eq!(check(&stage.database_url(), &[]), (0, result));
}

async fn at_once(count: usize, make: impl AsyncFn()) {
    let mut running: Vec<_> = (0..count).map(|_| Box::pin(make())).collect();
    let mut left = count;
    let mut done = vec![false; count];
    std::future::poll_fn(|cx| {
        for (future, done) in running.iter_mut().zip(&mut done) {
            if !*done && future.as_mut().poll(cx).is_ready() {
                *done = true;
                left -= 1;
            }
        }
        if left == 0 {
            std::task::Poll::Ready(())
        } else {
            std::task::Poll::Pending
        }
    })
    .await;
}

#[tokio::test]
async fn rows_from_before_the_chain_are_in_it_from_the_next_migrate_on() {
    let mut old = Old::with_rows(3).await;
    let (status, result) = check(&old.url, &[]);
    assert_eq!(status, 1, "{result}");
    assert_eq!(
        (&result["broken"]["position"], result["rows"].as_u64()),
        (&Value::Null, Some(0))
    );
    let migrated = old.migrate();
    assert_eq!(migrated["audit_rows_linked"], 3, "{migrated}");
    assert_eq!(migrated["audit_triggers"], true, "{migrated}");
    assert_eq!(old.migrate()["audit_rows_linked"], 0);
    let (status, result) = check(&old.url, &[]);
    assert_eq!((status, &result["rows"]), (0, &json!(3)), "{result}");
    old.tamper("update audit_log set actor = 'mallory' where request_id = 'r-0'")
        .await;
    assert_eq!(check(&old.url, &[]).1["broken"]["position"], 1);
}

#[tokio::test]
async fn whoever_alters_the_log_as_root_is_found_at_the_row() {
    // What is done to row 3 of 5, the place that is named, and whether the row's id still is.
    let cases = [
        (
            "update audit_log set actor = 'mallory' where id = {id}",
            3,
            true,
        ),
        (
            "update audit_log set at = at + interval 1 microsecond where id = {id}",
            3,
            true,
        ),
        (
            "update audit_log set after_state = null where id = {id}",
            3,
            true,
        ),
        ("delete from audit_log where id = {id}", 3, true),
        ("delete from audit_links where id = {id}", 3, false),
        (
            "update audit_links set hash = repeat('x', 32) where id = {id}",
            3,
            true,
        ),
        (
            "update audit_links set previous = repeat('x', 32) where id = {id}",
            3,
            true,
        ),
        ("delete from audit_links where position >= 3", 3, false),
        ("update audit_head set hash = repeat('x', 32)", 5, false),
    ];
    for (statement, position, has_id) in cases {
        let mut old = Old::with_rows(5).await;
        old.migrate();
        let id = old.id(3).await;
        old.tamper(&statement.replace("{id}", &id.to_string()))
            .await;
        let (status, result) = check(&old.url, &[]);
        assert_eq!(
            (status, &result["broken"]["position"]),
            (1, &json!(position)),
            "{statement}: {result}"
        );
        assert_eq!(
            result["broken"]["id"] == id,
            has_id,
            "{statement}: {result}"
        );
        let text = run(&old.url, &["audit-check"]);
        let text = String::from_utf8(text.stdout).unwrap();
        assert!(text.contains("broken at"), "{text}");
    }
}

#[tokio::test]
async fn a_log_that_was_written_anew_is_told_from_the_one_that_somebody_remembers() {
    let mut old = Old::with_rows(3).await;
    old.migrate();
    let end = check(&old.url, &[]).1["end"].as_str().unwrap().to_owned();
    assert_eq!(check(&old.url, &["--known", &end]).0, 0);
    old.tamper("delete from audit_links; update audit_log set actor = 'mallory' where request_id = 'r-1'; update audit_head set position = 0, hash = repeat(x'00', 32)").await;
    old.migrate();
    assert_eq!(check(&old.url, &[]).0, 0, "it is a whole log, by itself");
    let (status, result) = check(&old.url, &["--known", &end]);
    assert_eq!(
        (status, &result["broken"]["position"]),
        (1, &json!(3)),
        "{result}"
    );
}

#[tokio::test]
async fn an_account_that_could_alter_the_log_all_the_same_is_refused() {
    let mut old = Old::with_rows(0).await;
    old.sql(
        "create user if not exists 'wide'@'localhost'; grant update on *.* to 'wide'@'localhost'",
    )
    .await
    .unwrap();
    let output = run(&old.url, &["migrate", "--grant-to", "wide@localhost"]);
    assert_eq!(output.status.code(), Some(2));
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(text.contains("revoke"), "{text}");
    let database = old.url.rsplit_once('/').unwrap().1.to_owned();
    let pattern = database.replace('_', "%");
    for (i, give) in [
        format!("grant delete on `{database}`.audit_log to {{who}}"),
        format!("grant update (actor) on `{database}`.audit_log to {{who}}"),
        format!("grant drop on `{pattern}`.* to {{who}}"),
        format!("grant all on `{}`.* to {{who}}", database.replace('_', "\\_")),
        format!("create role if not exists inner_{{role}}; grant update on `{database}`.* to inner_{{role}}; create role if not exists {{role}}; grant inner_{{role}} to {{role}}; grant {{role}} to {{who}}"),
    ]
    .iter()
    .enumerate()
    {
        let user = format!("wide{i}_{database}");
        let who = format!("'{user}'@'localhost'");
        let give = give
            .replace("{who}", &who)
            .replace("{role}", &format!("r_{database}"));
        old.migrate();
        old.sql(&format!("create user {who}; {give}")).await.unwrap();
        let account = format!("{user}@localhost");
        let output = run(&old.url, &["migrate", "--grant-to", &account]);
        assert_eq!(output.status.code(), Some(2), "{give}");
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(text.contains("revoke"), "{give}: {text}");
        old.sql(&format!("drop user {who}")).await.unwrap();
    }
    let good = format!("good_{database}");
    old.sql(&format!("create user '{good}'@'localhost'"))
        .await
        .unwrap();
    let output = run(
        &old.url,
        &["migrate", "--grant-to", &format!("{good}@localhost")],
    );
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let missing = run(&old.url, &["migrate", "--grant-to", "nobody@localhost"]);
    let text = String::from_utf8(missing.stderr).unwrap();
    assert_eq!(missing.status.code(), Some(2));
    assert!(text.contains("must exist"), "{text}");
}

#[tokio::test]
async fn staff_reads_the_log_a_page_at_a_time_by_subject_and_by_actor() {
    let desk = Desk::shared().await;
    let (id, actor) = (name("read"), name("auditor"));
    let call = |verb: &str| {
        desk.call("POST", &format!("/admin/v1/sales/{id}/{verb}"))
            .token(&desk.token(&actor, Role::Operator))
    };
    desk.put("/admin/v1/sales", &crate::stage::sale(&id))
        .await
        .ok(201);
    for verb in ["open", "pause", "resume", "close"] {
        call(verb).send().await.ok(200);
    }
    let actions = |page: &Value| -> Vec<String> {
        let entries = page["entries"].as_array().unwrap().iter();
        entries
            .map(|entry| entry["action"].as_str().unwrap().to_owned())
            .collect()
    };
    let of = async |query: String| {
        desk.get(&format!("/admin/v1/audit-log?{query}"))
            .await
            .ok(200)
    };
    let all = of(format!("subject=sale:{id}")).await;
    assert_eq!(
        actions(&all),
        [
            "sale.close",
            "sale.resume",
            "sale.pause",
            "sale.open",
            "sale.create"
        ]
    );
    assert_eq!(all["next_cursor"], Value::Null);
    let newest = &all["entries"][0];
    assert_eq!(newest["before"]["state"], "open");
    assert_eq!(newest["after"]["state"], "closed");
    assert_eq!(newest["hash"].as_str().unwrap().len(), 64);
    assert!(newest["position"].as_u64() > all["entries"][1]["position"].as_u64());

    let first = of(format!("actor={actor}&limit=3")).await;
    assert_eq!(actions(&first), ["sale.close", "sale.resume", "sale.pause"]);
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = of(format!("actor={actor}&limit=3&cursor={cursor}")).await;
    assert_eq!(
        (actions(&rest), &rest["next_cursor"]),
        (vec!["sale.open".to_owned()], &Value::Null)
    );

    for bad in [
        "limit=0",
        "limit=101",
        "cursor=x",
        "cursor=-1",
        "who=olga",
        "subject=%EB%A8%B8%EA%B7%B8",
        "actor=%EB%A8%B8%EA%B7%B8",
    ] {
        let answer = desk.get(&format!("/admin/v1/audit-log?{bad}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
}
