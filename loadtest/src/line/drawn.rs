//! The draw as it was promised, shown and published: everything that its crowd could hold against it. Called by `run`.

use anyhow::Result;
use doorbuster_core::draw::Entry;
use doorbuster_core::ids::SaleId;

use super::person::Story;
use crate::client::endpoint::Endpoint;
use crate::verify;
use crate::verify::judge::{Published, Remembered, Row};

/// What was published of the draw before the sale.
///
/// # Errors
/// If nothing was.
pub(super) async fn pledged(backoffice: &Endpoint, sale: &SaleId) -> Result<String> {
    Ok(verify::published(backoffice, sale).await?.0.commitment)
}

/// What differs from what was pledged before and shown to the early; nothing, in a draw that was fair.
pub(super) async fn check(
    backoffice: &Endpoint,
    sale: &SaleId,
    pledged: &str,
    stories: &[Story],
) -> Vec<String> {
    let found = match verify::published(backoffice, sale).await {
        Ok((published, rows)) => differences(&published, &rows, pledged, stories),
        Err(error) => Err(error),
    };
    found.unwrap_or_else(|error| vec![format!("the draw cannot be verified: {error:#}")])
}

fn differences(
    published: &Published,
    rows: &[Row],
    pledged: &str,
    stories: &[Story],
) -> Result<Vec<String>> {
    let remembered = Remembered {
        commitment: Some(pledged.to_owned()),
        own: None,
    };
    let mut found = verify::judge::judge(published, rows, &remembered)?.findings;
    for (number, entry) in stories.iter().filter_map(|story| story.entry) {
        let listed = rows.get(number as usize - 1).map(|row| row.entry);
        if listed != Some(entry) {
            let listed =
                listed.map_or_else(|| "nothing".to_owned(), |entry: Entry| entry.to_string());
            found.push(format!(
                "number {number} was shown the entry {entry}, and {listed} is in the list"
            ));
        }
    }
    Ok(found)
}
