//! `verify-draw` as anyone runs it: on a back-office, or on what was downloaded from one; whatever was changed is caught.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use bytes::Bytes;
use doorbuster_core::claims::{Claims, Role, TokenKeys};
use doorbuster_core::clock;
use doorbuster_core::draw::{DrawKeys, EntryList, Ranks};
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::{SaleId, UserId};
use doorbuster_loadtest::client::connection::Connection;
use doorbuster_loadtest::client::endpoint::{Endpoint, Reach};
use doorbuster_stage::{Stage, StageOptions};
use http_body_util::Full;
use hyper::Response;
use serde_json::{Value, json};

use crate::shop::{Received, Shop};

const EARLY: u32 = 300;

/// An honest draw, as it is published: the object, and the list.
fn published() -> (Value, String) {
    let sale = SaleId::parse("drop-1").unwrap();
    let keys = DrawKeys::derive(&[7; 32], None).unwrap();
    let pledge = keys.pledge(&sale, "0f".repeat(16));
    let draw = keys.pledged(&sale, &pledge).unwrap();
    let mut list = EntryList::vacant(EARLY);
    for number in 1..=EARLY {
        let user = UserId::parse(format!("u{number}")).unwrap();
        list.put(number, draw.entry(&user, number));
    }
    let drawn = draw.draw(&list);
    let ranks = Ranks::new(&drawn.seed, EARLY);
    let object = json!({"sale": "drop-1", "salt": pledge.salt, "commitment": pledge.commitment, "drawn_at": "2030-01-01T00:00:00.000Z",
        "early": EARLY, "secret": to_hex(&drawn.secret.reveal()), "list_hash": to_hex(&drawn.list_hash), "seed": to_hex(&drawn.seed)});
    let line = |number| {
        let (entry, place) = (list.get(number).unwrap(), ranks.place_of(number).unwrap());
        format!("{number},{entry},{place}\n")
    };
    let lines: String = (1..=EARLY).map(line).collect();
    (object, format!("number,entry,place\n{lines}"))
}

fn loadtest(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_doorbuster-loadtest"))
        .arg("verify-draw")
        .args(args)
        .env_clear()
        .output()
        .unwrap()
}

