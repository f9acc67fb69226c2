//! False tickets, many times, at the door and at the till: none may pass. Called by `command`.
//!
//! Three sales have a line. People join the first, where half of them are admitted, and the second; those of the third have bought, and
//! their place has run out. Then each kind of false ticket is made from true ones, and shown by people who have a place.

mod cast;

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::Result;
use doorbuster_core::clock;
use serde::Serialize;

use super::LinePlan;
use super::salvo::{Said, Salvo, ask_all};
use super::view::{Heard, State};
use crate::audit::settle::Sources;
use crate::audit::{Numbers, judge_stores};
use crate::client::connection::{Response, Then};
use crate::command::Verdict;
use crate::plan::Scenario;
use crate::report::number::grouped;
use crate::rush::say;
use crate::target::Target;

/// How a ticket is false.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The right words under a made-up signature.
    Forged,
    /// A true ticket with a better number put in.
    Altered,
    /// Signed, with another secret.
    OtherSecret,
    /// The same user's ticket for another sale.
    CrossSale,
    /// An admitted ticket of somebody else.
    CrossUser,
    /// Signed by us, a day and an hour ago.
    Expired,
    /// One's own, whose place is used up.
    Replayed,
    /// One's own and true, and not admitted: shown at the till.
    NotAdmitted,
    /// No ticket at all.
    Missing,
}

const KINDS: [Kind; 9] = [
    Kind::Forged,
    Kind::Altered,
    Kind::OtherSecret,
    Kind::CrossSale,
    Kind::CrossUser,
    Kind::Expired,
    Kind::Replayed,
    Kind::NotAdmitted,
    Kind::Missing,
];

/// Where it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Where {
    Door,
    Till,
}

/// What came of it.
#[derive(Debug, Clone, Serialize)]
pub struct Forged {
    scenario: Scenario,
    ack_level: String,
    /// Tickets shown, and those that passed.
    offered: u64,
    accepted: u64,
    refused: BTreeMap<String, u64>,
    unanswered: u64,
    seconds: f64,
    audit: Numbers,
    kinds: BTreeMap<Kind, Tried>,
}

/// The same of one kind.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Tried {
    tries: u64,
    accepted: u64,
    refused: BTreeMap<String, u64>,
}

impl Forged {
    /// In words, kind by kind.
    pub fn text(&self) -> String {
        let kinds = self.kinds.iter().map(|(kind, tried)| {
            let codes: Vec<String> = tried
                .refused
                .iter()
                .map(|(code, count)| format!("{} {code}", grouped(*count)))
                .collect();
            let name = serde_json::to_value(kind)
                .ok()
                .and_then(|name| name.as_str().map(str::to_owned));
            format!(
                "{:13} {} tried, {} accepted: {}\n",
                name.unwrap_or_default(),
                grouped(tried.tries),
                tried.accepted,
                codes.join(", ")
            )
        });
        let kinds: String = kinds.collect();
        format!(
            "{kinds}{} in all, {} unanswered, {} accepted\n",
            grouped(self.offered),
            self.unanswered,
            self.accepted
        )
    }

    pub fn verdict(&self) -> Verdict {
        let is_clean = self.accepted == 0 && self.unanswered == 0 && self.audit.are_zero();
        if is_clean {
            Verdict::Clean
        } else {
            Verdict::Wrong
        }
    }
}

/// Shows so many false tickets.
///
/// # Errors
/// If the lines cannot be set up.
pub async fn run(plan: &LinePlan, target: &Target, tries: u32) -> Result<Forged> {
    let sources = Sources::connect(&target.redis_url, &target.database_url).await?;
    let cast = Arc::new(cast::gather(plan, target, &sources).await?);
    say("everyone has a true ticket; now false ones");
    let began = clock::instant();
    let shown = Arc::clone(&cast);
    let salvo = Salvo::new(move |number, engine| shown.bytes(number, engine));
    // Whoever shows the same old ticket of his own again and again may be told to leave it.
    let salvo = salvo.or_put_off(|number| part(number) == (Kind::Replayed, Where::Door));
    let said = ask_all(&target.engines, tries as usize, salvo).await?;
    let mut forged = tally(&said);
    forged.seconds = began.elapsed().as_secs_f64();
    forged.ack_level.clone_from(&target.ack_level);
    for offer in cast.offers() {
        sources.wait_flushed(&offer.live, clock::instant()).await?;
        let settled = sources.read(&offer.live).await?;
        forged.audit += judge_stores(&settled.live, &settled.books).numbers;
    }
    Ok(forged)
}

