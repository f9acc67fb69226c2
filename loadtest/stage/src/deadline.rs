//! Waiting for a condition of the outside world, with a bound. Called by everything here that starts or stops a process,
//! and by tests. The only file of the stage that reads the machine's clock.

use std::thread;
use std::time::{Duration, Instant};

use crate::limits::POLL_STEP;

/// Looks until `look` finds something or `bound` has passed; looks at least once.
#[expect(
    clippy::disallowed_methods,
    reason = "the stage waits for real processes, and does not depend on doorbuster-core and its clock"
)]
pub fn eventually<T>(bound: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if began.elapsed() >= bound {
            return None;
        }
        thread::sleep(POLL_STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_again_until_it_finds() {
        let mut looks = 0;
        let found = eventually(Duration::from_secs(5), || {
            looks += 1;
            (looks == 3).then_some(looks)
        });
        assert_eq!(found, Some(3));
    }

    #[test]
    fn looks_once_even_without_time() {
        assert_eq!(eventually(Duration::ZERO, || Some(7)), Some(7));
        assert_eq!(eventually(Duration::ZERO, || None::<u8>), None);
    }
}
