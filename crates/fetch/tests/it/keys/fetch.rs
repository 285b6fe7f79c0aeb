//! One fetch: what is accepted, what is refused, and what the operator reads.

use std::fs;
use std::io::Write as _;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::Response;
use narthex_fetch::keys::{Access, FetchError, FetchLimits, KeySource, ProxyUrl, fetch_once};
use narthex_testkit::keys::{key_set, short_rsa_jwk};
use narthex_testkit::server::{Server, full};
use narthex_testkit::{Behaviour, IdentityProvider, TestKey};
use serde_json::json;

use super::world::{NOW_MS, Script, fetch, impatient, private, system};

async fn ask(url: &str) -> Result<usize, FetchError> {
    fetch(url, Access::default(), system())
        .await
        .map(|keys| keys.usable_count())
}

/// A server that answers every path the same way.
fn always(answer: impl Fn() -> Response<narthex_testkit::server::Body> + Send + Sync + 'static) -> Server {
    Server::start(move |_| {
        let answer = answer();
        Box::pin(async move { Ok(answer) })
    })
    .unwrap()
}

#[tokio::test]
async fn a_good_set_is_read() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1, TestKey::P256]).unwrap();
    assert_eq!(ask(&idp.jwks_url()).await.unwrap(), 2);
    let port = idp.url().rsplit(':').next().unwrap().to_owned();
    assert_eq!(ask(&format!("http://localhost:{port}/jwks.json")).await.unwrap(), 2);
}

#[tokio::test]
async fn every_misbehaviour_is_told_apart() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    for (behaviour, kind) in [
        (Behaviour::Closing, "interrupted"),
        (Behaviour::Garbage, "key_set"),
        (Behaviour::WrongShape, "key_set"),
        (Behaviour::Huge(512 * 1024 + 1), "too_large"),
        (Behaviour::Huge(8 * 1024 * 1024), "too_large"),
        (Behaviour::Huge(512 * 1024), "key_set"),
        (Behaviour::Status(500), "status"),
        (Behaviour::Status(404), "status"),
        (Behaviour::Status(204), "status"),
        (Behaviour::Status(206), "status"),
        (Behaviour::Redirect("https://elsewhere.test/jwks".into()), "redirect"),
    ] {
        idp.behave(behaviour.clone());
        let error = ask(&idp.jwks_url()).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{behaviour:?}: {error}");
    }
    idp.behave(Behaviour::Good);
    idp.down();
    let error = ask(&idp.jwks_url()).await.unwrap_err();
    assert_eq!(error.kind(), "connection");
    assert!(
        error.to_string().starts_with("no connection to `127.0.0.1`: "),
        "{error}"
    );
    idp.up().unwrap();
    ask(&idp.jwks_url()).await.unwrap();
}

/// The cause is enough to see what is wrong, key by key.
#[tokio::test]
async fn a_set_without_a_usable_key_says_why() {
    let idp = IdentityProvider::start(&[]).unwrap();
    let mut encryption = TestKey::P256.jwk();
    encryption["use"] = "enc".into();
    for (keys, why) in [
        (json!([]), "it is empty"),
        (
            json!([short_rsa_jwk(), encryption, {}]),
            "key `rsa_1024` is not used: its modulus has 1024 bits; 2048 to 8192 are accepted; \
             key `ec_p256` is not used: its `use` is `enc`, not `sig`; key 3 is not used: it has no `kty`",
        ),
    ] {
        idp.publish(json!({ "keys": keys }));
        let error = ask(&idp.jwks_url()).await.unwrap_err();
        assert_eq!(error.kind(), "no_usable_key");
        assert_eq!(
            error.to_string(),
            format!("the key set of `127.0.0.1` has no usable key: {why}")
        );
    }
}

#[tokio::test]
async fn a_slow_server_is_not_waited_for() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    for behaviour in [Behaviour::Hanging, Behaviour::Slow(Duration::from_secs(30))] {
        idp.behave(behaviour.clone());
        for source in [
            KeySource::url(&idp.jwks_url(), Access::default()),
            KeySource::discovery(&idp.url(), Access::default()),
        ] {
            let error = fetch_once(&source.unwrap(), &system(), impatient().fetch, NOW_MS)
                .await
                .unwrap_err();
            assert_eq!(error.kind(), "timed_out", "{behaviour:?}: {error}");
        }
    }
}

