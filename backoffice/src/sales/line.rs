//! The line of a sale's waiting room, as staff write it and as it is shown. Called by `draft` and `view`.

use doorbuster_core::limits::{
    ADMIT_PER_SECOND_MAX, FACTOR_MAX, FACTOR_MIN, PLACE_LIFE_MAX, PLACE_LIFE_MIN,
};
use doorbuster_core::line::{LineConfig, LineDraft, LineRefused, Mode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::validate::Problems;

/// How the line moves, and who goes first. Whatever is left out is as by default.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LineBody {
    /// follow_stock: never more admitted and unspent than units left × factor (default); follow_capacity: as fast as the engines keep up;
    /// fixed: per_second
    #[schema(value_type = Option<String>, example = "follow_stock")]
    pub mode: Option<Mode>,
    /// People a second, at most; required where mode is fixed
    #[schema(minimum = 1, maximum = 100_000)]
    pub per_second: Option<i64>,
    /// Admitted and unspent places for each unit left
    #[schema(minimum = 0.1, maximum = 20, default = 1.0)]
    pub factor: Option<f64>,
    /// How long an admitted buyer may take to reserve
    #[schema(minimum = 5, maximum = 3600, default = 120)]
    pub place_seconds: Option<i64>,
    /// Whether those who come before the sale opens are drawn; else they are served in the order in which they came
    #[schema(default = true)]
    pub draw: Option<bool>,
    /// Whether signed invites come before everybody
    #[schema(default = false)]
    pub invites: Option<bool>,
}

impl LineBody {
    /// `None` and what is wrong.
    pub(crate) fn validate(&self, problems: &mut Problems) -> Option<LineDraft> {
        let default = LineDraft::default();
        // What does not fit is out of bounds as well, and refused as that.
        let count = |given: Option<i64>| given.map(|n| u32::try_from(n).unwrap_or(0));
        let draft = LineDraft {
            mode: self.mode.unwrap_or(default.mode),
            per_second: count(self.per_second),
            factor: self.factor.unwrap_or(default.factor),
            place_seconds: count(self.place_seconds).unwrap_or(default.place_seconds),
            draw: self.draw.unwrap_or(default.draw),
            invites: self.invites.unwrap_or(default.invites),
        };
        // The first problem hides the others, so each is put right to see the next.
        let mut tried = draft;
        let mut is_fit = true;
        while let Err(refused) = tried.check() {
            is_fit = false;
            let (pointer, detail) = match refused {
                LineRefused::NoRate => (
                    "/line/per_second",
                    "is required where mode is fixed".to_owned(),
                ),
                LineRefused::Rate => (
                    "/line/per_second",
                    format!("must be 1 to {ADMIT_PER_SECOND_MAX}"),
                ),
                LineRefused::Factor => (
                    "/line/factor",
                    format!("must be {FACTOR_MIN} to {FACTOR_MAX}"),
                ),
                LineRefused::PlaceSeconds => (
                    "/line/place_seconds",
                    format!(
                        "must be {} to {}",
                        PLACE_LIFE_MIN.as_secs(),
                        PLACE_LIFE_MAX.as_secs()
                    ),
                ),
                LineRefused::NoWaitingRoom | LineRefused::Malformed => {
                    problems.add("/line", refused);
                    return None;
                }
            };
            problems.add(pointer, detail);
            match refused {
                LineRefused::NoRate | LineRefused::Rate => tried.per_second = Some(1),
                LineRefused::Factor => tried.factor = default.factor,
                _ => tried.place_seconds = default.place_seconds,
            }
        }
        is_fit.then_some(draft)
    }
}

/// The line of a sale.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LineView {
    #[schema(example = "follow_stock")]
    pub mode: &'static str,
    /// Null: no bound
    pub per_second: Option<u32>,
    #[schema(example = 1.0)]
    pub factor: f64,
    #[schema(example = 120)]
    pub place_seconds: u32,
    pub draw: bool,
    pub invites: bool,
    /// What is published of the draw before it; null before the sale is opened, and where nothing is drawn
    pub pledge: Option<PledgeView>,
}

/// By it anyone can check after the draw that its secret was chosen before.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PledgeView {
    #[schema(example = "000102030405060708090a0b0c0d0e0f")]
    pub salt: String,
    /// SHA-256 of the draw's secret, hex
    pub commitment: String,
}

impl LineView {
    pub(crate) fn new(draft: &LineDraft, config: LineConfig) -> Self {
        Self {
            mode: draft.mode.as_str(),
            per_second: draft.per_second,
            factor: draft.factor,
            place_seconds: draft.place_seconds,
            draw: draft.draw,
            invites: draft.invites,
            pledge: config.draw.map(|pledge| PledgeView {
                salt: pledge.salt,
                commitment: pledge.commitment,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::error::ApiError;

    fn validated(line: serde_json::Value) -> Result<LineDraft, Vec<String>> {
        let body: LineBody = serde_json::from_value(line).unwrap();
        let mut problems = Problems::default();
        let draft = body.validate(&mut problems);
        match problems.none() {
            Ok(()) => Ok(draft.unwrap()),
            Err(ApiError::InvalidFields(problems)) => {
                Err(problems.into_iter().map(|p| p.pointer).collect())
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_is_left_out_is_as_by_default() {
        assert_eq!(validated(json!({})), Ok(LineDraft::default()));
        let fixed = validated(json!({"mode": "fixed", "per_second": 50, "draw": false})).unwrap();
        assert_eq!((fixed.per_second, fixed.draw), (Some(50), false));
    }

    #[test]
    fn every_problem_is_told_at_once() {
        let bad = json!({"mode": "fixed", "factor": 0, "place_seconds": -1});
        let mut found = validated(bad).unwrap_err();
        found.sort();
        assert_eq!(
            found,
            ["/line/factor", "/line/per_second", "/line/place_seconds"]
        );
        for bad in [
            json!({"per_second": 0}),
            json!({"per_second": 100_001}),
            json!({"per_second": -5_000_000_000_i64}),
        ] {
            assert_eq!(validated(bad), Err(vec!["/line/per_second".to_owned()]));
        }
        assert!(serde_json::from_value::<LineBody>(json!({"mode": "odd"})).is_err());
        assert!(serde_json::from_value::<LineBody>(json!({"speed": 1})).is_err());
    }
}
