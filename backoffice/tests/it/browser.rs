//! A real Chromium in front of the pages: `tests/pages/` drives it with playwright-core, this starts those scripts and talks with them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread;

use doorbuster_stage::Stage;
use serde_json::Value;
use tokio::sync::mpsc;

pub(crate) const EMAIL: &str = "olga@shop.example";
pub(crate) const PASSWORD: &str = "correct horse battery";

/// `node` in the folder of the pages' tests, told which stage it is about.
pub(crate) fn node(script: &str, stage: &Stage) -> Command {
    let tests = folder();
    let modules = tests.join("node_modules/playwright-core");
    assert!(
        modules.is_dir(),
        "playwright-core is missing: run loadtest/stage/install-servers.sh fmt clippy"
    );
    let mut command = Command::new("node");
    command
        .arg(script)
        .current_dir(tests)
        .env("BACKOFFICE_URL", stage.backoffice(0).url())
        .env("ENGINE_URL", stage.engine(0).url())
        .env("STAFF_EMAIL", EMAIL)
        .env("STAFF_PASSWORD", PASSWORD);
    command
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pages")
}

/// An admin with a password, as README tells an operator to make one.
pub(crate) fn make_admin(stage: &Stage) {
    let args = ["admin", "--email", EMAIL, "--password-stdin"];
    let made = stage.run_backoffice_reading(&args, PASSWORD).unwrap();
    made.success().unwrap();
}

/// A script that says what it wants done, one JSON a line, and is told what came of it.
pub(crate) struct Script {
    child: Child,
    stdin: ChildStdin,
    said: mpsc::UnboundedReceiver<Value>,
}

impl Script {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let (sender, said) = mpsc::unbounded_channel();
        thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                match serde_json::from_str(&line) {
                    Ok(value) => drop(sender.send(value)),
                    Err(_) => println!("{line}"),
                }
            }
        });
        Self {
            stdin: child.stdin.take().unwrap(),
            child,
            said,
        }
    }

    /// `None` once it has ended.
    pub(crate) async fn hear(&mut self) -> Option<Value> {
        self.said.recv().await
    }

    pub(crate) fn tell(&mut self, value: &Value) {
        writeln!(self.stdin, "{value}").unwrap();
    }

    /// Waits for its end. What failed in it, it has said itself.
    pub(crate) fn end(mut self) {
        assert!(self.child.wait().unwrap().success(), "see above");
    }
}
