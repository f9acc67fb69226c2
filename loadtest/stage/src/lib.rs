//! Private servers for tests, demos and drills (Linux): Redis, MariaDB, an SMTP server, a payment sandbox, engines and back-offices on free ports of
//! 127.0.0.1 in one temporary directory, broken on request and stopped by pid.
//! Called by every integration test and by doorbuster-loadtest. Guarantees that nothing stays behind: neither process
//! nor directory, whether the owner returns, panics, is interrupted or is killed with SIGKILL.
//!
//! ```no_run
//! use doorbuster_stage::{Stage, StageOptions};
//!
//! # fn main() -> anyhow::Result<()> {
//! let stage = Stage::start(&StageOptions::whole(3))?;
//! println!("{} {} {}", stage.redis_url(), stage.database_url(), stage.engine(0).url());
//! stage.redis().kill9()?;
//! stage.redis().restart()?;
//! # Ok(())
//! # }
//! ```

mod options;
mod stage;

mod books;
mod guest;
mod hop;
mod live;
mod mail;
mod ours;

mod recipe;
mod server;
mod template;

mod guardian;
mod job;
mod ports;
mod programs;

mod config;
mod deadline;
mod http;
mod limits;
mod probe;
mod procfs;
mod random;

pub use deadline::eventually;
pub use guest::Program;
pub use hop::{Hop, Passing};
pub use job::Finished;
pub use options::{SandboxOptions, Servers, StageOptions};
pub use ports::free_port;
pub use server::Server;
pub use stage::Stage;
