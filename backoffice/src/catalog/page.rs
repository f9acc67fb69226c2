//! Pages of a list that is in the order of its ids: the cursor is the last id of the page before.

use serde::Deserialize;
use utoipa::IntoParams;

use super::ids::Named;
use crate::error::ApiError;
use crate::limits::{PAGE_ROWS_DEFAULT, PAGE_ROWS_MAX};

/// Which page is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Rows of the page
    #[param(minimum = 1, maximum = 100, default = 20)]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before; absent for the first
    pub cursor: Option<String>,
}

/// The same, when it is one that there can be.
#[derive(Debug)]
pub(crate) struct Wanted<T> {
    pub(crate) limit: u32,
    pub(crate) after: Option<T>,
}

impl ListQuery {
    /// # Errors
    /// [`ApiError::InvalidRequest`] where the limit is out of bounds, or the cursor none of ours.
    pub(crate) fn wanted<T: Named>(self) -> Result<Wanted<T>, ApiError> {
        let after = self.cursor.map(T::parse).transpose();
        Ok(Wanted {
            limit: rows(self.limit)?,
            after: after.map_err(|_| foreign_cursor())?,
        })
    }
}

/// # Errors
/// [`ApiError::InvalidRequest`] where the limit is out of bounds.
pub(crate) fn rows(limit: Option<u32>) -> Result<u32, ApiError> {
    let limit = limit.unwrap_or(PAGE_ROWS_DEFAULT);
    if (1..=PAGE_ROWS_MAX).contains(&limit) {
        Ok(limit)
    } else {
        Err(ApiError::InvalidRequest(format!(
            "limit must be 1 to {PAGE_ROWS_MAX}"
        )))
    }
}

pub(crate) fn foreign_cursor() -> ApiError {
    ApiError::InvalidRequest(
        "cursor must be the next_cursor of another page of the same list".to_owned(),
    )
}

/// Cuts what was read one row too far, and names the cursor of the next page where there is one.
pub(crate) fn cut<T>(
    rows: &mut Vec<T>,
    limit: u32,
    cursor: impl Fn(&T) -> String,
) -> Option<String> {
    let is_last = rows.len() <= limit as usize;
    rows.truncate(limit as usize);
    rows.last().filter(|_| !is_last).map(cursor)
}
