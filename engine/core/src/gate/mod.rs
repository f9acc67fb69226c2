//! The typed front of the scripts: one async function per file of `lua/`, and the few plain reads that need no script.
//!
//! Nothing else in the workspace calls a script. Every function is safe to repeat (each script's REPLAY line says why);
//! none is repeated here: a timeout means *unknown*, and the caller's own repetition of the same request resolves it.

pub mod backlog;
pub mod cache;
pub mod connection;
pub mod durability;
pub mod notices;
pub mod reads;
mod remembered;
pub mod replicas;
pub mod reply;
pub mod script;
pub mod server;
pub mod sightings;
pub mod unflushed;

pub mod revoke;

pub mod adjust;
pub mod open;
pub mod switch;
pub mod vouch;
pub mod withdraw;

pub mod cancel;
pub mod claim;
pub mod decided;
pub mod find;
pub mod reserve;
pub mod sweep;

pub mod begin_payment;
pub mod release;
pub mod restock;
pub mod settle;
mod turned;
pub mod write_off;

pub mod advance;
pub mod join;
pub mod standing;

pub mod line_look;

pub mod snapshot;
pub mod trim;

pub mod draw;

pub mod honour;
pub mod load;
pub mod stake;
pub mod swap;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::BytesMut;
use fred::clients::{Client, Pool};
use fred::error::Error;
use fred::interfaces::LuaInterface;
use fred::prelude::ClientLike;
use fred::types::Value;
use fred::types::config::Options;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, Semaphore};

use crate::clock;
use crate::ids::LiveId;
use crate::keys::Keys;
use crate::limits::{CALLS_IN_FLIGHT_MAX, SCRIPT_TIMEOUT};

use backlog::Bound;
use replicas::Replicas;
use reply::Reply;
use script::Script;
use sightings::Sightings;
use unflushed::Unflushed;

/// Every script, for the contract test and for `lua/README.md`.
pub static SCRIPTS: [&Script; 26] = [
    &open::SCRIPT,
    &vouch::SCRIPT,
    &withdraw::SCRIPT,
    &switch::SCRIPT,
    &adjust::SCRIPT,
    &reserve::SCRIPT,
    &claim::SCRIPT,
    &cancel::SCRIPT,
    &begin_payment::SCRIPT,
    &settle::SCRIPT,
    &release::SCRIPT,
    &restock::SCRIPT,
    &write_off::SCRIPT,
    &sweep::SCRIPT,
    &find::SCRIPT,
    &join::SCRIPT,
    &advance::SCRIPT,
    &snapshot::SCRIPT,
    &trim::SCRIPT,
    &stake::SCRIPT,
    &load::SCRIPT,
    &swap::SCRIPT,
    &honour::SCRIPT,
    &draw::SCRIPT,
    &revoke::SCRIPT,
    &script::FENCE,
];

/// A sale that may not decide anything now. Not an error: a refusal that every script shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fenced {
    /// Redis has no such sale; the books say whether it ever had.
    UnknownSale,
    /// Another version of this program wrote it.
    UnknownSchema(String),
    /// Not vouched for, or not whole; the word says what was found.
    Recovering(String),
}

/// The call did not yield an outcome.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// Sent, and unanswered in time: it may or may not have been decided.
    #[error("redis did not answer in time; the outcome is unknown")]
    Unknown,
    /// Not sent, or refused by Redis before the script ran: nothing was decided.
    #[error("redis is unavailable: {0}")]
    Unavailable(String),
    /// Too many calls under way; nothing was sent.
    #[error("too many calls to redis are under way")]
    Busy,
    /// Redis ran the script and it failed, or refused it for want of memory; nothing was written (scripts refuse before they write).
    #[error("redis refused {script}: {detail}")]
    Refused {
        script: &'static str,
        detail: String,
    },
    /// The reply is not one that the script's header announces.
    #[error("{script} broke its contract: {detail}")]
    Contract {
        script: &'static str,
        detail: String,
    },
    /// The reply belongs to another call: the connection is out of step.
    #[error("{script} got the reply of another call")]
    Mismatched { script: &'static str },
    /// Decided, but no replica has confirmed it in time: nothing may be promised yet, and repeating tells.
    #[error("{script} ran, but no replica has confirmed it in time")]
    Unreplicated { script: &'static str },
}

/// A handle on Redis; cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    pool: Pool,
    /// Where answers count only once a replica has them.
    replicas: Option<Replicas>,
    options: Options,
    call: AtomicU64,
    permits: Semaphore,
    /// Read-held by every call under way, so that [`Gate::settled_sightings`] can wait for the last one.
    under_way: Arc<RwLock<()>>,
    sightings: Sightings,
    backlog: Bound,
    unflushed: Unflushed,
}

