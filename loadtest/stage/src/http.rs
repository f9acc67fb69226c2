//! The smallest HTTP/1.1 client that can ask a program whether it lives, and tell a sandbox to be away: one request, one status.
//! Called by `probe` and `stage` only; whoever tests HTTP itself brings a real client.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

use anyhow::{Context, Result};

use crate::limits::{PROBE_ANSWER_BYTES_MAX, PROBE_BOUND};

/// A connection to 127.0.0.1:`port` on which nothing waits for long.
pub(crate) fn connect(port: u16) -> Result<TcpStream> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let stream = TcpStream::connect_timeout(&address, PROBE_BOUND)?;
    stream.set_read_timeout(Some(PROBE_BOUND))?;
    stream.set_write_timeout(Some(PROBE_BOUND))?;
    Ok(stream)
}

/// The status of `GET path`.
pub(crate) fn get_status(port: u16, path: &str) -> Result<u16> {
    exchange(port, &format!("GET {path}"), "")
}

/// The status of `POST path` with a body of JSON.
pub(crate) fn post_status(port: u16, path: &str, body: &str) -> Result<u16> {
    exchange(port, &format!("POST {path}"), body)
}

fn exchange(port: u16, what: &str, body: &str) -> Result<u16> {
    let mut stream = connect(port)?;
    let length = body.len();
    write!(
        stream,
        "{what} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    let mut answer = Vec::new();
    stream
        .take(PROBE_ANSWER_BYTES_MAX)
        .read_to_end(&mut answer)?;
    status_of(&answer).context("the answer is not HTTP/1.1")
}

fn status_of(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let rest = std::str::from_utf8(line).ok()?.strip_prefix("HTTP/1.1 ")?;
    rest.get(..3)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_from_the_first_line() {
        assert_eq!(
            status_of(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"),
            Some(200)
        );
        assert_eq!(
            status_of(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
            Some(503)
        );
    }

    #[test]
    fn other_protocols_have_no_status() {
        for answer in [
            &b""[..],
            b"-ERR unknown command",
            b"HTTP/1.1 ",
            b"\xff\xfe\r\n",
        ] {
            assert_eq!(status_of(answer), None);
        }
    }
}
