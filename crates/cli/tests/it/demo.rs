//! The demo as a new user meets it: every line it prints is run by a shell, as it stands, and shows what the text
//! beside it says.

use std::process::Command;
use std::time::Duration;

use narthex_testkit::admin::Admin;
use narthex_testkit::process::{Process, free_address};

/// A port with three free ones after it: the demo takes four in a row.
fn port() -> u16 {
    for _ in 0..100 {
        let port = free_address().unwrap().port();
        let free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
        if (1..4).all(|offset| port.checked_add(offset).is_some_and(free)) {
            return port;
        }
    }
    panic!("no four free ports in a row");
}

/// The demo, running, and what it printed.
pub(crate) fn start() -> (Process, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_narthex"));
    let mut demo = Process::start(command.args(["demo", "--port", &port().to_string()])).unwrap();
    for _ in 0..1_000 {
        let printed = demo.output();
        if printed.contains("The configuration:") {
            return (demo, printed);
        }
        assert!(demo.ended().is_none(), "the demo ended:\n{printed}");
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("the demo is not ready:\n{}", demo.output());
}

/// What a printed line gives in a shell that has the printed variables.
fn shell(variables: &[&str], line: &str) -> String {
    let script = format!("{}\n{line}", variables.join("\n"));
    let output = Command::new("bash").args(["-c", &script]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn every_printed_line_shows_what_the_text_says() {
    let (_demo, printed) = start();
    let lines: Vec<&str> = printed.lines().map(str::trim).collect();
    let variables: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| ["ALICE=", "BOB=", "CAROL="].iter().any(|name| line.starts_with(name)))
        .collect();
    assert_eq!(variables.len(), 3, "{printed}");
    let commands: Vec<&str> = lines
        .iter()
        .copied()
        .filter(|line| line.starts_with("curl ") || line.contains(" explain "))
        .collect();
    let expected: [&[&str]; 10] = [
        // Bob in acme, and elsewhere.
        &["HTTP/1.1 200", "\"acme\"", "first_name"],
        &["HTTP/1.1 403", "organization.role"],
        // Alice, the platform admin.
        &["HTTP/1.1 200"],
        // Carol, who has no permissions.
        &["HTTP/1.1 200"],
        &["HTTP/1.1 403", "organization.role"],
        // Who Bob is and why.
        &["\"bob\"", "memberTag1", "\"member\""],
        // Why Carol was refused, through the API and on the command line.
        &["organization.role"],
        &["organization.role"],
        // The directory.
        &["\"alice\"", "\"bob\"", "\"carol\""],
        &["\"bob\"", "\"member\""],
    ];
    assert_eq!(commands.len(), expected.len(), "{commands:#?}");
    for (command, expected) in commands.iter().zip(expected) {
        let shown = shell(&variables, command);
        for part in expected {
            assert!(
                shown.contains(part),
                "`{part}` is missing from what `{command}` shows:\n{shown}"
            );
        }
    }
}

/// The base of the admin API and the key that the demo printed.
pub(crate) fn api(printed: &str) -> Admin {
    let words: Vec<&str> = printed.split_whitespace().collect();
    let url = words.iter().find_map(|word| word.strip_suffix("/api/v1")).unwrap();
    let key = words.iter().find(|word| word.starts_with("nx_")).unwrap();
    Admin::new(url, key.trim_end_matches('\''))
}

/// Number of items in a list of the admin API.
async fn count(api: &Admin, path: &str) -> usize {
    api.list(path).await.unwrap().len()
}

/// Waits until the requests of the demo's start are made.
pub(crate) async fn everyone_came(demo: &Process, api: &Admin) {
    let begun = tokio::time::Instant::now();
    // The last ones are refused.
    while count(api, "/denials").await < 7 {
        assert!(begun.elapsed() < Duration::from_mins(1), "{}", demo.output());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Every page of the console has something true to show a moment after the start.
#[tokio::test]
async fn people_of_three_issuers_come_and_some_are_refused() {
    let (demo, printed) = start();
    let api = api(&printed);
    let begun = tokio::time::Instant::now();
    everyone_came(&demo, &api).await;
    for (path, least) in [
        ("/users", 14),
        ("/organizations", 4),
        ("/teams", 1),
        ("/issuers", 3),
        ("/routes", 3),
        ("/connections", 1),
        ("/webhooks", 1),
        ("/api-keys", 2),
        ("/organizations/initech/machine-keys", 1),
        ("/organizations/acme/members", 4),
        ("/organizations/hooli/members", 2),
    ] {
        let found = count(&api, path).await;
        assert!(found >= least, "{path} has {found}\n{}", demo.output());
    }
    // The tags of tokens are written down off the request, within a minute.
    while !api.get("/tags").await.unwrap().to_string().contains("initechStaff") {
        assert!(begun.elapsed() < Duration::from_mins(2), "{}", demo.output());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    let tags = api.get("/tags").await.unwrap();
    let near = tags["items"]
        .as_array()
        .unwrap()
        .iter()
        .find(|tag| tag["tag"] == "InitechStaff");
    assert_eq!(near.unwrap()["near_misses"][0]["listed"], "initechStaff");
    assert!(!demo.output().contains("demo_incomplete"), "{}", demo.output());
}
