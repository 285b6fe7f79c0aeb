//! Private keys in PEM (RFC 7468, and the headers of RFC 1421 that old encrypted keys have), as tolerant as OpenSSL and no
//! more.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use narthex_token::pem;
use zeroize::Zeroizing;

/// A private key in PEM.
pub(crate) struct PrivateKeyBlock<'t> {
    /// The words after `BEGIN`.
    pub(crate) label: &'t str,
    /// Encryption of an old encrypted key.
    pub(crate) encryption: Option<DekInfo<'t>>,
    /// The bytes.
    pub(crate) der: Zeroizing<Vec<u8>>,
}

/// `DEK-Info` of an old encrypted key (RFC 1421 4.6.1.3).
#[derive(Clone, Copy)]
pub(crate) struct DekInfo<'t> {
    /// Name of the cipher, such as `AES-128-CBC`.
    pub(crate) cipher: &'t str,
    /// Initialization vector in hexadecimal digits.
    pub(crate) initial_vector: &'t str,
}

/// The first block that is a private key.
pub(crate) fn private_key(text: &str) -> Option<PrivateKeyBlock<'_>> {
    let block =
        pem::blocks(text).find(|block| block.label == block.end_label && block.label.ends_with("PRIVATE KEY"))?;
    let mut body = Zeroizing::new(String::new());
    let mut encryption = None;
    for line in block.lines {
        match line.split_once(':') {
            Some(("DEK-Info", info)) => {
                let parts = info.trim().split_once(',');
                encryption = parts.map(|(cipher, initial_vector)| DekInfo { cipher, initial_vector });
            }
            Some(_) => {}
            None => body.push_str(line.trim()),
        }
    }
    Some(PrivateKeyBlock {
        label: block.label,
        encryption,
        der: Zeroizing::new(STANDARD.decode(body.as_bytes()).ok()?),
    })
}
