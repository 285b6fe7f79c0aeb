//! The sections that hold settings of the process: `[listen]`, `[store]`, `[secrets]`, `[connections]`, `[cache]`,
//! `[limits]`, `[assertion]`, `[log]`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

use crate::read::{Defaulted, Optional, section};
use crate::values::{Count, List, Rate, Size, choice};

section! {
    /// Where requests come in.
    ListenSection {
        /// The public port: the proxy door, forward-auth, `/.narthex/me`, `/.well-known/jwks.json`.
        ///
        /// Loopback by default, so that nothing is exposed before somebody decides to.
        public: Defaulted<SocketAddr> = "\"127.0.0.1:8080\"";
        /// The admin port: the admin API, health and metrics. Keep it off the internet.
        admin: Defaulted<SocketAddr> = "\"127.0.0.1:8081\"";
        /// Networks of the reverse proxies in front of Narthex. Only they are believed when they say, in forwarded
        /// headers, what the original request was, and only they may use the forward-auth doors.
        ///
        /// Empty by default: a forwarded header from anybody else is a forgery.
        trusted_proxies: Defaulted<List<IpNet>> = "[]", eg "[\"127.0.0.1\", \"10.0.0.0/8\"]";
        /// How long running requests, or a WebSocket, may take to finish after Narthex was told to stop, on both ports.
        shutdown_grace: Defaulted<Duration> = "\"10s\"";
    }
}

section! {
    /// Where the directory is kept: users, organizations, teams and grants.
    StoreSection {
        /// The file of an SQLite database. It is made if it is missing. With none of `path`, `url`, `url_file` and
        /// `url_env`, it is `narthex.db` beside this file. One server works on it at a time (a lock on `narthex.db-lock`
        /// sees to that), and commands beside it. A file that is moved, replaced or deleted meanwhile is not written any
        /// more.
        path: Optional<PathBuf>, eg "\"narthex.db\"";
        /// The place as a URL: `sqlite:` and a path, or a PostgreSQL database (15 or newer) that any number of Narthex
        /// nodes share, `postgres://USER@HOST/DATABASE`.
        ///
        /// With several hosts (`HOST:PORT,HOST:PORT`) the one that takes writes is used, and looked for again when it
        /// is lost. A host that is not this machine is reached by TLS and its certificate checked; `sslrootcert=FILE`
        /// names the authorities if they are not the system's. `?sslmode=` says otherwise: `disable` for no TLS,
        /// `prefer` and `require` for TLS with whoever answers, `verify-full` for the default. `connect_timeout`
        /// (seconds for each host, 3 by default), `options` and the other parameters of `libpq` that concern a
        /// connection are taken too.
        url: Optional<String>, eg "\"postgres://narthex@db1.internal,db2.internal/narthex\"";
        /// A file that holds such a URL, for one with a password.
        url_file: Optional<PathBuf>, eg "\"store-url\"";
        /// An environment variable that holds such a URL, for one with a password.
        url_env: Optional<String>, eg "\"NARTHEX_STORE_URL\"";
        /// The most connections to PostgreSQL of one node, beside the one that hears of other nodes' changes. Those of
        /// all nodes together must stay below the server's `max_connections`.
        connections: Defaulted<Count<3, 1_000>> = "16";
        /// A connection pooler in transaction mode lies before PostgreSQL, such as PgBouncer with `pool_mode =
        /// transaction`. Statements are then sent unprepared, nothing is kept on a connection, and changes of other nodes
        /// are seen by asking twice a second, or heard through `listen_url`.
        ///
        /// Without this, a node looks for a pooler when it starts, and goes on as behind one as soon as a statement fails as
        /// it does there. With `false` it does neither.
        pooled: Optional<bool>, eg "true";
        /// A way to the same database without a pooler: for hearing of other nodes' changes at once, for migrations, and for
        /// `narthex export` and `import`. One that leads to another database is refused at the start.
        listen_url: Optional<String>, eg "\"postgres://narthex@db1.internal/narthex\"";
        /// A file that holds this URL, for one with a password.
        listen_url_file: Optional<PathBuf>, eg "\"listen-url\"";
        /// An environment variable that holds this URL, for one with a password.
        listen_url_env: Optional<String>, eg "\"NARTHEX_LISTEN_URL\"";
        /// How long users who are known keep being answered, by what was known of them, while the database cannot be
        /// reached; then the answer is 503. Nothing is written meanwhile, and what others change is not seen. From `"0s"`
        /// to `"1h"`.
        offline_max: Defaulted<Duration> = "\"5m\"";
    }
}

