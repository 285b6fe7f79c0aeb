//! Bodies compressed with gzip, within a bound.

use std::io::Read as _;

/// Reason for which a body cannot be read.
#[derive(Debug)]
pub(crate) enum Inflate {
    /// It is longer than the limit.
    TooLarge,
    /// It is not gzip, or not all of it.
    Broken,
}

/// SECURITY: a few kilobytes may be told to be gigabytes; reading ends at the limit.
pub(crate) fn inflate(compressed: &[u8], limit: usize) -> Result<Vec<u8>, Inflate> {
    let mut body = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    flate2::read::MultiGzDecoder::new(compressed)
        .take(most)
        .read_to_end(&mut body)
        .map_err(|_| Inflate::Broken)?;
    if body.len() > limit {
        return Err(Inflate::TooLarge);
    }
    Ok(body)
}
