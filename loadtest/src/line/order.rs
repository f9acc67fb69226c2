//! The order of admission: which place a number has. Called by `judge`.

use doorbuster_core::draw::Ranks;
use doorbuster_core::hex::from_hex;
use doorbuster_core::ticket::{Lane, Place};

use crate::audit::line::LineState;

/// Places of numbers.
#[derive(Debug, Clone)]
pub struct Order {
    early: u32,
    /// Of the early numbers, where they were drawn.
    ranks: Option<Ranks>,
    /// Until the draw, an early number has no place.
    draws: bool,
}

impl Order {
    /// As the line says in the end; `draws` is what its sale announced.
    pub fn of(state: &LineState, draws: bool) -> Self {
        let seed = state.drawn.as_deref().and_then(from_hex);
        Self {
            early: state.early,
            ranks: seed.map(|seed| Ranks::new(&seed, state.early)),
            draws,
        }
    }

    /// Where the holder of `number` stands, once that is settled.
    pub fn place(&self, number: Place) -> Option<Place> {
        if number.lane == Lane::Invite || number.number > self.early || !self.draws {
            return Some(number);
        }
        let place = self.ranks.as_ref()?.place_of(number.number)?;
        Some(Place::general(place))
    }
}
