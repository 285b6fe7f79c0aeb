//! Place of a server, and the steps to make and start it.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use super::{PASSWORD, USER, problem, read, refuse, write};
use crate::process::{self, Process};

/// The run of tests that this process belongs to: the process that started it, and when that was.
#[derive(Debug)]
pub(super) struct Run {
    pub(super) parent: u32,
    /// In ticks since the machine started, so that a number that is used again is not taken for the same process.
    pub(super) born: String,
}

pub(super) fn run() -> Result<Run> {
    let parent = std::os::unix::process::parent_id();
    let stat = fs::read_to_string(format!("/proc/{parent}/stat")).context("who runs the tests cannot be seen")?;
    let (_, rest) = stat.rsplit_once(") ").context("/proc is not as on Linux")?;
    let born = rest.split(' ').nth(19).context("/proc is not as on Linux")?.to_owned();
    Ok(Run { parent, born })
}

/// The processes that another one has started.
pub(super) fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = entries.filter_map(|entry| entry.file_name().to_string_lossy().parse().ok());
    let is_child = |id: &u32| {
        let stat = fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
        let of = stat
            .rsplit_once(") ")
            .and_then(|(_, rest)| rest.split(' ').nth(1)?.parse().ok());
        of == Some(parent)
    };
    ids.filter(is_child).collect()
}

/// The processor time of a process and of those that it has started, the ones that have ended aside.
pub(super) fn cpu_seconds(parent: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for id in std::iter::once(parent).chain(children(parent)) {
        // One that has just ended has no file any more.
        let Ok(text) = fs::read_to_string(format!("/proc/{id}/schedstat")) else {
            continue;
        };
        let ran = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
        nanoseconds += ran.context("/proc is not as on Linux")?;
    }
    Ok(nanoseconds / 1e9)
}

impl Run {
    pub(super) fn name(&self) -> String {
        format!("{}-{}", self.parent, self.born)
    }
}

/// A server's folder and port.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) folder: PathBuf,
    pub(super) port: u16,
}

/// PostgreSQL refuses to run as root.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|metadata| metadata.uid() == 0)
}

/// A server program as the user whom the server's files belong to.
pub(super) fn as_owner(program: &Path) -> Command {
    if is_root() {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid=postgres", "--regid=postgres", "--clear-groups", "--"])
            .arg(program);
        command.current_dir("/");
        command
    } else {
        Command::new(program)
    }
}

/// One of PostgreSQL's programs, the newest version that is there.
pub(super) fn program(name: &str) -> Result<PathBuf> {
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    for entry in fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten() {
        let version = entry.file_name().to_string_lossy().parse();
        let path = entry.path().join("bin").join(name);
        if let (Ok(version), true) = (version, path.exists()) {
            versions.push((version, path));
        }
    }
    versions.sort();
    if let Some((_, path)) = versions.pop() {
        return Ok(path);
    }
    // Elsewhere they are where other programs are.
    match Command::new(name).arg("--version").output() {
        Ok(_) => Ok(name.into()),
        Err(_) => refuse(&format!("PostgreSQL's `{name}` is not there")),
    }
}

/// A folder for a server's files, which only its owner may look into.
pub(super) fn make_folder(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o700))?;
    if is_root() {
        let users = fs::read_to_string("/etc/passwd")?;
        let user = users.lines().find(|line| line.starts_with("postgres:"));
        let mut fields = user
            .ok_or_else(|| problem("there is no user `postgres`"))?
            .split(':')
            .skip(2);
        let mut number = || fields.next().and_then(|field| field.parse().ok());
        let (uid, gid) = (number(), number());
        chown(folder, uid, gid)?;
    }
    Ok(())
}

/// Lets other users go through a folder to what is theirs in it.
pub(super) fn let_through(folder: &Path) -> Result<()> {
    Ok(fs::set_permissions(folder, fs::Permissions::from_mode(0o711))?)
}

const SETTINGS: &str = "
listen_addresses = '127.0.0.1'
max_connections = 300
shared_buffers = 64MB
fsync = on
logging_collector = off
log_min_messages = warning
autovacuum_naptime = 5s
";

impl Place {
    /// The server in a folder, if it runs.
    pub(super) fn running(folder: &Path) -> Option<Self> {
        let port = read(folder.join("port"))?.trim().parse().ok()?;
        let place = Self {
            folder: folder.to_owned(),
            port,
        };
        place.answers().then_some(place)
    }

    /// Makes the files of a server. Its own collation is one that people like: ours must not depend on it.
    pub(super) fn initialize(folder: &Path) -> Result<Self> {
        let place = Self {
            folder: folder.to_owned(),
            port: process::free_address()?.port(),
        };
        let password = folder.join("password");
        write(&password, PASSWORD)?;
        // It may be read by the user `postgres`, who reads it, and the folder keeps others out.
        fs::set_permissions(&password, fs::Permissions::from_mode(0o644))?;
        let mut command = as_owner(&program("initdb")?);
        command
            .arg("-D")
            .arg(place.data())
            .arg("--pwfile")
            .arg(&password)
            .args([
                "--username",
                USER,
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                "--locale-provider=icu",
                "--icu-locale=en",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                // The server writes what it is told through to the disk; a crash of the machine while the empty
                // database is made is no concern of a test.
                "--no-sync",
            ]);
        finish(&mut command)?;
        place.add_settings(SETTINGS)?;
        place.add_own_settings()?;
        Ok(place)
    }

