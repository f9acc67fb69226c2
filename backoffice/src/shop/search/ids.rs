//! Sets of products, as numbers that an index alone has told. Pure.

/// Which products: a bit for each number.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IdSet(Vec<u64>);

impl FromIterator<u32> for IdSet {
    fn from_iter<T: IntoIterator<Item = u32>>(ids: T) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

impl Extend<u32> for IdSet {
    fn extend<T: IntoIterator<Item = u32>>(&mut self, ids: T) {
        for id in ids {
            let (word, bit) = place(id);
            if self.0.len() <= word {
                self.0.resize(word + 1, 0);
            }
            self.0[word] |= bit;
        }
    }
}

impl IdSet {
    /// Bit `id & 7`, from the least, of byte `id >> 3` says whether it is one of them.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|bits| bits.to_le_bytes()).collect()
    }

    /// Those that are in both.
    pub(crate) fn and(mut self, other: &Self) -> Self {
        self.0.truncate(other.0.len());
        for (bits, others) in self.0.iter_mut().zip(&other.0) {
            *bits &= others;
        }
        self
    }

    /// Bytes that it takes.
    pub(crate) fn size(&self) -> usize {
        self.0.len() * size_of::<u64>()
    }

    pub(crate) fn len(&self) -> usize {
        self.0.iter().map(|bits| bits.count_ones() as usize).sum()
    }

    pub(crate) fn ids(&self) -> Vec<u32> {
        let mut ids = Vec::new();
        for (word, &bits) in (0_u32..).zip(&self.0) {
            let mut left = bits;
            while left != 0 {
                ids.push(word * 64 + left.trailing_zeros());
                left &= left - 1;
            }
        }
        ids
    }
}

fn place(id: u32) -> (usize, u64) {
    ((id / 64) as usize, 1 << (id % 64))
}

/// Numbers between commas, as MySQL puts a list together; `None` where it is none, or was cut short.
pub(crate) fn listed(text: &str, count: u64) -> Option<Vec<u32>> {
    if text.is_empty() {
        return (count == 0).then(Vec::new);
    }
    let ids: Option<Vec<u32>> = text.split(',').map(|id| id.parse().ok()).collect();
    ids.filter(|ids| ids.len() as u64 == count)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ids: &[u32]) -> IdSet {
        ids.iter().copied().collect()
    }

    #[test]
    fn what_is_in_both_is_in_their_intersection_and_nothing_else() {
        let (one, two) = (set(&[0, 1, 63, 64, 200]), set(&[1, 64, 65, 1_000]));
        assert_eq!(one.clone().and(&two).ids(), [1, 64]);
        assert_eq!(two.and(&one).ids(), [1, 64]);
        assert_eq!((one.len(), one.ids()), (5, vec![0, 1, 63, 64, 200]));
        let bytes = one.bytes();
        let has = |id: usize| bytes[id >> 3] & (1 << (id & 7)) != 0;
        assert!([0, 1, 63, 64, 200].into_iter().all(has));
        assert!(![2, 62, 65, 199, 201].into_iter().any(has));
        assert_eq!(set(&[]).and(&one).len(), 0);
        let mut more = set(&[1, 64]);
        more.extend([7, 64, 3_000]);
        assert_eq!(more.ids(), [1, 7, 64, 3_000]);
    }

    #[test]
    fn a_list_that_was_cut_short_is_none() {
        assert_eq!(listed("1,20,3", 3), Some(vec![1, 20, 3]));
        assert_eq!(listed("", 0), Some(Vec::new()));
        for (cut, count) in [("1,2", 3), ("1,2,", 3), ("", 1), ("1,x", 2)] {
            assert_eq!(listed(cut, count), None, "{cut}");
        }
    }
}
