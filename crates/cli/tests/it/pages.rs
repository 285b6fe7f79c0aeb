//! Pages whose commands and configurations are tried as they stand, beside those in `how_to.rs`.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use narthex_testkit::keys::TestKey;
use narthex_testkit::process::{Process, two_free_addresses};
use narthex_testkit::{IdentityProvider, TestIssuer, Upstream, repository};

use crate::commands::{narthex, narthex_in};
use crate::how_to::blocks;

fn page(path: &str) -> String {
    std::fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Checks a configuration in a folder of its own, with the files that providers' sections name.
fn is_accepted(configuration: &str) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    file("narthex.toml", configuration);
    file("ca.crt", &page("crates/token/tests/vectors/certificate.pem"));
    file("token", "token");
    let private = std::fs::Permissions::from_mode(0o600);
    std::fs::set_permissions(folder.path().join("token"), private).unwrap();
    let ended = narthex_in(folder.path(), &["config", "check"], "");
    assert_eq!(ended.code, 0, "{configuration}\n{ended:?}");
    assert!(ended.stderr.contains("no problems"), "{configuration}\n{ended:?}");
}

#[test]
fn the_readme_s_configuration_is_accepted() {
    let [configuration] = blocks(&page("README.md"), "toml").try_into().unwrap();
    is_accepted(&configuration);
}

/// Length of the README, and its two commands.
#[test]
fn the_readme_is_short_and_its_commands_exist() {
    let readme = page("README.md");
    assert!(
        readme.lines().count() <= 100,
        "README.md is longer than a screen and a half"
    );
    let [commands] = blocks(&readme, "sh").try_into().unwrap();
    assert_eq!(commands, "cargo run -- demo\ncargo xtask test");
    let aliases = page(".cargo/config.toml");
    assert!(aliases.contains("xtask = "), "{aliases}");
}

#[test]
fn the_configuration_of_every_identity_provider_is_accepted() {
    let page = page("docs/how-to/identity-providers.md");
    let configurations = blocks(&page, "toml");
    assert!(configurations.len() >= 12, "{}", configurations.len());
    let route = "[[route]]\npath = \"/{*path}\"\nrequire = \"authenticated\"\nupstream = \"http://127.0.0.1:9000\"\n";
    for configuration in configurations {
        is_accepted(&format!("{configuration}\n\n{route}"));
    }
}

