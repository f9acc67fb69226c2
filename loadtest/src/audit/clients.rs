//! Every client's answers against the stores: lost, phantom, duplicated, and each field it was told. Called by `judge`.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::Result;
use doorbuster_core::ids::{LiveId, ReservationId, SkuId, UserId};
use doorbuster_core::record::{Line, Reason, Status};

use super::facts::{Books, Holding, LiveState};
use super::ledger::Ledger;
use super::stock::{is_justified, units};
use super::{Verdict, Wrong};
use crate::history::{Answer, Ask, Client, Header, History, Told, Verb};

/// Where a client's reservation must be found.
pub(super) struct Stores<'a> {
    pub(super) live: &'a LiveState,
    pub(super) books: &'a Books,
    pub(super) ledger: &'a Ledger,
}

/// One client, and the reservation that its key stands for.
struct Case<'a> {
    header: &'a Header,
    client: &'a Client,
    id: ReservationId,
}

/// Notes what is wrong, and returns the units that clients were promised and never gave back, per sku.
pub(super) fn examine(
    history: &History,
    stores: &Stores<'_>,
    verdict: &mut Verdict,
) -> Result<BTreeMap<SkuId, u64>> {
    let live_id = history.header.live()?;
    let (mut asked, mut numbers) = (HashMap::new(), HashMap::new());
    let mut promised = Vec::new();
    for client in &history.clients {
        let case = Case {
            header: &history.header,
            client,
            id: id_of(&live_id, client)?,
        };
        if asked.insert(case.id, client).is_some() {
            verdict.note(Wrong::Duplicated, || {
                format!("two clients share the key {}", client.key)
            });
        }
        let told = case
            .acceptances()
            .find_map(|(_, answer)| answer.told.as_ref());
        if let Some((seq, other)) =
            told.and_then(|told| Some((told.seq, numbers.insert(told.seq, &client.key)?)))
        {
            verdict.note(Wrong::Duplicated, || {
                format!("number {seq} was told to {other} and {}", client.key)
            });
        }
        if case.examine(stores, verdict) {
            promised.push((&client.user, &history.header.lines));
        }
    }
    phantoms(&asked, stores, verdict);
    false_limits(history, stores, verdict);
    promises_over_limit(&promised, stores, verdict);
    Ok(units(promised.into_iter().flat_map(|(_, lines)| lines)))
}

fn id_of(live: &LiveId, client: &Client) -> Result<ReservationId> {
    Ok(ReservationId::derive(live, &client.user, &client.key()?))
}

impl<'a> Case<'a> {
    fn acceptances(&self) -> impl Iterator<Item = (&'a Ask, &'a Answer)> {
        self.client
            .answers(Verb::Take)
            .filter(|(_, answer)| answer.is_acceptance())
    }

    fn refusals(&self) -> impl Iterator<Item = (&'a Ask, &'a Answer)> {
        self.client
            .answers(Verb::Take)
            .filter(|(_, answer)| answer.is_final() && !answer.is_acceptance())
    }

    /// Whether it was promised units that the journal never took back.
    fn examine(&self, stores: &Stores<'_>, verdict: &mut Verdict) -> bool {
        let mut acceptances = self.acceptances().peekable();
        if acceptances.peek().is_none() {
            return false;
        }
        self.one_outcome(stores, verdict);
        let (redis, mysql) = (
            stores.live.holdings.get(&self.id),
            stores.books.holdings.get(&self.id),
        );
        match (redis, mysql) {
            (Some(redis), Some(_)) => {
                let held_until_ms = stores.ledger.extended.get(&self.id).copied();
                acceptances.for_each(|(_, answer)| {
                    self.compare(answer, (redis, held_until_ms), verdict);
                });
            }
            (redis, _) => verdict.note(Wrong::Lost, || {
                let store = if redis.is_none() { "redis" } else { "mysql" };
                format!(
                    "{} was told yes, and {} is missing in {store}",
                    self.client.user, self.id
                )
            }),
        }
        self.cancellations(redis, verdict);
        stores
            .ledger
            .holdings
            .get(&self.id)
            .is_none_or(|holding| holding.status.is_live())
    }

