//! What keeps the audit log from being altered: rights and triggers. Called by `migrate` at its end, as the account that owns the tables.
//!
//! The first wall is rights: the programs' account is given select and insert on the log and its links, and nothing else there. The second
//! is triggers that refuse updates and deletes to everybody, owner included, until he drops them. A server may forbid them to an account
//! without SUPER while it writes a binary log: then the first wall stands alone, and `migrate` says so.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result, bail};
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use super::guard_store;
use super::store;
use crate::limits::AUDIT_ROWS;

/// Tables that only grow.
pub(super) const APPEND_ONLY: [&str; 3] = ["audit_log", "audit_links", "points_entries"];
/// Table of the migration library, which the programs only read.
pub(super) const READ_ONLY: [&str; 1] = ["_sqlx_migrations"];

/// An account of MySQL: `user@host`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    pub(super) user: String,
    pub(super) host: String,
}

impl FromStr for Account {
    type Err = &'static str;

    /// Names that need no escaping, because an identifier cannot be bound.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fits = |name: &str, others: &[u8]| {
            (1..=60).contains(&name.len())
                && name
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || others.contains(&b))
        };
        text.rsplit_once('@')
            .filter(|(user, host)| fits(user, b"_-.") && fits(host, b"_-.:%"))
            .map(|(user, host)| Self {
                user: user.to_owned(),
                host: host.to_owned(),
            })
            .ok_or("must be user@host, as in doorbuster@localhost or doorbuster@%")
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.user, self.host)
    }
}

/// Links every row that has no link yet, in the order of ids: those from before there was a chain, or of an older back-office.
pub(crate) async fn link_older_rows(connection: &mut MySqlConnection) -> Result<u64> {
    let mut linked = 0;
    loop {
        let mut tx = connection.begin().await?;
        let mut head = store::lock_head(&mut tx).await?;
        let rows = store::unlinked(&mut *tx, AUDIT_ROWS).await?;
        if rows.is_empty() {
            return Ok(linked);
        }
        for row in &rows {
            let link = head.link(row);
            store::append_link(&mut tx, &link).await?;
            head = link.head();
        }
        store::move_head(&mut tx, &head).await?;
        tx.commit().await?;
        linked += rows.len() as u64;
    }
}

/// Puts the triggers there; whether they are.
pub(crate) async fn set_triggers(connection: &mut MySqlConnection) -> Result<bool> {
    let there = guard_store::triggers(connection).await?;
    for table in APPEND_ONLY {
        for event in ["update", "delete"] {
            let name = guard_store::trigger_name(table, event);
            if there.contains(&name) {
                continue;
            }
            match guard_store::create_trigger(connection, table, event).await {
                Err(error) if is_forbidden(&error) => return Ok(false),
                done => done.with_context(|| format!("creating {name}"))?,
            }
        }
    }
    Ok(true)
}

/// Access denied, or no SUPER while a binary log is written.
fn is_forbidden(error: &sqlx::Error) -> bool {
    error
        .as_database_error()
        .and_then(|e| e.try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>())
        .is_some_and(|e| matches!(e.number(), 1044 | 1142 | 1227 | 1419))
}

/// Gives the programs' account the rights it needs, table by table.
///
/// # Errors
/// What MySQL says, or an account whose other rights would let it alter the log all the same.
pub(crate) async fn grant(connection: &mut MySqlConnection, account: &Account) -> Result<()> {
    for table in guard_store::tables(connection).await? {
        let rights = if APPEND_ONLY.contains(&table.as_str()) {
            "select, insert"
        } else if READ_ONLY.contains(&table.as_str()) {
            "select"
        } else {
            "select, insert, update, delete"
        };
        guard_store::grant(connection, account, &table, rights)
            .await
            .with_context(|| format!("granting {rights} on {table} to {account}; the account must exist, and this one must be allowed to grant"))?;
    }
    let wide = guard_store::wide_rights(connection, account).await?;
    if let Some(right) = wide.first() {
        bail!(
            "{account} may {right} on the whole database or server, so it could alter the audit log: revoke that, then run this again"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_a_user_and_a_host_that_need_no_escaping() {
        for good in ["doorbuster@localhost", "a.b_c@%", "x@10.0.0.%", "x@::1"] {
            assert_eq!(good.parse::<Account>().unwrap().to_string(), good);
        }
        for bad in ["", "x", "@h", "x@", "x'@h", "x@h`", "x y@h", "x@h;"] {
            assert!(bad.parse::<Account>().is_err(), "{bad}");
        }
    }
}
