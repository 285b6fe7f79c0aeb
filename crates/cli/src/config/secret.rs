//! Secrets in memory.

use std::fmt;

use zeroize::Zeroizing;

/// Bytes that must not be shown: they print as `***` and are wiped when they are dropped.
#[derive(Clone)]
pub(crate) struct Secret(Zeroizing<Vec<u8>>);

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

    /// The bytes, to be used and not kept.
    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
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
}
