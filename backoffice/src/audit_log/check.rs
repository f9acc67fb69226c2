//! Holds the audit log against its chain, from the first link to the last, and names the first row that is not what it was. Called by
//! `run` for `audit-check`.
//!
//! The chain tells what was altered, taken out or put in between. That its end was cut off, together with the note of where it ends, only
//! somebody can tell who kept an earlier end: every check prints one, and takes one as `--known`.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context as _, Result};
use doorbuster_core::hex::{from_hex, to_hex};
use serde::Serialize;
use sqlx::Connection as _;
use sqlx::mysql::MySqlConnection;

use super::chain::{Hash, Head};
use super::store::{self, Linked};
use crate::config::AuditCheck;
use crate::limits::AUDIT_ROWS;

/// What a check found.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Rows that are what they were when they were written, from the first on.
    pub rows: u64,
    /// Where the chain of these rows ends: for `--known` of a later check.
    pub end: String,
    /// The first row that is not, or is gone, and how that shows.
    pub broken: Option<Broken>,
}

/// A row that is not what it was.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Where in the chain; none for a row that is in no chain.
    pub position: Option<u64>,
    /// Of the row in `audit_log`; none where only its place is left.
    pub id: Option<u64>,
    pub what: &'static str,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(broken) = &self.broken else {
            return write!(
                f,
                "the audit log is intact: {} rows; keep this to check against: --known {}",
                self.rows, self.end
            );
        };
        f.write_str("the audit log is broken at ")?;
        match broken.id {
            Some(id) => write!(f, "row {id}")?,
            None => f.write_str("a row whose id is gone")?,
        }
        if let Some(position) = broken.position {
            write!(f, " (place {position})")?;
        }
        write!(
            f,
            ": {}; {} rows before it are intact",
            broken.what, self.rows
        )
    }
}

/// A place in the chain and its hash, as an earlier check printed them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    position: u64,
    hash: Hash,
}

impl FromStr for Known {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(position, hash)| {
            Some(Self {
                position: position.parse().ok().filter(|p| *p > 0)?,
                hash: from_hex(hash)?,
            })
        });
        parsed.ok_or("must be what an earlier check printed: a number, a colon and 64 hex digits")
    }
}

/// # Errors
/// What MySQL says.
pub async fn check(request: &AuditCheck) -> Result<Checked> {
    let options = request.database.options()?;
    let mut connection = MySqlConnection::connect_with(&options)
        .await
        .context("connecting to MySQL")?;
    // One snapshot for all looks: rows that arrive meanwhile are for the next check.
    let mut tx = connection.begin().await?;
    let checked = walk(&mut tx, request.known).await?;
    tx.rollback().await?;
    connection.close().await?;
    Ok(checked)
}

async fn walk(tx: &mut MySqlConnection, known: Option<Known>) -> Result<Checked> {
    let told = store::head(&mut *tx)
        .await
        .context("no audit log of ours: run migrate")?;
    let mut head = Head::default();
    loop {
        let links = store::links(&mut *tx, head.position, AUDIT_ROWS).await?;
        if links.is_empty() {
            break;
        }
        for linked in links {
            if let Some(broken) = judge(&head, &linked) {
                return Ok(checked(head, Some(broken)));
            }
            head = linked.link.head();
        }
    }
    let broken = match cut(tx, head, told, known).await? {
        Some(broken) => Some(broken),
        None => unlinked(tx).await?,
    };
    Ok(checked(head, broken))
}

fn checked(head: Head, broken: Option<Broken>) -> Checked {
    Checked {
        rows: head.position,
        end: format!("{}:{}", head.position, to_hex(&head.hash)),
        broken,
    }
}

/// What is wrong with the link behind `head`.
fn judge(head: &Head, linked: &Linked) -> Option<Broken> {
    let (link, next) = (&linked.link, head.position + 1);
    let broken = |what| {
        Some(Broken {
            position: Some(link.position),
            id: Some(link.id),
            what,
        })
    };
    if link.position != next {
        return Some(Broken {
            position: Some(next),
            id: None,
            what: "it was taken out",
        });
    }
    let Some(row) = &linked.row else {
        return broken("it was taken out of the log, or cannot be read any more");
    };
    if link.previous != head.hash {
        return broken("its link does not follow the one before it");
    }
    if head.link(row) != *link {
        return broken("its content is not what was written");
    }
    None
}

/// Whether there was once more than there is, or something else.
async fn cut(
    tx: &mut MySqlConnection,
    head: Head,
    told: Head,
    known: Option<Known>,
) -> Result<Option<Broken>> {
    let at = |position, what| {
        Some(Broken {
            position: Some(position),
            id: None,
            what,
        })
    };
    if told.position > head.position {
        return Ok(at(head.position + 1, "the end was cut off"));
    }
    if told != head {
        return Ok(at(
            told.position.max(1),
            "the note of where the log ends is of another log",
        ));
    }
    let Some(known) = known else {
        return Ok(None);
    };
    let hash = store::hash_at(tx, known.position).await?;
    Ok(match hash {
        None => at(known.position, "it was there at an earlier check"),
        Some(hash) if hash != known.hash => at(
            known.position,
            "it, or a row before it, was another at an earlier check",
        ),
        Some(_) => None,
    })
}

/// A row that was put into the log past its chain.
async fn unlinked(tx: &mut MySqlConnection) -> Result<Option<Broken>> {
    let rows = store::unlinked(tx, 0, 1).await?;
    Ok(rows.first().map(|row| Broken {
        position: None,
        id: Some(row.id),
        what: "it is in no chain: put in by hand, or by an older back-office since the last migrate",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_read_back_and_no_other_text_is_one() {
        let end = checked(
            Head {
                position: 7,
                hash: [0xab; 32],
            },
            None,
        )
        .end;
        assert_eq!(
            end.parse(),
            Ok(Known {
                position: 7,
                hash: [0xab; 32]
            })
        );
        for bad in ["", "7", "7:", "x:00", "0:00", &end[..end.len() - 1]] {
            assert!(bad.parse::<Known>().is_err(), "{bad}");
        }
    }
}
