//! What the command line and the environment say about people and mail.

use std::str::FromStr;

use clap::Args;
use doorbuster_core::address::TrustedProxies;
use lettre::message::Mailbox;

use super::email::Email;
use crate::config::{Database, Output};

/// What `serve` needs to know about people.
#[derive(Args)]
pub struct People {
    /// Where people reach the back-office; links in mails begin with it
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:8081")]
    pub public_url: PublicUrl,
    /// The server that takes mails, e.g. smtps://user:password@mail.example:465, or smtp://mail.example:587?tls=required; empty: mails wait
    #[arg(long, env = "SMTP_URL", default_value = "", hide_env_values = true)]
    pub smtp_url: String,
    /// Whom mails come from
    #[arg(
        long,
        env = "MAIL_FROM",
        default_value = "Doorbuster <no-reply@localhost>"
    )]
    pub mail_from: Mailbox,
    /// Addresses or networks of proxies whose Forwarded or X-Forwarded-For is believed, comma-separated; empty: none
    #[arg(long, env = "TRUSTED_PROXIES", default_value = "")]
    pub trusted_proxies: TrustedProxies,
}

/// Makes somebody an admin.
#[derive(Args)]
pub struct Admin {
    #[command(flatten)]
    pub database: Database,
    /// The address with which the admin will sign in
    #[arg(long, value_parser = parse_email)]
    pub(crate) email: Email,
    /// What people call him
    #[arg(long, default_value = "Admin")]
    pub name: String,
    /// Read a password from standard input, instead of printing a link by which one is chosen
    #[arg(long)]
    pub password_stdin: bool,
    /// Where people reach the back-office; the link begins with it
    #[arg(long, env = "PUBLIC_URL", default_value = "http://127.0.0.1:8081")]
    pub public_url: PublicUrl,
    #[command(flatten)]
    pub output: Output,
}

/// An http or https URL without query, to which paths are added.
#[derive(Debug, Clone)]
pub struct PublicUrl(String);

impl PublicUrl {
    pub(crate) fn with(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }
}

impl FromStr for PublicUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let rest = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        match rest {
            Some(rest) if !rest.is_empty() && !rest.contains(['?', '#', ' ', '"', '<', '>']) => {
                Ok(Self(text.trim_end_matches('/').to_owned()))
            }
            _ => Err("must be like https://shop.example"),
        }
    }
}

fn parse_email(text: &str) -> Result<Email, super::email::NoEmail> {
    Email::parse(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_begin_with_a_url_of_the_web() {
        let url = |text: &str| text.parse::<PublicUrl>();
        assert_eq!(
            url("https://shop.example/").unwrap().with("/x"),
            "https://shop.example/x"
        );
        assert!(url("http://127.0.0.1:8081").is_ok());
        for bad in [
            "",
            "shop.example",
            "ftp://x",
            "https://",
            "https://x?y",
            "https://x/\"><b",
        ] {
            assert!(url(bad).is_err(), "{bad}");
        }
    }
}
