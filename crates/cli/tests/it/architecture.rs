//! The structure, enforced: which crate may use which, what the pure crates stay free of, that the documents' paths
//! exist, and that nothing banned is in the tree.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PREFIX: &str = "narthex-";

/// The layers, from the ground up, and the dependencies that each crate may have on others, beside those of its tests.
const ARROWS: &[(&str, &[&str])] = &[
    // ground
    ("token", &[]),
    ("template", &[]),
    ("names", &[]),
    ("listener", &[]),
    ("telemetry", &[]),
    ("scim", &[]),
    ("settings-reader", &[]),
    ("testkit", &[]),
    // records
    ("directory", &["names"]),
    ("conformance", &["directory"]),
    // second
    ("mapping", &["token", "template", "directory"]),
    ("decision", &["directory", "template"]),
    ("mint", &["token", "template"]),
    ("usage", &["directory"]),
    ("tally", &["directory"]),
    ("revocation", &["token", "directory"]),
    ("memory", &["directory", "usage"]),
    ("tables", &["directory"]),
    ("clock", &["directory"]),
    ("audit", &["directory"]),
    ("terminal", &["template"]),
    ("dpop", &["token"]),
    ("proposal", &["token"]),
    ("introspection", &["fetch"]),
    // third
    ("connection", &["template", "mint"]),
    ("sqlite", &["directory", "tables", "usage"]),
    ("postgres", &["directory", "tables", "usage"]),
    ("store", &["directory", "tables", "sqlite", "postgres"]),
    // outward
    ("fetch", &["token", "template", "directory", "clock", "connection"]),
    ("webhooks", &["directory", "clock", "fetch"]),
    // applications
    ("tower", &["token", "clock", "fetch"]),
    // clients
    ("assertion", &["directory"]),
    ("openid", &["fetch"]),
    ("session", &["directory", "clock"]),
    // run
    (
        "engine",
        &[
            "token",
            "template",
            "directory",
            "listener",
            "mapping",
            "decision",
            "clock",
            "fetch",
            "assertion",
            "openid",
            "session",
            "dpop",
            "introspection",
            "tally",
            "revocation",
        ],
    ),
    // reasons
    (
        "explain",
        &["token", "directory", "mapping", "decision", "fetch", "engine"],
    ),
    // settings
    (
        "config",
        &[
            "token",
            "directory",
            "mapping",
            "decision",
            "store",
            "fetch",
            "openid",
            "introspection",
            "listener",
            "settings-reader",
            "engine",
        ],
    ),
    ("issuers", &["token", "directory", "config"]),
    // pages
    (
        "login",
        &["token", "directory", "decision", "openid", "session", "engine"],
    ),
    // actions
    (
        "ops",
        &[
            "audit",
            "template",
            "directory",
            "mapping",
            "decision",
            "clock",
            "connection",
            "fetch",
            "proposal",
            "session",
            "webhooks",
            "engine",
            "explain",
            "config",
            "issuers",
        ],
    ),
    // admin
    (
        "admin",
        &[
            "directory",
            "decision",
            "clock",
            "connection",
            "fetch",
            "engine",
            "explain",
            "config",
            "issuers",
            "ops",
        ],
    ),
    (
        "admin-port",
        &[
            "token",
            "directory",
            "listener",
            "decision",
            "clock",
            "fetch",
            "engine",
            "explain",
            "issuers",
            "login",
            "ops",
            "admin",
        ],
    ),
    // admin, as pages
    ("console-frame", &["directory", "decision", "engine", "ops"]),
    (
        "console",
        &[
            "directory",
            "decision",
            "session",
            "engine",
            "explain",
            "issuers",
            "ops",
            "console-frame",
        ],
    ),
    // upstreams
    ("upstream", &["listener", "fetch", "engine"]),
    // doors
    (
        "gateway",
        &[
            "directory",
            "listener",
            "telemetry",
            "decision",
            "engine",
            "login",
            "upstream",
        ],
    ),
    ("ext-authz", &["listener", "telemetry", "decision", "engine"]),
    // running
    (
        "server",
        &[
            "token",
            "template",
            "directory",
            "listener",
            "telemetry",
            "decision",
            "audit",
            "store",
            "clock",
            "fetch",
            "openid",
            "dpop",
            "introspection",
            "session",
            "webhooks",
            "engine",
            "config",
            "issuers",
            "ops",
            "admin-port",
            "console",
            "upstream",
            "gateway",
            "ext-authz",
        ],
    ),
    // checks
    (
        "doctor",
        &[
            "token",
            "directory",
            "store",
            "terminal",
            "fetch",
            "engine",
            "config",
            "ops",
            "upstream",
        ],
    ),
    ("demo", &["token", "clock", "config"]),
    // top
    (
        "cli",
        &[
            "token",
            "template",
            "directory",
            "mapping",
            "decision",
            "mint",
            "memory",
            "audit",
            "terminal",
            "store",
            "clock",
            "connection",
            "fetch",
            "proposal",
            "webhooks",
            "engine",
            "explain",
            "config",
            "issuers",
            "admin",
            "server",
            "doctor",
            "demo",
        ],
    ),
];

