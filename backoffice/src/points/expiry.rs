//! How many points are lost at an instant. Pure. Called by `job`.
//!
//! Whatever is spent is taken from those that end first, so nothing has to say which points were spent: of all that have ended by now, as many
//! are lost as were never taken. What comes back of a spent one was not taken after all, and may have ended meanwhile.

/// Sums of an account's entries.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Sums {
    /// Earned with an end that has come.
    pub(crate) ended: i64,
    /// Spent, lost and taken away, less what was given back: 0 or more.
    pub(crate) taken: i64,
}

pub(crate) fn lost(sums: Sums, balance: i64) -> i64 {
    (sums.ended.saturating_sub(sums.taken)).clamp(0, balance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_first_is_spent_first() {
        let lost = |ended, taken, balance| lost(Sums { ended, taken }, balance);
        // 100 that ended, 50 that did not; 30 were spent: 70 are lost.
        assert_eq!(lost(100, 30, 120), 70);
        // And having been lost, not again.
        assert_eq!(lost(100, 100, 50), 0);
        // More was spent than has ended: nothing is lost.
        assert_eq!(lost(100, 140, 10), 0);
        // Nobody loses what he does not have.
        assert_eq!(lost(100, 0, 60), 60);
    }
}
