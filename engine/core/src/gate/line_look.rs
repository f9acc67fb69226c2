//! One look at the head of a line, for those who watch a sale: a plain read.

use fred::types::Value;

use super::reads::array;
use super::{Gate, GateError};
use crate::ids::LiveId;
use crate::keys::Keys;

/// The head of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LineLook {
    /// Numbers given so far, in both lanes.
    pub given: u64,
    /// Those behind the last place that was offered admission, those who left without a word included.
    pub waiting: u64,
    /// Offers of admission ever made.
    pub admitted: u64,
    /// People a second, as last measured.
    pub rate: f64,
}

/// In the order in which they are read.
const FIELDS: [&str; 6] = [
    "given",
    "given_invites",
    "watermark",
    "watermark_invites",
    "admitted_total",
    "rate",
];

impl Gate {
    /// `None` where nobody has joined yet, or there is no line.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn line_look(&self, live: &LiveId) -> Result<Option<LineLook>, GateError> {
        let key = Keys::of(live).line;
        let mut args = vec![key.clone()];
        args.extend(FIELDS.map(str::to_owned));
        let fields = array(self.command("HMGET", Some(&key), args).await?)?;
        Ok(look(fields))
    }
}

/// Fields that no script has written yet are 0.
fn look(fields: Vec<Value>) -> Option<LineLook> {
    let mut texts = fields.into_iter().map(Value::into_string);
    let first = texts.next()??;
    let number = |text: Option<String>| text.and_then(|t| t.parse().ok()).unwrap_or(0.0_f64);
    let given = number(Some(first));
    let mut next = || number(texts.next().flatten());
    let (invites, watermark, watermark_invites) = (next(), next(), next());
    let (admitted, rate) = (next(), next());
    Some(LineLook {
        given: (given + invites) as u64,
        waiting: ((given - watermark).max(0.0) + (invites - watermark_invites).max(0.0)) as u64,
        admitted: admitted as u64,
        rate,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: [Option<&str>; 6]) -> Vec<Value> {
        texts
            .map(|text| text.map_or(Value::Null, |text| Value::String(text.into())))
            .into()
    }

    #[test]
    fn a_line_is_counted_over_both_lanes() {
        assert_eq!(look(texts([None; 6])), None);
        let some = ["100", "5", "40", "5", "45", "12.5"].map(Some);
        assert_eq!(
            look(texts(some)),
            Some(LineLook {
                given: 105,
                waiting: 60,
                admitted: 45,
                rate: 12.5
            })
        );
        let young = [Some("3"), None, None, None, None, None];
        assert_eq!(look(texts(young)).unwrap().waiting, 3);
    }
}
