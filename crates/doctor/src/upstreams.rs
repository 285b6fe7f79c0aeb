//! The upstreams: can each be reached, and is none of them this Narthex itself.

use std::net::{IpAddr, SocketAddr};

use http::uri::Authority;
use narthex_config::{Limits, Listen, RouteSettings};
use narthex_engine::{Upstream, UpstreamProtocol};
use narthex_upstream::{UpstreamTrouble, probe_upstream, server_addresses};
use tokio::net::TcpListener;

use super::{Finding, State};

/// Asks every upstream of the routes once, all at the same time. No request is sent.
pub(super) async fn look(routes: &[RouteSettings], listen: &Listen, limits: &Limits) -> Vec<Finding> {
    let mut servers: Vec<(&Upstream, &Authority)> = Vec::new();
    for upstream in routes.iter().filter_map(|route| route.upstream.as_ref()) {
        for server in upstream.servers.authorities() {
            let is_known = |(known, of_known): &(&Upstream, &Authority)| {
                (&known.scheme, known.protocol, *of_known) == (&upstream.scheme, upstream.protocol, server)
            };
            if !servers.iter().any(is_known) {
                servers.push((upstream, server));
            }
        }
    }
    let own: Vec<SocketAddr> = [listen.public, listen.admin]
        .into_iter()
        .chain(listen.ext_authz)
        .collect();
    let wait = limits.connect_timeout;
    let asked: Vec<_> = servers
        .into_iter()
        .map(|(upstream, server)| {
            let (upstream, server, own) = (upstream.clone(), server.clone(), own.clone());
            let name = name(&upstream, &server);
            let asked = tokio::spawn(async move { state((&upstream, &server), &own, wait).await });
            (name, asked)
        })
        .collect();
    let mut findings = Vec::new();
    for (name, asked) in asked {
        let (state, message) = match asked.await {
            Ok(found) => found,
            Err(error) => (State::Problem, format!("it cannot be inspected: {error}")),
        };
        findings.push(Finding::new(AREA, name, state, message));
    }
    findings
}

/// Name of a server in a finding: its upstream as configured if that has no other one.
fn name(upstream: &Upstream, server: &Authority) -> String {
    if upstream.servers.is_one() {
        return upstream.audience.clone();
    }
    let scheme = match upstream.protocol {
        UpstreamProtocol::Negotiated => upstream.scheme.as_str(),
        UpstreamProtocol::Http2 => "h2c",
    };
    format!("{scheme}://{server}")
}

async fn state(
    (upstream, server): (&Upstream, &Authority),
    own: &[SocketAddr],
    wait: std::time::Duration,
) -> (State, String) {
    if let Some(port) = own_port(upstream, server, own).await {
        let message = format!(
            "this is Narthex's own port {port}: a request would come back again and again; name the application's address"
        );
        return (State::Problem, message);
    }
    match probe_upstream(upstream, server, wait).await {
        Ok(()) => (State::Good, "it takes connections".to_owned()),
        Err(trouble) => (State::Problem, format!("{trouble}; {}", cure(&trouble))),
    }
}

fn cure(trouble: &UpstreamTrouble) -> &'static str {
    match trouble {
        UpstreamTrouble::Unresolved(_) => "correct the name in `upstream`, or this machine's name service",
        UpstreamTrouble::TimedOut(_) => "a firewall may be in between, or the address is another machine's",
        UpstreamTrouble::Certificate(_) => {
            "give the application a certificate of an authority that this system trusts, or name its authority with `upstream_ca_file` on the route"
        }
        _ => "start the application, or correct `upstream`",
    }
}

/// The port of this Narthex that the upstream names, if it does.
async fn own_port(upstream: &Upstream, server: &Authority, own: &[SocketAddr]) -> Option<SocketAddr> {
    for address in server_addresses(upstream, server).await.ok()? {
        for port in own.iter().copied() {
            let is_there =
                port.ip() == address.ip() || port.ip().is_unspecified() && is_this_machine(address.ip()).await;
            if port.port() == address.port() && is_there {
                return Some(port);
            }
        }
    }
    None
}

/// Returns whether this machine has the address, which can then be listened on.
async fn is_this_machine(address: IpAddr) -> bool {
    address.is_loopback() || address.is_unspecified() || TcpListener::bind((address, 0)).await.is_ok()
}

const AREA: &str = "upstream";
