//! Secrets in memory.

use std::fmt;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::file::SecretFormat;

const FORM: GeneralPurposeConfig = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: Base64Variant = Base64Variant {
    engine: GeneralPurpose::new(&alphabet::STANDARD, FORM),
    name: "base64",
    foreign: ['-', '_'],
    other: "base64url",
};
const BASE64URL: Base64Variant = Base64Variant {
    engine: GeneralPurpose::new(&alphabet::URL_SAFE, FORM),
    name: "base64url",
    foreign: ['+', '/'],
    other: "base64",
};

/// One of the two alphabets of base64 (RFC 4648 sections 4 and 5).
struct Base64Variant {
    engine: GeneralPurpose,
    /// Its name as a format.
    name: &'static str,
    /// The characters that the other alphabet has in place of two of its own.
    foreign: [char; 2],
    /// The name of the other format.
    other: &'static str,
}

/// Bytes that must not be shown: they print as `***` and are wiped when they are dropped.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes of a file or a variable, without the one line break that editors put at the end.
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        let mut bytes = Zeroizing::new(bytes);
        if bytes.last() == Some(&b'\n') {
            bytes.pop();
            if bytes.last() == Some(&b'\r') {
                bytes.pop();
            }
        }
        Self(bytes)
    }

    /// Takes the bytes of a file or a variable as they are written there.
    ///
    /// # Errors
    ///
    /// The words for what is wrong, without any of it.
    pub fn decoded(bytes: Vec<u8>, format: SecretFormat) -> Result<Self, String> {
        let bytes = Zeroizing::new(bytes);
        let decoded = match format {
            SecretFormat::Text => return Ok(Self::new(bytes.to_vec())),
            SecretFormat::Raw => return Ok(Self(bytes)),
            SecretFormat::Hex => hex(&compact(&bytes))?,
            SecretFormat::Base64 => base64(&compact(&bytes), &BASE64)?,
            SecretFormat::Base64Url => base64(&compact(&bytes), &BASE64URL)?,
        };
        Ok(Self(decoded))
    }

    /// The bytes, to be used and not kept.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// The text without blanks and line breaks: tools break long lines.
fn compact(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(
        bytes
            .iter()
            .copied()
            .filter(|byte| !byte.is_ascii_whitespace())
            .collect(),
    )
}

fn hex(text: &[u8]) -> Result<Zeroizing<Vec<u8>>, String> {
    if let Some(position) = text.iter().position(|byte| !byte.is_ascii_hexdigit()) {
        return Err(format!(
            "it is not hex: character {} is not one of `0` to `9`, `a` to `f`",
            position + 1
        ));
    }
    if text.len() % 2 == 1 {
        return Err("it is not hex: a digit is missing, there are two for each byte".to_owned());
    }
    let value = |byte: u8| match byte {
        b'0'..=b'9' => byte - b'0',
        _ => byte.to_ascii_lowercase() - b'a' + 10,
    };
    let pair = |pair: &[u8]| pair.iter().fold(0, |sum, byte| sum * 16 + value(*byte));
    Ok(Zeroizing::new(text.chunks(2).map(pair).collect()))
}

fn base64(text: &[u8], variant: &Base64Variant) -> Result<Zeroizing<Vec<u8>>, String> {
    let Base64Variant {
        engine,
        name,
        foreign: [first, second],
        other,
    } = variant;
    if text.iter().any(|byte| [*first, *second].contains(&char::from(*byte))) {
        return Err(format!(
            "it is not {name}: it holds `{first}` or `{second}`, which is {other}; set `secret_format = \"{other}\"`"
        ));
    }
    // SECURITY: the library's own error quotes a character of the secret.
    let decoded = engine.decode(text).map_err(|error| match error {
        base64::DecodeError::InvalidByte(position, _) => {
            format!("it is not {name}: character {} is not of its alphabet", position + 1)
        }
        _ => format!("it is not {name}: it is cut off, or its last character cannot be right"),
    });
    decoded.map(Zeroizing::new)
}

impl SecretFormat {
    /// All formats, each behind its word.
    pub const ALL: [(&'static str, Self); 5] = [
        ("text", Self::Text),
        ("raw", Self::Raw),
        ("hex", Self::Hex),
        ("base64", Self::Base64),
        ("base64url", Self::Base64Url),
    ];
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_secrets_print_as_stars() {
        let secret = Secret::new(b"hunter2".to_vec());
        assert_eq!(format!("{secret} {secret:?} {secret:#?}"), "*** *** ***");
    }

    #[test]
    fn one_line_break_at_the_end_is_not_part_of_the_secret() {
        for (bytes, kept) in [
            ("a\n", "a"),
            ("a\r\n", "a"),
            ("a\n\n", "a\n"),
            ("a", "a"),
            (" a ", " a "),
            ("a\r", "a\r"),
            ("\n", ""),
        ] {
            assert_eq!(Secret::new(bytes.into()).expose(), kept.as_bytes(), "{bytes:?}");
        }
    }

    #[test]
    fn a_secret_is_decoded_as_it_is_said_to_be_written() {
        use SecretFormat::{Base64, Base64Url, Hex, Raw, Text};
        for (format, written, bytes) in [
            (Text, "abc\n", &b"abc"[..]),
            (Raw, "abc\n", b"abc\n"),
            (Hex, "00ffA0\n", b"\x00\xff\xa0"),
            (Hex, "00 ff\r\na0", b"\x00\xff\xa0"),
            (Base64, "+/8=\n", b"\xfb\xff"),
            (Base64, "+/8", b"\xfb\xff"),
            (Base64Url, "-_8\n", b"\xfb\xff"),
            (Base64Url, "-_8=", b"\xfb\xff"),
            (Base64, "aGVs\nbG8=\n", b"hello"),
        ] {
            let secret = Secret::decoded(written.into(), format).unwrap();
            assert_eq!(secret.expose(), bytes, "{format:?} {written:?}");
        }
    }

    #[test]
    fn sec_what_cannot_be_decoded_is_told_and_not_quoted() {
        use SecretFormat::{Base64, Base64Url, Hex};
        for (format, written, told) in [
            (Hex, "00zz", "character 3"),
            (Hex, "000", "two for each byte"),
            (Hex, "0xff", "character 2"),
            (Base64, "zz-z", "secret_format = \"base64url\""),
            (Base64Url, "zz+z", "secret_format = \"base64\""),
            (Base64, "zz\u{e4}z", "character 3"),
            (Base64, "zzzzz", "cut off"),
            (Base64, "zz=z", "not base64"),
        ] {
            let error = Secret::decoded(written.into(), format).unwrap_err();
            assert!(error.contains(told) && !error.contains("zz"), "{written:?}: {error}");
        }
        assert_eq!(SecretFormat::ALL.len(), 5);
    }
}
