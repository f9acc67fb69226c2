//! What the tests need to know of the world: one Redis command at a time, and whether a process lives.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};

/// Long enough for a loaded machine; reached only by a failing test.
pub(crate) const BOUND: Duration = Duration::from_secs(20);

/// The first line of Redis' answer to one inline command.
pub(crate) fn redis(port: u16, command: &str) -> Result<String> {
    lines(port, command, 1)
}

/// The first `count` lines of the answer, joined by a space.
pub(crate) fn lines(port: u16, command: &str, count: usize) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(BOUND))?;
    write!(stream, "{command}\r\n")?;
    let lines: Result<Vec<String>, _> = BufReader::new(stream).lines().take(count).collect();
    Ok(lines?.join(" "))
}

/// Running, sleeping or stopped; a zombie that nobody has reaped yet is dead.
pub(crate) fn is_alive(pid: u32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else {
        return false;
    };
    let state = stat.rsplit_once(')').map(|(_, rest)| rest.trim_start());
    !state.is_some_and(|state| state.starts_with(['Z', 'X']))
}

/// The process of a running server.
pub(crate) fn pid(server: &doorbuster_stage::Server) -> Result<u32> {
    server
        .pid()
        .with_context(|| format!("{} does not run", server.name()))
}
