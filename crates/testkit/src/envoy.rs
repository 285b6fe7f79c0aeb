//! Envoy in front of Narthex, with the configurations of `docs/how-to/envoy.md` as they stand there.
//!
//! The page has Envoy at port 8000, the `ext_authz` port of Narthex at 8082 and the application at 9000, all on 127.0.0.1. For a
//! test the three ports are replaced by free ones.

use std::fs;
use std::net::SocketAddr;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

use crate::process::{Process, free_address};
use crate::proxy::ReverseProxy;
use crate::repository;

/// Mode in which Envoy asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// By gRPC.
    Grpc,
    /// By HTTP.
    Http,
}

/// Beginning of the filter that asks, and of the one behind it.
const FILTER: &str = "          - name: envoy.filters.http.ext_authz\n";
const NEXT_FILTER: &str = "          - name: envoy.filters.http.router\n";

impl Mode {
    /// Both modes.
    pub const ALL: [Self; 2] = [Self::Grpc, Self::Http];

    /// The configuration of the page: the whole one for gRPC, and with the page's other filter in it for HTTP.
    pub fn configuration(self) -> Result<String> {
        let page = repository().join("docs/how-to/envoy.md");
        let page = fs::read_to_string(&page).with_context(|| format!("reading {}", page.display()))?;
        let blocks: Vec<&str> = page
            .split("```")
            .skip(1)
            .step_by(2)
            .filter_map(|block| block.strip_prefix("yaml\n"))
            .collect();
        let [whole, filter, ..] = &blocks[..] else {
            bail!("docs/how-to/envoy.md has fewer than two YAML blocks");
        };
        if self == Self::Grpc {
            return Ok((*whole).to_owned());
        }
        let (before, rest) = whole.split_once(FILTER).context("the page has no ext_authz filter")?;
        let (_, after) = rest.split_once(NEXT_FILTER).context("no filter follows ext_authz")?;
        ensure!(filter.starts_with(FILTER), "the second block is not the filter");
        Ok([before, filter, NEXT_FILTER, after].concat())
    }

    /// Starts Envoy on a free port, asking at `narthex`, in front of the application at `upstream` (both `127.0.0.1:PORT`).
    /// `change` gets the configuration before it is used.
    pub fn start(self, narthex: &str, upstream: &str, change: impl FnOnce(String) -> String) -> Result<ReverseProxy> {
        let folder = tempfile::Builder::new().prefix("narthex-envoy-").tempdir()?;
        let address = free_address()?;
        let port = |text: &str| -> Result<u16> { Ok(text.parse::<SocketAddr>()?.port()) };
        let (asked, application) = (port(narthex)?, port(upstream)?);
        let text = change(self.configuration()?)
            .replace("port_value: 8000", &format!("port_value: {}", address.port()))
            .replace("port_value: 8082", &format!("port_value: {asked}"))
            .replace("port_value: 9000", &format!("port_value: {application}"));
        let file = folder.path().join("envoy.yaml");
        fs::write(&file, text)?;
        let program = repository().join("target/peers/envoy/bin/envoy");
        ensure!(program.exists(), "Envoy is missing; run `cargo xtask setup envoy`");
        let mut command = Command::new(program);
        command.args(["--concurrency", "1", "--disable-hot-restart", "--log-level", "warn"]);
        command.arg("--config-path").arg(&file).current_dir(folder.path());
        let mut process = Process::start(&mut command)?;
        process.wait_for_port(address)?;
        ReverseProxy::running(process, address, folder)
    }
}
