//! TLS of ports and of connections to upstreams, by rustls: certificates, keys and authorities from PEM (RFC 7468).

use std::fmt;
use std::io;
use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use thiserror::Error;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Protocols that a port offers, and that Narthex asks an upstream for, in the order of preference (RFC 7301).
const PROTOCOLS: [&[u8]; 2] = [b"h2", b"http/1.1"];
/// Upper limit of the encrypted bytes that wait in memory for a client, of one connection.
const UNSENT_MAX: usize = 32 * 1024;

/// File of a TLS setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsFile {
    /// The certificate of the server, and those between it and its authority.
    Certificate,
    /// The private key of the certificate.
    Key,
    /// The certificates of authorities.
    Authorities,
}

/// Error of a file that cannot be used for TLS. Its text holds nothing of the file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{problem}")]
pub struct TlsError {
    /// The file.
    pub file: TlsFile,
    problem: String,
}

impl TlsError {
    fn new(file: TlsFile, problem: impl Into<String>) -> Self {
        Self {
            file,
            problem: problem.into(),
        }
    }
}

/// Content of the files of a port.
#[derive(Clone, Copy)]
pub struct ServerPem<'p> {
    /// Certificate of the server first, then those between it and its authority.
    pub certificate: &'p [u8],
    /// Private key: PKCS #8, PKCS #1 or SEC1, without a password.
    pub key: &'p [u8],
    /// Authorities of client certificates; `None` to ask for no certificate.
    pub client_authorities: Option<&'p [u8]>,
}

impl fmt::Debug for ServerPem<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: without the key.
        f.debug_struct("ServerPem").finish_non_exhaustive()
    }
}

/// TLS of a port: TLS 1.2 and 1.3, with HTTP/2 and HTTP/1.1 by ALPN.
#[derive(Clone)]
pub struct ServerTls(Arc<ServerConfig>);

impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // SECURITY: without the key.
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}

impl ServerTls {
    /// Compiles the files of a port.
    ///
    /// # Errors
    ///
    /// [`TlsError`], the first file that cannot be used.
    pub fn new(pem: &ServerPem<'_>) -> Result<Self, TlsError> {
        let chain = certificates(pem.certificate, TlsFile::Certificate)?;
        // SECURITY: the cause could quote a line of the key.
        let key = PrivateKeyDer::from_pem_slice(pem.key).map_err(|_| {
            let problem = "it has no private key in PEM (PKCS #8, PKCS #1 or SEC1, without a password)";
            TlsError::new(TlsFile::Key, problem)
        })?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new(TlsFile::Certificate, error.to_string()))?;
        let builder = match pem.client_authorities {
            None => builder.with_no_client_auth(),
            Some(authorities) => {
                let roots = Arc::new(roots(authorities)?);
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider).build();
                let verifier = verifier.map_err(|error| TlsError::new(TlsFile::Authorities, error.to_string()))?;
                // SECURITY: a client without a certificate of these authorities gets no connection.
                builder.with_client_cert_verifier(verifier)
            }
        };
        let mut config = builder.with_single_cert(chain, key).map_err(|error| unusable(&error))?;
        config.alpn_protocols = protocols();
        Ok(Self(Arc::new(config)))
    }
}

/// TLS of a port in use. Its certificate can be replaced while connections are open; each keeps the one that it began
/// with.
#[derive(Clone)]
pub struct PortTls(Arc<ArcSwap<ServerConfig>>);

impl fmt::Debug for PortTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PortTls").finish_non_exhaustive()
    }
}

impl PortTls {
    /// Takes the settings of a port into use.
    pub fn new(tls: ServerTls) -> Self {
        Self(Arc::new(ArcSwap::new(tls.0)))
    }

    /// Replaces the settings for the connections to come.
    pub fn replace(&self, tls: ServerTls) {
        self.0.store(tls.0);
    }

    /// Does the handshake of a connection.
    ///
    /// # Errors
    ///
    /// The error of the connection, or of the handshake.
    pub(crate) async fn accept(&self, stream: TcpStream) -> io::Result<TlsStream<TcpStream>> {
        let acceptor = TlsAcceptor::from(self.0.load_full());
        let limited = |connection: &mut rustls::ServerConnection| connection.set_buffer_limit(Some(UNSENT_MAX));
        acceptor.accept_with(stream, limited).await
    }
}

/// TLS to an upstream whose certificate comes from these authorities, and from no others.
#[derive(Clone)]
pub struct UpstreamTls {
    negotiated: Arc<ClientConfig>,
    http1: Arc<ClientConfig>,
    authorities: Arc<[u8]>,
}

/// Protocols that are offered to an upstream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferedProtocols {
    /// HTTP/2 and HTTP/1.1.
    All,
    /// HTTP/1.1 alone, for a request to change the protocol (`Upgrade`), which HTTP/2 does not have.
    Http1,
}

