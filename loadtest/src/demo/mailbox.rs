//! A mailbox that takes every mail sent to it, so that whoever signs up in the demo follows the link of a real mail. It speaks as much SMTP as the
//! back-office's mailer does (RFC 5321 §4.5.1), on this machine alone.

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::limits::{MAIL_BOUND, MAIL_BYTES_MAX, MAILS_WAITING_MAX};

/// Ends when dropped.
pub(super) struct Mailbox {
    url: String,
    mails: mpsc::Receiver<String>,
    task: JoinHandle<()>,
}

impl Drop for Mailbox {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Mailbox {
    pub(super) async fn open() -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await.context("mailbox")?;
        let url = format!("smtp://{}", listener.local_addr()?);
        let (sender, mails) = mpsc::channel(MAILS_WAITING_MAX);
        let task = tokio::spawn(async move {
            // One mailer, one connection at a time.
            while let Ok((stream, _)) = listener.accept().await {
                // A mailer that breaks off sends its mail again.
                let _ = converse(stream, &sender).await;
            }
        });
        Ok(Self { url, mails, task })
    }

    /// `SMTP_URL`.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// The token of the link in the next mail.
    pub(super) async fn token(&mut self) -> Result<String> {
        let mail = timeout(MAIL_BOUND, self.mails.recv()).await;
        let mail = mail.with_context(|| format!("no mail within {MAIL_BOUND:?}"))?;
        token(&mail.context("the mailbox is closed")?).context("a mail without a link")
    }
}

async fn converse(stream: TcpStream, mails: &mpsc::Sender<String>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 demo\r\n").await?;
    loop {
        let line = read_line(&mut stream).await?;
        let verb = line.split([' ', '\r']).next().unwrap_or_default();
        let answer = match verb.to_ascii_uppercase().as_str() {
            "EHLO" | "HELO" | "MAIL" | "RCPT" | "RSET" | "NOOP" => "250 ok\r\n",
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mail = read_mail(&mut stream).await?;
                match mails.try_send(mail) {
                    Ok(()) => "250 taken\r\n",
                    Err(_) => "452 the mailbox is full\r\n",
                }
            }
            "QUIT" => {
                stream.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => "502 not known here\r\n",
        };
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn read_line(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut line = String::new();
    let bound = MAIL_BYTES_MAX as u64;
    if stream.take(bound).read_line(&mut line).await? == 0 {
        bail!("the mailer went");
    }
    Ok(line)
}

async fn read_mail(stream: &mut BufReader<TcpStream>) -> Result<String> {
    let mut mail = String::new();
    loop {
        let line = read_line(stream).await?;
        if line == ".\r\n" {
            return Ok(mail);
        }
        if mail.len() + line.len() > MAIL_BYTES_MAX {
            bail!("a mail is too long");
        }
        mail.push_str(line.strip_prefix('.').unwrap_or(&line));
    }
}

/// What follows `token=`; long lines may have been broken, and `=` written as its code.
fn token(mail: &str) -> Option<String> {
    let whole = mail.replace("=\r\n", "").replace("=3D", "=");
    let (_, rest) = whole.split_once("?token=")?;
    let fits = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    let token: String = rest.chars().take_while(fits).collect();
    (!token.is_empty()).then_some(token)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_whether_or_not_its_line_was_broken() {
        let plain = "Subject: x\r\n\r\nopen http://a/account/confirm?token=ab-_9\r\nand so on";
        assert_eq!(token(plain).as_deref(), Some("ab-_9"));
        let broken = "http://a/account/confirm?token=3Dab=\r\n-_9 ";
        assert_eq!(token(broken).as_deref(), Some("ab-_9"));
        assert_eq!(token("nothing"), None);
    }

    #[tokio::test]
    async fn a_mail_that_is_sent_is_there() {
        let mut mailbox = Mailbox::open().await.unwrap();
        let address = mailbox.url().strip_prefix("smtp://").unwrap().to_owned();
        let mut stream = BufReader::new(TcpStream::connect(address).await.unwrap());
        let said = [
            ("", "220"),
            ("EHLO me\r\n", "250"),
            ("STARTTLS\r\n", "502"),
            ("MAIL FROM:<a@b.example>\r\n", "250"),
            ("RCPT TO:<c@d.example>\r\n", "250"),
            ("DATA\r\n", "354"),
            (
                "Subject: x\r\n\r\n..\r\nhttp://a/?token=abc\r\n.\r\n",
                "250",
            ),
            ("QUIT\r\n", "221"),
        ];
        for (command, code) in said {
            stream.write_all(command.as_bytes()).await.unwrap();
            assert!(
                read_line(&mut stream).await.unwrap().starts_with(code),
                "{command}"
            );
        }
        assert_eq!(mailbox.token().await.unwrap(), "abc");
    }
}
