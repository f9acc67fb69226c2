//! Every operation of both programs, asked for in thousands of ways that its own document makes one think of: valid, at a bound, broken. Whatever
//! comes back is what the document says: status, media type, body. `cargo bench -p
//! doorbuster-backoffice --bench trials -- fuzz` asks twenty thousand times.

mod dice;
mod request;
mod schema;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::http::{Answer, Call};
use crate::people::place;
use crate::stage::Desk;
use dice::Dice;
use request::{Made, Operation};
use schema::Schemas;

/// Requests under way at once.
const AT_ONCE: u64 = 8;
const SEED: u64 = 20_261_121;
/// A token of this generation outlives whatever is asked for.
const GENERATION: u64 = 1 << 40;

/// What all requests are made of.
struct Ground {
    /// Base and document of each program.
    programs: Vec<(String, Value)>,
    /// Of an admin, of an operator, of a buyer; and one that is none.
    tokens: [String; 4],
    /// Ids of things that exist.
    names: Vec<String>,
}

impl Ground {
    async fn new(desk: &Desk<'_>) -> Self {
        let shelf = desk.shelf().await;
        let product = desk.product(&shelf, "머그", "Mug", 1_000).await;
        let (open, draft) = (desk.selling("fuzz").await, desk.draft("fuzz").await);
        let line = crate::stage::name("fuzz");
        let mut body = crate::stage::sale(&line);
        body["waiting_room"] = json!(true);
        desk.put("/admin/v1/sales", &body).await.ok(201);
        desk.post(&format!("/admin/v1/sales/{line}/open"))
            .await
            .ok(200);
        let coupon = crate::stage::name("fuzz");
        let body = crate::stage::coupon(&coupon);
        desk.put("/admin/v1/coupons", &body).await.ok(201);
        desk.post(&format!("/admin/v1/coupons/{coupon}/open"))
            .await
            .ok(200);
        let reservation = desk
            .hold(&open, "fuzz-buyer", json!([{"sku": "tee", "quantity": 1}]))
            .await;
        let mut programs = Vec::new();
        for base in [
            desk.stage.backoffice(0).url().to_owned(),
            desk.stage.engine(0).url().to_owned(),
        ] {
            let document = Call::new(&base, "GET", "/openapi.json").send().await;
            programs.push((base, document.ok(200)));
        }
        let token = |user, role| desk.token_of(user, role, GENERATION);
        Self {
            programs,
            tokens: [
                token("fuzz-admin", Role::Admin),
                token("fuzz-staff", Role::Operator),
                token("fuzz-buyer", Role::Buyer),
                "no.token.atall".to_owned(),
            ],
            names: vec![
                open,
                draft,
                line,
                coupon,
                reservation,
                product,
                shelf.0,
                shelf.1,
                "tee".to_owned(),
                "cap".to_owned(),
                "fuzz-buyer".to_owned(),
            ],
        }
    }

    fn operations(&self) -> Vec<(&str, Schemas<'_>, Operation<'_>)> {
        let mut all = Vec::new();
        for (base, document) in &self.programs {
            for (path, item) in document["paths"].as_object().unwrap() {
                let methods = item.as_object().unwrap().iter();
                for (method, described) in methods.filter(|(name, _)| *name != "parameters") {
                    let operation = Operation {
                        path,
                        method,
                        item,
                        described,
                    };
                    all.push((base.as_str(), Schemas(document), operation));
                }
            }
        }
        all
    }

    /// Case `n`: what is wrong with its answer, by operation.
    async fn try_case(&self, n: u64) -> (u16, Option<(String, String)>) {
        let mut dice = Dice::new(SEED ^ n.wrapping_mul(0x5851_F42D_4C95_7F2D));
        let operations = self.operations();
        let (base, schemas, operation) = operations[(n as usize) % operations.len()];
        let made = operation.make(schemas, &mut dice, &self.names);
        let mut call = Call::new(base, &operation.method.to_uppercase(), &made.path);
        call = call.header("x-forwarded-for", place());
        match dice.below(10) {
            0 => {}
            1 => call = call.token(&self.tokens[3]),
            2 => call = call.token(&self.tokens[2]),
            3 => call = call.token(&self.tokens[1]),
            // Operations of the engine are a buyer's whatever his role.
            _ => call = call.token(&self.tokens[0]),
        }
        for (name, value) in &made.headers {
            call = call.header(name, value.as_str());
        }
        call = call.body(made.body.clone());
        let responses = operation.described["responses"].as_object().unwrap();
        let is_stream = responses
            .get("200")
            .is_some_and(|ok| ok["content"]["text/event-stream"].is_object());
        let answer = if is_stream {
            call.head().await
        } else {
            call.send().await
        };
        let problem = judge(schemas, operation, &answer, is_stream);
        let which = format!("{} {}", operation.method.to_uppercase(), operation.path);
        let told = problem.map(|problem| (which, told(n, &problem, &made, &answer)));
        (answer.status, told)
    }
}

