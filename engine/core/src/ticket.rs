//! Tickets: a place in a sale's line, signed for one user (design §6), and invites, which open the line's first lane.
//!
//! A ticket's payload is `sale|user|lane|number|epoch|issued_ms`. It costs Redis nothing to check, and after a loss it is what a user's
//! place is restored from.

use std::fmt;
use std::str::FromStr;

use crate::claims::SecretTooShort;
use crate::ids::{SaleId, UserId};
use crate::limits::{ID_CHARS_MAX, INVITE_BYTES_MAX, TICKET_BYTES_MAX, TICKET_LIFE};
use crate::signed::{SigningKey, SmallPayload};

const TICKET_PURPOSE: &[u8] = b"doorbuster ticket v1";
const INVITE_PURPOSE: &[u8] = b"doorbuster invite v1";

/// Who comes first: whoever was invited, then everybody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    Invite,
    General,
}

impl Lane {
    /// As tickets and answers name it.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Invite => "invite",
            Lane::General => "general",
        }
    }

    fn parse(text: &str) -> Option<Self> {
        match text {
            "invite" => Some(Lane::Invite),
            "general" => Some(Lane::General),
            _ => None,
        }
    }
}

/// A place in the order of admission, or a number as it was given: `12`, or `i12` in the invite lane. Counts from 1. In order:
/// invites first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Place {
    pub lane: Lane,
    pub number: u32,
}

impl Place {
    pub fn general(number: u32) -> Self {
        let lane = Lane::General;
        Self { lane, number }
    }

    pub fn invite(number: u32) -> Self {
        let lane = Lane::Invite;
        Self { lane, number }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.lane == Lane::Invite {
            f.write_str("i")?;
        }
        self.number.fmt(f)
    }
}

/// A text that is no place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a place is a number from 1 on, after an i in the invite lane")]
pub struct NoPlace;

impl FromStr for Place {
    type Err = NoPlace;

    fn from_str(text: &str) -> Result<Self, NoPlace> {
        let (lane, digits) = match text.strip_prefix('i') {
            Some(digits) => (Lane::Invite, digits),
            None => (Lane::General, text),
        };
        let plain = digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
        match digits.parse() {
            Ok(number) if plain => Ok(Self { lane, number }),
            _ => Err(NoPlace),
        }
    }
}

/// What a ticket says beside whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    /// Lane and number, as given when its user joined. Its place in the order is another one where the sale draws.
    pub number: Place,
    /// The sale's generation when it was signed.
    pub epoch: u32,
    pub issued_ms: u64,
}

/// Why a ticket is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TicketRefused {
    #[error("the ticket is not one of ours")]
    Forged,
    #[error("the ticket is for another sale")]
    OtherSale,
    #[error("the ticket is another user's")]
    OtherUser,
    #[error("the ticket has expired")]
    Expired,
}

/// The keys that tickets and invites are checked with; the first also signs.
#[derive(Debug, Clone)]
pub struct TicketKeys {
    current: Keys,
    previous: Option<Keys>,
}

#[derive(Debug, Clone)]
struct Keys {
    ticket: SigningKey,
    invite: SigningKey,
}

impl Keys {
    fn derive(secret: &[u8]) -> Result<Self, SecretTooShort> {
        Ok(Self {
            ticket: SigningKey::derive(secret, TICKET_PURPOSE)?,
            invite: SigningKey::derive(secret, INVITE_PURPOSE)?,
        })
    }
}

impl TicketKeys {
    /// # Errors
    /// [`SecretTooShort`] where either has fewer than 32 bytes.
    pub fn derive(current: &[u8], previous: Option<&[u8]>) -> Result<Self, SecretTooShort> {
        Ok(Self {
            current: Keys::derive(current)?,
            previous: previous.map(Keys::derive).transpose()?,
        })
    }

    pub fn sign(&self, sale: &SaleId, user: &UserId, ticket: &Ticket) -> String {
        let Ticket {
            number,
            epoch,
            issued_ms,
        } = ticket;
        let (lane, number) = (number.lane.as_str(), number.number);
        self.current.ticket.sign(&format!(
            "{sale}|{user}|{lane}|{number}|{epoch}|{issued_ms}"
        ))
    }

