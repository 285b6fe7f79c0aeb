//! The sections that hold settings of the process: `[listen]`, `[store]`, `[secrets]`, `[connections]`, `[webhook]`,
//! `[cache]`, `[limits]`, `[assertion]`, `[log]`, `[telemetry]`, `[login]`, `[session]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use narthex_settings_reader::{Count, Defaulted, List, Optional, Required, Size, WebUrl, choice, section};

use crate::values::Rate;

section! {
    /// Addresses that Narthex listens on, and the reverse proxies that it trusts.
    ListenSection {
        /// Public port: reverse proxy, forward-auth, `/.narthex/me` and `/.well-known/jwks.json`.
        ///
        /// The default is loopback, so that nothing is exposed before the operator decides to.
        public: Defaulted<SocketAddr> = "\"127.0.0.1:8080\"";
        /// Admin port: admin API, health and metrics. Keep it off the internet.
        admin: Defaulted<SocketAddr> = "\"127.0.0.1:8081\"";
        /// Port of Envoy's external authorization (`ext_authz`), by gRPC and by HTTP. Only `trusted_proxies` may use it.
        ///
        /// Closed by default. A request that is checked here goes to its application through Envoy, so that a route needs
        /// no `upstream`.
        ext_authz: Optional<SocketAddr>, eg "\"127.0.0.1:8082\"";
        /// Networks of the reverse proxies in front of Narthex. Only these proxies may describe the original request in
        /// forwarded headers, and only they may use the forward-auth endpoints and the `ext_authz` port.
        ///
        /// Empty by default: a forwarded header from any other address is a forgery.
        trusted_proxies: Defaulted<List<IpNet>> = "[]", eg "[\"127.0.0.1\", \"10.0.0.0/8\"]";
        /// Networks of load balancers that pass on bytes and begin each connection to the public port with a header of the
        /// PROXY protocol, version 2. The address in it is then the client's, for limits, logs, and `trusted_proxies`.
        ///
        /// Empty by default. A connection from one of these networks that does not begin with such a header is closed.
        /// Let no client reach the port with an address of these networks.
        proxy_protocol_from: Defaulted<List<IpNet>> = "[]", eg "[\"10.0.0.0/24\"]";
        /// TLS on the public port. By default, connections are plain.
        ///
        /// The port speaks TLS 1.2 and 1.3, and offers HTTP/2 and HTTP/1.1 (ALPN). The files are read again when they
        /// change, and new connections then get the new certificate; if they cannot be used, the old one stays. To turn
        /// TLS on or off, restart Narthex.
        public_tls: Optional<TlsSection>;
        /// TLS on the admin port, with the same keys as `public_tls`.
        admin_tls: Optional<TlsSection>;
        /// Grace period for running requests and each WebSocket after Narthex is told to stop, on both ports.
        shutdown_grace: Defaulted<Duration> = "\"10s\"";
    }
}

section! {
    /// Files of a port that speaks TLS.
    ///
    /// ```toml
    /// [listen]
    /// public_tls = { certificate_file = "tls.pem", key_file = "tls.key" }
    /// ```
    TlsSection {
        /// PEM file with the certificate of this server, followed by those between it and its authority.
        certificate_file: Required<PathBuf>, eg "\"tls.pem\"";
        /// PEM file with the private key of the certificate, without a password.
        key_file: Required<PathBuf>, eg "\"tls.key\"";
        /// PEM file with the certificates of authorities. If it is set, a client needs a certificate of one of them (mutual
        /// TLS); without one, it gets no connection. The certificate names no user: requests need their tokens all the
        /// same.
        client_ca_file: Optional<PathBuf>, eg "\"clients.pem\"";
    }
}

