//! Who shows false tickets, and what they are made of: true ones. Called by `forge`.

use std::collections::HashMap;

use anyhow::{Context, Result, ensure};
use doorbuster_core::claims::Role;
use doorbuster_core::clock;
use doorbuster_core::ids::{IdempotencyKey, LiveId, SaleId, UserId};
use doorbuster_core::limits::TICKET_LIFE;
use doorbuster_core::line::{LineDraft, Mode};
use doorbuster_core::ticket::{Place, Ticket, TicketKeys};
use rand::Rng;
use tokio::time::sleep;

use super::super::LinePlan;
use super::super::salvo::{Said, Salvo, ask_all};
use super::super::view::{Heard, State, View};
use super::{Kind, Where, part};
use crate::audit::settle::Sources;
use crate::client::connection::{Response, Then};
use crate::client::in_line::InLine;
use crate::command;
use crate::limits::{FORGE_LOOKS_MAX, FORGE_PEOPLE, FORGE_REST, FORGE_USED_UP};
use crate::plan::{Offer, Room, Scenario};
use crate::setup;
use crate::target::Target;

/// Everyone, and the three sales.
pub(super) struct Cast {
    /// Where false tickets are shown, with its requests by engine.
    sale: Stand,
    /// Where the places are used up.
    used_up: Stand,
    other: Offer,
    /// People of the first sale, by how far they are.
    admitted: Vec<Guest>,
    waiting: Vec<Guest>,
    /// What the same people have for the other sale.
    elsewhere: HashMap<UserId, String>,
    /// People of the third.
    spent: Vec<Guest>,
    keys: TicketKeys,
    strange: TicketKeys,
    signature: String,
}

struct Stand {
    offer: Offer,
    sale: SaleId,
    requests: Vec<InLine>,
}

/// Someone with a true ticket.
struct Guest {
    user: UserId,
    token: String,
    ticket: String,
    number: Place,
}

/// Opens three sales, and has people join and, in the third, buy.
///
/// # Errors
/// If that does not come to pass.
pub(super) async fn gather(plan: &LinePlan, target: &Target, sources: &Sources) -> Result<Cast> {
    let half = FORGE_PEOPLE / 2;
    let stand = async |stock, place_seconds| -> Result<Stand> {
        let stand = Stand::new(plan, target, stock, place_seconds)?;
        setup::open(target, &stand.offer, sources.redis()).await?;
        Ok(stand)
    };
    let sale = stand(half, plan_seconds(plan)).await?;
    let other = stand(half, plan_seconds(plan)).await?;
    let used_up = stand(4 * FORGE_PEOPLE, FORGE_USED_UP.as_secs() as u32).await?;
    let spent = used_up.joined(target).await?;
    let spent = used_up
        .admitted(target, spent, FORGE_PEOPLE as usize)
        .await?
        .0;
    used_up.buy(target, &spent).await?;
    sleep(FORGE_USED_UP + FORGE_REST).await;
    let guests = sale.joined(target).await?;
    let (admitted, waiting) = sale.admitted(target, guests, half as usize).await?;
    let elsewhere = other.joined(target).await?;
    let random = |n: usize| -> String {
        let mut rng = rand::rng();
        (0..n)
            .map(|_| {
                char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdef0123456789-_"[rng.random_range(0..44)])
            })
            .collect()
    };
    Ok(Cast {
        sale,
        used_up,
        other: other.offer,
        admitted,
        waiting,
        elsewhere: elsewhere
            .into_iter()
            .map(|guest| (guest.user, guest.ticket))
            .collect(),
        spent,
        keys: target.tickets().clone(),
        strange: TicketKeys::derive(random(32).as_bytes(), None).context("a secret")?,
        signature: random(43),
    })
}

/// Longer than the tries take.
fn plan_seconds(plan: &LinePlan) -> u32 {
    let room = plan.offer.room;
    room.map_or(600, |room| room.line.place_seconds.max(600))
}

impl Stand {
    fn new(plan: &LinePlan, target: &Target, stock: u32, place_seconds: u32) -> Result<Self> {
        let name = command::name(Scenario::Line);
        let sale = SaleId::parse(name).context("a sale's name")?;
        let line = LineDraft {
            mode: Mode::FollowStock,
            per_second: None,
            factor: 1.0,
            place_seconds,
            draw: false,
            invites: false,
        };
        let opens_ms = clock::now_ms() - 60_000;
        let offer = Offer {
            live: LiveId::Sale(sale.clone()),
            stock,
            // So that it is the ticket that is refused, and not the limit.
            per_user: 0,
            room: Some(Room { line, opens_ms }),
            ..plan.offer.clone()
        };
        let lines = offer.lines();
        let requests = target
            .engines
            .iter()
            .map(|engine| InLine::new(engine, &offer.live, &lines))
            .collect();
        Ok(Self {
            offer,
            sale,
            requests,
        })
    }

    /// The same people for every sale, each with a ticket.
    async fn joined(&self, target: &Target) -> Result<Vec<Guest>> {
        let people = (0..FORGE_PEOPLE).map(|number| {
            let user = UserId::parse(format!("guest-{number}")).context("a user id")?;
            let token = target.token(user.clone(), Role::Buyer);
            anyhow::Ok((user, token))
        });
        let people: Vec<(UserId, String)> = people.collect::<Result<_>>()?;
        let (tokens, requests) = (people.clone(), self.requests.clone());
        let said = ask_all(
            &target.engines,
            people.len(),
            Salvo::new(move |number, engine| requests[engine].join(&tokens[number].1, "")),
        );
        let guests = said
            .await?
            .into_iter()
            .zip(people)
            .map(|(said, (user, token))| {
                let view = view(&said)?;
                Ok(Guest {
                    user,
                    token,
                    ticket: view.ticket.clone().context("a ticket")?,
                    number: view.number().context("a number")?,
                })
            });
        guests.collect()
    }

