//! A sandbox of a test's own: the real program, beside or without a stage of back-offices.

use doorbuster_stage::{Program, Server, Stage, StageOptions};
use serde_json::{Value, json};

use crate::http::Call;
use crate::stage::name;

pub(crate) const WEBHOOK_SECRET: &str = "webhooks-of-tests-are-signed-with-this";

/// The sandbox's process.
pub(crate) struct Till {
    pub(crate) server: Server,
    /// Ends after it.
    _stage: Option<Stage>,
}

impl Till {
    /// On a stage that has nothing else.
    pub(crate) async fn start(script: &str, env: &[(&str, &str)]) -> Self {
        let stage = Stage::start(&StageOptions::redis_only()).unwrap();
        let server = Self::server(&stage, script, env);
        Self {
            server,
            _stage: Some(stage),
        }
    }

    /// Of a name and with books of its own.
    pub(crate) fn server(stage: &Stage, script: &str, env: &[(&str, &str)]) -> Server {
        let name = name("payment-sandbox");
        let dir = stage.dir().join(format!("{name}.books"));
        let path = std::path::Path::new(env!("CARGO_BIN_EXE_doorbuster-backoffice"));
        let mut all = vec![
            ("PAYMENT_SANDBOX_LISTEN", "127.0.0.1:{port}"),
            ("PAYMENT_WEBHOOK_SECRET", WEBHOOK_SECRET),
            ("PAYMENT_SANDBOX_SCRIPT", script),
        ];
        all.extend_from_slice(env);
        let dir = dir.display().to_string();
        all.push(("PAYMENT_SANDBOX_DIR", &dir));
        let program = Program {
            name: &name,
            path,
            args: &["payment-sandbox"],
            env: &all,
            port: None,
        };
        stage.start_program(&program).unwrap()
    }

    pub(crate) fn url(&self) -> &str {
        self.server.url()
    }

    pub(crate) async fn state(&self) -> Value {
        state(&self.server).await
    }
}

/// What a sandbox has.
pub(crate) async fn state(server: &Server) -> Value {
    Call::new(server.url(), "GET", "/control/state")
        .send()
        .await
        .ok(200)
}

/// Switches an outage.
pub(crate) async fn outage(server: &Server, mode: &str) {
    let call = Call::new(server.url(), "POST", "/control/outage");
    call.json(&json!({"mode": mode})).send().await.ok(200);
}
