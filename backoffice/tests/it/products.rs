//! Products as staff keep them: drafts, publishing, edits by version, options and skus.

use serde_json::{Value, json};

use crate::catalog::product;
use crate::stage::{Desk, name};

#[tokio::test]
async fn a_product_is_a_draft_until_it_is_published_and_is_gone_when_archived() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mut draft = product(&shelf, "머그", "", 28_000);
    let id = draft["id"].as_str().unwrap().to_owned();
    let (path, page) = (
        format!("/admin/v1/products/{id}"),
        format!("/v1/products/{id}"),
    );
    let read = async || desk.call("GET", &page).send().await;

    let made = desk.put("/admin/v1/products", &draft).await.ok(201);
    assert_eq!(
        (&made["state"], &made["version"], &made["published_at"]),
        (&json!("draft"), &json!(1), &Value::Null)
    );
    assert_eq!(
        desk.put("/admin/v1/products", &draft).await.refusal(),
        (409, "product_exists")
    );
    assert_eq!(read().await.refusal(), (404, "unknown_product"));
    let in_korean = desk.call("GET", &page).header("accept-language", "ko-KR");
    assert_eq!(
        in_korean.send().await.json["title"],
        "없는 상품이거나 판매하지 않는 상품입니다"
    );
    let refused = desk.post(&format!("{path}/publish")).await;
    assert_eq!(refused.refusal(), (409, "incomplete"));
    assert_eq!(refused.json["errors"][0]["pointer"], "/title/en");

    draft["title"]["en"] = json!("Mug");
    draft["version"] = json!(1);
    desk.edit(&path, &draft).await.ok(200);
    let published = desk.post(&format!("{path}/publish")).await.ok(200);
    assert_eq!(
        desk.post(&format!("{path}/publish")).await.ok(200),
        published,
        "repeatable without effect"
    );
    let shown = read().await.ok(200);
    assert_eq!(shown["title"], json!({"ko": "머그", "en": "Mug"}));
    assert_eq!(
        shown["seller"],
        json!({"id": shelf.0, "name": {"ko": "이름", "en": "Name"}})
    );
    assert_eq!(
        shown["skus"],
        json!([{"sku": id, "choices": [], "price": {"amount": 28_000, "currency": "KRW"}}])
    );
    assert_eq!(shown["sales"], json!([]));

    draft["version"] = published["version"].clone();
    draft["title"]["en"] = json!("");
    assert_eq!(
        desk.edit(&path, &draft).await.refusal(),
        (409, "incomplete"),
        "a published one stays whole"
    );
    let archived = desk.post(&format!("{path}/archive")).await.ok(200);
    assert_eq!(archived["state"], "archived");
    assert_eq!(read().await.refusal(), (404, "unknown_product"));
    desk.post(&format!("{path}/publish")).await.ok(200);
    assert_eq!(
        read().await.ok(200)["published_at"],
        published["published_at"],
        "the first time counts"
    );

    let audit = desk.audit(&format!("product:{id}")).await;
    let actions = audit
        .iter()
        .map(|row| row.1.strip_prefix("product.").unwrap());
    let expected = ["create", "update", "publish", "archive", "publish"];
    assert_eq!(actions.collect::<Vec<_>>(), expected);
}

#[tokio::test]
async fn of_two_edits_of_one_version_one_is_done() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mut draft = product(&shelf, "의자", "Chair", 1);
    let path = format!("/admin/v1/products/{}", draft["id"].as_str().unwrap());
    desk.put("/admin/v1/products", &draft).await.ok(201);
    draft["version"] = json!(1);
    let (one, two) = tokio::join!(desk.edit(&path, &draft), desk.edit(&path, &draft));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
}

