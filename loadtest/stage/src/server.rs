//! One running server of a stage, and the ways to break it. Called by tests and drills, through a shared reference.
//! Every wait has a bound; a process is only ever signalled while it is an unreaped child, so never a stranger with its pid.
//! Dropping it kills the process.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::PathBuf;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};

use crate::deadline::eventually;
use crate::limits::{LOG_TAIL_BYTES_MAX, LOG_TAIL_LINES, PORT_TRIES_MAX, SIGNAL_BOUND};
use crate::ports::{free_port, is_free};
use crate::procfs;
use crate::recipe::Recipe;

/// A redis-server, database server, engine, back-office or program of the owner's on a port of 127.0.0.1.
pub struct Server {
    recipe: Recipe,
    /// Locked for moments only, never while something is awaited.
    process: Mutex<Process>,
}

enum Process {
    Running(Child),
    /// Reaped, or never started yet.
    Ended(ExitStatus),
}

/// What a look at a starting server shows.
enum Start {
    Ready,
    Ended(ExitStatus),
    /// Someone else answers on the port.
    Stranger,
}

impl Server {
    /// Starts what `recipe_for` says on a free port; on another one, if that port was taken in the meantime.
    pub(crate) fn start_on_free_port(recipe_for: impl Fn(u16) -> Recipe) -> Result<Self> {
        for _ in 0..PORT_TRIES_MAX {
            let server = Self::new(recipe_for(free_port()?));
            let started = server.start();
            if started.is_ok() {
                return Ok(server);
            }
            server.kill9()?;
            if is_free(server.port()) {
                started?;
            }
        }
        bail!("every one of {PORT_TRIES_MAX} free ports was taken before a server could bind it")
    }

    /// The same on the port that was chosen for it, if that is still free.
    pub(crate) fn start_on_chosen_port(
        chosen: Option<u16>,
        recipe_for: impl Fn(u16) -> Recipe,
    ) -> Result<Self> {
        match chosen.filter(|port| is_free(*port)) {
            Some(port) => Self::start_on(recipe_for(port)),
            None => Self::start_on_free_port(recipe_for),
        }
    }

    /// Starts what `recipe` says on the port that it says.
    pub(crate) fn start_on(recipe: Recipe) -> Result<Self> {
        let server = Self::new(recipe);
        server.start()?;
        Ok(server)
    }

    fn new(recipe: Recipe) -> Self {
        Self {
            recipe,
            process: Mutex::new(Process::Ended(ExitStatus::default())),
        }
    }

    /// Its name in the stage, such as `redis` or `engine-0`.
    pub fn name(&self) -> &str {
        &self.recipe.name
    }

    /// Where it is reached: `redis://…`, `mysql://…` or `http://…`.
    pub fn url(&self) -> &str {
        &self.recipe.url
    }

    /// Its port on 127.0.0.1, the same after every restart.
    pub fn port(&self) -> u16 {
        self.recipe.port
    }

