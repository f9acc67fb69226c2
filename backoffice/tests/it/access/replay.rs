//! Every request that buyer A may make is made by buyer B first: B reads nothing of A's, changes nothing of A's, and finds A's objects not to
//! be there. Then A makes it, and it is served: so it was refused for whose it is, and for nothing else.

use serde_json::{Value, json};

use super::world::{Buyer, World};
use super::{Access, Operation, Program, operations};
use crate::http::{Answer, Call};
use crate::people::Person;
use crate::stage::{Desk, name};

const NEW_PASSWORD: &str = "one more horse battery";

/// A request of A's.
struct Request {
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Body,
    /// What A is answered, and what B is.
    mine: u16,
    others: u16,
    proof: Proof,
}

enum Body {
    None,
    Json(Value),
    Form(String),
}

/// Whether what the request carries is proof enough by itself, such as a password: then whoever has it is A, and it is made by A first.
#[derive(PartialEq)]
enum Proof {
    Token,
    Itself,
}

fn plain(path: &str, (mine, others): (u16, u16)) -> Request {
    Request {
        path: path.to_owned(),
        headers: Vec::new(),
        body: Body::None,
        mine,
        others,
        proof: Proof::Token,
    }
}

fn with(path: &str, body: Value, answers: (u16, u16)) -> Request {
    Request {
        body: Body::Json(body),
        ..plain(path, answers)
    }
}

fn proof(path: &str, body: Value, answers: (u16, u16)) -> Request {
    Request {
        proof: Proof::Itself,
        ..with(path, body, answers)
    }
}

fn form(path: &str, body: String) -> Request {
    Request {
        body: Body::Form(body),
        proof: Proof::Itself,
        ..plain(path, (200, 200))
    }
}

/// The request of this operation that A would be served; there is one for every operation that serves buyers.
async fn of_backoffice(world: &World<'_>, key: &str, a: &Buyer) -> Option<Request> {
    let path = key.split_once(' ')?.1;
    let request = about_oneself(key, path, a)
        .or_else(|| in_the_shop(world, key, path, a))
        .or_else(|| about_orders(world, key, path, a));
    match request {
        None => by_proof(world, key, path, a).await,
        Some(request) => {
            // So that there is something to be read.
            world.booked(a).await;
            Some(request)
        }
    }
}

/// Those that a token proves, and those that need none.
fn about_oneself(key: &str, path: &str, a: &Buyer) -> Option<Request> {
    let (email, password) = (&a.person.email, &a.person.password);
    let address = json!({"recipient": "R", "phone": "010-1234-5678", "country": "KR", "postal_code": "04524", "line1": "L"});
    Some(match key {
        "POST /v1/sign-ups" => with(path, json!({"email": email, "name": "N"}), (202, 202)),
        "POST /v1/password-resets" => with(path, json!({"email": email}), (202, 202)),
        "POST /v1/sessions/log-out-everywhere" => plain(path, (200, 200)),
        "GET /v1/me"
        | "GET /v1/me/sessions"
        | "GET /v1/me/addresses"
        | "GET /v1/me/reservations" => plain(path, (200, 200)),
        "PATCH /v1/me" => with(path, json!({"name": "Somebody"}), (200, 200)),
        "PUT /v1/me/password" => {
            let body = json!({"current_password": password, "new_password": NEW_PASSWORD});
            with(path, body, (200, 401))
        }
        "POST /v1/me/email" => {
            let body = json!({"email": format!("{}@new.example", name("new")), "current_password": password});
            with(path, body, (202, 401))
        }
        "POST /v1/me/erase" => with(path, json!({"password": password}), (204, 401)),
        "DELETE /v1/me/sessions/{id}" => plain(&path.replace("{id}", &a.other_id), (204, 404)),
        "POST /v1/me/addresses" => with(path, address, (201, 201)),
        "PUT /v1/me/addresses/{id}" => with(&path.replace("{id}", &a.address), address, (200, 404)),
        "DELETE /v1/me/addresses/{id}" => plain(&path.replace("{id}", &a.address), (204, 404)),
        "GET /account/confirm" | "GET /account/email" | "GET /account/password" => {
            plain(&format!("{path}?token=x"), (200, 200))
        }
        "GET /" | "GET /livez" | "GET /readyz" | "GET /metrics" | "GET /openapi.json"
        | "GET /docs" => plain(path, (200, 200)),
        "GET /sales/{id}" => plain(&path.replace("{id}", "nowhere"), (200, 200)),
        "GET /assets/{name}" => plain(&path.replace("{name}", "style.css"), (200, 200)),
        _ => return None,
    })
}

