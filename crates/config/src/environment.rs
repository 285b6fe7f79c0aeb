//! Environment of the reader besides the file itself: other files, environment variables, and the machine's addresses.
//! No other module reads them.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};
use std::path::{Path, PathBuf};

/// Files and environment variables beside the configuration file.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Directory where relative paths start; `None` where no file may be read.
    directory: Option<PathBuf>,
    variable: fn(&str) -> Option<OsString>,
}

impl Environment {
    /// Environment of this process, for the configuration file at `path`: relative paths start at its directory.
    pub fn of_process(path: &Path) -> Self {
        Self {
            directory: Some(path.parent().map(Path::to_path_buf).unwrap_or_default()),
            variable: |name| std::env::var_os(name),
        }
    }

    /// Environment of a document that may name nothing of this machine: no file can be read and no variable is set.
    // SECURITY: the reader refuses such names already; this holds if it fails to.
    pub(crate) fn sealed() -> Self {
        Self {
            directory: None,
            variable: |_| None,
        }
    }

    /// Files under `directory`, and the variables that `variable` knows.
    #[cfg(test)]
    pub(crate) fn fixed(directory: &Path, variable: fn(&str) -> Option<OsString>) -> Self {
        Self {
            directory: Some(directory.to_path_buf()),
            variable,
        }
    }

    /// A path of the file as the process must open it.
    pub fn path(&self, written: &Path) -> PathBuf {
        self.directory.as_deref().unwrap_or(Path::new("")).join(written)
    }

    /// An environment variable.
    pub fn variable(&self, name: &str) -> Option<OsString> {
        (self.variable)(name)
    }

    /// The whole of a file of at most `most` bytes.
    pub fn read(&self, written: &Path, most: u64) -> Result<Vec<u8>, Unreadable> {
        if self.directory.is_none() {
            return Err(Unreadable::Io(io::ErrorKind::PermissionDenied.into()));
        }
        let path = self.path(written);
        let file = File::open(&path).map_err(Unreadable::Io)?;
        if file.metadata().map_err(Unreadable::Io)?.is_dir() {
            return Err(Unreadable::Directory);
        }
        let mut bytes = Vec::new();
        file.take(most + 1).read_to_end(&mut bytes).map_err(Unreadable::Io)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length <= most) {
            Ok(bytes)
        } else {
            Err(Unreadable::TooLarge { most })
        }
    }

    /// Tests whether an address belongs to this machine, by the source address that a packet to it would have. Nothing
    /// is sent.
    pub fn is_own_address(&self, address: IpAddr) -> bool {
        let any = match address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let comes_from = || {
            let socket = UdpSocket::bind((any, 0))?;
            socket.connect((address, 9))?;
            socket.local_addr()
        };
        address.is_loopback() || comes_from().is_ok_and(|from: std::net::SocketAddr| from.ip() == address)
    }

    /// Tests whether there is a directory at this path.
    pub fn is_directory(&self, written: &Path) -> bool {
        self.path(written).is_dir()
    }

    /// Tests whether every user of the machine may read a file.
    pub fn is_world_readable(&self, written: &Path) -> bool {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::metadata(self.path(written)).is_ok_and(|metadata| metadata.permissions().mode() & 0o004 != 0)
        }
        #[cfg(not(unix))]
        {
            let _ = written;
            false
        }
    }
}

/// Reason why a file that the configuration names could not be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// Error of the operating system. Written without the error number, which helps no reader.
    #[error("{}", plain(.0))]
    Io(io::Error),
    /// There is a directory of that name.
    #[error("it is a directory")]
    Directory,
    /// The file is too large to be what the operator meant.
    #[error("it is larger than {most} bytes")]
    TooLarge {
        /// The most that is read.
        most: u64,
    },
}

fn plain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    }
}
