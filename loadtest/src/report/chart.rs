//! The geometry of the report's charts, in a box of 1000 by 1000 that the page stretches. Called by `page`.

/// Height and width of the box.
const BOX: f64 = 1_000.0;

/// A line or an area over time.
#[derive(Debug)]
pub(super) struct Series {
    /// Points of the line, for the attribute `points`.
    pub(super) line: String,
    /// The same closed along the bottom.
    pub(super) area: String,
}

/// Tenths of a power of ten at which an axis may end: round, and with a round half.
const TENTHS: [u64; 8] = [10, 12, 16, 20, 30, 40, 60, 80];

/// How far up the axis goes for values up to `max`; even, so that its middle is a number too.
pub(super) fn axis_top(max: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        let tops = TENTHS.iter().map(|tenths| power.saturating_mul(*tenths));
        if let Some(top) = tops
            .map(|top| top / 10 * 2)
            .find(|top| *top >= max && *top > 0)
        {
            return top;
        }
        if power > u64::MAX / 100 {
            return u64::MAX;
        }
        power *= 10;
    }
}

/// How two neighbouring points are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Join {
    Straight,
    /// The value before stays until the next.
    Step,
}

/// `values` at equal distances, from `begin` at the left edge.
pub(super) fn series(begin: f64, values: &[f64], top: u64, join: Join) -> Series {
    let y = |value: f64| BOX - BOX * value.clamp(0.0, top as f64) / (top.max(1) as f64);
    let mut points = vec![(0.0, y(begin))];
    for (i, value) in values.iter().enumerate() {
        let x = BOX * (i + 1) as f64 / values.len() as f64;
        if join == Join::Step {
            points.push((x, points[points.len() - 1].1));
        }
        points.push((x, y(*value)));
    }
    let line: Vec<String> = points
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let line = line.join(" ");
    Series {
        area: format!("0,{BOX} {line} {BOX},{BOX}"),
        line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (max, top) in [
            (0, 2),
            (2, 2),
            (3, 4),
            (100, 120),
            (1_018, 1_200),
            (20_000, 20_000),
            (20_001, 24_000),
        ] {
            assert_eq!(axis_top(max), top, "{max}");
        }
        assert_eq!(axis_top(u64::MAX), u64::MAX);
    }

    #[test]
    fn a_series_spans_the_box() {
        let straight = series(0.0, &[5.0, 10.0], 10, Join::Straight);
        assert_eq!(straight.line, "0.0,1000.0 500.0,500.0 1000.0,0.0");
        assert_eq!(
            straight.area,
            "0,1000 0.0,1000.0 500.0,500.0 1000.0,0.0 1000,1000"
        );
        assert_eq!(
            series(10.0, &[0.0], 10, Join::Step).line,
            "0.0,0.0 1000.0,0.0 1000.0,1000.0"
        );
    }
}
