//! For the benches that count what a request costs a server: server processes, the load on them, and a Narthex that knows
//! its users.
//!
//! Every server is a process of its own; its CPU time is read from `/proc/PID/task/*/schedstat` around a fixed number of
//! requests over kept-alive connections.

use std::convert::Infallible;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result};
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use narthex_testkit::{IdentityProvider, Narthex, TestIssuer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const CONNECTIONS: usize = 32;
pub(crate) const ROUNDS: usize = 5;
/// Distinct tokens, each of a user of its own.
pub(crate) const TOKENS: usize = 20_000;

/// The request that carries a token.
pub(crate) type Ask = fn(&str) -> Vec<u8>;

/// A bare hyper server, in the process that calls this. It prints its address.
pub(crate) async fn serve<A, F>(answer: A) -> Result<()>
where
    A: Fn(Request<Incoming>) -> F + Clone + Send + 'static,
    F: Future<Output = Response<Full<Bytes>>> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let answer = answer.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let answer = answer(request);
                async move { Ok::<_, Infallible>(answer.await) }
            });
            let _ = auto::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

/// A server process and how to ask it.
pub(crate) struct Server {
    pub(crate) name: &'static str,
    pub(crate) process: u32,
    pub(crate) address: SocketAddr,
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
    /// One that somebody else started and ends.
    pub(crate) fn running(name: &'static str, process: u32, address: SocketAddr) -> Self {
        Self {
            name,
            process,
            address,
            _child: None,
        }
    }

    /// This very program with another argument, which makes it [`serve`].
    pub(crate) fn start_peer(name: &'static str, argument: &str) -> Result<Self> {
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

    /// CPU time of the process's threads so far, in microseconds.
    fn cpu_us(&self) -> f64 {
        let threads = std::fs::read_dir(format!("/proc/{}/task", self.process)).unwrap();
        let of = |thread: std::io::Result<std::fs::DirEntry>| -> f64 {
            // A thread may end meanwhile; those that answer do not.
            let told = std::fs::read_to_string(thread.unwrap().path().join("schedstat")).unwrap_or_default();
            told.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or(0.0)
        };
        threads.map(of).sum::<f64>() / 1e3
    }

    /// CPU time per request over these requests, in microseconds.
    pub(crate) async fn cost(&self, requests: &[Vec<u8>], count: usize) -> Result<f64> {
        let before = self.cpu_us();
        load(self.address, requests, count).await?;
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let count = count as f64;
        Ok((self.cpu_us() - before) / count)
    }
}

/// Sends requests over kept-alive connections, each answer awaited before the next, and insists on 200.
pub(crate) async fn load(address: SocketAddr, requests: &[Vec<u8>], count: usize) -> Result<()> {
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
                let (head, _) = read_answer(&mut stream, &mut buffer).await?;
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

/// The head of an answer, and as much of a body as it says.
pub(crate) async fn read_answer<'a>(stream: &mut TcpStream, buffer: &'a mut [u8]) -> Result<(&'a str, &'a [u8])> {
    let mut filled = 0;
    let (head, end) = loop {
        filled += more(stream, &mut buffer[filled..]).await?;
        if let Some(end) = buffer[..filled].windows(4).position(|window| window == b"\r\n\r\n") {
            break (end, end + 4 + body_length(std::str::from_utf8(&buffer[..end])?)?);
        }
    };
    while filled < end {
        filled += more(stream, &mut buffer[filled..]).await?;
    }
    Ok((std::str::from_utf8(&buffer[..head])?, &buffer[head + 4..end]))
}

async fn more(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<usize> {
    let read = stream.read(buffer).await?;
    anyhow::ensure!(read > 0, "the server closed the connection, or its answer is too long");
    Ok(read)
}

fn body_length(head: &str) -> Result<usize> {
    for line in head.lines() {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            return Ok(value.trim().parse()?);
        }
    }
    anyhow::bail!("an answer that does not say how long it is: {head}")
}

/// The requests with tokens of about 900 bytes with ten groups, as identity providers make them.
pub(crate) fn requests(issuer: &TestIssuer, jti: &str, ask: Ask) -> Vec<Vec<u8>> {
    let groups: Vec<String> = (0..9)
        .map(|group| format!("department-{group}-readers"))
        .chain(["acme-staff".to_owned()])
        .collect();
    let make = |user: usize| {
        let token = issuer
            .token()
            .subject(&format!("user-{user:06}"))
            .tags(groups.iter().map(String::as_str));
        ask(&token
            .claim("email", format!("user-{user:06}@example.com"))
            .claim("jti", format!("{jti}-{user}"))
            .claim("name", "Some Body")
            .sign())
    };
    (0..TOKENS).map(make).collect()
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Narthex in the state that is measured: its organization is there, and a user for each token of the first round.
pub(crate) struct Ready {
    pub(crate) ours: Server,
    pub(crate) first: Vec<Vec<u8>>,
    _narthex: Narthex,
}

/// Starts it, with more lines for its one route.
pub(crate) async fn ready(provider: &IdentityProvider, route: &str, ask: Ask) -> Result<Ready> {
    let first = requests(&TestIssuer::new(&provider.url()), "first", ask);
    ready_binary(env!("CARGO_BIN_EXE_narthex"), provider, route, first).await
}

/// The same, of this binary and with these requests.
pub(crate) async fn ready_binary(
    binary: &str,
    provider: &IdentityProvider,
    route: &str,
    first: Vec<Vec<u8>>,
) -> Result<Ready> {
    let config = format!(
        "[listen]\ntrusted_proxies = [\"127.0.0.1\"]\n[cache]\naccounts = \"256MiB\"\n[log]\nlevel = \"warn\"\n\
         [[issuer]]\nname = \"bench\"\nissuer = \"{}\"\ndiscovery = true\naudiences = [\"narthex\"]\n\
         [issuer.mapping.user]\nexternal_id = \"{{{{payload.sub}}}}\"\nemail = \"{{{{payload.email}}}}\"\n\
         [issuer.tags]\nclaim = \"groups\"\n\
         [[organization]]\nname = \"acme\"\nexternal_member_groups = \"acme-staff\"\n\
         [[route]]\npath = \"/orgs/{{organization}}/{{*rest}}\"\nrequire = \"organization:member\"\n{route}",
        provider.url()
    );
    let narthex = Narthex::builder(binary).config(&config)?.start().await?;
    let ours = Server::running("narthex", narthex.process_id(), narthex.address().parse()?);
    // First uses: the users are made.
    load(ours.address, &first, TOKENS).await?;
    Ok(Ready {
        ours,
        first,
        _narthex: narthex,
    })
}
