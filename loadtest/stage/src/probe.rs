//! Whether a server that was just started answers in its own protocol. Called by `server` until it does.

use std::io::{Read, Write};

use anyhow::Result;

use crate::http;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Probe {
    /// PING is answered by PONG, which Redis refuses while it loads its file.
    Redis,
    /// The server greets: it does so only when it accepts clients.
    Database,
    /// The server greets with 220.
    Mail,
    /// `GET /livez` is answered by 200.
    Program,
}

/// First byte of the greeting's payload; an error packet begins with 0xff instead.
const GREETING_VERSION: u8 = 10;

impl Probe {
    pub(crate) fn answers(self, port: u16) -> bool {
        match self {
            Self::Redis => redis_pongs(port),
            Self::Database => database_greets(port),
            Self::Mail => mail_greets(port),
            Self::Program => http::get_status(port, "/livez").map(|status| status == 200),
        }
        .unwrap_or(false)
    }
}

fn redis_pongs(port: u16) -> Result<bool> {
    let mut stream = http::connect(port)?;
    stream.write_all(b"PING\r\n")?;
    let mut answer = [0; 7];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"+PONG\r\n")
}

fn mail_greets(port: u16) -> Result<bool> {
    let mut stream = http::connect(port)?;
    let mut answer = [0; 4];
    stream.read_exact(&mut answer)?;
    Ok(&answer == b"220 ")
}

fn database_greets(port: u16) -> Result<bool> {
    let mut stream = http::connect(port)?;
    // Three bytes of length, one of sequence, then the payload.
    let mut answer = [0; 5];
    stream.read_exact(&mut answer)?;
    Ok(answer[4] == GREETING_VERSION)
}
