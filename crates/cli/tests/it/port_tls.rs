//! The public port with TLS of its own, and behind a load balancer that states the client by the PROXY protocol.

use std::time::Duration;

use narthex_testkit::raw;
use rcgen::{CertificateParams, Issuer, KeyPair};
use reqwest::{Certificate, Identity, Response};
use tokio::time::{Instant, sleep};

use crate::world::{GUARDED, World, config, member};

/// A certificate and its key, in PEM.
pub(crate) struct Pair {
    pub(crate) certificate: String,
    key: String,
}

pub(crate) fn self_signed() -> Pair {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    Pair {
        certificate: params.self_signed(&key).unwrap().pem(),
        key: key.serialize_pem(),
    }
}

/// An authority, and a client's certificate of it.
fn authority() -> (String, Pair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).unwrap().pem();
    let issuer = Issuer::new(params, key);
    let client_key = KeyPair::generate().unwrap();
    let client = CertificateParams::new(vec!["client".to_owned()]).unwrap();
    let client = client.signed_by(&client_key, &issuer).unwrap();
    let pair = Pair {
        certificate: client.pem(),
        key: client_key.serialize_pem(),
    };
    (certificate, pair)
}

/// The usual surroundings with TLS on the public port.
pub(crate) async fn world(more: &str, pair: &Pair, files: &[(&str, &str)]) -> World {
    let line = format!("[listen]\npublic_tls = {{ certificate_file = \"tls.pem\", key_file = \"tls.key\"{more} }}");
    let files = [
        &[("tls.pem", pair.certificate.as_str()), ("tls.key", pair.key.as_str())][..],
        files,
    ]
    .concat();
    World::with_files(
        |idp, upstream| config(idp, upstream).replacen("[listen]", &line, 1),
        &files,
    )
    .await
}

/// Asks on a connection of its own, trusting this certificate only.
async fn ask(world: &World, trusted: &str, identity: Option<&Pair>, path: &str) -> reqwest::Result<Response> {
    let mut builder = reqwest::Client::builder().tls_certs_only([Certificate::from_pem(trusted.as_bytes())?]);
    if let Some(pair) = identity {
        let pem = format!("{}{}", pair.key, pair.certificate);
        builder = builder.identity(Identity::from_pem(pem.as_bytes())?);
    }
    let url = format!("https://{}{path}", world.narthex.address());
    let request = builder.build()?.get(url).bearer_auth(member("alice").sign());
    request.send().await
}

#[tokio::test]
async fn the_public_port_speaks_tls_and_takes_a_new_certificate() {
    let (first, second) = (self_signed(), self_signed());
    let world = world("", &first, &[]).await;
    let answer = ask(&world, &first.certificate, None, GUARDED).await.unwrap();
    assert_eq!(answer.status(), 200);
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-forwarded-proto").as_deref(), Some("https"));
    assert!(
        world.client.get(&world.narthex.url()).await.is_err(),
        "plain HTTP is not served"
    );

    let folder = world.narthex.folder().to_owned();
    let write = |pair: &Pair| {
        for (name, content) in [("tls.key", &pair.key), ("tls.pem", &pair.certificate)] {
            std::fs::write(folder.join(name), content).unwrap();
        }
    };
    write(&second);
    let begun = Instant::now();
    while ask(&world, &second.certificate, None, "/public/page").await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", world.narthex.logs());
        sleep(Duration::from_millis(100)).await;
    }
    assert!(ask(&world, &first.certificate, None, "/public/page").await.is_err());

    // A certificate without its key is refused, and the port goes on with the one it has.
    std::fs::write(folder.join("tls.pem"), &first.certificate).unwrap();
    world.narthex.logged(&["reload_problem", "key_file"]).await.unwrap();
    assert!(ask(&world, &second.certificate, None, "/public/page").await.is_ok());
}

/// Mutual TLS: no request is read from a client without a certificate of the authority, and one is no credential.
#[tokio::test]
async fn sec_mutual_tls_needs_a_certificate_and_no_less_a_token() {
    let (server, (trusted, client)) = (self_signed(), authority());
    let (_, stranger) = authority();
    let world = world(
        ", client_ca_file = \"clients.pem\"",
        &server,
        &[("clients.pem", &trusted)],
    )
    .await;
    let ask = async |identity| ask(&world, &server.certificate, identity, GUARDED).await;
    assert!(ask(None).await.is_err());
    assert!(ask(Some(&stranger)).await.is_err());
    assert!(world.upstream.seen().is_empty());
    assert_eq!(ask(Some(&client)).await.unwrap().status(), 200);

    let pem = format!("{}{}", client.key, client.certificate);
    let without_token = reqwest::Client::builder()
        .tls_certs_only([Certificate::from_pem(server.certificate.as_bytes()).unwrap()])
        .identity(Identity::from_pem(pem.as_bytes()).unwrap())
        .build()
        .unwrap()
        .get(format!("https://{}{GUARDED}", world.narthex.address()));
    assert_eq!(without_token.send().await.unwrap().status(), 401);
}

/// The client that the load balancer states is the one that counts: it is no trusted proxy, although the load balancer's own
/// address is one here.
#[tokio::test]
async fn sec_the_client_of_a_load_balancer_is_the_one_that_it_states() {
    let world = World::with_config(|idp, upstream| {
        config(idp, upstream).replacen("[listen]", "[listen]\nproxy_protocol_from = [\"127.0.0.1\"]", 1)
    })
    .await;
    let request = b"GET /public/page HTTP/1.1\r\nhost: a\r\nx-forwarded-for: 10.1.1.1\r\nconnection: close\r\n\r\n";
    let header = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\x02\x07\xc6\x33\x64\x01\x10\x01\x01\xbb";
    let exchange = async |bytes: Vec<u8>| {
        raw::exchange(&world.narthex.address(), &bytes, Duration::from_secs(5))
            .await
            .unwrap_or_default()
    };
    let answer = exchange([&header[..], request].concat()).await;
    assert_eq!(raw::status(&answer), Some(200), "{}", String::from_utf8_lossy(&answer));
    let seen = world.upstream.last().unwrap();
    assert_eq!(seen.header("x-forwarded-for").as_deref(), Some("192.0.2.7"));
    assert_eq!(
        raw::status(&exchange(request.to_vec()).await),
        None,
        "no header, no answer"
    );
    world.narthex.logged(&["proxy_header_refused"]).await.unwrap();
}
