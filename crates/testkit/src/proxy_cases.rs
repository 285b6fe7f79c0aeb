//! Cases that hold behind every reverse proxy, against two servers: the imitation in this crate's own tests (which
//! proves the proxy configurations) or the real binary (which proves the door).

use anyhow::{Context as _, Result, ensure};

use crate::{
    Answer, Client, Recorded, Upstream,
    client::Call,
    proxy::ReverseProxy,
    websocket::{TEXT, WebSocket},
};

/// A path that the good token may and the poor token may not call with POST, PUT, DELETE and GET.
pub const GUARDED: &str = "/v1/algo/acme/echo/1.0?a=b%20c&d=%2F";

/// Headers that some application believes about a request, in some of their spellings.
const FORWARDING: [&str; 16] = [
    "X-Forwarded-For",
    "X_Forwarded_For",
    "x-forwarded.for",
    "X-Forwarded-Host",
    "X-Forwarded-Proto",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Original-URL",
    "x_original-url",
    "X-Original-Method",
    "X-Rewrite-URL",
    "X.Rewrite_URL",
    "X-Envoy-Original-Path",
    "X-Real-IP",
    "x_real-ip",
    "Forwarded",
];

/// The tokens of the cases.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Token of a member of `acme` with the external id `alice`; it gives no e-mail.
    pub good: String,
    /// Token of a user without a role in `acme`.
    pub poor: String,
}

/// A proxy under test.
#[derive(Debug)]
pub struct Case<'c> {
    proxy: &'c ReverseProxy,
    upstream: &'c Upstream,
    tokens: &'c Tokens,
    client: Client,
}

impl<'c> Case<'c> {
    /// Requests go to `proxy`, what passes is looked for at `upstream`.
    pub fn new(proxy: &'c ReverseProxy, upstream: &'c Upstream, tokens: &'c Tokens) -> Self {
        Self {
            proxy,
            upstream,
            tokens,
            client: Client::new(),
        }
    }

    /// All of it.
    pub async fn all(&self) -> Result<()> {
        self.allowed_with_identity().await.context("allowed_with_identity")?;
        self.spoofed_headers_are_removed()
            .await
            .context("spoofed_headers_are_removed")?;
        self.refused_without_token().await.context("refused_without_token")?;
        self.refused_for_the_role().await.context("refused_for_the_role")?;
        self.unknown_route().await.context("unknown_route")?;
        self.methods_and_bodies_survive()
            .await
            .context("methods_and_bodies_survive")?;
        self.forged_question_headers_do_not_count()
            .await
            .context("forged_question_headers_do_not_count")?;
        self.web_socket_passes().await.context("web_socket_passes")
    }

    fn call(&self, method: &str, path: &str) -> Call {
        Call::new(method, &format!("{}{path}", self.proxy.url()))
    }

    /// Sends a call that must pass: what the upstream saw.
    async fn passes(&self, call: Call) -> Result<Recorded> {
        self.upstream.forget();
        let answer = self.client.send(call).await?;
        ensure!(
            answer.status == 200,
            "{} {}\n{}",
            answer.status,
            answer.text(),
            self.proxy.output()
        );
        self.upstream.last().context("nothing reached the upstream")
    }

    /// Sends a call that must not pass.
    async fn is_refused(&self, call: Call, status: u16) -> Result<Answer> {
        self.upstream.forget();
        let answer = self.client.send(call).await?;
        ensure!(
            answer.status == status,
            "{} instead of {status}: {}",
            answer.status,
            answer.text()
        );
        ensure!(
            self.upstream.seen().is_empty(),
            "refused, and yet it reached the upstream"
        );
        Ok(answer)
    }

    /// The identity reaches the upstream, the token does not.
    pub async fn allowed_with_identity(&self) -> Result<()> {
        let seen = self
            .passes(self.call("POST", GUARDED).bearer(&self.tokens.good).body("{}"))
            .await?;
        for (name, value) in [
            ("x-narthex-decision", "allow"),
            ("x-narthex-external-id", "alice"),
            ("x-narthex-username", "alice"),
            ("x-narthex-platform-role", "user"),
            ("x-narthex-organization", "acme"),
            ("x-narthex-organization-role", "member"),
        ] {
            let got = seen.header(name);
            ensure!(
                got.as_deref() == Some(value),
                "`{name}` is {got:?} instead of `{value}`"
            );
        }
        let email = seen.header("x-narthex-email").unwrap_or_default();
        ensure!(
            email.is_empty(),
            "there is no e-mail, and yet `x-narthex-email` is `{email}`"
        );
        ensure!(seen.header("x-narthex-user").is_some(), "no `x-narthex-user`");
        // No test gives this one; the configurations name it.
        let context = seen.header("x-narthex-context-teamdomain").unwrap_or_default();
        ensure!(context.is_empty(), "`x-narthex-context-teamdomain` is `{context}`");
        ensure!(seen.header("authorization").is_none(), "the token reached the upstream");
        ensure!(
            seen.target == GUARDED,
            "asked for {GUARDED}, the upstream saw {}",
            seen.target
        );
        Ok(())
    }

