//! `[[route]]`: paths, their requirements and their upstreams.

use std::path::PathBuf;
use std::time::Duration;

use narthex_settings_reader::{Defaulted, List, OneOrMany, Optional, Required, Size, UrlText, choice, section};

section! {
    /// Path, its requirement and its upstream. A request that matches no route is denied.
    ///
    /// If several routes match a path, the most specific one applies: literal text before `{name}` before `{*name}`.
    ///
    /// ```toml
    /// [[route]]
    /// path = "/v1/algo/{organization}/{algorithm}/{*version}"
    /// methods = ["POST"]
    /// require = "organization:member"
    /// upstream = "http://127.0.0.1:9000"
    /// ```
    RouteSection {
        /// Path, or a list of paths. `{name}` matches one segment; `{*name}` at the end matches the rest or nothing. So
        /// `/a/{*rest}` also covers `/a` and `/a/`, unless another route names them. `{organization}` is the name of
        /// the organization that the request is about, exactly as written (or its external id, see `organization_by`).
        /// A segment that is not a valid name (`%61cme`, `ACME`) is refused, and so is a name that is not in the
        /// directory. Public routes refuse neither.
        path: Required<OneOrMany<String>>, eg "\"/v1/algo/{organization}/{algorithm}/{*version}\"";
        /// Treatment of an encoded slash (`%2F`) in the path. `refuse` answers 400. `allow` takes it as a character inside
        /// its segment and forwards it unchanged, for applications that have such addresses (GitLab, npm, Argo CD). The
        /// application must do the same: one that takes it for a slash reads another path. Dot segments beside it, and
        /// `%252F`, stay refused.
        encoded_slash: Defaulted<EncodedSlash> = "\"refuse\"", eg "\"allow\"";
        /// Methods that the route applies to. By default all.
        methods: Optional<OneOrMany<String>>, eg "[\"GET\", \"POST\"]";
        /// Host names that the route applies to. By default all. The port, a trailing dot and case are ignored.
        ///
        /// Several routes may share a path. A route for some hosts or methods comes before a route for all of them. A
        /// route for `HEAD` comes before a route for `GET`, which includes `HEAD`. If one route names hosts and another
        /// names methods, add a third route for the requests that match both.
        ///
        /// `{organization}` in the place of one whole label names the organization of the request:
        /// `{organization}.example.com`. A route for one of these hosts (`www.example.com`) comes first. An
        /// organization whose name has a dot cannot be named by a host.
        hosts: Optional<OneOrMany<String>>, eg "\"api.example.com\"";
        /// Name of the organization that every request of the route is about. For an application whose address does not
        /// name the organization. A route takes the organization from one place: `{organization}` in `path` or in
        /// `hosts`, this key, or `organization_header`. Without any of them, the route is about no organization.
        organization: Optional<String>, eg "\"acme\"";
        /// Header in which the request names the organization that it is about. It must be there once, with one
        /// organization as written; otherwise the answer is 400 `organization.missing`. Narthex forwards it unchanged
        /// and removes other spellings of it (`X_Scope_OrgID`). A proxy in front of forward-auth must do the latter.
        organization_header: Optional<String>, eg "\"X-Scope-OrgID\"";
        /// Identifier by which `{organization}` in `path`, or `organization_header`, names the organization. With
        /// `external_id`, the text is compared as written with the external ids of the organizations in the realm of
        /// the user. In a path, external ids with other characters than `A-Z`, `a-z`, `0-9`, `-`, `.`, `_` and `~` are
        /// not reachable; in a header, those with a blank, `,`, `;`, `|` or a character beyond ASCII. Hosts always use
        /// names.
        organization_by: Defaulted<OrganizationBy> = "\"name\"", eg "\"external_id\"";
        /// Callers that may pass. One item of a list is enough.
        ///
        /// `public`: everyone; a token is not needed, but a bad one is still refused. `authenticated`: every user with
        /// a valid token. `organization:ROLE`: users with at least this role (`executor`, `member`, `admin`) in the
        /// organization that the request is about. `platform:ROLE`: users with at least this role (`user`, `viewer`, `admin`)
        /// on the platform.
        require: Required<OneOrMany<String>>, eg "\"organization:member\"";
        /// Names of the issuers whose tokens the route takes, in addition to `require`. By default all. A token of another
        /// issuer is refused with `route.issuer`, on a public route too.
        issuers: Optional<OneOrMany<String>>, eg "[\"corp\"]";
        /// Permission tags of which the token must have one, in addition to `require`. Without one of them it is refused
        /// with `route.tag`. Tags are compared exactly, and read from the claim in `issuer.tags`. For a host or a path
        /// that is for one group, where no organization is needed.
        tags: Optional<OneOrMany<String>>, eg "[\"grafana-users\"]";
        /// OAuth scopes of which the token must have every one, in addition to `require`: words in its claim `scope` or `scp`.
        /// Without one of them it is refused with `token.scope`, and `WWW-Authenticate` names all of them, so that a client
        /// can ask for more.
        scopes: Optional<OneOrMany<String>>, eg "[\"write\"]";
        /// Destination of requests that pass: scheme, host and port. The path is forwarded as it was matched, byte for byte, but
        /// for `strip_prefix`. `h2c://` speaks HTTP/2 without TLS, as gRPC servers expect. A route without `upstream` answers
        /// only at the forward-auth endpoints and the `ext_authz` port.
        ///
        /// A list names several servers of one application, with the same scheme. Requests go to them in turn. One that
        /// cannot be reached, or breaks off before its answer, gets no request for ten seconds. A request that is safe to
        /// repeat (`GET`, `HEAD`, `OPTIONS`, `PUT` or `DELETE`, without a body) then goes to the next one, two times at
        /// most. In logs and in the default `audience`, the first server stands for all.
        upstream: Optional<OneOrMany<UrlText>>, eg "\"http://127.0.0.1:9000\"";
        /// PEM file with the certificates of the authorities that an `https://` upstream is trusted by, instead of the
        /// system's. It is read again when it changes.
        upstream_ca_file: Optional<PathBuf>, eg "\"internal-ca.pem\"";
        /// Beginning of the path that is removed before a request is forwarded: whole segments, literal text, without a `/`
        /// at the end. Each `path` of the route has to begin with it. With `/grafana`, the upstream gets `/d/1` for
        /// `/grafana/d/1`, and `/` for `/grafana`. Nothing in an answer is rewritten, `Location` and links neither: tell
        /// the application the address under which it is served.
        strip_prefix: Optional<String>, eg "\"/grafana\"";
        /// Value of `aud` in the signed assertion, which tells an application that the assertion is meant for it. By
        /// default `upstream` as written, or `assertion.issuer` if there is no `upstream`. That second default is the
        /// same for all such routes. Give each application behind forward-auth its own audience; otherwise it accepts
        /// assertions made for another.
        audience: Optional<String>, eg "\"https://app.example.com\"";
        /// Sends the inbound token on to the upstream. By default it is removed, because the assertion serves the
        /// upstream better.
        forward_token: Defaulted<bool> = "false", eg "true";
        /// Protocol upgrades that are passed on to the upstream (HTTP/1.1 `Upgrade`). A request for any other upgrade
        /// is forwarded as a plain request. Narthex makes no decisions about traffic after an upgrade, so protocols
        /// that carry requests (`h2c`, `TLS/1.0`) cannot be listed. An empty list passes on none.
        upgrades: Defaulted<List<String>> = "[\"websocket\"]", eg "[\"websocket\", \"SPDY/3.1\"]";
        /// Treatment of a request whose header names another method (`X-HTTP-Method-Override`, `X-HTTP-Method`,
        /// `X-Method-Override`). `refuse` answers 400 if the route has `methods`, or if the other method belongs to
        /// another route. `allow` forwards the header. Narthex does not see a method in a body or a query parameter
        /// (`_method`): turn that off in the application.
        method_override: Defaulted<MethodOverride> = "\"refuse\"", eg "\"allow\"";
        /// Places of the token on this route, for tokens of every issuer: the same words as in `issuer.token_from`. By
        /// default the places of all issuers that the route takes tokens of; a token in a place that its own issuer
        /// does not use then counts as absent.
        token_from: Optional<OneOrMany<String>>, eg "[\"header:X-Api-Token\"]";
        /// Use of tokens on the route. `read` looks for a token. `ignore`, for public routes only, looks for none: an expired
        /// cookie does not lock users out of a sign-in page, and the application's own `Authorization` is forwarded
        /// unchanged. Every caller is then anonymous.
        token: Defaulted<TokenUse> = "\"read\"", eg "\"ignore\"";
        /// `false` sends no navigation on this route to sign-in, and offers none on its refusal pages.
        login: Defaulted<bool> = "true", eg "false";
        /// Headers in which the upstream gets the identity, under names that the application wants, in addition to
        /// `X-Narthex-…`.
        headers: Optional<HeadersSection>;
        /// Origins of pages that may send requests with the user's cookie, besides the request's own origin, and whose
        /// scripts may read refusals (`Access-Control-Allow-Origin`). Answers of the application are not changed: it says
        /// itself who may read them, and answers preflights.
        ///
        /// A browser sends a cookie with requests from any page. A request with its token in a cookie therefore needs
        /// proof of its origin if its method is not `GET`, `HEAD` or `OPTIONS`. A WebSocket always needs it. The proof
        /// is one of these: an `Origin` equal to the request's own (scheme, host and port) or in this list, or
        /// `Sec-Fetch-Site: same-origin` or `none`. Without proof the request is refused with `request.origin`, even if
        /// it has neither header. Clients that are not browsers send their token in `Authorization`. A proxy that
        /// terminates TLS must be in `listen.trusted_proxies` and send `X-Forwarded-Proto`.
        cors_origins: Optional<OneOrMany<String>>, eg "[\"https://spa.example.com\"]";
        /// Maximum time until the upstream begins its answer. By default `limits.upstream_timeout`.
        upstream_timeout: Optional<Duration>, eg "\"60s\"";
        /// Maximum silence on a stream. By default `limits.idle_timeout`.
        idle_timeout: Optional<Duration>, eg "\"5m\"";
        /// Maximum size of a request body. By default `limits.body_size`.
        body_size: Optional<Size>, eg "\"64MiB\"";
    }
}