#[tokio::test]
async fn options_and_skus_are_replaced_as_a_whole_and_those_of_sales_stay() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mut draft = product(&shelf, "티셔츠", "Tee", 1);
    let id = draft["id"].as_str().unwrap().to_owned();
    let path = format!("/admin/v1/products/{id}");
    let sku = |size: &str, choice: u8, amount: i64| json!({"sku": format!("{id}-{size}"), "choices": [choice], "price": {"amount": amount, "currency": "KRW"}});
    draft["options"] = json!([{"name": {"ko": "크기", "en": "Size"}, "values": [{"en": "S"}, {"en": "M"}, {"en": "L"}]}]);
    draft["skus"] = json!([sku("s", 0, 100), sku("m", 1, 200)]);
    desk.put("/admin/v1/products", &draft).await.ok(201);

    draft["version"] = json!(1);
    draft["skus"] = json!([sku("l", 2, 300), sku("m", 1, 250)]);
    let edited = desk.edit(&path, &draft).await.ok(200);
    assert_eq!(
        edited["skus"], draft["skus"],
        "in the order in which they were written"
    );

    let other = json!({"id": name("product"), "seller": shelf.0, "category": shelf.1, "title": {"ko": "남"},
        "skus": [{"sku": format!("{id}-m"), "price": {"amount": 1, "currency": "KRW"}}]});
    assert_eq!(
        desk.put("/admin/v1/products", &other).await.refusal(),
        (409, "sku_taken")
    );

    let sale = name("sale");
    let mut body = crate::stage::sale(&sale);
    body["items"][0]["sku"] = json!(format!("{id}-m"));
    desk.put("/admin/v1/sales", &body).await.ok(201);
    draft["version"] = json!(2);
    draft["skus"] = json!([sku("l", 2, 300)]);
    assert_eq!(
        desk.edit(&path, &draft).await.refusal(),
        (409, "sku_in_use")
    );
    assert_eq!(
        desk.get(&path).await.ok(200),
        edited,
        "nothing of a refused edit is kept"
    );

    desk.post(&format!("{path}/publish")).await.ok(200);
    desk.post(&format!("/admin/v1/sales/{sale}/open"))
        .await
        .ok(200);
    let shown = desk
        .call("GET", &format!("/v1/products/{id}"))
        .send()
        .await
        .ok(200);
    assert_eq!(shown["sales"][0]["id"], json!(sale));
    assert_eq!(shown["sales"][0]["opens_at"], "2020-01-01T00:00:00.000Z");
    assert_eq!(
        shown["sales"][0]["items"],
        json!([{"sku": format!("{id}-m"), "price": {"amount": 19_900, "currency": "KRW"}, "limit_per_user": 2}])
    );
}

#[tokio::test]
async fn a_product_names_a_seller_and_a_category_that_there_are() {
    let desk = Desk::shared().await;
    let (seller, category) = desk.shelf().await;
    let draft = |seller: &str, category: &str| {
        product(&(seller.to_owned(), category.to_owned()), "가", "A", 1)
    };
    let answer = desk
        .put("/admin/v1/products", &draft("nobody", &category))
        .await;
    assert_eq!(answer.refusal(), (404, "unknown_seller"));
    let answer = desk
        .put("/admin/v1/products", &draft(&seller, "nowhere"))
        .await;
    assert_eq!(answer.refusal(), (404, "unknown_category"));
    let list = desk
        .get("/admin/v1/products?state=draft&limit=100")
        .await
        .ok(200);
    assert!(
        list["products"]
            .as_array()
            .unwrap()
            .iter()
            .all(|product| product["state"] == "draft")
    );
    for query in ["?state=sold", "?limit=0", "?cursor=a%20b", "?colour=x"] {
        assert_eq!(
            desk.get(&format!("/admin/v1/products{query}"))
                .await
                .refusal(),
            (400, "invalid_request"),
            "{query}"
        );
    }
}

