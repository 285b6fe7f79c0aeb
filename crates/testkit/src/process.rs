//! Another program, started for a test: its output is kept, and it ends with its value.

use std::{
    ffi::OsStr,
    fmt,
    io::{BufRead as _, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use anyhow::{Context as _, Result, bail};
use tokio::net::TcpSocket;

/// A running program. Dropping it kills it.
pub struct Process {
    name: String,
    child: Child,
    output: Arc<Mutex<String>>,
}

impl fmt::Debug for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Process")
            .field("name", &self.name)
            .field("id", &self.child.id())
            .finish_non_exhaustive()
    }
}

impl Process {
    /// Starts `command` and keeps what it writes on either output.
    pub fn start(command: &mut Command) -> Result<Self> {
        let name = command.get_program().to_string_lossy().into_owned();
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| {
                format!("`{name}` could not be started; `cargo xtask setup` installs what the tests need")
            })?;
        let output: Arc<Mutex<String>> = Arc::default();
        if let Some(stream) = child.stdout.take() {
            keep(stream, &output);
        }
        if let Some(stream) = child.stderr.take() {
            keep(stream, &output);
        }
        Ok(Self { name, child, output })
    }

    /// Everything it has written so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Exit status, if it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Waits until it accepts connections at `address`; an error with its output if it ends before, or for too long.
    pub fn wait_for_port(&mut self, address: SocketAddr) -> Result<()> {
        for _ in 0..1000 {
            if TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_ok() {
                return Ok(());
            }
            if let Some(status) = self.ended() {
                bail!("`{}` ended ({status}):\n{}", self.name, self.output());
            }
            thread::sleep(Duration::from_millis(10));
        }
        bail!("`{}` does not listen at {address}:\n{}", self.name, self.output());
    }

    /// Ends it at once, as `kill -9` does, and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends it a signal by name (`HUP`, `TERM`).
    pub fn signal(&self, name: &str) -> Result<()> {
        let status = Command::new("kill")
            .args([format!("-{name}"), self.id().to_string()])
            .status()?;
        if !status.success() {
            bail!("`{}` did not take the signal {name}", self.name);
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn keep(stream: impl Read + Send + 'static, output: &Arc<Mutex<String>>) {
    let output = Arc::clone(output);
    thread::spawn(move || {
        let mut reader = BufReader::new(stream);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|read| read > 0) {
            output
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push_str(&String::from_utf8_lossy(&line));
            line.clear();
        }
    });
}

/// Runs a program to its end: what it prints. An error holds what it complained of.
pub fn run<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: &[S]) -> Result<String> {
    let program = program.as_ref();
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("`{}` could not be started", program.to_string_lossy()))?;
    if !output.status.success() {
        bail!(
            "`{}` failed ({}):\n{}{}",
            program.to_string_lossy(),
            output.status,
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// An address of 127.0.0.1 that no process listens on now.
pub fn free_address() -> Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback")?;
    Ok(listener.local_addr()?)
}

/// Address of 127.0.0.1 that refuses every connection for as long as this value is kept: its port is taken, and nothing listens.
#[derive(Debug)]
pub struct ClosedAddress {
    address: SocketAddr,
    _taken: TcpSocket,
}

impl ClosedAddress {
    /// Takes a port.
    pub fn take() -> Result<Self> {
        let taken = TcpSocket::new_v4()?;
        taken
            .bind((Ipv4Addr::LOCALHOST, 0).into())
            .context("no free port on loopback")?;
        Ok(Self {
            address: taken.local_addr()?,
            _taken: taken,
        })
    }
}

impl std::fmt::Display for ClosedAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.address.fmt(f)
    }
}

/// Two addresses of 127.0.0.1 that no process listens on now. Asked for one after the other, they could be the same
/// one.
pub fn two_free_addresses() -> Result<(SocketAddr, SocketAddr)> {
    let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no free port on loopback");
    let (one, other) = (bind()?, bind()?);
    Ok((one.local_addr()?, other.local_addr()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_kept_and_the_program_ends_with_its_value() {
        let mut process = Process::start(Command::new("sh").args(["-c", "echo one; echo two >&2; sleep 60"])).unwrap();
        while !(process.output().contains("one") && process.output().contains("two")) {
            thread::sleep(Duration::from_millis(5));
        }
        assert!(process.ended().is_none());
        process.kill();
        assert!(process.ended().is_some());
    }

    #[test]
    fn a_program_that_ends_too_early_is_an_error_with_its_words() {
        let mut process = Process::start(Command::new("sh").args(["-c", "echo no such option; exit 3"])).unwrap();
        let error = process.wait_for_port(free_address().unwrap()).unwrap_err().to_string();
        assert!(
            error.contains("no such option") || error.contains("exit status: 3"),
            "{error}"
        );
    }
}
