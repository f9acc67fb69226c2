//! Hands mails to the SMTP server, one at a time. Any number of back-offices may: each takes what no other has locked.
//!
//! A row is deleted in the transaction in which its mail was taken by the server; a crash between the two sends it a second time, under the same
//! Message-ID. What fails is tried again, later and later, and so is what the server refuses because of us; what it refuses for good, or what
//! has expired, is kept as dead.

use std::time::Duration;

use anyhow::{Context as _, Result};
use doorbuster_core::clock;
use lettre::address::Address;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::AsyncSmtpTransport;
use lettre::{AsyncTransport as _, Tokio1Executor};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::store::{self, Due};
use super::{Kind, text};
use crate::accounts::keys::{self, Nonce};
use crate::accounts::secret::Secret;
use crate::app::App;
use crate::language::Language;
use crate::limits::{MAIL_EVERY, MAIL_RETRY_FIRST, MAIL_RETRY_MAX, MAIL_TRIES_MAX, SMTP_TIMEOUT};
use crate::metrics;

/// The way out.
pub(crate) struct Sender {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

/// What became of a try. The words are those of metrics and of the books.
enum Outcome {
    Sent,
    /// Worth another try.
    Failed(&'static str),
    Refused(&'static str),
}

impl Sender {
    /// # Errors
    /// Where `smtp_url` is none; what it says is not repeated, because it has a password.
    pub(crate) fn new(smtp_url: &str, from: Mailbox) -> Option<Self> {
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(smtp_url).ok()?;
        Some(Self {
            transport: transport.timeout(Some(SMTP_TIMEOUT)).build(),
            from,
        })
    }

    /// Sends what is due, until `stop`; a mail that is under way is finished.
    pub(crate) async fn run(self, app: App, stop: CancellationToken) {
        loop {
            match self.send_one(&app).await {
                Ok(true) if !stop.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(error = format!("{error:#}"), "mails wait"),
            }
            let woken = async {
                tokio::select! {
                    () = app.people.mail_written.notified() => {}
                    () = sleep(MAIL_EVERY) => {}
                }
            };
            if stop.run_until_cancelled(woken).await.is_none() {
                return;
            }
        }
    }

    /// Whether there was one.
    async fn send_one(&self, app: &App) -> Result<bool> {
        let mut tx = app.books.begin().await?;
        let Some(due) = store::lock_due(&mut tx).await? else {
            return Ok(false);
        };
        let outcome = if due.expires_at <= clock::now() {
            Outcome::Refused("expired")
        } else {
            let token = token(app, &due).await?;
            self.hand_over(app, &due, &token).await
        };
        match outcome {
            Outcome::Sent => {
                metrics::mail("sent");
                store::delete(&mut tx, due.mail_id).await?;
            }
            Outcome::Failed(why) if due.tries + 1 < MAIL_TRIES_MAX => {
                metrics::mail("failed");
                tracing::warn!(
                    mail = due.mail_id,
                    why,
                    tries = due.tries + 1,
                    "a mail was not sent; it will be tried again"
                );
                store::retry(&mut tx, due.mail_id, pause_after(due.tries), why).await?;
            }
            Outcome::Failed(why) | Outcome::Refused(why) => {
                metrics::mail("dead");
                tracing::error!(
                    alarm = "dead_mail",
                    mail = due.mail_id,
                    why,
                    "a mail will not be sent"
                );
                store::bury(&mut tx, due.mail_id, why).await?;
            }
        }
        tx.commit().await?;
        Ok(true)
    }

    async fn hand_over(&self, app: &App, due: &Due, token: &Secret) -> Outcome {
        let message = match self.compose(app, due, token) {
            Ok(message) => message,
            // What it says is not logged: it may name the recipient.
            Err(_) => return Outcome::Refused("unfit"),
        };
        // The transport itself bounds only the connecting: a server that then says nothing would keep all mails waiting.
        let Ok(sent) = timeout(SMTP_TIMEOUT, self.transport.send(message)).await else {
            return Outcome::Failed("timeout");
        };
        match sent {
            Ok(_) => Outcome::Sent,
            Err(error) if error.status().map(u16::from).is_some_and(is_about_us) => {
                Outcome::Failed("deferred")
            }
            Err(error) if error.is_permanent() => Outcome::Refused("refused"),
            Err(error) if error.is_transient() => Outcome::Failed("deferred"),
            Err(error) if error.is_timeout() => Outcome::Failed("timeout"),
            Err(_) => Outcome::Failed("unreachable"),
        }
    }

    fn compose(&self, app: &App, due: &Due, token: &Secret) -> Result<Message> {
        let kind = Kind::of_word(&due.kind).context("a kind of mail that nobody knows")?;
        let language = Language::of_code(&due.language);
        let text = text::text(kind, language, &app.people.public_url, token);
        let id = format!(
            "<{}.{}@{}>",
            due.mail_id,
            due.created_at.timestamp_micros(),
            self.from.email.domain()
        );
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, due.recipient.parse::<Address>()?))
            .message_id(Some(id))
            .subject(text.subject)
            .header(ContentType::TEXT_PLAIN)
            .body(text.body)?;
        Ok(message)
    }
}

/// The token of a link: as the current secret makes it, or, of a mail that was written before the secret was changed, as the previous one does.
async fn token(app: &App, due: &Due) -> Result<Secret> {
    let keys = &app.people.keys;
    let Some(nonce) = due.nonce.as_deref() else {
        return Ok(Secret::new(""));
    };
    let nonce = &Nonce::try_from(nonce)?;
    if Kind::of_word(&due.kind).is_some_and(Kind::is_of_order) {
        // Of no token, but the order itself, whose page asks for a sign-in.
        return Ok(Secret::new(Uuid::from_bytes(*nonce).to_string()));
    }
    match keys.mailed_before(nonce) {
        Some(before) if store::is_awaited(&app.books, &keys::hash(&before)).await? => Ok(before),
        _ => Ok(keys.mailed(nonce)),
    }
}

/// Whether a server that answers so refuses us rather than this mail: it wants another sign-in, or takes nothing from us. Whatever is
/// wrong there may be mended, and mails are not to die of it. 554 is a greeting's too (RFC 5321 §3.1) and does not say which it was, so
/// that a mail it is about is tried in vain.
fn is_about_us(status: u16) -> bool {
    matches!(status, 530 | 534 | 535 | 538 | 554)
}

fn pause_after(tries: u32) -> Duration {
    let doubled = 2_u32.checked_pow(tries).unwrap_or(u32::MAX);
    MAIL_RETRY_FIRST.saturating_mul(doubled).min(MAIL_RETRY_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_of_us_is_held_against_no_mail() {
        for ours in [530, 534, 535, 538, 554] {
            assert!(is_about_us(ours), "{ours}");
        }
        for the_mails in [500, 501, 550, 551, 552, 553, 555] {
            assert!(!is_about_us(the_mails), "{the_mails}");
        }
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        assert_eq!(pause_after(0), MAIL_RETRY_FIRST);
        assert_eq!(pause_after(3), MAIL_RETRY_FIRST * 8);
        assert_eq!(pause_after(11), MAIL_RETRY_MAX);
        assert_eq!(pause_after(u32::MAX), MAIL_RETRY_MAX);
    }
}
