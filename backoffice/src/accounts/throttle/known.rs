//! Places that an account is used from: its owner signed in there, or followed a link of his mailbox. From them he is let in, and sent mails,
//! whatever strangers do elsewhere in his name. The books have a keyed hash of account and place, which tells nobody where that is.

use std::net::IpAddr;

use doorbuster_core::ids::UserId;
use sqlx::mysql::MySqlConnection;

use super::{place, store};
use crate::accounts::email::Email;
use crate::app::App;

/// Whether the account of `email` is used from there. It is asked alike where there is no account.
pub(crate) async fn is_known(app: &App, email: &Email, ip: IpAddr) -> sqlx::Result<bool> {
    let hashes = app.people.keys.places(email.as_str(), &place(ip));
    store::is_known(&app.books, &hashes).await
}

/// The user's account is used from there; his row is locked.
pub(crate) async fn remember(
    app: &App,
    tx: &mut MySqlConnection,
    user: &UserId,
    (email, ip): (&Email, IpAddr),
) -> sqlx::Result<()> {
    let hashes = app.people.keys.places(email.as_str(), &place(ip));
    match hashes.first() {
        Some(hash) => store::remember(tx, user, hash).await,
        None => Ok(()),
    }
}
