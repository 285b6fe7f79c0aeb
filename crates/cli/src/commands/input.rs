//! Input of a command: arguments, standard input, files.

use std::io::Read as _;
use std::path::Path;

use narthex_explain::pasted_token;
use zeroize::Zeroizing;

use narthex_config::{Secret, SecretFormat};

/// The most that is read from standard input or a file of the command line.
const BYTES_MOST: u64 = 16 * 1024 * 1024;

/// A command line that clap understood and that makes no sense all the same. Ends with exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct UsageError(pub(crate) String);

/// An error that ends with exit code 2.
pub(crate) fn usage_error(message: impl Into<String>) -> anyhow::Error {
    UsageError(message.into()).into()
}

/// The argument itself, or standard input for `-`, without the one line break that ends a line there.
pub(crate) fn argument_or_stdin(argument: String) -> anyhow::Result<String> {
    if argument != "-" {
        return Ok(argument);
    }
    let mut bytes = Vec::new();
    let stdin = std::io::stdin().lock();
    let read = stdin.take(BYTES_MOST + 1).read_to_end(&mut bytes);
    read.map_err(|error| usage_error(format!("standard input cannot be read: {error}")))?;
    if bytes.len() as u64 > BYTES_MOST {
        return Err(usage_error(format!(
            "standard input holds more than {BYTES_MOST} bytes"
        )));
    }
    // What is not UTF-8 is no token, template or JSON, and fails as such, with the place.
    let mut text =
        String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    Ok(text)
}

/// A token: as [`argument_or_stdin`], and where it was pasted from a header, what follows the scheme.
pub(crate) fn token_or_stdin(argument: String) -> anyhow::Result<String> {
    let text = argument_or_stdin(argument)?;
    Ok(pasted_token(&text).to_owned())
}

/// The bytes of a file that an option names.
pub(crate) fn file(option: &str, path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let refuse = |cause: String| {
        usage_error(format!(
            "the file of `{option}`, `{}`, cannot be read: {cause}",
            path.display()
        ))
    };
    let opened = std::fs::File::open(path).map_err(|error| refuse(error.to_string()))?;
    let mut bytes = Zeroizing::new(Vec::new());
    opened
        .take(BYTES_MOST + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| refuse(error.to_string()))?;
    if bytes.len() as u64 > BYTES_MOST {
        return Err(refuse(format!("it is larger than {BYTES_MOST} bytes")));
    }
    Ok(bytes)
}

/// The secret in the file of `--secret-file`, as it is written there.
pub(crate) fn secret_file(path: &Path, format: SecretFormat) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    const OPTION: &str = "--secret-file";
    if format == SecretFormat::Text {
        return secret_file_of(OPTION, path);
    }
    let secret = Secret::decoded(file(OPTION, path)?.to_vec(), format);
    let refuse = |why| usage_error(format!("the secret of `{OPTION}` cannot be used: {why}"));
    Ok(Zeroizing::new(secret.map_err(refuse)?.expose().to_vec()))
}

/// The secret in a file that an option names: its bytes without the one line break that editors put at the end. A PEM block
/// keeps it: other programs use such a file whole.
pub(crate) fn secret_file_of(option: &str, path: &Path) -> anyhow::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = file(option, path)?;
    if !bytes.windows(ARMOUR.len()).any(|window| window == ARMOUR) && bytes.last() == Some(&b'\n') {
        bytes.pop();
        if bytes.last() == Some(&b'\r') {
            bytes.pop();
        }
    }
    Ok(bytes)
}

const ARMOUR: &[u8] = b"-----BEGIN ";
