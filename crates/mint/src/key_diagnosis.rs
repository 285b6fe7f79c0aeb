//! Diagnosis of a key that did not work: its probable fault.
//!
//! The library's messages are kept to the letter, and they say little: a private key whose line breaks were lost is, to
//! the library, a shared secret. These sentences go beside its message, where there is room for one. They look at the
//! form of the key only and repeat nothing of it.

/// Diagnosis of text or bytes that were taken for a shared secret.
pub(crate) fn of_secret(bytes: &[u8]) -> Option<&'static str> {
    let text = std::str::from_utf8(bytes).ok()?;
    match text.find(BEGIN) {
        Some(at) => Some(of_armoured(text, at)),
        None => of_bare(text.trim()),
    }
}

/// Diagnosis of a collection that should hold a key and its passphrase.
pub(crate) fn of_collection(key: Option<&str>, passphrase: bool) -> &'static str {
    match key {
        None => {
            "a collection as the secret needs the private key's PEM text as its member `key`, and a `passphrase` if it has one"
        }
        Some(text) => match of_secret(text.as_bytes()) {
            Some(ENCRYPTED) if passphrase => {
                "the passphrase does not open this private key; the key must be encrypted with AES in CBC mode (`openssl pkcs8 -topk8` does)"
            }
            Some(diagnosis) => diagnosis,
            None => "the member `key` is no private key in PEM; a shared secret is given as plain text",
        },
    }
}

/// Diagnosis of PEM that is no usable private key. `at` is where its armour begins.
fn of_armoured(text: &str, at: usize) -> &'static str {
    let label = text.get(at + BEGIN.len()..).unwrap_or("");
    let label = label.split("-----").next().unwrap_or("");
    if text.contains("\\n") {
        "the line breaks of this PEM text are written as \\n: put real line breaks in their place"
    } else if matches!(label, "PUBLIC KEY" | "RSA PUBLIC KEY") {
        "this is a public key: signing with it needs the private key of the pair"
    } else if label.ends_with("CERTIFICATE") {
        "this is a certificate: signing needs the private key that belongs to it"
    } else if label == "OPENSSH PRIVATE KEY" {
        "this is a private key in OpenSSH's own form: `ssh-keygen -p -m PEM -f FILE` rewrites it as PEM"
    } else if label == "ENCRYPTED PRIVATE KEY" || text.contains("Proc-Type:") {
        ENCRYPTED
    } else if !text.trim_end().contains('\n') {
        "the line breaks of this PEM text are gone: its first and its last line must stand alone"
    } else if at > 0 && !text.get(..at).is_some_and(|before| before.ends_with('\n')) {
        "something stands before -----BEGIN on its line: the line must begin with it"
    } else if !text.contains("-----END ") {
        "this PEM text is cut off: its last line, -----END …-----, is missing"
    } else if !label.ends_with("PRIVATE KEY") {
        "this PEM text holds something other than a private key"
    } else {
        "this PEM text is damaged: copy the private key again, from -----BEGIN through the last line"
    }
}

/// Diagnosis of text without PEM armour that looks as if it had once had one.
fn of_bare(text: &str) -> Option<&'static str> {
    let base64 = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=') || c.is_ascii_whitespace();
    if text.starts_with('{') && text.contains("\"kty\"") {
        Some("this is a key in JSON (JWK): convert it to PEM")
    } else if text.starts_with("LS0tLS1CRUdJTi") {
        Some("this is a PEM file in base64: decode it once and use the text inside, which begins with -----BEGIN")
    } else if is_path(text) {
        Some("this looks like the name of a file: give what is in the file (`--param-file NAME=PATH` reads it)")
    } else if text.len() >= BARE_LEAST
        && ["MII", "MIG", "MHc", "MC4"].iter().any(|start| text.starts_with(start))
        && text.chars().all(base64)
    {
        Some(
            "this looks like the inside of a PEM file: its first and last lines (-----BEGIN PRIVATE KEY----- and \
             -----END PRIVATE KEY-----) are missing",
        )
    } else {
        None
    }
}

/// Tests whether a text looks like the path of a key file.
fn is_path(text: &str) -> bool {
    let one_line = text.len() <= PATH_MOST && !text.contains(char::is_whitespace);
    let (_, extension) = text.rsplit_once('.').unwrap_or_default();
    let known = ["pem", "key", "p8", "pk8", "der"]
        .iter()
        .any(|known| extension.eq_ignore_ascii_case(known));
    one_line && known
}

const BEGIN: &str = "-----BEGIN ";
const ENCRYPTED: &str =
    "this private key is encrypted: give a collection with the PEM text as `key` and its `passphrase`";
/// An Ed25519 key, the shortest there is, has 64 characters of base64.
const BARE_LEAST: usize = 60;
const PATH_MOST: usize = 255;
