//! What a loss took from buyers who had been told yes: it must be known to be lost, and their receipts bring it back. Called by `loss`.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_core::ids::{LiveId, ReservationId};
use doorbuster_core::journal::Event;
use doorbuster_core::receipt::ReceiptKey;
use tokio::task::JoinSet;

use super::ending::Sale;
use super::round::Outcome;
use crate::audit::facts::{Books, JournalRow};
use crate::client::course;
use crate::crowd::{Behaviour, Errand};
use crate::history::{Answer, Ask, Client, Seen, Told, Verb};

/// One loss.
#[derive(Debug, Clone, Copy)]
pub(super) struct Loss {
    /// The generation of before, and of afterwards.
    pub(super) epoch: u32,
    pub(super) epoch_now: u32,
    /// When it was gone, since the start of the round.
    pub(super) at_us: u64,
    /// Whether something acknowledged may be gone.
    pub(super) may_lose: bool,
    /// The last event that the books had, or an engine had noted there, when it was gone.
    pub(super) noted: u64,
}

impl Loss {
    pub(super) fn is_rebuilt(&self) -> bool {
        self.epoch_now > self.epoch
    }
}

/// An acceptance that the books do not have, by the place of its client and of its ask.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Gone {
    client: usize,
    ask: usize,
    seq: u64,
    receipt: Option<Box<str>>,
}

/// Lists what buyers were told and is gone, lets them present their receipts, and leaves in their histories what holds now.
/// Returns how many events the books list as lost.
///
/// # Errors
/// If the books cannot be read.
pub(super) async fn give_again(
    sale: &Sale<'_>,
    loss: &Loss,
    clients: &mut [Client],
    outcome: &mut Outcome,
) -> Result<u64> {
    let (ground, live) = (sale.ground, &sale.offer.live);
    let since = clock::instant();
    ground.sources.wait_flushed(live, since).await?;
    let books = ground.sources.books(live).await?;
    let gone = gone(clients, &books, live)?;
    outcome
        .broken
        .extend(unexplained(&gone, clients, &books, loss));
    let key = ReceiptKey::derive(ground.stage.token_secret().as_bytes());
    let key = key.context("TOKEN_SECRET")?;
    outcome.broken.extend(sold_on(clients, loss, &key));
    let buyers: HashSet<usize> = gone.iter().map(|gone| gone.client).collect();
    outcome.listed += buyers.len() as u64;
    outcome.honoured += present(sale, &gone, clients, outcome).await?;
    if !gone.is_empty() && !loss.is_rebuilt() && ground.alarms_of(&ground.fronts, "receipt")? == 0 {
        let text = "receipts prove a loss that nobody had noticed, and there was no alarm";
        outcome.broken.push(text.into());
    }
    let listed = books.journal.iter().filter(|row| is_lost(row)).count();
    Ok(listed as u64)
}

/// What clients were told that is not in the books, or is there as something else.
fn gone(clients: &[Client], books: &Books, live: &LiveId) -> Result<Vec<Gone>> {
    let mut gone = Vec::new();
    for (place, client) in clients.iter().enumerate() {
        let id = ReservationId::derive(live, &client.user, &client.key()?);
        let there = books.holdings.get(&id).map(|holding| holding.seq);
        let missing = client.asks.iter().enumerate().filter_map(|(ask, asked)| {
            let told = accepted(asked).filter(|told| Some(told.seq) != there)?;
            Some(Gone {
                client: place,
                ask,
                seq: told.seq,
                receipt: told.receipt.clone(),
            })
        });
        gone.extend(missing);
    }
    Ok(gone)
}

fn is_lost(row: &JournalRow) -> bool {
    row.event == Ok(Event::Lost)
}

/// What an ask was told, if that was yes.
fn accepted(ask: &Ask) -> Option<&Told> {
    match &ask.seen {
        Seen::Answered(answer) if ask.verb == Verb::Take && answer.is_acceptance() => {
            answer.told.as_ref()
        }
        _ => None,
    }
}

/// What must not be gone, and what is and is not known to be.
fn unexplained(gone: &[Gone], clients: &[Client], books: &Books, loss: &Loss) -> Vec<String> {
    let of_before = || books.journal.iter().filter(|row| row.epoch <= loss.epoch);
    let lost = of_before().filter(|row| is_lost(row));
    let lost: HashSet<u64> = lost.map(|row| row.seq).collect();
    // What nobody noted is not even counted as lost: it lies beyond the end of its generation. If nobody noted any of it, that goes on.
    let last = if loss.is_rebuilt() {
        of_before().map(|row| row.seq).max().unwrap_or(0)
    } else {
        loss.noted
    };
    let mut wrong = Vec::new();
    if !loss.may_lose && !gone.is_empty() {
        wrong.push(format!(
            "{} acceptances are gone, and nothing may be: {:?}",
            gone.len(),
            gone.iter().map(|gone| gone.seq).take(5).collect::<Vec<_>>()
        ));
    }
    let late = |gone: &&Gone| clients[gone.client].asks[gone.ask].sent_us > loss.at_us;
    let late = gone.iter().filter(late).count();
    if late > 0 {
        wrong.push(format!(
            "{late} acceptances are gone that were asked for after the loss"
        ));
    }
    let unlisted = gone
        .iter()
        .filter(|gone| gone.seq <= last && !lost.contains(&gone.seq));
    let unlisted: Vec<u64> = unlisted.map(|gone| gone.seq).take(5).collect();
    if !unlisted.is_empty() {
        wrong.push(format!(
            "gone, and not listed as lost: events {unlisted:?}, ..."
        ));
    }
    wrong
}

