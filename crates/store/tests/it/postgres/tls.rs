//! TLS to the server, and whose certificate is believed.

use narthex_store::{PostgresDirectory, PostgresOptions};
use narthex_testkit::postgres::OwnServer;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new([]).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

async fn open(url: &str, authorities: Option<&str>) -> Result<(), String> {
    let mut options = PostgresOptions::parse(url).map_err(|error| error.to_string())?;
    if let Some(pem) = authorities {
        options = options.with_authorities(pem.as_bytes().to_vec());
    }
    let opened = PostgresDirectory::open(&options).await;
    opened.map(drop).map_err(|error| error.to_string())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_the_certificate_of_the_server_is_checked() {
    let (ours, others) = (authority("ours"), authority("others"));
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &ours).unwrap();
    let server = OwnServer::start_with_tls(&certificate.pem(), &key.serialize_pem()).unwrap();
    server.create_database("narthex").unwrap();
    let url = |host: &str, mode: &str| server.tcp_url(host, "narthex") + "?sslmode=" + mode;

    let good = url("localhost", "verify-full");
    open(&good, Some(&ours.pem())).await.unwrap();
    let refused = open(&good, Some(&others.pem())).await.unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let refused = open(&good, None).await.unwrap_err();
    assert!(
        refused.contains("certificate"),
        "none of the system's authorities: {refused}"
    );
    let refused = open(&url("127.0.0.1", "verify-full"), Some(&ours.pem()))
        .await
        .unwrap_err();
    assert!(refused.contains("certificate"), "another name: {refused}");
    let refused = open(&good, Some("nothing of the kind")).await.unwrap_err();
    assert!(refused.contains("root certificate"), "{refused}");

    // Those who ask for it take whoever answers; and this server takes nobody without TLS.
    for mode in ["require", "prefer"] {
        open(&url("127.0.0.1", mode), None).await.unwrap();
    }
    let refused = open(&url("127.0.0.1", "disable"), None).await.unwrap_err();
    assert!(refused.contains("no encryption"), "{refused}");
}

/// Where the server has no TLS, only those who do not insist on it go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_a_server_without_tls_is_refused() {
    let server = OwnServer::start().unwrap();
    server.create_database("narthex").unwrap();
    let authority = authority("ours").pem();
    let url = |mode: &str| server.tcp_url("localhost", "narthex") + "?sslmode=" + mode;
    for mode in ["require", "verify-full"] {
        let refused = open(&url(mode), Some(&authority)).await.unwrap_err();
        assert!(refused.contains("does not support TLS"), "{mode}: {refused}");
    }
    for mode in ["prefer", "disable"] {
        open(&url(mode), None).await.unwrap();
    }
}
