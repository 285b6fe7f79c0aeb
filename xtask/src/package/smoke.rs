//! A short test of each package: it is unpacked with the tools of its kind, and its program runs from there.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::Value;

use super::{Packages, Release, argument, empty_folder, image};
use crate::command::{self, output, program, root, succeeds};

/// Files that both packages of distributions have.
const INSTALLED: [&str; 9] = [
    "usr/bin/narthex",
    "usr/lib/systemd/system/narthex.service",
    "etc/narthex/narthex.toml",
    "usr/share/man/man1/narthex.1.gz",
    "usr/share/man/man1/narthex-serve.1.gz",
    "usr/share/bash-completion/completions/narthex",
    "usr/share/zsh/vendor-completions/_narthex",
    "usr/share/fish/vendor_completions.d/narthex.fish",
    "usr/share/doc/narthex/LICENSE-MIT",
];

/// Tests every package.
pub(super) fn run(release: &Release, packages: &Packages) -> Result<()> {
    let folder = empty_folder("smoke")?;
    tarball(release, &packages.tarball, &folder.join("tarball")).context("the tarball")?;
    deb(release, &packages.deb, &folder.join("deb")).context("the Debian package")?;
    rpm(release, &packages.rpm, &folder.join("rpm")).context("the RPM package")?;
    image_root(release, &packages.image, &folder.join("image")).context("the image")?;
    chart(release, &packages.chart, &folder.join("chart")).context("the chart")?;
    bill(release).context("the bill of materials")?;
    fs::remove_dir_all(&folder)?;
    println!("\nEach package was unpacked, and its program ran.");
    Ok(())
}

fn tarball(release: &Release, path: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = format!("--file={}", argument(path));
    command::run(&mut program("tar", &["-xz", &file, "--directory", &argument(folder)]))?;
    let folder = folder.join(format!("narthex-{}-x86_64-linux", release.version));
    ensure!(
        folder.join("share/man/man1/narthex-serve.1").is_file(),
        "a manual page is missing"
    );
    runs(release, &folder.join("bin/narthex"))
}

fn deb(release: &Release, path: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    command::run(&mut program(
        "dpkg-deb",
        &["--extract", &argument(path), &argument(folder)],
    ))?;
    installed(release, folder)?;
    let fields = output(&mut program("dpkg-deb", &["--field", &argument(path)]))?;
    let wanted = ["Package: narthex", "Architecture: amd64"];
    for field in wanted {
        ensure!(
            fields.lines().any(|line| line == field),
            "`{field}` is missing:\n{fields}"
        );
    }
    let control = folder.join("control");
    command::run(&mut program(
        "dpkg-deb",
        &["--control", &argument(path), &argument(&control)],
    ))?;
    let conffiles = fs::read_to_string(control.join("conffiles"))?;
    ensure!(
        conffiles.trim() == "/etc/narthex/narthex.toml",
        "an update would replace the configuration"
    );
    for script in ["postinst", "prerm", "postrm"] {
        command::run(&mut program("sh", &["-n", &argument(&control.join(script))]))?;
    }
    Ok(())
}

fn rpm(release: &Release, path: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let script = "rpm2cpio \"$1\" | cpio --extract --make-directories --quiet";
    let mut unpack = program("sh", &["-ec", script, "sh", &argument(path)]);
    command::run(unpack.current_dir(folder))?;
    installed(release, folder)?;
    let rpm = |query: &str| output(&mut program("rpm", &["--query", "--package", query, &argument(path)]));
    ensure!(
        rpm("--configfiles")?.trim() == "/etc/narthex/narthex.toml",
        "an update would replace the configuration"
    );
    let scripts = rpm("--scripts")?;
    ensure!(
        scripts.contains("useradd") && scripts.contains("postuninstall"),
        "scripts are missing:\n{scripts}"
    );
    Ok(())
}