section! {
    /// The key that secrets in the store are encrypted with (AES-256-GCM): the parameters of connections. Without one,
    /// nothing secret can be kept.
    ///
    /// The key is 32 random bytes in base64 or hex, such as `openssl rand -base64 32` makes. Without `key_file` it is
    /// taken from the environment variable `NARTHEX_SECRET_KEY`, and the previous one from
    /// `NARTHEX_SECRET_KEY_PREVIOUS`.
    SecretsSection {
        /// The file with the key.
        key_file: Optional<PathBuf>, eg "\"secret.key\"";
        /// The file with the key before this one, while what it encrypted is still there. `narthex connection reencrypt`
        /// encrypts everything with the current key; then this can go.
        previous_key_file: Optional<PathBuf>, eg "\"secret.old.key\"";
    }
}

section! {
    /// Connections that are held for organizations: where they may send requests, and what a request may cost.
    ConnectionsSection {
        /// The hosts that connections may send requests to: names, or `*.` and a name for everything below it. A port that
        /// is not that of http or https is written behind it (`api.example.com:8443`), or `:*` for every port. Empty by
        /// default: connections then render requests for workers to send, and send none themselves.
        allowed_hosts: Defaulted<List<String>> = "[]", eg "[\"api.example.com\", \"*.example.org\"]";
        /// Those of them that may be at private addresses, by name. This machine and link-local addresses are reached only
        /// if the address itself, or `localhost`, is listed.
        allow_private_hosts: Defaulted<List<String>> = "[]", eg "[\"erp.internal\"]";
        /// How long one request may take in all, from `"1s"` to `"5m"`.
        timeout: Defaulted<Duration> = "\"30s\"";
        /// The largest answer that is read, at most `"64MiB"`.
        response_size: Defaulted<Size> = "\"4MiB\"";
        /// The most redirects that are followed, one after another.
        redirects: Defaulted<Count<0, 20>> = "5";
    }
}

section! {
    /// The caches that let a token that was seen before pass without being verified again.
    CacheSection {
        /// What is remembered of verified tokens may take in memory, some 1.7 kB each: the answer given last, under a keyed hash of
        /// the whole token, for at most 60 s. The tokens themselves are not kept.
        tokens: Defaulted<Size> = "\"40MiB\"";
        /// What the directory's answers about users may take in memory.
        accounts: Defaulted<Size> = "\"64MiB\"";
    }
}

