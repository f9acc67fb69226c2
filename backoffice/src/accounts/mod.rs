//! What all that concerns people is made of. In reading order: their addresses and passwords ([`email`], [`secret`], [`hashing`]), where a request
//! comes from ([`visit`], [`agent`]), how often it may be tried and how many at once ([`throttle`], [`turns`]), the keys of tokens ([`keys`]), and the routes ([`routes`]).
//! What they do is in `sign_ups`, `sessions`, `passwords`, `profile`, `addresses`, and for staff in `users`.

pub(crate) mod email;
pub(crate) mod hashing;
pub(crate) mod secret;

pub(crate) mod agent;
pub(crate) mod throttle;
pub(crate) mod turns;
pub(crate) mod visit;

pub mod config;
pub(crate) mod keys;
pub mod limits;
pub(crate) mod pages;
pub(crate) mod person;
pub(crate) mod routes;
pub(crate) mod sweep;

use doorbuster_core::address::TrustedProxies;
use tokio::sync::Notify;

use config::PublicUrl;
use hashing::Hasher;
use keys::AccountKeys;
use turns::Turns;

/// What handlers need to deal with people.
pub(crate) struct People {
    pub(crate) hasher: Hasher,
    pub(crate) turns: Turns,
    pub(crate) keys: AccountKeys,
    pub(crate) proxies: TrustedProxies,
    pub(crate) public_url: PublicUrl,
    /// Told after a transaction that wrote a mail.
    pub(crate) mail_written: Notify,
}
