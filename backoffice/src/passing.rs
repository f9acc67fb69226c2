//! Which failures of MySQL pass by themselves: whoever meets one may try again, and is answered 503. All others are ours to repair.

pub(crate) fn is_passing(error: &sqlx::Error) -> bool {
    use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Tls};
    match error {
        Io(_) | Tls(_) | PoolTimedOut | PoolClosed => true,
        // Lock wait, deadlock, shutdown, too many connections or prepared statements, read-only, disk full: all pass, and repeating is safe.
        Database(e) => e
            .try_downcast_ref::<sqlx::mysql::MySqlDatabaseError>()
            .is_some_and(|e| {
                matches!(
                    e.number(),
                    1205 | 1213
                        | 1053
                        | 1040
                        | 1461
                        | 1021
                        | 1290
                        | 1792
                        | 1836
                        | 1927
                        | 3024
                        | 1969
                )
            }),
        _ => false,
    }
}
