//! A deployment as its clients meet it: requests that must not pass are sent to it, and what comes back is judged.

use std::time::Duration;

use anyhow::Context as _;
use http::Uri;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;
use tower_service::Service as _;

use super::{Finding, State};

const AREA: &str = "deployment";
/// Time limit of one request.
const WAIT: Duration = Duration::from_secs(10);
/// Upper limit of what is read of an answer.
const ANSWER_BYTES: u64 = 256 * 1024;

/// Value of every forged header, to be found in a page that shows its request.
const FORGED: &str = "narthex-doctor-forged";
/// Value of a header that may reach the application.
const PLAIN: &str = "narthex-doctor-plain";

/// Headers of Narthex, by which a client could state an identity, in some of their spellings.
const IDENTITY: [&str; 8] = [
    "X-Narthex-User",
    "X_Narthex_User",
    "X.Narthex.User",
    "x-narthex_username",
    "X-Narthex-Email",
    "X-Narthex-Organization-Role",
    "X-Narthex-Assertion",
    "X-Narthex-Decision",
];

/// Headers of other gateways, and of context properties, which some proxies remove only if they are told their names.
const USUAL: [&str; 4] = [
    "Remote-User",
    "X-Forwarded-User",
    "X-WebAuth-User",
    "X-Narthex-Context-Plan",
];

/// Headers by which a client could describe another request than its own.
const DESCRIPTION: [(&str, &str); 12] = [
    ("X-Original-URI", "/"),
    ("X-Original-URL", "/"),
    ("X-Original-Method", "OPTIONS"),
    ("X-Forwarded-Uri", "/"),
    ("X-Forwarded-Method", "OPTIONS"),
    ("X-Forwarded-Host", "localhost"),
    ("X-Rewrite-URL", "/"),
    ("X-Envoy-Original-Path", "/"),
    ("X-HTTP-Method-Override", "OPTIONS"),
    ("X-Narthex-Decision", "allow"),
    ("Connection", "close, X-Original-URI, X-Forwarded-Uri"),
    ("Authorization", "Basic bmFydGhleDpkb2N0b3I="),
];

/// Other spellings of a path, as a prefix before it.
const PREFIXES: [&str; 6] = ["/", "/.", "/%2e", "/public/..", "/public/%2e%2e", "/public/..;"];
/// The same, behind it.
const SUFFIXES: [&str; 5] = ["/.", "//", ";a=b", "%00", "#"];

/// A deployment under examination.
struct Deployment {
    uri: Uri,
    host: String,
    /// Path and query as given.
    target: String,
}

/// Answer of a deployment.
struct Answer {
    status: u16,
    text: String,
}

impl Answer {
    /// Tests whether the request passed: the application answered, or a tunnel is open.
    fn passed(&self) -> bool {
        self.status == 101 || (200..300).contains(&self.status)
    }

    /// Tests whether Narthex itself refused.
    fn is_narthexs(&self) -> bool {
        self.text.to_ascii_lowercase().contains("\r\nx-narthex-reason:")
    }

    fn shows(&self, word: &str) -> bool {
        self.text.contains(word)
    }
}

/// Examines the deployment at an address whose path needs a token, with a token if there is one.
///
/// # Errors
///
/// An address that is none, or a deployment that does not answer at all.
pub(super) async fn look(url: &str, token: Option<&str>) -> anyhow::Result<Vec<Finding>> {
    let deployment = Deployment::at(url)?;
    let first = deployment.get(&deployment.target, "").await;
    let first = first.with_context(|| format!("{url} does not answer"))?;
    let mut findings = vec![without_token(&first)];
    if !first.passed() {
        deployment.descriptions(&mut findings).await;
        deployment.paths(&mut findings).await;
        deployment.methods(&mut findings).await;
    }
    deployment.upgrades(token, &mut findings).await;
    match token {
        Some(token) => deployment.identities(token, &mut findings).await,
        None => findings.push(Finding::new(
            AREA,
            "identity headers",
            State::Absent,
            "not examined: give a token with `--token-file`, and the address of a page that shows its request",
        )),
    }
    Ok(findings)
}