const PURE: &[&str] = &[
    "token",
    "template",
    "names",
    "directory",
    "mapping",
    "decision",
    "mint",
    "connection",
    "dpop",
    "scim",
    "proposal",
    "audit",
    "tally",
];

/// What does I/O, keeps time or makes randomness.
const IMPURE: &[&str] = &[
    "tokio",
    "hyper",
    "reqwest",
    "axum",
    "rusqlite",
    "tokio-postgres",
    "sqlx",
    "mio",
    "socket2",
    "rand",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(root())
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn array<'v>(value: &'v Value, member: &str) -> &'v [Value] {
    value[member]
        .as_array()
        .unwrap_or_else(|| panic!("`{member}` is a list"))
}

fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value[member].as_str().unwrap_or_else(|| panic!("`{member}` is text"))
}

/// The normal dependencies of every package, by package id.
fn normal_dependencies(metadata: &Value) -> HashMap<&str, Vec<&str>> {
    let nodes = array(&metadata["resolve"], "nodes").iter();
    nodes
        .map(|node| {
            let is_normal =
                |dependency: &&Value| array(dependency, "dep_kinds").iter().any(|kind| kind["kind"].is_null());
            let normal = array(node, "deps")
                .iter()
                .filter(is_normal)
                .map(|dependency| text(dependency, "pkg"));
            (text(node, "id"), normal.collect())
        })
        .collect()
}

fn names(metadata: &Value) -> HashMap<&str, &str> {
    array(metadata, "packages")
        .iter()
        .map(|package| (text(package, "id"), text(package, "name")))
        .collect()
}

#[test]
fn arrows_between_crates_point_down() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, BTreeSet<&str>> = ARROWS
        .iter()
        .map(|(from, to)| (*from, to.iter().copied().collect()))
        .collect();
    let (names, dependencies) = (names(&metadata), normal_dependencies(&metadata));
    let mut seen = BTreeSet::new();
    for (id, name) in &names {
        let Some(crate_name) = name.strip_prefix(PREFIX) else {
            continue;
        };
        seen.insert(crate_name);
        let allowed = allowed
            .get(crate_name)
            .unwrap_or_else(|| panic!("`{name}` is not in the table of arrows; add it with thought"));
        let ours = dependencies[id]
            .iter()
            .filter_map(|dependency| names[dependency].strip_prefix(PREFIX));
        for dependency in ours {
            assert!(
                allowed.contains(dependency),
                "`{crate_name}` must not depend on `{dependency}`"
            );
        }
    }
    assert_eq!(
        seen,
        allowed.keys().copied().collect(),
        "the table of arrows names crates that do not exist"
    );
}

#[test]
fn pure_crates_stay_free_of_input_and_output() {
    let metadata = metadata();
    let (names, dependencies) = (names(&metadata), normal_dependencies(&metadata));
    for pure in PURE {
        let (start, _) = names
            .iter()
            .find(|(_, name)| **name == format!("{PREFIX}{pure}"))
            .expect("the crate exists");
        let mut left = vec![*start];
        let mut seen = BTreeSet::new();
        while let Some(id) = left.pop() {
            if seen.insert(id) {
                assert!(
                    !IMPURE.contains(&names[id]),
                    "`{pure}` is pure and must not bring in `{}`",
                    names[id]
                );
                left.extend(&dependencies[id]);
            }
        }
    }
}

#[test]
fn every_crate_takes_the_workspace_lints() {
    for folder in ["crates", "xtask"] {
        let root = root().join(folder);
        let manifests: Vec<PathBuf> = match folder {
            "crates" => std::fs::read_dir(&root)
                .unwrap()
                .map(|entry| entry.unwrap().path().join("Cargo.toml"))
                .collect(),
            _ => vec![root.join("Cargo.toml")],
        };
        for manifest in manifests {
            let text = std::fs::read_to_string(&manifest).unwrap();
            assert!(
                text.contains("[lints]\nworkspace = true"),
                "{} does not take the workspace's lints",
                manifest.display()
            );
        }
    }
}

/// No crate is larger than a person can survey, and the doors stay thin. Lines of tests do not count.
#[test]
fn crates_stay_small() {
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        let lines: usize = sources(&folder.join("src"))
            .iter()
            .map(|file| lines_of_code(file))
            .sum();
        let most = if name == "gateway" { 3_000 } else { 9_000 };
        assert!(
            lines <= most,
            "crates/{name} has {lines} lines; at most {most} are allowed"
        );
        assert!(lines > 0, "crates/{name} has no source");
    }
}

