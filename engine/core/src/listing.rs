//! What a sale's head in Redis shows of it (`config`): all that does not change while it lives and is neither window nor stock.
//!
//! Written here once: the back-office opens sales with it, and a rebuild puts the very same back.

use serde::Serialize;
use serde_json::json;

use crate::line::{LineConfig, LineDraft, LineRefused, Pledge};
use crate::money::Money;

/// A sale for those who show it and those who keep its line. No script reads it.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    pub title: String,
    pub hold_seconds: u32,
    pub payment_seconds: u32,
    /// There where the sale has a waiting room.
    pub line: Option<LineConfig>,
    pub items: Vec<ListedItem>,
}

/// One sku of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedItem {
    pub sku: String,
    pub title: String,
    pub price: Money,
    /// 0: none.
    pub limit_per_user: u32,
}

impl Listing {
    pub fn to_json(&self) -> String {
        let mut config = json!({
            "title": self.title,
            "hold_seconds": self.hold_seconds,
            "payment_seconds": self.payment_seconds,
            "waiting_room": self.line.is_some(),
            "items": self.items,
        });
        if let Some(line) = &self.line {
            config["line"] = json!(line);
        }
        config.to_string()
    }
}

/// A line as the books have it: what staff chose, as JSON, and what was pledged of its draw.
///
/// # Errors
/// [`LineRefused`] where `settings` is not what the back-office writes.
pub fn booked_line(settings: &str, pledge: Option<Pledge>) -> Result<LineConfig, LineRefused> {
    let draft: LineDraft = serde_json::from_str(settings).map_err(|_| LineRefused::Malformed)?;
    Ok(LineConfig::new(&draft, pledge))
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::money::Currency;

    fn listing(line: Option<LineConfig>) -> Listing {
        Listing {
            title: "Drop".into(),
            hold_seconds: 300,
            payment_seconds: 60,
            line,
            items: vec![ListedItem {
                sku: "tee".into(),
                title: "Tee".into(),
                price: Money {
                    amount: 19_900,
                    currency: Currency::parse("KRW").unwrap(),
                },
                limit_per_user: 2,
            }],
        }
    }

    fn read(listing: &Listing) -> Value {
        serde_json::from_str(&listing.to_json()).unwrap()
    }

    #[test]
    fn a_sale_without_a_waiting_room_is_shown_without_a_line() {
        let shown = read(&listing(None));
        let expected = json!({"title": "Drop", "hold_seconds": 300, "payment_seconds": 60, "waiting_room": false,
            "items": [{"sku": "tee", "title": "Tee", "price": {"amount": 19900, "currency": "KRW"}, "limit_per_user": 2}]});
        assert_eq!(shown, expected);
        assert_eq!(LineConfig::of_sale(&shown), Ok(None));
    }

    #[test]
    fn an_engine_reads_the_line_that_the_books_have() {
        let pledge = Pledge {
            salt: "00".into(),
            commitment: "11".into(),
        };
        let settings = json!(LineDraft::default()).to_string();
        let line = booked_line(&settings, Some(pledge)).unwrap();
        let shown = read(&listing(Some(line.clone())));
        assert_eq!(LineConfig::of_sale(&shown), Ok(Some(line)));
        assert_eq!(booked_line("{]", None), Err(LineRefused::Malformed));
    }
}
