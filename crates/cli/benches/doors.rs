//! Bars P2 and P3: what a decision costs at the forward-auth door, in the server's own CPU time per request, beside hyper
//! servers that do only the unavoidable part, in the same run.
//!
//! `cargo bench -p narthex-cli --bench doors`
//!
//! `cargo bench -p narthex-cli --bench doors -- one` (`many`, `new`, `bare`, `verify`) does only that, for as long as a
//! profiler needs, and says which process to look at.
//!
//! The token cache has its usual size, so that new tokens push others out; the accounts of all users have room.
//!
//! Every server is a process of its own; its CPU time is read from `/proc/PID/stat` around a fixed number of requests over
//! kept-alive connections. Rounds alternate, medians are compared, and only ratios are printed as results.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a bench may fail loudly")]

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result};
use aws_lc_rs::signature::{ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256, RsaPublicKeyComponents};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use narthex_testkit::{IdentityProvider, Narthex, TestIssuer, TestKey};
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 5;
/// Distinct tokens, each of a user of its own.
const TOKENS: usize = 20_000;
/// Requests of one round with a token that was seen before.
const SEEN: usize = 60_000;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    match std::env::args().nth(1).as_deref() {
        Some("--serve-bare") => runtime.block_on(peer(None)),
        Some("--serve-verify") => runtime.block_on(peer(Some(verifier()?))),
        Some(part @ ("one" | "many" | "new" | "bare" | "verify")) => runtime.block_on(only(part)),
        _ => runtime.block_on(compare()),
    }
}

/// A hyper server: answers 200 with two headers, after verifying the token if it is given a key.
async fn peer(key: Option<ParsedPublicKey>) -> Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    let key = Arc::new(key);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let key = Arc::clone(&key);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let key = Arc::clone(&key);
                async move { Ok::<_, Infallible>(answer(&request, key.as_ref().as_ref())) }
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

fn answer(request: &Request<Incoming>, key: Option<&ParsedPublicKey>) -> Response<Full<Bytes>> {
    let user = key.map(|key| {
        let token = request.headers()["authorization"]
            .to_str()
            .unwrap()
            .strip_prefix("Bearer ")
            .unwrap();
        let (signed, signature) = token.rsplit_once('.').unwrap();
        key.verify_sig(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
            .unwrap();
        let (_, payload) = signed.split_once('.').unwrap();
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        claims["sub"].as_str().unwrap().to_owned()
    });
    let mut response = Response::new(Full::default());
    let user = user.map_or(HeaderValue::from_static("somebody"), |user| {
        HeaderValue::try_from(user).unwrap()
    });
    response.headers_mut().insert("x-user", user);
    response
        .headers_mut()
        .insert("x-decision", HeaderValue::from_static("allow"));
    response
}

fn verifier() -> Result<ParsedPublicKey> {
    let jwk = TestKey::Rsa1.jwk();
    let part = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().unwrap()).unwrap();
    let (n, e) = (part("n"), part("e"));
    RsaPublicKeyComponents { n: &n, e: &e }
        .to_parsed_public_key(&RSA_PKCS1_2048_8192_SHA256)
        .ok()
        .context("a parsed key")
}

/// A server process and how to ask it.
struct Server {
    name: &'static str,
    process: u32,
    address: SocketAddr,
    _child: Option<Killed>,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Server {
    fn start_peer(name: &'static str, argument: &str) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg(argument)
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("its output")?).read_line(&mut line)?;
        Ok(Self {
            name,
            process: child.id(),
            address: line.trim().parse()?,
            _child: Some(Killed(child)),
        })
    }

    /// CPU time of the process so far, in microseconds.
    fn cpu_us(&self) -> f64 {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.process)).unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        let ticks: f64 = fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap();
        ticks * 10_000.0
    }

    /// CPU time per request over these requests, in microseconds.
    async fn cost(&self, requests: &[Vec<u8>], count: usize) -> Result<f64> {
        let before = self.cpu_us();
        load(self.address, requests, count).await?;
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let count = count as f64;
        Ok((self.cpu_us() - before) / count)
    }
}

/// Sends requests over kept-alive connections, each answer awaited before the next, and insists on 200.
async fn load(address: SocketAddr, requests: &[Vec<u8>], count: usize) -> Result<()> {
    let mut workers = tokio::task::JoinSet::new();
    for worker in 0..CONNECTIONS {
        let mine: Vec<Vec<u8>> = requests
            .iter()
            .skip(worker % requests.len())
            .step_by(CONNECTIONS)
            .cloned()
            .collect();
        let rounds = count / CONNECTIONS;
        workers.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            stream.set_nodelay(true)?;
            let mut buffer = vec![0; 16 * 1024];
            for round in 0..rounds {
                stream.write_all(&mine[round % mine.len()]).await?;
                let mut filled = 0;
                loop {
                    filled += stream.read(&mut buffer[filled..]).await?;
                    anyhow::ensure!(filled > 0, "the server closed the connection");
                    if buffer[..filled].windows(4).any(|window| window == b"\r\n\r\n") {
                        break;
                    }
                }
                let head = String::from_utf8_lossy(&buffer[..filled]);
                anyhow::ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            }
            anyhow::Ok(())
        });
    }
    while let Some(worker) = workers.join_next().await {
        worker??;
    }
    Ok(())
}