    /// One key has one outcome: one id, number and deadline, and no refusal after or beside the acceptance, except where
    /// the units were truly gone and came back in time for the acceptance.
    fn one_outcome(&self, stores: &Stores<'_>, verdict: &mut Verdict) {
        let told: Vec<&Told> = self
            .acceptances()
            .filter_map(|(_, answer)| answer.told.as_ref())
            .collect();
        let outcomes: HashSet<_> = told
            .iter()
            .map(|told| (told.id, told.seq, told.deadline_ms))
            .collect();
        if outcomes.len() > 1 {
            verdict.note(Wrong::Duplicated, || {
                format!("{}: one key, outcomes {outcomes:?}", self.client.key)
            });
        }
        let accepted_us = self
            .acceptances()
            .map(|(ask, _)| ask.done_us)
            .min()
            .unwrap_or(u64::MAX);
        let seq = told.first().map_or(0, |told| told.seq);
        for (ask, answer) in self.refusals() {
            let sold_out = answer.code.as_deref() == Some("sold_out");
            let before = ask.sent_us < accepted_us;
            // Whoever was not let in yet may be later.
            let too_soon = answer.code.as_deref() == Some("not_admitted") && before;
            let sold_out = sold_out && before && is_justified(self.header, ask, stores.ledger, seq);
            if !(sold_out || too_soon) {
                let code = answer.code.as_deref().unwrap_or("no code");
                verdict.note(Wrong::Duplicated, || {
                    format!(
                        "{}: accepted, and refused with {} {code}",
                        self.client.key, answer.status
                    )
                });
            }
        }
    }

    /// Against the record; and against until when it was held, where its time has been extended for payment since.
    fn compare(
        &self,
        answer: &Answer,
        (holding, held_until_ms): (&Holding, Option<u64>),
        verdict: &mut Verdict,
    ) {
        let what = |field: &str| format!("{}, {field}, told against redis", self.client.key);
        let Some(told) = &answer.told else {
            return verdict.note(Wrong::Differences, || {
                format!(
                    "{}: a {} without its fields",
                    self.client.key, answer.status
                )
            });
        };
        let live_id = self
            .header
            .book_id
            .strip_prefix("coupon:")
            .unwrap_or(&self.header.book_id);
        verdict.compare(|| what("id"), &told.id, &self.id);
        verdict.compare(|| what("sale"), &told.of.as_str(), &live_id);
        verdict.compare(|| what("seq"), &told.seq, &holding.seq);
        verdict.compare(|| what("user"), &told.user, &holding.user);
        if holding.body.is_some() {
            verdict.compare(|| what("lines"), &told.lines, &holding.lines);
            let was_held = told.status == "held";
            let deadline_ms = held_until_ms.filter(|_| was_held).unwrap_or(holding.at_ms);
            verdict.compare(|| what("deadline"), &told.deadline_ms, &Some(deadline_ms));
        }
        verdict.compare(
            || what("lines asked for"),
            &holding.lines,
            &self.header.lines,
        );
        if !may_become(told, holding.status) {
            verdict.note(Wrong::Differences, || {
                format!(
                    "{}: told {}, now {:?}",
                    self.client.key, told.status, holding.status
                )
            });
        }
    }

