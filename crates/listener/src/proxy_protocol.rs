//! Header of the PROXY protocol, version 2: the address of the client, stated by a load balancer that passes on the
//! bytes of a connection (`proxy-protocol.txt` of HAProxy, section 2.2).
//!
//! The parser is strict. The text form (version 1) is refused, because its end has to be searched for; so are addresses
//! that are no TCP addresses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Length of the part that states the length of the rest, in bytes.
pub const START: usize = 16;
/// Upper limit of the rest, in bytes: addresses, and the additions that some load balancers make.
pub const REST_MAX: usize = 2048;

/// First bytes of each header.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// Statement of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProxyHeader {
    /// The connection is the load balancer's own, such as a health check.
    Local,
    /// The connection is this client's.
    Client(SocketAddr),
}

/// Error of a connection that does not begin with a header.
#[derive(Debug, Error)]
pub enum ProxyHeaderError {
    /// It begins with something else.
    #[error("it does not begin with a header of the PROXY protocol, version 2")]
    Signature,
    /// Version or command is unknown.
    #[error("its version or command of the PROXY protocol is unknown")]
    Command,
    /// The address is not a TCP address over IPv4 or IPv6.
    #[error("its header states no TCP address")]
    Family,
    /// The rest is too short for its addresses.
    #[error("its header is too short for its addresses")]
    Short,
    /// The rest is too long.
    #[error("its header is longer than {REST_MAX} bytes")]
    Long,
    /// It ended, or failed, before its header was complete.
    #[error("it ended before its header was complete: {0}")]
    Connection(#[from] io::Error),
}

/// Returns the length of the rest of a header.
///
/// # Errors
///
/// [`ProxyHeaderError::Signature`] and [`ProxyHeaderError::Long`].
pub fn rest_length(start: &[u8; START]) -> Result<usize, ProxyHeaderError> {
    let [signature @ .., _, _, high, low] = start;
    if *signature != SIGNATURE {
        return Err(ProxyHeaderError::Signature);
    }
    let length = usize::from(u16::from_be_bytes([*high, *low]));
    if length > REST_MAX {
        return Err(ProxyHeaderError::Long);
    }
    Ok(length)
}

/// Parses a header: its start, and as many bytes as [`rest_length`] says.
///
/// # Errors
///
/// [`ProxyHeaderError`].
pub fn parse(start: &[u8; START], rest: &[u8]) -> Result<ProxyHeader, ProxyHeaderError> {
    if rest.len() != rest_length(start)? {
        return Err(ProxyHeaderError::Short);
    }
    let [.., command, family, _, _] = *start;
    match command {
        // A health check; its addresses, if there are any, are to be skipped.
        0x20 => return Ok(ProxyHeader::Local),
        0x21 => {}
        _ => return Err(ProxyHeaderError::Command),
    }
    // SECURITY: an unknown family names no client. If the load balancer's own address stood for it, the client would
    // have the trust that the load balancer may have.
    // Source address, destination address, source port, destination port.
    let (address, port) = match family {
        0x11 => {
            let [a, b, c, d, _, _, _, _, high, low, _, _] = rest.first_chunk::<12>().ok_or(ProxyHeaderError::Short)?;
            let address = Ipv4Addr::new(*a, *b, *c, *d);
            (IpAddr::V4(address), u16::from_be_bytes([*high, *low]))
        }
        0x21 => {
            let addresses = rest.first_chunk::<36>().ok_or(ProxyHeaderError::Short)?;
            let (Some(source), [.., high, low, _, _]) = (addresses.first_chunk::<16>(), addresses) else {
                return Err(ProxyHeaderError::Short);
            };
            (IpAddr::V6(Ipv6Addr::from(*source)), u16::from_be_bytes([*high, *low]))
        }
        _ => return Err(ProxyHeaderError::Family),
    };
    Ok(ProxyHeader::Client(SocketAddr::new(address.to_canonical(), port)))
}

/// Reads the header of a connection, and not a byte more.
///
/// # Errors
///
/// [`ProxyHeaderError`].
pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<ProxyHeader, ProxyHeaderError> {
    let mut start = [0; START];
    stream.read_exact(&mut start).await?;
    let mut rest = vec![0_u8; rest_length(&start)?];
    stream.read_exact(&mut rest).await?;
    parse(&start, &rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
        [&SIGNATURE[..], &[command, family], &length, rest].concat()
    }

    async fn read_all(mut bytes: &[u8]) -> Result<(ProxyHeader, Vec<u8>), ProxyHeaderError> {
        let header = read(&mut bytes).await?;
        Ok((header, bytes.to_vec()))
    }

    const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x10, 0x01, 0x01, 0xbb];

    #[tokio::test]
    async fn the_client_is_the_source_and_the_request_follows() {
        let mut v6 = Ipv6Addr::LOCALHOST.octets().to_vec();
        v6.extend("2001:db8::2".parse::<Ipv6Addr>().unwrap().octets());
        v6.extend([0x10, 0x01, 0x01, 0xbb]);
        let mapped: Vec<u8> = [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 7], &v6[16..]].concat();
        let with_additions = [&V4[..], &[0x04, 0, 1, 0]].concat();
        for (family, rest, expected) in [
            (0x11, &V4[..], "192.0.2.7:4097"),
            (0x11, &with_additions[..], "192.0.2.7:4097"),
            (0x21, &v6[..], "[::1]:4097"),
            (0x21, &mapped[..], "192.0.2.7:4097"),
        ] {
            let bytes = [&header(0x21, family, rest)[..], b"GET / HTTP/1.1"].concat();
            let (read, left) = read_all(&bytes).await.unwrap();
            assert_eq!(read, ProxyHeader::Client(expected.parse().unwrap()));
            assert_eq!(left, b"GET / HTTP/1.1");
        }
        let (read, _) = read_all(&header(0x20, 0x00, &[])).await.unwrap();
        assert_eq!(read, ProxyHeader::Local);
    }

    /// A connection without a header, or without an address, is not taken for the load balancer's own.
    #[tokio::test]
    async fn sec_proxy_protocol_without_an_address() {
        let long = vec![0; REST_MAX + 1];
        for bytes in [
            b"GET / HTTP/1.1\r\nhost: a\r\n\r\n".to_vec(),
            b"PROXY TCP4 192.0.2.7 198.51.100.1 1 2\r\n".to_vec(),
            header(0x21, 0x00, &[]),
            header(0x21, 0x12, &V4),
            header(0x21, 0x31, &[0; 216]),
            header(0x21, 0x11, &V4[..11]),
            header(0x21, 0x21, &V4),
            header(0x11, 0x11, &V4),
            header(0x22, 0x11, &V4),
            header(0x21, 0x11, &long),
            header(0x21, 0x11, &V4)[..20].to_vec(),
            Vec::new(),
        ] {
            assert!(read_all(&bytes).await.is_err(), "{bytes:?}");
        }
    }
}
