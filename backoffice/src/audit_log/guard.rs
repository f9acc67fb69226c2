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
use super::rights::{self, Grant};
use super::store;
use crate::limits::{AUDIT_ROWS, ROLES_MAX};

/// Tables that only grow.
pub(super) const APPEND_ONLY: [&str; 4] = [
    "audit_log",
    "audit_links",
    "points_entries",
    "ledger_postings",
];
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
    let (mut linked, mut after) = (0, 0);
    loop {
        // Looked for before the head is locked: whoever writes a row now links it too, and nobody else links older ones.
        let rows = store::unlinked(&mut *connection, after, AUDIT_ROWS).await?;
        let Some(last) = rows.last() else {
            return Ok(linked);
        };
        after = last.id;
        let mut tx = connection.begin().await?;
        let mut head = store::lock_head(&mut tx).await?;
        let mut links = Vec::with_capacity(rows.len());
        for row in &rows {
            let link = head.link(row);
            head = link.head();
            links.push(link);
        }
        store::append_links(&mut tx, &links).await?;
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
    check_rights(connection, account).await
}

/// # Errors
/// Where the account has a right, by whatever way, with which it could alter the log, or one that cannot be judged.
async fn check_rights(connection: &mut MySqlConnection, account: &Account) -> Result<()> {
    let database = guard_store::database(connection).await?;
    let Account { user, host } = account;
    let mut holders = vec![format!("'{user}'@'{host}'")];
    holders.extend(guard_store::roles_of_all(connection).await?);
    let mut next = 0;
    while let Some(holder) = holders.get(next).cloned() {
        next += 1;
        for line in guard_store::grants(connection, &holder).await? {
            let whose = if next == 1 {
                account.to_string()
            } else {
                format!("{account}, by the role {holder},")
            };
            match rights::read(&line, &database, &APPEND_ONLY) {
                Grant::Harmless => {}
                Grant::Harmful(right) => bail!(
                    "{whose} may {right} where the audit log is, so it could alter it: revoke that, then run this again"
                ),
                Grant::Roles(roles)
                    if holders.len() + roles.len() <= ROLES_MAX
                        && roles.iter().all(|role| is_quoted(role)) =>
                {
                    let new = roles.into_iter().filter(|role| !holders.contains(role));
                    let new: Vec<String> = new.collect();
                    holders.extend(new);
                }
                // What the line says is not repeated: it may hold a password's hash.
                Grant::Roles(_) | Grant::Unreadable => bail!(
                    "{whose} has rights that cannot be judged: give it none but those that this command gives, then run this again"
                ),
            }
        }
    }
    Ok(())
}

/// Names in backticks alone, as servers print them, go back into a statement.
fn is_quoted(role: &str) -> bool {
    let mut names = role.split('@');
    names.all(|name| {
        let inner = name.strip_prefix('`').and_then(|n| n.strip_suffix('`'));
        inner.is_some_and(|inner| !inner.contains(['`', '\\']))
    })
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
