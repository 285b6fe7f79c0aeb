//! The first minutes of a user who has no compiler: from a package in a clean root to the first decision.
//!
//! Debian's installer of base systems makes the root. The demo stands in for the identity provider and the application; it is
//! the same program, so the root needs nothing else.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread::sleep,
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{Packages, Release, argument, empty_folder, image};
use crate::{
    command::{self, output, program, root, succeeds},
    test::now,
};

/// Time from the package to the first decision.
const LIMIT: Duration = Duration::from_mins(3);

/// Installs a package into a clean root.
type Install = fn(&Release, &Packages, &Path) -> Result<Installation>;

/// Packages that a user may begin with.
const INSTALLATIONS: [(&str, Install); 3] = [("deb", deb), ("tarball", tarball), ("image", image_root)];

/// Time for a server to listen.
const START: Duration = Duration::from_secs(20);

/// An installation inside of a root.
struct Installation {
    name: &'static str,
    root: PathBuf,
    /// Path of the program inside of the root.
    narthex: String,
    /// Path of the configuration inside of the root.
    config: String,
    /// User that serves.
    user: String,
}

/// A server that ends with this value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // Ignored: it may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Installs and tries each package that a user may begin with.
pub(super) fn run(release: &Release, packages: &Packages) -> Result<()> {
    ensure!(
        output(&mut program("id", &["-u"]))? == "0",
        "clean roots need root: run this with `sudo`"
    );
    let base = base()?;
    let mut taken = Vec::new();
    for (name, install) in INSTALLATIONS {
        let start = now();
        let installation = install(release, packages, &base)?;
        first_decision(&installation).with_context(|| format!("from the {name}"))?;
        let duration = now().saturating_sub(start);
        ensure!(
            duration < LIMIT,
            "from the {name}, the first decision took {duration:?}"
        );
        fs::remove_dir_all(&installation.root)?;
        taken.push((name, duration));
    }
    println!("\nFrom a clean root to the first decision:");
    for (name, duration) in taken {
        println!("  {name:<8} {:>5.1} s", duration.as_secs_f64());
    }
    Ok(())
}

/// A minimal Debian without a compiler; made once.
fn base() -> Result<PathBuf> {
    let path = root().join("target/package/debian");
    if path.join("usr/bin/dpkg").exists() && path.join(".complete").exists() {
        return Ok(path);
    }
    if !succeeds(&mut program("debootstrap", &["--version"])) {
        bail!("`debootstrap` is missing; run `apt-get install debootstrap` and then this again");
    }
    if path.exists() {
        fs::remove_dir_all(&path)?;
    }
    command::run_with_retries(|| {
        program(
            "debootstrap",
            &[
                "--variant=minbase",
                "--include=ca-certificates",
                "bookworm",
                &argument(&path),
            ],
        )
    })?;
    fs::write(path.join(".complete"), "")?;
    Ok(path)
}

/// A copy of the clean root.
fn copy(base: &Path, name: &str) -> Result<PathBuf> {
    let path = empty_folder(name)?;
    command::run(&mut program(
        "cp",
        &["-a", &format!("{}/.", argument(base)), &argument(&path)],
    ))?;
    for compiler in ["usr/bin/cc", "usr/bin/gcc", "usr/bin/rustc"] {
        ensure!(!path.join(compiler).exists(), "the clean root has a compiler");
    }
    Ok(path)
}

fn deb(_: &Release, packages: &Packages, base: &Path) -> Result<Installation> {
    let root = copy(base, "root-deb")?;
    fs::copy(&packages.deb, root.join("narthex.deb"))?;
    run_in(&root, None, &["dpkg", "--install", "/narthex.deb"])?;
    let unit = fs::read_to_string(root.join("usr/lib/systemd/system/narthex.service"))?;
    ensure!(
        unit.contains("ExecStart=/usr/bin/narthex serve --config /etc/narthex/narthex.toml"),
        "{unit}"
    );
    Ok(Installation {
        name: "deb",
        root,
        narthex: "/usr/bin/narthex".to_owned(),
        config: "/etc/narthex/narthex.toml".to_owned(),
        user: "narthex:narthex".to_owned(),
    })
}

fn tarball(release: &Release, packages: &Packages, base: &Path) -> Result<Installation> {
    let root = copy(base, "root-tarball")?;
    fs::copy(&packages.tarball, root.join("opt/narthex.tar.gz"))?;
    run_in(&root, None, &["tar", "-xzf", "/opt/narthex.tar.gz", "-C", "/opt"])?;
    fs::write(root.join("srv/narthex.toml"), LISTEN)?;
    Ok(Installation {
        name: "tarball",
        root,
        narthex: format!("/opt/narthex-{}-x86_64-linux/bin/narthex", release.version),
        config: "/srv/narthex.toml".to_owned(),
        user: "0:0".to_owned(),
    })
}

