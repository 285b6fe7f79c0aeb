//! `[[route]]`: what may be reached, by whom, and where it goes.

use std::time::Duration;

use crate::read::{Defaulted, Optional, Required, section};
use crate::values::{List, OneOrMany, Size, UrlText, choice};

section! {
    /// What may be reached, by whom, and where it goes.
    ///
    /// ```toml
    /// [[route]]
    /// path = "/v1/algo/{organization}/{algorithm}/{*version}"
    /// methods = ["POST"]
    /// require = "organization:member"
    /// upstream = "http://127.0.0.1:9000"
    /// ```
    RouteSection {
        /// The path, or a list of paths. `{name}` is one segment, `{*name}` at the end is the rest or nothing: `/a/{*rest}`
        /// covers `/a` and `/a/` too, unless another route names them. `{organization}` is the name of the organization
        /// that the request is about, as it is written: unless the route is public, a segment that is no name (`%61cme`,
        /// `ACME`) is refused, and so is a name that the directory does not have.
        path: Required<OneOrMany<String>>, eg "\"/v1/algo/{organization}/{algorithm}/{*version}\"";
        /// The methods it is for. By default all.
        methods: Optional<OneOrMany<String>>, eg "[\"GET\", \"POST\"]";
        /// The host names it is for. By default all. A port, a dot at the end and the case do not count.
        ///
        /// Several routes may share a path: one for some hosts or methods comes before one for all of them, and `HEAD` by
        /// its name before the `GET` that includes it. Where one route is for hosts and another for methods, a third one
        /// has to say what counts for requests that fit both.
        hosts: Optional<OneOrMany<String>>, eg "\"api.example.com\"";
        /// Who may pass; of a list, one is enough.
        ///
        /// `public`: everybody; a token is not needed, but a bad one is still refused. `authenticated`: every user with
        /// a good token. `organization:ROLE`: who has at least this role (`executor`, `member`, `admin`) in the
        /// organization named by the path. `platform:ROLE`: who has at least this role (`user`, `viewer`, `admin`) on
        /// the platform.
        require: Required<OneOrMany<String>>, eg "\"organization:member\"";
        /// Where requests that may pass are sent: scheme, host and port. The path stays as it is. `h2c://` speaks
        /// HTTP/2 without TLS, as gRPC servers want. Without it, the route answers only at the forward-auth doors.
        upstream: Optional<UrlText>, eg "\"http://127.0.0.1:9000\"";
        /// The `aud` of the signed assertion, by which an application knows that it is meant. By default `upstream` as it
        /// is written. Without that it is `assertion.issuer`, the same for all such routes: an application behind a
        /// forward-auth door should have an audience of its own, or it takes assertions that were made for another.
        audience: Optional<String>, eg "\"https://app.example.com\"";
        /// Send the inbound token on to the upstream. By default it is taken out: the upstream has no use for it that
        /// the assertion does not serve better.
        forward_token: Defaulted<bool> = "false", eg "true";
        /// The protocol upgrades that are passed on to the upstream (HTTP/1.1 `Upgrade`). A request that asks for another one
        /// is forwarded as a plain request. Narthex decides nothing of what passes after an upgrade, so protocols that
        /// carry requests (`h2c`, `TLS/1.0`) cannot be named. An empty list passes on none.
        upgrades: Defaulted<List<String>> = "[\"websocket\"]", eg "[\"websocket\", \"SPDY/3.1\"]";
        /// Requests with a header that names another method (`X-HTTP-Method-Override`, `X-HTTP-Method`,
        /// `X-Method-Override`). `refuse` answers 400 where the route has `methods`, or where the other method falls under
        /// another route. `allow` forwards the header. Narthex does not see a method in a body or a query parameter
        /// (`_method`): turn that off in the application.
        method_override: Defaulted<MethodOverride> = "\"refuse\"", eg "\"allow\"";
        /// Take the token from this header too, besides `Authorization: Bearer`.
        token_header: Optional<String>, eg "\"X-Api-Token\"";
        /// Take the token from this cookie too.
        token_cookie: Optional<String>, eg "\"id_token\"";
        /// Take the token from this query parameter too. Addresses end up in logs and histories: prefer anything else.
        token_query: Optional<String>, eg "\"jwt\"";
        /// The origins of pages that may send requests with the user's cookie, besides those of the request's own origin.
        ///
        /// A browser sends a cookie whichever page asks it to. So a request whose token came in a cookie needs more, if it is a
        /// WebSocket or its method is not `GET`, `HEAD` or `OPTIONS`: an `Origin` equal to its own (scheme, host and port) or
        /// in this list, or `Sec-Fetch-Site: same-origin` or `none`. Any other is refused with `request.origin`, also one
        /// with neither header: a client that is no browser sends its token in `Authorization`. Behind a proxy that ends TLS,
        /// the proxy has to be one of `listen.trusted_proxies` and say `X-Forwarded-Proto`.
        cors_origins: Optional<OneOrMany<String>>, eg "[\"https://spa.example.com\"]";
        /// How long the upstream may take to begin its answer. By default `limits.upstream_timeout`.
        upstream_timeout: Optional<Duration>, eg "\"60s\"";
        /// How long a stream may be silent. By default `limits.idle_timeout`.
        idle_timeout: Optional<Duration>, eg "\"5m\"";
        /// The largest request body. By default `limits.body_size`.
        body_size: Optional<Size>, eg "\"64MiB\"";
    }
}

choice! {
    /// Treatment of a request that names another method in a header.
    pub(crate) MethodOverride {
        /// It is refused where methods decide.
        Refuse = "refuse",
        /// It passes.
        Allow = "allow",
    }
}
