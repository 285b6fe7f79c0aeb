//! Base64url as JOSE wants it, hex, and text that is safe to show.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::{NO_PAD, STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig, Simd};

/// Longest piece of foreign text that an error repeats.
const SHOWN_CHARS_MAX: usize = 64;

const STRICT_CONFIG: GeneralPurposeConfig = NO_PAD
    .with_decode_padding_mode(DecodePaddingMode::RequireNone)
    .with_decode_allow_trailing_bits(false);

/// The vector engine: decoding is an eighth of what a token costs beside its signature. It leaves every block it does not
/// like, and the end, to the scalar engine; a property test holds the two to the same answers.
static STRICT: LazyLock<Simd> = LazyLock::new(|| Simd::url_safe(STRICT_CONFIG));

/// Decodes unpadded base64url, and only the one canonical spelling of the bytes.
///
/// SECURITY: with trailing bits or padding allowed one token has many spellings, and a list of revoked or cached tokens
/// that compares text can be walked around.
/// SPEC: RFC 7515 section 2, RFC 4648 3.5.
pub(crate) fn base64url_decode(text: &str) -> Option<Vec<u8>> {
    STRICT.decode(text).ok()
}

/// Encodes as unpadded base64url.
pub(crate) fn base64url_encode(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Appends unpadded base64url to `text`.
pub(crate) fn base64url_append(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Decodes standard, padded base64 (the members of `x5c`, RFC 7517 4.7, and the body of a PEM), blanks and line ends ignored.
pub(crate) fn base64_standard_decode(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD.decode(packed).ok()
}

/// Decodes hexadecimal digits of either case.
pub(crate) fn hex_decode(text: &[u8]) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) {
        return None;
    }
    text.chunks_exact(2)
        .map(|pair| match pair {
            [high, low] => Some(hex_digit(*high)? << 4 | hex_digit(*low)?),
            _ => None,
        })
        .collect()
}

const fn hex_digit(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Writes bytes as lower-case hexadecimal digits.
pub(crate) fn hex_encode(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

/// Foreign text made fit for a message: at most 64 characters, printable ASCII only, the rest shown as `?`, no backtick.
pub(crate) fn sanitize(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(SHOWN_CHARS_MAX)
        .map(|c| {
            if (c.is_ascii_graphic() || c == ' ') && c != '`' {
                c
            } else {
                '?'
            }
        })
        .collect();
    if text.chars().nth(SHOWN_CHARS_MAX).is_some() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests {
    use base64::engine::GeneralPurpose;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_the_canonical_spelling_decodes() {
        assert_eq!(base64url_decode("QQ").as_deref(), Some(b"A".as_slice()));
        for other in ["QR", "QQ==", "QQ=", "Q", "Q Q", "QQ\n", "Q+", "Q/"] {
            assert_eq!(base64url_decode(other), None, "{other:?}");
        }
        assert_eq!(base64url_decode("").as_deref(), Some(b"".as_slice()));
    }

    proptest! {
        #[test]
        fn the_vector_engine_agrees_with_the_scalar_one(
            text in "[A-Za-z0-9_-]{0,300}",
            damage in proptest::option::of((any::<proptest::sample::Index>(), "[=+/. \\n~é]")),
        ) {
            let scalar = GeneralPurpose::new(&base64::alphabet::URL_SAFE, STRICT_CONFIG);
            let text = match damage {
                Some((position, damage)) if !text.is_empty() => {
                    let position = position.index(text.len());
                    [text.get(..position).unwrap(), &damage, text.get(position + 1..).unwrap()].concat()
                }
                _ => text,
            };
            prop_assert_eq!(base64url_decode(&text), scalar.decode(&text).ok());
        }

        #[test]
        fn what_is_encoded_is_decoded(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(base64url_decode(&base64url_encode(&bytes)), Some(bytes));
        }
    }

    #[test]
    fn hex_of_either_case_decodes() {
        assert_eq!(hex_decode(b"00fFA1"), Some(vec![0, 255, 161]));
        assert_eq!(hex_decode(b"0"), None);
        assert_eq!(hex_decode(b"0g"), None);
        assert_eq!(hex_encode(&[0, 255, 161]), "00ffa1");
    }

    #[test]
    fn shown_text_is_bounded_and_printable() {
        assert_eq!(sanitize("RS256"), "RS256");
        assert_eq!(sanitize("a\nb`c\u{7f}é"), "a?b?c??");
        assert_eq!(sanitize(&"x".repeat(1000)).len(), 67);
    }
}
