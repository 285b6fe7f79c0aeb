//! PgBouncer between Narthex and a server, in transaction mode.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use tempfile::TempDir;

use super::server::{self, Place, as_owner};
use super::{Database, OwnServer, USER, problem, write};
use crate::process::{self, Process};

/// Connections in turn, so that two transactions of one client nearly never meet the same one: whatever is left behind on a
/// connection is missed at once. Few of them, so that many clients have to share.
const SETTINGS: &str = "
pool_mode = transaction
server_round_robin = 1
max_client_conn = 1000
default_pool_size = 8
min_pool_size = 3
auth_type = trust
unix_socket_dir =
";

/// A pooler of one test, which lends out the connections of all databases of a server. It ends with its value.
#[derive(Debug)]
pub struct Pooler {
    process: Process,
    place: Place,
    address: SocketAddr,
    folder: TempDir,
}

impl Pooler {
    /// Starts one before the server of a database.
    pub fn start(database: &Database) -> Result<Self> {
        Self::start_before(&database.place, "")
    }

    /// Starts one with other settings, as lines of its configuration; of one that is there twice the last one counts.
    pub fn start_with_settings(database: &Database, settings: &str) -> Result<Self> {
        Self::start_before(&database.place, settings)
    }

    /// Starts one before a server of its own.
    pub fn start_before_server(server: &OwnServer) -> Result<Self> {
        Self::start_before(&server.place, "")
    }

    fn start_before(place: &Place, settings: &str) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("narthex-pgbouncer-").tempdir()?;
        server::make_folder(folder.path())?;
        let address = process::free_address()?;
        Ok(Self {
            process: run(place, address, folder.path(), settings)?,
            place: place.clone(),
            address,
            folder,
        })
    }

    /// Ends it and starts it at the same address with other settings.
    pub fn change(&mut self, settings: &str) -> Result<()> {
        self.process.kill();
        self.process = run(&self.place, self.address, self.folder.path(), settings)?;
        Ok(())
    }

    /// The URL of a database through the pooler.
    pub fn url(&self, database: &Database) -> String {
        self.url_of(&database.name)
    }

    /// The same, by the database's name.
    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}@{}/{database}", self.address)
    }

    /// Output so far.
    pub fn output(&self) -> String {
        self.process.output()
    }
}

fn run(place: &Place, address: SocketAddr, folder: &Path, settings: &str) -> Result<Process> {
    let users = folder.join("users");
    write(&users, &format!("\"{USER}\" \"\"\n"))?;
    let file = folder.join("pgbouncer.ini");
    let (socket, port) = (place.folder.display(), place.port);
    let text = format!(
        "[databases]\n* = host={socket} port={port}\n\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {}\n\
         auth_file = {}\n{SETTINGS}{settings}\n",
        address.port(),
        users.display()
    );
    write(&file, &text)?;
    let mut process = Process::start(as_owner(&program()?).arg(&file))?;
    process.wait_for_port(address)?;
    Ok(process)
}

/// Debian has it where only root's `PATH` looks.
fn program() -> Result<PathBuf> {
    ["/usr/sbin/pgbouncer", "pgbouncer"]
        .into_iter()
        .find(|name| Command::new(name).arg("--version").output().is_ok())
        .map(PathBuf::from)
        .ok_or_else(|| problem("PgBouncer is not there"))
}
