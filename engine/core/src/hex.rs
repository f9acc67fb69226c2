//! Bytes as lower-case hex, for digests that people and the books read.

use std::fmt::Write as _;

/// Two digits a byte.
pub fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        write!(text, "{byte:02x}").expect("a String takes all");
    }
    text
}

/// What [`to_hex`] wrote of `N` bytes; nothing where `text` is anything else.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = digit(pair[0])? << 4 | digit(pair[1])?;
    }
    Some(bytes)
}

fn digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back_and_nothing_else_is() {
        let bytes = [0x00, 0x09, 0xa0, 0xff];
        assert_eq!(to_hex(&bytes), "0009a0ff");
        assert_eq!(from_hex("0009a0ff"), Some(bytes));
        for bad in ["", "0009a0f", "0009a0ff0", "0009A0FF", "0009a0fg", "€009a0"] {
            assert_eq!(from_hex::<4>(bad), None, "{bad}");
        }
    }
}
