//! How rows of the log are chained. Pure. Called by `audit_log` for each row that it writes, by `guard` for rows older than the chain, and
//! by `check` for all.
//!
//! `hash = SHA-256(hash before ‖ canonical row)`; the hash before the first is 32 zero bytes. The canonical row is the JSON array
//! `[1, id, microseconds since 1970, actor, action, subject, request_id, before, after]` without spaces and with sorted keys, so that anyone
//! can compute it, whatever form MySQL or MariaDB keeps JSON in.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound as _, Utc};
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// First element of a canonical row: another form of it has another number.
const FORM: u8 = 1;

pub(crate) type Hash = [u8; 32];

/// A row of the log.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) id: u64,
    pub(crate) at: DateTime<Utc>,
    pub(crate) actor: String,
    pub(crate) action: String,
    pub(crate) subject: String,
    pub(crate) request_id: String,
    pub(crate) before: Option<Value>,
    pub(crate) after: Option<Value>,
}

/// Where the chain ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Head {
    /// Of the last link; 0: there is none.
    pub(crate) position: u64,
    pub(crate) hash: Hash,
}

/// One link of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) position: u64,
    pub(crate) id: u64,
    pub(crate) previous: Hash,
    pub(crate) hash: Hash,
}

impl Head {
    /// The link that puts `row` behind this end.
    pub(crate) fn link(self, row: &Row) -> Link {
        Link {
            position: self.position + 1,
            id: row.id,
            previous: self.hash,
            hash: hash(&self.hash, row),
        }
    }
}

impl Link {
    /// The end of the chain while this is its last link.
    pub(crate) fn head(&self) -> Head {
        Head {
            position: self.position,
            hash: self.hash,
        }
    }
}

/// What MySQL keeps of a time.
pub(crate) fn to_the_microsecond(at: DateTime<Utc>) -> DateTime<Utc> {
    at.trunc_subsecs(6)
}

fn hash(previous: &Hash, row: &Row) -> Hash {
    let hash = Sha256::new().chain_update(previous);
    hash.chain_update(canonical(row)).finalize().into()
}

fn canonical(row: &Row) -> String {
    let at_us = row.at.timestamp_micros();
    let Row {
        id,
        actor,
        action,
        subject,
        request_id,
        ..
    } = row;
    let states = (Canonical::of(&row.before), Canonical::of(&row.after));
    let fields = (
        FORM, id, at_us, actor, action, subject, request_id, states.0, states.1,
    );
    serde_json::to_string(&fields).expect("strings, numbers and JSON are JSON")
}

/// JSON with sorted keys, however the library keeps its objects.
#[derive(Serialize)]
#[serde(untagged)]
enum Canonical<'a> {
    Object(BTreeMap<&'a str, Canonical<'a>>),
    Array(Vec<Canonical<'a>>),
    Scalar(&'a Value),
}

impl<'a> Canonical<'a> {
    /// Nothing, and the JSON null, which no row has, are one.
    fn of(state: &'a Option<Value>) -> Self {
        Self::new(state.as_ref().unwrap_or(&Value::Null))
    }

    fn new(value: &'a Value) -> Self {
        match value {
            Value::Object(members) => {
                let members = members.iter();
                Self::Object(members.map(|(k, v)| (k.as_str(), Self::new(v))).collect())
            }
            Value::Array(items) => Self::Array(items.iter().map(Self::new).collect()),
            scalar => Self::Scalar(scalar),
        }
    }
}

#[cfg(test)]
mod tests {
    use doorbuster_core::hex::to_hex;
    use serde_json::json;

    use super::*;

    fn row() -> Row {
        Row {
            id: 7,
            at: DateTime::from_timestamp_micros(1_700_000_000_000_001).unwrap(),
            actor: "olga".into(),
            action: "sale.pause".into(),
            subject: "sale:drop-1".into(),
            request_id: "r-1".into(),
            before: None,
            after: Some(json!({"b": [1, {"z": 0, "a": "한"}], "a": null})),
        }
    }

    #[test]
    fn a_row_has_one_canonical_text() {
        assert_eq!(
            canonical(&row()),
            r#"[1,7,1700000000000001,"olga","sale.pause","sale:drop-1","r-1",null,{"a":null,"b":[1,{"a":"한","z":0}]}]"#
        );
        let reordered: Value =
            serde_json::from_str(r#"{"a": null, "b": [1, {"a": "한", "z": 0}]}"#).unwrap();
        let same = Row {
            after: Some(reordered),
            ..row()
        };
        assert_eq!(canonical(&same), canonical(&row()));
    }

    #[test]
    fn a_link_has_the_hash_of_the_one_before_and_of_its_row() {
        let first = Head::default().link(&row());
        // printf '\0'×32 and the text above | sha256sum
        let mut bytes = vec![0; 32];
        bytes.extend(canonical(&row()).into_bytes());
        assert_eq!(to_hex(&first.hash), to_hex(&Sha256::digest(&bytes)));
        let second = first.head().link(&row());
        assert_eq!(
            (second.position, second.previous, second.hash == first.hash),
            (2, first.hash, false)
        );
    }

    #[test]
    fn whatever_changes_in_a_row_changes_its_hash() {
        let of = |change: fn(&mut Row)| {
            let mut row = row();
            change(&mut row);
            Head::default().link(&row).hash
        };
        let changes: [fn(&mut Row); 8] = [
            |_| (),
            |r| r.id = 8,
            |r| r.at += chrono::TimeDelta::microseconds(1),
            |r| r.actor.push('x'),
            |r| r.action.push('x'),
            |r| r.subject.push('x'),
            |r| r.before = Some(json!({})),
            |r| r.after = Some(json!({"a": 0})),
        ];
        let hashes: std::collections::HashSet<Hash> = changes.map(of).into();
        assert_eq!(hashes.len(), 8);
    }
}
