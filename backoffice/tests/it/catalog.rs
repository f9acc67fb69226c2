//! The catalog as staff keep it: sellers, categories, notices, and what the audit log has of each change.

use serde_json::{Value, json};

use crate::http::Answer;
use crate::stage::{Desk, name};

impl Desk<'_> {
    /// As an operator.
    pub(crate) async fn edit(&self, path: &str, body: &Value) -> Answer {
        let token = self.token("olga", doorbuster_core::claims::Role::Operator);
        self.call("PUT", path).token(&token).json(body).send().await
    }

    /// As an operator.
    pub(crate) async fn delete(&self, path: &str) -> Answer {
        let token = self.token("olga", doorbuster_core::claims::Role::Operator);
        self.call("DELETE", path).token(&token).send().await
    }

    /// A seller and a category of a test's own.
    pub(crate) async fn shelf(&self) -> (String, String) {
        let (seller, category) = (name("seller"), name("category"));
        let title = json!({"ko": "이름", "en": "Name"});
        self.put("/admin/v1/sellers", &json!({"id": seller, "name": title}))
            .await
            .ok(201);
        self.put(
            "/admin/v1/categories",
            &json!({"id": category, "title": title}),
        )
        .await
        .ok(201);
        (seller, category)
    }

    /// A product of one sku, published.
    pub(crate) async fn product(
        &self,
        shelf: &(String, String),
        ko: &str,
        en: &str,
        amount: i64,
    ) -> String {
        let body = product(shelf, ko, en, amount);
        let id = body["id"].as_str().unwrap().to_owned();
        self.put("/admin/v1/products", &body).await.ok(201);
        self.post(&format!("/admin/v1/products/{id}/publish"))
            .await
            .ok(200);
        id
    }
}

/// A draft of one sku, whose name is the product's.
pub(crate) fn product(
    (seller, category): &(String, String),
    ko: &str,
    en: &str,
    amount: i64,
) -> Value {
    let id = name("product");
    json!({
        "id": id, "seller": seller, "category": category, "title": {"ko": ko, "en": en},
        "skus": [{"sku": id, "price": {"amount": amount, "currency": "KRW"}}]
    })
}

#[tokio::test]
async fn sellers_are_written_down_edited_by_version_and_listed() {
    let desk = Desk::shared().await;
    let id = name("seller");
    let draft = json!({"id": id, "name": {"ko": "마루 공방", "en": "Maru Studio"}});
    let made = desk.put("/admin/v1/sellers", &draft).await;
    assert_eq!(made.header("location"), format!("/admin/v1/sellers/{id}"));
    assert_eq!(made.ok(201)["version"], 1);
    assert_eq!(
        desk.put("/admin/v1/sellers", &draft).await.refusal(),
        (409, "seller_exists")
    );

    let path = format!("/admin/v1/sellers/{id}");
    let edit = json!({"version": 1, "name": {"ko": "마루", "en": "Maru"}});
    let edited = desk.edit(&path, &edit).await.ok(200);
    assert_eq!(
        (&edited["version"], &edited["name"]["en"]),
        (&json!(2), &json!("Maru"))
    );
    assert_eq!(
        desk.edit(&path, &edit).await.refusal(),
        (409, "version_conflict")
    );
    assert_eq!(desk.get(&path).await.ok(200), edited);
    assert_eq!(
        desk.get("/admin/v1/sellers/nobody").await.refusal(),
        (404, "unknown_seller")
    );

    let before = &id[..id.len() - 1];
    let page = desk
        .get(&format!("/admin/v1/sellers?limit=1&cursor={before}"))
        .await
        .ok(200);
    assert_eq!(page["sellers"].as_array().unwrap().len(), 1);
    let audit = desk.audit(&format!("seller:{id}")).await;
    let actions: Vec<_> = audit.iter().map(|row| row.1.as_str()).collect();
    assert_eq!(actions, ["seller.create", "seller.update"]);
    assert_eq!(
        (&audit[1].2["name"]["ko"], &audit[1].3["name"]["ko"]),
        (&json!("마루 공방"), &json!("마루"))
    );

    for (pointer, bad) in [
        ("/id", json!({"name": {"ko": "a", "en": "a"}})),
        ("/id", json!({"id": "a b", "name": {"ko": "a", "en": "a"}})),
        (
            "/version",
            json!({"id": "a", "version": 1, "name": {"ko": "a", "en": "a"}}),
        ),
        ("/name/en", json!({"id": "a", "name": {"ko": "a"}})),
    ] {
        let answer = desk.put("/admin/v1/sellers", &bad).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{bad}");
        assert_eq!(answer.json["errors"][0]["pointer"], pointer, "{bad}");
    }
}

