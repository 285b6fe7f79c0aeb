//! Bytes to a port and bytes back: for requests that no client library would send.

use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// Sends these bytes and gives back everything that comes until the other side closes, or for `patience`.
pub async fn exchange(address: &str, bytes: &[u8], patience: Duration) -> Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("connecting to {address}"))?;
    // The other side may refuse before it has read everything.
    let _ = stream.write_all(bytes).await;
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    let _ = timeout(patience, async {
        while let Ok(read @ 1..) = stream.read(&mut buffer).await {
            answer.extend(buffer.iter().take(read));
        }
    })
    .await;
    Ok(answer)
}

/// The status of an answer that [`exchange`] gave back, if it is one.
pub fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    line.strip_prefix("HTTP/1.")?.split(' ').nth(1)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read_off_the_first_line() {
        assert_eq!(status(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Some(400));
        assert_eq!(status(b"HTTP/1.0 200 OK\r\n"), Some(200));
        assert_eq!(status(b""), None);
        assert_eq!(status(b"SSH-2.0\r\n"), None);
    }
}