/// A body that never says how long it is, and never ends, is cut off at the limit.
#[tokio::test]
async fn an_endless_body_is_cut_off() {
    use http_body_util::{BodyExt as _, StreamBody};
    use hyper::body::Frame;
    let server = always(|| {
        let chunk = bytes::Bytes::from(vec![b' '; 16 * 1024]);
        let endless = futures_util::stream::repeat_with(move || Ok(Frame::data(chunk.clone())));
        Response::new(StreamBody::new(endless).boxed_unsync())
    });
    let error = ask(&server.url()).await.unwrap_err();
    assert_eq!(error.kind(), "too_large", "{error}");
}

/// What `gzip` makes of a body.
fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

/// Plain text is asked for; some servers compress all the same.
#[tokio::test]
async fn a_body_in_gzip_is_read_although_it_was_not_asked_for() {
    let set = key_set(&[TestKey::Rsa1]).to_string();
    for (coding, body, outcome) in [
        ("gzip", gzip(set.as_bytes()), Ok(1)),
        ("X-GZip", gzip(set.as_bytes()), Ok(1)),
        ("identity", set.clone().into_bytes(), Ok(1)),
        ("", set.clone().into_bytes(), Ok(1)),
        ("gzip", set.clone().into_bytes(), Err("compressed")),
        ("gzip", gzip(set.as_bytes())[..100].to_vec(), Err("compressed")),
        ("gzip, gzip", gzip(&gzip(set.as_bytes())), Err("compressed")),
        ("br", set.clone().into_bytes(), Err("compressed")),
        ("deflate", set.clone().into_bytes(), Err("compressed")),
    ] {
        let server = Server::start(move |request| {
            let answer = if request
                .headers()
                .get("accept-encoding")
                .is_some_and(|asked| asked == "identity")
            {
                Response::builder()
                    .header("content-encoding", coding)
                    .body(full(body.clone()))
            } else {
                Response::builder().status(406).body(full(""))
            };
            Box::pin(async move { Ok(answer.unwrap()) })
        })
        .unwrap();
        let found = ask(&server.url()).await.map_err(|error| error.kind());
        assert_eq!(found, outcome, "{coding}");
    }
}

/// Half a megabyte of gzip can be told to be half a gigabyte: reading ends at the limit of what it stands for.
#[tokio::test]
async fn sec_gzip_bomb() {
    let bomb = gzip(&vec![b' '; 64 * 1024 * 1024]);
    assert!(bomb.len() < 100_000);
    let at_the_limit = gzip(&vec![b' '; 512 * 1024]);
    for (body, kind) in [(bomb, "too_large"), (at_the_limit, "key_set")] {
        let server = always(move || {
            Response::builder()
                .header("content-encoding", "gzip")
                .body(full(body.clone()))
                .unwrap()
        });
        assert_eq!(ask(&server.url()).await.unwrap_err().kind(), kind);
    }
}

/// What stands at the address is said in so many words, for that is where the mistake is.
#[tokio::test]
async fn a_wrong_document_is_named() {
    for (body, words) in [
        (
            "<html><body>Sign in</body></html>",
            "it is HTML or XML, not JSON, as sign-in and error pages are",
        ),
        (
            r#"{"k1":"-----BEGIN CERTIFICATE-----\nMIIC"}"#,
            "certificates or PEM keys by their ids",
        ),
        (
            r#"{"issuer":"https://idp.test","jwks_uri":"https://idp.test/keys"}"#,
            "it is an OpenID discovery document",
        ),
    ] {
        let server = always(move || Response::new(full(body)));
        let error = ask(&server.url()).await.unwrap_err().to_string();
        assert!(
            error.starts_with("what `127.0.0.1` gave is no usable key set") && error.contains(words),
            "{error}"
        );
    }
    let page = always(|| Response::new(full("<html>Sign in</html>")));
    let source = KeySource::discovery(&page.url(), Access::default()).unwrap();
    let error = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
        .await
        .unwrap_err();
    assert!(error.to_string().contains("it is HTML or XML"), "{error}");
}

/// A byte order mark before the key set, and before the document that leads to it.
#[tokio::test]
async fn a_byte_order_mark_is_skipped() {
    let server = Server::start(|request| {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        let document = if request.uri().path() == "/keys" {
            key_set(&[TestKey::Rsa1])
        } else {
            json!({ "issuer": format!("http://{host}"), "jwks_uri": format!("http://{host}/keys") })
        };
        Box::pin(async move { Ok(Response::new(full(format!("\u{feff}{document}")))) })
    })
    .unwrap();
    let source = KeySource::discovery(&server.url(), Access::default()).unwrap();
    let keys = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
        .await
        .unwrap();
    assert_eq!(keys.usable_count(), 1);
}

