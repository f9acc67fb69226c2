//! How a sale's line moves: what staff choose (`line` of a sale's draft), and what the sale's config in Redis says of it.
//!
//! The back-office checks a [`LineDraft`], pledges the draw, and writes the [`LineConfig`]; engines read it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::limits::{
    ADMIT_PER_SECOND_MAX, FACTOR_MAX, FACTOR_MIN, PLACE_LIFE, PLACE_LIFE_MAX, PLACE_LIFE_MIN,
};

/// What decides how many are admitted. In every mode nobody is while nothing is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Never more admitted and unspent than units left × `factor`; no faster than `per_second`, if that is given.
    #[default]
    FollowStock,
    /// As fast as the engines say they keep up; no faster than `per_second`, if that is given.
    FollowCapacity,
    /// `per_second`.
    Fixed,
}

impl Mode {
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::FollowStock => "follow_stock",
            Mode::FollowCapacity => "follow_capacity",
            Mode::Fixed => "fixed",
        }
    }
}

/// How fast a line moves, and who goes first.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LineDraft {
    pub mode: Mode,
    /// People a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    /// Admitted and unspent places for each unit left, where the mode follows stock.
    pub factor: f64,
    /// How long an admitted user may take to reserve.
    pub place_seconds: u32,
    /// Whether those who come before the sale opens are drawn; else they are served in the order in which they came.
    pub draw: bool,
    /// Whether signed invites come before everybody.
    pub invites: bool,
}

impl Default for LineDraft {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            per_second: None,
            factor: 1.0,
            place_seconds: u32::try_from(PLACE_LIFE.as_secs()).unwrap_or(u32::MAX),
            draw: true,
            invites: false,
        }
    }
}

/// What is wrong with a line's settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LineRefused {
    #[error("line.per_second is required where line.mode is fixed")]
    NoRate,
    #[error("line.per_second must be between 1 and {ADMIT_PER_SECOND_MAX}")]
    Rate,
    #[error("line.factor must be between {FACTOR_MIN} and {FACTOR_MAX}")]
    Factor,
    #[error("line.place_seconds must be between {} and {}", PLACE_LIFE_MIN.as_secs(), PLACE_LIFE_MAX.as_secs())]
    PlaceSeconds,
    #[error("line is for a sale with a waiting_room")]
    NoWaitingRoom,
    #[error("the line of a sale's config is not one of ours")]
    Malformed,
}

impl LineDraft {
    /// # Errors
    /// [`LineRefused`] naming the first field out of bounds.
    pub fn check(&self) -> Result<(), LineRefused> {
        if self.mode == Mode::Fixed && self.per_second.is_none() {
            return Err(LineRefused::NoRate);
        }
        if self
            .per_second
            .is_some_and(|rate| !(1..=ADMIT_PER_SECOND_MAX).contains(&rate))
        {
            return Err(LineRefused::Rate);
        }
        if !(FACTOR_MIN..=FACTOR_MAX).contains(&self.factor) {
            return Err(LineRefused::Factor);
        }
        let place_s = u64::from(self.place_seconds);
        if !(PLACE_LIFE_MIN.as_secs()..=PLACE_LIFE_MAX.as_secs()).contains(&place_s) {
            return Err(LineRefused::PlaceSeconds);
        }
        Ok(())
    }
}

/// What was published of a draw before it: with the secret, which is shown after it, anyone can check that nobody chose the order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pledge {
    /// Hex.
    pub salt: String,
    /// SHA-256 of the draw's secret, hex.
    pub commitment: String,
}

/// The line of a published sale, as its config in Redis has it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineConfig {
    pub mode: Mode,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_second: Option<u32>,
    pub factor: f64,
    pub place_seconds: u32,
    /// There where the sale draws.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Pledge>,
    pub invites: bool,
}

impl LineConfig {
    /// What staff chose, with the pledge of its draw, which a sale without a draw does not need.
    pub fn new(draft: &LineDraft, pledge: Option<Pledge>) -> Self {
        let LineDraft {
            mode,
            per_second,
            factor,
            place_seconds,
            draw,
            invites,
        } = *draft;
        Self {
            mode,
            per_second,
            factor,
            place_seconds,
            draw: pledge.filter(|_| draw),
            invites,
        }
    }

    /// The line that a sale's config in Redis speaks of; nothing where the sale has no waiting room. One with a waiting room and nothing
    /// more said has a line as it is by default, first come, first served: nobody pledged a draw.
    ///
    /// # Errors
    /// [`LineRefused`] where it cannot be read, or is out of bounds.
    pub fn of_sale(config: &Value) -> Result<Option<Self>, LineRefused> {
        if config.get("waiting_room").and_then(Value::as_bool) != Some(true) {
            return Ok(None);
        }
        let Some(line) = config.get("line").filter(|line| !line.is_null()) else {
            return Ok(Some(Self::new(&LineDraft::default(), None)));
        };
        let line = Self::deserialize(line).map_err(|_| LineRefused::Malformed)?;
        line.as_draft().check()?;
        Ok(Some(line))
    }

    fn as_draft(&self) -> LineDraft {
        LineDraft {
            mode: self.mode,
            per_second: self.per_second,
            factor: self.factor,
            place_seconds: self.place_seconds,
            draw: self.draw.is_some(),
            invites: self.invites,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_draft_says_what_it_leaves_out() {
        let draft: LineDraft = serde_json::from_value(json!({})).unwrap();
        assert_eq!(draft, LineDraft::default());
        assert_eq!(draft.check(), Ok(()));
        assert!(draft.draw);
        assert!(serde_json::from_value::<LineDraft>(json!({"speed": 1})).is_err());
    }

    #[test]
    fn what_is_out_of_bounds_is_named() {
        for (line, refused) in [
            (json!({"mode": "fixed"}), LineRefused::NoRate),
            (json!({"per_second": 0}), LineRefused::Rate),
            (json!({"per_second": 100_001}), LineRefused::Rate),
            (json!({"factor": 0.05}), LineRefused::Factor),
            (json!({"factor": 21}), LineRefused::Factor),
            (json!({"place_seconds": 4}), LineRefused::PlaceSeconds),
            (json!({"place_seconds": 3601}), LineRefused::PlaceSeconds),
        ] {
            let draft: LineDraft = serde_json::from_value(line.clone()).unwrap();
            assert_eq!(draft.check(), Err(refused), "{line}");
        }
    }

    #[test]
    fn a_config_is_read_back_and_is_nothing_without_a_waiting_room() {
        let pledge = Pledge {
            salt: "00".into(),
            commitment: "11".into(),
        };
        let line = LineConfig::new(&LineDraft::default(), Some(pledge.clone()));
        let config = json!({"waiting_room": true, "line": line});
        assert_eq!(LineConfig::of_sale(&config), Ok(Some(line)));
        for config in [
            json!({}),
            json!({"waiting_room": false}),
            json!({"waiting_room": false, "line": {}}),
        ] {
            assert_eq!(LineConfig::of_sale(&config), Ok(None));
        }
        let bare = LineConfig::of_sale(&json!({"waiting_room": true}));
        assert_eq!(bare.unwrap().unwrap().draw, None);
        let first_come = LineDraft {
            draw: false,
            ..LineDraft::default()
        };
        assert_eq!(LineConfig::new(&first_come, Some(pledge)).draw, None);
        let odd = json!({"waiting_room": true, "line": {"mode": "odd"}});
        assert_eq!(LineConfig::of_sale(&odd), Err(LineRefused::Malformed));
    }
}
