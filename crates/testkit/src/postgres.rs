//! PostgreSQL servers for tests: real ones, with their data in a temporary folder, on a socket there and on a free port
//! of loopback, with `fsync` on.
//!
//! Starting one takes two seconds, and with nextest every test is a process of its own. So all tests of a run share
//! one: the first process starts it, under a file lock, in a folder named after the process that runs the tests. A
//! small shell script beside it looks whether that process is still there (and whether any test still uses the server);
//! when not, it stops the server and removes everything. This needs nothing but the tests themselves: it is the same
//! under `cargo nextest`, `cargo test` and a test binary started by hand, after a failure, and after a kill, which is
//! why it is no setup script of nextest, which ends without being asked to clean up.

mod pooler;
mod server;
mod standby;

use std::fs::{self, File};
use std::io::Write as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

pub use self::pooler::Pooler;
use self::server::{Place, as_owner, program};
use crate::process::Process;

/// The superuser, whom all tests are.
const USER: &str = "narthex";
/// The password that is asked for on the port. The socket asks for none.
pub const PASSWORD: &str = "a test password: p@ss/word?";

/// Client authentication of the port that takes TLS only.
const TLS_ONLY: &str = "local all all trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n";

const EXPLAINING: &str = "
session_preload_libraries = 'auto_explain'
auto_explain.log_min_duration = 0
auto_explain.log_nested_statements = on
auto_explain.log_format = json
log_line_prefix = 'in %d: '
autovacuum = off
";

/// Client authentication without a password.
const OPEN: &str = "local all all trust\nlocal replication all trust\nhost all all 127.0.0.1/32 trust\n";

/// The server that all tests of a run share.
#[derive(Debug)]
pub struct Cluster {
    place: Place,
    /// While this is held, the server stays.
    _used: File,
}

/// A database for one test; it goes with its value.
#[derive(Debug)]
pub struct Database {
    place: Place,
    name: String,
    _cluster: Option<Cluster>,
}

impl Cluster {
    /// The run's server, started if need be.
    pub fn shared() -> Result<Self> {
        let run = server::run()?;
        let folder = std::env::temp_dir().join(format!("narthex-postgres-{}", run.name()));
        let lock = File::create(folder.with_extension("lock")).context("no lock file can be made")?;
        lock.lock()?;
        let place = if let Some(place) = Place::running(&folder) {
            place
        } else {
            // What a server that crashed left behind.
            let _ = fs::remove_dir_all(&folder);
            server::make_folder(&folder)?;
            let place = Place::initialize(&folder)?;
            place.start_apart()?;
            File::create(folder.join("used"))?;
            watch(&folder, &run)?;
            place.write_down()?;
            place
        };
        let used = File::open(folder.join("used"))?;
        used.lock_shared()?;
        Ok(Self { place, _used: used })
    }

    /// A new database, made like a template that is made once in a run.
    pub async fn database(self, template: &str, make: impl AsyncFnOnce(String) -> Result<()>) -> Result<Database> {
        let lock = File::create(self.place.folder.join("template.lock"))?;
        lock.lock()?;
        let there = self
            .place
            .sql(&format!("SELECT 1 FROM pg_database WHERE datname = '{template}'"))?;
        if there.is_empty() {
            let making = format!("{template}_in_the_making");
            self.place
                .sql(&format!("DROP DATABASE IF EXISTS {making} WITH (FORCE)"))?;
            self.place.sql(&format!("CREATE DATABASE {making}"))?;
            make(self.place.url(&making)).await?;
            let end =
                format!("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{making}'");
            self.place.sql(&end)?;
            self.place
                .sql(&format!("ALTER DATABASE {making} RENAME TO {template}"))?;
        }
        drop(lock);
        self.create(&format!("TEMPLATE {template}"))
    }

    /// A new, empty database.
    pub fn empty_database(self) -> Result<Database> {
        self.create("")
    }