#[tokio::test]
async fn a_sale_takes_from_the_catalog_what_its_draft_leaves_out() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mut draft = product(&shelf, "달항아리", "Moon jar", 1);
    let id = draft["id"].as_str().unwrap().to_owned();
    draft["options"] = json!([{"name": {"ko": "색"}, "values": [{"ko": "흰색"}, {"ko": "먹색"}]}]);
    draft["skus"] = json!([
        {"sku": format!("{id}-0"), "choices": [0], "price": {"amount": 28_000, "currency": "KRW"}},
        {"sku": format!("{id}-1"), "choices": [1], "price": {"amount": 34_000, "currency": "KRW"}}]);
    desk.put("/admin/v1/products", &draft).await.ok(201);
    let sale = name("sale");
    let mut body = crate::stage::sale(&sale);
    body["items"] = json!([
        {"sku": format!("{id}-0"), "stock": 5},
        {"sku": format!("{id}-1"), "stock": 5, "price": {"amount": 30_000, "currency": "KRW"}},
        {"sku": "tee", "title": "Tee", "price": {"amount": 1, "currency": "KRW"}, "stock": 5}]);
    let refused = desk.put("/admin/v1/sales", &body).await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
    let pointers: Vec<&Value> = refused.json["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| &error["pointer"])
        .collect();
    assert_eq!(
        pointers,
        ["/items/0/sku", "/items/1/sku"],
        "a draft of a product is nothing to sell"
    );

    desk.post(&format!("/admin/v1/products/{id}/publish"))
        .await
        .ok(200);
    let kept = desk.put("/admin/v1/sales", &body).await.ok(201);
    let told: Vec<_> = kept["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| (item["title"].clone(), item["price"]["amount"].clone()))
        .collect();
    assert_eq!(
        told,
        [
            (json!("달항아리, 흰색"), json!(28_000)),
            (json!("달항아리, 먹색"), json!(30_000)),
            (json!("Tee"), json!(1))
        ]
    );

    // What a sale says does not change with the product.
    draft["version"] = json!(2);
    draft["skus"][0]["price"]["amount"] = json!(99);
    desk.edit(&format!("/admin/v1/products/{id}"), &draft)
        .await
        .ok(200);
    let path = format!("/admin/v1/sales/{sale}");
    let shown = desk.get(&path).await.ok(200);
    assert_eq!(shown["items"], kept["items"]);
    desk.post(&format!("{path}/open")).await.ok(200);
}

#[tokio::test]
async fn staff_finds_products_by_id_and_titles_in_any_state() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let mark = name("Sought");
    let mut ids = Vec::new();
    for (ko, en) in [
        ("달 머그컵", format!("Moon 100%_{mark}")),
        ("해 머그컵", mark.to_lowercase()),
    ] {
        let body = product(&shelf, &format!("{mark} {ko}"), &en, 1);
        let made = desk.put("/admin/v1/products", &body).await.ok(201);
        ids.push(made["id"].as_str().unwrap().to_owned());
    }
    desk.post(&format!("/admin/v1/products/{}/publish", ids[1]))
        .await
        .ok(200);
    let found = async |query: String| {
        let path = format!("/admin/v1/products?{query}");
        let page = desk.get(&path).await.ok(200);
        let rows = page["products"].as_array().unwrap().clone();
        let mut found: Vec<String> = rows
            .iter()
            .map(|row| row["id"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        found
    };
    let mut both = ids.clone();
    both.sort();
    assert_eq!(found(format!("q={}", mark.to_uppercase())).await, both);
    assert_eq!(found(format!("q={mark}%20%EB%8B%AC")).await, ids[..1]);
    assert_eq!(found(format!("q={mark}&state=published")).await, ids[1..]);
    let by_id = found(format!("q=%20{}%20", ids[0].to_uppercase())).await;
    assert!(by_id.contains(&ids[0]), "{by_id:?}");
    // What a pattern would mean is meant as it stands.
    assert_eq!(found(format!("q=100%25_{mark}")).await, ids[..1]);
    assert!(found(format!("q=1%25{mark}")).await.is_empty());
    let long = desk
        .get(&format!("/admin/v1/products?q={}", "x".repeat(101)))
        .await;
    assert_eq!(long.refusal(), (400, "invalid_request"));
}
