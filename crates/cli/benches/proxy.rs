//! Bar P7: what a request costs that is proved and passed on, in the proxy's own CPU time per request, beside nginx, which
//! checks nothing, and Envoy, which proves the token, in the same run.
//!
//! `cargo bench -p narthex-cli --bench proxy`
//!
//! The same requests, with a small body, go through Narthex's proxy door, through nginx (`proxy_pass`, one process, kept-alive
//! connections, no log) and through Envoy to the same upstream, a bare hyper server that answers with a small body. Narthex decides what its route asks for and tells the upstream who the user
//! is; Envoy proves the token (`jwt_authn`), tells the upstream two claims, and has nothing else to do: no log, no number for
//! each request. Envoy keeps the tokens that it has proved, all of them, in each of its two threads; what is known to one
//! thread is proved again by the other, so every token passes several times before anything is measured.
//!
//! Envoy is installed if it is missing (`cargo xtask setup envoy`), below `target/`; nginx by `cargo xtask setup`.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail loudly")]

mod servers;

use std::process::Command;

use anyhow::{Result, ensure};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use narthex_testkit::process::{Process, free_address};
use narthex_testkit::proxy::system_program;
use narthex_testkit::{IdentityProvider, TestKey, repository, setup};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::servers::{CONNECTIONS, ROUNDS, Ready, Server, TOKENS, load, median, read_answer, ready, serve};

/// Requests of one measurement.
const REQUESTS: usize = 30_000;
/// How often every token passes before: after so many times a thread of Envoy knows all but one in a hundred.
const WARM_UP: usize = 7;
/// At most so many times what nginx costs without any check.
const BAR: f64 = 1.2;
const QUESTION: &str = r#"{"order":"2026-000123","items":[{"article":"A-17","count":3},{"article":"B-02","count":1}]}"#;
const REPLY: &str = r#"{"order":"2026-000123","state":"accepted","total":"129.90","currency":"EUR"}"#;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("--serve-upstream") => runtime.block_on(serve(upstream)),
        _ => runtime.block_on(compare()),
    }
}

/// The application: it reads what it is asked and answers, and refuses what was not proved.
async fn upstream(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let told = ["x-narthex-user", "x-user"]
        .iter()
        .any(|name| request.headers().contains_key(*name));
    let kept = request.headers().contains_key("authorization");
    let question = request.into_body().collect().await.unwrap().to_bytes();
    let good = told && !kept && question == QUESTION;
    let mut response = Response::new(Full::from(REPLY));
    if !good {
        *response.status_mut() = http::StatusCode::BAD_REQUEST;
    }
    response
}

fn request(token: &str) -> Vec<u8> {
    format!(
        "POST /orgs/acme/orders HTTP/1.1\r\nhost: app.example.com\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{QUESTION}",
        QUESTION.len()
    )
    .into_bytes()
}

/// A running nginx that passes everything on.
struct Nginx {
    server: Server,
    _process: Process,
    _folder: TempDir,
}

impl Nginx {
    fn start(upstream: &Server) -> Result<Self> {
        let address = free_address()?;
        let folder = tempfile::tempdir()?;
        let upstream = upstream.address;
        // What the upstream looks for in a request that was proved is said of all of them.
        let text = format!(
            "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr error;\n\
             events {{ worker_connections 1024; }}\n\
             http {{\n\
             access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;\n\
             uwsgi_temp_path uwsgi; scgi_temp_path scgi; keepalive_requests 100000000;\n\
             upstream app {{ server {upstream}; keepalive 64; keepalive_requests 100000000; }}\n\
             server {{ listen {address}; location / {{\n\
             proxy_http_version 1.1; proxy_set_header Connection \"\"; proxy_set_header Authorization \"\";\n\
             proxy_set_header X-User somebody; proxy_pass http://app; }} }}\n\
             }}\n"
        );
        std::fs::write(folder.path().join("nginx.conf"), text)?;
        let mut command = system_program("nginx");
        command
            .args(["-e", "stderr", "-c", "nginx.conf", "-p"])
            .arg(folder.path());
        let mut process = Process::start(&mut command)?;
        process.wait_for_port(address)?;
        Ok(Self {
            server: Server::running("nginx", process.id(), address),
            _process: process,
            _folder: folder,
        })
    }
}

/// A running Envoy.
struct Envoy {
    server: Server,
    _process: Process,
    _folder: TempDir,
}

impl Envoy {
    fn start(issuer: &str, upstream: &Server) -> Result<Self> {
        setup::install("envoy")?;
        let address = free_address()?;
        let folder = tempfile::tempdir()?;
        let file = folder.path().join("envoy.json");
        std::fs::write(
            &file,
            configuration(issuer, address.port(), upstream.address.port()).to_string(),
        )?;
        let mut command = Command::new(repository().join("target/peers/envoy/bin/envoy"));
        command
            .args([
                "--concurrency",
                "2",
                "--disable-hot-restart",
                "--log-level",
                "warn",
                "--config-path",
            ])
            .arg(&file);
        let mut process = Process::start(&mut command)?;
        process.wait_for_port(address)?;
        Ok(Self {
            server: Server::running("Envoy", process.id(), address),
            _process: process,
            _folder: folder,
        })
    }
}