/// What the request with this number shows, and where.
fn part(number: usize) -> (Kind, Where) {
    let kind = KINDS[number % KINDS.len()];
    let at_the_door = (number / KINDS.len()).is_multiple_of(2) && kind != Kind::NotAdmitted;
    (
        kind,
        if at_the_door {
            Where::Door
        } else {
            Where::Till
        },
    )
}

fn tally(said: &[Said]) -> Forged {
    let mut kinds: BTreeMap<Kind, Tried> = BTreeMap::new();
    let (mut refused, mut unanswered, mut accepted) = (BTreeMap::new(), 0, 0);
    for (number, said) in said.iter().enumerate() {
        let tried = kinds.entry(part(number).0).or_default();
        tried.tries += 1;
        match judge(number, said) {
            Judged::Passed => {
                tried.accepted += 1;
                accepted += 1;
            }
            Judged::Unanswered => unanswered += 1,
            Judged::Refused(code) => {
                *tried.refused.entry(code.clone()).or_default() += 1;
                *refused.entry(code).or_default() += 1;
            }
        }
    }
    Forged {
        scenario: Scenario::Line,
        ack_level: String::new(),
        offered: said.len() as u64,
        accepted,
        refused,
        unanswered,
        seconds: 0.0,
        audit: Numbers::default(),
        kinds,
    }
}

enum Judged {
    Passed,
    Refused(String),
    Unanswered,
}

fn judge(number: usize, said: &Said) -> Judged {
    let (kind, shown_at) = part(number);
    if said.status == 0 {
        return Judged::Unanswered;
    }
    let heard = Heard::of(&Response {
        status: said.status,
        retry_after_s: None,
        body: &said.body,
        then: Then::Reuse,
    });
    match heard {
        Heard::Refused(status, code, _) if !matches!(status, 200 | 201) => Judged::Refused(code),
        // Whoever shows an old ticket of his own may be told that it is old.
        Heard::View(view)
            if kind == Kind::Replayed
                && shown_at == Where::Door
                && view.state == State::Expired =>
        {
            Judged::Refused("expired".to_owned())
        }
        _ => Judged::Passed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Said {
        Said {
            status,
            body: body.into(),
        }
    }

    #[test]
    fn every_kind_is_shown_at_the_till_and_all_but_one_at_the_door() {
        let parts: Vec<(Kind, Where)> = (0..2 * KINDS.len()).map(part).collect();
        for kind in KINDS {
            assert!(parts.contains(&(kind, Where::Till)), "{kind:?}");
            let is_at_the_door = parts.contains(&(kind, Where::Door));
            assert_eq!(is_at_the_door, kind != Kind::NotAdmitted, "{kind:?}");
        }
    }

    #[test]
    fn whatever_is_not_a_refusal_has_passed() {
        let refused = said(403, r#"{"code":"not_admitted"}"#);
        let waiting = said(200, r#"{"state":"waiting"}"#);
        let held = said(201, r#"{"id":"x"}"#);
        let told = [refused.clone(), waiting, held, Said::default(), refused];
        let forged = tally(&told);
        assert_eq!((forged.accepted, forged.unanswered), (2, 1));
        assert_eq!(forged.refused["not_admitted"], 2);
        assert_eq!(forged.verdict(), Verdict::Wrong);
        assert!(forged.text().contains("altered       1 tried, 1 accepted"));
    }

    #[test]
    fn an_old_ticket_may_be_called_old_at_the_door() {
        let door = KINDS
            .iter()
            .position(|kind| *kind == Kind::Replayed)
            .unwrap();
        let old = said(200, r#"{"state":"expired"}"#);
        assert!(matches!(judge(door, &old), Judged::Refused(_)));
        let good = said(200, r#"{"state":"admitted"}"#);
        assert!(matches!(judge(door, &good), Judged::Passed));
    }
}
