//! What level `mysql` rests on: a MySQL that can be reached and that has a transaction on disk when it says so.

use crate::books::{Books, Durability};

/// Each names a setting, what it is, and what it must be.
pub(super) async fn problems(books: &Books) -> Vec<String> {
    match books.durability().await {
        Ok(durability) => judge(&durability),
        Err(e) => vec![format!("mysql does not answer: {e}")],
    }
}

fn judge(durability: &Durability) -> Vec<String> {
    let mut problems = Vec::new();
    let flush = durability.flush_log_at_commit;
    // 3 is MariaDB's, and syncs more often than 1.
    if ![1, 3].contains(&flush) {
        problems.push(format!(
            "mysql's innodb_flush_log_at_trx_commit is {flush}, must be 1"
        ));
    }
    if durability.log_bin != 0 && durability.sync_binlog != 1 {
        let sync = durability.sync_binlog;
        problems.push(format!(
            "mysql's sync_binlog is {sync} while log_bin is on, must be 1"
        ));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_must_be_on_disk_when_mysql_says_so() {
        let found = |flush_log_at_commit, log_bin, sync_binlog| {
            judge(&Durability {
                flush_log_at_commit,
                log_bin,
                sync_binlog,
            })
        };
        assert!(found(1, 0, 0).is_empty());
        assert!(found(3, 1, 1).is_empty());
        for flush in [0, 2] {
            let problems = found(flush, 0, 0);
            let named = "innodb_flush_log_at_trx_commit";
            assert!(problems.len() == 1 && problems[0].contains(named));
        }
        for sync in [0, 100] {
            let problems = found(1, 1, sync);
            assert!(problems.len() == 1 && problems[0].contains("sync_binlog"));
        }
        assert_eq!(found(2, 1, 0).len(), 2);
    }
}
