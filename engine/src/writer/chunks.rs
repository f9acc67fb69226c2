//! Cuts rows into bulk statements of a few fixed sizes, so that the server's and the driver's statement caches stay small.

/// Rows of one statement, largest first; every count is a sum of these.
const CHUNKS: [usize; 4] = [256, 64, 8, 1];

pub(super) fn chunks<T>(rows: &[T]) -> impl Iterator<Item = &[T]> {
    let mut rest = rows;
    std::iter::from_fn(move || {
        let size = *CHUNKS.iter().find(|size| **size <= rest.len())?;
        let (chunk, later) = rest.split_at(size);
        rest = later;
        Some(chunk)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_cut_into_few_sizes_and_none_is_lost() {
        for count in [0, 1, 7, 8, 9, 255, 256, 1_000] {
            let rows: Vec<usize> = (0..count).collect();
            let cut: Vec<&[usize]> = chunks(&rows).collect();
            assert!(cut.iter().all(|chunk| CHUNKS.contains(&chunk.len())));
            assert_eq!(cut.concat(), rows);
        }
    }
}
