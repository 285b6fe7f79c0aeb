//! PEM armour (RFC 7468): the blocks of a text, and the bytes of the first one.

use std::fmt;

use crate::codec::base64_standard_decode;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// A block of PEM before it is decoded. It borrows the text, so that no key is copied.
pub struct PemBlock<'t> {
    /// Words after `BEGIN`.
    pub label: &'t str,
    /// Words after `END`; a sound block has the same as `label`.
    pub end_label: &'t str,
    /// Lines in between, without blanks at their ends: headers (RFC 1421) and base64.
    pub lines: Vec<&'t str>,
}

// SECURITY: the lines may be those of a private key.
impl fmt::Debug for PemBlock<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PemBlock")
            .field("label", &self.label)
            .finish_non_exhaustive()
    }
}

/// Blocks of a text, read line by line as OpenSSL does: the armour fills its line from the first column. Lines before it,
/// CRLF, blanks at line ends and a missing last line break do not matter. A block without an end is none.
pub fn blocks(text: &str) -> impl Iterator<Item = PemBlock<'_>> {
    let mut lines = text.lines().map(str::trim_end);
    std::iter::from_fn(move || {
        let label = lines.find_map(|line| armoured(line, BEGIN))?;
        let mut body = Vec::new();
        for line in lines.by_ref() {
            if let Some(end_label) = armoured(line, END) {
                return Some(PemBlock {
                    label,
                    end_label,
                    lines: body,
                });
            }
            body.push(line);
        }
        None
    })
}

/// One PEM block.
pub(crate) struct Pem<'t> {
    pub(crate) label: &'t str,
    pub(crate) der: Vec<u8>,
}

/// Tests whether the text holds the beginning of any PEM block, however it is indented or glued together.
pub(crate) fn has_armour(text: &str) -> bool {
    text.contains(BEGIN)
}

/// The first block of a text, which may begin with a byte order mark. Headers inside a block (old encrypted keys) are not
/// understood.
pub(crate) fn first_block(text: &str) -> Option<Pem<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let block = blocks(text).next().filter(|block| block.end_label == block.label)?;
    Some(Pem {
        label: block.label,
        der: base64_standard_decode(&block.lines.concat())?,
    })
}

fn armoured<'l>(line: &'l str, start: &str) -> Option<&'l str> {
    line.strip_prefix(start)?.strip_suffix(DASHES)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_first_block_and_only_a_whole_one() {
        let block =
            first_block("hello\r\n-----BEGIN PUBLIC KEY-----\r\nAQ\r\n\r\nID \r\n-----END PUBLIC KEY-----").unwrap();
        assert_eq!(
            (block.label, block.der.as_slice()),
            ("PUBLIC KEY", [1, 2, 3].as_slice())
        );
        for bad in [
            "",
            "-----BEGIN A-----\nAQID\n",
            "-----BEGIN A-----\nAQID\n-----END B-----",
            "-----BEGIN A-----\n?\n-----END A-----",
            " -----BEGIN A-----\nAQID\n-----END A-----",
            "-----BEGIN A----- AQID -----END A-----",
            "-----BEGIN A-----\\nAQID\\n-----END A-----",
        ] {
            assert!(first_block(bad).is_none(), "{bad}");
        }
    }
}
