//! The draw of a sale, for everyone: before it what was pledged, after it all that it takes to hold it again. Nobody needs a token: whom an
//! entry belongs to only its holder knows.

mod ranking;
mod store;

use axum::Json;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use doorbuster_core::clock;
use doorbuster_core::draw::{ENTRY_BYTES, EntryList, Ranks};
use doorbuster_core::hex::to_hex;
use doorbuster_core::ids::{LiveId, SaleId};
use doorbuster_core::limits::DRAW_PART_NUMBERS;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub(crate) use ranking::Rankings;

use crate::app::App;
use crate::error::{ApiError, Problem};
use crate::extract::{SalePath, StrictQuery};
use crate::limits::{DRAW_ENTRIES_DEFAULT, DRAW_ENTRIES_MAX};
use crate::projection::draw_store::{self, BookedDraw};
use crate::sales;

/// A draw. Before it only `sale`, `salt` and `commitment` are there
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DrawView {
    #[schema(example = "drop-1")]
    pub sale: String,
    #[schema(example = "000102030405060708090a0b0c0d0e0f")]
    pub salt: String,
    /// SHA-256 of the secret, hex
    pub commitment: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(format = DateTime)]
    pub drawn_at: Option<String>,
    /// How many came before the sale opened
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 5)]
    pub early: Option<u32>,
    /// Hex, as all that follow
    #[serde(skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// SHA-256 of all entries in the order of their numbers
    #[serde(skip_serializing_if = "Option::is_none")]
    pub list_hash: Option<String>,
    /// SHA-256 of secret and list hash
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
}

/// Which entries are wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EntriesQuery {
    /// Number of the first
    #[param(minimum = 1, default = 1)]
    pub from: Option<u32>,
    /// How many
    #[param(minimum = 1, maximum = 20_000, default = 10_000)]
    pub limit: Option<u32>,
}

/// A sale's draw: its pledge, and after it secret, list hash and seed
#[utoipa::path(get, path = "/v1/sales/{id}/draw", tag = "draws", params(("id" = String, Path)), responses(
    (status = 200, body = DrawView),
    (status = 404, description = "unknown_sale; unknown_draw: this sale draws nobody", body = Problem)))]
pub(crate) async fn show(
    State(app): State<App>,
    SalePath(id): SalePath,
) -> Result<Json<DrawView>, ApiError> {
    let stored = sales::store::find(&app.books, &id).await?;
    if stored.published_at.is_none() {
        return Err(ApiError::UnknownSale);
    }
    let draw = stored.line().and_then(|line| line.draw);
    let pledge = draw.ok_or(ApiError::UnknownDraw)?;
    let booked = draw_store::find(&app.books, &LiveId::Sale(id.clone())).await?;
    let drawn = booked.as_ref().map(|draw| &draw.drawn);
    Ok(Json(DrawView {
        sale: id.to_string(),
        salt: pledge.salt,
        commitment: pledge.commitment,
        drawn_at: (booked.as_ref()).map(|draw| clock::rfc3339(clock::to_ms(draw.at))),
        early: drawn.map(|drawn| drawn.early),
        secret: drawn.map(|drawn| to_hex(&drawn.secret.reveal())),
        list_hash: drawn.map(|drawn| to_hex(&drawn.list_hash)),
        seed: drawn.map(|drawn| to_hex(&drawn.seed)),
    }))
}

/// The list that was drawn from, in the order of numbers, each with the place it was drawn: CSV `number,entry,place`
#[utoipa::path(get, path = "/v1/sales/{id}/draw/entries", tag = "draws", params(("id" = String, Path), EntriesQuery), responses(
    (status = 200, description = "A header line, then a line for each; none where `from` is past the last", body = String, content_type = "text/csv"),
    (status = 400, description = "invalid_request", body = Problem),
    (status = 404, description = "unknown_sale; unknown_draw", body = Problem),
    (status = 409, description = "not_drawn: the draw is not done yet", body = Problem),
    (status = 503, description = "unavailable: the list has not arrived yet", body = Problem)))]
