//! Servers of others as the application behind Narthex, with the files of `e2e/applications/`.

use std::{fs, net::SocketAddr, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;
use tempfile::TempDir;

use crate::{
    process::{Process, free_address},
    proxy::system_program,
    repository,
};

/// A running server.
#[derive(Debug)]
pub struct Application {
    _process: Process,
    address: SocketAddr,
    folder: TempDir,
}

/// A request as an application was given it.
#[derive(Debug, Deserialize)]
pub struct Recorded {
    /// Its method.
    pub method: String,
    /// Its path.
    pub path: String,
    /// Its headers, in lower case.
    pub headers: Vec<(String, String)>,
}

impl Recorded {
    /// The values of a header.
    pub fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.headers.iter().filter(|(other, _)| other == name);
        of_name.map(|(_, value)| value.as_str()).collect()
    }
}

impl Application {
    /// hypercorn with an ASGI application that records every request. It speaks HTTP/1.1, and HTTP/2 by upgrade and
    /// with prior knowledge.
    pub fn hypercorn() -> Result<Self> {
        let (folder, address) = place()?;
        let program = repository().join("e2e/python/.venv/bin/hypercorn");
        if !program.exists() {
            bail!("`{}` is missing: run `cargo xtask setup`", program.display());
        }
        let mut command = Command::new(program);
        command
            // Without workers the server is one process, which ends with this value.
            .args(["--workers", "0", "--bind", &address.to_string(), "recorder:app"])
            .current_dir(repository().join("e2e/applications"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .env("RECORD", folder.path().join("record"));
        Self::start(command, address, folder)
    }

    /// nghttpx (Debian's nghttp2-proxy) in front of the application at `upstream` (`127.0.0.1:PORT`). It speaks HTTP/1.1, and
    /// HTTP/2 by upgrade.
    pub fn nghttpx(upstream: &str) -> Result<Self> {
        let (folder, address) = place()?;
        let mut command = system_program("nghttpx");
        command
            .args(["--conf=/dev/null", "--workers=1"])
            .arg(format!("--frontend={},{};no-tls", address.ip(), address.port()))
            .arg(format!("--backend={}", upstream.replace(':', ",")))
            .current_dir(folder.path());
        Self::start(command, address, folder)
    }

    /// lighttpd with a CGI program that answers with the headers in its environment.
    pub fn lighttpd_cgi() -> Result<Self> {
        let (folder, address) = place()?;
        let files = repository().join("e2e/applications");
        let config = fs::read_to_string(files.join("lighttpd.conf"))?.replace("9000", &address.port().to_string());
        fs::write(folder.path().join("lighttpd.conf"), config)?;
        fs::copy(files.join("environment.cgi"), folder.path().join("environment.cgi"))?;
        let mut command = system_program("lighttpd");
        command.args(["-D", "-f", "lighttpd.conf"]).current_dir(folder.path());
        Self::start(command, address, folder)
    }

    fn start(mut command: Command, address: SocketAddr, folder: TempDir) -> Result<Self> {
        let mut process = Process::start(&mut command)?;
        process.wait_for_port(address)?;
        Ok(Self {
            _process: process,
            address,
            folder,
        })
    }

    /// `http://127.0.0.1:PORT`
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// `127.0.0.1:PORT`
    pub fn address(&self) -> String {
        self.address.to_string()
    }

    /// The requests it has recorded so far, oldest first.
    pub fn recorded(&self) -> Result<Vec<Recorded>> {
        let file: PathBuf = self.folder.path().join("record");
        if !file.exists() {
            return Ok(Vec::new());
        }
        let text = fs::read_to_string(file)?;
        text.lines()
            .map(|line| serde_json::from_str(line).with_context(|| format!("reading `{line}`")))
            .collect()
    }
}

fn place() -> Result<(TempDir, SocketAddr)> {
    let folder = tempfile::Builder::new().prefix("narthex-application-").tempdir()?;
    Ok((folder, free_address()?))
}