section! {
    /// Database of the directory: users, organizations, teams and grants.
    StoreSection {
        /// File of an SQLite database. It is created if it is missing. The default is `narthex.db` in the directory of
        /// this file, if none of `path`, `url`, `url_file` and `url_env` is set. Only one server uses the database at a
        /// time, enforced by a lock on `narthex.db-lock`; commands may run beside it. If the file is moved, replaced or
        /// deleted meanwhile, Narthex stops writing to it.
        path: Optional<PathBuf>, eg "\"narthex.db\"";
        /// URL of the database: `sqlite:` and a path, or `postgres://USER@HOST/DATABASE` for PostgreSQL 15 or newer.
        /// Any number of Narthex nodes may share a PostgreSQL database.
        ///
        /// Of several hosts (`HOST:PORT,HOST:PORT`), Narthex uses the one that accepts writes, and searches again when
        /// it is lost. Connections to other machines use TLS with a verified certificate; `sslrootcert=FILE` names the
        /// authorities to trust instead of the system's. `?sslmode=` changes that: `disable` turns TLS off, `prefer`
        /// and `require` use TLS without verifying the server, and `verify-full` is the default. `connect_timeout` is
        /// in seconds for each host, 3 by default. `options` and the other connection parameters of `libpq` are
        /// accepted too.
        url: Optional<String>, eg "\"postgres://narthex@db1.internal,db2.internal/narthex\"";
        /// File that holds the URL, for a URL with a password.
        url_file: Optional<PathBuf>, eg "\"store-url\"";
        /// Environment variable that holds the URL, for a URL with a password.
        url_env: Optional<String>, eg "\"NARTHEX_STORE_URL\"";
        /// Maximum number of PostgreSQL connections of one node, besides the one that receives notifications of changes
        /// by other nodes. The total of all nodes must stay below the server's `max_connections`.
        connections: Defaulted<Count<3, 1_000>> = "16";
        /// Tells Narthex that a connection pooler in transaction mode is in front of PostgreSQL, such as PgBouncer with
        /// `pool_mode = transaction`. With `true`, statements are sent unprepared and no state is kept on a connection.
        /// Changes by other nodes are then found by polling twice a second, or received through `listen_url`.
        ///
        /// Without this key, a node looks for a pooler when it starts. It also switches to this mode as soon as a
        /// statement fails the way it does behind a pooler. With `false` it does neither.
        pooled: Optional<bool>, eg "true";
        /// URL of the same database without a pooler. It is used for immediate notification of changes by other nodes,
        /// for migrations, and for `narthex export` and `import`. A URL of another database is refused at the start.
        listen_url: Optional<String>, eg "\"postgres://narthex@db1.internal/narthex\"";
        /// File that holds this URL, for a URL with a password.
        listen_url_file: Optional<PathBuf>, eg "\"listen-url\"";
        /// Environment variable that holds this URL, for a URL with a password.
        listen_url_env: Optional<String>, eg "\"NARTHEX_LISTEN_URL\"";
        /// Grace period while the database cannot be reached. Until it ends, known users are answered from cached data;
        /// then the answer is 503. During this time nothing is written, and changes by others are not seen. From `"0s"`
        /// to `"1h"`.
        offline_max: Defaulted<Duration> = "\"5m\"";
    }
}

section! {
    /// Key that encrypts the secrets in the store: the parameters of connections, and the tokens of sessions
    /// (AES-256-GCM). Without a key, no secret can be stored and no user can sign in.
    ///
    /// The key is 32 random bytes in base64 or hex, such as the output of `openssl rand -base64 32`. Without `key_file`
    /// it is taken from the environment variable `NARTHEX_SECRET_KEY`, and the previous key from
    /// `NARTHEX_SECRET_KEY_PREVIOUS`.
    SecretsSection {
        /// File with the key.
        key_file: Optional<PathBuf>, eg "\"secret.key\"";
        /// File with the previous key, needed while secrets encrypted with it remain. `narthex connection reencrypt`
        /// encrypts everything with the current key; after that, remove this one.
        previous_key_file: Optional<PathBuf>, eg "\"secret.old.key\"";
    }
}

