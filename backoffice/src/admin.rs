//! `admin --email`: makes somebody an admin, above all the first, who cannot be given his role by another. Called by `main`.
//!
//! Whoever may run this may read the database anyway. It prints a link by which the admin chooses his password, or takes one from standard input.

use std::fmt;
use std::io::Read as _;
use std::net::Ipv4Addr;

use anyhow::{Context as _, Result, bail, ensure};
use doorbuster_core::clock;
use doorbuster_core::ids::UserId;
use serde::Serialize;
use sqlx::mysql::MySqlConnection;
use uuid::Uuid;

use crate::accounts::config::Admin;
use crate::accounts::hashing::Hasher;
use crate::accounts::keys;
use crate::accounts::person::{RoleWord, State};
use crate::accounts::secret::{Password, Secret};
use crate::accounts::turns::Turns;
use crate::audit_log::{self, Change};
use crate::extract::{Caller, RequestId};
use crate::language::Language;
use crate::limits::PASSWORD_CHARS_MAX;
use crate::sessions::EndReason;
use crate::users::change::subject;
use crate::users::store::User;
use crate::validate::Problems;
use crate::{app, config, mail, passwords, revocations, sessions, users};

/// Who the audit log says it was.
const ACTOR: &str = "command-line";

/// What was done. Whoever runs the command may print the link; it has no `Debug`, so that no log does.
#[derive(Serialize)]
pub struct Made {
    pub user: String,
    /// Null where a password was given.
    pub link: Option<String>,
}

impl fmt::Display for Made {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.link {
            Some(link) => write!(
                f,
                "{} is an admin; within an hour, choose a password at\n{link}",
                self.user
            ),
            None => write!(f, "{} is an admin, and may sign in", self.user),
        }
    }
}

/// # Errors
/// Bad configuration, a password that is too short, MySQL that does not answer, an account that was deactivated.
pub async fn make(request: &Admin) -> Result<Made> {
    let keys = config::account_keys()?;
    let books = app::connect_books(request.database.options()?);
    let hash = match request.password_stdin {
        true => {
            let (hasher, password) = (Hasher::start()?, password_from_stdin(request)?);
            let turn = Turns::default().wait(Ipv4Addr::LOCALHOST.into()).await?;
            Some(hasher.hash(turn, password).await?)
        }
        false => None,
    };
    let mut tx = books.begin().await.context("mysql")?;
    users::store::lock_admins(&mut tx).await?;
    let user = match users::store::by_email(&mut *tx, &request.email).await? {
        Some(user) => promote(&mut tx, user).await?,
        None => create(&mut tx, request).await?,
    };
    let link = match &hash {
        Some(hash) => {
            // Whoever had the old one is out. Back-offices tell Redis of it.
            passwords::replace(&mut tx, &user.id, hash).await?;
            None
        }
        None => {
            let token = keys.mailed(&keys::nonce());
            passwords::store::insert(&mut tx, &keys::hash(&token), &user.id, &request.email)
                .await?;
            Some(mail::text::reset_link(&request.public_url, &token))
        }
    };
    let caller = Caller {
        user: UserId::parse(ACTOR)?,
        request_id: RequestId::new(),
        is_admin: true,
    };
    let change = Change {
        action: "user.admin",
        subject: subject(&user.id),
        before: None,
        after: Some(serde_json::json!({
            "role": RoleWord::Admin,
            "state": State::Active,
            "password_set": hash.is_some(),
        })),
    };
    audit_log::in_transaction(&mut tx, &caller, change).await?;
    tx.commit().await?;
    books.close().await;
    let user = user.id.to_string();
    Ok(Made { user, link })
}

/// The first line, without its end.
fn password_from_stdin(request: &Admin) -> Result<Password> {
    let mut text = String::new();
    std::io::stdin()
        .take(4 * PASSWORD_CHARS_MAX as u64 + 2)
        .read_to_string(&mut text)
        .context("standard input")?;
    let line = text.lines().next().unwrap_or_default();
    let mut problems = Problems::default();
    let password = Password::chosen(&mut problems, "", Secret::new(line), Some(&request.email));
    password.context(
        "the password on standard input must be 8 to 128 characters, and not the e-mail address",
    )
}

/// His tokens of before end: they say another role.
async fn promote(tx: &mut MySqlConnection, user: User) -> Result<User> {
    let user = users::store::lock(&mut *tx, &user.id).await?;
    ensure!(
        user.state == State::Active,
        "the account was deactivated; another admin may reactivate it"
    );
    if user.role != RoleWord::Admin {
        users::store::set_role(&mut *tx, &user.id, RoleWord::Admin).await?;
        sessions::store::end_all(&mut *tx, &user.id, EndReason::Role).await?;
        // Back-offices tell Redis of it.
        revocations::store::raise(tx, &user.id).await?;
    }
    Ok(user)
}

async fn create(tx: &mut MySqlConnection, request: &Admin) -> Result<User> {
    let now = clock::now();
    let mut problems = Problems::default();
    let name = problems.line("/name", &request.name, 1..=crate::limits::NAME_CHARS_MAX);
    let user = User {
        id: UserId::parse(format!("u-{}", Uuid::new_v4().simple()))?,
        email: Some(request.email.clone()),
        role: RoleWord::Admin,
        state: State::Active,
        name: name.context("--name must be 1 to 100 characters")?,
        phone: None,
        language: Language::English,
        created_at: now,
        state_at: now,
    };
    if !users::store::insert(tx, &user).await? {
        bail!("somebody signed up with this address at this moment; run it again");
    }
    Ok(user)
}
