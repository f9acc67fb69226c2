//! The ways in which shops sell the last unit today, each real and as good as it gets, behind one thin front: what ours is
//! compared with. Run as a process of its own by `doorbuster-loadtest rival`, so that its cost can be told from the crowd's.
//!
//! In reading order: what all share in HTTP ([`server`], [`front`] and what they read and say), what a way is ([`way`]),
//! which there are ([`rival`]), those in MySQL ([`shop`] around one transaction each, then [`combined`]), and those in Redis.
//!
//! None of this is part of the product: nothing here calls our engine, its scripts or its tables.

mod server;

mod bare;
mod front;
mod refusal;
mod reply;
mod request;

mod rival;
mod way;

mod books;
mod pool;
mod shop;
mod tables;

mod guarded;
mod optimistic;
mod read_then_write;
mod skip_locked;

mod batches;
mod combined;
mod combiner;

mod live;
mod redis_lock;
mod redis_lua;
mod write_back;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::{Context, Result};
use doorbuster_core::claims::TokenKeys;
use doorbuster_core::receipt::ReceiptKey;

pub use rival::Name;
pub(crate) use way::State;

use crate::config::Secret;
use crate::rush::{raise_file_limit, say};
use bare::Bare;
use front::{Front, House};
use rival::{Rival, Stores};

/// What one rival is run with.
#[derive(Debug)]
pub struct Setup {
    pub name: Name,
    /// Of 127.0.0.1.
    pub listen_port: u16,
    /// To the store that decides.
    pub connections: u32,
    pub redis_url: String,
    pub database_url: String,
    pub secret: Secret,
}

/// Serves one way of selling until the process is stopped.
///
/// # Errors
/// If the port is taken, a store cannot be reached, or the secret is too short.
pub async fn run(setup: &Setup) -> Result<()> {
    raise_file_limit()?;
    let listeners = server::bind(setup.listen_port)?;
    let stores = Stores {
        redis_url: &setup.redis_url,
        database_url: &setup.database_url,
        connections: setup.connections,
    };
    let secret = setup.secret.bytes();
    let house = match Rival::open(setup.name, stores).await? {
        Some(rival) => House::Selling(Box::new(rival)),
        None => House::Bare(Box::new(Bare::new(secret).await?)),
    };
    let front = Front {
        name: setup.name,
        house,
        tokens: TokenKeys::new(secret, None)?,
        receipts: ReceiptKey::derive(secret)?,
        requests: AtomicU64::new(1),
        prefix: format!("{:012x}", rand::random::<u64>() >> 16),
    };
    say(&format!(
        "{} on {}",
        setup.name.as_str(),
        listeners.first().context("no listener")?.local_addr()?
    ));
    // On a worker, where accepted connections stay, instead of the thread that started the runtime.
    Ok(tokio::spawn(server::serve(Arc::new(front), listeners)).await?)
}
