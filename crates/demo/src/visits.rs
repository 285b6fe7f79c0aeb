//! Requests at the start of the demo, so that every page of the console has something true to show: an administrator
//! sets things up by the admin API, and people come with their tokens, some of whom are refused.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use narthex_clock::Clock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::Ports;
use crate::issuer::{Issuer, Portal};
use crate::people::{PEOPLE, Person, Provider};

/// Longest time for one request.
const REQUEST_TIME: Duration = Duration::from_secs(20);

/// Time after which the keys of the partner rotate. The gateway fetches them again for an unknown key at most every 30
/// seconds.
const ROTATION: Duration = Duration::from_secs(35);

/// Requests of the demo's administrator and people.
#[derive(Debug, Clone)]
pub struct Visits {
    pub(super) ports: Ports,
    pub(super) demo: Arc<Issuer>,
    pub(super) partner: Arc<Issuer>,
    pub(super) portal: Arc<Portal>,
}

impl Visits {
    /// Sets things up with this API key, and lets everyone visit. The gateway may still be starting: its ports take
    /// connections already.
    ///
    /// # Errors
    ///
    /// An answer that is not as expected.
    pub async fn begin(&self, key: &str) -> anyhow::Result<()> {
        self.set_up(key).await?;
        for person in &PEOPLE {
            self.visit(person).await?;
        }
        self.be_refused().await
    }

    /// Rotates the keys of the partner some time after the start, and has a person come with a token of the new key.
    ///
    /// # Errors
    ///
    /// An answer that is not as expected.
    pub async fn rotate(&self) -> anyhow::Result<()> {
        tokio::time::sleep(ROTATION).await;
        self.partner.rotate()?;
        let mut people = PEOPLE.iter();
        match people.find(|person| person.provider == Provider::Partner) {
            Some(person) => self.visit(person).await,
            None => Ok(()),
        }
    }

    /// Creates what no configuration declares: an organization that the console can change, a team, keys, a connection and
    /// a webhook.
    async fn set_up(&self, key: &str) -> anyhow::Result<()> {
        let application = format!("http://127.0.0.1:{}", self.ports.upstream);
        let initech = json!({
            "name": "initech", "label": "Initech", "external_admin_groups": "initechAdmins",
            "external_member_groups": "initechStaff",
        });
        let hello = json!({ "url": format!("{application}/hello"), "headers": { "X-From": "{{parameters.from}}" } });
        for (path, body) in [
            ("/organizations", initech),
            ("/organizations/initech/teams", json!({ "name": "Night shift" })),
            (
                "/organizations/initech/machine-keys",
                json!({ "name": "nightly import", "role": "executor" }),
            ),
            ("/api-keys", json!({ "name": "weekly report", "role": "viewer" })),
            (
                "/connections",
                json!({ "organization": "initech", "name": "Hello", "document": hello, "parameters": { "from": "the demo" } }),
            ),
            (
                "/webhooks",
                json!({ "name": "crm", "url": format!("{application}/hooks") }),
            ),
        ] {
            let path = format!("/api/v1{path}");
            let status = send(self.ports.admin, "POST", &path, Some(key), &body).await?;
            ensure!(status == 201, "POST {path} answered {status}");
        }
        Ok(())
    }

    /// Lets a person ask for a path with a token.
    async fn visit(&self, person: &Person) -> anyhow::Result<()> {
        let (subject, now_seconds) = (person.subject, now_seconds());
        let token = match person.provider {
            Provider::Demo => self.demo.token(subject, person.groups, now_seconds)?,
            Provider::Partner => self.partner.token(subject, person.groups, now_seconds)?,
            Provider::Portal => self.portal.token(subject, now_seconds)?,
        };
        self.ask(person.asks, Some(&token), person.answer).await
    }

    /// Sends requests that are refused for the token itself.
    async fn be_refused(&self) -> anyhow::Result<()> {
        let now_seconds = now_seconds();
        let mut expired = self.demo.claims("bob", &["memberTag1"], now_seconds);
        expired.insert("exp".to_owned(), json!(now_seconds - 600));
        let mut foreign = self.demo.claims("bob", &["memberTag1"], now_seconds);
        foreign.insert("aud".to_owned(), json!("another-application"));
        let mut unknown = self.demo.claims("bob", &["memberTag1"], now_seconds);
        unknown.insert("iss".to_owned(), json!("https://id.example.com"));
        for claims in [expired, foreign, unknown] {
            self.ask("/hello", Some(&self.demo.sign(&claims)?), 401).await?;
        }
        self.ask("/hello", None, 401).await
    }

    async fn ask(&self, path: &str, token: Option<&str>, expected: u16) -> anyhow::Result<()> {
        let method = if path.starts_with("/v1/algo/") { "POST" } else { "GET" };
        let status = send(self.ports.public, method, path, token, &json!({})).await?;
        ensure!(
            status == expected,
            "{method} {path} answered {status} where the demo expects {expected}"
        );
        Ok(())
    }
}

fn now_seconds() -> i64 {
    Clock::system().now_ms().div_euclid(1000)
}

/// Sends a request with a JSON body to a port of this machine. Returns the status of the answer.
async fn send(port: u16, method: &str, path: &str, bearer: Option<&str>, body: &Value) -> anyhow::Result<u16> {
    let body = body.to_string();
    let authorization = bearer.map_or_else(String::new, |bearer| format!("authorization: Bearer {bearer}\r\n"));
    let request = format!(
        "{method} {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\n{authorization}content-type: application/json\r\n\
         content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
    let exchange = async {
        let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await?;
        connection.write_all(request.as_bytes()).await?;
        let mut answer = Vec::new();
        connection.read_to_end(&mut answer).await?;
        anyhow::Ok(answer)
    };
    let answer = tokio::time::timeout(REQUEST_TIME, exchange).await??;
    let head = String::from_utf8_lossy(&answer);
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    status.with_context(|| format!("{method} {path} got no answer"))
}