section! {
    /// Outbound requests of the connections that the server holds for organizations: allowed hosts and limits.
    ConnectionsSection {
        /// Hosts that connections may send requests to: a name, or `*.` and a name for everything below it. Append a
        /// port other than that of http or https (`api.example.com:8443`), or `:*` for every port. With the empty
        /// default, connections only render requests for workers to send, and send none themselves.
        allowed_hosts: Defaulted<List<String>> = "[]", eg "[\"api.example.com\", \"*.example.org\"]";
        /// Names among these hosts that may have private addresses. This machine and link-local addresses are reached
        /// only if the address itself, or `localhost`, is listed.
        allow_private_hosts: Defaulted<List<String>> = "[]", eg "[\"erp.internal\"]";
        /// Maximum total time of one request, from `"1s"` to `"5m"`.
        timeout: Defaulted<Duration> = "\"30s\"";
        /// Maximum size of a response, at most `"64MiB"`.
        response_size: Defaulted<Size> = "\"4MiB\"";
        /// Maximum number of consecutive redirects to follow.
        redirects: Defaulted<Count<0, 20>> = "5";
    }
}

section! {
    /// Sign-in of browsers. A navigation without a valid credential is sent to an identity provider, or to a page of your
    /// own.
    ///
    /// A navigation is a `GET` or `HEAD` with `text/html` in `Accept`, with `Sec-Fetch-Mode` absent or `navigate`. Every
    /// other request gets its refusal. Sign-in at an issuer needs the key of `[secrets]`, because sessions are encrypted
    /// with it.
    LoginSection {
        /// Name of the issuer that users sign in at, with the code flow of OpenID Connect. It needs a `client_id`. Its
        /// client registration needs the address `/.narthex/callback/NAME` on each of `origins`.
        issuer: Optional<String>, eg "\"corp\"";
        /// Address of a sign-in page of your own, instead of `issuer`. It gets the address of the page that was asked for in
        /// the query parameter `return`.
        url: Optional<WebUrl>, eg "\"https://app.example.com/sign-in\"";
        /// Origins that sign-in serves: scheme, host and, if it is not the usual one, port. They are https, or a name or
        /// address of this machine. A proxy that terminates TLS must be in `listen.trusted_proxies`, send
        /// `X-Forwarded-Proto`, and pass `/.narthex/` of each origin to Narthex.
        origins: Defaulted<List<String>> = "[]", eg "[\"https://app.example.com\"]";
    }
}

section! {
    /// Web console at `/` of the admin port. Browsers sign in there with an API key, a token of an issuer, or a one-time link
    /// (`narthex console link`), which needs the key of `[secrets]`.
    ConsoleSection {
        /// Address at which browsers reach the console: scheme, host and, if it is not the usual one, port. Its pages answer
        /// for this host and for names of this machine only. Required unless `listen.admin` is a loopback address.
        ///
        /// Sign-in needs https (`listen.admin_tls`), or a name of this machine. A proxy that terminates TLS must be in
        /// `listen.trusted_proxies`.
        origin: Optional<String>, eg "\"https://narthex.example.com\"";
    }
}

section! {
    /// Lifetime of sessions. A session also ends with its token, unless a refresh token renews it.
    SessionSection {
        /// Maximum time between two requests, from `"2m"` to `"30d"`.
        idle: Defaulted<Duration> = "\"1h\"";
        /// Maximum time since sign-in, from `"5m"` to `"366d"`.
        max: Defaulted<Duration> = "\"12h\"";
    }
}

section! {
    /// Requests of webhooks. The API creates the webhooks themselves.
    WebhookSection {
        /// Hosts that may have private addresses. This machine and link-local addresses are reached only if the address
        /// itself, or `localhost`, is listed.
        allow_private_hosts: Defaulted<List<String>> = "[]", eg "[\"erp.internal\"]";
        /// Maximum total time of one request, from `"1s"` to `"5m"`.
        timeout: Defaulted<Duration> = "\"30s\"";
    }
}