/// A redirect within the origin is followed, three at most; any other is not.
#[tokio::test]
async fn redirects_stay_within_the_origin() {
    let elsewhere = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let other = elsewhere.jwks_url();
    let server = Server::start(move |request| {
        let path = request.uri().path().to_owned();
        let other = other.clone();
        Box::pin(async move {
            let to = match path.as_str() {
                "/once" => "/keys".to_owned(),
                "/round" => "/round".to_owned(),
                "/other-port" => other,
                "/file" => "file:///etc/passwd".to_owned(),
                "/data" => "data:application/json,{\"keys\":[]}".to_owned(),
                "/user" => format!("http://me:pw@{}/keys", request.headers()["host"].to_str().unwrap()),
                "/metadata" => "http://169.254.169.254/latest/meta-data".to_owned(),
                _ => return Ok(Response::new(full(key_set(&[TestKey::Rsa1]).to_string()))),
            };
            Ok(Response::builder()
                .status(302)
                .header("location", to)
                .body(full(""))
                .unwrap())
        })
    })
    .unwrap();
    let url = server.url();
    assert_eq!(ask(&format!("{url}/once")).await.unwrap(), 1);
    for path in ["/round", "/other-port", "/file", "/data", "/user", "/metadata"] {
        let error = ask(&format!("{url}{path}")).await.unwrap_err();
        assert_eq!(error.kind(), "redirect", "{path}: {error}");
        assert!(!error.to_string().contains("pw"), "{error}");
    }
    assert_eq!(elsewhere.key_set_requests(), 0);
}

#[tokio::test]
async fn sec_jwks_scheme() {
    for url in [
        "file:///etc/passwd",
        "data:application/json,{}",
        "gopher://h/",
        "ftp://h/jwks",
        "http://idp.test/",
        "https://a:b@idp.test/",
    ] {
        KeySource::url(url, private()).unwrap_err();
        KeySource::discovery(url, private()).unwrap_err();
    }
    // And when a fetch meets them: in a discovery document.
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let source = KeySource::discovery(&idp.url(), Access::default()).unwrap();
    for uri in [
        "file:///etc/passwd",
        "data:application/json,{}",
        "gopher://h/",
        "http://idp.test/",
        "https://a:b@idp.test/",
    ] {
        idp.announce(Some(&idp.url()), Some(uri));
        let error = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "discovery", "{uri}: {error}");
    }
}

#[tokio::test]
async fn sec_jwks_ssrf() {
    let victim = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let port = victim.url().rsplit(':').next().unwrap().to_owned();
    let url = format!("https://rebound.test:{port}/jwks.json");
    for address in [
        "127.0.0.1",
        "127.9.9.9",
        "0.0.0.0",
        "10.0.0.1",
        "172.16.0.1",
        "192.168.0.1",
        "169.254.169.254",
        "100.64.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "fe80::1",
        "fd00::1",
        "fc00::1",
        "ff02::1",
        "::ffff:127.0.0.1",
        "::ffff:169.254.169.254",
        "::127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "2002:7f00:1::1",
    ] {
        // By name, alone and hidden behind a public address; and by literal, at configuration time.
        for answers in [&[address][..], &["3fff:f000::1", address]] {
            let error = fetch(&url, Access::default(), Script::new(&[answers]))
                .await
                .unwrap_err();
            assert_eq!(error.kind(), "refused", "{address}: {error}");
        }
        let literal = if address.contains(':') {
            format!("https://[{address}]/")
        } else {
            format!("https://{address}/")
        };
        let source = KeySource::url(&literal, Access::default());
        assert_eq!(
            source.is_ok(),
            ["127.0.0.1", "127.9.9.9", "::1"].contains(&address),
            "{address}"
        );
    }
    assert_eq!(victim.key_set_requests(), 0);
}

/// The address that was judged is the address that is used: one lookup for each fetch, and a name that moves to this
/// machine between two fetches is refused at the second.
#[tokio::test]
async fn sec_jwks_ssrf_rebinding() {
    let victim = Server::start(|_| Box::pin(async { Ok(Response::new(full("{\"keys\":[]}"))) })).unwrap();
    let url = format!("https://rebound.test:{}/", victim.address().port());
    let names = Script::new(&[&["3fff:f000::1"], &["127.0.0.1"]]);
    let error = fetch(&url, Access::default(), names.clone()).await.unwrap_err();
    assert_ne!(error.kind(), "refused", "{error}");
    assert_eq!((names.lookups(), victim.connections()), (1, 0));
    let error = fetch(&url, Access::default(), names.clone()).await.unwrap_err();
    assert_eq!(error.kind(), "refused", "{error}");
    assert_eq!((names.lookups(), victim.connections()), (2, 0));
}

