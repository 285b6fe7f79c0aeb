//! The upstreams: can each be reached, and is none of them this Narthex itself.

use std::net::{IpAddr, SocketAddr};

use narthex_engine::Upstream;
use narthex_gateway::{UpstreamTrouble, probe_upstream, upstream_addresses};
use tokio::net::TcpListener;

use super::{Finding, State};
use narthex_config::{Limits, Listen, RouteSettings};

/// Asks every upstream of the routes once, all at the same time. No request is sent.
pub(super) async fn look(routes: &[RouteSettings], listen: &Listen, limits: &Limits) -> Vec<Finding> {
    let mut upstreams: Vec<&Upstream> = Vec::new();
    for upstream in routes.iter().filter_map(|route| route.upstream.as_ref()) {
        if !upstreams.iter().any(|known| known.audience == upstream.audience) {
            upstreams.push(upstream);
        }
    }
    let own: Vec<SocketAddr> = [listen.public, listen.admin]
        .into_iter()
        .chain(listen.ext_authz)
        .collect();
    let wait = limits.connect_timeout;
    let asked: Vec<_> = upstreams
        .into_iter()
        .cloned()
        .map(|upstream| {
            let (name, own) = (upstream.audience.clone(), own.clone());
            (name, tokio::spawn(async move { state(&upstream, &own, wait).await }))
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

async fn state(upstream: &Upstream, own: &[SocketAddr], wait: std::time::Duration) -> (State, String) {
    if let Some(port) = own_port(upstream, own).await {
        let message = format!(
            "this is Narthex's own port {port}: a request would come back again and again; name the application's address"
        );
        return (State::Problem, message);
    }
    match probe_upstream(upstream, wait).await {
        Ok(()) => (State::Good, "it takes connections".to_owned()),
        Err(trouble) => (State::Problem, format!("{trouble}; {}", cure(&trouble))),
    }
}

fn cure(trouble: &UpstreamTrouble) -> &'static str {
    match trouble {
        UpstreamTrouble::Unresolved(_) => "correct the name in `upstream`, or this machine's name service",
        UpstreamTrouble::TimedOut(_) => "a firewall may be in between, or the address is another machine's",
        UpstreamTrouble::Certificate(_) => {
            "give the application a certificate of an authority that this system trusts, or add its authority to the system's"
        }
        _ => "start the application, or correct `upstream`",
    }
}

/// The port of this Narthex that the upstream names, if it does.
async fn own_port(upstream: &Upstream, own: &[SocketAddr]) -> Option<SocketAddr> {
    for address in upstream_addresses(upstream).await.ok()? {
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
