//! Lists of the shop: searches, filters, orders, pages.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::{Answer, encoded};
use crate::stage::{Desk, name};

pub(crate) async fn list(desk: &Desk<'_>, query: &str) -> Answer {
    desk.call("GET", &format!("/v1/products?{}", encoded(query)))
        .send()
        .await
}

async fn found(desk: &Desk<'_>, query: &str) -> Vec<String> {
    ids(&list(desk, query).await.ok(200))
}

pub(crate) fn ids(page: &Value) -> Vec<String> {
    let products = page["products"].as_array().unwrap().iter();
    products
        .map(|product| product["id"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn korean_is_found_inside_words_and_english_by_their_beginnings() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let jar = desk
        .product(&shelf, "달항아리 머그컵", "Moon jar mug", 1)
        .await;
    let steel = desk
        .product(&shelf, "스테인리스 텀블러", "Steel tumbler", 1)
        .await;
    let phones = desk
        .product(&shelf, "무선 이어폰 S24", "Wireless Earbuds S24", 1)
        .await;
    let of = |q: &str| format!("seller={}&q={q}", shelf.0);
    for (q, expected) in [
        ("항아리", vec![&jar]),
        ("머그", vec![&jar]),
        ("리머", vec![&jar]),
        ("컵", vec![&jar]),
        ("\u{1106}\u{1165}\u{1100}\u{1173}", vec![&jar]),
        ("MOON+mu", vec![&jar]),
        ("tumb", vec![&steel]),
        ("teel", vec![]),
        ("무선이어폰", vec![&phones]),
        ("이어폰+wireless", vec![&phones]),
        ("s24", vec![&phones]),
        ("24", vec![&phones]),
        ("머그+텀블러", vec![]),
        ("!!", vec![]),
        ("", vec![&phones, &steel, &jar]),
    ] {
        let expected: Vec<String> = expected.into_iter().cloned().collect();
        assert_eq!(found(&desk, &of(q)).await, expected, "{q}");
    }
}

#[tokio::test]
async fn the_index_follows_every_edit() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let id = desk.product(&shelf, "호두과자", "Walnut cake", 1).await;
    let path = format!("/admin/v1/products/{id}");
    let by = async |q: &str| {
        !found(&desk, &format!("seller={}&q={q}", shelf.0))
            .await
            .is_empty()
    };
    assert!(by("호두").await);

    let mut edit = crate::catalog::product(&shelf, "붕어빵", "Carp bread", 1);
    edit["id"] = json!(id);
    edit["skus"][0]["sku"] = json!(id);
    edit["version"] = json!(2);
    edit["keywords"] = json!(["겨울간식"]);
    desk.edit(&path, &edit).await.ok(200);
    assert_eq!(
        (by("호두").await, by("붕어빵").await, by("간식").await),
        (false, true, true)
    );

    desk.post(&format!("{path}/archive")).await.ok(200);
    assert_eq!((by("붕어빵").await, by("").await), (false, false));
    let grams: i64 = sqlx::query_scalar(
        "select count(*) from search_grams g join products p on p.product_no = g.product_no where p.product_id = ?",
    )
    .bind(&id)
    .fetch_one(&desk.books)
    .await
    .unwrap();
    assert_eq!(grams, 0, "nothing of it is left in the index");
    desk.post(&format!("{path}/publish")).await.ok(200);
    assert!(by("붕어빵").await);
}

#[tokio::test]
async fn filters_narrow_and_every_order_pages_through_all_of_it_once() {
    let desk = Desk::shared().await;
    let (seller, top) = desk.shelf().await;
    let below = name("category");
    let draft = json!({"id": below, "parent": top, "title": {"ko": "아래", "en": "Below"}});
    desk.put("/admin/v1/categories", &draft).await.ok(201);
    let mut all = Vec::new();
    for i in 0..7 {
        let category = if i % 2 == 0 {
            top.clone()
        } else {
            below.clone()
        };
        // Two of each price, so that an order by price has ties.
        let id = desk
            .product(
                &(seller.clone(), category),
                &format!("상품 {i}"),
                "Thing",
                1_000 * (i / 2),
            )
            .await;
        all.push(id);
    }
    let newest: Vec<String> = all.iter().rev().cloned().collect();
    assert_eq!(found(&desk, &format!("category={top}")).await, newest);
    let odd: Vec<String> = [5, 3, 1].map(|i: usize| all[i].clone()).to_vec();
    assert_eq!(found(&desk, &format!("category={below}")).await, odd);
    let prices =
        format!("seller={seller}&currency=KRW&price_min=1000&price_max=2000&sort=price_asc");
    assert_eq!(found(&desk, &prices).await, all[2..6]);
    assert!(
        found(&desk, &format!("seller={seller}&currency=USD"))
            .await
            .is_empty()
    );

    for sort in ["newest", "popular", "price_asc", "price_desc"] {
        let base = format!("seller={seller}&sort={sort}&currency=KRW&q=thing");
        let whole = found(&desk, &base).await;
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = list(&desk, &format!("{base}&limit=2{cursor}"))
                .await
                .ok(200);
            paged.extend(ids(&page));
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(paged, whole, "{sort}");
        let mut sorted = paged.clone();
        sorted.sort();
        let mut expected = all.clone();
        expected.sort();
        assert_eq!(sorted, expected, "{sort}: each once");
    }
}

#[tokio::test]
async fn what_is_in_sale_now_can_be_asked_for() {
    let desk = Desk::shared().await;
    let shelf = desk.shelf().await;
    let on_sale = desk.product(&shelf, "특가", "Deal", 5).await;
    desk.product(&shelf, "정가", "No deal", 5).await;
    let sale = name("sale");
    let mut body = crate::stage::sale(&sale);
    body["items"][0]["sku"] = json!(on_sale);
    desk.put("/admin/v1/sales", &body).await.ok(201);
    let query = format!("seller={}&in_sale=true", shelf.0);
    assert!(
        found(&desk, &query).await.is_empty(),
        "a draft sells nothing"
    );
    desk.post(&format!("/admin/v1/sales/{sale}/open"))
        .await
        .ok(200);
    assert_eq!(found(&desk, &query).await, std::slice::from_ref(&on_sale));
    let sales_on_page = async || {
        let path = format!("/v1/products/{on_sale}");
        let page = desk.call("GET", &path).send().await.ok(200);
        page["sales"].as_array().unwrap().len()
    };
    for (verb, listed, shown) in [("pause", 0, 1), ("resume", 1, 1), ("close", 0, 0)] {
        desk.post(&format!("/admin/v1/sales/{sale}/{verb}"))
            .await
            .ok(200);
        assert_eq!(found(&desk, &query).await.len(), listed, "{verb}");
        assert_eq!(sales_on_page().await, shown, "{verb}");
    }
}

/// So many more of one product, as lists and searches have them: prices run against the order of coming.
pub(crate) async fn bulk(
    desk: &Desk<'_>,
    shelf: &(String, String),
    (title, word): (&str, &str),
    rows: u32,
) {
    let model = desk.product(shelf, title, word, 5).await;
    let model_no: u32 = sqlx::query_scalar("select product_no from products where product_id = ?")
        .bind(&model)
        .fetch_one(&desk.books)
        .await
        .unwrap();
    let first: u32 = sqlx::query_scalar("select max(product_no) + 1 from products")
        .fetch_one(&desk.books)
        .await
        .unwrap();
    let last = first + rows - 1;
    let series = format!(
        "with recursive n(i) as (select {first} union all select i + 1 from n where i < {last})"
    );
    let columns: String = sqlx::query_scalar(
        "select cast(group_concat(column_name order by ordinal_position) as char) from information_schema.columns
        where table_schema = database() and table_name = 'products'",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap();
    let chosen = columns
        .split(',')
        .map(|column| match column {
            "product_no" => "n.i".to_owned(),
            "product_id" => "concat('bulk-', n.i)".to_owned(),
            column => format!("p.{column}"),
        })
        .collect::<Vec<_>>()
        .join(", ");
    let mut tx = desk.books.begin().await.unwrap();
    // Each server knows one of the two.
    for bound in ["cte_max_recursion_depth", "max_recursive_iterations"] {
        let set = format!("set session {bound} = 10000");
        let _ = sqlx::raw_sql(sqlx::AssertSqlSafe(set))
            .execute(&mut *tx)
            .await;
    }
    for statement in [
        format!("insert into products ({columns}) {series} select {chosen} from n join products p on p.product_no = {model_no}"),
        format!("insert into shop_products {series} select n.i, concat('bulk-', n.i), p.seller_id, p.category_id, p.title_ko, p.title_en,
            p.image_url, {last} - n.i + 1, p.currency, p.published_at - interval n.i second, p.score, p.search_text
            from n join shop_products p on p.product_no = {model_no}"),
        format!("insert into search_grams {series} select g.gram, n.i from n join search_grams g on g.product_no = {model_no}"),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement)).execute(&mut *tx).await.unwrap();
    }
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn common_words_and_filters_that_exclude_each_other_find_what_both_have() {
    let stage = Stage::start(&StageOptions::whole(0)).unwrap();
    let desk = Desk::on(&stage).await;
    let (mugs, tents) = (desk.shelf().await, desk.shelf().await);
    // So many that no condition alone is rare; one product alone has all of them.
    bulk(&desk, &mugs, ("공통머그", "머그"), 3_300).await;
    bulk(&desk, &tents, ("공통텐트", "텐트"), 3_300).await;
    let both = desk
        .product(&mugs, "공통머그 공통텐트", "머그 텐트", 7)
        .await;
    let (mug_seller, tent_seller) = (&mugs.0, &tents.0);
    for sort in [
        "newest",
        "popular",
        "price_asc&currency=KRW",
        "price_desc&currency=KRW",
    ] {
        let of = async |query: String| found(&desk, &format!("{query}&sort={sort}")).await;
        assert_eq!(
            of(format!("seller={mug_seller}&q=공통텐트")).await,
            std::slice::from_ref(&both)
        );
        assert_eq!(
            of("q=공통머그+공통텐트".to_owned()).await,
            std::slice::from_ref(&both)
        );
        assert!(
            of(format!("seller={tent_seller}&q=공통머그"))
                .await
                .is_empty()
        );
        // Page by page all of one word, each once.
        let (mut all, mut cursor) = (Vec::new(), String::new());
        for _ in 0..3 {
            let page = list(&desk, &format!("q=공통텐트&limit=100&sort={sort}{cursor}")).await;
            let page = page.ok(200);
            all.extend(ids(&page));
            cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap());
        }
        let mut sorted = all.clone();
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), 300, "{sort}");
    }
}

#[tokio::test]
async fn impossible_searches_are_refused() {
    let desk = Desk::shared().await;
    let long = format!("q={}", "x".repeat(101));
    for query in [
        "limit=0",
        "limit=101",
        "sort=best",
        "cursor=x",
        "cursor=a.1.1&sort=newest",
        "price_min=1",
        "sort=price_asc",
        "currency=krw",
        "currency=KRW&price_max=-1",
        "seller=a%20b",
        "in_sale=maybe",
        "page=2",
        "q=a+b+c+d+e+f+g+h+i",
        &long,
    ] {
        assert_eq!(
            list(&desk, query).await.refusal(),
            (400, "invalid_request"),
            "{query}"
        );
    }
    assert_eq!(
        list(&desk, "category=nowhere").await.refusal(),
        (404, "unknown_category")
    );
}
