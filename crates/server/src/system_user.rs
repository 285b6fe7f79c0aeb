//! The system user whose process this is, for the audit trail.

use narthex_directory::Actor;

/// A command, by the system user who runs it.
pub fn actor() -> Actor {
    Actor::CommandLine(Some(system_user()))
}

/// Name of the system user, as the audit trail has it.
pub fn name() -> String {
    system_user()
}

/// The user as `alice (uid 1000)`; only the number where the system knows no name for it.
///
/// SECURITY: by the number that the system gave the process, and the system's own table of names. `USER`, `LOGNAME` and
/// `SUDO_USER` say what the caller wants them to.
fn system_user() -> String {
    let uid = rustix::process::geteuid().as_raw();
    let name = whoami::username().unwrap_or_default();
    let name: String = name
        .chars()
        .filter(|character| !character.is_control())
        .take(NAME_LENGTH_MAX)
        .collect();
    if name.is_empty() {
        format!("uid {uid}")
    } else {
        format!("{name} (uid {uid})")
    }
}

/// The longest name that is recorded, in characters: what systems allow is shorter.
const NAME_LENGTH_MAX: usize = 128;
