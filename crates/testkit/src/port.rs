//! Ports of loopback that stay a test's own while nothing listens on them.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::{Context as _, Result};
use tokio::net::TcpSocket;

/// A port of 127.0.0.1. The system gives it to no process that asks for a free one, and a program that reuses addresses, as
/// most servers do, can listen on it.
#[derive(Debug)]
pub struct HeldPort {
    address: SocketAddr,
    _socket: TcpSocket,
}

impl HeldPort {
    /// Takes a free port.
    pub fn take() -> Result<Self> {
        let socket = bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).context("no free port on loopback")?;
        Ok(Self {
            address: socket.local_addr()?,
            _socket: socket,
        })
    }

    /// Its address.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }
}

/// A socket on a port that it may share with others of ours, as long as one of them listens at the most.
pub(crate) fn bind(address: SocketAddr) -> std::io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}
