//! Certificates: what is refused, and that a custom authority counts for its issuer alone.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use http::Response;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use narthex_fetch::keys::{Access, FetchError};
use narthex_testkit::{TestKey, keys::key_set};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::world::{Script, fetch, private};

/// A certificate authority of one's own.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    fn access(&self) -> Access {
        Access {
            ca_file: Some(self.file()),
            ..private()
        }
    }

    /// A server with a certificate signed here; its URL names `localhost`.
    pub(crate) async fn server(&self, params: CertificateParams) -> String {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        serve(certificate.der().clone(), &key).await
    }
}

pub(crate) fn named(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

async fn serve(certificate: CertificateDer<'static>, key: &KeyPair) -> String {
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else {
                continue;
            };
            let body = key_set(&[TestKey::Rsa1]).to_string();
            let service = service_fn(move |_| {
                let body = Full::new(bytes::Bytes::from(body.clone()));
                async move { Ok::<_, std::convert::Infallible>(Response::new(body)) }
            });
            let _ = hyper::server::conn::http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        }
    });
    format!("https://localhost:{port}/jwks.json")
}

async fn ask(url: &str, access: Access) -> Result<usize, FetchError> {
    fetch(url, access, Script::new(&[&["127.0.0.1"]]))
        .await
        .map(|keys| keys.usable_count())
}

#[tokio::test]
async fn sec_jwks_tls() {
    let authority = Authority::new("ours");
    let good = authority.server(named("localhost")).await;
    assert_eq!(ask(&good, authority.access()).await.unwrap(), 1);

    // The same server without the authority, as another issuer without `ca_file` would meet it.
    let error = ask(&good, private()).await.unwrap_err();
    assert_eq!(error.kind(), "certificate", "{error}");
    // Another issuer's authority does not count either.
    let error = ask(&good, Authority::new("theirs").access()).await.unwrap_err();
    assert!(error.to_string().contains("no trusted authority signed it"), "{error}");
    // Nor one that only calls itself by the right name.
    let error = ask(&good, Authority::new("ours").access()).await.unwrap_err();
    assert!(
        error.to_string().contains("not signed by the authority it names"),
        "{error}"
    );
    // And the first issuer is none the worse for it.
    assert_eq!(ask(&good, authority.access()).await.unwrap(), 1);

    let other_name = authority.server(named("other.test")).await;
    let error = ask(&other_name, authority.access()).await.unwrap_err();
    assert!(error.to_string().contains("issued for another name"), "{error}");

    let mut params = named("localhost");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    let error = ask(&authority.server(params).await, authority.access())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("it has expired"), "{error}");

    let mut params = named("localhost");
    params.not_before = date_time_ymd(4000, 1, 1);
    params.not_after = date_time_ymd(4001, 1, 1);
    let error = ask(&authority.server(params).await, authority.access())
        .await
        .unwrap_err();
    assert!(error.to_string().contains("not valid yet"), "{error}");

    let key = KeyPair::generate().unwrap();
    let self_signed = named("localhost").self_signed(&key).unwrap();
    let error = ask(&serve(self_signed.der().clone(), &key).await, authority.access())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), "certificate", "{error}");
}

#[tokio::test]
async fn a_ca_file_that_is_none_is_told_as_such() {
    let authority = Authority::new("ours");
    let url = authority.server(named("localhost")).await;
    for content in [
        "",
        "no PEM at all",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    ] {
        fs::write(authority.file(), content).unwrap();
        let error = ask(&url, authority.access()).await.unwrap_err();
        assert!(matches!(error.kind(), "file" | "setup"), "{content:?}: {error}");
    }
    fs::remove_file(authority.file()).unwrap();
    assert_eq!(ask(&url, authority.access()).await.unwrap_err().kind(), "file");
    // Put right on disk, it is right at the next fetch.
    fs::write(authority.file(), authority.issuer.pem()).unwrap();
    ask(&url, authority.access()).await.unwrap();
}