#[tokio::test]
async fn categories_are_a_tree_without_cycles_and_of_bounded_depth() {
    let desk = Desk::shared().await;
    let title = json!({"ko": "분류", "en": "Category"});
    let ids: Vec<String> = (0..8).map(|_| name("branch")).collect();
    for (i, id) in ids.iter().enumerate() {
        let parent = i.checked_sub(1).map(|above| &ids[above]);
        let draft = json!({"id": id, "parent": parent, "title": title});
        desk.put("/admin/v1/categories", &draft).await.ok(201);
    }
    let too_deep = json!({"id": name("branch"), "parent": ids[7], "title": title});
    assert_eq!(
        desk.put("/admin/v1/categories", &too_deep).await.refusal(),
        (409, "category_too_deep")
    );
    let orphan = json!({"id": name("branch"), "parent": "nowhere", "title": title});
    assert_eq!(
        desk.put("/admin/v1/categories", &orphan).await.refusal(),
        (404, "unknown_category")
    );

    let path = format!("/admin/v1/categories/{}", ids[2]);
    for below in [&ids[2], &ids[7]] {
        let cycle = json!({"version": 1, "parent": below, "title": title});
        assert_eq!(
            desk.edit(&path, &cycle).await.refusal(),
            (409, "category_cycle")
        );
    }
    let moved = json!({"version": 1, "parent": ids[0], "title": title, "position": 3});
    assert_eq!(
        desk.edit(&path, &moved).await.ok(200)["parent"],
        json!(ids[0])
    );
    assert_eq!(
        desk.edit(&path, &moved).await.refusal(),
        (409, "version_conflict")
    );
    assert_eq!(desk.delete(&path).await.refusal(), (409, "category_in_use"));

    let tree = desk.call("GET", "/v1/categories").send().await.ok(200);
    let top = tree["categories"]
        .as_array()
        .unwrap()
        .iter()
        .find(|branch| branch["id"] == json!(ids[0]))
        .unwrap();
    let below: Vec<_> = top["children"]
        .as_array()
        .unwrap()
        .iter()
        .map(|child| child["id"].clone())
        .collect();
    assert_eq!(below, [json!(ids[1]), json!(ids[2])]);

    let last = format!("/admin/v1/categories/{}", ids[7]);
    desk.delete(&last).await.ok(200);
    assert_eq!(
        desk.delete(&last).await.refusal(),
        (404, "unknown_category")
    );
    let audit = desk.audit(&format!("category:{}", ids[7])).await;
    assert_eq!(audit.last().unwrap().1, "category.delete");
}

#[tokio::test]
async fn moves_at_once_make_no_cycle() {
    let desk = Desk::shared().await;
    let title = json!({"ko": "분류", "en": "Category"});
    let (a, b) = (name("twin"), name("twin"));
    for id in [&a, &b] {
        desk.put("/admin/v1/categories", &json!({"id": id, "title": title}))
            .await
            .ok(201);
    }
    let under = |parent: &str| json!({"version": 1, "parent": parent, "title": title});
    let (path_a, path_b) = (
        format!("/admin/v1/categories/{a}"),
        format!("/admin/v1/categories/{b}"),
    );
    let (under_b, under_a) = (under(&b), under(&a));
    let (one, two) = tokio::join!(desk.edit(&path_a, &under_b), desk.edit(&path_b, &under_a));
    let mut statuses = [one.status, two.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409], "{one:?} {two:?}");
}

#[tokio::test]
async fn notices_are_shown_while_their_time_lasts() {
    let desk = Desk::shared().await;
    let (now, later) = (name("notice"), name("notice"));
    let notice = |id: &str, starts: &str| {
        json!({"id": id, "title": {"ko": "안내", "en": "News"}, "body": {"ko": "첫 줄\n둘째 줄"},
            "starts_at": starts, "ends_at": "2999-01-01T00:00:00Z"})
    };
    desk.put("/admin/v1/notices", &notice(&now, "2020-01-01T00:00:00Z"))
        .await
        .ok(201);
    desk.put("/admin/v1/notices", &notice(&later, "2998-01-01T00:00:00Z"))
        .await
        .ok(201);
    let shown = async || {
        let notices = desk.call("GET", "/v1/notices").send().await.ok(200);
        let ids = notices["notices"]
            .as_array()
            .unwrap()
            .iter()
            .map(|notice| notice["id"].as_str().unwrap().to_owned());
        ids.filter(|id| *id == now || *id == later)
            .collect::<Vec<_>>()
    };
    assert_eq!(shown().await, std::slice::from_ref(&now));

    let mut edit = notice(&later, "2020-01-02T00:00:00Z");
    edit["version"] = json!(1);
    desk.edit(&format!("/admin/v1/notices/{later}"), &edit)
        .await
        .ok(200);
    assert_eq!(
        shown().await,
        [later.clone(), now.clone()],
        "the newest first"
    );
    desk.delete(&format!("/admin/v1/notices/{now}"))
        .await
        .ok(200);
    assert_eq!(shown().await, std::slice::from_ref(&later));
    assert_eq!(
        desk.get(&format!("/admin/v1/notices/{now}"))
            .await
            .refusal(),
        (404, "unknown_notice")
    );
    let bad = notice("x", "2999-01-01T00:00:00Z");
    assert_eq!(
        desk.put("/admin/v1/notices", &bad).await.json["errors"][0]["pointer"],
        "/starts_at"
    );
}
