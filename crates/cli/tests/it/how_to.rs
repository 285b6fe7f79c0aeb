//! The tutorial and the how-to pages whose commands can be run as they stand.

use std::path::Path;
use std::process::Command;

use narthex_testkit::keys::{TestKey, key_set};
use narthex_testkit::process::{Process, two_free_addresses};
use narthex_testkit::{IdentityProvider, TestIssuer, Upstream};

/// The lines of the fenced blocks of a language, without the page's indentation.
pub(crate) fn blocks(page: &str, language: &str) -> Vec<String> {
    page.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.strip_prefix(language)?.strip_prefix('\n'))
        .map(|block| {
            let lines = block.lines().map(|line| line.strip_prefix("   ").unwrap_or(line));
            lines.collect::<Vec<_>>().join("\n").trim_end().to_owned()
        })
        .collect()
}

/// Each command of the page prints what stands below it.
#[test]
fn how_to_try_templates() {
    let page = std::fs::read_to_string(narthex_testkit::repository().join("docs/how-to/try-templates.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let [context] = blocks(&page, "json").try_into().unwrap();
    std::fs::write(folder.path().join("context.json"), context).unwrap();
    let [console] = blocks(&page, "console").try_into().unwrap();
    let binary = Path::new(env!("CARGO_BIN_EXE_narthex"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let mut commands = 0;
    for part in console.split("$ ").skip(1) {
        let (command, expected) = part.split_once('\n').unwrap_or((part, ""));
        let output = Command::new("sh")
            .args(["-c", &format!("exec 2>&1; {command}")])
            .current_dir(folder.path())
            .env("PATH", &path)
            .output()
            .unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert_eq!(printed.trim_end(), expected.trim_end(), "{command}");
        commands += 1;
    }
    assert!(commands >= 10, "{commands}");
}

/// The move, as the page has it, with a real database.
#[test]
fn how_to_move_to_postgresql() {
    let page = narthex_testkit::repository().join("docs/how-to/move-to-postgresql.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let database = narthex_testkit::postgres::Cluster::shared().unwrap();
    let database = database.empty_database().unwrap();
    let file = |name: &str, content: &str| std::fs::write(folder.path().join(name), content).unwrap();
    // Other sections have a `path` too, which stays as it is.
    // `doctor` looks whether the application is there.
    let application = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = application.local_addr().unwrap();
    let route = &format!("[[route]]\npath = \"/x\"\nrequire = \"authenticated\"\nupstream = \"http://{upstream}\"\n");
    let issuer = "[[issuer]]\nname = \"corp\"\nissuer = \"https://idp.test\"\njwks_file = \"jwks.json\"\n\
                  audiences = [\"narthex\"]\n";
    let store = "[store]\npath = \"narthex.db\"\n";
    file(
        "narthex.toml",
        &[route, store, issuer, route.replace("/x", "/y").as_str()].concat(),
    );
    file("jwks.json", &key_set(&[TestKey::Rsa1]).to_string());
    file("store-url", &database.tcp_url());
    let binary = Path::new(env!("CARGO_BIN_EXE_narthex"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let run = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-ec", &format!("exec 2>&1; {script}")]);
        let output = command.current_dir(folder.path()).env("PATH", &path).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{script}\n{printed}");
        printed
    };
    run("narthex organization create acme --realm corp");
    let commands = blocks(&page, "sh");
    assert!(commands.len() >= 4, "{commands:?}");
    let mut digests = Vec::new();
    for commands in commands {
        let printed = run(&commands);
        digests.extend(
            printed
                .lines()
                .filter(|line| line.starts_with("sha256"))
                .map(str::to_owned),
        );
    }
    assert_eq!(digests.len(), 2, "{digests:?}");
    assert_eq!(digests[0], digests[1]);
    assert!(run("narthex organization list --config new.toml").contains("acme"));
    let changed = run("diff narthex.toml new.toml || true");
    assert_eq!(
        changed,
        "6c6\n< path = \"narthex.db\"\n---\n> url_file = \"store-url\"\n"
    );
}

/// The tutorial from its second step on, with an identity provider, an application and ports of the test.
#[test]
fn tutorial_first_route() {
    let page = narthex_testkit::repository().join("docs/tutorial/first-route.md");
    let page = std::fs::read_to_string(page).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let idp = IdentityProvider::start(&[TestKey::Rsa1]).unwrap();
    let upstream = Upstream::start().unwrap();
    let (public, admin) = two_free_addresses().unwrap();
    let [config] = blocks(&page, "toml").try_into().unwrap();
    let config = config
        .replace("https://id.example.com", &idp.url())
        .replace("http://127.0.0.1:9000", &upstream.url());
    let listen = format!("[listen]\npublic = \"{public}\"\nadmin = \"{admin}\"\n\n");
    std::fs::write(folder.path().join("narthex.toml"), listen + &config).unwrap();
    let token = TestIssuer::new(&idp.url()).audience("my-app").token();
    let token = token.subject("alice").tags(["acme-staff"]).sign();

    let binary = Path::new(env!("CARGO_BIN_EXE_narthex"));
    let path = format!("{}:/usr/bin:/bin", binary.parent().unwrap().display());
    let shell = |script: &str| {
        let mut command = Command::new("sh");
        command.args(["-ec", &format!("exec 2>&1; {script}")]);
        command.current_dir(folder.path()).env("PATH", &path);
        command
    };
    let [install, check, explain, serve, ask, directory] = blocks(&page, "sh").try_into().unwrap();
    assert!(install.starts_with("cargo install "), "{install}");
    // What is set in one step is there in the next ones, as in a terminal.
    let mut terminal = String::new();
    let mut run = |commands: &str| {
        let commands = commands
            .replace("eyJ…", &token)
            .replace("127.0.0.1:8080", &public.to_string())
            .replace("127.0.0.1:8081", &admin.to_string());
        let output = shell(&format!("{terminal}{commands}")).output().unwrap();
        let printed = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{commands}\n{printed}");
        for line in commands.lines().filter(|line| line.starts_with("TOKEN=")) {
            terminal.push_str(line);
            terminal.push('\n');
        }
        printed
    };
    run(&check);
    let explained = run(&explain);
    assert!(explained.starts_with("✓ 200 the request may pass"), "{explained}");
    let mut server = Process::start(&mut shell(&format!("exec {serve}"))).unwrap();
    server.wait_for_port(public).unwrap();
    server.wait_for_port(admin).unwrap();
    let answer = run(&ask);
    assert!(answer.contains("HTTP/1.1 200"), "{answer}\n{}", server.output());
    let seen = upstream.last().unwrap();
    assert_eq!(seen.header("x-narthex-organization-role").as_deref(), Some("member"));
    assert!(seen.header("authorization").is_none() && seen.header("x-narthex-assertion").is_some());
    let told = run(&directory);
    assert_eq!(told.matches("alice").count(), 4, "in the table and in JSON: {told}");
}
