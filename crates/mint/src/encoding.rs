//! Text to bytes by the names that node's `Buffer` knows.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

/// The bytes of a text; `None` for an encoding that node does not know.
pub(crate) fn encode(text: String, encoding: &str) -> Option<Vec<u8>> {
    if encoding == "utf8" {
        return Some(text.into_bytes());
    }
    Some(match encoding.to_ascii_lowercase().as_str() {
        "utf8" | "utf-8" => text.into_bytes(),
        "latin1" | "binary" | "ascii" => latin1(&text).into_owned(),
        "ucs2" | "ucs-2" | "utf16le" | "utf-16le" => text.encode_utf16().flat_map(u16::to_le_bytes).collect(),
        "hex" => hex(&text),
        "base64" | "base64url" => base64_of(&text),
        _ => return None,
    })
}

/// Each UTF-16 unit cut to its low byte.
pub(crate) fn latin1(text: &str) -> Cow<'_, [u8]> {
    if text.is_ascii() {
        return Cow::Borrowed(text.as_bytes());
    }
    text.encode_utf16().map(|unit| unit.to_le_bytes()[0]).collect()
}

/// Pairs of digits up to the first that is none.
fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<char> = text.chars().collect();
    let pairs = digits.chunks_exact(2).map_while(|pair| match pair {
        [high, low] => u8::try_from(high.to_digit(16)? << 4 | low.to_digit(16)?).ok(),
        _ => None,
    });
    pairs.collect()
}

/// Either alphabet, characters of neither skipped, an end without padding accepted, nothing after padding. Characters count
/// by the low byte of their UTF-16 units, as in node.
fn base64_of(text: &str) -> Vec<u8> {
    let bytes = latin1(text).into_owned().into_iter();
    let standard = bytes.take_while(|c| *c != b'=').filter_map(|c| match c {
        b'-' => Some(b'+'),
        b'_' => Some(b'/'),
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'+' | b'/' => Some(c),
        _ => None,
    });
    let mut standard: Vec<u8> = standard.collect();
    if standard.len() % 4 == 1 {
        // Six bits make no byte.
        standard.pop();
    }
    LENIENT.decode(standard).unwrap_or_default()
}

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn encodings_are_those_of_node() {
        for (text, encoding, bytes) in [
            ("ř", "UTF8", &[0xc5, 0x99][..]),
            ("éř", "latin1", &[0xe9, 0x59]),
            ("é", "ucs2", &[0xe9, 0]),
            ("00ffZZ11", "hex", &[0, 255]),
            ("0", "hex", &[]),
            ("aGVs bG8=", "base64", b"hello"),
            ("_-8", "base64", &[0xff, 0xef]),
            ("aGVsb", "base64url", b"hel"),
            // U+0159 has the low byte of `Y`, the first unit of the emoji that of `=`.
            ("aGřs😀bG8", "base64", b"hf,"),
        ] {
            assert_eq!(
                encode(text.to_owned(), encoding).as_deref(),
                Some(bytes),
                "{text} {encoding}"
            );
        }
        assert_eq!(encode("a".to_owned(), "utf7"), None);
    }
}