    /// A client cannot say who it is: not in another spelling, not twice, not under a name that has no value this time.
    pub async fn spoofed_headers_are_removed(&self) -> Result<()> {
        let spellings = [
            "x-narthex-user",
            "X-NARTHEX-USER",
            "x_narthex_user",
            "X-Narthex_User",
            "X.Narthex.User",
            "x-narthex.user",
            "x-narthex-email",
            "x_narthex-email",
            "x-narthex-context-teamdomain",
            "x-narthex-assertion",
            "x-narthex-organization-role",
        ];
        for spelling in spellings {
            let call = self.call("POST", GUARDED).bearer(&self.tokens.good);
            let seen = self
                .passes(call.header(spelling, "spoofed").header(spelling, "spoofed again"))
                .await?;
            for (name, value) in &seen.headers {
                let value = String::from_utf8_lossy(value.as_bytes());
                ensure!(
                    !value.contains("spoofed"),
                    "`{spelling}` reached the upstream as `{name}`"
                );
            }
        }
        Ok(())
    }

    /// 401, with the challenge of RFC 6750.
    pub async fn refused_without_token(&self) -> Result<()> {
        let answer = self.is_refused(self.call("POST", GUARDED), 401).await?;
        let challenge = answer.header("www-authenticate").unwrap_or_default();
        ensure!(challenge.starts_with("Bearer"), "the challenge is `{challenge}`");
        Ok(())
    }

    /// 403, with the reason in a header.
    pub async fn refused_for_the_role(&self) -> Result<()> {
        let answer = self
            .is_refused(self.call("POST", GUARDED).bearer(&self.tokens.poor), 403)
            .await?;
        let reason = answer.header("x-narthex-reason");
        ensure!(reason == Some("organization.role"), "the reason is {reason:?}");
        Ok(())
    }

    /// 404, also where the proxy itself knows only 403.
    pub async fn unknown_route(&self) -> Result<()> {
        let call = self.call("GET", "/no/such/route").bearer(&self.tokens.good);
        self.is_refused(call, 404).await.map(drop)
    }

    /// The question is asked without the body, and the body still arrives.
    pub async fn methods_and_bodies_survive(&self) -> Result<()> {
        for (method, body) in [
            ("PUT", vec![b'x'; 300_000]),
            ("DELETE", b"gone".to_vec()),
            ("GET", Vec::new()),
        ] {
            let call = self.call(method, GUARDED).bearer(&self.tokens.good).body(body.clone());
            let seen = self.passes(call).await?;
            ensure!(seen.method == method, "{method} became {}", seen.method);
            ensure!(
                seen.body == body,
                "a body of {} became one of {} bytes",
                body.len(),
                seen.body.len()
            );
        }
        Ok(())
    }

    /// Headers from the proxy about the request cannot be forged by the client.
    pub async fn forged_question_headers_do_not_count(&self) -> Result<()> {
        let forged = [
            ("x-original-uri", "/public"),
            ("x-original-url", "/public"),
            ("x-original-method", "OPTIONS"),
            ("x-forwarded-uri", "/public"),
            ("x-forwarded-method", "OPTIONS"),
            ("x-forwarded-host", "elsewhere.test"),
        ];
        for (name, value) in forged {
            self.is_refused(self.call("POST", GUARDED).header(name, value), 401)
                .await
                .context(name)?;
        }
        Ok(())
    }

    /// A client cannot tell the application where its request came from, or what it asked for.
    pub async fn forwarding_headers_are_the_proxys(&self) -> Result<()> {
        for name in FORWARDING {
            let call = self.call("POST", GUARDED).bearer(&self.tokens.good);
            let seen = self.passes(call.header(name, "spoofed").header(name, "again, spoofed"));
            for (arrived, value) in &seen.await?.headers {
                let value = String::from_utf8_lossy(value.as_bytes());
                ensure!(
                    !value.contains("spoofed"),
                    "`{name}` reached the upstream as `{arrived}`"
                );
            }
        }
        let seen = self.passes(self.call("POST", GUARDED).bearer(&self.tokens.good));
        let address = seen.await?.header("x-forwarded-for");
        ensure!(
            address.as_deref() == Some("127.0.0.1"),
            "`x-forwarded-for` is {address:?}"
        );
        Ok(())
    }

    /// An upgrade goes through, with its identity.
    pub async fn web_socket_passes(&self) -> Result<()> {
        self.upstream.forget();
        let bearer = format!("Bearer {}", self.tokens.good);
        let mut socket = WebSocket::open(&self.proxy.address(), GUARDED, &[("authorization", &bearer)]).await?;
        socket.send(TEXT, b"hello").await?;
        ensure!(socket.receive().await? == (TEXT, b"hello".to_vec()), "the echo differs");
        let seen = self.upstream.last().context("nothing reached the upstream")?;
        ensure!(
            seen.header("x-narthex-external-id").as_deref() == Some("alice"),
            "no identity"
        );
        Ok(())
    }
}