fn image_root(_: &Release, packages: &Packages, _: &Path) -> Result<Installation> {
    let root = empty_folder("root-image")?;
    image::unpack(&packages.image, &root)?;
    let store = "[store]\npath = \"/var/lib/narthex/narthex.db\"\n";
    fs::write(root.join("etc/narthex/narthex.toml"), format!("{LISTEN}{store}"))?;
    Ok(Installation {
        name: "image",
        root,
        narthex: "/usr/local/bin/narthex".to_owned(),
        config: "/etc/narthex/narthex.toml".to_owned(),
        user: format!("{0}:{0}", image::USER),
    })
}

/// Ports that the test replaces, because others on this machine may use them.
const LISTEN: &str = "[listen]\npublic = \"127.0.0.1:8080\"\nadmin = \"127.0.0.1:8081\"\n\n";

/// From an installation to an answer: a token, `init`, `config check`, `serve`, a request.
fn first_decision(installation: &Installation) -> Result<()> {
    let demo = ports(4)?;
    let own = ports(2)?;
    let _demo = serve(installation, &["demo", "--port", &demo.to_string()])?;
    let token = get(demo + 2, "/token?sub=ann&groups=staff", None)?;
    let token = body(&token).trim();

    let inside = installation.config.trim_start_matches('/');
    let path = installation.root.join(inside);
    let text = fs::read_to_string(&path)?;
    let text = text
        .replace(":8080", &format!(":{own}"))
        .replace(":8081", &format!(":{}", own + 1));
    fs::write(&path, text)?;
    let upstream = format!("http://127.0.0.1:{}", demo + 3);
    let (narthex, config) = (installation.narthex.as_str(), installation.config.as_str());
    run_in(
        &installation.root,
        None,
        &[narthex, "init", token, "--upstream", &upstream, "--config", config],
    )?;
    run_in(&installation.root, None, &[narthex, "config", "check", config])?;
    let _server = serve(installation, &["serve", "--config", config])?;
    let allowed = get(own, "/hello", Some(token))?;
    ensure!(allowed.starts_with("HTTP/1.1 200"), "with the token: {allowed}");
    // The demo's application answers with the caller that it was told of.
    ensure!(
        body(&allowed).contains("\"external-id\":\"ann\""),
        "the application saw no user: {allowed}"
    );
    let refused = get(own, "/hello", None)?;
    ensure!(refused.starts_with("HTTP/1.1 401"), "without a token: {refused}");
    Ok(())
}

/// Runs a program inside of a root to its end.
fn run_in(root: &Path, user: Option<&str>, arguments: &[&str]) -> Result<()> {
    command::run(&mut inside(root, user, arguments))
}

fn inside(root: &Path, user: Option<&str>, arguments: &[&str]) -> Command {
    let mut command = program("chroot", &[]);
    if let Some(user) = user {
        command.arg(format!("--userspec={user}"));
    }
    command.arg(root).args(arguments);
    command.env("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
    command
}

/// Starts a server of an installation as its user. The last argument of `demo` is its port; `serve` listens as configured.
fn serve(installation: &Installation, arguments: &[&str]) -> Result<Server> {
    let arguments = [&[installation.narthex.as_str()], arguments].concat();
    println!("\n$ {} ({})", arguments.join(" "), installation.name);
    let mut command = inside(&installation.root, Some(&installation.user), &arguments);
    let child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    Ok(Server(child))
}

/// The first of so many ports in a row that are free now.
fn ports(count: u16) -> Result<u16> {
    for _ in 0..100 {
        let first = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
        if (0..count).all(|offset| first.checked_add(offset).is_some_and(is_free)) {
            return Ok(first);
        }
    }
    bail!("there are no {count} free ports in a row")
}

/// The answer to a GET on loopback, head and body. Waits for the server to listen.
fn get(port: u16, target: &str, token: Option<&str>) -> Result<String> {
    let deadline = now() + START;
    let mut stream = loop {
        match TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, port))) {
            Ok(stream) => break stream,
            Err(error) if now() > deadline => {
                return Err(error).with_context(|| format!("nothing listens on port {port} after {START:?}"));
            }
            Err(_) => sleep(Duration::from_millis(20)),
        }
    };
    stream.set_read_timeout(Some(START))?;
    let credential = token.map_or_else(String::new, |token| format!("Authorization: Bearer {token}\r\n"));
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{credential}Connection: close\r\n\r\n"
    )?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The part of an answer behind its head.
fn body(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_has_a_head_and_a_body() {
        assert_eq!(body("HTTP/1.1 200 OK\r\nA: b\r\n\r\neyJ.x.y\n").trim(), "eyJ.x.y");
        assert_eq!(body("HTTP/1.1 200 OK\r\n"), "");
    }

    #[test]
    fn free_ports_come_in_a_row() {
        let first = ports(4).unwrap();
        assert!(TcpListener::bind((Ipv4Addr::LOCALHOST, first + 3)).is_ok());
    }
}