/// The pages for administrators, one after the other, on a server with one user: each command does what it says.
#[test]
fn the_administrators_pages_can_be_followed() {
    let folder = tempfile::tempdir().unwrap();
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let upstream = Upstream::start().unwrap();
    let (public, admin) = two_free_addresses().unwrap();
    let configuration = format!(
        "[listen]\npublic = \"{public}\"\nadmin = \"{admin}\"\n\n[[issuer]]\nname = \"corp\"\nissuer = \"{}\"\n\
         discovery = true\naudiences = [\"my-app\"]\n\n[issuer.tags]\nclaim = \"groups\"\n\n[[route]]\n\
         path = \"/orgs/{{organization}}/{{*rest}}\"\nrequire = \"organization:member\"\nupstream = \"{}\"\n",
        idp.url(),
        upstream.url()
    );
    std::fs::write(folder.path().join("narthex.toml"), configuration).unwrap();
    let token = TestIssuer::new(&idp.url()).audience("my-app").token();
    let token = token.subject("ann").tags(["acme-staff"]).sign();
    let binary = Path::new(env!("CARGO_BIN_EXE_narthex"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let mut command = Command::new(binary);
    let mut server = Process::start(command.arg("serve").current_dir(folder.path())).unwrap();
    server.wait_for_port(public).unwrap();
    server.wait_for_port(admin).unwrap();
    let key = narthex_in(folder.path(), &["key", "create"], "").stdout;
    let run = |commands: &str| {
        let commands = commands
            .replace("127.0.0.1:8080", &public.to_string())
            .replace("127.0.0.1:8081", &admin.to_string());
        let output = Command::new("sh")
            .args(["-ec", &format!("exec 2>&1; {commands}")])
            .current_dir(folder.path())
            .env("PATH", &path)
            .env("KEY", key.trim())
            .env("TOKEN", &token)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{commands}\n{printed}\n{}", server.output());
        printed
    };

    let mut organizations = blocks(&page("docs/how-to/organizations.md"), "sh").into_iter();
    let create = organizations.next().unwrap();
    assert!(run(&create).contains("acme-staff"), "{create}");
    // Ann signs in for the first time.
    let [ask, explain] = blocks(&page("docs/how-to/why-refused.md"), "sh").try_into().unwrap();
    assert!(run(&ask).contains("HTTP/1.1 200"));
    assert!(run(&explain).starts_with("✓ 200"));
    let told: String = organizations.map(|commands| run(&commands)).collect();
    assert!(told.contains("ticket 1234") || told.contains("ann"), "{told}");

    let [person, members, audit] = blocks(&page("docs/how-to/who-had-what.md"), "sh").try_into().unwrap();
    assert!(run(&person).contains("acme"));
    assert!(run(&members).contains("ann"));
    assert!(run(&audit).contains("\"items\":"));

    for commands in blocks(&page("docs/how-to/off-boarding.md"), "sh") {
        run(&commands);
    }
    let answer = run(&ask);
    assert!(answer.contains("HTTP/1.1 401"), "ann is disabled, and erased: {answer}");
}

/// The page of metrics has a row for each name in the code, and no other.
#[test]
fn every_metric_has_its_row() {
    let mut found = BTreeSet::new();
    for file in ["crates/engine/src/metrics.rs", "crates/admin_port/src/port.rs"] {
        let text = page(file);
        for literal in text.split('"').filter(|text| text.starts_with("narthex_")) {
            // Tests write samples, with labels or suffixes.
            let is_name = literal.bytes().all(|byte| byte == b'_' || byte.is_ascii_lowercase());
            if is_name && !literal.ends_with("_count") {
                found.insert(literal.to_owned());
            }
        }
    }
    let rows: BTreeSet<String> = page("docs/reference/metrics.md")
        .lines()
        .filter_map(|line| Some(line.strip_prefix("| `narthex_")?.split('`').next()?.to_owned()))
        .map(|rest| format!("narthex_{rest}"))
        .collect();
    assert_eq!(rows, found);
}

/// Every page is in the index, so that a reader finds it.
#[test]
fn the_index_has_every_page() {
    let index = page("docs/README.md");
    for folder in ["how-to", "reference", "explanation", "tutorial"] {
        for entry in std::fs::read_dir(repository().join("docs").join(folder)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.file_name().unwrap().to_str().unwrap();
                assert!(
                    index.contains(&format!("({folder}/{name}")),
                    "docs/README.md lacks {folder}/{name}"
                );
            }
        }
    }
}

/// The simulation agrees with the model of the page.
#[test]
fn the_model_of_scale_holds() {
    let script = repository().join("docs/explanation/scale.py");
    let output = Command::new("python3").arg(script).arg("simulate").output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{printed}");
    let page = page("docs/explanation/scale.md");
    let rows: Vec<&str> = printed.lines().filter(|line| line.starts_with("| 1")).collect();
    assert!(
        !rows.is_empty() && rows.iter().all(|row| page.contains(row)),
        "{printed}"
    );
}

/// `narthex manual` writes a page for each command.
#[test]
fn the_manual_has_a_page_for_each_command() {
    let folder = tempfile::tempdir().unwrap();
    let ended = narthex(&["manual", &folder.path().to_string_lossy()]);
    assert_eq!(ended.code, 0, "{ended:?}");
    for name in ["narthex.1", "narthex-serve.1", "narthex-organization-create.1"] {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(text.contains(".SH SYNOPSIS"), "{name}: {text}");
    }
    let ended = narthex(&["manual", "/no/such/folder"]);
    assert!(
        ended.code == 1 && ended.stderr.contains("make the folder first"),
        "{ended:?}"
    );
}