impl Gate {
    pub(crate) fn new(pool: Pool, waiting: Option<Pool>) -> Self {
        // One attempt: fred would otherwise send an unanswered script again after a reconnect, behind the caller's back.
        let options = Options {
            max_attempts: Some(1),
            timeout: Some(SCRIPT_TIMEOUT),
            fail_fast: true,
            ..Options::default()
        };
        let shared = Shared {
            pool,
            replicas: waiting.map(Replicas::new),
            options,
            call: AtomicU64::new(0),
            permits: Semaphore::new(CALLS_IN_FLIGHT_MAX),
            under_way: Arc::default(),
            sightings: Sightings::default(),
            backlog: Bound::default(),
            unflushed: Unflushed::default(),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// The highest seq seen per sale, once every call that was under way has ended: what this engine can testify to
    /// after the Redis process changed.
    pub async fn settled_sightings(&self) -> Vec<(LiveId, u32, u64)> {
        let _none_under_way = self.shared.under_way.write().await;
        self.shared.sightings.all()
    }

    /// The same, as far as calls have ended by now.
    pub fn sightings(&self) -> Vec<(LiveId, u32, u64)> {
        self.shared.sightings.all()
    }

    pub(crate) fn saw(&self, live: &LiveId, epoch: u32, seq: u64) {
        self.shared.sightings.note(live, epoch, seq);
    }

    /// Starts the arguments of a deciding script: `call`, `epoch`, `caller_ms`.
    pub(crate) fn args(&self, epoch: u32) -> Args {
        let mut args = self.bare_args();
        args.push(epoch.to_string());
        args.push(clock::now_ms().to_string());
        args
    }

    pub(crate) fn bare_args(&self) -> Args {
        let call = self.shared.call.fetch_add(1, Ordering::Relaxed).to_string();
        let mut args = Args::default();
        args.push(&call);
        args.call = call;
        args
    }

    /// Runs `script` once.
    pub(crate) async fn run(
        &self,
        script: &'static Script,
        live: &LiveId,
        args: Args,
    ) -> Result<Reply, GateError> {
        self.call(None, script, live, args).await
    }

    /// Runs `script` once, for an answer that promises something: where the gate waits for replicas, only one that a replica
    /// has confirmed is a reply.
    pub(crate) async fn promise(
        &self,
        script: &'static Script,
        live: &LiveId,
        args: Args,
    ) -> Result<Reply, GateError> {
        self.call(self.shared.replicas.as_ref(), script, live, args)
            .await
    }

    /// The same for a script of no sale.
    pub(crate) async fn run_outside(
        &self,
        script: &'static Script,
        args: Args,
    ) -> Result<Reply, GateError> {
        let _permit = self
            .shared
            .permits
            .try_acquire()
            .map_err(|_| GateError::Busy)?;
        let under_way = Arc::clone(&self.shared.under_way).read_owned().await;
        let (client, options) = (self.shared.pool.next(), &self.shared.options);
        let names = script.keys_outside();
        let value = send(client, options, script, names, args.values)
            .await
            .map_err(|e| connection::gate_error(script.name, &e))?;
        let reply = Reply::new(script, &args.call, value, under_way);
        if reply.is_err() {
            connection::drop_connection(client);
        }
        reply
    }

    async fn call(
        &self,
        replicas: Option<&Replicas>,
        script: &'static Script,
        live: &LiveId,
        args: Args,
    ) -> Result<Reply, GateError> {
        let _permit = self
            .shared
            .permits
            .try_acquire()
            .map_err(|_| GateError::Busy)?;
        let under_way: OwnedRwLockReadGuard<()> =
            Arc::clone(&self.shared.under_way).read_owned().await;
        let options = &self.shared.options;
        let client = replicas
            .map_or(&self.shared.pool, |replicas| &replicas.pool)
            .next();
        let answer = match replicas {
            None => {
                let names = script.keys_of(&Keys::of(live));
                send(client, options, script, names, args.values)
                    .await
                    .map(|value| (value, true))
            }
            Some(replicas) => {
                let run = replicas.run(client, options, script, live, args.values);
                Box::pin(run).await
            }
        };
        let (value, is_confirmed) = answer.map_err(|e| connection::gate_error(script.name, &e))?;
        match Reply::new(script, &args.call, value, under_way) {
            Err(e) => {
                connection::drop_connection(client);
                Err(e)
            }
            Ok(_) if !is_confirmed => Err(GateError::Unreplicated {
                script: script.name,
            }),
            reply => reply,
        }
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.shared.pool
    }
}

async fn send(
    client: &Client,
    options: &Options,
    script: &'static Script,
    names: Vec<String>,
    values: Vec<Value>,
) -> Result<Value, Error> {
    let (client, loaded) = (client.with_options(options), script.loaded());
    let first: Result<Value, _> = client
        .evalsha(loaded.sha1.as_str(), names.clone(), values.clone())
        .await;
    match first {
        // The script did not run, so sending it whole is not a repetition; a restarted server has forgotten it.
        Err(e) if e.details().starts_with("NOSCRIPT") => {
            client.eval(loaded.source.as_str(), names, values).await
        }
        other => other,
    }
}

/// The ARGV of one call: slices of one buffer, because a batch has hundreds.
#[derive(Debug, Default)]
pub struct Args {
    call: String,
    buffer: BytesMut,
    values: Vec<Value>,
}

impl Args {
    /// Makes room for so many more arguments of so many bytes together.
    pub(crate) fn reserve(&mut self, values: usize, bytes: usize) {
        self.values.reserve(values);
        self.buffer.reserve(bytes);
    }

    pub(crate) fn push(&mut self, value: impl AsRef<[u8]>) {
        self.buffer.extend_from_slice(value.as_ref());
        self.values.push(Value::Bytes(self.buffer.split().freeze()));
    }
}