    /// Once `wanted` of them are admitted: those, and the others.
    async fn admitted(
        &self,
        target: &Target,
        guests: Vec<Guest>,
        wanted: usize,
    ) -> Result<(Vec<Guest>, Vec<Guest>)> {
        for _ in 0..FORGE_LOOKS_MAX {
            sleep(FORGE_REST).await;
            let (requests, shown) = (self.requests.clone(), shown(&guests));
            let said = ask_all(
                &target.engines,
                guests.len(),
                Salvo::new(move |number, engine| {
                    let (token, ticket) = &shown[number];
                    requests[engine].poll(token, ticket)
                }),
            );
            let states: Vec<State> = said
                .await?
                .iter()
                .map(|said| Ok(view(said)?.state))
                .collect::<Result<_>>()?;
            let inside = states
                .iter()
                .filter(|state| **state == State::Admitted)
                .count();
            if inside >= wanted {
                let (yes, no): (Vec<_>, Vec<_>) = guests
                    .into_iter()
                    .zip(states)
                    .partition(|(_, state)| *state == State::Admitted);
                let alone = |pairs: Vec<(Guest, State)>| {
                    pairs.into_iter().map(|(guest, _)| guest).collect()
                };
                return Ok((alone(yes), alone(no)));
            }
        }
        anyhow::bail!("{wanted} of {} are not admitted in time", guests.len())
    }

    async fn buy(&self, target: &Target, guests: &[Guest]) -> Result<()> {
        let (requests, shown) = (self.requests.clone(), shown(guests));
        let said = ask_all(
            &target.engines,
            guests.len(),
            Salvo::new(move |number, engine| {
                let (token, ticket) = &shown[number];
                requests[engine].reserve(token, &key(&format!("true-{number}")), ticket)
            }),
        );
        for said in said.await? {
            ensure!(
                said.status == 201,
                "an admitted guest is told {}: {}",
                said.status,
                String::from_utf8_lossy(&said.body)
            );
        }
        Ok(())
    }
}

/// Token and ticket of each.
fn shown(guests: &[Guest]) -> Vec<(String, String)> {
    let each = guests
        .iter()
        .map(|guest| (guest.token.clone(), guest.ticket.clone()));
    each.collect()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).expect("letters and digits")
}

fn view(said: &Said) -> Result<View> {
    let heard = Heard::of(&Response {
        status: said.status,
        retry_after_s: None,
        body: &said.body,
        then: Then::Reuse,
    });
    match heard {
        Heard::View(view) => Ok(view),
        Heard::Refused(status, code, _) => anyhow::bail!("the line answers {status} {code}"),
    }
}

impl Cast {
    /// What the sales were that something may have been bought in.
    pub(super) fn offers(&self) -> [&Offer; 3] {
        [&self.sale.offer, &self.other, &self.used_up.offer]
    }

    /// The request with this number.
    pub(super) fn bytes(&self, number: usize, engine: usize) -> Vec<u8> {
        let (kind, shown_at) = part(number);
        let pick = |guests: &'_ [Guest]| number / super::KINDS.len() % guests.len();
        let (stand, guest) = match kind {
            Kind::Replayed => (&self.used_up, &self.spent[pick(&self.spent)]),
            Kind::NotAdmitted => (&self.sale, &self.waiting[pick(&self.waiting)]),
            // Whoever is admitted would get in with a ticket that is not looked at.
            _ => (&self.sale, &self.admitted[pick(&self.admitted)]),
        };
        let ticket = self.ticket(kind, guest, number);
        let requests = &stand.requests[engine];
        match shown_at {
            Where::Door => requests.poll(&guest.token, &ticket),
            Where::Till => {
                requests.reserve(&guest.token, &key(&format!("false-{number}")), &ticket)
            }
        }
    }

    fn ticket(&self, kind: Kind, guest: &Guest, number: usize) -> String {
        let now_ms = clock::now_ms();
        let at = |place: Place, issued_ms: u64| Ticket {
            number: place,
            epoch: 1,
            issued_ms,
        };
        let strange = |place| {
            self.strange
                .sign(&self.sale.sale, &guest.user, &at(place, now_ms))
        };
        let halves = |words: &str, signature: &str| {
            let words = words.split('.').next().unwrap_or_default().to_owned();
            format!("{words}.{signature}")
        };
        let signature_of = |ticket: &str| ticket.rsplit('.').next().unwrap_or_default().to_owned();
        match kind {
            Kind::Forged => halves(&guest.ticket, &self.signature),
            Kind::Altered => halves(&strange(Place::general(1)), &signature_of(&guest.ticket)),
            Kind::OtherSecret => strange(guest.number),
            Kind::CrossSale => self.elsewhere.get(&guest.user).cloned().unwrap_or_default(),
            Kind::CrossUser => {
                let others = self
                    .admitted
                    .iter()
                    .filter(|other| other.user != guest.user);
                let mut others = others.skip(number % (self.admitted.len() - 1));
                others
                    .next()
                    .map(|other| other.ticket.clone())
                    .unwrap_or_default()
            }
            Kind::Expired => {
                let issued_ms = now_ms - TICKET_LIFE.as_millis() as u64 - 3_600_000;
                self.keys
                    .sign(&self.sale.sale, &guest.user, &at(guest.number, issued_ms))
            }
            Kind::Replayed | Kind::NotAdmitted => guest.ticket.clone(),
            Kind::Missing => String::new(),
        }
    }
}
