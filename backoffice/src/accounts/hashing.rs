//! Passwords are hashed and checked here, and nowhere else: argon2id, on threads of its own, for those whose turn it is ([`super::turns`]).
//!
//! A hash takes 19 MiB and some tens of milliseconds of a core, so there are few threads, and whatever buys and sells on the same machine goes first.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context as _, Result};
use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use rand::RngCore as _;
use tokio::sync::oneshot;

use super::limits::{
    ARGON2_MEMORY_KIB, ARGON2_PASSES, PASSWORD_THREADS, PASSWORD_THREADS_NICE, PASSWORD_TURNS_MAX,
};
use super::secret::Password;
use super::turns::Turn;
use crate::error::ApiError;

/// Where passwords are hashed; cheap to clone.
#[derive(Clone)]
pub(crate) struct Hasher {
    /// Has room for all who have a turn.
    jobs: SyncSender<Job>,
    /// Of no password: checked where there is no account, so that an answer takes as long as for one that is there.
    decoy: Arc<str>,
}

/// The turn goes back with the answer of a check, because whoever has been checked may be hashed next; nobody waits for two.
enum Job {
    Hash(Password, Turn, oneshot::Sender<Result<String>>),
    Verify(Password, Arc<str>, Turn, oneshot::Sender<(bool, Turn)>),
}

impl Hasher {
    /// Starts the threads; they end when the last handle is gone.
    ///
    /// # Errors
    /// Where a thread cannot be had.
    pub(crate) fn start() -> Result<Self> {
        let (jobs, queue) = sync_channel(PASSWORD_TURNS_MAX);
        let queue = Arc::new(Mutex::new(queue));
        for _ in 0..PASSWORD_THREADS {
            let queue = Arc::clone(&queue);
            thread::Builder::new()
                .name("passwords".to_owned())
                .spawn(move || work(&queue))
                .context("a thread for passwords")?;
        }
        let decoy = hash(random_salt().as_slice())?.into();
        Ok(Self { jobs, decoy })
    }

    pub(crate) async fn hash(&self, turn: Turn, password: Password) -> Result<String, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job::Hash(password, turn, reply))?;
        let hashed = answer.await.map_err(|e| ApiError::Internal(e.into()))?;
        hashed.map_err(ApiError::Internal)
    }

    /// Whether `password` is the one that `hash` was made of; it never is where there is no hash, and that takes as long. The turn is still had.
    pub(crate) async fn verify(
        &self,
        turn: Turn,
        password: Password,
        hash: Option<&str>,
    ) -> Result<(bool, Turn), ApiError> {
        let (reply, answer) = oneshot::channel();
        let against = hash.map_or_else(|| Arc::clone(&self.decoy), Arc::from);
        self.submit(Job::Verify(password, against, turn, reply))?;
        let (fits, turn) = answer.await.map_err(|e| ApiError::Internal(e.into()))?;
        Ok((fits && hash.is_some(), turn))
    }

    /// Whether a hash was made with other parameters than new ones are.
    pub(crate) fn is_outdated(&self, hash: &str) -> bool {
        let parameters = |hash: &str| hash.rsplitn(3, '$').nth(2).map(str::to_owned);
        parameters(hash) != parameters(&self.decoy)
    }

    fn submit(&self, job: Job) -> Result<(), ApiError> {
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
        match job {
            Err(_) => return,
            // Work that was given up wants no answer, and must not cost the others time.
            Ok(Job::Hash(_, _, reply)) if reply.is_closed() => {}
            Ok(Job::Verify(_, _, _, reply)) if reply.is_closed() => {}
            Ok(Job::Hash(password, turn, reply)) => {
                let hashed = hash(password.expose().as_bytes());
                drop(turn);
                let _ = reply.send(hashed);
            }
            Ok(Job::Verify(password, against, turn, reply)) => {
                let fits = argon2().and_then(|argon2| {
                    Ok(argon2.verify_password(password.expose().as_bytes(), &*against)?)
                });
                let _ = reply.send((fits.is_ok(), turn));
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
    use crate::accounts::turns::Turns;
    use crate::validate::Problems;

    fn password(text: &str) -> Password {
        Password::claimed(&mut Problems::default(), "/password", Secret::new(text)).unwrap()
    }

    async fn turn() -> Turn {
        let here = std::net::Ipv4Addr::LOCALHOST;
        Turns::default().wait(here.into()).await.unwrap()
    }

    async fn verify(hasher: &Hasher, text: &str, hash: Option<&str>) -> bool {
        let verified = hasher.verify(turn().await, password(text), hash).await;
        verified.unwrap().0
    }

    #[tokio::test]
    async fn a_hash_fits_its_password_alone_and_says_how_it_was_made() {
        let hasher = Hasher::start().unwrap();
        let hash = hasher.hash(turn().await, password("hunter22")).await;
        let hash = hash.unwrap();
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
    async fn work_that_was_given_up_costs_nothing_and_gives_its_turn_back() {
        let (hasher, turns) = (Hasher::start().unwrap(), Turns::default());
        let here = std::net::Ipv4Addr::LOCALHOST;
        // Each waits for the turn of one before: none would come if one were lost.
        for _ in 0..20 * PASSWORD_TURNS_MAX {
            let (reply, _) = oneshot::channel();
            let turn = turns.wait(here.into()).await.unwrap();
            let decoy = Arc::clone(&hasher.decoy);
            let job = Job::Verify(password("x"), decoy, turn, reply);
            hasher.submit(job).unwrap();
        }
        let turn = turns.wait(here.into()).await.unwrap();
        let (fits, _) = hasher.verify(turn, password("x"), None).await.unwrap();
        assert!(!fits);
    }
}
