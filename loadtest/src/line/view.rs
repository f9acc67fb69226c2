//! What an engine says about a place in the line. Unknown fields are none of a person's business.

use doorbuster_core::ticket::Place;
use serde::Deserialize;

use crate::client::connection::Response;

/// Where a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    Waiting,
    Admitted,
    SoldOut,
    Closed,
    Expired,
}

/// Seconds from now until admission, as promised.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Eta {
    pub low: f64,
    pub high: f64,
}

/// One look at a place.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct View {
    pub state: State,
    #[serde(default)]
    pub ticket: Option<String>,
    /// As joined; counted in each lane by itself.
    #[serde(default)]
    number: Option<u32>,
    #[serde(default)]
    lane: Option<Lane>,
    #[serde(default)]
    pub position: Option<u64>,
    #[serde(default)]
    pub eta_seconds: Option<Eta>,
    /// The number of the estimate behind the promise: another one says that the rate has changed.
    #[serde(default)]
    pub estimate: Option<u64>,
    /// Of one who came early: how the ticket stands in the list that is drawn from, hex.
    #[serde(default)]
    pub draw_entry: Option<String>,
    #[serde(default)]
    pub poll_after_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Lane {
    Invite,
    General,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
}

/// An answer to a join or a poll.
#[derive(Debug, Clone, PartialEq)]
pub enum Heard {
    View(View),
    /// Status, code, and the seconds of its Retry-After.
    Refused(u16, String, Option<u32>),
}

impl View {
    pub fn number(&self) -> Option<Place> {
        Some(match self.lane {
            Some(Lane::Invite) => Place::invite(self.number?),
            Some(Lane::General) | None => Place::general(self.number?),
        })
    }
}

impl Heard {
    /// What a response says.
    pub fn of(response: &Response<'_>) -> Self {
        let refused = |code: String| Heard::Refused(response.status, code, response.retry_after_s);
        if matches!(response.status, 200 | 201) {
            let view = serde_json::from_slice(response.body);
            return view.map_or_else(|_| refused("unreadable".to_owned()), Heard::View);
        }
        let problem = serde_json::from_slice::<Problem>(response.body);
        refused(problem.map_or_else(|_| String::new(), |problem| problem.code))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::connection::Then;

    fn heard(status: u16, body: &str) -> Heard {
        Heard::of(&Response {
            status,
            retry_after_s: Some(2),
            body: body.as_bytes(),
            then: Then::Reuse,
        })
    }

    #[test]
    fn a_place_is_understood_and_what_is_null_is_not_said() {
        let Heard::View(view) = heard(
            201,
            r#"{"ticket":"t","number":7,"position":null,"eta_seconds":null,"poll_after_ms":1500,"state":"waiting","odds":0.5}"#,
        ) else {
            panic!("a view")
        };
        assert_eq!(
            (view.number(), view.position, view.eta_seconds),
            (Some(Place::general(7)), None, None)
        );
        assert_eq!(
            (view.state, view.poll_after_ms),
            (State::Waiting, Some(1_500))
        );
        let Heard::View(view) = heard(
            200,
            r#"{"number":3,"lane":"invite","state":"admitted","eta_seconds":{"low":0,"high":2.5}}"#,
        ) else {
            panic!("a view")
        };
        assert_eq!(view.number(), Some(Place::invite(3)));
        assert_eq!(view.eta_seconds.map(|eta| eta.high), Some(2.5));
    }

    #[test]
    fn a_refusal_keeps_its_code_and_a_garbled_yes_is_one() {
        let refused = Heard::Refused(403, "not_admitted".into(), Some(2));
        assert_eq!(heard(403, r#"{"code":"not_admitted"}"#), refused);
        let garbled = Heard::Refused(200, "unreadable".into(), Some(2));
        assert_eq!(heard(200, r#"{"state":"dancing"}"#), garbled);
    }
}
