//! The application carries out the request that was decided: its host, path, method, headers and body.

use std::time::Duration;

use narthex_testkit::{
    Client, IdentityProvider, Narthex, TestKey, Upstream, application::Application, client::Call, raw,
};

use crate::world::{World, config, member};

/// Sends bytes to the public port; the answer as text.
async fn exchange(world: &World, request: &str) -> String {
    let answer = raw::exchange(&world.narthex.address(), request.as_bytes(), Duration::from_millis(700))
        .await
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

/// The usual routes and others that differ by method.
fn with_methods(idp: &IdentityProvider, upstream: &Upstream) -> String {
    let url = upstream.url();
    format!(
        r#"{}
        [[route]]
        path = "/things/{{id}}"
        methods = ["GET", "POST"]
        require = "authenticated"
        upstream = "{url}"

        [[route]]
        path = "/things/{{id}}"
        methods = ["DELETE"]
        require = "platform:admin"
        upstream = "{url}"

        [[route]]
        path = "/lax/{{id}}"
        require = "authenticated"
        upstream = "{url}"

        [[route]]
        path = "/lax/{{id}}"
        methods = ["DELETE"]
        require = "platform:admin"
        upstream = "{url}"

        [[route]]
        path = "/tunnelled"
        methods = ["POST"]
        method_override = "allow"
        require = "authenticated"
        upstream = "{url}"
        "#,
        config(idp, upstream)
    )
}

/// Many applications carry out the method of such a header: it must be the one that was decided.
#[tokio::test]
async fn sec_method_override() {
    let world = World::with_config(with_methods).await;
    let token = member("alice").sign();
    let call = |path: &str, name: &str, value: &str| world.call("POST", path).bearer(&token).header(name, value);
    for path in ["/things/7", "/lax/7"] {
        for name in [
            "X-HTTP-Method-Override",
            "X-HTTP-Method",
            "X-Method-Override",
            "x_http_method_override",
            "X~Method~Override",
        ] {
            for value in ["DELETE", "delete", " Delete", "\u{e9}"] {
                world.upstream.forget();
                let answer = world.send(call(path, name, value)).await;
                assert_eq!(
                    (answer.status, answer.reason().as_deref()),
                    (400, Some("request.unforwardable")),
                    "{path} {name}: {value}"
                );
                assert!(world.upstream.seen().is_empty(), "{path} {name}");
            }
        }
        let same = world.send(call(path, "X-HTTP-Method-Override", "post")).await;
        assert_eq!(same.status, 200, "{path}");
    }
    // Where no method leads to another route, the header says nothing that was not decided.
    let other = world.send(call("/lax/7", "X-HTTP-Method-Override", "PATCH")).await;
    assert_eq!(other.status, 200, "{}", other.text());
    let allowed = world.send(call("/tunnelled", "X-HTTP-Method-Override", "DELETE")).await;
    assert_eq!(allowed.status, 200, "{}", allowed.text());
    // The forward-auth doors decide the same.
    let question = Call::get(&format!("{}/.narthex/auth/nginx", world.narthex.url()))
        .bearer(&token)
        .header("host", "app")
        .header("x-original-method", "POST")
        .header("x-original-uri", "/things/7")
        .header("x-http-method-override", "DELETE");
    let answer = world.send(question).await;
    assert_eq!(answer.header("x-narthex-reason"), Some("request.unforwardable"));
}

/// A preflight passes without a token, and nothing passes with it that an application could act on.
#[tokio::test]
async fn sec_preflight_carries_nothing() {
    let world = World::with_config(with_methods).await;
    let preflight = |more: &str| {
        format!(
            "OPTIONS /things/7 HTTP/1.1\r\nhost: a\r\norigin: http://e\r\naccess-control-request-method: POST\r\n\
             connection: close\r\n{more}"
        )
    };
    for more in [
        "x-http-method-override: DELETE\r\nx_method_override: DELETE\r\ncontent-type: a/b\r\ncontent-length: 6\r\n\r\ndelete",
        "transfer-encoding: chunked\r\n\r\n6\r\ndelete\r\n0\r\n\r\n",
        "\r\n",
    ] {
        world.upstream.forget();
        let answer = exchange(&world, &preflight(more)).await;
        assert_eq!(raw::status(answer.as_bytes()), Some(200), "{answer}");
        let seen = world.upstream.last().unwrap();
        assert_eq!(
            (seen.method.as_str(), seen.body.as_ref()),
            ("OPTIONS", &b""[..]),
            "{more}"
        );
        for name in [
            "x-http-method-override",
            "x_method_override",
            "content-length",
            "content-type",
            "transfer-encoding",
        ] {
            assert_eq!(seen.header(name), None, "{name}");
        }
    }
}

/// `TRACE` has the request echoed, with identity and assertion; `CONNECT` asks for a tunnel.
#[tokio::test]
async fn sec_trace_is_refused() {
    let world = World::start().await;
    let token = member("alice").sign();
    for (method, target) in [
        ("TRACE", "/whoami"),
        ("trace", "/whoami"),
        ("TRACK", "/whoami"),
        ("TRACE", "/public/x"),
    ] {
        let request = format!(
            "{method} {target} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
        );
        let answer = exchange(&world, &request).await;
        assert_eq!(raw::status(answer.as_bytes()), Some(405), "{answer}");
        assert!(answer.contains("request.method"), "{answer}");
        assert!(answer.contains("\r\nallow: GET, "), "{answer}");
    }
    assert!(world.upstream.seen().is_empty());
}

/// A request without a host would be at the routes of every host, at each door.
#[tokio::test]
async fn sec_a_request_names_exactly_one_host() {
    let world = World::start().await;
    let admin = world.narthex.admin_url();
    let admin = admin.strip_prefix("http://").unwrap();
    let public = world.narthex.address();
    for (address, request, status) in [
        (public.as_str(), "GET /public/x HTTP/1.0\r\n\r\n", 400),
        (&public, "GET /public/x HTTP/1.1\r\n\r\n", 400),
        (&public, "GET /public/x HTTP/1.1\r\nhost: a\r\nhost: a\r\n\r\n", 400),
        (&public, "GET /public/x HTTP/1.1\r\nhost: a b\r\n\r\n", 400),
        (&public, "GET http://b/public/x HTTP/1.1\r\nhost: a,b\r\n\r\n", 400),
        (&public, "GET /.narthex/me HTTP/1.0\r\n\r\n", 400),
        (&public, "GET /.well-known/jwks.json HTTP/1.0\r\n\r\n", 400),
        (&public, "GET /public/x HTTP/1.0\r\nhost: a\r\n\r\n", 200),
        (admin, "GET /healthz HTTP/1.1\r\n\r\n", 400),
        (admin, "GET /healthz HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400),
        (admin, "TRACE /healthz HTTP/1.1\r\nhost: a\r\n\r\n", 405),
        // Programs that look after the health of others ask so.
        (admin, "GET /healthz HTTP/1.0\r\n\r\n", 200),
        (admin, "GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n", 200),
    ] {
        let answer = raw::exchange(address, request.as_bytes(), Duration::from_millis(500))
            .await
            .unwrap();
        let text = String::from_utf8_lossy(&answer);
        assert_eq!(raw::status(&answer), Some(status), "{request}\n{text}");
        if status == 400 {
            assert!(text.contains("request.host"), "{request}\n{text}");
        }
    }
    for (door, headers) in [
        ("nginx", "x-original-method: GET\r\nx-original-uri: /public/x\r\n"),
        (
            "caddy",
            "host: a\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /public/x\r\n",
        ),
        (
            "traefik",
            "host: a\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /public/x\r\n",
        ),
        (
            "haproxy",
            "host: a\r\nx-forwarded-method: GET\r\nx-forwarded-uri: /public/x\r\n",
        ),
    ] {
        for version in ["1.0", "1.1"] {
            let request = format!("GET /.narthex/auth/{door} HTTP/{version}\r\n{headers}\r\n");
            let answer = exchange(&world, &request).await;
            assert!(answer.contains("x-narthex-reason: request.host"), "{request}\n{answer}");
        }
    }
}

/// Two programs that read a doubled header read different ones.
#[tokio::test]
async fn sec_two_authorization_fields() {
    let world = World::start().await;
    let token = member("alice").sign();
    for path in ["/whoami", "/public/x", "/.narthex/me"] {
        for other in ["Basic YTpi", &format!("Bearer {token}"), "x"] {
            let request = format!(
                "GET {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {token}\r\nauthorization: {other}\r\n\
                 connection: close\r\n\r\n"
            );
            let answer = exchange(&world, &request).await;
            assert_eq!(raw::status(answer.as_bytes()), Some(400), "{path} {other}\n{answer}");
            assert!(answer.contains("token.multiple"), "{answer}");
        }
    }
    assert!(world.upstream.seen().is_empty());
}

/// A coding that is not undone here, and a header that a server may take for a framing one, are refused.
#[tokio::test]
async fn sec_malformed_framing_is_refused() {
    let world = World::start().await;
    for framing in [
        "transfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: cow\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "transfer-encoding: ,chunked\r\n\r\n0\r\n\r\n",
        "transfer_encoding: chunked\r\ncontent-length: 5\r\n\r\n0\r\n\r\n",
        "content_length: 5\r\ncontent-length: 0\r\n\r\n",
        "http2_settings: AAMAAABkAAQAAP__\r\ncontent-length: 0\r\n\r\n",
    ] {
        let request = format!("POST /public/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n{framing}");
        let answer = exchange(&world, &request).await;
        assert_eq!(raw::status(answer.as_bytes()), Some(400), "{request}\n{answer}");
    }
    assert!(world.upstream.seen().is_empty());
    for target in ["/public/caf\u{e9}", "/public/x?caf\u{e9}"] {
        let answer = exchange(&world, &format!("GET {target} HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        assert!(answer.contains("request.path"), "{answer}");
    }
}

/// Encoded characters that move no boundary are the application's.
#[tokio::test]
async fn encoded_characters_pass_as_they_are() {
    let world = World::start().await;
    for path in [
        "/public/a%23b",
        "/public/100%25",
        "/public/a%3Fb%3bc",
        "/public/a%2520b",
    ] {
        let answer = world.send(world.call("GET", path)).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(world.upstream.last().unwrap().target, path);
    }
}

/// An HTTP/2 client may send its cookies in parts (RFC 9113 section 8.2.3); an HTTP/1.1 application is given one header.
#[tokio::test]
async fn cookies_of_an_http_2_client_are_joined() {
    let world = World::start().await;
    let mut call = world.call("GET", "/public/x");
    for cookie in ["session=abc", "theme=dark", "csrf=1"] {
        call = call.header("cookie", cookie);
    }
    assert_eq!(Client::http2().send(call).await.unwrap().status, 200);
    let seen = world.upstream.last().unwrap();
    let cookies: Vec<_> = seen.headers.get_all("cookie").iter().collect();
    assert_eq!(cookies, ["session=abc; theme=dark; csrf=1"]);
}

/// An upstream's identity headers and HTTP version do not reach the client.
#[tokio::test]
async fn sec_identity_headers_of_an_answer() {
    let world = World::start().await;
    for name in [
        "x-narthex-decision",
        "x_narthex_user",
        "x~narthex~assertion",
        "x-narthex-request-id",
    ] {
        let call = world.call("GET", "/public/x");
        let answer = world
            .send(call.header("x-upstream-reply", &format!("{name}=forged")))
            .await;
        assert_eq!(answer.status, 200);
        let told = answer.headers.iter().find(|(_, value)| *value == "forged");
        assert_eq!(told, None, "{name}");
        assert!(answer.header("x-narthex-request-id").is_some());
    }

    let old = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = format!("http://{}", old.local_addr().unwrap());
    tokio::spawn(async move {
        use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
        let (mut stream, _) = old.accept().await.unwrap();
        let mut head = [0; 4096];
        let _ = stream.read(&mut head).await.unwrap();
        let answer = b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok";
        stream.write_all(answer).await.unwrap();
    });
    let world = World::with_config(|idp, ours| config(idp, ours).replace(&ours.url(), &upstream)).await;
    let answer = exchange(&world, "GET /public/x HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
}

/// A CGI server makes one variable of many spellings of a header. None of the client's reaches it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_header_alias_at_a_cgi_server() {
    let application = Application::lighttpd_cgi().unwrap();
    let forged = |separator: char| {
        [
            "X-Narthex-Organization",
            "X-Narthex-Organization-Role",
            "X-Narthex-User",
            "X-Forwarded-For",
            "X-Real-IP",
        ]
        .map(|name| format!("{}: FORGED\r\n", name.replace('-', &separator.to_string())))
        .concat()
    };
    let ask = async |address: &str, path: &str, headers: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: app\r\nConnection: close\r\n{headers}\r\n");
        let answer = raw::exchange(address, request.as_bytes(), Duration::from_secs(5))
            .await
            .unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    };
    // The server folds them: this is what an application would believe.
    let direct = ask(&application.address(), "/x", &forged('~')).await;
    assert!(direct.contains("HTTP_X_NARTHEX_ORGANIZATION=FORGED"), "{direct}");

    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let ours = Upstream::start().unwrap();
    let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(&config(&idp, &ours).replace(&ours.url(), &application.url()))
        .unwrap()
        .start()
        .await
        .unwrap();
    let bearer = format!("Authorization: Bearer {}\r\n", member("alice").sign());
    for separator in "!#$%&'*+-.^_`|~".chars() {
        for (path, token) in [("/public/x", ""), ("/whoami", bearer.as_str())] {
            let answer = ask(&narthex.address(), path, &format!("{token}{}", forged(separator))).await;
            assert!(answer.starts_with("HTTP/1.1 200 "), "{separator} {path}: {answer}");
            assert!(answer.contains("HTTP_X_NARTHEX_DECISION=allow"), "{answer}");
            // An address that came from a trusted proxy in its own spelling stands.
            let plain = separator == '-';
            let believed = answer.matches("FORGED").count();
            assert!(believed == 0 || plain, "{separator} {path}: {answer}");
            assert!(
                !answer.contains("HTTP_X_NARTHEX_USER=FORGED"),
                "{separator} {path}: {answer}"
            );
        }
    }
}
