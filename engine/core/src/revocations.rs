//! Which access tokens are revoked (design §7, Revocation): what one process knows of it, kept in memory so that no request asks Redis.
//!
//! A task of the process calls [`Revocations::follow`] twice a second; every request asks [`Revocations::judge`]. What is known stays
//! known for as long as the longest token lives, whatever becomes of Redis. While the stream cannot be read nobody can tell whether
//! more has been revoked: `judge` then says [`Judged::Untold`], and nobody is let in on a token alone. That costs nothing,
//! because whatever a token is good for needs Redis too, and by it a revocation holds on an engine that was cut off, frozen or just started.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use crate::claims::Claims;
use crate::clock;
use crate::gate::{Gate, GateError};
use crate::ids::UserId;
use crate::journal::StreamId;
use crate::limits::{REVOCATIONS_FRESH, REVOCATIONS_KEPT, REVOCATIONS_PER_READ};

/// What is known of a token's revocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    Valid,
    Revoked,
    /// Not told: the stream has not been read for too long, or never.
    Untold,
}

/// What a process knows. Its size is bounded by the users who log out in a day.
#[derive(Debug, Default)]
pub struct Revocations {
    known: RwLock<Known>,
    /// The last entry read, so that the next look begins there.
    cursor: Mutex<Option<StreamId>>,
    /// When the last look that succeeded began, ms; 0: the last one failed, or there was none.
    followed_ms: AtomicU64,
}

#[derive(Debug, Default)]
struct Known {
    generations: HashMap<UserId, Since>,
    /// Each user once, in the order in which they were learned, so that forgetting needs no search.
    learned: VecDeque<(u64, UserId)>,
}

#[derive(Debug, Clone, Copy)]
struct Since {
    generation: u64,
    learned_ms: u64,
}

impl Revocations {
    /// Whether the bearer of `claims`, which have been verified, may still be let in at `now_ms`.
    pub fn judge(&self, claims: &Claims, now_ms: u64) -> Judged {
        if self.is_revoked(&claims.sub, claims.generation) {
            Judged::Revoked
        } else if self.is_fresh_at(now_ms) {
            Judged::Valid
        } else {
            Judged::Untold
        }
    }

    /// Whether tokens of this generation are known to be revoked.
    pub fn is_revoked(&self, user: &UserId, generation: u64) -> bool {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let revoked = |since: &Since| generation < since.generation;
        known.generations.get(user).is_some_and(revoked)
    }

    /// Whether the stream was read lately.
    pub fn is_fresh(&self) -> bool {
        self.is_fresh_at(clock::now_ms())
    }

    fn is_fresh_at(&self, now_ms: u64) -> bool {
        let followed_ms = self.followed_ms.load(Ordering::Acquire);
        let age_ms = now_ms.saturating_sub(followed_ms);
        followed_ms != 0 && u128::from(age_ms) <= REVOCATIONS_FRESH.as_millis()
    }

    /// Users of whom some token is known to be revoked.
    pub fn len(&self) -> usize {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.generations.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Tokens of `user` below `generation` are revoked from here on.
    pub fn learn(&self, user: &UserId, generation: u64) {
        self.learn_at(user, generation, clock::now_ms());
    }

    fn learn_at(&self, user: &UserId, generation: u64, now_ms: u64) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known
            .generations
            .get(user)
            .is_some_and(|since| since.generation >= generation)
        {
            return;
        }
        let since = Since {
            generation,
            learned_ms: now_ms,
        };
        // Who is known already stands in the order already; he moves when his time there has come.
        if known.generations.insert(user.clone(), since).is_none() {
            known.learned.push_back((now_ms, user.clone()));
        }
    }

    /// Forgets what was learned longer ago than any token lives.
    fn forget(&self, now_ms: u64) {
        let kept_ms = u64::try_from(REVOCATIONS_KEPT.as_millis()).unwrap_or(u64::MAX);
        let is_old = |learned_ms: u64| learned_ms.saturating_add(kept_ms) < now_ms;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        while known.learned.front().is_some_and(|(at, _)| is_old(*at)) {
            let Some((_, user)) = known.learned.pop_front() else {
                break;
            };
            match known.generations.get(&user).copied() {
                // Revoked again since: behind all who are here, and so never forgotten too soon.
                Some(Since { learned_ms, .. }) if !is_old(learned_ms) => {
                    known.learned.push_back((learned_ms, user));
                }
                _ => drop(known.generations.remove(&user)),
            }
        }
    }