impl OfferedProtocols {
    /// Returns settings with these protocols offered.
    pub fn in_settings(self, settings: &ClientConfig) -> Arc<ClientConfig> {
        let mut settings = settings.clone();
        settings.alpn_protocols = protocols();
        if self == Self::Http1 {
            settings.alpn_protocols.retain(|protocol| protocol == b"http/1.1");
        }
        Arc::new(settings)
    }
}

impl fmt::Debug for UpstreamTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamTls").finish_non_exhaustive()
    }
}

/// Two are equal if they trust the same file.
impl PartialEq for UpstreamTls {
    fn eq(&self, other: &Self) -> bool {
        self.authorities == other.authorities
    }
}

impl Eq for UpstreamTls {}

impl UpstreamTls {
    /// Compiles a file of authorities.
    ///
    /// # Errors
    ///
    /// [`TlsError`].
    pub fn trusting(authorities: &[u8]) -> Result<Self, TlsError> {
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| TlsError::new(TlsFile::Authorities, error.to_string()))?
            .with_root_certificates(roots(authorities)?)
            .with_no_client_auth();
        Ok(Self {
            negotiated: OfferedProtocols::All.in_settings(&config),
            http1: OfferedProtocols::Http1.in_settings(&config),
            authorities: authorities.into(),
        })
    }

    /// Returns the settings for a connection that offers these protocols.
    pub fn settings(&self, offered: OfferedProtocols) -> Arc<ClientConfig> {
        Arc::clone(match offered {
            OfferedProtocols::All => &self.negotiated,
            OfferedProtocols::Http1 => &self.http1,
        })
    }
}

fn protocols() -> Vec<Vec<u8>> {
    PROTOCOLS.iter().map(|protocol| protocol.to_vec()).collect()
}

fn certificates(pem: &[u8], file: TlsFile) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(TlsError::new(file, "it has no certificate in PEM")),
        Err(_) => Err(TlsError::new(
            file,
            "it is not whole: a section of the PEM cannot be read",
        )),
    }
}

fn roots(pem: &[u8]) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(pem, TlsFile::Authorities)? {
        roots
            .add(certificate)
            .map_err(|error| TlsError::new(TlsFile::Authorities, format!("a certificate cannot be used: {error}")))?;
    }
    Ok(roots)
}

/// Returns the error for a certificate and a key that cannot be used together.
fn unusable(error: &rustls::Error) -> TlsError {
    match error {
        rustls::Error::InconsistentKeys(_) => TlsError::new(TlsFile::Key, "it is not the key of the certificate"),
        rustls::Error::General(_) => TlsError::new(TlsFile::Key, "its kind of key cannot be used for TLS"),
        other => TlsError::new(TlsFile::Certificate, other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn pair() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = certificate.self_signed(&key).unwrap();
        (certificate.pem(), key.serialize_pem())
    }

    fn compiled(certificate: &str, key: &str, authorities: Option<&str>) -> Result<ServerTls, TlsError> {
        ServerTls::new(&ServerPem {
            certificate: certificate.as_bytes(),
            key: key.as_bytes(),
            client_authorities: authorities.map(str::as_bytes),
        })
    }

    #[test]
    fn a_certificate_with_its_key_is_compiled_with_both_protocols() {
        let (certificate, key) = pair();
        let tls = compiled(&certificate, &key, Some(&certificate)).unwrap();
        assert_eq!(tls.0.alpn_protocols, [b"h2".to_vec(), b"http/1.1".to_vec()]);
    }

    #[test]
    fn each_unusable_file_is_named() {
        let ((certificate, key), (_, other)) = (pair(), pair());
        for (result, file) in [
            (compiled("", &key, None), TlsFile::Certificate),
            (
                compiled("-----BEGIN CERTIFICATE-----\n!", &key, None),
                TlsFile::Certificate,
            ),
            (compiled(&certificate, "", None), TlsFile::Key),
            (compiled(&certificate, &certificate, None), TlsFile::Key),
            (compiled(&certificate, &other, None), TlsFile::Key),
            (compiled(&certificate, &key, Some("")), TlsFile::Authorities),
        ] {
            assert_eq!(result.unwrap_err().file, file);
        }
        assert_eq!(UpstreamTls::trusting(b"").unwrap_err().file, TlsFile::Authorities);
    }

    /// Neither a message nor a `Debug` output has a part of the key.
    #[test]
    fn sec_tls_key_in_messages() {
        let (certificate, key) = pair();
        let secret = key.lines().nth(1).unwrap();
        let broken = key.replace("-----END", "----END");
        let error = compiled(&certificate, &broken, None).unwrap_err();
        assert!(!format!("{error}{error:?}").contains(secret));
        let tls = compiled(&certificate, &key, None).unwrap();
        let shown = format!("{tls:?}{:?}", PortTls::new(tls.clone()));
        assert!(shown.len() < 60, "{shown}");
    }
}
