//! Files of the packages beside the binary: manual pages, completions, unit, configuration, scripts.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use super::{argument, empty_folder};
use crate::command::{self, output, program, root};

/// Shells, with the names under which each looks for its script.
const COMPLETIONS: [(&str, &str); 3] = [("bash", "narthex"), ("zsh", "_narthex"), ("fish", "narthex.fish")];

/// Fills `target/package/stage`, from which every package takes its files.
pub(super) fn fill(binary: &Path) -> Result<PathBuf> {
    let stage = empty_folder("stage")?;
    let here = |name: &str| -> Result<PathBuf> {
        let path = stage.join(name);
        let parent = path.parent().context("the stage has folders")?;
        fs::create_dir_all(parent)?;
        Ok(path)
    };
    fs::copy(binary, here("bin/narthex")?).with_context(|| format!("copying {}", binary.display()))?;
    fs::create_dir_all(stage.join("man1"))?;
    let narthex = argument(&stage.join("bin/narthex"));
    command::run(&mut program(&narthex, &["manual", &argument(&stage.join("man1"))]))?;
    // Only one of the two tools compresses them itself.
    let script = "mkdir man1.gz && cp man1/*.1 man1.gz && gzip --no-name --best man1.gz/*.1";
    command::run(program("sh", &["-ec", script]).current_dir(&stage))?;
    for (shell, name) in COMPLETIONS {
        let script = output(&mut program(&narthex, &["completions", shell]))?;
        fs::write(here(&format!("completions/{shell}/{name}"))?, script + "\n")?;
    }
    let unit = read("deploy/systemd/narthex.service")?;
    fs::write(here("narthex.service")?, packaged_unit(&unit)?)?;
    for (from, to) in [
        ("deploy/packages/narthex.toml", "narthex.toml"),
        ("deploy/packages/README", "README"),
        ("LICENSE-MIT", "LICENSE-MIT"),
        ("LICENSE-APACHE", "LICENSE-APACHE"),
        ("CHANGELOG.md", "CHANGELOG.md"),
    ] {
        fs::copy(root().join(from), here(to)?).with_context(|| format!("copying {from}"))?;
    }
    let account = read("deploy/packages/account.sh")?;
    for script in [
        "debian/postinst",
        "debian/prerm",
        "debian/postrm",
        "rpm/post",
        "rpm/preun",
        "rpm/postun",
    ] {
        let text = read(&format!("deploy/packages/{script}"))?;
        let path = here(script)?;
        fs::write(&path, text.replace("# account.sh\n", &account))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    }
    Ok(stage)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("reading {path}"))
}

/// The unit for a package: the program in `/usr/bin`, a user that stays, and secrets that this user reads itself.
fn packaged_unit(unit: &str) -> Result<String> {
    let changes = [
        ("/usr/local/bin/narthex", "/usr/bin/narthex"),
        (
            "# A user that exists while the service runs; its files are in /var/lib/narthex.\nDynamicUser=yes\n",
            "User=narthex\nGroup=narthex\n",
        ),
        (
            "# SECURITY: secrets stay root's. The service sees copies in memory, as /run/credentials/narthex.service/NAME.\n\
             LoadCredential=secret-key:/etc/narthex/secret-key\n\
             #LoadCredential=store-url:/etc/narthex/store-url\n",
            "",
        ),
    ];
    let mut text = unit.to_owned();
    for (from, to) in changes {
        if text.matches(from).count() != 1 {
            bail!(
                "deploy/systemd/narthex.service has not exactly one `{}`",
                from.trim_end()
            );
        }
        text = text.replace(from, to);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packaged_unit_runs_as_a_user_that_stays() {
        let unit = packaged_unit(&read("deploy/systemd/narthex.service").unwrap()).unwrap();
        assert!(
            unit.contains("\nUser=narthex\n") && unit.contains("ExecStart=/usr/bin/narthex serve"),
            "{unit}"
        );
        assert!(
            !unit.contains("DynamicUser") && !unit.contains("LoadCredential"),
            "{unit}"
        );
        assert!(packaged_unit("[Service]\n").is_err());
    }

    #[test]
    fn the_scripts_of_both_packages_create_the_account() {
        for script in ["debian/postinst", "rpm/post"] {
            let text = read(&format!("deploy/packages/{script}")).unwrap();
            assert!(text.contains("# account.sh\n"), "{script}");
        }
    }
}
