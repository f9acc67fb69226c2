//! What the gate reads about servers: which process each is, and the settings that decide what an acknowledgement is worth.

use std::collections::HashMap;
use std::sync::Arc;

use fred::interfaces::{ClientLike, ClusterInterface};
use fred::types::config::Server;

use super::reads::{array, broken, redis_slot};
use super::replicas::ReplicaHas;
use super::{Gate, GateError};
use crate::ids::LiveId;
use crate::keys::Keys;

/// The settings and state of the server that decide what an acknowledgement is worth.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServerSettings {
    /// `None` where a managed server hides it.
    pub appendonly: Option<String>,
    pub appendfsync: Option<String>,
    pub no_appendfsync_on_rewrite: Option<String>,
    pub maxmemory_policy: Option<String>,
    pub run_id: String,
    pub redis_version: String,
    /// Of Valkey, which reports an old `redis_version` beside it.
    pub valkey_version: Option<String>,
    pub role: String,
    pub aof_last_write_status: String,
    pub min_replicas_to_write: Option<String>,
    /// Of a primary, as it sees them.
    pub replicas: Vec<ReplicaState>,
}

/// One replica, as its primary sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicaState {
    pub address: String,
    /// `online` once it has all that there was when it came.
    pub state: String,
    /// Since it was last heard of.
    pub lag_s: Option<u64>,
}

impl ServerSettings {
    /// Major and minor; 0 where it cannot be read.
    pub fn version(&self) -> (u32, u32) {
        let mut parts = self
            .redis_version
            .split('.')
            .map(|part| part.parse().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    }

    /// As much as the server can tell of its replicas.
    pub fn asked_of_replica(&self) -> ReplicaHas {
        // Valkey reports a redis_version of 7.2 beside its own.
        if self.valkey_version.is_some() || self.version() >= (7, 2) {
            ReplicaHas::Fsynced
        } else {
            ReplicaHas::Received
        }
    }
}

impl Gate {
    /// The process id of the server, which changes with every start; of a cluster, that of any of its nodes.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn run_id(&self) -> Result<String, GateError> {
        Ok(info_field(&self.info("server").await?, "run_id").unwrap_or_default())
    }

    /// The same of the node that has each of `sales`: every node is asked once.
    ///
    /// # Errors
    /// [`GateError`].
    pub async fn run_ids(&self, sales: &[LiveId]) -> Result<Vec<Arc<str>>, GateError> {
        let client = self.pool().next();
        let nodes = client.is_clustered().then(|| client.cached_cluster_state());
        let Some(nodes) = nodes.flatten() else {
            return Ok(vec![self.run_id().await?.into(); sales.len()]);
        };
        let mut known: HashMap<Option<&Server>, Arc<str>> = HashMap::new();
        let mut run_ids = Vec::with_capacity(sales.len());
        for live in sales {
            let key = Keys::of(live).sale;
            let node = nodes.get_server(redis_slot(&key));
            let run_id = match known.get(&node) {
                Some(run_id) => Arc::clone(run_id),
                None => {
                    let info = self
                        .command("INFO", Some(&key), vec!["server".into()])
                        .await?;
                    let info = info.into_string().ok_or_else(|| broken("INFO"))?;
                    let run_id: Arc<str> = info_field(&info, "run_id").unwrap_or_default().into();
                    known.insert(node, Arc::clone(&run_id));
                    run_id
                }
            };
            run_ids.push(run_id);
        }
        Ok(run_ids)
    }

    /// # Errors
    /// [`GateError`]; settings that the server does not tell are `None`.
    pub async fn server_settings(&self) -> Result<ServerSettings, GateError> {
        let (server, replication, persistence) = (
            self.info("server").await?,
            self.info("replication").await?,
            self.info("persistence").await?,
        );
        let field = |info: &str, name: &str| info_field(info, name).unwrap_or_default();
        Ok(ServerSettings {
            appendonly: self.config("appendonly").await?,
            appendfsync: self.config("appendfsync").await?,
            no_appendfsync_on_rewrite: self.config("no-appendfsync-on-rewrite").await?,
            maxmemory_policy: self.config("maxmemory-policy").await?,
            run_id: field(&server, "run_id"),
            redis_version: field(&server, "redis_version"),
            valkey_version: info_field(&server, "valkey_version"),
            role: field(&replication, "role"),
            aof_last_write_status: field(&persistence, "aof_last_write_status"),
            min_replicas_to_write: self.config("min-replicas-to-write").await?,
            replicas: replicas(&replication),
        })
    }

    async fn info(&self, section: &str) -> Result<String, GateError> {
        self.command("INFO", None, vec![section.into()])
            .await?
            .into_string()
            .ok_or_else(|| broken("INFO"))
    }

    /// One server setting; `None` where the server does not tell.
    async fn config(&self, name: &str) -> Result<Option<String>, GateError> {
        let reply = match self
            .command("CONFIG", None, vec!["GET".into(), name.into()])
            .await
        {
            Err(GateError::Refused { .. }) => return Ok(None),
            other => other?,
        };
        Ok(array(reply)?
            .into_iter()
            .nth(1)
            .and_then(|v| v.into_string()))
    }
}

/// `slave0:ip=127.0.0.1,port=6380,state=online,offset=14,lag=0`
fn replicas(info: &str) -> Vec<ReplicaState> {
    let described = (0..).map_while(|i| info_field(info, &format!("slave{i}")));
    described
        .map(|text| {
            let field = |name: &str| {
                let fields = text.split(',').filter_map(|pair| pair.split_once('='));
                fields
                    .filter(|(field, _)| *field == name)
                    .map(|(_, value)| value.to_string())
                    .next()
            };
            let or_empty = |name| field(name).unwrap_or_default();
            ReplicaState {
                address: format!("{}:{}", or_empty("ip"), or_empty("port")),
                state: or_empty("state"),
                lag_s: field("lag").and_then(|lag| lag.parse().ok()),
            }
        })
        .collect()
}

fn info_field(info: &str, name: &str) -> Option<String> {
    info.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
        .map(|value| value.trim().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replicas_are_read_as_their_primary_lists_them() {
        let info = "role:master\r\nconnected_slaves:2\r\n\
            slave0:ip=127.0.0.1,port=6380,state=online,offset=14,lag=0\r\n\
            slave1:ip=10.0.0.2,port=6379,state=wait_bgsave,offset=0,lag=7\r\nmaster_replid:x\r\n";
        let replica = |address: &str, state: &str, lag_s| ReplicaState {
            address: address.into(),
            state: state.into(),
            lag_s: Some(lag_s),
        };
        assert_eq!(
            replicas(info),
            [
                replica("127.0.0.1:6380", "online", 0),
                replica("10.0.0.2:6379", "wait_bgsave", 7)
            ]
        );
        assert_eq!(replicas("role:slave\r\n"), []);
    }
}
