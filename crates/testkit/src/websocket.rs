//! The little of RFC 6455 that an echo needs: a handshake, and short frames both ways.

use std::fmt::Write as _;

use anyhow::{Context as _, Result, bail};
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::TcpStream,
};

/// Opcode of a text frame (RFC 6455 5.2).
pub const TEXT: u8 = 1;
/// Opcode of a binary frame.
pub const BINARY: u8 = 2;
/// Opcode of a close frame.
pub const CLOSE: u8 = 8;

/// The `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 4.2.2).
pub fn accept(key: &str) -> String {
    let text = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes()))
}

/// Reads one frame, unmasked if it was masked: its opcode and what it carries.
pub async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> Result<(u8, Vec<u8>)> {
    let opcode = stream.read_u8().await? & 0x0f;
    let second = stream.read_u8().await?;
    let length = match second & 0x7f {
        126 => u64::from(stream.read_u16().await?),
        127 => stream.read_u64().await?,
        short => u64::from(short),
    };
    let mut mask = [0; 4];
    if second & 0x80 != 0 {
        stream.read_exact(&mut mask).await?;
    }
    let mut payload = vec![0; usize::try_from(length)?];
    stream.read_exact(&mut payload).await?;
    for (byte, mask) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
    Ok((opcode, payload))
}

/// Writes one frame; a client has to mask (RFC 6455 5.3).
pub async fn write<S: AsyncWrite + Unpin>(
    stream: &mut S,
    opcode: u8,
    payload: &[u8],
    mask: Option<[u8; 4]>,
) -> Result<()> {
    let mut frame = vec![0x80 | opcode];
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    match u16::try_from(payload.len()) {
        Ok(length @ 0..=125) => frame.push(mask_bit | u8::try_from(length)?),
        Ok(length) => {
            frame.push(mask_bit | 0x7e);
            frame.extend(length.to_be_bytes());
        }
        Err(_) => {
            frame.push(mask_bit | 0x7f);
            frame.extend(u64::try_from(payload.len())?.to_be_bytes());
        }
    }
    let mask_bytes = mask.unwrap_or_default();
    frame.extend(mask.into_iter().flatten());
    frame.extend(
        payload
            .iter()
            .zip(mask_bytes.iter().cycle())
            .map(|(byte, mask)| byte ^ mask),
    );
    stream.write_all(&frame).await?;
    Ok(stream.flush().await?)
}

/// The client's end of an open WebSocket.
#[derive(Debug)]
pub struct WebSocket {
    stream: TcpStream,
}

impl WebSocket {
    /// Opens `path` at `address` with these further header lines. An error holds the answer if it was not 101.
    pub async fn open(address: &str, path: &str, headers: &[(&str, &str)]) -> Result<Self> {
        let mut stream = TcpStream::connect(address).await?;
        let mut head = format!(
            "GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        );
        for (name, value) in headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            let byte = stream
                .read_u8()
                .await
                .with_context(|| format!("closed after: {}", String::from_utf8_lossy(&answer)))?;
            answer.push(byte);
        }
        let answer = String::from_utf8_lossy(&answer).to_lowercase();
        if !answer.starts_with("http/1.1 101") {
            bail!("not switched: {answer}");
        }
        let expected = accept("dGhlIHNhbXBsZSBub25jZQ==").to_lowercase();
        if !answer.contains(&format!("sec-websocket-accept: {expected}")) {
            bail!("switched, but not to a WebSocket: {answer}");
        }
        Ok(Self { stream })
    }

    /// Sends one frame.
    pub async fn send(&mut self, opcode: u8, payload: &[u8]) -> Result<()> {
        write(&mut self.stream, opcode, payload, Some([7, 11, 13, 17])).await
    }

    /// Waits for one frame.
    pub async fn receive(&mut self) -> Result<(u8, Vec<u8>)> {
        read(&mut self.stream).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_value_is_that_of_rfc_6455() {
        assert_eq!(accept("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[tokio::test]
    async fn frames_of_every_length_survive() {
        for length in [0, 125, 126, 65_535, 65_536] {
            let payload = vec![42; length];
            let mut bytes = Vec::new();
            write(&mut bytes, BINARY, &payload, Some([1, 2, 3, 4])).await.unwrap();
            assert_eq!(read(&mut bytes.as_slice()).await.unwrap(), (BINARY, payload));
        }
    }
}
