//! Those in whose name the light client asks: users with tokens signed beforehand, and a key for each request.

use doorbuster_core::claims::Role;
use doorbuster_core::ids::{IdempotencyKey, UserId};

use crate::target::Target;

/// Users, each with a token.
#[derive(Debug)]
pub struct Buyers {
    users: Vec<UserId>,
    tokens: Vec<String>,
    /// Begins every key, so that two volleys at one sale never share one.
    prefix: String,
    /// Every so many requests, one repeats that before it; 0: never.
    repeat_every: u64,
}

impl Buyers {
    /// `count` users named after `prefix`.
    pub fn new(target: &Target, prefix: &str, count: u32) -> Self {
        let users: Vec<UserId> = (0..count.max(1))
            .map(|n| UserId::parse(format!("{prefix}{n}")).expect("letters and digits"))
            .collect();
        let tokens = users
            .iter()
            .map(|user| target.token(user.clone(), Role::Buyer))
            .collect();
        Self {
            users,
            tokens,
            prefix: prefix.to_owned(),
            repeat_every: 0,
        }
    }

    /// The same users under other keys.
    #[must_use]
    pub fn under(mut self, prefix: &str) -> Self {
        prefix.clone_into(&mut self.prefix);
        self
    }

    /// Has every `every`th request sent again while its answer is on its way: people who click twice.
    #[must_use]
    pub fn repeating(mut self, every: u64) -> Self {
        self.repeat_every = every;
        self
    }

    /// The request that shot `number` sends.
    pub fn request(&self, number: u64) -> u64 {
        match self.repeat_every {
            every if every > 1 && number % every == every - 1 => number - 1,
            _ => number,
        }
    }

    pub fn user(&self, request: u64) -> &UserId {
        &self.users[self.index(request)]
    }

    pub fn token(&self, request: u64) -> &str {
        &self.tokens[self.index(request)]
    }

    pub fn key(&self, request: u64) -> IdempotencyKey {
        IdempotencyKey::parse(format!("{}-{request}", self.prefix)).expect("letters and digits")
    }

    fn index(&self, request: u64) -> usize {
        (request % self.users.len() as u64) as usize
    }

    pub fn count(&self) -> u32 {
        u32::try_from(self.users.len()).unwrap_or(u32::MAX)
    }
}
