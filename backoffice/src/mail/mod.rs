//! Mails: written with what they tell of in one transaction, sent by [`sender`], worded by [`text`]; what cannot be sent is in [`dead`].
//!
//! A row has no text. What a mail says follows from its kind, and the token in its link from a nonce and the server's secret, so that a copy
//! of the database lets nobody in. Nothing that a user wrote is in any mail: it would be a way to write to strangers in our name.

pub(crate) mod dead;
pub(crate) mod sender;
pub(crate) mod store;
pub(crate) mod text;

use std::time::Duration;

use crate::accounts::email::Email;
use crate::accounts::keys::Nonce;
use crate::language::Language;

/// What a mail is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Somebody signed up with this address: the link confirms it.
    ConfirmEmail,
    /// Somebody signed up with this address, which has an account.
    HasAccount,
    /// The link sets a new password.
    ResetPassword,
    /// The password was changed.
    PasswordChanged,
    /// A user wants this address for his account: the link confirms it.
    ChangeEmail,
    /// A user wants this address for his account, and another's account has it.
    EmailInUse,
    /// This was the address of an account, which has another now.
    EmailChanged,
    /// An order is paid, and its units are the buyer's.
    OrderPaid,
    /// An order came to nothing, and nothing was paid for it.
    OrderCancelled,
    /// An order came to nothing, and a person gave back what was paid for it.
    OrderSettledByHand,
    /// Money of an order, or points, went back.
    OrderRefunded,
    /// The goods are on their way.
    OrderShipped,
    OrderDelivered,
}

impl Kind {
    pub(crate) const ALL: [Self; 13] = [
        Self::ConfirmEmail,
        Self::HasAccount,
        Self::ResetPassword,
        Self::PasswordChanged,
        Self::ChangeEmail,
        Self::EmailInUse,
        Self::EmailChanged,
        Self::OrderPaid,
        Self::OrderCancelled,
        Self::OrderSettledByHand,
        Self::OrderRefunded,
        Self::OrderShipped,
        Self::OrderDelivered,
    ];

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::ConfirmEmail => "confirm_email",
            Self::HasAccount => "has_account",
            Self::ResetPassword => "reset_password",
            Self::PasswordChanged => "password_changed",
            Self::ChangeEmail => "change_email",
            Self::EmailInUse => "email_in_use",
            Self::EmailChanged => "email_changed",
            Self::OrderPaid => "order_paid",
            Self::OrderCancelled => "order_cancelled",
            Self::OrderSettledByHand => "order_settled_by_hand",
            Self::OrderRefunded => "order_refunded",
            Self::OrderShipped => "order_shipped",
            Self::OrderDelivered => "order_delivered",
        }
    }

    /// Whether it tells of an order. Its row has the order's id where others have the nonce of a token.
    pub(crate) fn is_of_order(self) -> bool {
        matches!(
            self,
            Self::OrderPaid
                | Self::OrderCancelled
                | Self::OrderSettledByHand
                | Self::OrderRefunded
                | Self::OrderShipped
                | Self::OrderDelivered
        )
    }

    fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }
}

/// A mail to be sent.
#[derive(Debug)]
pub(crate) struct Letter<'a> {
    pub(crate) kind: Kind,
    pub(crate) language: Language,
    pub(crate) recipient: &'a Email,
    /// Of the token in its link.
    pub(crate) nonce: Option<Nonce>,
    /// After this it would tell of something that is over.
    pub(crate) life: Duration,
}