fn without_token(answer: &Answer) -> Finding {
    let status = answer.status;
    let (state, message) = match (answer.passed(), answer.is_narthexs()) {
        (true, _) => (
            State::Problem,
            format!(
                "answered with {status}: the path needs no token, or requests are not checked; name a path that needs one, \
                 or correct the proxy"
            ),
        ),
        (false, true) => (State::Good, format!("refused with {status}")),
        (false, false) => (
            State::Warning,
            format!(
                "refused with {status}, but not by Narthex (no `X-Narthex-Reason`); look whether the proxy asks it"
            ),
        ),
    };
    Finding::new(AREA, "no token", state, message)
}

/// Returns one finding about requests of one kind, of which some may have passed.
fn found(name: &str, passed: &[String], cure: &str) -> Finding {
    if passed.is_empty() {
        return Finding::new(AREA, name, State::Good, "all refused");
    }
    let message = format!("passed without a token: {}; {cure}", passed.join(", "));
    Finding::new(AREA, name, State::Problem, message)
}

impl Deployment {
    fn at(url: &str) -> anyhow::Result<Self> {
        let uri: Uri = url.parse().with_context(|| format!("`{url}` is no address"))?;
        let host = uri.authority().context("the address names no host")?.to_string();
        anyhow::ensure!(
            matches!(uri.scheme_str(), Some("http" | "https")),
            "the address begins with neither `http://` nor `https://`"
        );
        let target = uri.path_and_query().map_or("/", |target| target.as_str()).to_owned();
        Ok(Self { uri, host, target })
    }