pub(crate) async fn entries(
    State(app): State<App>,
    SalePath(id): SalePath,
    StrictQuery(query): StrictQuery<EntriesQuery>,
) -> Result<Response, ApiError> {
    let (from, limit) = bounds(&query)?;
    let draw = held(&app, &id).await?;
    let last = draw.drawn.early.min(from.saturating_add(limit - 1));
    let list = numbers(&app, &id, &draw, from, last).await?;
    let ranks = app.rankings.of(&draw.drawn).await?;
    let body = csv(from, &list, &ranks);
    Ok(([(header::CONTENT_TYPE, "text/csv; charset=utf-8")], body).into_response())
}

fn bounds(query: &EntriesQuery) -> Result<(u32, u32), ApiError> {
    let (from, limit) = (
        query.from.unwrap_or(1),
        query.limit.unwrap_or(DRAW_ENTRIES_DEFAULT),
    );
    if from == 0 {
        return Err(ApiError::InvalidRequest(
            "from must be 1 or more".to_owned(),
        ));
    }
    if !(1..=DRAW_ENTRIES_MAX).contains(&limit) {
        return Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {DRAW_ENTRIES_MAX}"
        )));
    }
    Ok((from, limit))
}

async fn held(app: &App, id: &SaleId) -> Result<BookedDraw, ApiError> {
    if let Some(draw) = draw_store::find(&app.books, &LiveId::Sale(id.clone())).await? {
        return Ok(draw);
    }
    let stored = sales::store::find(&app.books, id).await?;
    Err(match stored.line().and_then(|line| line.draw) {
        _ if stored.published_at.is_none() => ApiError::UnknownSale,
        Some(_) => ApiError::NotDrawn,
        None => ApiError::UnknownDraw,
    })
}

/// The entries of numbers `from` to `last`.
async fn numbers(
    app: &App,
    id: &SaleId,
    draw: &BookedDraw,
    from: u32,
    last: u32,
) -> Result<EntryList, ApiError> {
    if from > last {
        return Ok(EntryList::vacant(0));
    }
    let parts = (from - 1) / DRAW_PART_NUMBERS..=(last - 1) / DRAW_PART_NUMBERS;
    let hash = to_hex(&draw.drawn.list_hash);
    let bytes = store::parts(&app.books, &LiveId::Sale(id.clone()), &hash, parts.clone()).await?;
    let before = (from - 1 - parts.start() * DRAW_PART_NUMBERS) as usize * ENTRY_BYTES;
    let length = (last - from + 1) as usize * ENTRY_BYTES;
    let wanted = bytes.get(before..before + length).map(<[u8]>::to_vec);
    wanted
        .and_then(EntryList::from_bytes)
        .ok_or(ApiError::NotReady(
            "the list of the draw has not arrived yet",
        ))
}

fn csv(from: u32, list: &EntryList, ranks: &Ranks) -> String {
    let mut text = String::from("number,entry,place\n");
    for nth in 1..=list.early() {
        let number = from + (nth - 1);
        if let (Some(entry), Some(place)) = (list.get(nth), ranks.place_of(number)) {
            text.push_str(&format!("{number},{entry},{place}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use doorbuster_core::draw::Entry;

    use super::*;

    #[test]
    fn numbers_go_on_from_where_they_are_asked_for() {
        let ranks = Ranks::new(&[1; 32], 5);
        let mut list = EntryList::vacant(2);
        list.put(2, Entry([1; ENTRY_BYTES]));
        let place = |number| ranks.place_of(number).unwrap();
        let expected = format!(
            "number,entry,place\n3,{},{}\n4,{},{}\n",
            "00".repeat(16),
            place(3),
            "01".repeat(16),
            place(4)
        );
        assert_eq!(csv(3, &list, &ranks), expected);
    }

    #[test]
    fn what_is_asked_for_has_bounds() {
        let asked = |from, limit| bounds(&EntriesQuery { from, limit }).ok();
        assert_eq!(asked(None, None), Some((1, DRAW_ENTRIES_DEFAULT)));
        assert_eq!(
            asked(Some(7), Some(DRAW_ENTRIES_MAX)),
            Some((7, DRAW_ENTRIES_MAX))
        );
        for (from, limit) in [(0, 1), (1, 0), (1, DRAW_ENTRIES_MAX + 1)] {
            assert_eq!(asked(Some(from), Some(limit)), None);
        }
    }
}
