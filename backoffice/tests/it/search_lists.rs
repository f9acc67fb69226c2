//! Searches for common words answer what a plain look at every row does: with lists that are read for them, that are kept, and that are older than edits.

use doorbuster_stage::{Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::{Call, encoded};
use crate::search::{bulk, ids};
use crate::stage::{Desk, eventually, name};

/// Of each word and shelf: more than are looked at one by one.
const ROWS: u32 = 3_200;
const PAGE: usize = 30;

/// What a search asks, and how a plain statement asks it.
struct Filter {
    query: String,
    plain: String,
}

fn filters(shelves: &[(String, String); 2]) -> Vec<Filter> {
    let filter = |query: String, plain: String| Filter { query, plain };
    let price = |min: u32, max: u32| {
        filter(
            format!("&currency=KRW&price_min={min}&price_max={max}"),
            format!(" and p.currency = 'KRW' and p.amount between {min} and {max}"),
        )
    };
    let mut filters = vec![
        filter(String::new(), String::new()),
        price(100, 2_900),
        price(700, 720),
    ];
    for (seller, category) in shelves {
        let (by_seller, by_category) = (
            format!(" and p.seller_id = '{seller}'"),
            format!(" and p.category_id = '{category}'"),
        );
        filters.push(filter(format!("&seller={seller}"), by_seller.clone()));
        filters.push(filter(format!("&category={category}"), by_category));
        let cheap = price(1, 1_500);
        filters.push(filter(
            format!("&seller={seller}{}", cheap.query),
            by_seller + &cheap.plain,
        ));
    }
    filters
}

const WORDS: [&[&str]; 7] = [
    &["머그"],
    &["파랑"],
    &["머그", "파랑"],
    &["텐트", "파랑"],
    &["머그", "텐트"],
    &["빨강", "그빨"],
    &["공통"],
];
const SORTS: [(&str, &str); 4] = [
    ("newest", "p.published_at desc, p.product_no desc"),
    ("popular", "p.score desc, p.product_no desc"),
    ("price_asc", "p.amount, p.product_no"),
    ("price_desc", "p.amount desc, p.product_no desc"),
];

/// The first two pages by the API of one back-office.
async fn searched(base: &str, query: &str) -> Vec<String> {
    let query = encoded(query);
    let page = async |cursor: &str| -> Value {
        let path = format!("/v1/products?{query}&limit={PAGE}{cursor}");
        Call::new(base, "GET", &path).send().await.ok(200)
    };
    let first = page("").await;
    let mut all = ids(&first);
    if let Some(cursor) = first["next_cursor"].as_str() {
        all.extend(ids(&page(&format!("&cursor={cursor}")).await));
    }
    all
}

/// Every word with every filter, in one order after the other, held against a plain look at every row; how many found anything.
async fn compare(desk: &Desk<'_>, base: &str, shelves: &[(String, String); 2]) -> usize {
    let filters = filters(shelves);
    let mut with_answers = 0;
    for (w, words) in WORDS.iter().enumerate() {
        for (f, filter) in filters.iter().enumerate() {
            let (sort, order) = SORTS[(w + f) % SORTS.len()];
            let (query, statement) = asked(words, filter, (sort, order));
            let expected: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                .fetch_all(&desk.books)
                .await
                .unwrap();
            let found = eventually(async || {
                let found = searched(base, &query).await;
                // Another back-office hears of an edit a moment later.
                (found == expected || base == desk.stage.backoffice(0).url()).then_some(found)
            })
            .await;
            assert_eq!(found, expected, "{query}");
            with_answers += usize::from(!expected.is_empty());
        }
    }
    with_answers
}

/// A search, and the statement that answers it.
fn asked(words: &[&str], filter: &Filter, (sort, order): (&str, &str)) -> (String, String) {
    let is_by_price = sort.starts_with("price");
    // All have the same.
    let currency = if is_by_price && !filter.query.contains("currency") {
        "&currency=KRW"
    } else {
        ""
    };
    let has_words: String = words
        .iter()
        .map(|word| format!(" and locate('{word}', p.search_text) > 0"))
        .collect();
    (
        format!(
            "q={}{}{currency}&sort={sort}",
            words.join("+"),
            filter.query
        ),
        format!(
            "select p.product_id from shop_products p where true{has_words}{} order by {order} limit {}",
            filter.plain,
            2 * PAGE
        ),
    )
}

#[tokio::test]
async fn kept_lists_never_make_a_search_answer_otherwise() {
    let stage = Stage::start(&StageOptions::whole(1)).unwrap();
    let desk = Desk::on(&stage).await;
    let other = crate::cache::another(&stage);
    let shelves = [desk.shelf().await, desk.shelf().await];
    let [mugs, tents] = &shelves;
    bulk(&desk, mugs, ("공통머그 파랑", "Blue"), ROWS).await;
    bulk(&desk, mugs, ("공통머그 빨강", "Red"), ROWS).await;
    bulk(&desk, tents, ("공통텐트 파랑", "Blue"), ROWS).await;
    let mut drafts = Vec::new();
    for n in 0..6 {
        let draft = crate::catalog::product(mugs, &format!("공통머그 빨강 {n}"), "Red", 710 + n);
        let path = format!("/admin/v1/products/{}", draft["id"].as_str().unwrap());
        desk.put("/admin/v1/products", &draft).await.ok(201);
        desk.post(&format!("{path}/publish")).await.ok(200);
        drafts.push((path, draft));
    }
    let here = stage.backoffice(0).url();
    for base in [here, other.url()] {
        let with_answers = compare(&desk, base, &shelves).await;
        assert!(with_answers > 25, "{with_answers}");
    }

    // Everything is kept now. Words, prices, shelves change; products go and come.
    for (n, (path, draft)) in drafts.iter_mut().enumerate() {
        draft["version"] = json!(2);
        match n {
            0 => draft["title"]["ko"] = json!("공통머그 파랑"),
            1 => draft["title"]["ko"] = json!("공통머그 공통텐트 파랑 빨강"),
            2 => draft["skus"][0]["price"]["amount"] = json!(3_100),
            3 => (draft["seller"], draft["category"]) = (json!(tents.0), json!(tents.1)),
            4 => draft["title"]["ko"] = json!("다른 것"),
            _ => {
                desk.post(&format!("{path}/archive")).await.ok(200);
                continue;
            }
        }
        desk.edit(path, draft).await.ok(200);
    }
    for title in ["공통머그 파랑 새것", "공통텐트 공통머그"] {
        desk.product(tents, title, &name("New"), 705).await;
    }
    let newest: String = sqlx::query_scalar(
        "select product_id from shop_products where product_id like 'bulk-%' order by published_at desc limit 1",
    )
    .fetch_one(&desk.books)
    .await
    .unwrap();
    desk.post(&format!("/admin/v1/products/{newest}/archive"))
        .await
        .ok(200);
    for base in [here, other.url()] {
        compare(&desk, base, &shelves).await;
    }
}
