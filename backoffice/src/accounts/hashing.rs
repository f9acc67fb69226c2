//! Passwords are hashed and checked here, and nowhere else: argon2id, on threads of its own, a bounded number at once.
//!
//! A hash takes 19 MiB and some tens of milliseconds of a core, so a storm of sign-ins is bounded three times: by the number of threads (memory), by
//! the queue (past it the client is told to come back at once), and by priority (an engine on the same machine goes first).

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use rand::RngCore as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::secret::Password;
use crate::error::ApiError;
use crate::limits::{
    ARGON2_MEMORY_KIB, ARGON2_PASSES, PASSWORD_QUEUE_MAX, PASSWORD_THREADS, PASSWORD_THREADS_NICE,
};

/// Where passwords are hashed; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hasher {
    jobs: SyncSender<Job>,
    /// Places of those who wait or are at it.
    room: Arc<Semaphore>,
    /// Of no password: checked where there is no account, so that an answer takes as long as for one that is there.
    decoy: Arc<str>,
}

/// A place among those whose passwords are looked at. It is taken once it is known that whoever asks may, and before anything else is done for him:
/// who finds none costs little, and what he tried is not held against him.
pub(crate) type Place = OwnedSemaphorePermit;

struct Job {
    work: Work,
    /// Given back when the work is done.
    _place: Place,
}

enum Work {
    Hash(Password, oneshot::Sender<Result<String>>),
    Verify(Password, Arc<str>, oneshot::Sender<bool>),
}

impl Hasher {
    /// Starts the threads; they end when the last handle is gone.
    ///
    /// # Errors
    /// Where a thread cannot be had.
    pub(crate) fn start() -> Result<Self> {
        let (jobs, queue) = sync_channel(PASSWORD_QUEUE_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..PASSWORD_THREADS {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(move || work(&queue))
                .context("a thread for passwords")?;
        }
        let decoy = hash(random_salt().as_slice())?.into();
        let room = Arc::new(Semaphore::new(PASSWORD_QUEUE_MAX));
        Ok(Self { jobs, room, decoy })
    }

    /// # Errors
    /// [`ApiError::Overloaded`] where too many wait.
    pub(crate) fn place(&self) -> Result<Place, ApiError> {
        let permit = Arc::clone(&self.room).try_acquire_owned();
        permit.map_err(|_| ApiError::Overloaded)
    }

    /// The same, without taking one: a storm is turned away before it costs a statement.
    ///
    /// # Errors
    /// [`ApiError::Overloaded`] where too many wait.
    pub(crate) fn has_room(&self) -> Result<(), ApiError> {
        let has_room = self.room.available_permits() > 0;
        has_room.then_some(()).ok_or(ApiError::Overloaded)
    }

    pub(crate) async fn hash(&self, place: Place, password: Password) -> Result<String, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.submit(place, Work::Hash(password, reply))?;
        let hashed = answer.await.map_err(|e| ApiError::Internal(e.into()))?;
        hashed.map_err(ApiError::Internal)
    }

    /// Whether `password` is the one that `hash` was made of; it never is where there is no hash, and that takes as long.
    pub(crate) async fn verify(
        &self,
        place: Place,
        password: Password,
        hash: Option<&str>,
    ) -> Result<bool, ApiError> {
        let (reply, answer) = oneshot::channel();
        let against = hash.map_or_else(|| Arc::clone(&self.decoy), Arc::from);
        self.submit(place, Work::Verify(password, against, reply))?;
        let fits = answer.await.map_err(|e| ApiError::Internal(e.into()))?;
        Ok(fits && hash.is_some())
    }

    /// Whether a hash was made with other parameters than new ones are.
    pub(crate) fn is_outdated(&self, hash: &str) -> bool {
        let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        parameters(hash) != parameters(&self.decoy)
    }

    fn submit(&self, place: Place, work: Work) -> Result<(), ApiError> {
        let job = Job {
            work,
            _place: place,
        };
        self.jobs.try_send(job).map_err(|refused| match refused {
            TrySendError::Full(_) => ApiError::Overloaded,
            TrySendError::Disconnected(_) => {
                ApiError::Internal(anyhow::anyhow!("no thread for passwords is left"))
            }
        })
    }
}

fn work(queue: &Mutex<Receiver<Job>>) {
    // On Linux this is the thread's own; where it is not allowed, hashing is merely not as polite.
    let _ = rustix::process::nice(PASSWORD_THREADS_NICE);
    loop {
        let job = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Job { work, _place }) = job else {
            return;
        };
        match work {
            // A client that is gone wants no answer, and must not cost the others time.
            Work::Hash(_, reply) if reply.is_closed() => {}
            Work::Verify(_, _, reply) if reply.is_closed() => {}
            Work::Hash(password, reply) => {
                let _ = reply.send(hash(password.expose().as_bytes()));
            }
            Work::Verify(password, against, reply) => {
                let fits = argon2().and_then(|argon2| {
                    Ok(argon2.verify_password(password.expose().as_bytes(), &*against)?)
                });
                let _ = reply.send(fits.is_ok());
            }
        }
    }
}

fn argon2() -> Result<Argon2<'static>> {
    let params = Params::new(ARGON2_MEMORY_KIB, ARGON2_PASSES, 1, None)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// As a PHC string, with parameters and salt.
fn hash(password: &[u8]) -> Result<String> {
    Ok(argon2()?
        .hash_password_with_salt(password, &random_salt())?
        .to_string())
}

fn random_salt() -> [u8; 16] {
    let mut salt = [0; 16];
    rand::rng().fill_bytes(&mut salt);
    salt
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::accounts::secret::Secret;
    use crate::validate::Problems;

    fn password(text: &str) -> Password {
        Password::claimed(&mut Problems::default(), "/password", Secret::new(text)).unwrap()
    }

    async fn verify(hasher: &Hasher, text: &str, hash: Option<&str>) -> bool {
        let place = hasher.place().unwrap();
        hasher.verify(place, password(text), hash).await.unwrap()
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone_and_says_how_it_was_made() {
        let hasher = Hasher::start().unwrap();
        let place = hasher.place().unwrap();
        let hash = hasher.hash(place, password("hunter22")).await.unwrap();
        assert!(
            hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"),
            "{hash}"
        );
        assert!(verify(&hasher, "hunter22", Some(&hash)).await);
        assert!(!verify(&hasher, "hunter23", Some(&hash)).await);
        assert!(!verify(&hasher, "hunter22", None).await);
        assert!(!hasher.is_outdated(&hash));
        assert!(hasher.is_outdated(&hash.replace("t=2", "t=1")));
    }

    #[tokio::test]
    async fn a_storm_is_turned_away_at_once_past_the_room_that_there_is() {
        let hasher = Hasher::start().unwrap();
        let places = (0..PASSWORD_QUEUE_MAX).map(|_| hasher.place().unwrap());
        let places: Vec<Place> = places.collect();
        assert!(matches!(hasher.place(), Err(ApiError::Overloaded)));
        // Those whose clients are gone cost nothing, and their places are given back.
        for place in places {
            let (reply, _) = oneshot::channel();
            let decoy = Arc::clone(&hasher.decoy);
            let work = Work::Verify(password("x"), decoy, reply);
            hasher.submit(place, work).unwrap();
        }
        while hasher.room.available_permits() < PASSWORD_QUEUE_MAX {
            tokio::task::yield_now().await;
        }
        assert!(!verify(&hasher, "x", None).await);
    }
}
