//! Decompression of gzip bodies, within a limit.

use std::io::Read as _;

/// Error for a body that cannot be decompressed.
#[derive(Debug)]
pub(crate) enum Inflate {
    /// It is longer than the limit.
    TooLarge,
    /// It is not gzip, or not all of it.
    Broken,
}

/// Decompresses a gzip body.
///
/// SECURITY: a few kilobytes may declare gigabytes; decompression stops at the limit.
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