fn request(token: &str) -> Vec<u8> {
    format!(
        "GET /.narthex/auth/nginx HTTP/1.1\r\nhost: app.example.com\r\nx-original-method: GET\r\nx-original-uri: /orgs/acme/home\r\nauthorization: Bearer {token}\r\n\r\n"
    )
    .into_bytes()
}

/// Tokens of about 900 bytes with ten groups, as identity providers make them.
fn tokens(issuer: &TestIssuer, jti: &str) -> Vec<Vec<u8>> {
    let groups: Vec<String> = (0..9)
        .map(|group| format!("department-{group}-readers"))
        .chain(["acme-staff".to_owned()])
        .collect();
    let make = |user: usize| {
        let token = issuer
            .token()
            .subject(&format!("user-{user:06}"))
            .tags(groups.iter().map(String::as_str));
        request(
            &token
                .claim("email", format!("user-{user:06}@example.com"))
                .claim("jti", format!("{jti}-{user}"))
                .claim("name", "Some Body")
                .sign(),
        )
    };
    (0..TOKENS).map(make).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Narthex in the state that is measured: its organization is there, and a user for each token of the first round.
struct Ready {
    _provider: IdentityProvider,
    _narthex: Narthex,
    issuer: TestIssuer,
    ours: Server,
    first: Vec<Vec<u8>>,
}

async fn ready() -> Result<Ready> {
    let provider = IdentityProvider::start(&[TestKey::Rsa1])?;
    let issuer = TestIssuer::new(&provider.url());
    let config = format!(
        "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n[cache]\naccounts = \"256MiB\"\n[log]\nlevel = \"warn\"\n\
         [[issuer]]\nname = \"bench\"\nissuer = \"{}\"\ndiscovery = true\naudiences = [\"narthex\"]\n\
         [issuer.mapping.user]\nexternal_id = \"{{{{payload.sub}}}}\"\nemail = \"{{{{payload.email}}}}\"\n\
         [issuer.tags]\nclaim = \"groups\"\n\
         [[organization]]\nname = \"acme\"\nexternal_member_groups = \"acme-staff\"\n\
         [[route]]\npath = \"/orgs/{{organization}}/{{*rest}}\"\nrequire = \"organization:member\"\n",
        provider.url()
    );
    let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(&config)?
        .start()
        .await?;
    let ours = Server {
        name: "narthex",
        process: narthex.process_id(),
        address: narthex.address().parse()?,
        _child: None,
    };
    let first = tokens(&issuer, "first");
    // First uses: the users are made.
    load(ours.address, &first, TOKENS).await?;
    Ok(Ready {
        _provider: provider,
        _narthex: narthex,
        issuer,
        ours,
        first,
    })
}

/// One part of the comparison, many times over.
async fn only(part: &str) -> Result<()> {
    let Ready {
        issuer, ours, first, ..
    } = &ready().await?;
    let peer = match part {
        "bare" => Some(Server::start_peer("bare", "--serve-bare")?),
        "verify" => Some(Server::start_peer("verify", "--serve-verify")?),
        _ => None,
    };
    println!("process {}", peer.as_ref().unwrap_or(ours).process);
    for round in 0..3 * ROUNDS {
        let cost = match (part, &peer) {
            (_, Some(peer)) => peer.cost(first, 2 * SEEN).await?,
            ("one", _) => ours.cost(&first[..1], 2 * SEEN).await?,
            ("many", _) => ours.cost(first, 2 * SEEN).await?,
            _ => ours.cost(&tokens(issuer, &round.to_string()), TOKENS).await?,
        };
        println!("  {cost:.2} us");
    }
    Ok(())
}

async fn compare() -> Result<()> {
    eprintln!("making {} tokens, once per round and before", TOKENS * (ROUNDS + 1));
    let Ready {
        issuer,
        ours,
        first,
        _provider,
        _narthex,
    } = ready().await?;
    let bare = Server::start_peer("bare hyper, 200 and two headers", "--serve-bare")?;
    let verify = Server::start_peer("hyper that verifies and reads the claims", "--serve-verify")?;

    let (mut base, mut one, mut many, mut check, mut fresh) = (vec![], vec![], vec![], vec![], vec![]);
    for round in 0..ROUNDS {
        let new = tokens(&issuer, &round.to_string());
        base.push(bare.cost(&first, SEEN).await?);
        one.push(ours.cost(&first[..1], SEEN).await?);
        check.push(verify.cost(&new, TOKENS).await?);
        fresh.push(ours.cost(&new, TOKENS).await?);
        // New tokens pass through the cache; those that are used again stay, and none of these is away for long.
        load(ours.address, &first, TOKENS).await?;
        many.push(ours.cost(&first, SEEN).await?);
    }
    let (base, one, many, check, fresh) = (median(base), median(one), median(many), median(check), median(fresh));
    println!("server CPU per request, {CONNECTIONS} connections, medians of {ROUNDS} alternating rounds");
    println!("  {:<44} {base:6.1} us", bare.name);
    println!("  {:<44} {check:6.1} us", verify.name);
    println!(
        "  {:<44} {one:6.1} us   {:.2} x bare     (P2: at most 1.30)",
        format!("{}, one token seen before", ours.name),
        one / base
    );
    println!(
        "  {:<44} {many:6.1} us   {:.2} x bare     (P2: at most 1.30)",
        format!("{TOKENS} tokens seen before"),
        many / base
    );
    println!(
        "  {:<44} {fresh:6.1} us   {:.2} x verify   (P3: at most 1.15)",
        "a new token of a known user",
        fresh / check
    );
    Ok(())
}
