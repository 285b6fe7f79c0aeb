//! Bar P13 through the program itself: the time that the server takes for each page of the console, and the bytes that a browser
//! loads for it, with 100,000 users in SQLite and in PostgreSQL.
//!
//! `cargo bench -p narthex-cli --bench console`
//!
//! A page is asked for again and again at one connection, and the median of its times counts: from the request to the last byte,
//! which includes both ends of a loopback connection. The bytes are those of the first visit: page, stylesheet and script, as a
//! browser that takes gzip receives them. The database server counts, because the page waits for it.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use narthex_store::population::Population;
use narthex_store::{Options, PostgresOptions};
use narthex_testkit::postgres::OwnServer;
use narthex_testkit::{Answer, Client, Narthex, client::Call, setup};
use tokio::time::Instant;

const POPULATION: Population = Population {
    users: 100_000,
    organizations: 10_000,
    tags: 30_000,
};
const MILLISECONDS: f64 = 20.0;
const KILOBYTES: f64 = 60.0;
/// So many times are measured for each page, after as many that are not.
const TIMES: usize = 15;
const SECRET_KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const BINARY: &str = env!("CARGO_BIN_EXE_narthex");

fn main() -> Result<()> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(measure())
}

async fn measure() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("narthex.db");
    narthex_store::population::fill_sqlite(POPULATION, &Options::new(&file), &mut |_| {})?;
    pages("SQLite", &format!("path = \"{}\"", file.display()), None).await?;

    setup::install("postgresql")?;
    let server = OwnServer::start_with_settings("")?;
    server.create_database("console")?;
    let url = server.url("console");
    narthex_store::population::fill_postgres(POPULATION, &PostgresOptions::parse(&url)?, &mut |_| {}).await?;
    server.sql("console", "ANALYZE")?;
    pages("PostgreSQL", "url_file = \"store-url\"", Some(&url)).await
}

/// A browser that is signed in.
struct Visitor {
    client: Client,
    base: String,
    cookie: String,
}

impl Visitor {
    /// Signs in by a one-time link.
    async fn sign_in(narthex: &Narthex) -> Result<Self> {
        let printed = narthex.command(&["console", "link"])?;
        let (_, code) = printed.split_once("code=").context("no link is printed")?;
        let code = code.split_whitespace().next().context("the link has no code")?;
        let client = Client::new();
        let call = Call::post(&format!("{}/sign-in/link", narthex.admin_url()))
            .header("sec-fetch-site", "same-origin")
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!("code={code}"));
        let answer = client.send(call).await?;
        ensure!(
            answer.status == 303,
            "the sign-in answers {}: {}",
            answer.status,
            answer.text()
        );
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        Ok(Self {
            client,
            base: narthex.admin_url(),
            cookie: cookie.context("the sign-in sets no cookie")?.to_owned(),
        })
    }

    /// Loads a file or a page. `encoding` is what the browser takes.
    async fn load(&self, path: &str, encoding: &str) -> Result<Answer> {
        let call = Call::get(&format!("{}{path}", self.base))
            .header("cookie", &self.cookie)
            .header("accept", "text/html")
            .header("accept-encoding", encoding);
        let answer = self.client.send(call).await?;
        ensure!(
            answer.status == 200,
            "{path} answers {}: {}",
            answer.status,
            answer.text()
        );
        Ok(answer)
    }

    /// The median of the times that a page takes, in milliseconds.
    async fn milliseconds(&self, path: &str) -> Result<f64> {
        let mut times = Vec::new();
        for round in 0..2 * TIMES {
            let begun = Instant::now();
            self.load(path, "gzip").await?;
            if round >= TIMES {
                times.push(begun.elapsed().as_secs_f64() * 1e3);
            }
        }
        times.sort_by(f64::total_cmp);
        times.get(TIMES / 2).copied().context("a median")
    }
}

