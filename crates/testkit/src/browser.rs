//! A real browser: headless Chromium by Debian's `chromedriver` (`WebDriver`, W3C Recommendation).

mod device;

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
pub use fantoccini::cookies::Cookie;
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use url::{ParseError, Url};

use crate::process::Process;

/// Time that a page may take to be there.
const PAGE_WAIT: Duration = Duration::from_secs(20);
/// Time between two looks at a page.
const LOOK_AGAIN: Duration = Duration::from_millis(25);

/// Arguments of Chromium: no screen, the size of a small one, nothing asked of its vendor, and every host of the tests on this machine.
const ARGUMENTS: [&str; 10] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
    // RFC 6761 section 6.2 keeps `test` for this.
    "--host-resolver-rules=MAP *.test 127.0.0.1",
];

/// Script that sends a request as a program in the page does.
const FETCH: &str = "const [path, method, done] = arguments;
    fetch(path, { method })
        .then(async (answer) => done({ status: answer.status, body: await answer.text() }))
        .catch((error) => done({ status: 0, body: String(error) }));";

/// A browser with a profile of its own, which begins empty. It trusts every certificate.
#[derive(Debug)]
pub struct Browser {
    driver: Client,
    session: String,
    port: u16,
    _process: Process,
    profile: TempDir,
}

/// Answer to a request of a program in a page.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// The status; 0 if there was no answer.
    pub status: u16,
    /// The body as text.
    pub body: String,
}

impl Fetched {
    /// The `reason` of a problem document (RFC 9457), if the body is one.
    pub fn reason(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        body.get("reason")?.as_str().map(str::to_owned)
    }
}

