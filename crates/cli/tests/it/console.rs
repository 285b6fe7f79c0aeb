//! The web console of a running server: its address, its sign-in, and its first link.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use narthex_testkit::{Narthex, client::Answer, client::Call};

use crate::commands::narthex_in;

const CONFIG: &str = r#"
[listen]
trusted_proxies = ["127.0.0.1"]

[secrets]
key_file = "secret.key"

[console]
origin = "https://narthex.example.com"
"#;

const SECRET_KEY: &str = "kLVw0vtoFrgGEOUWCq6QvGGGt4Ni5zDZ8AKdbR1l1yQ=\n";

async fn start() -> Narthex {
    let narthex = Narthex::builder(env!("CARGO_BIN_EXE_narthex"))
        .config(CONFIG)
        .unwrap()
        .file("secret.key", SECRET_KEY);
    narthex.start().await.unwrap()
}

/// A request of a browser, as the proxy in front of the console passes it on.
fn by_proxy(narthex: &Narthex, method: &str, path: &str) -> Call {
    Call::new(method, &format!("{}{path}", narthex.admin_url()))
        .header("host", "narthex.example.com")
        .header("x-forwarded-proto", "https")
        .header("sec-fetch-site", "same-origin")
}

async fn send(call: Call) -> Answer {
    narthex_testkit::Client::new().send(call).await.unwrap()
}

/// The name and value of the cookie that an answer sets.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap_or_default();
    set.split(';').next().unwrap_or_default().to_owned()
}

/// `[console] origin`: the console answers for that host, and not for others.
#[tokio::test]
async fn the_console_answers_for_its_origin_and_signs_browsers_in() {
    let narthex = start().await;
    let first = send(by_proxy(&narthex, "GET", "/users")).await;
    assert_eq!(
        (first.status, first.header("location")),
        (303, Some("/sign-in?back=%2Fusers"))
    );
    let other = send(Call::get(&format!("{}/", narthex.admin_url())).header("host", "evil.example")).await;
    assert_eq!(other.status, 403);
    // The API of the same port is for programs, under any name.
    let api = send(Call::get(&format!("{}/openapi.json", narthex.admin_url())).header("host", "evil.example")).await;
    assert_eq!(api.status, 200);

    let key = narthex.command(&["key", "create", "console", "--json"]).unwrap();
    let key: serde_json::Value = serde_json::from_str(&key).unwrap();
    let form = format!("credential={}&back=%2Fusers", key["key"].as_str().unwrap());
    let sign_in = by_proxy(&narthex, "POST", "/sign-in")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let signed_in = send(sign_in).await;
    assert_eq!(
        (signed_in.status, signed_in.header("location")),
        (303, Some("/users")),
        "{}",
        signed_in.text()
    );
    let page = by_proxy(&narthex, "GET", "/users").header("cookie", &cookie(&signed_in));
    let page = send(page).await;
    assert!(page.text().contains("Platform admin"), "{}", page.text());
    let small = by_proxy(&narthex, "GET", "/users")
        .header("cookie", &cookie(&signed_in))
        .header("accept-encoding", "gzip");
    assert_eq!(send(small).await.header("content-encoding"), Some("gzip"));
    // The cookie opens the console only: the API takes a bearer.
    let api = by_proxy(&narthex, "GET", "/api/v1/users").header("cookie", &cookie(&signed_in));
    assert_eq!(send(api).await.status, 401);
    assert!(!narthex.logs().contains(key["key"].as_str().unwrap()));
}

/// A server without a proxy, ended with its value.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_first_start_prints_a_link_that_signs_one_browser_in() {
    let folder = tempfile::tempdir().unwrap();
    let config = "[listen]\npublic = \"127.0.0.1:0\"\nadmin = \"127.0.0.1:0\"\n[secrets]\nkey_file = \"secret.key\"\n";
    std::fs::write(folder.path().join("narthex.toml"), config).unwrap();
    std::fs::write(folder.path().join("secret.key"), SECRET_KEY).unwrap();
    let child = Command::new(env!("CARGO_BIN_EXE_narthex"))
        .arg("serve")
        .current_dir(folder.path())
        .env_remove("NARTHEX_CONFIG")
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut server = Server(child);
    let lines = BufReader::new(server.0.stdout.take().unwrap()).lines();
    let mut links = lines
        .map_while(Result::ok)
        .filter(|line| line.contains("/sign-in/link?code="));
    let link = links.next().unwrap().trim().to_owned();
    assert!(link.starts_with("http://localhost:"), "{link}");
    let (console, code) = link.split_once("/sign-in/link?code=").unwrap();
    let use_it = async |code: &str| {
        let call = Call::post(&format!("{console}/sign-in/link"))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("code={code}"));
        send(call).await
    };
    let signed_in = use_it(code).await;
    assert_eq!(signed_in.status, 303, "{}", signed_in.text());
    let page = send(Call::get(&format!("{console}/sessions")).header("cookie", &cookie(&signed_in))).await;
    assert!(page.text().contains("Sign-in link"), "{}", page.text());
    assert_eq!(use_it(code).await.status, 403);

    let another = narthex_in(folder.path(), &["console", "link", "--json"], "");
    assert_eq!(another.code, 0, "{another:?}");
    let another = another.json()["link"].as_str().unwrap().to_owned();
    let (_, code) = another.split_once("code=").unwrap();
    assert_eq!(use_it(code).await.status, 303);
}