choice! {
    /// Treatment of a request that names another method in a header.
    pub(crate) MethodOverride {
        /// Refused if the decision depends on the method.
        Refuse = "refuse",
        /// Forwarded.
        Allow = "allow",
    }
}

section! {
    /// Names of headers for values of the identity. A value that the user does not have is not sent (an empty header at the
    /// forward-auth doors).
    ///
    /// Narthex removes every name in use, on any route, from all requests of clients, in every spelling; and with them the
    /// usual names of other gateways: `Remote-User`, `X-Forwarded-User`, `-Email`, `-Groups`, `-Preferred-Username`,
    /// `X-Auth-Request-…` and `X-WebAuth-User`. Forward-auth cannot remove headers, so its answer has every name in use:
    /// let your proxy copy all of them. Text beyond printable ASCII, and `%`, are percent-encoded.
    ///
    /// ```toml
    /// [[route]]
    /// headers = { username = "Remote-User", tags = "Remote-Groups" }
    /// ```
    HeadersSection {
        /// Id of the user in the directory.
        user_id: Optional<String>, eg "\"X-User-Id\"";
        /// External id of the user.
        external_id: Optional<String>, eg "\"X-User-Subject\"";
        /// Username of the user.
        username: Optional<String>, eg "\"Remote-User\"";
        /// E-mail address of the user.
        email: Optional<String>, eg "\"Remote-Email\"";
        /// Name of the user for people.
        name: Optional<String>, eg "\"Remote-Name\"";
        /// Name of the organization that the request is about, if the user is a member.
        organization: Optional<String>, eg "\"X-Tenant\"";
        /// Role of the user in that organization: `admin`, `member` or `executor`.
        organization_role: Optional<String>, eg "\"X-Role\"";
        /// Role of the user on the platform: `admin`, `viewer` or `user`.
        platform_role: Optional<String>, eg "\"X-Platform-Role\"";
        /// Roles of the user as `require` writes them, with commas between: `platform:ROLE` if it is more than `user`, and
        /// `organization:ROLE` for the organization that the request is about.
        roles: Optional<String>, eg "\"X-Roles\"";
        /// Permission tags of the token, with commas between. A comma inside a tag is percent-encoded.
        tags: Optional<String>, eg "\"Remote-Groups\"";
    }
}

choice! {
    /// Treatment of an encoded slash.
    pub(crate) EncodedSlash {
        /// Refused.
        Refuse = "refuse",
        /// A character inside its segment.
        Allow = "allow",
    }
}

choice! {
    /// Use of tokens on a route.
    pub(crate) TokenUse {
        /// A token is looked for.
        Read = "read",
        /// No token is looked for.
        Ignore = "ignore",
    }
}

choice! {
    /// Identifier by which requests name their organization.
    pub(crate) OrganizationBy {
        /// Its name.
        Name = "name",
        /// Its external id.
        ExternalId = "external_id",
    }
}
