//! Numbers as people read them. Called by `text` and `page`, here and of a comparison.

/// `12345` as `12,345`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Milliseconds with as many digits as mean something.
pub(crate) fn ms(value: f64) -> String {
    if value >= 10_000.0 {
        format!("{:.1} s", value / 1_000.0)
    } else if value >= 100.0 {
        format!("{} ms", grouped(value.round() as u64))
    } else if value >= 10.0 {
        format!("{value:.1} ms")
    } else {
        format!("{value:.2} ms")
    }
}

/// Seconds, with fewer digits the longer they are; parts of a second in milliseconds.
pub(crate) fn seconds(value: f64) -> String {
    if value >= 10.0 {
        format!("{value:.1} s")
    } else if value >= 1.0 {
        format!("{value:.2} s")
    } else {
        ms(value * 1_000.0)
    }
}

/// One of something, or many.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!(
        "{} {}",
        grouped(number),
        if number == 1 { one } else { many }
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), text);
        }
        assert_eq!(counted(1, "person", "people"), "1 person");
    }

    #[test]
    fn times_have_few_digits() {
        assert_eq!(
            [ms(1.234), ms(12.34), ms(1_234.5), ms(12_345.0)],
            ["1.23 ms", "12.3 ms", "1,235 ms", "12.3 s"]
        );
        assert_eq!(
            [seconds(0.0021), seconds(1.234), seconds(12.34)],
            ["2.10 ms", "1.23 s", "12.3 s"]
        );
    }
}