/// Exit status and what was said.
fn verdict(output: &Output) -> (Option<i32>, String) {
    let said = [output.stdout.as_slice(), &output.stderr].concat();
    (
        output.status.code(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn of_files(dir: &Path, object: &Value, list: &str, more: &[&str]) -> (Option<i32>, String) {
    let (draw, entries) = (dir.join("draw.json"), dir.join("entries.csv"));
    std::fs::write(&draw, object.to_string()).unwrap();
    std::fs::write(&entries, list).unwrap();
    let (draw, entries) = (draw.display().to_string(), entries.display().to_string());
    let args = [&["--draw", &draw, "--entries", &entries], more].concat();
    verdict(&loadtest(&args))
}

/// What a back-office answers.
fn backoffice(_: usize, request: &Received) -> Response<Full<Bytes>> {
    let (object, list) = published();
    let (status, body) = match request.path.as_str() {
        "/v1/sales/drop-1/draw" => (200, object.to_string()),
        "/v1/sales/drop-1/draw/entries" => (200, list),
        "/v1/sales/later/draw" => (
            200,
            json!({"sale": "later", "salt": "", "commitment": ""}).to_string(),
        ),
        _ => (404, r#"{"code":"unknown_sale"}"#.into()),
    };
    Response::builder()
        .status(status)
        .body(Full::from(body))
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_is_verified_where_it_is_published() {
    let shop = Shop::open(backoffice).await;
    let url = format!("http://{}", shop.address);
    let on = |sale: &'static str| {
        let url = url.clone();
        let run = move || {
            verdict(&loadtest(&[
                "--backoffice-url",
                &url,
                "--sale",
                sale,
                "--json",
            ]))
        };
        tokio::task::spawn_blocking(run)
    };
    let (status, said) = on("drop-1").await.unwrap();
    assert_eq!(status, Some(0), "{said}");
    let object: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let expected =
        json!({"sale": "drop-1", "early": EARLY, "vacant": 0, "findings": [], "differences": 0});
    assert_eq!(object, expected);
    for (sale, why) in [("later", "not drawn yet"), ("none", "unknown_sale")] {
        let (status, said) = on(sale).await.unwrap();
        assert!(status == Some(1) && said.contains(why), "{said}");
    }
}

#[test]
fn a_changed_seed_list_or_order_is_caught_and_so_is_a_pledge_that_was_another() {
    let dir = tempfile::tempdir().unwrap();
    let (object, list) = published();
    let run = |object: &Value, list: &str, more: &[&str]| of_files(dir.path(), object, list, more);
    let (status, said) = run(&object, &list, &[]);
    assert_eq!(status, Some(0), "{said}");

    let differs = |(status, said): (Option<i32>, String), what: &str| {
        assert!(status == Some(1) && said.contains(what), "{what}: {said}");
    };
    let mut other_seed = object.clone();
    other_seed["seed"] = "11".repeat(32).into();
    differs(run(&other_seed, &list, &[]), "seed: it comes to");
    let mut other_secret = object.clone();
    other_secret["secret"] = "11".repeat(32).into();
    differs(run(&other_secret, &list, &[]), "commitment: it comes to");

    let lines: Vec<&str> = list.lines().collect();
    let joined = |lines: &[&str]| lines.join("\n");
    differs(
        run(&object, &joined(&lines[..200]), &[]),
        "list: it has 199 entries",
    );
    let mut swapped = lines.clone();
    swapped.swap(7, 8);
    differs(
        run(&object, &joined(&swapped), &[]),
        "line 7 is of number 8",
    );
    let entry = |line: &str| line.split(',').nth(1).unwrap().to_owned();
    let forged = lines[5].replace(&entry(lines[5]), &"ab".repeat(16));
    let mut changed = lines.clone();
    changed[5] = &forged;
    differs(
        run(&object, &joined(&changed), &[]),
        "list hash: it comes to",
    );
    let other = if lines[9].ends_with(",1") { 2 } else { 1 };
    let favoured = format!("9,{},{other}", entry(lines[9]));
    let mut ordered = lines.clone();
    ordered[9] = &favoured;
    differs(
        run(&object, &joined(&ordered), &[]),
        "place of number 9: it comes to",
    );

    let own = entry(lines[9]);
    let is_there = run(&object, &list, &["--number", "9", "--entry", &own]);
    assert_eq!(is_there.0, Some(0), "{}", is_there.1);
    differs(
        run(&object, &list, &["--number", "10", "--entry", &own]),
        "your entry: number 10",
    );
    differs(
        run(&object, &list, &["--commitment", &"11".repeat(32)]),
        "was before the sale",
    );
}

#[test]
fn what_to_verify_has_to_be_said() {
    for args in [
        &[][..],
        &["--sale", "drop-1"],
        &["--draw", "x.json"],
        &[
            "--draw",
            "x",
            "--entries",
            "y",
            "--number",
            "1",
            "--entry",
            "zz",
        ],
    ] {
        let (status, said) = verdict(&loadtest(args));
        assert_eq!(status, Some(64), "{args:?} {said}");
    }
}

/// One exchange with a program of the stage, as JSON; null where there is none.
async fn exchange(url: &str, method: &str, path: &str, token: &str, body: &str) -> (u16, Value) {
    let endpoint = Endpoint::resolve(url, Reach::LoopbackOnly).await.unwrap();
    let mut connection = Connection::open(endpoint.address).await.unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {}\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        endpoint.host,
        body.len()
    );
    connection.send(request.as_bytes()).await.unwrap();
    let answer = connection.receive().await.unwrap();
    let json = serde_json::from_slice(answer.body).unwrap_or(Value::Null);
    (answer.status, json)
}

/// Looks until there is something, for half a minute at most.
async fn eventually<T>(look: impl AsyncFn() -> Option<T>) -> T {
    for _ in 0..600 {
        if let Some(found) = look().await {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not within half a minute");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_draw_that_engines_held_is_verified_by_those_who_were_in_it() {
    let stage = Stage::start(&StageOptions::whole(2).engine_env("RATE_PER_USER", "0")).unwrap();
    let keys = TokenKeys::new(stage.token_secret().as_bytes(), None).unwrap();
    let token = |user: &str, role| {
        let user = UserId::parse(user).unwrap();
        keys.sign(&Claims::access(user, role, clock::now_s(), 600))
    };
    let desk = stage.backoffice(0).url();
    let staff = token("olga", Role::Operator);
    let at = |ms: u64| clock::rfc3339(clock::now_ms() + ms);
    let sale = json!({"id": "drop", "title": "Drop", "opens_at": at(5_000), "closes_at": at(3_600_000), "hold_seconds": 60, "payment_seconds": 60,
        "waiting_room": true, "items": [{"sku": "tee", "title": "Tee", "price": {"amount": 1, "currency": "KRW"}, "stock": 2}]});
    let (status, _) = exchange(desk, "POST", "/admin/v1/sales", &staff, &sale.to_string()).await;
    assert_eq!(status, 201);
    let (status, opened) = exchange(desk, "POST", "/admin/v1/sales/drop/open", &staff, "").await;
    assert_eq!(status, 200);
    let commitment = opened["line"]["pledge"]["commitment"]
        .as_str()
        .unwrap()
        .to_owned();

    let mut tickets = Vec::new();
    for n in 0..8 {
        let (engine, buyer) = (stage.engine(n % 2), token(&format!("u{n}"), Role::Buyer));
        let join = async || {
            let path = "/v1/sales/drop/tickets";
            let (status, ticket) = exchange(engine.url(), "POST", path, &buyer, "").await;
            (status == 201).then_some(ticket)
        };
        tickets.push(eventually(join).await);
    }
    let is_listed = async || {
        let path = "/v1/sales/drop/draw/entries?limit=1";
        (exchange(desk, "GET", path, "", "").await.0 == 200).then_some(())
    };
    eventually(is_listed).await;

    let verify = |more: &[&str]| {
        let common = [
            "--backoffice-url",
            desk,
            "--sale",
            "drop",
            "--commitment",
            &commitment,
        ];
        let args = [&common, more].concat();
        tokio::task::block_in_place(|| verdict(&loadtest(&args)))
    };
    for ticket in &tickets {
        let (number, entry) = (
            ticket["number"].to_string(),
            ticket["draw_entry"].as_str().unwrap(),
        );
        let (status, said) = verify(&["--number", &number, "--entry", entry]);
        assert_eq!(status, Some(0), "{said}");
        assert!(said.contains("8 entries, 0 of them vacant"), "{said}");
    }
    let books = sqlx::MySqlPool::connect(&stage.database_url())
        .await
        .unwrap();
    let forged = "update draw_lists set entries = concat(repeat('x', 16), substring(entries, 17))";
    sqlx::query(forged).execute(&books).await.unwrap();
    let (status, said) = verify(&[]);
    assert!(
        status == Some(1) && said.contains("list hash: it comes to"),
        "{said}"
    );
}