section! {
    /// Limits on what is accepted from tokens, requests, key sets and upstreams.
    LimitsSection {
        /// The largest token; at most `"16KiB"`.
        token_size: Defaulted<Size> = "\"16KiB\"";
        /// The most permission tags in one token. A token with more is refused with `tags.malformed`.
        tags: Defaulted<Count<1, 10_000>> = "2000";
        /// How often tokens may change one user within a minute: a role given, a field updated, a record made. Above it a token
        /// gives nothing until the minute is over and still takes away what it no longer says. Each node counts by itself.
        sync_changes_per_minute: Defaulted<Count<1, 1_000_000>> = "60";
        /// The work one template may do, in evaluation steps.
        template_fuel: Defaulted<Count<100, 10_000_000>> = "200000";
        /// What one template may build, on the way included; at most `"16MiB"`.
        template_size: Defaulted<Size> = "\"4MiB\"";
        /// The largest key set.
        key_set_size: Defaulted<Size> = "\"512KB\"";
        /// The most keys in one key set.
        keys: Defaulted<Count<1, 1_000>> = "100";
        /// The largest request head: request line and all headers. In HTTP/1.1 more than a hundred headers are refused too (431).
        header_size: Defaulted<Size> = "\"64KiB\"";
        /// How long a connection may go without a request that is being answered: how long a client may take to send a
        /// request's head, and how long a connection that nobody uses is kept. It is closed up to a quarter of this
        /// later. On both ports. An HTTP/2 connection without a request that is being answered is not used, whether or not
        /// the client answers pings.
        header_timeout: Defaulted<Duration> = "\"10s\"";
        /// The largest request body that is passed to an upstream. Bodies are streamed, never held.
        body_size: Defaulted<Size> = "\"64MiB\"";
        /// The most connections at once on the public port, every WebSocket among them. For one more, the connection that
        /// has been idle longest is closed; while none is idle, it waits. The admin port has 256 of its own, or this if it
        /// is less.
        ///
        /// The process raises its limit of file descriptors as far as it may. If there are too few for two descriptors for
        /// each connection and a reserve, it takes fewer connections, and says so when it starts.
        connections: Defaulted<Count<1, 1_000_000>> = "10000";
        /// The most connections at once of one client address (of an IPv6 address: of its /64), and the most HTTP/2 requests
        /// that are being answered on them. For one more, the client's own connection that has been idle longest is closed;
        /// if none is idle, it is refused. The addresses of `listen.trusted_proxies` have no such limit. Without this key,
        /// it is a quarter of `connections`.
        connections_per_client: Optional<Count<1, 1_000_000>>, eg "2500";
        /// The most requests that are being answered by one upstream at a time, every WebSocket among them. More are
        /// answered with 503 and `upstream.busy`. Without this key, it is the number of `connections`.
        upstream_requests: Optional<Count<1, 1_000_000>>, eg "1000";
        /// The most requests from one client address. `"off"` by default: behind one address there may be one person or
        /// a whole company, and only the operator knows.
        ///
        /// What a trusted proxy sends or asks about counts for the last address in `X-Forwarded-For` that is not a trusted
        /// proxy's: the proxy has to write there whom it saw.
        rate: Defaulted<Rate> = "\"off\"", eg "\"100/s\"";
        /// How long a connection to an upstream may take to be made.
        connect_timeout: Defaulted<Duration> = "\"5s\"";
        /// How long an upstream may take to begin its answer, from when it has the whole request, or to take the next
        /// part of the request's body. A route may say otherwise.
        upstream_timeout: Defaulted<Duration> = "\"60s\"";
        /// How long a stream (a body, server-sent events, a WebSocket) may be silent, and how long a client may take
        /// nothing of an answer, which is at least `header_timeout`. A route may say otherwise.
        idle_timeout: Defaulted<Duration> = "\"5m\"";
        /// Time that a body on its way may go on after its token has expired. A WebSocket, an event stream and a gRPC
        /// stream end with their token. All of them end when their user is disabled or signed out everywhere, when the
        /// organization in their path is suspended, and when their issuer is switched off. Behind the forward-auth doors it
        /// is the proxy that holds the stream, and none of this applies.
        body_grace: Defaulted<Duration> = "\"1h\"";
        /// How long fetching a key set may take in all.
        fetch_timeout: Defaulted<Duration> = "\"5s\"";
    }
}

section! {
    /// The signed statement of who the user is that goes to upstreams.
    AssertionSection {
        /// The `iss` of assertions.
        issuer: Defaulted<String> = "\"narthex\"", eg "\"https://app.example.com\"";
        /// How long one assertion is good for, from `"30s"` to `"1h"`. Short, because it cannot be taken back.
        lifetime: Defaulted<Duration> = "\"5m\"";
        /// How often a new signing key is made, from `"1h"`. The old key stays published for as long as what it signed
        /// is good.
        rotation: Defaulted<Duration> = "\"30d\"";
    }
}

section! {
    /// What is written to standard error. Tokens, claim values and secrets never are.
    LogSection {
        /// How much is logged.
        level: Defaulted<LogLevel> = "\"info\"";
        /// In which form: `json` for machines, `text` for people; `auto` is `text` on a terminal and `json` elsewhere.
        format: Defaulted<LogFormat> = "\"auto\"";
        /// Logs each request that passes, with one line: client, method, path without its query, status, user, organization,
        /// route and duration. It is written whatever `level` says. The lines of `/.narthex/me` have `"door":"me"`, those of
        /// the key set `"door":"public"`, and those of the admin port `"door":"admin"` with the API key or user that asked.
        /// `/healthz`, `/readyz` and `/metrics` have none. Requests that are refused are logged always.
        access: Defaulted<bool> = "false";
    }
}

choice! {
    /// How much is logged.
    pub LogLevel {
        /// What failed.
        Error = "error",
        /// What may need attention.
        Warn = "warn",
        /// What happened.
        Info = "info",
        /// And why.
        Debug = "debug",
        /// And every step.
        Trace = "trace",
    }
}

choice! {
    /// In which form logs are written.
    pub LogFormat {
        /// `text` on a terminal, `json` elsewhere.
        Auto = "auto",
        /// One JSON object a line.
        Json = "json",
        /// One sentence a line.
        Text = "text",
    }
}