/// What a buyer orders, and what he may know of it.
fn about_orders(world: &World<'_>, key: &str, path: &str, a: &Buyer) -> Option<Request> {
    let mine = path.replace("{id}", &a.order);
    let mut body = json!({"sale": world.sale, "reservation": a.reservation});
    Some(match key {
        "GET /orders" => plain(path, (200, 200)),
        "GET /v1/me/points" => plain(&format!("{path}?currency=KRW"), (200, 200)),
        "POST /v1/quotes" => with(path, body, (200, 404)),
        "POST /v1/orders" => {
            body["payment"] = json!({"method": "none", "token": "none"});
            Request {
                headers: vec![("idempotency-key", name("key"))],
                ..with(path, body, (201, 404))
            }
        }
        "GET /v1/orders" => plain(path, (200, 200)),
        "GET /v1/orders/{id}" | "POST /v1/orders/{id}/cancel" => plain(&mine, (200, 404)),
        _ => return None,
    })
}

/// What everybody sees there, and what a buyer keeps of it.
fn in_the_shop(world: &World<'_>, key: &str, path: &str, a: &Buyer) -> Option<Request> {
    let of_shop = path.replace("{id}", &world.product);
    let kept = path.replace("{id}", &a.kept);
    Some(match key {
        "GET /v1/products"
        | "GET /v1/products/{id}"
        | "GET /v1/categories"
        | "GET /v1/notices"
        | "GET /v1/me/cart"
        | "DELETE /v1/me/cart"
        | "GET /v1/me/wish-list"
        | "PUT /v1/me/wish-list/{id}" => plain(&of_shop, (200, 200)),
        "PUT /v1/me/cart/{id}" => with(&of_shop, json!({"quantity": 1}), (200, 200)),
        "DELETE /v1/me/cart/{id}" | "DELETE /v1/me/wish-list/{id}" => plain(&kept, (200, 200)),
        _ => return None,
    })
}

/// Those that carry their proof, and those about a sale.
async fn by_proof(world: &World<'_>, key: &str, path: &str, a: &Buyer) -> Option<Request> {
    let (desk, email, password) = (world.desk, &a.person.email, &a.person.password);
    Some(match key {
        "GET /v1/sales/{id}/draw" | "GET /v1/sales/{id}/draw/entries" => {
            plain(&path.replace("{id}", &world.sale), (404, 404))
        }
        "POST /v1/sign-ups/confirm" => {
            let token = confirmation(desk).await;
            let body = json!({"token": token, "password": NEW_PASSWORD});
            proof(path, body, (201, 400))
        }
        "POST /account/confirm" => {
            let token = confirmation(desk).await;
            let password = NEW_PASSWORD.replace(' ', "+");
            form(path, format!("token={token}&password={password}"))
        }
        "POST /v1/sessions" => {
            let body = json!({"email": email, "password": password});
            proof(path, body, (201, 201))
        }
        "POST /v1/sessions/refresh" => {
            proof(path, json!({"refresh_token": a.other.refresh}), (200, 200))
        }
        "POST /v1/sessions/log-out" => {
            proof(path, json!({"refresh_token": a.other.refresh}), (204, 204))
        }
        "POST /v1/password-resets/complete" => {
            let token = reset(desk, &a.person).await;
            let body = json!({"token": token, "password": NEW_PASSWORD});
            proof(path, body, (204, 400))
        }
        "POST /account/password" => {
            let token = reset(desk, &a.person).await;
            let password = NEW_PASSWORD.replace(' ', "+");
            form(path, format!("token={token}&password={password}"))
        }
        "POST /v1/email-changes/confirm" => {
            let token = change(desk, a).await;
            proof(path, json!({"token": token}), (204, 400))
        }
        "POST /account/email" => form(path, format!("token={}", change(desk, a).await)),
        // No buyer's: it carries the provider's signature, and there is no provider here.
        "POST /v1/webhooks/payments" => proof(path, json!({}), (503, 503)),
        _ => return None,
    })
}

/// The same of the engine.
async fn of_engine(world: &World<'_>, key: &str, a: &Buyer) -> Option<Request> {
    let path = key.split_once(' ')?.1;
    let of_sale = path.replace("{sale}", &world.sale);
    let of_line = path.replace("{sale}", &world.line);
    let of_coupon = path.replace("{coupon}", &world.coupon);
    let mine = of_sale.replace("{id}", &a.reservation);
    let idempotency_key = || vec![("idempotency-key", name("key"))];
    Some(match key {
        "GET /livez"
        | "GET /readyz"
        | "GET /metrics"
        | "GET /openapi.json"
        | "GET /v1/sales/{sale}" => plain(&of_sale, (200, 200)),
        "POST /v1/sales/{sale}/reservations" => Request {
            headers: idempotency_key(),
            ..with(
                &of_sale,
                json!({"items": [{"sku": "tee", "quantity": 1}]}),
                (201, 201),
            )
        },
        "GET /v1/sales/{sale}/reservations/{id}" | "DELETE /v1/sales/{sale}/reservations/{id}" => {
            plain(&mine, (200, 404))
        }
        "POST /v1/coupons/{coupon}/claims" => Request {
            headers: idempotency_key(),
            ..plain(&of_coupon, (201, 201))
        },
        "POST /v1/sales/{sale}/tickets" => plain(&of_line, (201, 201)),
        "GET /v1/sales/{sale}/tickets/current" => Request {
            headers: vec![("queue-ticket", world.ticket(&a.session).await)],
            ..plain(&of_line, (200, 403))
        },
        "GET /v1/sales/{sale}/tickets/current/events" => Request {
            headers: vec![("queue-ticket", world.ticket(&a.session).await)],
            ..plain(&of_line, (200, 403))
        },
        _ => return None,
    })
}