    /// Its process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        match &*self.process() {
            Process::Running(child) => Some(child.id()),
            Process::Ended(_) => None,
        }
    }

    /// Time on a processor so far, all threads together; zero where it does not run.
    pub fn cpu_time(&self) -> Duration {
        self.pid().and_then(procfs::cpu_time).unwrap_or_default()
    }

    /// Memory in RAM, in bytes; zero where it does not run.
    pub fn resident_bytes(&self) -> u64 {
        self.pid()
            .and_then(procfs::resident_bytes)
            .unwrap_or_default()
    }

    /// Whether its process runs; a frozen one does.
    pub fn is_running(&self) -> bool {
        self.pid().is_some()
    }

    /// Starts it on its port with the data it has, and waits until it answers.
    pub fn start(&self) -> Result<()> {
        if self.is_running() {
            bail!("{} runs already", self.name());
        }
        let pid = self.spawn()?;
        let port = self.port();
        match eventually(self.recipe.start_bound, || self.look(pid)) {
            Some(Start::Ready) => Ok(()),
            Some(Start::Stranger) => bail!("port {port} of {} is taken", self.name()),
            Some(Start::Ended(status)) => {
                bail!("{} ended with {status}:\n{}", self.name(), self.tail())
            }
            None => bail!(
                "{} does not answer on port {port} after {:?}:\n{}",
                self.name(),
                self.recipe.start_bound,
                self.tail()
            ),
        }
    }

    /// Kills it if it runs, and starts it again with the same data.
    pub fn restart(&self) -> Result<()> {
        self.kill9()?;
        self.start()
    }

    /// SIGKILL: the process gets no chance to do anything more. No effect on a stopped server.
    pub fn kill9(&self) -> Result<()> {
        if let Process::Running(child) = &mut *self.process() {
            child.kill()?;
        }
        self.wait_exit(SIGNAL_BOUND).map(drop)
    }

    /// SIGTERM, and its exit status; an error if it has not ended within `bound`, in which case it runs on.
    pub fn terminate(&self, bound: Duration) -> Result<ExitStatus> {
        self.signal(Signal::TERM)?;
        self.wait_exit(bound)
    }

    /// Waits until it has ended, by itself or by a signal sent before; an error if it has not within `bound`.
    pub fn wait_exit(&self, bound: Duration) -> Result<ExitStatus> {
        eventually(bound, || self.exit_status())
            .with_context(|| format!("{} has not ended within {bound:?}", self.name()))
    }

    /// SIGSTOP: it keeps its connections and locks, and does nothing. Returns once it stands still.
    pub fn freeze(&self) -> Result<()> {
        let pid = self.signal(Signal::STOP)?;
        eventually(SIGNAL_BOUND, || {
            (procfs::state(pid) == Some('T')).then_some(())
        })
        .with_context(|| format!("{} does not stand still after SIGSTOP", self.name()))
    }

    /// SIGCONT: it goes on where it stood still.
    pub fn thaw(&self) -> Result<()> {
        self.signal(Signal::CONT).map(drop)
    }

    /// The file with what it wrote to its standard output and error, over all its restarts.
    pub fn log_path(&self) -> PathBuf {
        self.recipe.log_path()
    }

    /// The last `lines` lines of its log.
    pub fn log_tail(&self, lines: usize) -> String {
        let text = self.log_end().unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }

    pub(crate) fn tail(&self) -> String {
        self.log_tail(LOG_TAIL_LINES)
    }

    fn log_end(&self) -> std::io::Result<String> {
        let mut log = File::open(self.log_path())?;
        let begin = log.metadata()?.len().saturating_sub(LOG_TAIL_BYTES_MAX);
        log.seek(SeekFrom::Start(begin))?;
        let mut bytes = Vec::new();
        log.take(LOG_TAIL_BYTES_MAX).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn spawn(&self) -> Result<u32> {
        let child = self.recipe.spawn()?;
        let pid = child.id();
        *self.process() = Process::Running(child);
        Ok(pid)
    }

    /// `None` as long as it neither answers nor has ended.
    fn look(&self, pid: u32) -> Option<Start> {
        if let Some(exit) = self.exit_status() {
            return Some(Start::Ended(exit));
        }
        if !self.recipe.probe.answers(self.port()) {
            return None;
        }
        if procfs::listens(pid, self.port()) {
            return Some(Start::Ready);
        }
        Some(Start::Stranger)
    }

    fn exit_status(&self) -> Option<ExitStatus> {
        match *self.process() {
            Process::Running(_) => None,
            Process::Ended(exit) => Some(exit),
        }
    }

    fn signal(&self, signal: Signal) -> Result<u32> {
        match &*self.process() {
            Process::Running(child) => {
                kill_process(Pid::from_child(child), signal)?;
                Ok(child.id())
            }
            Process::Ended(_) => bail!("{} does not run", self.name()),
        }
    }

    /// Its state now: a child that has ended in the meantime is reaped first.
    fn process(&self) -> MutexGuard<'_, Process> {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        if let Process::Running(child) = &mut *process
            && let Ok(Some(exit)) = child.try_wait()
        {
            *process = Process::Ended(exit);
        }
        process
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Err(error) = self.kill9() {
            eprintln!("stage: {error:#}");
        }
    }
}