/// The straight line that every request takes can be read at one sitting.
#[test]
fn the_request_path_stays_short() {
    let lines = lines_of_code(&root().join("crates/engine/src/pipeline.rs"));
    assert!(
        (1..=120).contains(&lines),
        "it has {lines} lines; at most 120 are allowed"
    );
}

/// The operations of an administrator are apart from HTTP, so that the console calls them as the API does.
///
/// They may use `http::HeaderMap`, because an issuer's templates read the headers that come with a token, and the values of
/// `serde_json`, because parameters of connections, contexts of users and details of events are such values.
#[test]
fn operations_know_nothing_of_http_and_write_no_json() {
    let files = sources(&root().join("crates/ops/src"));
    assert!(files.len() > 15, "only {} files were read", files.len());
    for file in files {
        let text = std::fs::read_to_string(&file).unwrap();
        for word in ["axum", "utoipa", "StatusCode", "serde_json::json", "json!("] {
            assert!(!text.contains(word), "{} mentions `{word}`", file.display());
        }
        for after in text.split("http::").skip(1) {
            assert!(
                after.starts_with("HeaderMap"),
                "{} uses more of HTTP than a map of headers",
                file.display()
            );
        }
    }
}

/// Every Rust file below a folder.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

/// The lines of a file before its unit tests; none of a file of tests.
fn lines_of_code(file: &Path) -> usize {
    if file.file_name().is_some_and(|name| name == "tests.rs") || file.iter().any(|part| part == "tests") {
        return 0;
    }
    let text = std::fs::read_to_string(file).unwrap();
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    code.lines().count()
}

/// What `deny.toml` bans, checked here too so that it holds without cargo-deny.
#[test]
fn nothing_banned_is_in_the_tree() {
    let deny: toml::Table = std::fs::read_to_string(root().join("deny.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let metadata = metadata();
    let bans = deny["bans"]["deny"].as_array().unwrap();
    let bans: Vec<&str> = bans.iter().map(|ban| ban["crate"].as_str().unwrap()).collect();
    assert!(bans.contains(&"openssl"));
    for lock in ["Cargo.lock", "fuzz/Cargo.lock"] {
        let lock: toml::Table = std::fs::read_to_string(root().join(lock)).unwrap().parse().unwrap();
        for package in lock["package"].as_array().unwrap() {
            let (name, version) = (package["name"].as_str().unwrap(), package["version"].as_str().unwrap());
            let ban = bans.iter().find(|ban| bans_version(ban, name, version));
            assert_eq!(ban, None, "{name} {version} is banned by deny.toml");
        }
    }
    let allowed: Vec<&str> = deny["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence.as_str().unwrap())
        .collect();
    let exceptions = deny["licenses"]["exceptions"].as_array().unwrap();
    for package in array(&metadata, "packages") {
        let name = text(package, "name");
        let licence = package["license"].as_str().unwrap_or_default();
        let excepted = exceptions.iter().any(|exception| {
            exception["crate"].as_str() == Some(name)
                && exception["allow"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|one| one.as_str() == Some(licence))
        });
        assert!(
            excepted || is_allowed(licence, &allowed),
            "`{name}` has the licence `{licence}`, which deny.toml does not allow"
        );
    }
}

/// Whether an entry of deny.toml (`NAME`, `NAME@<VERSION`) is about this crate in this version.
fn bans_version(ban: &str, name: &str, version: &str) -> bool {
    let Some((banned, range)) = ban.split_once('@') else {
        return ban == name;
    };
    let below = range.strip_prefix('<').filter(|below| !below.starts_with('='));
    let below = below.unwrap_or_else(|| panic!("teach this test what `{range}` means"));
    let numbers = |version: &str| -> Vec<u64> {
        let plain = version.split(['-', '+']).next().unwrap_or_default();
        plain.split('.').map(|number| number.parse().unwrap()).collect()
    };
    banned == name && numbers(version) < numbers(below)
}

#[test]
fn a_ban_of_versions_is_about_those_below() {
    let ban = "jsonwebtoken@<10.3.0";
    for version in ["9.3.1", "10.2.9", "10.2.10", "0.1.0"] {
        assert!(bans_version(ban, "jsonwebtoken", version), "{version}");
    }
    for version in ["10.3.0", "10.10.0", "11.0.0"] {
        assert!(!bans_version(ban, "jsonwebtoken", version), "{version}");
    }
    assert!(!bans_version(ban, "jsonwebtokens", "1.0.0"));
    assert!(bans_version("openssl", "openssl", "0.10.0"));
}

/// Whether one alternative of a licence expression consists of allowed licences only.
fn is_allowed(expression: &str, allowed: &[&str]) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" OR ").any(|alternative| {
        alternative
            .split(" AND ")
            .all(|licence| allowed.contains(&licence.trim()))
    })
}

#[test]
fn the_paths_in_the_documents_exist() {
    let root = root();
    for document in ["ARCHITECTURE.md", "CONTRIBUTING.md", "README.md", "SECURITY.md"] {
        let text = std::fs::read_to_string(root.join(document)).unwrap();
        let quoted = text
            .split('`')
            .skip(1)
            .step_by(2)
            .filter(|quote| quote.starts_with("crates/") || quote.starts_with("docs/") || quote.starts_with("e2e"));
        let linked = text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
            .filter(|link| !link.contains("://"));
        for path in quoted.chain(linked) {
            assert!(
                root.join(path).exists(),
                "{document} names `{path}`, which does not exist"
            );
        }
    }
    let architecture = std::fs::read_to_string(root.join("ARCHITECTURE.md")).unwrap();
    for entry in std::fs::read_dir(root.join("crates")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(
            architecture.contains(&format!("`crates/{name}`")),
            "ARCHITECTURE.md does not name crates/{name}"
        );
    }
}

#[test]
fn the_links_between_documents_lead_somewhere() {
    let mut left = vec![root().join("docs")];
    let mut documents = 0;
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                documents += 1;
                let text = std::fs::read_to_string(&path).unwrap();
                let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
                for link in links.filter(|link| !link.contains("://") && !link.starts_with('#')) {
                    let target = link.split('#').next().unwrap();
                    assert!(
                        folder.join(target).exists(),
                        "{} links to `{link}`, which does not exist",
                        path.display()
                    );
                }
            }
        }
    }
    assert!(documents > 5);
}