    /// Sends one request, byte for byte, and returns the answer. `more` is whole header lines.
    async fn send(&self, method: &str, target: &str, more: &str) -> anyhow::Result<Answer> {
        let connection = if more.to_ascii_lowercase().contains("connection:") {
            ""
        } else {
            "Connection: close\r\n"
        };
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {}\r\nAccept: application/json\r\n{connection}{more}\r\n",
            self.host
        );
        timeout(WAIT, self.exchange(&request))
            .await
            .context("no answer in time")?
    }

    async fn get(&self, target: &str, more: &str) -> anyhow::Result<Answer> {
        self.send("GET", target, more).await
    }

    async fn exchange(&self, request: &str) -> anyhow::Result<Answer> {
        let mut connector = HttpsConnectorBuilder::new()
            .with_native_roots()?
            .https_or_http()
            .enable_http1()
            .build();
        let stream = connector.call(self.uri.clone()).await;
        let stream = stream.map_err(|error| anyhow::anyhow!("no connection: {error}"))?;
        let mut stream = TokioIo::new(stream);
        stream.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        let mut limited = (&mut stream).take(ANSWER_BYTES);
        loop {
            let read = limited.read_buf(&mut answer).await;
            let text = String::from_utf8_lossy(&answer);
            // A tunnel stays open, and an end without TLS's own is an end all the same.
            if !matches!(read, Ok(1..)) || text.starts_with("HTTP/1.1 101") {
                break;
            }
        }
        let text = String::from_utf8_lossy(&answer).into_owned();
        let status = text.split(' ').nth(1).and_then(|status| status.parse().ok());
        Ok(Answer {
            status: status.context("the answer is not HTTP/1.1")?,
            text,
        })
    }

    async fn descriptions(&self, findings: &mut Vec<Finding>) {
        let mut passed = Vec::new();
        for (name, value) in DESCRIPTION {
            let answer = self.get(&self.target, &format!("{name}: {value}\r\n")).await;
            if answer.is_ok_and(|answer| answer.passed()) {
                passed.push(format!("`{name}: {value}`"));
            }
        }
        let cure =
            "the proxy must overwrite what it tells Narthex of a request; start from the configuration of its page";
        findings.push(found("forged description", &passed, cure));
    }

    async fn paths(&self, findings: &mut Vec<Finding>) {
        let mut passed = Vec::new();
        let before = PREFIXES.map(|prefix| format!("{prefix}{}", self.target));
        let after = SUFFIXES.map(|suffix| format!("{}{suffix}", self.target));
        for target in before.into_iter().chain(after) {
            if self.get(&target, "").await.is_ok_and(|answer| answer.passed()) {
                passed.push(format!("`{target}`"));
            }
        }
        let cure = "a program behind the check may read this as the guarded path; let the proxy pass paths on unchanged, and \
                    make sure that no public route has them";
        findings.push(found("other paths", &passed, cure));
    }

    async fn methods(&self, findings: &mut Vec<Finding>) {
        let mut passed = Vec::new();
        for method in ["HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get"] {
            if self
                .send(method, &self.target, "Content-Length: 0\r\n")
                .await
                .is_ok_and(|answer| answer.passed())
            {
                passed.push(format!("`{method}`"));
            }
        }
        let cure = "the proxy must ask about every method; a preflight alone needs no token, and it has `Origin`";
        findings.push(found("other methods", &passed, cure));
    }

    async fn upgrades(&self, token: Option<&str>, findings: &mut Vec<Finding>) {
        let bearer = token
            .map(|token| format!("Authorization: Bearer {token}\r\n"))
            .unwrap_or_default();
        let mut passed = Vec::new();
        for (name, lines) in [
            (
                "h2c",
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
            ),
            ("TLS/1.0", "Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"),
        ] {
            let answer = self.get(&self.target, &format!("{lines}{bearer}")).await;
            if answer.is_ok_and(|answer| answer.status == 101) {
                passed.push(format!("`{name}`"));
            }
        }
        let finding = if passed.is_empty() {
            Finding::new(
                AREA,
                "upgrades",
                State::Good,
                "no tunnel for further requests was opened",
            )
        } else {
            let message = format!(
                "a tunnel was opened to {}: requests in it are not checked; let the proxy pass on the upgrade to `websocket` only",
                passed.join(", ")
            );
            Finding::new(AREA, "upgrades", State::Problem, message)
        };
        findings.push(finding);
    }

    /// Returns those of these headers that reach the application with a client's value.
    async fn received(&self, headers: &[&str], bearer: &str) -> Vec<String> {
        let mut received = Vec::new();
        for header in headers {
            let answer = self.get(&self.target, &format!("{bearer}{header}: {FORGED}\r\n")).await;
            if answer.is_ok_and(|answer| answer.shows(FORGED)) {
                received.push(format!("`{header}`"));
            }
        }
        received
    }

    /// Examines what reaches the application, by a page that shows its request.
    async fn identities(&self, token: &str, findings: &mut Vec<Finding>) {
        let bearer = format!("Authorization: Bearer {token}\r\n");
        let plain = self.get(&self.target, &format!("{bearer}X-Plain: {PLAIN}\r\n")).await;
        let name = "identity headers";
        let shown = match plain {
            Ok(answer) if answer.passed() => answer,
            Ok(answer) => {
                let message = format!("the token is refused with {}; ask `narthex explain` why", answer.status);
                findings.push(Finding::new(AREA, name, State::Problem, message));
                return;
            }
            Err(error) => {
                findings.push(Finding::new(AREA, name, State::Problem, format!("{error:#}")));
                return;
            }
        };
        if !shown.shows(PLAIN) {
            let message = "not examined: the page does not show the headers of its request; name one that does";
            findings.push(Finding::new(AREA, name, State::Absent, message));
            return;
        }
        let passed = self.received(&IDENTITY, &bearer).await;
        findings.push(if passed.is_empty() {
            Finding::new(AREA, name, State::Good, "no forged one reached the application")
        } else {
            let message = format!(
                "the application received the client's own {}; the proxy must remove them, in every spelling, before it sets \
                 those of Narthex",
                passed.join(", ")
            );
            Finding::new(AREA, name, State::Problem, message)
        });
        let usual = self.received(&USUAL, &bearer).await;
        if !usual.is_empty() {
            let message = format!(
                "the application received the client's own {}; if it believes one of them, the proxy must remove it",
                usual.join(", ")
            );
            findings.push(Finding::new(AREA, "usual headers", State::Warning, message));
        }
        if shown.shows(token) {
            let message = "the application received the token itself, which is right only with `forward_token = true`";
            findings.push(Finding::new(AREA, "token", State::Warning, message));
        }
    }
}