    /// Reads what is new; all there is where this is the first look, or where Redis has lost what was read before.
    /// Returns whether all was read. A process has one caller of this.
    ///
    /// # Errors
    /// [`GateError`]; from then on nothing is told until a look succeeds.
    pub async fn follow(&self, gate: &Gate) -> Result<bool, GateError> {
        let began_ms = clock::now_ms();
        let read = self.read(gate).await;
        let followed_ms = if read.is_ok() { began_ms } else { 0 };
        self.followed_ms.store(followed_ms, Ordering::Release);
        if read.is_ok() {
            self.forget(began_ms);
        }
        read
    }

    async fn read(&self, gate: &Gate) -> Result<bool, GateError> {
        let mut cursor = self.cursor().take();
        let mut is_whole = cursor.is_none();
        loop {
            let from = cursor.clone().unwrap_or_else(StreamId::start);
            let entries = match gate.revocations(&from, REVOCATIONS_PER_READ).await {
                Ok(entries) => entries,
                Err(error) => {
                    *self.cursor() = cursor;
                    return Err(error);
                }
            };
            // The entry at which we stood is not there any more: trimmed for its age, or lost with more than itself.
            if cursor.is_some() && entries.first().map(|first| &first.id) != cursor.as_ref() {
                (cursor, is_whole) = (None, true);
                continue;
            }
            for revocation in &entries {
                self.learn(&revocation.user, revocation.generation);
            }
            let is_last = entries.len() < REVOCATIONS_PER_READ;
            cursor = entries.into_iter().next_back().map(|last| last.id);
            if is_last {
                *self.cursor() = cursor;
                return Ok(is_whole);
            }
        }
    }

    fn cursor(&self) -> std::sync::MutexGuard<'_, Option<StreamId>> {
        self.cursor.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claims::Role;

    fn user(name: &str) -> UserId {
        UserId::parse(name).unwrap()
    }

    fn claims(generation: u64) -> Claims {
        let mut claims = Claims::access(user("ann"), Role::Buyer, clock::now_s(), 60);
        claims.generation = generation;
        claims
    }

    #[test]
    fn nothing_is_told_before_the_stream_was_read_but_what_is_known_is_known() {
        let revocations = Revocations::default();
        assert_eq!(
            revocations.judge(&claims(0), clock::now_ms()),
            Judged::Untold
        );
        revocations.learn(&user("ann"), 1);
        assert_eq!(
            revocations.judge(&claims(0), clock::now_ms()),
            Judged::Revoked
        );
        assert_eq!(
            revocations.judge(&claims(1), clock::now_ms()),
            Judged::Untold
        );
    }

    #[test]
    fn the_highest_generation_counts_and_only_for_its_user() {
        let revocations = Revocations::default();
        for generation in (1..1_000).chain([2, 3, 1]) {
            revocations.learn(&user("bob"), generation);
        }
        assert_eq!(revocations.known.read().unwrap().learned.len(), 1);
        let revocations = Revocations::default();
        for generation in [2, 3, 1] {
            revocations.learn(&user("ann"), generation);
        }
        let revoked = [0, 2, 3, 4].map(|g| revocations.is_revoked(&user("ann"), g));
        assert_eq!(revoked, [true, true, false, false]);
        assert!(!revocations.is_revoked(&user("bob"), 0));
    }

    #[test]
    fn what_no_token_outlives_is_forgotten_and_nothing_sooner() {
        let revocations = Revocations::default();
        let kept_ms = u64::try_from(REVOCATIONS_KEPT.as_millis()).unwrap();
        revocations.learn_at(&user("ann"), 1, 1_000);
        revocations.learn_at(&user("bob"), 1, 1_000);
        revocations.learn_at(&user("ann"), 2, 2_000);
        revocations.forget(kept_ms + 1_000);
        assert_eq!(revocations.len(), 2);
        revocations.forget(kept_ms + 1_001);
        assert!(revocations.is_revoked(&user("ann"), 1));
        assert!(!revocations.is_revoked(&user("bob"), 0));
        revocations.forget(kept_ms + 2_001);
        assert!(revocations.is_empty());
    }
}