    fn create(self, like: &str) -> Result<Database> {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}_{}", std::process::id(), MADE.fetch_add(1, Ordering::Relaxed));
        self.place.sql(&format!("CREATE DATABASE {name} {like}"))?;
        Ok(Database {
            place: self.place.clone(),
            name,
            _cluster: Some(self),
        })
    }
}

impl Database {
    /// Its URL, through the socket.
    pub fn url(&self) -> String {
        self.place.url(&self.name)
    }

    /// Its URL, through the port of loopback, with a password.
    pub fn tcp_url(&self) -> String {
        self.place.tcp_url("127.0.0.1", &self.name)
    }

    /// The same without the password.
    pub fn url_without_password(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{}", self.place.port, self.name)
    }

    /// The port of the server.
    pub fn port(&self) -> u16 {
        self.place.port
    }

    /// Runs SQL as `psql` does; what it prints, without decoration.
    pub fn sql(&self, sql: &str) -> Result<String> {
        self.place.sql_in(&self.name, sql)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // With the server it would go in any case; a run of hundreds of tests should not keep them all.
        let _ = self
            .place
            .sql(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// A server of one test alone, to be stopped and killed.
#[derive(Debug)]
pub struct OwnServer {
    place: Place,
    process: Option<Process>,
    _folder: TempDir,
}

impl OwnServer {
    /// Starts one.
    pub fn start() -> Result<Self> {
        Self::start_with(&[], "")
    }

    /// Starts one that offers TLS with this certificate and key (PEM), and on its port takes nothing else.
    pub fn start_with_tls(certificate: &str, key: &str) -> Result<Self> {
        let files = [
            ("server.crt", certificate),
            ("server.key", key),
            ("pg_hba.conf", TLS_ONLY),
        ];
        Self::start_with(&files, "ssl = on\n")
    }

    /// Starts one with more settings, as lines of its configuration.
    pub fn start_with_settings(settings: &str) -> Result<Self> {
        Self::start_with(&[], settings)
    }

    /// Starts one that tells the plan of every statement, of foreign keys' too, and gathers statistics only when asked.
    pub fn start_explaining() -> Result<Self> {
        Self::start_with(&[], EXPLAINING)
    }

    /// Starts one that asks no client on this machine for a password: proving one takes half a second of a processor in
    /// a build that is not optimized, which is longer than what is measured where many connections are made at once.
    pub fn start_open() -> Result<Self> {
        Self::start_with(&[("pg_hba.conf", OPEN)], "")
    }

    /// Starts a server with files in its data folder, and more settings.
    fn start_with(files: &[(&str, &str)], settings: &str) -> Result<Self> {
        Self::start_in(|folder| {
            let place = Place::initialize(folder)?;
            for (name, content) in files {
                place.add_file(name, content)?;
            }
            place.add_settings(settings)?;
            Ok(place)
        })
    }

    /// Starts a server in a folder of its own, with the files that `make` puts there.
    fn start_in(make: impl FnOnce(&Path) -> Result<Place>) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("narthex-postgres-own-").tempdir()?;
        let inner = folder.path().join("server");
        server::let_through(folder.path())?;
        server::make_folder(&inner)?;
        let mut own = Self {
            place: make(&inner)?,
            process: None,
            _folder: folder,
        };
        own.start_again()?;
        Ok(own)
    }

    /// Starts it again where it was.
    pub fn start_again(&mut self) -> Result<()> {
        let mut command = as_owner(&program("postgres")?);
        command.arg("-D").arg(self.place.data());
        let mut process = Process::start(&mut command)?;
        self.place.wait(&mut process)?;
        self.process = Some(process);
        Ok(())
    }

    /// Ends it at once: whatever it has not written down is lost.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.signal("QUIT");
            for _ in 0..500 {
                if process.ended().is_some() {
                    return;
                }
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }

    /// Stops all of it (`STOP`) or lets it go on (`CONT`): a server that takes connections and says nothing.
    pub fn freeze(&self, signal: &str) -> Result<()> {
        let process = self.process.as_ref().context("the server is not running")?;
        for id in std::iter::once(process.id()).chain(server::children(process.id())) {
            // One that has just ended needs no signal.
            let _ = crate::process::run("kill", &[format!("-{signal}"), id.to_string()]);
        }
        Ok(())
    }

    /// The processor time that it has used, all its processes together.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let process = self.process.as_ref().context("the server is not running")?;
        server::cpu_seconds(process.id())
    }

    /// The plans of the statements that were made in a database so far, of a server that tells them: each an object with
    /// `Query Text` and `Plan`.
    pub fn plans(&self, database: &str) -> Result<Vec<serde_json::Value>> {
        static MARKS: AtomicU32 = AtomicU32::new(0);
        let process = self.process.as_ref().context("the server is not running")?;
        let mark = format!("everything before {}", MARKS.fetch_add(1, Ordering::Relaxed));
        // What was told before this is there once this is.
        self.sql(database, &format!("DO $$ BEGIN RAISE LOG '{mark}'; END $$"))?;
        let mut plans = Err(problem("the server tells no plans"));
        for _ in 0..500 {
            let told = process.output();
            if told.contains(&mark) {
                plans = server::plans(&told, database);
            }
            if plans.is_ok() {
                break;
            }
            // Behind the mark there may be half of what another session is telling.
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        plans
    }

    /// Its port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.place.port
    }

    /// Makes a database.
    pub fn create_database(&self, name: &str) -> Result<()> {
        self.place.sql(&format!("CREATE DATABASE {name}")).map(drop)
    }

    /// Runs SQL in a database.
    pub fn sql(&self, database: &str, sql: &str) -> Result<String> {
        self.place.sql_in(database, sql)
    }

    /// The URL of a database, through the socket.
    pub fn url(&self, database: &str) -> String {
        self.place.url(database)
    }

    /// The URL of a database, through the port, with another name for 127.0.0.1.
    pub fn tcp_url(&self, host: &str, database: &str) -> String {
        self.place.tcp_url(host, database)
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        let _ = self.freeze("CONT");
        self.kill();
        // What belongs to another user is not removed with the folder around it unless it is empty or we are root.
        let _ = fs::remove_dir_all(&self.place.folder);
    }
}

/// Stops the server and removes its folder once the run is over, or no test has used it for a minute.
const WATCH: &str = r#"
folder=$1 parent=$2 born=$3 idle=0
runs() { [ "$(sed 's/.*) //' "/proc/$parent/stat" 2>/dev/null | cut -d' ' -f20)" = "$born" ]; }
unused() { flock --nonblock --exclusive "$folder/used" true; }
while :; do
    if unused; then idle=$((idle + 1)); else idle=0; fi
    if ! runs || [ "$idle" -ge 60 ]; then
        exec 9>"$folder.lock"
        flock --exclusive 9
        # Nobody begins to use it from here on; somebody may have a moment ago.
        if ! runs || unused; then break; fi
        exec 9>&-
        idle=0
    fi
    sleep 1
done
server=$(head -n 1 "$folder/data/postmaster.pid")
kill -QUIT "$server"
while kill -0 "$server" 2>/dev/null; do sleep 0.1; done
rm -rf "$folder"
if ! runs; then rm -f "$folder.lock"; fi
"#;

fn watch(folder: &Path, run: &server::Run) -> Result<()> {
    // In a group of its own, so that the end of a test does not end this; with no output that a parent process waits
    // for.
    Command::new("sh")
        .args(["-c", WATCH, "watch"])
        .arg(folder)
        .args([run.parent.to_string(), run.born.clone()])
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .current_dir("/")
        .spawn()
        .context("the watch over the server could not be started")?;
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let mut file = File::create(path).with_context(|| format!("cannot write {}", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

fn read(path: PathBuf) -> Option<String> {
    fs::read_to_string(path).ok()
}

fn problem(why: &str) -> anyhow::Error {
    anyhow::anyhow!("{why}; `cargo xtask setup` installs what the tests need")
}

fn refuse<T>(why: &str) -> Result<T> {
    bail!(problem(why))
}