fn configuration(issuer: &str, port: u16, upstream: u16) -> Value {
    let kind = |name: &str| format!("type.googleapis.com/envoy.extensions.filters.{name}");
    let address = |port: u16| json!({ "socket_address": { "address": "127.0.0.1", "port_value": port } });
    let provider = json!({
        "issuer": issuer,
        "audiences": ["narthex"],
        "local_jwks": { "inline_string": json!({ "keys": [TestKey::Rsa1.jwk()] }).to_string() },
        "jwt_cache_config": { "jwt_cache_size": 2 * TOKENS },
        "claim_to_headers": [
            { "header_name": "x-user", "claim_name": "sub" },
            { "header_name": "x-email", "claim_name": "email" },
        ],
    });
    let filters = json!([
        { "name": "envoy.filters.http.jwt_authn", "typed_config": {
            "@type": kind("http.jwt_authn.v3.JwtAuthentication"),
            "providers": { "bench": provider },
            "rules": [{ "match": { "prefix": "/" }, "requires": { "provider_name": "bench" } }],
        } },
        { "name": "envoy.filters.http.router", "typed_config": { "@type": kind("http.router.v3.Router") } },
    ]);
    let routes = json!([{ "match": { "prefix": "/" }, "route": { "cluster": "upstream" } }]);
    let manager = json!({
        "@type": kind("network.http_connection_manager.v3.HttpConnectionManager"),
        "stat_prefix": "bench",
        "codec_type": "HTTP1",
        "generate_request_id": false,
        "route_config": { "name": "all", "virtual_hosts": [{ "name": "all", "domains": ["*"], "routes": routes }] },
        "http_filters": filters,
    });
    let chains = json!([{ "filters": [{
        "name": "envoy.filters.network.http_connection_manager", "typed_config": manager,
    }] }]);
    let endpoint = json!({ "endpoint": { "address": address(upstream) } });
    json!({ "static_resources": {
        "listeners": [{ "name": "door", "address": address(port), "filter_chains": chains }],
        "clusters": [{
            "name": "upstream",
            "type": "STATIC",
            "connect_timeout": "1s",
            "load_assignment": { "cluster_name": "upstream", "endpoints": [{ "lb_endpoints": [endpoint] }] },
        }],
    } })
}

/// Checks that a proxy passes on what is measured, and that what the upstream says comes back.
async fn check(proxy: &Server, good: &[u8]) -> Result<()> {
    let name = proxy.name;
    let (head, body) = ask(proxy, good).await?;
    ensure!(head.starts_with("HTTP/1.1 200"), "{name}: {head}\n{body}");
    ensure!(body == REPLY, "{name}: {body}");
    Ok(())
}

/// Checks that a token with another signature does not pass.
async fn check_refusal(proxy: &Server, good: &[u8]) -> Result<()> {
    let name = proxy.name;
    let mut bad = good.to_vec();
    // In the signature, which ends where the next header begins.
    let at = good
        .windows(14)
        .position(|window| window == b"\r\ncontent-type")
        .unwrap()
        - 20;
    bad[at] = if bad[at] == b'A' { b'B' } else { b'A' };
    let (head, _) = ask(proxy, &bad).await?;
    ensure!(head.starts_with("HTTP/1.1 401"), "{name} lets a bad token pass: {head}");
    Ok(())
}

async fn ask(proxy: &Server, request: &[u8]) -> Result<(String, String)> {
    let mut stream = TcpStream::connect(proxy.address).await?;
    stream.write_all(request).await?;
    let mut buffer = vec![0; 16 * 1024];
    let (head, body) = read_answer(&mut stream, &mut buffer).await?;
    Ok((head.to_owned(), String::from_utf8(body.to_vec())?))
}

async fn compare() -> Result<()> {
    let upstream = Server::start_peer("upstream", "--serve-upstream")?;
    let provider = IdentityProvider::start(&[TestKey::Rsa1])?;
    let envoy = Envoy::start(&provider.url(), &upstream)?;
    let nginx = Nginx::start(&upstream)?;
    eprintln!("making {TOKENS} tokens, and a user for each");
    let route = format!("upstream = \"http://{}\"\n", upstream.address);
    let Ready { ours, first, .. } = &ready(&provider, &route, request).await?;
    let proxies = [ours, &nginx.server, &envoy.server];
    for proxy in [ours, &envoy.server] {
        check_refusal(proxy, &first[0]).await?;
    }
    for proxy in proxies {
        check(proxy, &first[0]).await?;
        load(proxy.address, first, WARM_UP * TOKENS).await?;
    }
    let (mut one, mut many) = ([vec![], vec![], vec![]], [vec![], vec![], vec![]]);
    for _ in 0..ROUNDS {
        for (which, proxy) in proxies.into_iter().enumerate() {
            one[which].push(proxy.cost(&first[..1], REQUESTS).await?);
            many[which].push(proxy.cost(first, REQUESTS).await?);
        }
    }
    println!("the proxy's CPU per request, {CONNECTIONS} connections, medians of {ROUNDS} alternating rounds");
    for (what, costs) in [("one known token", one), ("20,000 known tokens", many)] {
        let [ours, nginx, envoy] = costs.map(median);
        let ratio = ours / nginx;
        println!(
            "P7 {what}: narthex {ours:.1} us, nginx {nginx:.1} us, Envoy {envoy:.1} us: {:.2} x Envoy, {ratio:.2} x nginx (bar {BAR}): {}",
            ours / envoy,
            if ratio <= BAR { "met" } else { "MISSED" }
        );
    }
    Ok(())
}