    /// Copies a running server's files, for a standby that follows it under this name.
    pub(super) fn copy(folder: &Path, of: &Self, name: &str) -> Result<Self> {
        let place = Self {
            folder: folder.to_owned(),
            port: process::free_address()?.port(),
        };
        let mut command = as_owner(&program("pg_basebackup")?);
        command
            .arg("--host")
            .arg(&of.folder)
            .args(["--port", &of.port.to_string(), "--username", USER])
            .arg("--pgdata")
            .arg(place.data())
            // The slot keeps what the standby has not read yet, however long it is away.
            .args(["--write-recovery-conf", "--create-slot", "--slot", name])
            .args(["--wal-method=stream", "--checkpoint=fast", "--no-sync"]);
        finish(&mut command)?;
        place.add_own_settings()?;
        place.add_settings(&format!("cluster_name = '{name}'\n"))?;
        Ok(place)
    }

    /// Adds the settings of this server alone. Of a setting that is there twice, the last one counts.
    fn add_own_settings(&self) -> Result<()> {
        let (port, socket) = (self.port, self.folder.display());
        self.add_settings(&format!("port = {port}\nunix_socket_directories = '{socket}'\n"))
    }

    pub(super) fn add_settings(&self, settings: &str) -> Result<()> {
        let file = self.data().join("postgresql.conf");
        let before = fs::read_to_string(&file)?;
        Ok(fs::write(&file, before + settings)?)
    }

    /// A file in the data folder, or another content for one, for its owner alone.
    pub(super) fn add_file(&self, name: &str, content: &str) -> Result<()> {
        let file = self.data().join(name);
        write(&file, content)?;
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600))?;
        let owner = fs::metadata(self.data())?;
        Ok(chown(&file, Some(owner.uid()), Some(owner.gid()))?)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Starts the server so that it goes on without the process that started it.
    pub(super) fn start_apart(&self) -> Result<()> {
        let log = self.folder.join("log");
        let mut command = as_owner(&program("pg_ctl")?);
        command
            .arg("-D")
            .arg(self.data())
            .arg("-l")
            .arg(&log)
            .args(["-w", "-t", "60", "start"]);
        finish(&mut command).with_context(|| read(log).unwrap_or_default())
    }

    /// Writes down where it is, for other tests of the run.
    pub(super) fn write_down(&self) -> Result<()> {
        write(&self.folder.join("port"), &self.port.to_string())
    }

    fn answers(&self) -> bool {
        let address = SocketAddr::from(([127, 0, 0, 1], self.port));
        TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
    }

    /// Waits until a server that was started as a child takes commands.
    pub(super) fn wait(&self, process: &mut Process) -> Result<()> {
        for _ in 0..1000 {
            if self.sql("SELECT 1").is_ok() {
                return Ok(());
            }
            if let Some(status) = process.ended() {
                bail!("the server ended ({status}):\n{}", process.output());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the server is not ready after 20 s:\n{}", process.output());
    }

    pub(super) fn url(&self, database: &str) -> String {
        let socket = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{USER}@{socket}:{}/{database}", self.port)
    }

    pub(super) fn tcp_url(&self, host: &str, database: &str) -> String {
        let password = PASSWORD
            .replace(' ', "%20")
            .replace('@', "%40")
            .replace('/', "%2F")
            .replace('?', "%3F");
        format!("postgres://{USER}:{password}@{host}:{}/{database}", self.port)
    }

    pub(super) fn sql(&self, sql: &str) -> Result<String> {
        self.sql_in("postgres", sql)
    }

    pub(super) fn sql_in(&self, database: &str, sql: &str) -> Result<String> {
        let psql = program("psql")?;
        let port = self.port.to_string();
        let folder = self.folder.to_string_lossy();
        let arguments = [
            "--no-psqlrc",
            "--quiet",
            "--tuples-only",
            "--no-align",
            "--host",
            &*folder,
            "--port",
            &port,
            "--username",
            USER,
            "--dbname",
            database,
            "--set",
            "ON_ERROR_STOP=1",
            "--command",
            sql,
        ];
        Ok(process::run(psql, &arguments)?.trim().to_owned())
    }
}

/// The plans in what a server told. Each begins with a line that ends so, and goes on with lines that are indented.
pub(super) fn plans(told: &str, database: &str) -> Result<Vec<serde_json::Value>> {
    let begins = format!("in {database}: ");
    let mut plans = Vec::new();
    let mut lines = told.lines().peekable();
    while let Some(line) = lines.next() {
        if !line.starts_with(&begins) || !line.ends_with(" plan:") {
            continue;
        }
        let mut text = String::new();
        while let Some(line) = lines.next_if(|line| line.starts_with('\t')) {
            text.push_str(line);
            text.push('\n');
        }
        plans.push(serde_json::from_str(&text).context("a plan is not as expected")?);
    }
    Ok(plans)
}

fn finish(command: &mut Command) -> Result<()> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command
        .stdin(std::process::Stdio::null())
        .output()
        .map_err(|_| problem(&format!("`{name}` could not be started")))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!(
            "{command:?} failed ({}):\n{}",
            output.status,
            String::from_utf8_lossy(&said)
        );
    }
    Ok(())
}
