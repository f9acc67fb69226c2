//! Statements about many rows come in few sizes, powers of two, so that each is prepared once and stays in its connection's cache. One that has to
//! make room there costs up to 40 ms: sqlx sends the closing and the next command in two writes without TCP_NODELAY, and the kernel keeps the
//! second back until the first, which has no answer, is acknowledged.

use sqlx::{Encode, MySql, QueryBuilder, Type};

use crate::limits::STATEMENT_ROWS_MAX;

/// Where rows can be told apart, as in an insert: parts of them, the largest first.
pub(crate) fn parts<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = 1 << rest.len().min(STATEMENT_ROWS_MAX).checked_ilog2()?;
        let (part, later) = rest.split_at(size);
        rest = later;
        Some(part)
    })
}

/// Where a row that is named twice is the same as once, as in a list of keys: the last is repeated.
pub(crate) fn padded<T: Clone>(rows: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut rows: Vec<T> = rows.into_iter().collect();
    if let Some(last) = rows.last().cloned() {
        rows.resize(rows.len().next_power_of_two(), last);
    }
    rows
}

/// The rest of an `in (`, bracket included. Nothing is in a list of no values.
pub(crate) fn push_in<'a, T>(
    statement: &mut QueryBuilder<MySql>,
    values: impl IntoIterator<Item = T>,
) where
    T: Encode<'a, MySql> + Type<MySql> + Clone + 'a,
{
    let values = padded(values);
    if values.is_empty() {
        statement.push("null");
    }
    let mut list = statement.separated(", ");
    for value in values {
        list.push_bind(value);
    }
    statement.push(")");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_powers_of_two_and_all_the_rows_in_their_order() {
        for many in [0, 1, 2, 3, 8, 31, 128, 1_000, 2_000] {
            let rows: Vec<usize> = (0..many).collect();
            let parts: Vec<&[usize]> = parts(&rows).collect();
            assert!(
                parts
                    .iter()
                    .all(|part| part.len().is_power_of_two() && part.len() <= STATEMENT_ROWS_MAX)
            );
            assert_eq!(parts.concat(), rows);
        }
    }

    #[test]
    fn what_is_padded_is_a_power_of_two_and_names_nothing_new() {
        assert!(padded(Vec::<u8>::new()).is_empty());
        assert_eq!(padded([1]), [1]);
        assert_eq!(padded([1, 2, 3]), [1, 2, 3, 3]);
        assert_eq!(padded(0..128).len(), 128);
    }

    #[test]
    fn a_list_is_closed_and_one_of_nothing_is_a_list_too() {
        let list = |values: &[u32]| {
            let mut statement = QueryBuilder::new("id in (");
            push_in(&mut statement, values);
            statement.sql().as_str().to_owned()
        };
        assert_eq!(list(&[]), "id in (null)");
        assert_eq!(list(&[7]), "id in (?)");
        assert_eq!(list(&[7, 8, 9]), "id in (?, ?, ?, ?)");
    }
}