/// The token that confirms a new account.
async fn confirmation(desk: &Desk<'_>) -> String {
    let person = Person::new("confirmed");
    person.sign_up(desk).await.ok(202);
    person.token_from_mail(desk, "/account/confirm").await
}

async fn reset(desk: &Desk<'_>, person: &Person) -> String {
    let body = json!({"email": person.email});
    person
        .post(desk, "/v1/password-resets", &body)
        .await
        .ok(202);
    person.token_from_mail(desk, "/account/password").await
}

async fn change(desk: &Desk<'_>, a: &Buyer) -> String {
    let mut moved = a.person.clone();
    moved.email = format!("{}@new.example", name("new"));
    let body = json!({"email": moved.email, "current_password": a.person.password});
    let call = desk.call("POST", "/v1/me/email").token(&a.session.access);
    call.json(&body).send().await.ok(202);
    moved.token_from_mail(desk, "/account/email").await
}

impl Request {
    /// Made by `who`, where the operation takes a token.
    async fn by(&self, desk: &Desk<'_>, operation: &Operation, who: &Buyer) -> Answer {
        let call = Call::new(&operation.program.base(desk), operation.method, &self.path);
        let mut call = call.header("x-forwarded-for", who.person.place.as_str());
        if operation.access == Access::Bearer {
            call = call.token(&who.session.access);
        }
        for &(header, ref value) in &self.headers {
            call = call.header(header, value.as_str());
        }
        call = match &self.body {
            Body::None => call,
            Body::Json(body) => call.json(body),
            Body::Form(body) => call
                .header("content-type", "application/x-www-form-urlencoded")
                .body(body.as_str()),
        };
        if self.path.ends_with("/events") {
            call.head().await
        } else {
            call.send().await
        }
    }
}

/// What is wrong, if anything is.
async fn replay(world: &World<'_>, operation: &Operation) -> Vec<String> {
    let key = format!("{} {}", operation.method, operation.path);
    let (a, b) = (world.buyer(0).await, world.buyer(1).await);
    let request = match operation.program {
        Program::Backoffice => of_backoffice(world, &key, &a).await,
        Program::Engine => of_engine(world, &key, &a).await,
    };
    let Some(request) = request else {
        return vec![format!("{key}: what does a buyer ask by it?")];
    };
    let mut wrong = Vec::new();
    let mut check = |who: &str, answer: &Answer, expected: u16, marks: &[String]| {
        if answer.status != expected {
            wrong.push(format!("{key} by {who}: {expected} expected of {answer:?}"));
        }
        let leaked: Vec<_> = marks
            .iter()
            .filter(|mark| answer.text.contains(*mark))
            .collect();
        if !leaked.is_empty() {
            wrong.push(format!("{key}: {who} reads {leaked:?} in {answer:?}"));
        }
    };
    if request.proof == Proof::Itself {
        check(
            "A",
            &request.by(world.desk, operation, &a).await,
            request.mine,
            &b.marks,
        );
        check(
            "A's proof again",
            &request.by(world.desk, operation, &b).await,
            request.others,
            &b.marks,
        );
        return wrong;
    }
    let before = world.state_of(&a).await;
    check(
        "B",
        &request.by(world.desk, operation, &b).await,
        request.others,
        &a.marks,
    );
    let after = world.state_of(&a).await;
    let mine = request.by(world.desk, operation, &a).await;
    check("A", &mine, request.mine, &b.marks);
    if reads_what_is_his(operation) && !a.marks.iter().any(|mark| mine.text.contains(mark)) {
        wrong.push(format!("{key}: A reads nothing of his own in {mine:?}"));
    }
    if before != after {
        wrong.push(format!("{key}: B changed {before:#?} to {after:#?}"));
    }
    wrong
}

/// Whether there is something in the answer that nobody else may read; a place in a line names nobody.
fn reads_what_is_his(operation: &Operation) -> bool {
    let names_somebody = !operation.path.contains("/tickets/");
    operation.access == Access::Bearer && operation.method == "GET" && names_somebody
}

#[tokio::test]
async fn what_one_buyer_asks_another_cannot() {
    let desk = Desk::shared().await;
    let world = World::new(&desk).await;
    let mut wrong = Vec::new();
    for operation in operations(&desk).await {
        if matches!(operation.access, Access::Public | Access::Bearer) {
            wrong.extend(replay(&world, &operation).await);
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
