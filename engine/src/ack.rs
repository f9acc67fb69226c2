//! Whether Redis is set to keep what an acknowledgement promises (design §3, Ack levels).
//!
//! Checked at start and every few seconds; below the asked level the front admits nobody and `/readyz` names the setting.

use std::sync::Arc;

use arc_swap::ArcSwap;
use doorbuster_core::gate::Gate;
use doorbuster_core::gate::reads::ServerSettings;
use tokio_util::sync::CancellationToken;

use crate::config::AckLevel;
use crate::limits::SELF_CHECK_EVERY;
use crate::metrics;

/// What the last check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AckState {
    /// Each names a setting, what it is, and what it must be. Empty: the level is met.
    pub problems: Vec<String>,
    /// False where a managed server hides its settings: then the level is declared, not verified.
    pub verified: bool,
}

/// The asked level and the last finding.
#[derive(Debug)]
pub struct AckWatch {
    pub level: AckLevel,
    state: ArcSwap<AckState>,
}

impl AckWatch {
    pub(crate) fn new(level: AckLevel) -> Self {
        let unknown = AckState {
            problems: vec!["redis has not been checked yet".into()],
            verified: false,
        };
        Self {
            level,
            state: ArcSwap::from_pointee(unknown),
        }
    }

    pub fn state(&self) -> Arc<AckState> {
        self.state.load_full()
    }

    /// Whether an acknowledgement would be worth what it says.
    pub fn is_met(&self) -> bool {
        self.state.load().problems.is_empty()
    }

    /// Checks until told to stop.
    pub(crate) async fn watch(&self, gate: &Gate, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            let found = match gate.server_settings().await {
                Ok(settings) => judge(self.level, &settings),
                Err(e) => AckState {
                    problems: vec![e.to_string()],
                    verified: false,
                },
            };
            ::metrics::gauge!(metrics::ACK_OK).set(if found.problems.is_empty() {
                1.0
            } else {
                0.0
            });
            if *self.state.load_full() != found {
                tracing::info!(ack_level = self.level.as_str(), verified = found.verified, problems = ?found.problems, "ack level checked");
                self.state.store(Arc::new(found));
            }
            let pause = if self.is_met() {
                SELF_CHECK_EVERY
            } else {
                SELF_CHECK_EVERY / 10
            };
            let _ = stop.run_until_cancelled(tokio::time::sleep(pause)).await;
        }
    }
}

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
    if level == AckLevel::Fsync {
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
    let major = settings
        .redis_version
        .split('.')
        .next()
        .and_then(|v| v.parse::<u32>().ok())
        .unwrap_or(0);
    if major < 7 {
        problems.push(format!(
            "the server's version is {}, must be 7.0 or later",
            settings.redis_version
        ));
    }
    AckState { problems, verified }
}

#[cfg(test)]
mod tests {
    use super::*;

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
        }
    }

    #[test]
    fn a_server_that_fsyncs_every_write_meets_fsync() {
        assert_eq!(
            judge(AckLevel::Fsync, &good()),
            AckState {
                problems: vec![],
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
            let problems = judge(AckLevel::Fsync, &settings).problems;
            assert!(
                problems.len() == 1 && problems[0].contains(name),
                "{name}: {problems:?}"
            );
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
                verified: false
            }
        );
    }
}
