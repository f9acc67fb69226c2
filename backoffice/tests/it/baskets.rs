//! What buyers keep: carts and wish lists, each of the token's own user; and what makes products popular.

use doorbuster_core::claims::Role;
use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::Answer;
use crate::people::Person;
use crate::stage::{Desk, eventually, name};

async fn act(desk: &Desk<'_>, user: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
    let call = desk
        .call(method, &format!("/v1/me/{path}"))
        .token(&desk.token(user, Role::Buyer));
    match body {
        Some(body) => call.json(&body).send().await,
        None => call.send().await,
    }
}

fn quantity(quantity: i64) -> Option<Value> {
    Some(json!({"quantity": quantity}))
}

#[tokio::test]
async fn a_cart_is_the_bearers_own_and_tells_prices_of_now() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let (mug, bowl) = (
        desk.product(&shelf, "머그", "Mug", 1_000).await,
        desk.product(&shelf, "그릇", "Bowl", 500).await,
    );
    let (ann, bob) = (name("ann"), name("bob"));
    act(&desk, &ann, "PUT", &format!("cart/{mug}"), quantity(2))
        .await
        .ok(200);
    act(&desk, &ann, "PUT", &format!("cart/{bowl}"), quantity(9))
        .await
        .ok(200);
    let cart = act(&desk, &ann, "PUT", &format!("cart/{bowl}"), quantity(3))
        .await
        .ok(200);
    assert_eq!(
        (&cart["items"][0]["sku"], &cart["items"][1]["quantity"]),
        (&json!(mug), &json!(3))
    );
    assert_eq!(
        cart["totals"],
        json!([{"amount": 3_500, "currency": "KRW"}])
    );
    assert_eq!(
        act(&desk, &bob, "GET", "cart", None).await.ok(200),
        json!({"items": [], "totals": []})
    );

    desk.post(&format!("/admin/v1/products/{mug}/archive"))
        .await
        .ok(200);
    let cart = act(&desk, &ann, "GET", "cart", None).await.ok(200);
    assert_eq!(
        (&cart["items"][0]["available"], &cart["totals"][0]["amount"]),
        (&json!(false), &json!(1_500))
    );
    let gone = act(&desk, &bob, "PUT", &format!("cart/{mug}"), quantity(1)).await;
    assert_eq!(gone.refusal(), (404, "unknown_sku"));

    act(&desk, &bob, "DELETE", &format!("cart/{bowl}"), None)
        .await
        .ok(200);
    let cart = act(&desk, &ann, "DELETE", &format!("cart/{mug}"), None)
        .await
        .ok(200);
    assert_eq!(
        cart["items"].as_array().unwrap().len(),
        1,
        "nobody empties another's"
    );
    assert_eq!(
        act(&desk, &ann, "DELETE", "cart", None).await.ok(200)["items"],
        json!([])
    );
    for bad in [0, 1_000, -1] {
        let answer = act(&desk, &ann, "PUT", &format!("cart/{bowl}"), quantity(bad)).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
    }
}

#[tokio::test]
async fn a_cart_is_bounded_also_when_filled_at_once() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let ann = name("ann");
    let mut draft = crate::catalog::product(&shelf, "많음", "Many", 1);
    let id = draft["id"].as_str().unwrap().to_owned();
    draft["options"] = json!([0, 1, 2].map(|i| json!({"name": {"en": format!("o{i}")}, "values": [{"en": "a"}, {"en": "b"}, {"en": "c"}, {"en": "d"}, {"en": "e"}]})));
    let skus: Vec<Value> = (0..102)
        .map(|i| json!({"sku": format!("{id}-{i}"), "choices": [i % 5, i / 5 % 5, i / 25], "price": {"amount": 1, "currency": "KRW"}}))
        .collect();
    draft["skus"] = json!(skus);
    desk.put("/admin/v1/products", &draft).await.ok(201);
    desk.post(&format!("/admin/v1/products/{id}/publish"))
        .await
        .ok(200);
    for i in 0..99 {
        act(&desk, &ann, "PUT", &format!("cart/{id}-{i}"), quantity(1))
            .await
            .ok(200);
    }
    let paths = [99, 100, 101].map(|i| format!("cart/{id}-{i}"));
    let (a, b, c) = tokio::join!(
        act(&desk, &ann, "PUT", &paths[0], quantity(1)),
        act(&desk, &ann, "PUT", &paths[1], quantity(1)),
        act(&desk, &ann, "PUT", &paths[2], quantity(1))
    );
    let accepted = [&a, &b, &c]
        .iter()
        .filter(|answer| answer.status == 200)
        .count();
    assert!(accepted <= 1, "{a:?} {b:?} {c:?}");
    let cart = act(&desk, &ann, "GET", "cart", None).await.ok(200);
    assert_eq!(cart["items"].as_array().unwrap().len(), 99 + accepted);
    act(&desk, &ann, "PUT", &format!("cart/{id}-0"), quantity(7))
        .await
        .ok(200);
    let rest = act(
        &desk,
        &ann,
        "PUT",
        &paths[usize::from(accepted == 1 && a.status == 200)],
        quantity(1),
    )
    .await;
    let cart = act(&desk, &ann, "GET", "cart", None).await.ok(200);
    assert!(cart["items"].as_array().unwrap().len() <= 100, "{rest:?}");
}

