//! Bodies that are far larger than the memory which they may take.

use std::time::Duration;

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::world::{World, config};

const MEBIBYTE: u64 = 1 << 20;
/// Two gigabytes, in each direction.
const BYTES: u64 = 2048 * MEBIBYTE;
/// Upper limit of what the process may need more than before.
const GROWTH_MAX: u64 = 48 * MEBIBYTE;

/// The process's own memory, in bytes.
fn memory(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
}

/// The upstream sends each part back as it arrives, so that two gigabytes go up and down at the same time.
#[tokio::test]
async fn two_gigabytes_pass_in_both_directions_in_constant_memory() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream).replace("[[route]]", "[[route]]\nbody_size = \"3000MiB\"\n")
    })
    .await;
    let process = world.narthex.process_id();
    let before = memory(process);
    let stream = TcpStream::connect(world.narthex.address()).await.unwrap();
    let (mut reader, mut writer) = stream.into_split();
    let head = format!(
        "POST /public/page HTTP/1.1\r\nhost: a\r\nx-upstream: mirror\r\nconnection: close\r\ncontent-length: {BYTES}\r\n\r\n"
    );
    let written = tokio::spawn(async move {
        writer.write_all(head.as_bytes()).await.unwrap();
        let part = vec![b'x'; usize::try_from(MEBIBYTE).unwrap()];
        for _ in 0..BYTES / MEBIBYTE {
            writer.write_all(&part).await.unwrap();
        }
        // Kept open: a client that closes its side is gone.
        writer
    });
    let (mut read, mut most, mut buffer) = (0_u64, before, vec![0; 256 * 1024]);
    let all = async {
        loop {
            let length = reader.read(&mut buffer).await.unwrap();
            if length == 0 {
                break;
            }
            let earlier = read;
            read += length as u64;
            if earlier / (64 * MEBIBYTE) != read / (64 * MEBIBYTE) {
                most = most.max(memory(process));
            }
        }
    };
    timeout(Duration::from_mins(10), all).await.unwrap();
    written.await.unwrap();
    assert!((BYTES..BYTES + 4096).contains(&read), "{read} bytes came back");
    let growth = most - before;
    assert!(growth < GROWTH_MAX, "the process grew by {} MiB", growth / MEBIBYTE);
}
