//! The real binary, started for a test: configured in a folder of its own, ended with its value.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;
use toml::{Table, Value};

use crate::{
    Client,
    admin::Admin,
    process::{self, Process},
};

/// Time that a log line may take to arrive.
const LOG_WAIT: Duration = Duration::from_secs(5);

/// Settings of a Narthex that is to be started.
#[derive(Debug)]
pub struct Builder {
    binary: PathBuf,
    config: Table,
    files: Vec<(String, Vec<u8>)>,
    environment: Vec<(String, String)>,
}

/// A running Narthex.
#[derive(Debug)]
pub struct Narthex {
    binary: PathBuf,
    config: Table,
    environment: Vec<(String, String)>,
    folder: TempDir,
    process: Process,
    public: SocketAddr,
    admin: SocketAddr,
    key: String,
}

impl Narthex {
    /// The binary is `env!("CARGO_BIN_EXE_narthex")`, which Cargo gives to the tests of `narthex-cli` only.
    pub fn builder(binary: impl AsRef<Path>) -> Builder {
        Builder {
            binary: binary.as_ref().to_owned(),
            config: Table::new(),
            files: Vec::new(),
            environment: Vec::new(),
        }
    }

    /// `http://127.0.0.1:PORT` of the public port.
    pub fn url(&self) -> String {
        format!("http://{}", self.public)
    }

    /// `127.0.0.1:PORT` of the public port.
    pub fn address(&self) -> String {
        self.public.to_string()
    }

    /// `http://127.0.0.1:PORT` of the admin port.
    pub fn admin_url(&self) -> String {
        format!("http://{}", self.admin)
    }

    /// The admin API, with an API key of a platform admin.
    pub fn api(&self) -> Admin {
        Admin::new(&self.admin_url(), &self.key)
    }

    /// The folder its files are in.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Its configuration file.
    pub fn config_file(&self) -> PathBuf {
        config_file(self.folder.path())
    }

    /// Log so far.
    pub fn logs(&self) -> String {
        self.process.output()
    }

