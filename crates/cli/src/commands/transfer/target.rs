//! Target file of an export: complete or absent, private, and never in place of another file.

use std::fs::{self, File, Metadata};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use tempfile::NamedTempFile;

/// First bytes of every export.
const BEGINNING: &[u8] = b"{\"narthex_export\":";

/// A file that is being written under another name, and goes away unless it is kept.
pub(super) struct Target {
    file: NamedTempFile,
    path: PathBuf,
    replace: bool,
}

impl Target {
    /// Begins one. What is at its place must be nothing, or with `replace` an earlier export.
    pub(super) fn create(path: &Path, replace: bool) -> anyhow::Result<Self> {
        let shown = path.display();
        if let Ok(metadata) = fs::symlink_metadata(path) {
            if !replace {
                bail!("`{shown}` exists already; name another file with `--output`, or replace it with `--force`");
            }
            // A slip of the hand must not cost a store, a configuration or a device.
            if !is_export(path, &metadata) {
                bail!("`{shown}` is no export, and `--force` replaces nothing else; name another file with `--output`");
            }
        }
        let folder = folder(path);
        // SECURITY: private keys lie in it; the library makes it for its owner alone.
        let file = tempfile::Builder::new().prefix(".narthex-export-").tempfile_in(folder);
        let file = file.with_context(|| format!("nothing can be written in `{}`", folder.display()))?;
        Ok(Self {
            file,
            path: path.to_path_buf(),
            replace,
        })
    }

    /// Opens the file to write to.
    pub(super) fn file(&self) -> io::Result<File> {
        self.file.as_file().try_clone()
    }

    /// Gives it its name, once it is on the disk.
    pub(super) fn keep(self) -> anyhow::Result<()> {
        let shown = self.path.display().to_string();
        let cannot = || format!("`{shown}` cannot be written");
        self.file.as_file().sync_all().with_context(cannot)?;
        let kept = if self.replace {
            self.file.persist(&self.path)
        } else {
            self.file.persist_noclobber(&self.path)
        };
        kept.map_err(|error| error.error).with_context(cannot)?;
        #[cfg(unix)]
        File::open(folder(&self.path))
            .and_then(|folder| folder.sync_all())
            .with_context(cannot)?;
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    let parent = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

fn is_export(path: &Path, metadata: &Metadata) -> bool {
    let mut beginning = [0; BEGINNING.len()];
    if !metadata.is_file() {
        return false;
    }
    let read = File::open(path).and_then(|mut file| file.read_exact(&mut beginning));
    read.is_ok() && beginning == *BEGINNING
}

#[cfg(unix)]
pub(super) fn others_may_read(metadata: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    metadata.is_file() && metadata.permissions().mode() & 0o004 != 0
}

#[cfg(not(unix))]
pub(super) fn others_may_read(_: &Metadata) -> bool {
    false
}