    /// What was cancelled is released, and nothing else is cancelled.
    fn cancellations(&self, redis: Option<&Holding>, verdict: &mut Verdict) {
        let Some(holding) = redis else { return };
        let confirmed = self
            .client
            .answers(Verb::Cancel)
            .any(|(_, answer)| answer.is_acceptance());
        if confirmed && holding.status.is_live() {
            verdict.note(Wrong::Differences, || {
                format!(
                    "{}: told that it is cancelled, and it is not",
                    self.client.key
                )
            });
        }
        let asked = self.client.asks.iter().any(|ask| ask.verb == Verb::Cancel);
        if !asked && holding.status == Status::Released(Reason::Cancelled) {
            verdict.note(Wrong::Differences, || {
                format!("{}: cancelled, and nobody asked for it", self.client.key)
            });
        }
        for (_, answer) in self
            .client
            .answers(Verb::Cancel)
            .filter(|(_, answer)| answer.is_acceptance())
        {
            if answer
                .told
                .as_ref()
                .is_some_and(|told| told.id != self.id || told.seq != holding.seq)
            {
                verdict.note(Wrong::Differences, || {
                    format!("{}: cancelled another reservation", self.client.key)
                });
            }
        }
    }
}

/// Whether what a client was told can since have become `status`.
fn may_become(told: &Told, status: Status) -> bool {
    match told.status.as_str() {
        "held" => true,
        "paying" => status != Status::Held,
        "paid" | "claimed" => matches!(status, Status::Paid | Status::Released(Reason::Refunded)),
        "released" => status.reason().is_some() && status.reason() == told.reason,
        _ => false,
    }
}

/// What is there and may not be: nobody asked for it, or who asked was told no and left nothing open.
fn phantoms(asked: &HashMap<ReservationId, &Client>, stores: &Stores<'_>, verdict: &mut Verdict) {
    let there: HashSet<&ReservationId> = [
        &stores.live.holdings,
        &stores.books.holdings,
        &stores.ledger.holdings,
    ]
    .into_iter()
    .flat_map(HashMap::keys)
    .collect();
    for id in there {
        match asked.get(id) {
            None => verdict.note(Wrong::Phantom, || {
                format!("{id} is there, and no client asked for it")
            }),
            Some(client) if client.has_unknown() => {}
            Some(client) if client.verdict().is_some_and(Answer::is_acceptance) => {}
            Some(client) => verdict.note(Wrong::Phantom, || {
                format!("{id} is there, and {} was told no", client.user)
            }),
        }
    }
}

/// Users who were refused for a limit although they never had anything.
fn false_limits(history: &History, stores: &Stores<'_>, verdict: &mut Verdict) {
    let owners: HashSet<&UserId> = stores
        .ledger
        .holdings
        .values()
        .map(|holding| &holding.user)
        .collect();
    let over = |line: &Line| {
        stores
            .books
            .limit(&line.sku)
            .is_some_and(|limit| u64::from(line.quantity) > limit)
    };
    if history.header.lines.iter().any(over) {
        return;
    }
    for client in &history.clients {
        let code = client.verdict().and_then(|answer| answer.code.as_deref());
        if matches!(code, Some("limit_reached" | "already_claimed"))
            && !owners.contains(&client.user)
        {
            verdict.note(Wrong::Differences, || {
                format!(
                    "{} was told of a limit, and never had anything",
                    client.user
                )
            });
        }
    }
}

/// Users who were promised more than one user may have, whatever the stores say.
fn promises_over_limit(
    promised: &[(&UserId, &Vec<Line>)],
    stores: &Stores<'_>,
    verdict: &mut Verdict,
) {
    let mut counted: HashMap<(&UserId, &SkuId), u64> = HashMap::new();
    for (user, lines) in promised {
        lines.iter().for_each(|line| {
            *counted.entry((user, &line.sku)).or_default() += u64::from(line.quantity)
        });
    }
    for ((user, sku), units) in counted {
        let over = stores.books.limit(sku).is_some_and(|limit| units > limit);
        let known = stores
            .ledger
            .breaches
            .iter()
            .any(|(who, what)| who == user && what == sku);
        if over && !known {
            verdict.note(Wrong::LimitBreaches, || {
                format!("{user} was promised {units} units of {sku}")
            });
        }
    }
}
