//! SQL of a product's page: one statement for all of it. Called by `products`.

use chrono::{DateTime, Utc};
use doorbuster_core::clock;
use sqlx::mysql::MySqlPool;
use sqlx::{FromRow, query_as};

use crate::catalog::ids::ProductId;

/// A published product; lists in it are JSON text.
#[derive(Debug, FromRow)]
pub(crate) struct PageRow {
    pub(crate) product_no: u32,
    pub(crate) product_id: String,
    pub(crate) seller_id: String,
    pub(crate) name_ko: String,
    pub(crate) name_en: String,
    pub(crate) category_id: String,
    pub(crate) title_ko: String,
    pub(crate) title_en: String,
    pub(crate) description_ko: String,
    pub(crate) description_en: String,
    pub(crate) options: String,
    pub(crate) images: String,
    pub(crate) version: u32,
    pub(crate) page_version: u64,
    pub(crate) published_at: Option<DateTime<Utc>>,
    /// [[position, sku, choices, amount, currency], …], in no order
    pub(crate) skus: Option<String>,
    /// [[sale, title, opens, closes, sku, amount, currency, limit], …] of sales that are not over, in no order
    pub(crate) sales: Option<String>,
}

pub(crate) async fn find(books: &MySqlPool, id: &ProductId) -> sqlx::Result<Option<PageRow>> {
    query_as(
        "-- find\nselect p.product_no, p.product_id, p.seller_id, r.name_ko, r.name_en, p.category_id, p.title_ko, p.title_en,
            p.description_ko, p.description_en, cast(p.options as char) options, cast(p.images as char) images, p.version, p.page_version,
            p.published_at,
            (select cast(json_arrayagg(json_array(k.position, k.sku, cast(k.choices as char), k.amount, k.currency)) as char)
                from skus k where k.product_no = p.product_no) skus,
            (select cast(json_arrayagg(json_array(s.sale_id, s.title,
                    cast(timestampdiff(microsecond, '1970-01-01', s.opens_at) as signed),
                    cast(timestampdiff(microsecond, '1970-01-01', s.closes_at) as signed),
                    i.sku, i.amount, i.currency, i.limit_per_user)) as char)
                from sales s
                left join sale_states t on t.sale_id = s.sale_id
                join sale_items i on i.sale_id = s.sale_id
                join skus k on k.sku = i.sku
                where s.state = 'published' and coalesce(t.state, 'open') <> 'closed' and s.closes_at > ? and k.product_no = p.product_no) sales
        from products p
        join sellers r on r.seller_id = p.seller_id
        where p.product_id = ? and p.state = 'published'",
    )
    .bind(clock::now().naive_utc())
    .bind(id.as_str())
    .fetch_optional(books)
    .await
}
