//! The reverse proxies of others in front of Narthex, with the configurations of `e2e/proxies/`.
//!
//! Those files are whole and run as they are: the proxy at 127.0.0.1:8000, Narthex at 127.0.0.1:8080, the
//! application at 127.0.0.1:9000. For a test the three addresses are replaced by free ones.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::{
    process::{Process, free_address},
    repository,
};

/// Proxy under test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// nginx with `auth_request`.
    Nginx,
    /// `HAProxy` with a Lua action.
    Haproxy,
    /// Caddy with `forward_auth`.
    Caddy,
}

/// A running reverse proxy.
#[derive(Debug)]
pub struct ReverseProxy {
    process: Process,
    address: SocketAddr,
    _folder: TempDir,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Nginx, Self::Haproxy, Self::Caddy];

    /// The files of its configuration in `e2e/proxies/`, the main one first.
    fn files(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx.conf", "narthex-server.conf", "narthex-location.conf"],
            Self::Haproxy => &["haproxy.cfg", "haproxy-narthex.lua"],
            Self::Caddy => &["Caddyfile"],
        }
    }

    fn command(self, folder: &Path) -> Command {
        let main = folder.join(self.files().first().copied().unwrap_or_default());
        let mut command = match self {
            Self::Nginx => {
                let mut command = system_program("nginx");
                command
                    .args(["-e", "stderr", "-g", "daemon off; master_process off;", "-p"])
                    .arg(folder)
                    .arg("-c")
                    .arg(main);
                command
            }
            Self::Haproxy => {
                let mut command = system_program("haproxy");
                command.args(["-db", "-f"]).arg(main);
                command
            }
            Self::Caddy => {
                let mut command = system_program("caddy");
                command.args(["run", "--adapter", "caddyfile", "--config"]).arg(main);
                // Caddy keeps its state here.
                command
                    .env("HOME", folder)
                    .env("XDG_DATA_HOME", folder)
                    .env("XDG_CONFIG_HOME", folder);
                command
            }
        };
        command.current_dir(folder);
        command
    }

    /// Starts it on a free port, asking the Narthex at `narthex`, in front of the application at `upstream`
    /// (both `127.0.0.1:PORT`).
    pub fn start(self, narthex: &str, upstream: &str) -> Result<ReverseProxy> {
        self.start_changed(narthex, upstream, |text| text)
    }

    /// The same, with each file of the configuration changed before it is used.
    pub fn start_changed(
        self,
        narthex: &str,
        upstream: &str,
        change: impl Fn(String) -> String,
    ) -> Result<ReverseProxy> {
        let folder = tempfile::Builder::new().prefix("narthex-proxy-").tempdir()?;
        let address = free_address()?;
        for name in self.files() {
            let path = repository().join("e2e/proxies").join(name);
            let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
            let text = text
                .replace("127.0.0.1:8000", &address.to_string())
                .replace("127.0.0.1:8080", narthex)
                .replace("127.0.0.1:9000", upstream);
            fs::write(folder.path().join(name), change(text))?;
        }
        fs::create_dir(folder.path().join("tmp"))?;
        let mut process = Process::start(&mut self.command(folder.path()))?;
        process.wait_for_port(address)?;
        ReverseProxy::running(process, address, folder)
    }
}

impl ReverseProxy {
    /// A proxy that listens, with the folder of its files.
    pub(crate) fn running(mut process: Process, address: SocketAddr, folder: TempDir) -> Result<Self> {
        if let Some(status) = process.ended() {
            bail!("the proxy ended ({status}):\n{}", process.output());
        }
        Ok(Self {
            process,
            address,
            _folder: folder,
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

    /// Output so far.
    pub fn output(&self) -> String {
        self.process.output()
    }
}

/// A server of Debian's, which keeps them where only root's PATH looks.
pub fn system_program(name: &str) -> Command {
    let path = Path::new("/usr/sbin").join(name);
    if path.exists() {
        Command::new(path)
    } else {
        Command::new(name)
    }
}