fn told(n: u64, problem: &str, made: &Made, answer: &Answer) -> String {
    let body: String = String::from_utf8_lossy(&made.body)
        .chars()
        .take(300)
        .collect();
    let text: String = answer.text.chars().take(400).collect();
    let path: String = made.path.chars().take(200).collect();
    format!(
        "case {n}: {problem}\n    {path} {:?} {body}\n    {} {text}",
        made.headers, answer.status
    )
}

/// Whether it is as documented; of a stream the head alone has come.
fn judge(
    schemas: Schemas<'_>,
    operation: Operation<'_>,
    answer: &Answer,
    is_head: bool,
) -> Option<String> {
    let status = answer.status.to_string();
    let Some(response) = operation.described["responses"].get(&status) else {
        return Some(format!("{status} is not documented"));
    };
    let response = schemas.resolved(response);
    if answer.status >= 500 && answer.status != 503 {
        return Some(format!("{status} is never meant"));
    }
    let media_type = answer.header("content-type").split(';').next().unwrap();
    let Some(content) = response["content"].as_object() else {
        let is_empty = answer.text.is_empty();
        return (!is_empty).then(|| "a body that is not documented".to_owned());
    };
    let Some(described) = content.get(media_type) else {
        return Some(format!("{media_type:?} is not documented"));
    };
    if is_head || !media_type.ends_with("json") {
        return None;
    }
    if answer.json.is_null() {
        return Some("a body that is no JSON".to_owned());
    }
    if media_type == "application/problem+json" {
        // The client looks at the whole of it.
        answer.code();
    }
    schemas.problem(&described["schema"], &answer.json, "")
}

/// Asks so often, and panics where an answer differs from its document.
pub(crate) async fn run(cases: u64) {
    let options = StageOptions::whole(1)
        .engine_env("RATE_PER_USER", "0")
        .backoffice_env("TRUSTED_PROXIES", "127.0.0.1");
    let stage = Stage::start(&options).unwrap();
    let desk = Desk::on(&stage).await;
    let ground = Arc::new(Ground::new(&desk).await);
    let next = Arc::new(AtomicU64::new(0));
    let mut workers = JoinSet::new();
    for _ in 0..AT_ONCE {
        let (ground, next) = (Arc::clone(&ground), Arc::clone(&next));
        workers.spawn(async move {
            let (mut statuses, mut found) = (BTreeMap::<u16, u64>::new(), Vec::new());
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= cases {
                    return (statuses, found);
                }
                let (status, problem) = ground.try_case(n).await;
                *statuses.entry(status).or_default() += 1;
                found.extend(problem);
            }
        });
    }
    let (mut statuses, mut found) = (
        BTreeMap::<u16, u64>::new(),
        BTreeMap::<String, String>::new(),
    );
    let mut wrong = 0;
    while let Some(done) = workers.join_next().await {
        let (seen, problems) = done.unwrap();
        for (status, count) in seen {
            *statuses.entry(status).or_default() += count;
        }
        wrong += problems.len();
        found.extend(problems);
    }
    let operations = ground.operations().len();
    println!("{cases} cases of {operations} operations, seed {SEED}: {statuses:?}, {wrong} wrong");
    let shown: Vec<String> = found
        .iter()
        .map(|(which, what)| format!("{which}\n  {what}"))
        .collect();
    assert!(
        found.is_empty(),
        "{wrong} wrong answers, the last of each operation:\n{}",
        shown.join("\n")
    );
    let ok: u64 = statuses.range(200..300).map(|(_, count)| count).sum();
    assert!(ok * 5 > cases, "handlers are reached: {ok} of {cases}");
    let deliberate = statuses.get(&503).copied().unwrap_or(0);
    assert!(
        deliberate * 20 < cases,
        "{deliberate} of {cases} could not be served"
    );
}

#[tokio::test]
async fn every_operation_answers_as_its_document_says() {
    run(2_000).await;
}