#[tokio::test]
async fn wishes_are_kept_latest_first_and_once() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let (mug, bowl) = (
        desk.product(&shelf, "머그", "Mug", 1).await,
        desk.product(&shelf, "그릇", "Bowl", 2).await,
    );
    let ann = name("ann");
    for id in [&mug, &bowl, &mug] {
        act(&desk, &ann, "PUT", &format!("wish-list/{id}"), None)
            .await
            .ok(200);
    }
    desk.post(&format!("/admin/v1/products/{bowl}/archive"))
        .await
        .ok(200);
    let list = act(&desk, &ann, "GET", "wish-list", None).await.ok(200);
    let told: Vec<_> = list["products"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (p["id"].clone(), p["available"].clone()))
        .collect();
    assert_eq!(
        told,
        [(json!(bowl), json!(false)), (json!(mug), json!(true))]
    );
    act(&desk, &ann, "DELETE", &format!("wish-list/{mug}"), None)
        .await
        .ok(200);
    let list = act(&desk, &ann, "DELETE", &format!("wish-list/{mug}"), None)
        .await
        .ok(200);
    assert_eq!(list["products"].as_array().unwrap().len(), 1);
    let unknown = act(&desk, &ann, "PUT", "wish-list/nothing", None).await;
    assert_eq!(unknown.refusal(), (404, "unknown_product"));
}

#[tokio::test]
async fn erasure_takes_cart_and_wish_list_along() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mug = desk.product(&shelf, "머그", "Mug", 1).await;
    let (ann, id) = Person::with_account(&desk, "basket").await;
    act(&desk, &id, "PUT", &format!("cart/{mug}"), quantity(1))
        .await
        .ok(200);
    act(&desk, &id, "PUT", &format!("wish-list/{mug}"), None)
        .await
        .ok(200);
    let call = ann
        .call(&desk, "POST", "/v1/me/erase")
        .token(&ann.sign_in(&desk).await.access);
    let erased = call.json(&json!({"password": ann.password})).send().await;
    erased.ok(204);
    let (kept,): (i64,) = sqlx::query_as(
        "select (select count(*) from cart_items where user_id = ?) + (select count(*) from wishes where user_id = ?)",
    )
    .bind(&id)
    .bind(&id)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(kept, 0);
}

#[tokio::test]
async fn what_people_read_buy_and_wish_for_becomes_popular() {
    let options = StageOptions::whole(1).backoffice_env("STATISTICS_SECONDS", "1");
    let stage = Stage::start(&options).unwrap();
    let desk = Desk::on(&stage).await;
    let shelf = desk.shelf().await;
    let mut products = Vec::new();
    for title in ["Plain", "Read", "Wished", "Sold"] {
        products.push(desk.product(&shelf, "상품", title, 1).await);
    }
    let [_, read, wished, sold] = &products[..] else {
        panic!()
    };
    for _ in 0..2 {
        desk.call("GET", &format!("/v1/products/{read}"))
            .send()
            .await
            .ok(200);
    }
    act(&desk, "ann", "PUT", &format!("wish-list/{wished}"), None)
        .await
        .ok(200);
    let sale = name("sale");
    let mut body = crate::stage::sale(&sale);
    body["items"][0]["sku"] = json!(sold);
    desk.put("/admin/v1/sales", &body).await.ok(201);
    desk.post(&format!("/admin/v1/sales/{sale}/open"))
        .await
        .ok(200);
    desk.hold(&sale, "ann", json!([{"sku": sold, "quantity": 1}]))
        .await;

    let expected: Vec<String> = [sold, wished, read, &products[0]]
        .into_iter()
        .cloned()
        .collect();
    eventually(async || {
        let page = desk
            .call("GET", "/v1/products?sort=popular")
            .send()
            .await
            .ok(200);
        let ids: Vec<String> = page["products"]
            .as_array()?
            .iter()
            .map(|p| p["id"].as_str().unwrap().to_owned())
            .collect();
        (ids == expected).then_some(())
    })
    .await;
    act(&desk, "ann", "DELETE", &format!("wish-list/{wished}"), None)
        .await
        .ok(200);
    eventually(async || {
        let page = desk
            .call("GET", "/v1/products?sort=popular&limit=2")
            .send()
            .await
            .ok(200);
        (page["products"][1]["id"] == json!(read)).then_some(())
    })
    .await;
}
