//! The seeded shop: what a newcomer looks at first.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::stage::{Desk, eventually};

#[tokio::test]
async fn a_seeded_shop_can_be_searched_and_seeding_again_changes_nothing() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let seed = |products: &str| -> Value {
        let done = stage
            .run_backoffice(&["seed", "--products", products, "--json"])
            .unwrap();
        serde_json::from_str(done.stdout.trim()).unwrap()
    };
    let first = seed("60");
    assert_eq!(
        (&first["products"], &first["sellers"], &first["notices"]),
        (&json!(60), &json!(6), &json!(1))
    );
    assert_eq!(
        seed("60"),
        json!({"sellers": 0, "categories": 0, "products": 0, "notices": 0})
    );
    assert_eq!(seed("61")["products"], 1);

    let get = async |path: &str| desk.call("GET", path).send().await.ok(200);
    let found = get("/v1/products?category=home&q=%EB%A8%B8%EA%B7%B8").await;
    assert!(!found["products"].as_array().unwrap().is_empty(), "{found}");
    let page = get("/v1/products/mug-0").await;
    assert_eq!(page["skus"].as_array().unwrap().len(), 3);
    // That there was nothing is forgotten soon.
    eventually(async || {
        let (notices, tree) = (get("/v1/notices").await, get("/v1/categories").await);
        let shown = (&notices["notices"][0]["id"], &tree["categories"][0]["id"]);
        (shown == (&json!("welcome"), &json!("home"))).then_some(())
    })
    .await;

    // What was seeded is as good as written by staff: it can be edited, and its index follows.
    let mut edit = desk.get("/admin/v1/products/mug-0").await.ok(200);
    let edit = edit.as_object_mut().unwrap();
    for member in ["state", "created_at", "updated_at", "published_at"] {
        edit.remove(member);
    }
    edit["title"] = json!({"ko": "찻사발", "en": "Tea bowl"});
    edit["keywords"] = json!([]);
    desk.edit("/admin/v1/products/mug-0", &json!(edit))
        .await
        .ok(200);
    let left: i64 = sqlx::query_scalar(
        "select count(*) from search_grams g join products p on p.product_no = g.product_no where p.product_id = 'mug-0'",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(left, 5, "찻사발, 사발, 발, tea, bowl");
    assert_eq!(seed("61")["products"], 0);
}
