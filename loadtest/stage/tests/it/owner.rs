//! A stage owned by another process, which the tests of `leaving` then kill.

use std::env;
use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;

use anyhow::{Context, Result};
use doorbuster_stage::{Stage, StageOptions};

use crate::talk;

const SWITCH: &str = "STAGE_TEST_OWNER";
const ANNOUNCEMENT: &str = "owner has ";

/// A process that owns a stage with both servers, and what it said of them.
pub(crate) struct Owner {
    pub(crate) process: Child,
    pub(crate) dir: PathBuf,
    pub(crate) pids: Vec<u32>,
}

impl Owner {
    pub(crate) fn start() -> Result<Self> {
        let mut process = Command::new(env::current_exe()?)
            .args(["owner::own_a_stage_until_killed", "--exact", "--nocapture"])
            .env(SWITCH, "1")
            .process_group(0)
            .stdout(Stdio::piped())
            .spawn()?;
        let stdout = process.stdout.take().context("its output is piped")?;
        let said = BufReader::new(stdout)
            .lines()
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once(ANNOUNCEMENT)?.1.to_owned()))
            .context("the owner ended without a stage")?;
        let mut words = said.split(' ');
        let dir = words.next().context("a directory")?.into();
        let pids = words.map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self { process, dir, pids })
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // Already dead where a test went well; then there is nothing to report.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The owner's side: does something only where `Owner::start` has set the switch.
#[test]
fn own_a_stage_until_killed() -> Result<()> {
    if env::var_os(SWITCH).is_none() {
        return Ok(());
    }
    let stage = Stage::start(&StageOptions::servers())?;
    let redis = talk::pid(stage.redis())?;
    let mariadb = talk::pid(stage.mariadb())?;
    println!(
        "\n{ANNOUNCEMENT}{} {redis} {mariadb}",
        stage.dir().display()
    );
    loop {
        thread::park();
    }
}