/// A document fetched from elsewhere may not send us to our own machine, unless its issuer is there too.
#[tokio::test]
async fn sec_jwks_ssrf_by_discovery() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let source = KeySource::discovery(&idp.url(), Access::default()).unwrap();
    fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
        .await
        .unwrap();
    for uri in [
        "https://10.0.0.1/jwks",
        "https://169.254.169.254/jwks",
        "https://[fd00::1]/jwks",
    ] {
        idp.announce(Some(&idp.url()), Some(uri));
        let error = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "refused", "{uri}: {error}");
    }
}

// SPEC: OpenID Connect Discovery 1.0, 4.3.
#[tokio::test]
async fn a_document_of_another_issuer_is_refused() {
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let source = KeySource::discovery(&idp.url(), Access::default()).unwrap();
    for issuer in [format!("{}/", idp.url()), "https://evil.test".to_owned(), String::new()] {
        idp.announce(Some(&issuer), None);
        let error = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), "discovery", "{error}");
        assert!(error.to_string().contains("must be equal to the letter"), "{error}");
    }
    idp.behave(Behaviour::Garbage);
    let error = fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "discovery", "{error}");
}

#[tokio::test]
async fn a_bearer_token_is_read_at_every_fetch_and_stays_with_its_origin() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("token");
    let other = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let access = Access {
        bearer_token_file: Some(path.clone()),
        ..Access::default()
    };
    let source = KeySource::discovery(&idp.url(), access).unwrap();
    let once = async || fetch_once(&source, &system(), FetchLimits::default(), NOW_MS).await;

    fs::write(&path, "first\n").unwrap();
    once().await.unwrap();
    fs::write(&path, "second").unwrap();
    idp.announce(Some(&idp.url()), Some(&other.jwks_url()));
    once().await.unwrap();
    let token = |text: &str| Some(format!("Bearer {text}"));
    assert_eq!(idp.authorizations(), [token("first"), token("first"), token("second")]);
    assert_eq!(other.authorizations(), [None]);

    for (content, cause) in [
        ("", "empty"),
        ("two tokens", "more than one"),
        ("a\r\nX-Evil: 1", "more than one"),
        ("\u{e9}", "characters"),
    ] {
        fs::write(&path, content).unwrap();
        let error = once().await.unwrap_err().to_string();
        assert!(
            error.contains("`bearer_token_file`") || error.contains("bearer_token_file"),
            "{error}"
        );
        assert!(
            error.contains(cause) && !error.contains("Evil") && !error.contains("two tokens"),
            "{error}"
        );
    }
    fs::remove_file(&path).unwrap();
    assert_eq!(once().await.unwrap_err().kind(), "file");
}

/// With a proxy, every request of a host that is not on loopback goes through it, and names are its business.
#[tokio::test]
async fn a_proxy_carries_the_requests() {
    let proxy = Server::start(|request| {
        let line = format!("{} {}", request.method(), request.uri());
        Box::pin(async move {
            assert_eq!(line, "CONNECT idp.test:443");
            Ok(Response::builder().status(403).body(full("")).unwrap())
        })
    })
    .unwrap();
    let access = Access {
        proxy: Some(ProxyUrl::parse(&proxy.url()).unwrap()),
        ..Access::default()
    };
    let names = Script::new(&[]);
    let error = fetch("https://idp.test/jwks", access.clone(), names.clone())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "connection", "{error}");
    assert_eq!((proxy.connections(), names.lookups()), (1, 0));

    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    fetch(&idp.jwks_url(), access, names).await.unwrap();
    assert_eq!(proxy.connections(), 1);
}

#[tokio::test]
async fn a_file_is_read_and_bounded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jwks.json");
    let source = KeySource::file(&path);
    assert_eq!(
        fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
            .await
            .unwrap_err()
            .kind(),
        "file"
    );
    fs::write(&path, key_set(&[TestKey::Rsa1]).to_string()).unwrap();
    assert_eq!(
        fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
            .await
            .unwrap()
            .usable_count(),
        1
    );
    fs::write(&path, vec![b' '; 512 * 1024 + 1]).unwrap();
    assert_eq!(
        fetch_once(&source, &system(), FetchLimits::default(), NOW_MS)
            .await
            .unwrap_err()
            .kind(),
        "file"
    );
}

#[tokio::test]
async fn an_unknown_name_is_told_as_such() {
    let error = fetch("https://idp.test/", private(), Script::new(&[]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "unresolved", "{error}");
    let error = fetch("https://idp.test/", private(), Script::new(&[&[]]))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "unresolved", "{error}");
}
