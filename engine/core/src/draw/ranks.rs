//! From a seed to places: the rank of each number's lot.

use sha2::{Digest, Sha256};

/// Which place each early number has, and the other way round. Some 8 bytes a number; a million take a good part of a second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranks {
    places: Box<[u32]>,
    numbers: Box<[u32]>,
}

impl Ranks {
    pub fn new(seed: &[u8; 32], early: u32) -> Self {
        let lot = |number: u32| -> [u8; 32] {
            let of = Sha256::new().chain_update(seed);
            of.chain_update(u64::from(number).to_be_bytes())
                .finalize()
                .into()
        };
        // Eight bytes decide nearly always; where they do not, the whole does.
        let mut lots: Vec<(u64, u32)> = (1..=early)
            .map(|number| {
                let lot = lot(number);
                let head = lot
                    .first_chunk()
                    .map_or(0, |head| u64::from_be_bytes(*head));
                (head, number)
            })
            .collect();
        lots.sort_unstable_by(|a, b| a.0.cmp(&b.0).then_with(|| lot(a.1).cmp(&lot(b.1))));
        let numbers: Box<[u32]> = lots.into_iter().map(|(_, number)| number).collect();
        let mut places = vec![0; numbers.len()].into_boxed_slice();
        for (place, number) in (1..).zip(&numbers) {
            places[*number as usize - 1] = place;
        }
        Self { places, numbers }
    }

    pub fn early(&self) -> u32 {
        u32::try_from(self.places.len()).unwrap_or(u32::MAX)
    }

    /// Nothing for a number that was not drawn.
    pub fn place_of(&self, number: u32) -> Option<u32> {
        let at = (number as usize).checked_sub(1)?;
        self.places.get(at).copied()
    }

    /// Nothing for a place that was not drawn.
    pub fn number_of(&self, place: u32) -> Option<u32> {
        let at = (place as usize).checked_sub(1)?;
        self.numbers.get(at).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hex::to_hex;

    #[test]
    fn a_hundred_thousand_are_ranked_as_another_program_ranks_them() {
        let ranks = Ranks::new(&[1; 32], 100_000);
        let numbers: Vec<u8> = (1..=100_000)
            .filter_map(|place| ranks.number_of(place))
            .flat_map(u32::to_be_bytes)
            .collect();
        assert_eq!(
            to_hex(&Sha256::digest(&numbers)),
            "4592db87e49c89acde10240b0853a1f96203b8f3c86e9e5435b0f5908510f6ce"
        );
        let back = |number| ranks.number_of(ranks.place_of(number)?);
        assert!((1..=100_000).all(|number| back(number) == Some(number)));
        for outside in [0, 100_001] {
            assert_eq!(ranks.place_of(outside), None);
            assert_eq!(ranks.number_of(outside), None);
        }
        assert_eq!(Ranks::new(&[1; 32], 0).early(), 0);
    }
}
