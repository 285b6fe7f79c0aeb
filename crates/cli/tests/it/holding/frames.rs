//! An HTTP/2 client that sends the frames it is told to, and nothing by itself but acknowledgements (RFC 9113).

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A frame as it came.
pub(super) struct Frame {
    pub(super) kind: u8,
    flags: u8,
    payload: Vec<u8>,
}

/// A connection.
pub(super) struct Http2 {
    stream: TcpStream,
    /// How many requests at a time the server takes.
    pub(super) streams_max: Option<u32>,
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

impl Http2 {
    pub(super) async fn open(stream: TcpStream) -> Self {
        let mut http2 = Self {
            stream,
            streams_max: None,
        };
        http2
            .stream
            .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            .await
            .unwrap();
        http2.send(SETTINGS, 0, 0, &[]).await;
        http2
    }

    /// A connection that has ended takes no more; that is found out by reading.
    async fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut frame = vec![length[1], length[2], length[3], kind, flags];
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        let _ = self.stream.write_all(&frame).await;
    }

    pub(super) async fn ping(&mut self) {
        self.send(PING, 0, 0, b"narthex!").await;
    }

    /// Lets the server send as much as each stream takes.
    pub(super) async fn open_connection_window(&mut self) {
        self.send(WINDOW_UPDATE, 0, 0, &0x3fff_ffff_u32.to_be_bytes()).await;
    }

    /// A GET request; what its upstream is to do, if anything, is said in `x-upstream`.
    pub(super) async fn get(&mut self, stream: u32, path: &str, upstream: &str) {
        // `:method: GET` and `:scheme: http` out of the table of RFC 7541; the others with names out of it or their own.
        let mut block = vec![0x82, 0x86];
        let mut field = |name: &[u8], value: &str| {
            block.extend(name);
            block.push(u8::try_from(value.len()).unwrap());
            block.extend(value.as_bytes());
        };
        field(&[0x01], "a");
        field(&[0x04], path);
        if !upstream.is_empty() {
            field(b"\x00\x0ax-upstream", upstream);
        }
        self.send(HEADERS, END_STREAM | END_HEADERS, stream, &block).await;
    }

    /// The next frame; `None` when the connection has ended.
    pub(super) async fn frame(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.stream.read_exact(&mut head).await.ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).await.ok()?;
        let frame = Frame {
            kind: head[3],
            flags: head[4],
            payload,
        };
        if frame.kind == SETTINGS && frame.flags & ACK == 0 {
            for setting in frame.payload.chunks_exact(6) {
                if setting[..2] == [0, 3] {
                    self.streams_max = Some(u32::from_be_bytes(setting[2..].try_into().unwrap()));
                }
            }
            self.send(SETTINGS, ACK, 0, &[]).await;
        }
        if frame.kind == PING && frame.flags & ACK == 0 {
            self.send(PING, ACK, 0, &frame.payload).await;
        }
        Some(frame)
    }

    /// Of so many answers, each read to its end, whether it was 200.
    pub(super) async fn successes(&mut self, count: usize) -> Vec<bool> {
        let (mut successes, mut ended) = (Vec::new(), 0);
        while ended < count {
            let frame = self.frame().await.expect("the connection ended");
            if frame.kind == HEADERS {
                // 200 is in the table of RFC 7541; other statuses are not.
                successes.push(frame.payload.first() == Some(&0x88));
            }
            if [DATA, HEADERS].contains(&frame.kind) && frame.flags & END_STREAM != 0 {
                ended += 1;
            }
        }
        successes
    }
}