/// Acceptances of the old generation that were asked for after the loss, where there is a new one.
fn sold_on(clients: &[Client], loss: &Loss, key: &ReceiptKey) -> Option<String> {
    if !loss.is_rebuilt() {
        return None;
    }
    let asks = clients.iter().flat_map(|client| &client.asks);
    let late = asks.filter(|ask| ask.sent_us > loss.at_us);
    let old = late.filter_map(accepted).filter(|told| {
        let proven = told.receipt.as_deref().and_then(|text| key.read(text));
        proven.is_none_or(|proven| proven.epoch <= loss.epoch)
    });
    let old = old.count();
    (old > 0).then(|| format!("{old} units of the lost generation were sold after the loss"))
}

/// Everyone who lost something presents the receipt; returns how many got their units again.
async fn present(
    sale: &Sale<'_>,
    gone: &[Gone],
    clients: &mut [Client],
    outcome: &mut Outcome,
) -> Result<u64> {
    let mut receipts: BTreeMap<usize, Option<&str>> = BTreeMap::new();
    for gone in gone {
        receipts.insert(gone.client, gone.receipt.as_deref());
    }
    let mut presented = JoinSet::new();
    for (place, receipt) in receipts {
        let client = &clients[place];
        let Some(receipt) = receipt.map(str::to_owned) else {
            outcome
                .broken
                .push(format!("{} was told yes without a receipt", client.user));
            continue;
        };
        let errand = Errand {
            user: client.user.clone(),
            key: client.key()?,
            behaviour: Behaviour::Plain,
            due: Duration::ZERO,
            engine: place,
            seed: place as u64,
        };
        let token = sale.ground.target.token(client.user.clone(), Role::Buyer);
        let market = Arc::clone(sale.market);
        presented.spawn(async move {
            let asks = course::present(market, errand, token, &receipt).await;
            (place, asks)
        });
    }
    // What was lost is no promise any more: the receipt's answer is.
    for gone in gone.iter().rev() {
        clients[gone.client].asks.remove(gone.ask);
    }
    let mut honoured = 0;
    for (place, asks) in presented.join_all().await {
        let client = &mut clients[place];
        client.asks.extend(asks);
        match client.verdict() {
            Some(answer) if answer.is_acceptance() => honoured += 1,
            answer => outcome.broken.push(format!(
                "the receipt of {} was not honoured: {:?}",
                client.user,
                answer.map(|Answer { status, code, .. }| (status, code))
            )),
        }
    }
    Ok(honoured)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use doorbuster_core::ids::UserId;

    use super::*;

    fn client(seqs: &[(u64, u64)]) -> Client {
        let user = UserId::parse("ann").unwrap();
        let ask = |(sent_us, seq): &(u64, u64)| Ask {
            verb: Verb::Take,
            engine: 0,
            sent_us: *sent_us,
            done_us: sent_us + 1,
            seen: Seen::Answered(Box::new(Answer {
                status: 201,
                told: Some(Told {
                    id: ReservationId::from_bytes([1; 16]),
                    seq: *seq,
                    user: user.clone(),
                    of: "s".into(),
                    lines: Vec::new(),
                    status: "held".into(),
                    reason: None,
                    deadline_ms: None,
                    receipt: None,
                }),
                ..Answer::default()
            })),
        };
        Client {
            user: user.clone(),
            key: "k".into(),
            behaviour: Behaviour::Plain,
            due_us: 0,
            asks: seqs.iter().map(ask).collect(),
            purchase: None,
        }
    }

    fn books(lost: &[u64], last: u64) -> Books {
        let row = |seq| JournalRow {
            epoch: 1,
            seq,
            kind: String::new(),
            at_ms: 0,
            event: Ok(if lost.contains(&seq) {
                Event::Lost
            } else {
                Event::Paused
            }),
        };
        Books {
            offered: BTreeMap::new(),
            cursor: None,
            journal: (1..=last).map(row).collect(),
            holdings: HashMap::new(),
            dead_letters: 0,
            unreadable: Vec::new(),
        }
    }

    fn found(asks: &[(u64, u64)], lost: &[u64], loss: Loss) -> Vec<String> {
        let (clients, books) = ([client(asks)], books(lost, 8));
        let live = LiveId::from_book_id("s").unwrap();
        let gone = gone(&clients, &books, &live).unwrap();
        assert_eq!(gone.len(), asks.len());
        unexplained(&gone, &clients, &books, &loss)
    }

    #[test]
    fn what_is_gone_must_be_known_to_be_and_be_from_before() {
        let loss = Loss {
            epoch: 1,
            epoch_now: 2,
            at_us: 100,
            may_lose: true,
            noted: 0,
        };
        assert!(
            found(&[(50, 7), (50, 9)], &[7], loss).is_empty(),
            "listed, or beyond the end"
        );
        assert!(found(&[(50, 6)], &[7], loss)[0].contains("not listed as lost: events [6]"));
        assert!(found(&[(101, 7)], &[7], loss)[0].contains("asked for after the loss"));
        let kept = Loss {
            may_lose: false,
            ..loss
        };
        assert!(found(&[(50, 7)], &[7], kept)[0].contains("nothing may be"));
        let unnoticed = |noted| Loss {
            epoch_now: 1,
            noted,
            ..loss
        };
        assert!(found(&[(50, 7)], &[], unnoticed(6)).is_empty());
        assert!(found(&[(50, 7)], &[], unnoticed(7))[0].contains("not listed"));
    }
}
