//! PEM (RFC 7468, and the headers of RFC 1421 that old encrypted keys have), as tolerant as OpenSSL and no more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// One block.
pub(crate) struct Block<'t> {
    /// The words after `BEGIN`.
    pub(crate) label: &'t str,
    /// The cipher and its initialization vector in hexadecimal digits, of an old encrypted key.
    pub(crate) encryption: Option<(&'t str, &'t str)>,
    /// The bytes.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// The first block that is a private key. The armour fills its lines from the first column; lines before it, CRLF and a
/// missing last line break do not matter.
pub(crate) fn private_key(text: &str) -> Option<Block<'_>> {
    let mut lines = text.lines().map(str::trim_end);
    loop {
        let label = lines.find_map(|line| armoured(line, "-----BEGIN "))?;
        let mut body = Zeroizing::new(String::new());
        let mut encryption = None;
        let closed = lines.by_ref().find_map(|line| {
            let end = armoured(line, "-----END ");
            match (end, line.split_once(':')) {
                (Some(_), _) => return end,
                (None, Some(("DEK-Info", info))) => encryption = info.trim().split_once(','),
                (None, Some(_)) => {}
                (None, None) => body.push_str(line.trim()),
            }
            None
        })?;
        if closed == label && label.ends_with("PRIVATE KEY") {
            let der = Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?);
            return Some(Block { label, encryption, der });
        }
    }
}

fn armoured<'l>(line: &'l str, start: &str) -> Option<&'l str> {
    line.strip_prefix(start)?.strip_suffix("-----")
}
