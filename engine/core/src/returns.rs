//! Units of a paid reservation that came back, as the journal tells of them: one event for each sku.
//!
//! The value of such an event is `<16 bytes of id><seq>|<user>|<sku>|<units>|<total>|<key>`: `seq` is that of the event that began the
//! reservation, and `total` is all that have come back of the sku by now, so that whoever follows may set it instead of adding.

use crate::ids::{ReservationId, SkuId, UserId};
use crate::journal::ID_BYTES;

/// Some units of one sku came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Return {
    /// Of which reservation.
    pub id: ReservationId,
    /// Of the event that began it.
    pub began: u64,
    pub user: UserId,
    pub sku: SkuId,
    pub quantity: u32,
    /// All that have come back of this sku by now, these included.
    pub total: u32,
    pub to: ReturnTo,
    /// Of the call, which may have brought other skus too.
    pub key: String,
}

/// Where units went that came back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReturnTo {
    /// On sale again.
    Shelf,
    /// Out of the sale's stock.
    WriteOff,
}

impl ReturnTo {
    /// Of the event in the journal, and of the field in `returns`.
    pub fn letter(self) -> char {
        match self {
            Self::Shelf => 'B',
            Self::WriteOff => 'W',
        }
    }

    pub(crate) fn from_letter(letter: u8) -> Option<Self> {
        [Self::Shelf, Self::WriteOff]
            .into_iter()
            .find(|to| to.letter() == char::from(letter))
    }

    /// The word in the books.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shelf => "restocked",
            Self::WriteOff => "written_off",
        }
    }
}

impl Return {
    /// What the sale's stock changed by.
    pub fn stocked_by(&self) -> i64 {
        match self.to {
            ReturnTo::Shelf => 0,
            ReturnTo::WriteOff => -i64::from(self.quantity),
        }
    }

    pub(crate) fn parse(to: ReturnTo, value: &[u8]) -> Option<Self> {
        let (id, text) = value.split_first_chunk::<ID_BYTES>()?;
        let mut parts = std::str::from_utf8(text).ok()?.splitn(6, '|');
        let mut next = || parts.next();
        Some(Self {
            id: ReservationId::from_bytes(*id),
            began: next()?.parse().ok()?,
            user: UserId::parse(next()?).ok()?,
            sku: SkuId::parse(next()?).ok()?,
            quantity: next()?.parse().ok().filter(|n| *n > 0)?,
            total: next()?.parse().ok()?,
            to,
            key: next()?.to_owned(),
        })
        .filter(|returned| returned.total >= returned.quantity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::{Event, RawEvent};

    #[test]
    fn units_that_came_back_are_read_whatever_bytes_the_id_and_the_key_have() {
        for id in [b' ', b'O', 0, b'|'] {
            let text = b"5|ann|tee|2|3|a|key B";
            let event = RawEvent {
                seq: 9,
                field: b"W".to_vec(),
                value: [[id; ID_BYTES].as_slice(), text].concat(),
            };
            assert_eq!(RawEvent::from_raw(9, &event.raw()), Ok(event.clone()));
            let Ok(Event::Returned(returned)) = event.decode() else {
                panic!("{event:?}")
            };
            assert_eq!(
                (returned.began, returned.quantity, returned.total),
                (5, 2, 3)
            );
            assert_eq!(
                (returned.key.as_str(), returned.stocked_by()),
                ("a|key B", -2)
            );
            assert_eq!(event.decode().unwrap().kind(), "written_off");
        }
        for bad in ["5|ann|tee|0|3|k", "5|ann|tee|3|2|k", "5|ann|tee|1|1", "5"] {
            let value = [&[7; ID_BYTES], bad.as_bytes()].concat();
            let field = b"B".to_vec();
            let event = RawEvent {
                seq: 9,
                field,
                value,
            };
            assert!(event.decode().is_err(), "{bad}");
        }
    }
}
