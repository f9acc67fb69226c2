//! An e-mail address, in lower case, so that one mailbox is one account. It never appears in `Debug`, and so in no log.

use std::fmt;

use crate::limits::EMAIL_CHARS_MAX;

/// A mailbox that mail can be sent to.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Email(String);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be an e-mail address such as ann@shop.example, of at most {EMAIL_CHARS_MAX} ASCII characters"
)]
pub(crate) struct NoEmail;

impl Email {
    /// # Errors
    /// [`NoEmail`].
    pub(crate) fn parse(text: &str) -> Result<Self, NoEmail> {
        let text = text.trim();
        let (local, domain) = text.rsplit_once('@').ok_or(NoEmail)?;
        let fits = text.len() <= EMAIL_CHARS_MAX && is_local(local) && is_domain(domain);
        fits.then(|| Self(text.to_ascii_lowercase())).ok_or(NoEmail)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Dot-separated atoms (RFC 5322 §3.2.3); quoted forms are refused, because nobody has them and many servers mangle them.
fn is_local(local: &str) -> bool {
    let is_atom = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&byte);
    local.len() <= 64
        && local
            .split('.')
            .all(|atom| !atom.is_empty() && atom.bytes().all(is_atom))
}

fn is_domain(domain: &str) -> bool {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    domain.contains('.') && domain.split('.').all(is_label)
}

impl fmt::Debug for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Email(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_is_one_address_and_no_log_has_it() {
        let email = Email::parse(" Ann.Lee+x@Shop.Example ").unwrap();
        assert_eq!(email.as_str(), "ann.lee+x@shop.example");
        assert_eq!(format!("{email:?}"), "Email(redacted)");
    }

    #[test]
    fn what_no_mail_can_be_sent_to_is_refused() {
        let long = format!("a@{}.example", "b".repeat(64));
        let whole = format!("{}@b.example", "a".repeat(65));
        for bad in [
            "",
            "ann",
            "@b.c",
            "ann@",
            "ann@localhost",
            "a..b@c.de",
            ".a@b.c",
            "a@-b.c",
            "a@b..c",
            "a b@c.de",
            "\"a\"@b.c",
            "a@b.c>",
            "a\r\n@b.c",
            "안@b.c",
            "a@b.c, d@e.f",
            &long,
            &whole,
        ] {
            assert_eq!(Email::parse(bad), Err(NoEmail), "{bad}");
        }
    }
}
