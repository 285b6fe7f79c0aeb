//! PEM armour (RFC 7468): the label and the bytes, of the first block in a text.

use crate::codec::base64_standard_decode;

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// One PEM block.
pub(crate) struct Pem<'t> {
    pub(crate) label: &'t str,
    pub(crate) der: Vec<u8>,
}

/// Tests whether the text holds the beginning of any PEM block, however it is indented or glued together.
pub(crate) fn has_armour(text: &str) -> bool {
    text.contains(BEGIN)
}

/// The first block, read line by line as OpenSSL does: the armour fills its line from the first column.
/// A byte order mark, lines before it, CRLF, blanks at line ends and a missing last newline do not matter. Headers inside a block (old
/// encrypted keys) are not understood.
pub(crate) fn first_block(text: &str) -> Option<Pem<'_>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.lines().map(str::trim_end);
    let label = lines.find_map(|line| armoured(line, BEGIN))?;
    let mut body = String::new();
    for line in lines {
        if let Some(end_label) = armoured(line, END) {
            return (end_label == label).then_some(Pem {
                label,
                der: base64_standard_decode(&body)?,
            });
        }
        body.push_str(line);
    }
    None
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
