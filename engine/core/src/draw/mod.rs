//! The draw among those who come before a sale opens (design §6): pure, so that anyone can recompute it.
//!
//! Nobody picks the order. Before the sale its operator publishes the hash of a secret (the *pledge*), and every early ticket shows its holder
//! the *entry* by which it is in the list. When the list is complete,
//!
//! - list hash = SHA-256(entry of number 1 ‖ entry of number 2 ‖ … ‖ entry of number `early`), 16 bytes each;
//! - seed = SHA-256(secret ‖ list hash);
//! - place of number n = rank, from 1, of SHA-256(seed ‖ n as 8 bytes, big-endian) among those of all numbers, in ascending order.
//!
//! Then secret and list are published too. Conductors, the back-office and `verify-draw` all use this module; its vectors are fixed.

mod ranks;

use std::fmt;

use sha2::{Digest, Sha256};

use crate::claims::SecretTooShort;
use crate::hex::{from_hex, to_hex};
use crate::ids::{SaleId, UserId};
use crate::line::Pledge;
use crate::signed::SigningKey;

pub use ranks::Ranks;

const SECRET_PURPOSE: &[u8] = b"doorbuster draw secret v1";
const ENTRY_PURPOSE: &[u8] = b"doorbuster draw entry v1";

/// Bytes of an entry in the list.
pub const ENTRY_BYTES: usize = 16;

/// An early ticket in the list: tells nobody whose it is, and its holder that it is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Entry(pub [u8; ENTRY_BYTES]);

impl Entry {
    /// In the place of a number that nobody has: Redis lost it, and its holder has not come back with the ticket.
    pub const VACANT: Self = Self([0; ENTRY_BYTES]);

    /// Of a text as it is shown.
    pub fn parse(text: &str) -> Option<Self> {
        from_hex(text).map(Self)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&to_hex(&self.0))
    }
}

/// All entries, in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryList(Vec<u8>);

impl EntryList {
    /// So many, all vacant.
    pub fn vacant(early: u32) -> Self {
        Self(vec![0; early as usize * ENTRY_BYTES])
    }

    /// Entries as [`EntryList::as_bytes`] has them; nothing where the last is cut off.
    pub fn from_bytes(bytes: Vec<u8>) -> Option<Self> {
        let is_whole = bytes.len().is_multiple_of(ENTRY_BYTES);
        let fits = u32::try_from(bytes.len() / ENTRY_BYTES).is_ok();
        (is_whole && fits).then_some(Self(bytes))
    }

    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub fn early(&self) -> u32 {
        u32::try_from(self.0.len() / ENTRY_BYTES).unwrap_or(u32::MAX)
    }

    /// Puts the entry of `number`, which counts from 1; one past the end is not in the list.
    pub fn put(&mut self, number: u32, entry: Entry) {
        if let Some(slot) = self.slot(number) {
            self.0[slot].copy_from_slice(&entry.0);
        }
    }

    pub fn get(&self, number: u32) -> Option<Entry> {
        let slot = self.slot(number)?;
        self.0[slot].try_into().ok().map(Entry)
    }

    pub fn hash(&self) -> [u8; 32] {
        Sha256::digest(&self.0).into()
    }

    fn slot(&self, number: u32) -> Option<std::ops::Range<usize>> {
        let from = (number as usize).checked_sub(1)? * ENTRY_BYTES;
        let slot = from..from + ENTRY_BYTES;
        (slot.end <= self.0.len()).then_some(slot)
    }
}

/// What a draw is published with.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DrawSecret([u8; 32]);

impl fmt::Debug for DrawSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DrawSecret(redacted)")
    }
}

impl DrawSecret {
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Its hash, which is published before the sale.
    pub fn commitment(&self) -> [u8; 32] {
        Sha256::digest(self.0).into()
    }

    pub fn seed(&self, list_hash: &[u8; 32]) -> [u8; 32] {
        let both = Sha256::new().chain_update(self.0).chain_update(list_hash);
        both.finalize().into()
    }

    /// For its publication, when the draw is done.
    pub fn reveal(&self) -> [u8; 32] {
        self.0
    }
}

/// The keys that secrets and entries are made with.
#[derive(Debug, Clone)]
pub struct DrawKeys {
    current: Keys,
    previous: Option<Keys>,
}

