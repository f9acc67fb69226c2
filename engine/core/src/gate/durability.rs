//! Whether Redis keeps what an ack level rests on: its settings, its state, and for level `replica` what its replicas do. For both programs.

use super::Gate;
use super::replicas::ReplicaHas;
use super::server::ServerSettings;
use crate::ack::AckLevel;
use crate::limits::REPLICA_LAG_MAX_S;

/// What a look found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckState {
    /// Each names a setting, what it is, and what it must be. Empty: the level is met.
    pub problems: Vec<String>,
    /// What would be better otherwise, though the level is met without it.
    pub advice: Vec<String>,
    /// False where a managed server hides its settings: then the level is declared, not verified.
    pub verified: bool,
}

impl AckState {
    pub fn unverified(problem: String) -> Self {
        Self {
            problems: vec![problem],
            advice: Vec::new(),
            verified: false,
        }
    }

    pub fn is_met(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Gate {
    /// Looks, and asks of replicas from now on as much as the server can tell of them; after a failover it may be another one.
    pub async fn look_at_durability(&self, level: AckLevel) -> AckState {
        let settings = match self.server_settings().await {
            Ok(settings) => settings,
            Err(e) => return AckState::unverified(e.to_string()),
        };
        let mut found = judge(level, &settings);
        if level == AckLevel::Replica {
            self.require_of_replica(settings.asked_of_replica());
            if found.is_met() {
                found.problems.extend(try_replica(self).await);
            }
        }
        found
    }
}

/// What its settings say to the level.
fn judge(level: AckLevel, settings: &ServerSettings) -> AckState {
    let mut problems = Vec::new();
    let mut verified = true;
    let mut want = |name: &str, is: &Option<String>, allowed: &[&str]| match is {
        Some(is) if allowed.contains(&is.as_str()) => {}
        Some(is) => problems.push(format!("{name} is {is}, must be {}", allowed.join(" or "))),
        None => verified = false,
    };
    want(
        "maxmemory-policy",
        &settings.maxmemory_policy,
        &["noeviction"],
    );
    want("appendonly", &settings.appendonly, &["yes"]);
    if matches!(level, AckLevel::Fsync | AckLevel::Replica) {
        want("appendfsync", &settings.appendfsync, &["always"]);
        want(
            "no-appendfsync-on-rewrite",
            &settings.no_appendfsync_on_rewrite,
            &["no"],
        );
    }
    if settings.role != "master" {
        problems.push(format!(
            "the server's role is {}, must be master",
            settings.role
        ));
    }
    if settings.aof_last_write_status == "err" {
        problems.push(
            "the server could not write its append-only file (aof_last_write_status is err)".into(),
        );
    }
    if settings.version() < (7, 0) {
        problems.push(format!(
            "the server's version is {}, must be 7.0 or later",
            settings.redis_version
        ));
    }
    let mut advice = Vec::new();
    if level == AckLevel::Replica {
        problems.extend(without_replica(settings));
        match settings.min_replicas_to_write.as_deref() {
            Some("0") => advice.push(
                "min-replicas-to-write is 0; 1 keeps redis from deciding what no replica will confirm".into(),
            ),
            Some(_) => {}
            None => verified = false,
        }
    }
    AckState {
        problems,
        advice,
        verified,
    }
}

/// Why no replica can be expected to confirm anything.
fn without_replica(settings: &ServerSettings) -> Option<String> {
    if settings.role != "master" {
        // It is said already, and a replica lists none of its own.
        return None;
    }
    let is_good = |lag: Option<u64>| lag.is_some_and(|lag| lag <= REPLICA_LAG_MAX_S);
    let mut replicas = settings.replicas.iter();
    if replicas.any(|replica| replica.state == "online" && is_good(replica.lag_s)) {
        return None;
    }
    let Some(first) = settings.replicas.first() else {
        return Some(
            "connected replicas are 0, must be at least 1: set replicaof on another server".into(),
        );
    };
    let lag = first
        .lag_s
        .map_or("unknown".into(), |lag| format!("{lag} s"));
    Some(format!(
        "no replica is online and at most {REPLICA_LAG_MAX_S} s behind: {} is {}, its lag {lag}",
        first.address, first.state
    ))
}

/// Has a replica confirm a write, as it will have to confirm what is accepted.
async fn try_replica(gate: &Gate) -> Option<String> {
    let fix = match gate.replica_has() {
        Some(ReplicaHas::Fsynced) => {
            "no replica says in time that a write is on its disk: its appendonly must be yes, and it must keep up"
        }
        _ => "no replica confirms a write in time: it must keep up",
    };
    match gate.replica_confirms().await {
        Ok(true) => None,
        Ok(false) => Some(fix.into()),
        Err(e) => Some(e.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::server::ReplicaState;

    fn good() -> ServerSettings {
        ServerSettings {
            appendonly: Some("yes".into()),
            appendfsync: Some("always".into()),
            no_appendfsync_on_rewrite: Some("no".into()),
            maxmemory_policy: Some("noeviction".into()),
            run_id: "r".into(),
            redis_version: "7.0.15".into(),
            valkey_version: None,
            role: "master".into(),
            aof_last_write_status: "ok".into(),
            min_replicas_to_write: Some("1".into()),
            replicas: vec![replica("online", Some(1))],
        }
    }

    fn replica(state: &str, lag_s: Option<u64>) -> ReplicaState {
        ReplicaState {
            address: "10.0.0.2:6379".into(),
            state: state.into(),
            lag_s,
        }
    }

    #[test]
    fn a_server_that_fsyncs_every_write_meets_fsync() {
        assert_eq!(
            judge(AckLevel::Fsync, &good()),
            AckState {
                problems: vec![],
                advice: vec![],
                verified: true
            }
        );
    }

    #[test]
    fn each_setting_below_the_level_is_named() {
        type Change = fn(&mut ServerSettings);
        let changes: [(&str, Change); 7] = [
            ("appendonly", |s| s.appendonly = Some("no".into())),
            ("appendfsync", |s| s.appendfsync = Some("everysec".into())),
            ("no-appendfsync-on-rewrite", |s| {
                s.no_appendfsync_on_rewrite = Some("yes".into())
            }),
            ("maxmemory-policy", |s| {
                s.maxmemory_policy = Some("allkeys-lru".into())
            }),
            ("role", |s| s.role = "slave".into()),
            ("aof_last_write_status", |s| {
                s.aof_last_write_status = "err".into()
            }),
            ("version", |s| s.redis_version = "6.2.1".into()),
        ];
        for (name, change) in changes {
            let mut settings = good();
            change(&mut settings);
            for level in [AckLevel::Fsync, AckLevel::Replica] {
                let problems = judge(level, &settings).problems;
                assert!(
                    problems.len() == 1 && problems[0].contains(name),
                    "{name}: {problems:?}"
                );
            }
        }
    }

    #[test]
    fn everysec_is_enough_for_memory() {
        let settings = ServerSettings {
            appendfsync: Some("everysec".into()),
            ..good()
        };
        assert!(judge(AckLevel::Memory, &settings).problems.is_empty());
    }

    #[test]
    fn hidden_settings_make_the_level_declared_not_verified() {
        let settings = ServerSettings {
            appendfsync: None,
            ..good()
        };
        assert_eq!(
            judge(AckLevel::Fsync, &settings),
            AckState {
                problems: vec![],
                advice: vec![],
                verified: false
            }
        );
    }

    #[test]
    fn a_replica_that_cannot_confirm_is_named_with_what_is_to_be_done() {
        let found = |replicas| {
            let settings = ServerSettings { replicas, ..good() };
            judge(AckLevel::Replica, &settings).problems
        };
        assert!(found(vec![replica("online", Some(REPLICA_LAG_MAX_S))]).is_empty());
        let one_of_two = vec![replica("wait_bgsave", Some(0)), replica("online", Some(0))];
        assert!(found(one_of_two).is_empty());
        for (replicas, named) in [
            (vec![], "replicaof"),
            (vec![replica("online", Some(REPLICA_LAG_MAX_S + 1))], "lag"),
            (vec![replica("online", None)], "10.0.0.2:6379"),
            (vec![replica("send_bulk", Some(0))], "send_bulk"),
        ] {
            let problems = found(replicas);
            assert!(
                problems.len() == 1 && problems[0].contains(named),
                "{named}: {problems:?}"
            );
        }
        let settings = ServerSettings {
            replicas: vec![],
            ..good()
        };
        for level in [AckLevel::Memory, AckLevel::Fsync, AckLevel::Mysql] {
            assert!(judge(level, &settings).problems.is_empty(), "{level:?}");
        }
    }

    #[test]
    fn a_primary_that_goes_on_without_replicas_is_met_with_advice() {
        let mut settings = good();
        assert_eq!(judge(AckLevel::Replica, &settings).advice, [""; 0]);
        settings.min_replicas_to_write = Some("0".into());
        let found = judge(AckLevel::Replica, &settings);
        assert!(found.problems.is_empty() && found.verified);
        assert!(found.advice[0].contains("min-replicas-to-write is 0"));
        settings.min_replicas_to_write = None;
        assert!(!judge(AckLevel::Replica, &settings).verified);
    }

    #[test]
    fn a_replica_must_have_fsynced_where_the_server_can_tell() {
        for (redis, valkey, asked) in [
            ("7.0.15", None, ReplicaHas::Received),
            ("7.2.0", None, ReplicaHas::Fsynced),
            ("8.0.1", None, ReplicaHas::Fsynced),
            ("7.2.4", Some("8.0.1"), ReplicaHas::Fsynced),
        ] {
            let settings = ServerSettings {
                redis_version: redis.into(),
                valkey_version: valkey.map(str::to_string),
                ..good()
            };
            assert_eq!(settings.asked_of_replica(), asked, "{redis}");
        }
    }
}