/// The `sec_…` names that the page of attacks promises are tests or scenarios.
#[test]
fn every_promised_attack_has_its_test() {
    let root = root();
    let page = std::fs::read_to_string(root.join("docs/explanation/attacks.md")).unwrap();
    let mut known = BTreeSet::new();
    collect(&root.join("crates"), &mut known);
    let promised = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|quote| quote.starts_with("sec_") && !quote.contains('…'));
    for name in promised.filter(|name| name.len() > 4) {
        let name = name.trim();
        assert!(
            name == "sec_" || known.contains(name),
            "docs/explanation/attacks.md promises `{name}`, and there is no such test"
        );
    }
}

fn collect(folder: &Path, known: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if path.is_dir() {
            if name != "target" {
                collect(&path, known);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = std::fs::read_to_string(&path).unwrap();
            let functions = text
                .split("fn sec_")
                .skip(1)
                .filter_map(|rest| rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next());
            known.extend(functions.map(|rest| format!("sec_{rest}")));
        } else if name.starts_with("sec_") {
            known.insert(name);
        }
    }
}

/// The list of actions is the one that the code writes: an event that is not in it could not be asked for.
#[test]
fn every_action_that_is_written_is_in_the_list() {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(root().join("crates")).unwrap() {
        let folder = entry.unwrap().path();
        if folder.ends_with("conformance") {
            continue;
        }
        for file in sources(&folder.join("src")) {
            let text = std::fs::read_to_string(&file).unwrap();
            all.push((file, text.split("\n#[cfg(test)]").next().unwrap().to_owned()));
        }
    }
    let literal = |text: &str| {
        text.trim_start()
            .strip_prefix('"')
            .and_then(|rest| rest.split('"').next())
            .map(str::to_owned)
    };
    let mut written: BTreeSet<String> = BTreeSet::new();
    let mut calls = 0;
    for (path, text) in &all {
        for call in ["AuditEvent::new(", "api_key_event(", "machine_key_event("] {
            for (at, _) in text.match_indices(call) {
                calls += 1;
                written.extend(text.get(at + call.len()..).and_then(literal));
            }
        }
        if path.ends_with("directory/src/change.rs") {
            let (_, table) = text.split_once("pub const fn action(").unwrap();
            let (table, _) = table.split_once("\n    }\n").unwrap();
            written.extend(table.split("=> ").skip(1).filter_map(literal));
        }
    }
    assert!(calls > 10, "the calls are still called so: {calls}");
    for kind in narthex_directory::DocumentKind::ALL {
        written.extend(["created", "updated", "deleted"].map(|done| format!("{kind}.{done}")));
    }
    let listed: BTreeSet<String> = narthex_directory::ACTIONS
        .iter()
        .map(|(name, _)| (*name).to_owned())
        .collect();
    assert_eq!(written, listed);
}