section! {
    /// Caches that let a token pass without being verified again.
    CacheSection {
        /// Memory for the cache of verified tokens, about 1.7 kB each. The cache holds the last answer for a token,
        /// under a keyed hash of the whole token, for at most 60 s. It never holds the token itself.
        tokens: Defaulted<Size> = "\"40MiB\"";
        /// Memory for the cache of the directory's answers about users.
        accounts: Defaulted<Size> = "\"64MiB\"";
    }
}

section! {
    /// Limits on tokens, requests, key sets and upstreams.
    LimitsSection {
        /// Maximum size of a token, at most `"16KiB"`.
        token_size: Defaulted<Size> = "\"16KiB\"";
        /// Maximum number of permission tags in one token. A token with more is refused with `tags.malformed`.
        tags: Defaulted<Count<1, 10_000>> = "2000";
        /// Maximum number of changes that tokens may make to one user in a minute, such as a granted role, an updated
        /// field or a new record. Beyond it, tokens add nothing until the minute is over, but still take away what they
        /// no longer contain. Each node counts separately.
        sync_changes_per_minute: Defaulted<Count<1, 1_000_000>> = "60";
        /// Maximum work of one template, in evaluation steps.
        template_fuel: Defaulted<Count<100, 10_000_000>> = "200000";
        /// Maximum size of the values that one template builds, intermediate values included; at most `"16MiB"`.
        template_size: Defaulted<Size> = "\"4MiB\"";
        /// Maximum size of a key set.
        key_set_size: Defaulted<Size> = "\"512KB\"";
        /// Maximum number of keys in one key set.
        keys: Defaulted<Count<1, 1_000>> = "100";
        /// Maximum size of a request head: request line and all headers. In HTTP/1.1, more than a hundred headers are
        /// refused too (431).
        header_size: Defaulted<Size> = "\"64KiB\"";
        /// Time until a connection without a request in progress is closed, on both ports. It limits how long a client
        /// may take to send a request head, and how long an unused connection stays open. The connection closes up to a
        /// quarter of this time later. HTTP/2 pings do not keep a connection open.
        header_timeout: Defaulted<Duration> = "\"10s\"";
        /// Maximum size of a request body that is passed to an upstream. Bodies are streamed, never buffered whole.
        body_size: Defaulted<Size> = "\"64MiB\"";
        /// Maximum number of open connections on the public port, each WebSocket included. A new connection beyond that
        /// closes the one that has been idle longest, or waits while none is idle. The admin port has its own maximum:
        /// 256, or this value if it is lower.
        ///
        /// At the start, the process raises its limit of file descriptors as far as it can. It needs two descriptors
        /// for each connection, and a reserve. If there are too few, it accepts fewer connections and logs that when it
        /// starts.
        connections: Defaulted<Count<1, 1_000_000>> = "10000";
        /// Maximum number of open connections of one client address, and of HTTP/2 requests in progress on them. For
        /// IPv6, a client address is its /64. A new connection beyond that closes the client's own connection that has
        /// been idle longest; if none is idle, it is refused. The addresses in `listen.trusted_proxies` have no such
        /// limit. By default a quarter of `connections`.
        connections_per_client: Optional<Count<1, 1_000_000>>, eg "2500";
        /// Maximum number of requests in progress at one upstream, each WebSocket included. Further requests get 503
        /// and `upstream.busy`. By default the value of `connections`.
        upstream_requests: Optional<Count<1, 1_000_000>>, eg "1000";
        /// Maximum rate of requests from one client address. `"off"` by default: one address may be one person or a
        /// whole company, and only the operator knows.
        ///
        /// Requests from a trusted proxy, and forward-auth requests, count for the last address in `X-Forwarded-For`
        /// that is not a trusted proxy's. The proxy must add the address of its client there.
        rate: Defaulted<Rate> = "\"off\"", eg "\"100/s\"";
        /// Maximum time to connect to an upstream.
        connect_timeout: Defaulted<Duration> = "\"5s\"";
        /// Maximum time until an upstream begins its answer, measured from when it has the whole request. The same
        /// limit applies until it accepts the next part of a request body. A route may set its own.
        upstream_timeout: Defaulted<Duration> = "\"60s\"";
        /// Maximum silence on a stream (a body, server-sent events, a WebSocket). It also limits how long a client may
        /// stop reading an answer, but that limit is at least `header_timeout`. A route may set its own.
        idle_timeout: Defaulted<Duration> = "\"5m\"";
        /// Grace period of a body in transit after its token expires. A WebSocket, an event stream or a gRPC stream has
        /// none: it ends with its token. Bodies and streams all end when the user is disabled or signed out everywhere.
        /// They also end when the organization in the path is suspended or the issuer is disabled. None of this applies
        /// to forward-auth, where the proxy holds the stream.
        body_grace: Defaulted<Duration> = "\"1h\"";
        /// Maximum total time to fetch a key set.
        fetch_timeout: Defaulted<Duration> = "\"5s\"";
    }
}