    /// What `text` says, if it is a ticket of ours for this user of this sale.
    ///
    /// # Errors
    /// [`TicketRefused`].
    pub fn check(
        &self,
        text: &str,
        sale: &SaleId,
        user: &UserId,
        now_ms: u64,
    ) -> Result<Ticket, TicketRefused> {
        let payload = self.ticket_payload(text)?;
        let (whose, ticket) = parse(payload.as_str()).ok_or(TicketRefused::Forged)?;
        if whose.0 == sale.as_str() && whose.1 != user.as_str() {
            return Err(TicketRefused::OtherUser);
        }
        judged(whose.0, ticket, sale, now_ms)
    }

    /// Whose ticket of this sale `text` is, and what it says: where nothing else tells who is asking.
    ///
    /// # Errors
    /// [`TicketRefused`].
    pub fn whose(
        &self,
        text: &str,
        sale: &SaleId,
        now_ms: u64,
    ) -> Result<(UserId, Ticket), TicketRefused> {
        let payload = self.ticket_payload(text)?;
        let (whose, ticket) = parse(payload.as_str()).ok_or(TicketRefused::Forged)?;
        let user = UserId::parse(whose.1).map_err(|_| TicketRefused::Forged)?;
        Ok((user, judged(whose.0, ticket, sale, now_ms)?))
    }

    fn ticket_payload(&self, text: &str) -> Result<SmallPayload, TicketRefused> {
        self.verified(text, TICKET_BYTES_MAX, |keys| &keys.ticket)
            .ok_or(TicketRefused::Forged)
    }

    /// An invite to a sale's first lane, good for the first user who joins with it. `id` is of the alphabet of ids.
    pub fn invite(&self, sale: &SaleId, id: &str) -> String {
        self.current.invite.sign(&format!("{sale}|{id}"))
    }

    /// The id of `text`, if it is an invite of ours to this sale.
    pub fn invited(&self, text: &str, sale: &SaleId) -> Option<String> {
        let payload = self.verified(text, INVITE_BYTES_MAX, |keys| &keys.invite)?;
        let (to, id) = payload.as_str().split_once('|')?;
        (to == sale.as_str() && (1..=ID_CHARS_MAX).contains(&id.len())).then(|| id.to_owned())
    }

    fn verified(
        &self,
        text: &str,
        bytes_max: usize,
        key: impl Fn(&Keys) -> &SigningKey,
    ) -> Option<SmallPayload> {
        if text.len() > bytes_max {
            return None;
        }
        let mut all = std::iter::once(&self.current).chain(&self.previous);
        all.find_map(|keys| key(keys).verify_small(text))
    }
}

fn judged(
    of_sale: &str,
    ticket: Ticket,
    sale: &SaleId,
    now_ms: u64,
) -> Result<Ticket, TicketRefused> {
    if of_sale != sale.as_str() {
        return Err(TicketRefused::OtherSale);
    }
    let life_ms = u64::try_from(TICKET_LIFE.as_millis()).unwrap_or(u64::MAX);
    if now_ms >= ticket.issued_ms.saturating_add(life_ms) {
        return Err(TicketRefused::Expired);
    }
    Ok(ticket)
}

