//! Answers that count only once a replica has them too (ack level `replica`).
//!
//! `WAIT` speaks for the connection that it is sent on: it waits until replicas have that connection's last write, and on a
//! connection that never wrote it returns at once. So script, mark and wait go out together, on one connection of a pool
//! kept for this, because a connection that waits holds up whatever comes behind it. The mark is a write for the calls that
//! write nothing themselves: servers from 7.2 on count reads no longer, and a repeat must be as safe as what it repeats.

use std::sync::atomic::{AtomicU8, Ordering};

use fred::clients::{Client, Pipeline, Pool};
use fred::error::Error;
use fred::interfaces::ClientLike;
use fred::types::config::Options;
use fred::types::{ClusterHash, CustomCommand, Value};

use super::script::Script;
use super::{Gate, GateError, connection};
use crate::ids::LiveId;
use crate::keys::Keys;
use crate::limits::REPLICA_WAIT;

/// What a replica must have done with a write before it counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplicaHas {
    /// Received it: `WAIT`, on any server.
    Received,
    /// Fsynced it, and the primary too: `WAITAOF`, from Redis 7.2 and Valkey on.
    Fsynced,
}

/// The connections that wait, and what for.
#[derive(Debug)]
pub(super) struct Replicas {
    pub(super) pool: Pool,
    fsynced: AtomicU8,
}

impl Replicas {
    pub(super) fn new(pool: Pool) -> Self {
        Self {
            pool,
            fsynced: AtomicU8::new(0),
        }
    }

    fn has(&self) -> ReplicaHas {
        match self.fsynced.load(Ordering::Relaxed) {
            0 => ReplicaHas::Received,
            _ => ReplicaHas::Fsynced,
        }
    }

    /// One attempt of `script`, and whether a replica has confirmed it in time.
    pub(super) async fn run(
        &self,
        client: &Client,
        options: &Options,
        script: &'static Script,
        live: &LiveId,
        values: Vec<Value>,
    ) -> Result<(Value, bool), Error> {
        let (loaded, mark) = (script.loaded(), Keys::mark_of(live));
        let names = script.keys_of(&Keys::of(live));
        let args = |first: &str| {
            let mut args: Vec<Value> = vec![first.into(), names.len().to_string().into()];
            args.extend(names.iter().map(|name| Value::from(name.as_str())));
            args.extend(values.iter().cloned());
            args
        };
        let by_name = self.attempt(client, options, &mark, "EVALSHA", args(&loaded.sha1));
        match by_name.await {
            // The script did not run; a restarted server has forgotten it.
            Err(e) if e.details().starts_with("NOSCRIPT") => {
                let whole = args(&loaded.source);
                self.attempt(client, options, &mark, "EVAL", whole).await
            }
            other => other,
        }
    }

    async fn attempt(
        &self,
        client: &Client,
        options: &Options,
        mark: &str,
        command: &'static str,
        args: Vec<Value>,
    ) -> Result<(Value, bool), Error> {
        let hash = ClusterHash::Custom(super::reads::redis_slot(mark));
        let pipeline = client.pipeline();
        queue(&pipeline, options, command, &hash, args).await?;
        self.queue_wait(&pipeline, options, mark, &hash).await?;
        let mut replies = pipeline.try_all::<Value>().await.into_iter();
        let first = replies.next().unwrap_or_else(|| Ok(Value::Null))?;
        Ok((first, is_confirmed(self.has(), replies)))
    }

    /// Whether a replica confirms a mark now.
    async fn confirms(&self, options: &Options) -> Result<bool, Error> {
        let (client, mark) = (self.pool.next(), Keys::PROBE_MARK);
        let hash = ClusterHash::Custom(super::reads::redis_slot(mark));
        let pipeline = client.pipeline();
        self.queue_wait(&pipeline, options, mark, &hash).await?;
        let replies = pipeline.try_all::<Value>().await;
        Ok(is_confirmed(self.has(), replies.into_iter()))
    }