/// Checks the files that a package of a distribution installs.
fn installed(release: &Release, folder: &Path) -> Result<()> {
    for name in INSTALLED {
        ensure!(folder.join(name).is_file(), "`{name}` is missing");
    }
    runs(release, &folder.join("usr/bin/narthex"))
}

/// Unpacks the image and runs its program as its user, with the image as the whole file system.
fn image_root(release: &Release, path: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    image::unpack(path, folder)?;
    let inside = |arguments: &[&str]| {
        let mut command = program("chroot", &[]);
        command.arg(format!("--userspec={0}:{0}", image::USER));
        command.arg(folder).arg("/usr/local/bin/narthex").args(arguments);
        output(&mut command).context("running in the image's root needs root: run `cargo xtask package` as root")
    };
    ensure!(inside(&["--version"])? == format!("narthex {}", release.version));
    let time = "{{formatDate(now; 'YYYY-MM-DD HH:mm'; 'Asia/Tokyo')}}";
    let told = inside(&["template", "eval", time, "--at", "0"])?;
    ensure!(told == "\"1970-01-01 09:00\"", "the image knows no time zones: {told}");
    ensure!(
        folder.join("etc/ssl/certs/ca-certificates.crt").metadata()?.len() > 100_000,
        "no authorities"
    );
    Ok(())
}

fn chart(release: &Release, path: &Path, folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)?;
    let file = format!("--file={}", argument(path));
    command::run(&mut program("tar", &["-xz", &file, "--directory", &argument(folder)]))?;
    let chart = fs::read_to_string(folder.join("narthex/Chart.yaml"))?;
    for line in [
        format!("version: {}", release.version),
        format!("appVersion: \"{}\"", release.version),
    ] {
        ensure!(chart.lines().any(|found| found == line), "Chart.yaml has no `{line}`");
    }
    ensure!(
        folder.join("narthex/values.schema.json").is_file(),
        "values.schema.json is missing"
    );
    let helm = root().join("e2e/python/.venv/bin/helm");
    if !helm.exists() {
        println!("Helm is not installed (`cargo xtask setup`): the chart was unpacked and not rendered");
        return Ok(());
    }
    let settings = [
        "--set=image.repository=registry.example/narthex",
        "--set=secrets.store-url.name=database",
        "--set=secrets.secret-key.name=sealing",
    ];
    let mut render = program(&argument(&helm), &["template", "test", &argument(path)]);
    let rendered = output(render.args(settings))?;
    ensure!(rendered.contains("kind: Deployment"), "the chart renders no Deployment");
    Ok(())
}

fn bill(release: &Release) -> Result<()> {
    let path = release.out.join(format!("narthex-{}.cdx.json", release.version));
    let bill: Value = serde_json::from_slice(&fs::read(&path)?)?;
    let components = bill
        .get("components")
        .and_then(Value::as_array)
        .context("no components")?;
    for name in ["aws-lc-rs", "rustls", "rusqlite"] {
        let found = components
            .iter()
            .any(|component| component.get("name") == Some(&Value::from(name)));
        ensure!(found, "`{name}` is missing");
    }
    Ok(())
}

/// A program says its version and checks the configuration that it ships with.
fn runs(release: &Release, narthex: &Path) -> Result<()> {
    let narthex = argument(narthex);
    let version = output(&mut program(&narthex, &["--version"]))?;
    ensure!(version == format!("narthex {}", release.version), "it says `{version}`");
    let default = output(&mut program(&narthex, &["config", "default"]))?;
    ensure!(default.contains("[listen]"), "it has no default configuration");
    let folder = empty_folder("smoke-configuration")?;
    let path: PathBuf = folder.join("narthex.toml");
    fs::write(&path, "[listen]\npublic = \"127.0.0.1:8080\"\n")?;
    if !succeeds(&mut program(&narthex, &["config", "check", &argument(&path)])) {
        bail!("`narthex config check` refuses a configuration that is right");
    }
    Ok(())
}
