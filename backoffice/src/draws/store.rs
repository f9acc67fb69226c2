//! SQL of the lists that draws were held from. Called by `draws`.

use std::ops::RangeInclusive;

use doorbuster_core::ids::LiveId;
use sqlx::mysql::MySqlPool;
use sqlx::query_as;

/// These parts of the list with this hash, one after the other, up to the first that is missing.
pub(super) async fn parts(
    books: &MySqlPool,
    live: &LiveId,
    list_hash: &str,
    parts: RangeInclusive<u32>,
) -> sqlx::Result<Vec<u8>> {
    let found: Vec<(u32, Vec<u8>)> = query_as(
        "-- parts\nselect part, entries from draw_lists where sale_id = ? and list_hash = ? and part between ? and ? order by part",
    )
    .bind(live.book_id())
    .bind(list_hash)
    .bind(*parts.start())
    .bind(*parts.end())
    .fetch_all(books)
    .await?;
    let whole = parts
        .zip(found)
        .take_while(|(wanted, (part, _))| wanted == part);
    Ok(whole.flat_map(|(_, (_, entries))| entries).collect())
}