    async fn queue_wait(
        &self,
        pipeline: &Pipeline<Client>,
        options: &Options,
        mark: &str,
        hash: &ClusterHash,
    ) -> Result<(), Error> {
        let marked = vec![Value::from(mark), Value::from("1")];
        queue(pipeline, options, "SET", hash, marked).await?;
        let bound = REPLICA_WAIT.as_millis().to_string();
        let (wait, args) = match self.has() {
            ReplicaHas::Received => ("WAIT", vec!["1".into(), bound.into()]),
            ReplicaHas::Fsynced => ("WAITAOF", vec!["1".into(), "1".into(), bound.into()]),
        };
        queue(pipeline, options, wait, hash, args).await
    }
}

async fn queue(
    pipeline: &Pipeline<Client>,
    options: &Options,
    name: &'static str,
    hash: &ClusterHash,
    args: Vec<Value>,
) -> Result<(), Error> {
    let command = CustomCommand::new_static(name, hash.clone(), false);
    pipeline.with_options(options).custom(command, args).await
}

/// The replies to a mark and to the wait for it.
fn is_confirmed(has: ReplicaHas, mut replies: impl Iterator<Item = Result<Value, Error>>) -> bool {
    let is_marked = matches!(replies.next(), Some(Ok(_)));
    let reached = match (has, replies.next()) {
        (ReplicaHas::Received, Some(Ok(Value::Integer(replicas)))) => replicas >= 1,
        // Of the primary itself, and of replicas.
        (ReplicaHas::Fsynced, Some(Ok(Value::Array(counts)))) => {
            let counts: Vec<i64> = counts.iter().filter_map(Value::as_i64).collect();
            matches!(counts[..], [own, others] if own >= 1 && others >= 1)
        }
        _ => false,
    };
    is_marked && reached
}

impl Gate {
    /// What a replica must have done before an answer counts; `None` where no replica is waited for.
    pub fn replica_has(&self) -> Option<ReplicaHas> {
        Some(self.shared.replicas.as_ref()?.has())
    }

    /// Asks more of replicas, or less, from now on; without effect where none is waited for.
    pub fn require_of_replica(&self, has: ReplicaHas) {
        if let Some(replicas) = &self.shared.replicas {
            let fsynced = u8::from(has == ReplicaHas::Fsynced);
            replicas.fsynced.store(fsynced, Ordering::Relaxed);
        }
    }

    /// Whether a replica confirms a write made now, in time; true where none is waited for.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn replica_confirms(&self) -> Result<bool, GateError> {
        match &self.shared.replicas {
            None => Ok(true),
            Some(replicas) => {
                let confirms = replicas.confirms(&self.shared.options).await;
                confirms.map_err(|e| connection::gate_error("mark", &e))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_write_that_a_replica_has_is_confirmed() {
        let ok = || Ok(Value::from("OK"));
        let refused = || Err(Error::new(fred::error::ErrorKind::Unknown, "NOREPLICAS"));
        let received = |mark, wait| is_confirmed(ReplicaHas::Received, [mark, wait].into_iter());
        assert!(received(ok(), Ok(Value::Integer(1))));
        assert!(received(ok(), Ok(Value::Integer(3))));
        assert!(!received(ok(), Ok(Value::Integer(0))));
        assert!(
            !received(refused(), Ok(Value::Integer(1))),
            "nothing was written"
        );
        assert!(!received(ok(), refused()));
        assert!(!is_confirmed(ReplicaHas::Received, [ok()].into_iter()));
        let fsynced = |own: i64, others: i64| {
            let counts = Value::Array(vec![own.into(), others.into()]);
            is_confirmed(ReplicaHas::Fsynced, [ok(), Ok(counts)].into_iter())
        };
        assert!(fsynced(1, 1) && fsynced(1, 2));
        assert!(!fsynced(0, 1) && !fsynced(1, 0));
        let wait = [ok(), Ok(Value::Integer(1))].into_iter();
        assert!(!is_confirmed(ReplicaHas::Fsynced, wait));
    }
}
