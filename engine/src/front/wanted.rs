//! What a reservation's body says: which skus, and how many of each. Anything else than the contract's JSON is refused, and the client told
//! what to mend.

use std::cell::RefCell;
use std::fmt::Write as _;
use std::sync::Arc;

use doorbuster_core::ids::{BodyHash, SkuId};
use doorbuster_core::limits::{ID_CHARS_MAX, LINES_PER_REQUEST_MAX, UNITS_MAX};
use doorbuster_core::record::Line;
use serde::Deserialize;

use super::problem::Refusal;
use crate::limits::KEPT_BODY_BYTES_MAX;

/// A reservation as the buyer asked for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub lines: Vec<Line>,
    pub body: BodyHash,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveBody {
    items: Vec<ReserveItem>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ReserveItem {
    sku: String,
    quantity: Option<u64>,
    #[serde(default)]
    seats: Option<serde_json::Value>,
}

/// [`parse`], of nearly always the same body: in a hot sale most want the same, and write it with the same program. So each thread keeps
/// what it read last, as long as that is short.
///
/// # Errors
/// As [`parse`].
pub(super) fn read(body: &[u8]) -> Result<Arc<Wanted>, Refusal> {
    type Last = Option<(Box<[u8]>, Arc<Wanted>)>;
    thread_local! {
        static LAST: RefCell<Last> = const { RefCell::new(None) };
    }
    LAST.with_borrow_mut(|last| {
        if let Some((_, wanted)) = last.as_ref().filter(|(read, _)| **read == *body) {
            return Ok(Arc::clone(wanted));
        }
        let wanted = Arc::new(parse(body)?);
        if body.len() <= KEPT_BODY_BYTES_MAX {
            *last = Some((body.into(), Arc::clone(&wanted)));
        }
        Ok(wanted)
    })
}

/// The lines asked for, in an order of our own, so that the same wish has the same hash however it was written.
///
/// # Errors
/// Whatever is wrong with the body, said so that it can be mended.
pub fn parse(body: &[u8]) -> Result<Wanted, Refusal> {
    let body: ReserveBody = serde_json::from_slice(body)
        .map_err(|e| Refusal::invalid(format!("the body is not the JSON expected: {e}")))?;
    lines(body)
}

fn lines(body: ReserveBody) -> Result<Wanted, Refusal> {
    if body.items.is_empty() || body.items.len() > LINES_PER_REQUEST_MAX {
        return Err(Refusal::invalid(format!(
            "items must have 1 to {LINES_PER_REQUEST_MAX} lines"
        )));
    }
    let mut lines = body
        .items
        .into_iter()
        .map(line)
        .collect::<Result<Vec<_>, _>>()?;
    lines.sort_by(|a, b| a.sku.cmp(&b.sku));
    if let Some(twice) = lines.windows(2).find(|pair| pair[0].sku == pair[1].sku) {
        return Err(Refusal::invalid(format!(
            "items name {} twice; put its whole quantity in one line",
            twice[0].sku
        )));
    }
    let mut canonical = String::with_capacity(lines.len() * ID_CHARS_MAX);
    for line in &lines {
        write!(canonical, "{}={},", line.sku, line.quantity).expect("a String takes all");
    }
    Ok(Wanted {
        body: BodyHash::of(canonical.as_bytes()),
        lines,
    })
}

fn line(item: ReserveItem) -> Result<Line, Refusal> {
    if item.seats.is_some() {
        return Err(Refusal::invalid(
            "this sale is sold by quantity, not by seats",
        ));
    }
    let sku = SkuId::parse(item.sku).map_err(|e| Refusal::invalid(format!("items: {e}")))?;
    let quantity = item
        .quantity
        .ok_or_else(|| Refusal::invalid(format!("items: {sku} has no quantity")))?;
    match u32::try_from(quantity) {
        Ok(quantity @ 1..=UNITS_MAX) => Ok(Line { sku, quantity }),
        _ => Err(Refusal::invalid(format!(
            "items: the quantity of {sku} must be a whole number from 1 to {UNITS_MAX}"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(json: &str) -> Result<Wanted, Refusal> {
        super::parse(json.as_bytes())
    }

    #[test]
    fn the_same_wish_has_the_same_hash_however_it_is_written() {
        let a = parse(r#"{"items":[{"sku":"a","quantity":1},{"sku":"b","quantity":2}]}"#).unwrap();
        let b =
            parse(r#" {"items": [{"quantity":2,"sku":"b"}, {"sku":"a","quantity":1}]} "#).unwrap();
        let c = parse(r#"{"items":[{"sku":"a","quantity":2},{"sku":"b","quantity":2}]}"#).unwrap();
        assert_eq!(a, b);
        assert_ne!(a.body, c.body);
    }

    #[test]
    fn what_is_kept_of_one_body_is_not_told_of_another() {
        let ask = |sku: &str, spaces: usize| {
            let spaces = " ".repeat(spaces);
            format!(r#"{{"items":[{{"sku":"{sku}","quantity":1}}]}}{spaces}"#)
        };
        let kept = |body: &str| super::read(body.as_bytes()).unwrap();
        let (a, b, long) = (ask("a", 0), ask("b", 0), ask("c", KEPT_BODY_BYTES_MAX));
        for body in [&a, &a, &b, &long, &a, &long] {
            assert_eq!(*kept(body), parse(body).unwrap(), "{body}");
        }
        let (first, again) = (kept(&a), kept(&a));
        assert!(Arc::ptr_eq(&first, &again), "read once");
        assert!(
            !Arc::ptr_eq(&kept(&long), &kept(&long)),
            "too long to be kept"
        );
        assert!(Arc::ptr_eq(&first, &kept(&a)), "and it pushes nothing out");
        assert!(super::read(b"").is_err());
    }

    #[test]
    fn bodies_that_are_not_a_wish_are_refused() {
        let many = format!(
            r#"{{"items":[{}]}}"#,
            (0..65)
                .map(|i| format!(r#"{{"sku":"s{i}","quantity":1}}"#))
                .collect::<Vec<_>>()
                .join(",")
        );
        for bad in [
            "",
            "[]",
            "{}",
            r#"{"items":[]}"#,
            r#"{"items":[{"sku":"a"}]}"#,
            r#"{"items":[{"sku":"a","quantity":0}]}"#,
            r#"{"items":[{"sku":"a","quantity":-1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1.5}]}"#,
            r#"{"items":[{"sku":"a","quantity":"1"}]}"#,
            r#"{"items":[{"sku":"a","quantity":9007199254740992}]}"#,
            r#"{"items":[{"sku":"a b","quantity":1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1},{"sku":"a","quantity":1}]}"#,
            r#"{"items":[{"sku":"a","quantity":1,"price":0}]}"#,
            r#"{"items":[{"sku":"a","quantity":1}],"x":1}"#,
            r#"{"items":[{"sku":"a","seats":["A-1"]}]}"#,
            r#"{"items":[{"sku":"a","quantity":1}]} x"#,
            &many,
        ] {
            assert!(matches!(parse(bad), Err(Refusal::Invalid { .. })), "{bad}");
        }
    }
}