/// Sale and user as text, and the rest.
fn parse(payload: &str) -> Option<((&str, &str), Ticket)> {
    let mut parts = payload.split('|');
    let whose = (parts.next()?, parts.next()?);
    let lane = Lane::parse(parts.next()?)?;
    let number = parts.next()?.parse().ok()?;
    let (epoch, issued_ms) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let number = Place { lane, number };
    let ticket = Ticket {
        number,
        epoch,
        issued_ms,
    };
    parts.next().is_none().then_some((whose, ticket))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(byte: u8) -> TicketKeys {
        TicketKeys::derive(&[byte; 32], None).unwrap()
    }

    fn whose(sale: &str, user: &str) -> (SaleId, UserId) {
        (SaleId::parse(sale).unwrap(), UserId::parse(user).unwrap())
    }

    const TICKET: Ticket = Ticket {
        number: Place {
            lane: Lane::General,
            number: 17,
        },
        epoch: 2,
        issued_ms: 1_000,
    };

    #[test]
    fn a_ticket_is_good_for_its_user_sale_and_life_alone() {
        let (sale, ann) = whose("drop-1", "ann");
        let (other, bob) = whose("drop-2", "bob");
        let text = keys(1).sign(&sale, &ann, &TICKET);
        let check = |sale, user, now| keys(1).check(&text, sale, user, now);
        let end_ms = 1_000 + TICKET_LIFE.as_millis() as u64;
        assert_eq!(check(&sale, &ann, end_ms - 1), Ok(TICKET));
        assert_eq!(check(&sale, &ann, end_ms), Err(TicketRefused::Expired));
        assert_eq!(check(&other, &ann, 0), Err(TicketRefused::OtherSale));
        assert_eq!(check(&sale, &bob, 0), Err(TicketRefused::OtherUser));
        let whose = |sale, now| keys(1).whose(&text, sale, now);
        assert_eq!(whose(&sale, 0), Ok((ann.clone(), TICKET)));
        assert_eq!(whose(&other, 0), Err(TicketRefused::OtherSale));
        assert_eq!(whose(&sale, end_ms), Err(TicketRefused::Expired));
        let forged = keys(2).check(&text, &sale, &ann, 0);
        assert_eq!(forged, Err(TicketRefused::Forged));
        let invited = keys(1).invite(&sale, "ann|general|1|1|0");
        let forged = keys(1).check(&invited, &sale, &ann, 0);
        assert_eq!(forged, Err(TicketRefused::Forged));
    }

    #[test]
    fn the_longest_ids_and_numbers_make_a_ticket() {
        let (sale, user) = whose(&"s".repeat(64), &"u".repeat(64));
        let ticket = Ticket {
            number: Place::invite(u32::MAX),
            epoch: u32::MAX,
            issued_ms: 99_999_999_999_999,
        };
        let text = keys(1).sign(&sale, &user, &ticket);
        assert!(text.len() <= TICKET_BYTES_MAX);
        assert_eq!(keys(1).check(&text, &sale, &user, 0), Ok(ticket));
    }

    #[test]
    fn the_secret_before_is_still_accepted() {
        let (sale, ann) = whose("drop-1", "ann");
        let text = keys(1).sign(&sale, &ann, &TICKET);
        let invite = keys(1).invite(&sale, "vip-1");
        let rotated = TicketKeys::derive(&[2; 32], Some(&[1; 32])).unwrap();
        assert_eq!(rotated.check(&text, &sale, &ann, 0), Ok(TICKET));
        assert_eq!(rotated.invited(&invite, &sale).as_deref(), Some("vip-1"));
    }

    #[test]
    fn an_invite_is_good_for_its_sale_alone_and_no_ticket_is_one() {
        let (sale, ann) = whose("drop-1", "ann");
        let (other, _) = whose("drop-2", "ann");
        let invite = keys(1).invite(&sale, "vip-1");
        assert_eq!(keys(1).invited(&invite, &sale).as_deref(), Some("vip-1"));
        assert_eq!(keys(1).invited(&invite, &other), None);
        assert_eq!(keys(2).invited(&invite, &sale), None);
        let ticket = keys(1).sign(&sale, &ann, &TICKET);
        assert_eq!(keys(1).invited(&ticket, &sale), None);
    }

    #[test]
    fn invites_come_before_everybody_and_places_are_read_back() {
        assert!(Place::invite(900) < Place::general(1));
        assert!(Place::general(2) < Place::general(10));
        for place in [Place::invite(12), Place::general(7)] {
            assert_eq!(place.to_string().parse(), Ok(place));
        }
        for bad in ["", "i", "0", "i0", "+1", "x1", "1i", "01", "4294967296"] {
            assert_eq!(bad.parse::<Place>(), Err(NoPlace), "{bad}");
        }
    }
}
