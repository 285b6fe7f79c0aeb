//! A TCP relay on loopback that a test can cut: the server behind it stays as it is, and a client that connects through
//! here sees a broken network. It needs no rights and no network namespace.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::server::runtime;

/// State of the network between the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Link {
    /// It carries what it is given.
    Up,
    /// It resets every connection, the open ones too.
    Refusing,
    /// It takes everything and carries nothing. What it took arrives when it is up again, as with a cable that was
    /// pulled for a while.
    Silent,
}

/// A relay from a free port of 127.0.0.1 to another one, until it is dropped.
#[derive(Debug)]
pub struct Relay {
    address: SocketAddr,
    link: watch::Sender<Link>,
    attempts: Arc<Mutex<Vec<Instant>>>,
    accepting: JoinHandle<()>,
}

impl Relay {
    /// Starts relaying to `to`, which need not listen yet.
    pub fn start(to: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let _entered = runtime().enter();
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (link, state) = watch::channel(Link::Up);
        let attempts: Arc<Mutex<Vec<Instant>>> = Arc::default();
        let noted = Arc::clone(&attempts);
        let accepting = runtime().spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((near, _)) => {
                        noted
                            .lock()
                            .unwrap_or_else(PoisonError::into_inner)
                            .push(Instant::now());
                        tokio::spawn(relay(near, to, state.clone()));
                    }
                    // No more open files, perhaps: the next one may fare better.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                }
            }
        });
        Ok(Self {
            address,
            link,
            attempts,
            accepting,
        })
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes what the network does, for the connections that are open as well.
    pub fn set(&self, link: Link) {
        self.link.send_replace(link);
    }

    /// Times of the connections, or attempts to connect, in order.
    pub fn attempts(&self) -> Vec<Instant> {
        self.attempts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.accepting.abort();
        self.link.send_replace(Link::Refusing);
    }
}

/// One connection.
async fn relay(mut near: TcpStream, to: SocketAddr, link: watch::Receiver<Link>) {
    let _ = near.set_nodelay(true);
    let mut refusing = link.clone();
    let ended = tokio::select! {
        _ = refusing.wait_for(|link| *link == Link::Refusing) => false,
        carried = carry_both(&mut near, to, link) => carried.is_ok(),
    };
    if !ended {
        // A reset rather than an end, which could be taken for an answer.
        let _ = near.set_zero_linger();
    }
}

async fn carry_both(near: &mut TcpStream, to: SocketAddr, mut link: watch::Receiver<Link>) -> io::Result<()> {
    wait_until_up(&mut link).await?;
    let mut far = TcpStream::connect(to).await?;
    far.set_nodelay(true)?;
    let (near_read, near_write) = near.split();
    let (far_read, far_write) = far.split();
    tokio::try_join!(
        carry(near_read, far_write, link.clone()),
        carry(far_read, near_write, link),
    )?;
    Ok(())
}

async fn carry(mut from: ReadHalf<'_>, mut to: WriteHalf<'_>, mut link: watch::Receiver<Link>) -> io::Result<()> {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await?;
        wait_until_up(&mut link).await?;
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(buffer.get(..read).unwrap_or_default()).await?;
    }
}

async fn wait_until_up(link: &mut watch::Receiver<Link>) -> io::Result<()> {
    let up = link.wait_for(|link| *link == Link::Up).await;
    up.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(10);
    const A_WHILE: Duration = Duration::from_millis(200);

    /// A server that says everything again.
    async fn echo() -> SocketAddr {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                tokio::spawn(async move {
                    let (mut read, mut write) = stream.split();
                    let _ = tokio::io::copy(&mut read, &mut write).await;
                });
            }
        });
        address
    }

    async fn answer(stream: &mut TcpStream) -> io::Result<[u8; 4]> {
        let mut bytes = [0; 4];
        stream.read_exact(&mut bytes).await.map(|_| bytes)
    }

    #[tokio::test]
    async fn it_carries_is_silent_and_carries_what_it_kept() {
        let relay = Relay::start(echo().await).unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()));
        let mut one = connect().await.unwrap();
        one.write_all(b"ping").await.unwrap();
        assert_eq!(timeout(SOON, answer(&mut one)).await.unwrap().unwrap(), *b"ping");
        relay.set(Link::Silent);
        let mut two = connect().await.unwrap();
        for stream in [&mut one, &mut two] {
            stream.write_all(b"late").await.unwrap();
            assert!(timeout(A_WHILE, answer(stream)).await.is_err());
        }
        relay.set(Link::Up);
        for stream in [&mut one, &mut two] {
            assert_eq!(timeout(SOON, answer(stream)).await.unwrap().unwrap(), *b"late");
        }
        assert_eq!(relay.attempts().len(), 2);
    }

    #[tokio::test]
    async fn it_resets_what_is_open_and_what_comes() {
        let relay = Relay::start(echo().await).unwrap();
        let connect = || TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port()));
        let mut open = connect().await.unwrap();
        open.write_all(b"ping").await.unwrap();
        timeout(SOON, answer(&mut open)).await.unwrap().unwrap();
        relay.set(Link::Refusing);
        assert!(timeout(SOON, answer(&mut open)).await.unwrap().is_err());
        let new = async {
            let mut new = connect().await?;
            answer(&mut new).await
        };
        assert!(timeout(SOON, new).await.unwrap().is_err());
        relay.set(Link::Up);
        let mut new = connect().await.unwrap();
        new.write_all(b"pong").await.unwrap();
        assert_eq!(timeout(SOON, answer(&mut new)).await.unwrap().unwrap(), *b"pong");
    }
}
