//! Caddy as the TLS end in front of servers that speak plain HTTP: browsers keep cookies with the prefix `__Host-` for `https` only.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::{port::HeldPort, process::Process, proxy::system_program};

/// Settings of Caddy for all sites. It asks no authority for certificates, and speaks no QUIC.
const GLOBAL: &str = "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\tprotocols h1 h2\n\t}\n}\n";

/// TLS ends, each with a host name and a port that stay while servers come and go behind it.
#[derive(Debug)]
pub struct TlsFront {
    sites: Vec<Site>,
    process: Option<Process>,
    folder: TempDir,
}

#[derive(Debug)]
struct Site {
    host: String,
    port: HeldPort,
}

impl TlsFront {
    /// Takes a port for each of these host names, with one certificate for all of them. Nothing listens yet.
    pub fn reserve(hosts: &[&str]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("narthex-tls-").tempdir()?;
        let names: Vec<String> = hosts.iter().map(|host| (*host).to_owned()).collect();
        let certified = rcgen::generate_simple_self_signed(names).context("no certificate can be made")?;
        fs::write(folder.path().join("certificate.pem"), certified.cert.pem())?;
        fs::write(folder.path().join("key.pem"), certified.signing_key.serialize_pem())?;
        let site = |host: &&str| -> Result<Site> {
            Ok(Site {
                host: (*host).to_owned(),
                port: HeldPort::take()?,
            })
        };
        Ok(Self {
            sites: hosts.iter().map(site).collect::<Result<_>>()?,
            process: None,
            folder,
        })
    }

    /// `https://HOST:PORT` of a site, by its place among the hosts; empty if there is none.
    pub fn origin(&self, site: usize) -> String {
        let origin = |site: &Site| format!("https://{}:{}", site.host, site.port.address().port());
        self.sites.get(site).map(origin).unwrap_or_default()
    }

    /// Passes requests on to these servers (`127.0.0.1:PORT`), one for each host, and no longer to those of before.
    pub fn serve(&mut self, servers: &[String]) -> Result<()> {
        ensure!(servers.len() == self.sites.len(), "each host has one server");
        self.down();
        let mut config = GLOBAL.to_owned();
        for (index, server) in servers.iter().enumerate() {
            writeln!(
                config,
                "{} {{\n\tbind 127.0.0.1\n\ttls certificate.pem key.pem\n\treverse_proxy {server}\n}}",
                self.origin(index)
            )?;
        }
        let folder = self.folder.path();
        fs::write(folder.join("Caddyfile"), config)?;
        let mut command = system_program("caddy");
        command
            .args(["run", "--adapter", "caddyfile", "--config", "Caddyfile"])
            .current_dir(folder)
            .env("HOME", folder)
            .env("XDG_DATA_HOME", folder)
            .env("XDG_CONFIG_HOME", folder);
        let mut process = Process::start(&mut command)?;
        for site in &self.sites {
            process.wait_for_port(site.port.address())?;
        }
        self.process = Some(process);
        Ok(())
    }

    /// Refuses connections until servers are named again.
    pub fn down(&mut self) {
        self.process = None;
    }
}