#[derive(Debug, Clone)]
struct Keys {
    secret: SigningKey,
    entry: SigningKey,
}

impl Keys {
    fn derive(secret: &[u8]) -> Result<Self, SecretTooShort> {
        Ok(Self {
            secret: SigningKey::derive(secret, SECRET_PURPOSE)?,
            entry: SigningKey::derive(secret, ENTRY_PURPOSE)?,
        })
    }

    fn secret(&self, sale: &SaleId, salt: &str) -> DrawSecret {
        DrawSecret(self.secret.mac(format!("{sale}|{salt}").as_bytes()))
    }
}

impl DrawKeys {
    /// # Errors
    /// [`SecretTooShort`] where either has fewer than 32 bytes.
    pub fn derive(current: &[u8], previous: Option<&[u8]>) -> Result<Self, SecretTooShort> {
        Ok(Self {
            current: Keys::derive(current)?,
            previous: previous.map(Keys::derive).transpose()?,
        })
    }

    /// What is published before the sale; `salt` is random, hex.
    pub fn pledge(&self, sale: &SaleId, salt: String) -> Pledge {
        let secret = self.current.secret(sale, &salt);
        let commitment = to_hex(&secret.commitment());
        Pledge { salt, commitment }
    }

    /// The draw that was pledged, with the keys that it was pledged under: a change of the token secret meanwhile changes no entry. Nothing
    /// where neither secret is the one it was pledged under.
    pub fn pledged(&self, sale: &SaleId, pledge: &Pledge) -> Option<SaleDraw> {
        let commitment = from_hex(&pledge.commitment)?;
        let mut all = std::iter::once(&self.current).chain(&self.previous);
        all.find_map(|keys| {
            let secret = keys.secret(sale, &pledge.salt);
            (secret.commitment() == commitment).then(|| SaleDraw {
                sale: sale.clone(),
                secret,
                entry: keys.entry.clone(),
            })
        })
    }
}

/// The draw of one sale.
#[derive(Debug, Clone)]
pub struct SaleDraw {
    sale: SaleId,
    secret: DrawSecret,
    entry: SigningKey,
}

impl SaleDraw {
    /// How an early ticket stands in the list.
    pub fn entry(&self, user: &UserId, number: u32) -> Entry {
        let mac = self
            .entry
            .mac(format!("{}|{user}|{number}", self.sale).as_bytes());
        let mut entry = [0; ENTRY_BYTES];
        entry.copy_from_slice(&mac[..ENTRY_BYTES]);
        Entry(entry)
    }

    /// Draws: all that is published after it but the list itself.
    pub fn draw(&self, list: &EntryList) -> Drawn {
        let list_hash = list.hash();
        Drawn {
            early: list.early(),
            seed: self.secret.seed(&list_hash),
            list_hash,
            secret: self.secret,
        }
    }
}

/// A draw that is done, as the journal has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drawn {
    /// How many came before the sale opened.
    pub early: u32,
    pub seed: [u8; 32],
    pub list_hash: [u8; 32],
    pub secret: DrawSecret,
}

