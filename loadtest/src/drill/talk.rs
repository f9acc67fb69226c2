//! A few words to Redis, as an operator with a terminal would say them. Not for sales: those are asked through the audit.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::limits::ADMIN_TIMEOUT;

/// One command; the reply's first line, or the whole of a bulk reply.
///
/// # Errors
/// If there is no answer, or it is an error.
pub(super) async fn redis(port: u16, command: &[&str]) -> Result<String> {
    timeout(ADMIN_TIMEOUT, ask(port, command))
        .await
        .with_context(|| format!("{command:?} to redis"))?
        .with_context(|| format!("{command:?} to redis"))
}

async fn ask(port: u16, command: &[&str]) -> Result<String> {
    let mut stream = BufReader::new(TcpStream::connect(("127.0.0.1", port)).await?);
    let mut request = format!("*{}\r\n", command.len());
    for word in command {
        request += &format!("${}\r\n{word}\r\n", word.len());
    }
    stream.write_all(request.as_bytes()).await?;
    let mut line = String::new();
    stream.read_line(&mut line).await?;
    let line = line.trim_end();
    match line.split_at_checked(1) {
        Some(("$", length)) => {
            let mut body = vec![0; length.parse().context("a length")?];
            stream.read_exact(&mut body).await?;
            Ok(String::from_utf8_lossy(&body).into_owned())
        }
        Some(("-", error)) => bail!("{error}"),
        Some((_, text)) => Ok(text.to_owned()),
        None => bail!("no answer"),
    }
}

/// A field of `INFO`.
///
/// # Errors
/// If there is no such number.
pub(super) async fn info(port: u16, section: &str, field: &str) -> Result<u64> {
    let text = redis(port, &["INFO", section]).await?;
    let value = text
        .lines()
        .find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    value
        .and_then(|value| value.trim().parse().ok())
        .with_context(|| format!("INFO has no number {field}"))
}
