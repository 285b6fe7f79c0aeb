//! A time of day that a test moves, for the real binary.

use std::fs;
use std::path::Path;

use tempfile::TempDir;

/// Time of day of a process, moved by a number of seconds.
pub(crate) struct MovedClock(TempDir);

impl MovedClock {
    /// A clock that is moved by so many seconds from the beginning on.
    pub(crate) fn by(seconds: i64) -> Self {
        let clock = Self(tempfile::tempdir().unwrap());
        clock.move_to(seconds);
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/moved_clock/clock.c");
        let built = std::process::Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&clock.0.path().join("clock.so"), &source])
            .status();
        assert!(
            built
                .expect("`cc` is missing; `cargo xtask setup` installs it")
                .success()
        );
        clock
    }

    /// Moves it to so many seconds after the true time.
    pub(crate) fn move_to(&self, seconds: i64) {
        let beside = self.0.path().join("clock.new");
        fs::write(&beside, seconds.to_string()).unwrap();
        fs::rename(&beside, self.0.path().join("clock")).unwrap();
    }

    /// Variables for the process.
    pub(crate) fn environment(&self) -> [(&'static str, String); 2] {
        let path = |name: &str| self.0.path().join(name).to_string_lossy().into_owned();
        [("LD_PRELOAD", path("clock.so")), ("TEST_CLOCK", path("clock"))]
    }
}
