//! One keep-alive HTTP/1.1 connection: bytes out, one whole answer in. Called by `pool` and by calls to the back-office.
//!
//! Written out rather than taken from a library for two reasons. The user who loses an answer must do so after the last
//! byte of the request has left, which libraries do not tell; and an exchange costs one write and one read, no task and no
//! channel, on a machine that the harness shares with what it measures. Heads are read by httparse.

use std::net::SocketAddr;
use std::ops::Range;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::history::Broken;
use crate::limits::{
    ANSWER_BODY_BYTES_MAX, ANSWER_HEAD_BYTES_MAX, ANSWER_HEADERS_MAX, CONNECT_TIMEOUT,
};

const READ_BYTES: usize = 4 * 1024;

/// An open connection with nothing under way.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    /// What has been read of the present answer; kept for its capacity.
    buffer: Vec<u8>,
}

/// An answer, lent from the connection's buffer.
#[derive(Debug)]
pub struct Response<'a> {
    pub status: u16,
    pub retry_after_s: Option<u32>,
    pub body: &'a [u8],
    pub then: Then,
}

/// What becomes of the connection after an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Reuse,
    Close,
}

struct Head {
    status: u16,
    retry_after_s: Option<u32>,
    body: Range<usize>,
    then: Then,
}

impl Connection {
    /// # Errors
    /// [`Broken::Unreachable`] where nobody listens, or does not accept in time.
    pub async fn open(address: SocketAddr) -> Result<Self, Broken> {
        let opened = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let stream = opened
            .map_err(|_| Broken::Unreachable)?
            .map_err(|_| Broken::Unreachable)?;
        stream.set_nodelay(true).map_err(|_| Broken::Unreachable)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(READ_BYTES),
        })
    }

    /// Puts a whole request on the wire.
    ///
    /// # Errors
    /// [`Broken::Reset`] if the other end is gone.
    pub async fn send(&mut self, request: &[u8]) -> Result<(), Broken> {
        self.stream
            .write_all(request)
            .await
            .map_err(|_| Broken::Reset)
    }

    /// Reads one whole answer.
    ///
    /// # Errors
    /// [`Broken::Reset`] if the connection ends before the answer does; [`Broken::Garbled`] if it is no answer.
    pub async fn receive(&mut self) -> Result<Response<'_>, Broken> {
        self.buffer.clear();
        let head = loop {
            self.read().await?;
            if let Some(head) = read_head(&self.buffer)? {
                break head;
            }
        };
        while self.buffer.len() < head.body.end {
            self.read().await?;
        }
        // More than was announced would be taken for the next answer.
        if self.buffer.len() > head.body.end {
            return Err(Broken::Garbled);
        }
        let Head {
            status,
            retry_after_s,
            body,
            then,
        } = head;
        Ok(Response {
            status,
            retry_after_s,
            body: &self.buffer[body],
            then,
        })
    }

    async fn read(&mut self) -> Result<(), Broken> {
        self.buffer.reserve(READ_BYTES);
        match self.stream.read_buf(&mut self.buffer).await {
            Ok(0) | Err(_) => Err(Broken::Reset),
            Ok(_) => Ok(()),
        }
    }
}

/// `None` until the head is whole.
fn read_head(bytes: &[u8]) -> Result<Option<Head>, Broken> {
    let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut headers);
    let status = match parsed.parse(bytes).map_err(|_| Broken::Garbled)? {
        httparse::Status::Partial if bytes.len() > ANSWER_HEAD_BYTES_MAX => {
            return Err(Broken::Garbled);
        }
        httparse::Status::Partial => return Ok(None),
        httparse::Status::Complete(length) => (parsed.code.ok_or(Broken::Garbled)?, length),
    };
    let (status, begin) = status;
    let mut head = Head {
        status,
        retry_after_s: None,
        body: begin..begin,
        then: Then::Reuse,
    };
    for header in parsed.headers.iter() {
        let value = std::str::from_utf8(header.value)
            .map_err(|_| Broken::Garbled)?
            .trim();
        if header.name.eq_ignore_ascii_case("content-length") {
            let length: Option<usize> = value
                .parse()
                .ok()
                .filter(|length| *length <= ANSWER_BODY_BYTES_MAX);
            head.body.end = begin + length.ok_or(Broken::Garbled)?;
        } else if header.name.eq_ignore_ascii_case("retry-after") {
            head.retry_after_s = value.parse().ok();
        } else if header.name.eq_ignore_ascii_case("connection")
            && value.eq_ignore_ascii_case("close")
        {
            head.then = Then::Close;
        } else if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Err(Broken::Garbled);
        }
    }
    Ok(Some(head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Result<Option<Head>, Broken> {
        read_head(text.as_bytes())
    }

    #[test]
    fn a_head_is_read_once_it_is_whole() {
        let text = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nContent-Length: 5\r\nConnection: close\r\n\r\n";
        assert!(head(&text[..text.len() - 1]).unwrap().is_none());
        let found = head(text).unwrap().unwrap();
        assert_eq!(
            (found.status, found.retry_after_s, found.then),
            (503, Some(2), Then::Close)
        );
        assert_eq!(found.body, text.len()..text.len() + 5);
    }

    #[test]
    fn what_is_out_of_bounds_is_garbled() {
        let bad = [
            "SSH-2.0-OpenSSH\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        ];
        for text in bad {
            assert!(matches!(head(text), Err(Broken::Garbled)), "{text}");
        }
        assert!(matches!(
            head(&format!("HTTP/1.1 200 OK\r\nx: {}", "x".repeat(20_000))),
            Err(Broken::Garbled)
        ));
    }
}
