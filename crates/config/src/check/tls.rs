//! TLS of the ports, and authorities of upstreams.

use std::path::PathBuf;

use narthex_listener::tls::{ServerPem, ServerTls, TlsFile, UpstreamTls};
use narthex_settings_reader::{Optional, Problem};
use toml::Spanned;

use super::{Check, Reported};
use crate::file::TlsSection;

/// The largest file of certificates or of a key.
const PEM_BYTES_MOST: u64 = 4 * 1024 * 1024;

impl Check<'_> {
    /// TLS of a port, if it has any. `None` also where a problem has been added.
    pub(crate) fn port_tls(&mut self, written: &Optional<TlsSection>) -> Option<ServerTls> {
        let section = written.value()?;
        let (certificate, key) = (section.certificate_file.spanned()?, section.key_file.spanned()?);
        if self.environment.is_world_readable(key.get_ref()) {
            let problem = Problem::warning(key.span(), "every user of this machine can read this key");
            self.problems
                .push(problem.help("remove the permission, such as with `chmod o-r`"));
        }
        let authorities = section.client_ca_file.spanned();
        let (certificate_pem, key_pem) = (self.pem("certificate_file", certificate), self.pem("key_file", key));
        let authorities_pem = authorities.map(|file| self.pem("client_ca_file", file)).transpose();
        let (Ok(certificate_pem), Ok(key_pem), Ok(authorities_pem)) = (certificate_pem, key_pem, authorities_pem)
        else {
            return None;
        };
        let compiled = ServerTls::new(&ServerPem {
            certificate: &certificate_pem,
            key: &key_pem,
            client_authorities: authorities_pem.as_deref(),
        });
        compiled
            .map_err(|error| {
                let (name, file, help) = match error.file {
                    TlsFile::Certificate => (
                        "certificate_file",
                        certificate,
                        "it holds the certificate of this server first, then those between it and its authority, in PEM",
                    ),
                    TlsFile::Key => ("key_file", key, "it holds the private key of the first certificate, in PEM"),
                    TlsFile::Authorities => (
                        "client_ca_file",
                        authorities.unwrap_or(certificate),
                        "it holds the certificates of the authorities whose clients may connect, in PEM",
                    ),
                };
                let problem = Problem::error(file.span(), format!("`{name}` cannot be used: {error}"));
                self.problems.push(problem.help(help));
            })
            .ok()
    }

    /// Authorities of an upstream.
    pub(crate) fn upstream_tls(&mut self, file: &Spanned<PathBuf>) -> Result<UpstreamTls, Reported> {
        let pem = self.pem("upstream_ca_file", file)?;
        UpstreamTls::trusting(&pem).map_err(|error| {
            let problem = Problem::error(file.span(), format!("`upstream_ca_file` cannot be used: {error}"));
            self.problems
                .push(problem.help("it holds the certificates of the authorities of the upstream, in PEM"));
            Reported
        })
    }

    fn pem(&mut self, key: &str, file: &Spanned<PathBuf>) -> Result<Vec<u8>, Reported> {
        self.read(key, file.get_ref(), &file.span(), PEM_BYTES_MOST)
            .ok_or(Reported)
    }
}