    /// Waits, for five seconds at most, for a log line with all of these words, and returns it. A line that is written
    /// before an answer may still arrive after it.
    pub async fn logged(&self, words: &[&str]) -> Result<String> {
        let begun = tokio::time::Instant::now();
        loop {
            let logs = self.logs();
            if let Some(line) = logs.lines().find(|line| words.iter().all(|word| line.contains(word))) {
                return Ok(line.to_owned());
            }
            anyhow::ensure!(begun.elapsed() < LOG_WAIT, "no line of the log has {words:?}:\n{logs}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Its process number.
    pub fn process_id(&self) -> u32 {
        self.process.id()
    }

    /// Runs a subcommand with this Narthex's configuration: what it prints.
    pub fn command(&self, arguments: &[&str]) -> Result<String> {
        let file = self.config_file();
        let mut all: Vec<&str> = arguments.to_vec();
        let file = file.to_string_lossy();
        all.extend(["--config", file.as_ref()]);
        process::run(&self.binary, &all)
    }

    /// Ends it at once, as `kill -9` does.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Sends it a signal by name (`STOP`, `CONT`).
    pub fn signal(&self, name: &str) -> Result<()> {
        self.process.signal(name)
    }

    /// Ends it politely and waits for it, ten seconds at the most.
    pub async fn terminate(&mut self) -> Result<()> {
        self.process.signal("TERM")?;
        for _ in 0..1000 {
            if self.process.ended().is_some() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        bail!("still running 10 s after TERM:\n{}", self.logs());
    }

    /// Starts it again in the same folder and on the same ports.
    pub async fn start_again(&mut self) -> Result<()> {
        self.process.kill();
        self.process = serve(&self.binary, self.folder.path(), &self.environment)?;
        wait_until_ready(&mut self.process, self.admin).await
    }

    /// Writes another configuration (ports and store stay) and sends SIGHUP. It is read again a little later.
    pub fn reload(&mut self, config: &str) -> Result<()> {
        let mut config: Table = config.parse()?;
        for section in ["listen", "store"] {
            if let Some(settings) = self.config.get(section) {
                config.insert(section.to_owned(), settings.clone());
            }
        }
        // In one go, because the process looks for itself now and then, and half a file can be a configuration, too.
        let beside = self.folder.path().join("narthex.toml.new");
        fs::write(&beside, config.to_string())?;
        fs::rename(&beside, self.config_file())?;
        self.config = config;
        self.process.signal("HUP")
    }
}

impl Builder {
    /// The configuration. What it does not say of ports and store is filled in.
    pub fn config(mut self, config: &str) -> Result<Self> {
        self.config = config.parse().context("the configuration of the test is no TOML")?;
        Ok(self)
    }

    /// The same, parsed.
    #[must_use]
    pub fn config_table(mut self, config: Table) -> Self {
        self.config = config;
        self
    }

    /// A file beside the configuration; paths in it are relative to that folder.
    #[must_use]
    pub fn file(mut self, name: &str, content: impl Into<Vec<u8>>) -> Self {
        self.files.push((name.to_owned(), content.into()));
        self
    }

    /// An environment variable.
    #[must_use]
    pub fn environment(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Writes the files, makes an API key, starts it and waits until it is ready.
    pub async fn start(mut self) -> Result<Narthex> {
        let folder = tempfile::Builder::new().prefix("narthex-test-").tempdir()?;
        for (name, content) in &self.files {
            fs::write(folder.path().join(name), content)?;
        }
        // A port that was free a moment ago may be taken: then other ones are tried.
        let mut attempts = 0;
        loop {
            let (public, admin) = process::two_free_addresses()?;
            fill_in(&mut self.config, public, admin)?;
            fs::write(config_file(folder.path()), self.config.to_string())?;
            let key = make_key(&self.binary, folder.path(), &self.environment)?;
            let mut process = serve(&self.binary, folder.path(), &self.environment)?;
            match wait_until_ready(&mut process, admin).await {
                Ok(()) => {
                    return Ok(Narthex {
                        binary: self.binary,
                        config: self.config,
                        environment: self.environment,
                        folder,
                        process,
                        public,
                        admin,
                        key,
                    });
                }
                Err(_) if attempts < 3 && process.output().contains("in use") => attempts += 1,
                Err(error) => return Err(error),
            }
        }
    }
}

fn config_file(folder: &Path) -> PathBuf {
    folder.join("narthex.toml")
}

fn fill_in(config: &mut Table, public: SocketAddr, admin: SocketAddr) -> Result<()> {
    // A place that the test names, in whatever way, is kept.
    let names = |store: &Value| {
        ["url", "url_file", "url_env"]
            .iter()
            .any(|key| store.get(*key).is_some())
    };
    let placed = config.get("store").is_some_and(names);
    let mut section = |name: &str, settings: &[(&str, Value)], keep: bool| -> Result<()> {
        let table = config
            .entry(name)
            .or_insert_with(|| Value::Table(Table::new()))
            .as_table_mut()
            .with_context(|| format!("`{name}` of the test's configuration is no table"))?;
        for (key, value) in settings {
            if !keep || !table.contains_key(*key) {
                table.insert((*key).to_owned(), value.clone());
            }
        }
        Ok(())
    };
    let addresses = [
        ("public", Value::from(public.to_string())),
        ("admin", Value::from(admin.to_string())),
    ];
    section("listen", &addresses, false)?;
    if placed {
        return Ok(());
    }
    section("store", &[("path", Value::from("narthex.db"))], true)
}

fn serve(binary: &Path, folder: &Path, environment: &[(String, String)]) -> Result<Process> {
    let mut command = Command::new(binary);
    command
        .args(["serve", "--config"])
        .arg(config_file(folder))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .current_dir(folder);
    Process::start(&mut command)
}

/// The API key that `narthex key create` prints.
fn make_key(binary: &Path, folder: &Path, environment: &[(String, String)]) -> Result<String> {
    let output = Command::new(binary)
        .args(["key", "create", "tests", "--role", "admin", "--json", "--config"])
        .arg(config_file(folder))
        .envs(environment.iter().map(|(name, value)| (name, value)))
        .output()
        .with_context(|| format!("{} could not be started", binary.display()))?;
    if !output.status.success() {
        bail!(
            "`narthex key create` failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let answer: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("`narthex key create --json` prints no JSON")?;
    answer
        .get("key")
        .and_then(|key| key.as_str())
        .map(str::to_owned)
        .context("`narthex key create --json` prints no `key`")
}

async fn wait_until_ready(process: &mut Process, admin: SocketAddr) -> Result<()> {
    let client = Client::new();
    let url = format!("http://{admin}/readyz");
    for _ in 0..1500 {
        if client.get(&url).await.is_ok_and(|answer| answer.status == 200) {
            return Ok(());
        }
        if let Some(status) = process.ended() {
            bail!("narthex ended ({status}):\n{}", process.output());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    bail!("narthex is not ready after 15 s:\n{}", process.output());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_always_ours_and_the_store_only_where_none_is_named() {
        let mut config: Table =
            "[listen]\npublic = \"1.2.3.4:5\"\ntrusted_proxies = [\"127.0.0.1\"]\n[store]\npath = \"own.db\""
                .parse()
                .unwrap();
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        fill_in(&mut config, address("127.0.0.1:1"), address("127.0.0.1:2")).unwrap();
        assert_eq!(config["listen"]["public"].as_str(), Some("127.0.0.1:1"));
        assert_eq!(config["listen"]["trusted_proxies"][0].as_str(), Some("127.0.0.1"));
        assert_eq!(config["store"]["path"].as_str(), Some("own.db"));
    }
}