/// Measures every page of a server with this store.
async fn pages(name: &str, store: &str, url: Option<&str>) -> Result<()> {
    let config = format!(
        "[log]\nlevel = \"warn\"\n[secrets]\nkey_file = \"secret.key\"\n[store]\n{store}\n[[issuer]]\nname = \"idp\"\n\
         realm = \"main\"\nissuer = \"https://idp.test\"\njwks_file = \"jwks.json\"\naudiences = [\"narthex\"]\n\
         algorithms = [\"ES256\"]\n[issuer.tags]\nclaim = \"groups\"\n[[route]]\npath = \"/{{*rest}}\"\nrequire = \"authenticated\"\n"
    );
    let keys = narthex_testkit::keys::key_set(&[narthex_testkit::TestKey::P256]);
    let mut builder = Narthex::builder(Path::new(BINARY))
        .config(&config)?
        .file("secret.key", SECRET_KEY)
        .file("jwks.json", keys.to_string());
    if let Some(url) = url {
        builder = builder.file("store-url", format!("{url}\n"));
    }
    let narthex = builder.start().await?;
    let visitor = Visitor::sign_in(&narthex).await?;
    let first = visitor.load("/users", "identity").await?.text();
    let mut shared = 0;
    for file in linked(&first, "/assets/") {
        shared += visitor.load(&file, "gzip").await?.body.len();
    }
    let (mut slowest, mut largest) = ((0.0, String::new()), (0.0, String::new()));
    for path in addresses(&visitor, &first).await? {
        let bytes = visitor.load(&path, "gzip").await?.body.len() + shared;
        let kilobytes = f64::from(u32::try_from(bytes)?) / 1e3;
        let milliseconds = visitor.milliseconds(&path).await?;
        println!("{name} {path}: {milliseconds:.1} ms, {kilobytes:.1} KB");
        if milliseconds > slowest.0 {
            slowest = (milliseconds, path.clone());
        }
        if kilobytes > largest.0 {
            largest = (kilobytes, path);
        }
    }
    let verdict = |met: bool| if met { "met" } else { "MISSED" };
    let (milliseconds, page) = slowest;
    println!(
        "P13 slowest page with 100,000 users in {name}, {page}: {milliseconds:.1} ms (bar 20): {}",
        verdict(milliseconds <= MILLISECONDS)
    );
    let (kilobytes, page) = largest;
    println!(
        "P13 largest page with 100,000 users in {name}, {page}: {kilobytes:.1} KB (bar 60): {}",
        verdict(kilobytes <= KILOBYTES)
    );
    Ok(())
}

/// Addresses of the pages: those of the navigation, those of one user and one organization, and searches.
async fn addresses(visitor: &Visitor, first: &str) -> Result<Vec<String>> {
    let (_, navigation) = first.split_once("<nav").context("no navigation")?;
    let (navigation, main) = navigation.split_once("</nav>").context("the navigation has no end")?;
    let mut all = linked(navigation, "/");
    ensure!(all.len() > 10, "the navigation has {} links", all.len());
    let user = linked(main, "/users/").into_iter().find(|link| !link.ends_with("/new"));
    let user = user.context("no user in the list")?;
    let organizations = visitor.load("/organizations", "identity").await?.text();
    let (_, main) = organizations
        .split_once("</nav>")
        .context("the navigation has no end")?;
    let organization = linked(main, "/organizations/")
        .into_iter()
        .find(|link| !link.ends_with("/new"));
    let organization = organization.context("no organization in the list")?;
    for page in ["", "/edit", "/disable", "/sign-out", "/erase", "/platform-role"] {
        all.push(format!("{user}{page}"));
    }
    for page in [
        "",
        "/people",
        "/people/add",
        "/teams",
        "/connections",
        "/machine-keys",
        "/suspend",
        "/delete",
    ] {
        all.push(format!("{organization}{page}"));
    }
    all.extend(
        [
            "/users?q=99999",
            "/users?q=nobody-has-this-name",
            "/organizations?q=9999",
            "/search?q=nobody-has-this-name",
            "/search?q=99999",
            "/users/new",
            "/organizations/new",
            "/webhooks/new",
            "/issuers/idp",
            "/issuers/idp/keys",
            "/audit/roles",
            "/audit/denials",
            "/audit?text=nobody-has-this-name",
        ]
        .map(str::to_owned),
    );
    Ok(all)
}

/// Addresses in a page that begin like this, each once.
fn linked(page: &str, prefix: &str) -> Vec<String> {
    let mut found = Vec::new();
    for attribute in [" href=\"", " src=\""] {
        for rest in page.split(attribute).skip(1) {
            let address = rest.split('"').next().unwrap_or_default().to_owned();
            if address.starts_with(prefix) && !found.contains(&address) {
                found.push(address);
            }
        }
    }
    found
}