section! {
    /// Signed assertion of the user's identity, sent to upstreams.
    AssertionSection {
        /// Value of `iss` in assertions.
        issuer: Defaulted<String> = "\"narthex\"", eg "\"https://app.example.com\"";
        /// Lifetime of one assertion, from `"30s"` to `"1h"`. Keep it short, because an assertion cannot be revoked.
        lifetime: Defaulted<Duration> = "\"5m\"";
        /// Interval between new signing keys, at least `"1h"`. An old key stays published for as long as its assertions
        /// are valid.
        rotation: Defaulted<Duration> = "\"30d\"";
    }
}

section! {
    /// Log on standard error. It never contains tokens, claim values or secrets.
    LogSection {
        /// Minimum level of the entries that are logged.
        level: Defaulted<LogLevel> = "\"info\"";
        /// Format of the log: `json` for machines, `text` for people; `auto` is `text` on a terminal and `json`
        /// elsewhere.
        format: Defaulted<LogFormat> = "\"auto\"";
        /// Logs one line for each request that passes: client, method, path without its query, status, user,
        /// organization, route and duration. The line is written whatever `level` is. Lines for `/.narthex/me` have
        /// `"door":"me"`, and those for the key set have `"door":"public"`. Lines for the admin port have
        /// `"door":"admin"` and name the API key or user. `/healthz`, `/readyz` and `/metrics` have no lines. Refused
        /// requests are always logged.
        access: Defaulted<bool> = "false";
    }
}

section! {
    /// Traces for an OpenTelemetry collector. Without this section, requests are not traced.
    TelemetrySection {
        /// Address of a collector that takes OTLP over gRPC: scheme, host and port. Each request on the public port is
        /// one span, with a span inside for each step: `verify`, `map`, `sync`, `decide`, `upstream`. A request that is
        /// answered from the cache has no steps before `upstream`. Spans contain what the log contains, and no token,
        /// claim value or query. The upstream receives the span in `traceparent`. A trace that a request names is
        /// continued only if the request comes from one of `listen.trusted_proxies`.
        ///
        /// Spans are sent in batches, in the background. If the collector is slow or away, spans are lost; requests do
        /// not wait. The environment variables of the OpenTelemetry specification set the rest:
        /// `OTEL_TRACES_SAMPLER` the share of requests that is traced, `OTEL_EXPORTER_OTLP_HEADERS` headers for the
        /// collector, `OTEL_BSP_…` the batches.
        otlp_endpoint: Optional<String>, eg "\"http://127.0.0.1:4317\"";
    }
}

choice! {
    /// Minimum level of the entries that are logged.
    pub LogLevel {
        /// Failures.
        Error = "error",
        /// Conditions that may need attention.
        Warn = "warn",
        /// Normal events.
        Info = "info",
        /// Normal events and the reasons for them.
        Debug = "debug",
        /// Every step.
        Trace = "trace",
    }
}

choice! {
    /// Format of the log.
    pub LogFormat {
        /// `text` on a terminal, `json` elsewhere.
        Auto = "auto",
        /// One JSON object per line.
        Json = "json",
        /// One sentence per line.
        Text = "text",
    }
}