impl Drawn {
    /// `<early>|<seed>|<list hash>|<secret>`, as the journal's event `D`.
    pub fn text(&self) -> String {
        let (seed, list_hash) = (to_hex(&self.seed), to_hex(&self.list_hash));
        let secret = to_hex(&self.secret.reveal());
        format!("{}|{seed}|{list_hash}|{secret}", self.early)
    }

    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('|');
        let drawn = Self {
            early: parts.next()?.parse().ok()?,
            seed: from_hex(parts.next()?)?,
            list_hash: from_hex(parts.next()?)?,
            secret: DrawSecret(from_hex(parts.next()?)?),
        };
        parts.next().is_none().then_some(drawn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sale() -> SaleId {
        SaleId::parse("drop-1").unwrap()
    }

    fn keys(byte: u8) -> DrawKeys {
        DrawKeys::derive(&[byte; 32], None).unwrap()
    }

    const SALT: &str = "000102030405060708090a0b0c0d0e0f";

    const USERS: [&str; 5] = ["ann", "bob", "cat", "dan", "eve"];

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn list(draw: &SaleDraw) -> EntryList {
        let mut list = EntryList::vacant(5);
        for (number, name) in (1..).zip(USERS) {
            list.put(number, draw.entry(&user(name), number));
        }
        list
    }

    /// Worked out by another program, from this module's first comment alone.
    #[test]
    fn a_draw_is_what_it_is_said_to_be() {
        let pledge = keys(7).pledge(&sale(), SALT.into());
        assert_eq!(
            pledge.commitment,
            "cc07a935fa546813e2459776ec3e1b989e9a2cbff8a6aade3b75eddba708209c"
        );
        let draw = keys(7).pledged(&sale(), &pledge).unwrap();
        let list = list(&draw);
        assert_eq!(
            list.get(1).unwrap().to_string(),
            "38aa07cae29be0ea4a1864aa2a853f59"
        );
        let drawn = draw.draw(&list);
        assert_eq!(
            drawn.text(),
            "5|74b0b5b11416b11fca74c916d1bd6ac046366fb5a9aa6c8447c357edf04bd9e7\
             |40872ddbc1cbfe718770aec60d12b86f8d973b9108031125d2a115152c797a48\
             |e5a42432143dbd7501dc2f4d7ca0b31deed9e361118fa7b2f933cd855bc8cf99"
        );
        assert_eq!(Drawn::parse(&drawn.text()), Some(drawn));
        assert_eq!(to_hex(&drawn.secret.commitment()), pledge.commitment);
        let ranks = Ranks::new(&drawn.seed, drawn.early);
        let places: Vec<_> = (1..=5).filter_map(|n| ranks.place_of(n)).collect();
        assert_eq!(places, [2, 4, 5, 1, 3]);
        let numbers: Vec<_> = (1..=5).filter_map(|p| ranks.number_of(p)).collect();
        assert_eq!(numbers, [4, 1, 5, 2, 3]);
    }

    #[test]
    fn a_pledge_is_kept_through_a_change_of_the_secret_and_by_no_other() {
        let pledge = keys(7).pledge(&sale(), SALT.into());
        let rotated = DrawKeys::derive(&[8; 32], Some(&[7; 32])).unwrap();
        let (was, is) = (keys(7), rotated);
        let (was, is) = (was.pledged(&sale(), &pledge), is.pledged(&sale(), &pledge));
        let entry = |draw: Option<SaleDraw>| draw.map(|draw| draw.entry(&user("ann"), 1));
        assert_eq!(entry(was), entry(is.clone()));
        assert!(is.is_some());
        let other_sale = SaleId::parse("drop-2").unwrap();
        assert!(keys(7).pledged(&other_sale, &pledge).is_none());
        assert!(keys(8).pledged(&sale(), &pledge).is_none());
        let other_salt = Pledge {
            salt: SALT.replace("0f", "10"),
            ..pledge
        };
        assert!(keys(7).pledged(&sale(), &other_salt).is_none());
    }

    #[test]
    fn whoever_joins_leaves_or_changes_places_in_the_list_changes_the_seed() {
        let pledge = keys(7).pledge(&sale(), SALT.into());
        let draw = keys(7).pledged(&sale(), &pledge).unwrap();
        let seed = |list: &EntryList| draw.draw(list).seed;
        let honest = list(&draw);
        let mut longer = honest.as_bytes().to_vec();
        longer.extend(draw.entry(&user("fay"), 6).0);
        let longer = EntryList::from_bytes(longer).unwrap();
        let mut fewer = honest.clone();
        fewer.put(3, Entry::VACANT);
        let mut swapped = honest.clone();
        for (number, other) in [(1, 2), (2, 1)] {
            swapped.put(number, honest.get(other).unwrap());
        }
        let seeds = [&honest, &longer, &fewer, &swapped].map(seed);
        let distinct: std::collections::HashSet<_> = seeds.iter().collect();
        assert_eq!(distinct.len(), seeds.len());
    }

    #[test]
    fn a_list_has_whole_entries_and_no_others() {
        assert_eq!(EntryList::from_bytes(vec![0; 17]), None);
        let mut list = EntryList::vacant(2);
        for outside in [0, 3] {
            list.put(outside, Entry([1; ENTRY_BYTES]));
            assert_eq!(list.get(outside), None);
        }
        assert_eq!(list, EntryList::vacant(2));
        for bad in ["", "5|00", "x|", "1|00|00|00"] {
            assert_eq!(Drawn::parse(bad), None, "{bad}");
        }
    }
}