impl Browser {
    /// Starts one.
    pub async fn start() -> Result<Self> {
        let process = Process::start(Command::new("chromedriver").arg("--port=0"))?;
        let port = port(&process).await?;
        let profile = tempfile::Builder::new().prefix("narthex-browser-").tempdir()?;
        let mut arguments: Vec<String> = ARGUMENTS.map(str::to_owned).to_vec();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        let capabilities = json!({
            "browserName": "chrome",
            "acceptInsecureCerts": true,
            "goog:chromeOptions": { "args": arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let Value::Object(capabilities) = capabilities else {
            bail!("capabilities are an object");
        };
        let driver = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .with_context(|| format!("Chromium does not start:\n{}", process.output()))?;
        let session = driver.session_id().await?.context("the browser has no session")?;
        // It would end the session some time after its value is gone; ours ends it before.
        driver.persist().await?;
        Ok(Self {
            driver,
            session,
            port,
            _process: process,
            profile,
        })
    }

    /// Folder of its profile, which goes with its value.
    pub fn profile(&self) -> &Path {
        self.profile.path()
    }

    /// Opens an address and waits until its page, after all redirects, is loaded.
    pub async fn open(&self, url: &str) -> Result<()> {
        let opened = self.driver.goto(url).await;
        opened.with_context(|| format!("opening {url}"))
    }

    /// Address of the page.
    pub async fn address(&self) -> Result<String> {
        Ok(self.driver.current_url().await?.into())
    }

    /// Waits for a page whose address begins like this, and returns the address.
    pub async fn arrives(&self, prefix: &str) -> Result<String> {
        let begun = tokio::time::Instant::now();
        loop {
            let address = self.address().await?;
            if address.starts_with(prefix) {
                return Ok(address);
            }
            if begun.elapsed() > PAGE_WAIT {
                bail!("the browser is at {address}, not at {prefix}:\n{}", self.text().await?);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Text of the page, as a reader sees it.
    pub async fn text(&self) -> Result<String> {
        Ok(self.driver.find(Locator::Css("body")).await?.text().await?)
    }

    /// Waits until the page has these words, and returns its text.
    pub async fn reads(&self, words: &str) -> Result<String> {
        let begun = tokio::time::Instant::now();
        loop {
            // A page that is being replaced has no body for a moment.
            let text = self.text().await.unwrap_or_default();
            if text.contains(words) {
                return Ok(text);
            }
            if begun.elapsed() > PAGE_WAIT {
                bail!("`{words}` is not on the page {}:\n{text}", self.address().await?);
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Types into the field of this name, in place of what is in it.
    pub async fn fill(&self, name: &str, text: &str) -> Result<()> {
        let field = self.field(name).await?;
        field.clear().await?;
        field.send_keys(text).await?;
        Ok(())
    }

    /// Text in the field of this name.
    pub async fn value(&self, name: &str) -> Result<String> {
        let field = self.field(name).await?;
        Ok(field.prop("value").await?.unwrap_or_default())
    }

    /// Presses the button, or follows the link, with this text.
    pub async fn press(&self, text: &str) -> Result<()> {
        let path = format!("//button[normalize-space()='{text}'] | //a[normalize-space()='{text}']");
        self.element(Locator::XPath(&path)).await?.click().await?;
        Ok(())
    }

    /// Presses the button with this text, where a link has the same.
    pub async fn press_button(&self, text: &str) -> Result<()> {
        let path = format!("//button[normalize-space()='{text}']");
        self.element(Locator::XPath(&path)).await?.click().await?;
        Ok(())
    }

    async fn field(&self, name: &str) -> Result<Element> {
        self.element(Locator::Css(&format!("[name='{name}']"))).await
    }

    async fn element(&self, place: Locator<'_>) -> Result<Element> {
        let begun = tokio::time::Instant::now();
        loop {
            match self.driver.find(place).await {
                Ok(element) => return Ok(element),
                Err(error) if begun.elapsed() > PAGE_WAIT => {
                    let page = self.text().await.unwrap_or_default();
                    return Err(error).with_context(|| format!("not on the page:\n{page}"));
                }
                Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
            }
        }
    }

    /// A cookie that the browser sends to the host of the page, by its name.
    pub async fn cookie(&self, name: &str) -> Result<Option<Cookie<'static>>> {
        let all = self.driver.get_all_cookies().await?;
        Ok(all.into_iter().find(|cookie| cookie.name() == name))
    }

    /// Gives the browser a cookie of these name and value for the host of the page alone: `Secure`, `HttpOnly`, of all paths.
    pub async fn set_cookie(&self, name: &str, value: &str) -> Result<()> {
        // Without `domain`, which a cookie with the prefix `__Host-` must not have. The client would send it as `null`.
        let cookie =
            json!({ "name": name, "value": value, "path": "/", "secure": true, "httpOnly": true, "sameSite": "Lax" });
        self.driver
            .issue_cmd(Post("cookie", json!({ "cookie": cookie })))
            .await?;
        Ok(())
    }

    /// Takes all cookies of the host of the page from the browser.
    pub async fn clear_cookies(&self) -> Result<()> {
        Ok(self.driver.delete_all_cookies().await?)
    }

    /// Runs a script in the page, and returns its value.
    pub async fn run(&self, script: &str) -> Result<Value> {
        Ok(self.driver.execute(script, Vec::new()).await?)
    }

    /// Sends a request as a program in the page does, with the cookies of the page's host.
    pub async fn fetch(&self, method: &str, path: &str) -> Result<Fetched> {
        let arguments = vec![json!(path), json!(method)];
        let answer = self.driver.execute_async(FETCH, arguments).await?;
        let status = answer.get("status").and_then(Value::as_u64).context("no status")?;
        let body = answer.get("body").and_then(Value::as_str).unwrap_or_default();
        Ok(Fetched {
            status: u16::try_from(status)?,
            body: body.to_owned(),
        })
    }

    /// Errors that pages have had since the last question: of scripts, of policies, and of files that are missing.
    pub async fn errors(&self) -> Result<Vec<String>> {
        let log = self
            .driver
            .issue_cmd(Post("se/log", json!({ "type": "browser" })))
            .await?;
        let entries = log.as_array().context("the log is a list")?;
        let severe = entries
            .iter()
            .filter(|entry| entry.get("level") == Some(&json!("SEVERE")));
        Ok(severe
            .map(|entry| entry.get("message").unwrap_or(entry).to_string())
            .collect())
    }
}

impl Drop for Browser {
    /// Ends the browser, which would outlive its driver, and waits for that.
    fn drop(&mut self) {
        if let Err(error) = end_session(self.port, &self.session) {
            eprintln!("the browser is not ended: {error}");
        }
    }
}

fn end_session(port: u16, session: &str) -> Result<()> {
    let mut connection = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    connection.set_read_timeout(Some(PAGE_WAIT))?;
    write!(
        connection,
        "DELETE /session/{session} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
    )?;
    // It answers when the browser has ended, and keeps the connection whatever it is asked.
    let read = connection.read(&mut [0; 512])?;
    ensure!(read > 0, "no answer");
    Ok(())
}

/// Command of a session by its path and body, for those that the client does not have.
#[derive(Debug)]
struct Post(&'static str, Value);

impl WebDriverCompatibleCommand for Post {
    fn endpoint(&self, base_url: &Url, session_id: Option<&str>) -> Result<Url, ParseError> {
        base_url.join(&format!("session/{}/{}", session_id.unwrap_or_default(), self.0))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.1.to_string()))
    }
}

/// The port that the driver chose.
async fn port(process: &Process) -> Result<u16> {
    for _ in 0..800 {
        let output = process.output();
        let said = output.split_once("started successfully on port ");
        if let Some((port, _)) = said.and_then(|(_, rest)| rest.split_once('.')) {
            return Ok(port.parse()?);
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    bail!("chromedriver does not start:\n{}", process.output());
}

#[cfg(test)]
mod tests {
    use crate::Upstream;

    use super::*;

    /// Nothing of a browser is left when its value is gone.
    #[tokio::test]
    async fn a_browser_opens_a_page_and_ends_with_its_value() {
        let upstream = Upstream::start().unwrap();
        let browser = Browser::start().await.unwrap();
        browser.open(&format!("{}/a?b=c", upstream.url())).await.unwrap();
        assert!(browser.text().await.unwrap().contains("/a?b=c"));
        assert_eq!(browser.fetch("POST", "/d").await.unwrap().status, 200);
        assert_eq!(browser.errors().await.unwrap(), Vec::<String>::new());
        let profile = browser.profile().to_owned();
        drop(browser);
        let all = crate::process::run("ps", &["-A", "-o", "args"]).unwrap();
        assert!(!all.contains(&profile.display().to_string()), "{all}");
    }
}
