//! An OpenID provider that is not ours: npm `oidc-provider`, by `e2e/node/oidc-provider.mjs`.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Client, TestKey, port::HeldPort, process::Process, repository};

/// Secret of the one client, with characters that have to be encoded.
pub const CLIENT_SECRET: &str = "secret of the tests, with blanks and %2F";

/// A provider with the one client `narthex`. Its address is there before it listens.
#[derive(Debug)]
pub struct OidcProvider {
    port: HeldPort,
    process: Option<Process>,
    folder: TempDir,
}

/// Settings of a provider.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Addresses that it may send browsers back to.
    pub redirect_uris: Vec<String>,
    /// Address that it tells of the end of its sessions.
    pub backchannel_logout_uri: String,
    /// Seconds that ID tokens last.
    pub id_token_seconds: u32,
    /// `true` for a page that asks for the user's name; `false` to take it from the header `x-test-user`.
    pub asks: bool,
}

impl OidcProvider {
    /// Takes an address.
    pub fn reserve() -> Result<Self> {
        Ok(Self {
            port: HeldPort::take()?,
            process: None,
            folder: tempfile::Builder::new().prefix("narthex-oidc-").tempdir()?,
        })
    }

    /// Its `iss`, which is the origin of its pages too.
    pub fn issuer(&self) -> String {
        format!("http://{}", self.port.address())
    }

    /// Starts it.
    pub fn start(&mut self, settings: &Settings) -> Result<()> {
        let path = self.folder.path().join("provider.json");
        let settings = json!({
            "port": self.port.address().port(),
            "key": TestKey::Rsa1.pem(),
            "kid": TestKey::Rsa1.kid(),
            "clientSecret": CLIENT_SECRET,
            "redirectUris": settings.redirect_uris,
            "backchannelLogoutUri": settings.backchannel_logout_uri,
            "idTokenSeconds": settings.id_token_seconds,
            "asks": settings.asks,
        });
        std::fs::write(&path, settings.to_string())?;
        let needs = repository().join("e2e/node/node_modules/oidc-provider");
        ensure!(
            needs.exists(),
            "{} is missing: run `cargo xtask setup`",
            needs.display()
        );
        let mut command = Command::new("node");
        command.arg(repository().join("e2e/node/oidc-provider.mjs")).arg(path);
        let mut process = Process::start(&mut command)?;
        process.wait_for_port(self.port.address())?;
        self.process = Some(process);
        Ok(())
    }

    /// Sends it a signal by name (`STOP`, `CONT`).
    pub fn signal(&self, name: &str) -> Result<()> {
        let process = self.process.as_ref().context("the provider does not run")?;
        process.signal(name)
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Number of codes (`code`) and of refresh tokens (`refresh`) that it has exchanged.
    pub async fn counts(&self) -> Result<Value> {
        let answer = Client::new().get(&format!("{}/counts", self.issuer())).await?;
        answer.json()
    }

    /// Waits, for five seconds at most, until it has written these words.
    pub async fn says(&self, words: &str) -> Result<()> {
        let process = self.process.as_ref().context("the provider does not run")?;
        for _ in 0..100 {
            if process.output().contains(words) {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("the provider never says `{words}`: {}", process.output());
    }
}
