//! The ports: free to take, or taken by a narthex that is well.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use narthex_config::Listen;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Finding, State};

/// Path to request at a port, and the signs of a narthex in the answer.
#[derive(Debug, Clone, Copy)]
struct Probe {
    path: &'static str,
    status: u16,
    sign: &'static str,
}

const fn probe(path: &'static str, status: u16, sign: &'static str) -> Probe {
    Probe { path, status, sign }
}

/// Tries to bind every port. If a port is taken, asks the process that has it.
pub(super) async fn look(listen: &Listen) -> Vec<Finding> {
    let public = (
        "public",
        listen.public,
        probe("/.well-known/jwks.json", 200, "\"keys\""),
    );
    let admin = ("admin", listen.admin, probe("/healthz", 200, "ok"));
    // This port answers checks alone, and says so.
    let checks = probe("/", 404, "urn:narthex:reason:route.unmatched");
    let ext_authz = listen.ext_authz.map(|address| ("ext_authz", address, checks));
    let mut findings = Vec::new();
    for (name, address, probe) in [public, admin].into_iter().chain(ext_authz) {
        let speaks_tls = match name {
            "public" => listen.public_tls.is_some(),
            "admin" => listen.admin_tls.is_some(),
            _ => false,
        };
        let (state, message) = if speaks_tls {
            port_with_tls(name, address).await
        } else {
            port(name, address, probe).await
        };
        findings.push(Finding::new("port", format!("{name} {address}"), state, message));
    }
    findings
}

/// Tries to bind a port that speaks TLS. The process that has it is not asked: its certificate is for other names than an
/// address.
async fn port_with_tls(name: &str, address: SocketAddr) -> (State, String) {
    match TcpListener::bind(address).await {
        Err(error) if error.kind() == ErrorKind::AddrInUse => (
            State::Warning,
            format!(
                "in use, by this narthex or another program: `listen.{name}_tls` is set, and a port with TLS is not asked"
            ),
        ),
        _ => port(name, address, probe("/", 0, "")).await,
    }
}

async fn port(name: &str, address: SocketAddr, probe: Probe) -> (State, String) {
    let Err(error) = TcpListener::bind(address).await else {
        return (State::Good, "free".to_owned());
    };
    match error.kind() {
        ErrorKind::AddrInUse => match timeout(WAIT, ask(address, probe.path)).await {
            Ok(Ok(answer))
                if answer.starts_with(&format!("HTTP/1.1 {}", probe.status)) && answer.contains(probe.sign) =>
            {
                (State::Good, "in use by a narthex that answers".to_owned())
            }
            _ => (
                State::Problem,
                format!("in use by another program; stop it, or set another `listen.{name}`"),
            ),
        },
        ErrorKind::PermissionDenied => (
            State::Problem,
            format!("this user may not listen there; set a `listen.{name}` above 1023, or grant CAP_NET_BIND_SERVICE"),
        ),
        ErrorKind::AddrNotAvailable => (
            State::Problem,
            format!("this machine has no such address; correct `listen.{name}`"),
        ),
        _ => (
            State::Problem,
            format!("cannot be listened on: {error}; correct `listen.{name}`"),
        ),
    }
}

/// One request and the beginning of its answer.
async fn ask(address: SocketAddr, path: &str) -> std::io::Result<String> {
    // What listens everywhere is asked on loopback.
    let host = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    let mut stream = TcpStream::connect((host, address.port())).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(ANSWER_BYTES).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

const WAIT: Duration = Duration::from_secs(3);
const ANSWER_BYTES: u64 = 64 * 1024;
