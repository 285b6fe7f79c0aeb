//! Demo: a whole playground on loopback. Its own identity provider, organizations, an application behind the gateway, and
//! tokens to try; nothing to configure and nothing to clean up.
//!
//! **In** comes a port, **out** go a configuration for the gateway between the two, what to try, and the requests of people who come
//! at the start. Starting the gateway is the caller's.

mod issuer;
mod people;
mod upstream;
mod visits;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use axum::Router;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use narthex_config::{Environment, Reading};
use tempfile::TempDir;
use tokio::net::TcpListener;

use issuer::{Issuer, Portal};
pub use visits::Visits;

const AUDIENCE: &str = "narthex-demo";

/// The four ports of the demo, one after the other.
#[derive(Debug, Clone, Copy)]
struct Ports {
    public: u16,
    admin: u16,
    issuer: u16,
    upstream: u16,
}

impl Ports {
    fn from(public: u16) -> anyhow::Result<Self> {
        let at = |offset: u16| {
            public
                .checked_add(offset)
                .context("the port is too high; the demo needs four in a row")
        };
        Ok(Self {
            public,
            admin: at(1)?,
            issuer: at(2)?,
            upstream: at(3)?,
        })
    }
}

/// Demo that has begun: its identity provider and its application answer, and its configuration is written.
#[derive(Debug)]
pub struct Demo {
    ports: Ports,
    issuer: Arc<Issuer>,
    partner: Arc<Issuer>,
    portal: Arc<Portal>,
    configuration: String,
    // Removed with everything in it when the demo ends.
    folder: TempDir,
}

impl Demo {
    /// Starts everything but the gateway. The directory will be in the file `store`, or in a temporary one.
    ///
    /// # Errors
    ///
    /// A port that is taken, a folder that cannot be written, or no randomness.
    pub async fn start(public_port: u16, store: Option<PathBuf>) -> anyhow::Result<Self> {
        let ports = Ports::from(public_port)?;
        let folder = tempfile::Builder::new()
            .prefix("narthex-demo-")
            .tempdir()
            .context("no temporary folder for the demo")?;
        let store = store.unwrap_or_else(|| folder.path().join("demo.db"));
        let issuer_url = format!("http://127.0.0.1:{}", ports.issuer);
        let issuer = Arc::new(Issuer::new(issuer_url.clone(), AUDIENCE)?);
        let partner = Arc::new(Issuer::new(format!("{issuer_url}/partner"), AUDIENCE)?);
        let providers = Arc::clone(&issuer)
            .router()
            .nest("/partner", Arc::clone(&partner).router());
        start(ports.issuer, providers, "the demo's identity provider").await?;
        start(ports.upstream, upstream::router(), "the demo's application").await?;
        let configuration = configuration(ports, &issuer_url, &store);
        let secret = secret_key()?;
        let demo = Self {
            ports,
            issuer,
            partner,
            portal: Arc::new(Portal::new(secret.clone())),
            configuration,
            folder,
        };
        std::fs::write(demo.folder.path().join("portal.secret"), secret)
            .context("while writing the secret of the demo's portal")?;
        std::fs::write(demo.folder.path().join("secret.key"), secret_key()?)
            .context("while writing the demo's secret key")?;
        std::fs::write(demo.path(), &demo.configuration).context("while writing the demo's configuration")?;
        Ok(demo)
    }

    /// Reads the configuration for the gateway.
    pub fn reading(&self) -> Reading {
        let environment = Environment::of_process(&self.path());
        narthex_config::read_text("narthex.toml", self.configuration.clone(), &environment)
    }

    /// Returns the requests of the people who come at the start.
    pub fn visits(&self) -> Visits {
        Visits {
            ports: self.ports,
            demo: Arc::clone(&self.issuer),
            partner: Arc::clone(&self.partner),
            portal: Arc::clone(&self.portal),
        }
    }

    /// Returns the text of what to try, with an API key of the gateway and a link to its console.
    ///
    /// # Errors
    ///
    /// A token that cannot be signed.
    pub fn welcome(&self, key: &str, link: &str, now_ms: i64) -> anyhow::Result<String> {
        welcome(
            self.ports,
            &self.issuer,
            (key, link),
            &self.path(),
            now_ms.div_euclid(1000),
        )
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("narthex.toml")
    }
}

async fn start(port: u16, router: Router, what: &'static str) -> anyhow::Result<()> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .await
        .with_context(|| format!("{what} cannot listen on {address}; choose other ports with `--port`"))?;
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(())
}

/// A configuration that a real one could begin from.
fn configuration(ports: Ports, issuer_url: &str, store: &Path) -> String {
    let Ports {
        public,
        admin,
        upstream,
        ..
    } = ports;
    let (store, portal) = (store.display(), Portal::ISSUER);
    format!(
        r#"# The demo's configuration. Start a real one from it, or from `narthex config default`.
[listen]
public = "127.0.0.1:{public}"
admin = "127.0.0.1:{admin}"
trusted_proxies = ["127.0.0.1"]

[store]
path = '{store}'

[secrets]
key_file = "secret.key"

# Connections and webhooks may reach the demo's application, and nothing else of this machine.
[connections]
allowed_hosts = ["127.0.0.1:{upstream}"]
allow_private_hosts = ["127.0.0.1"]

[webhook]
allow_private_hosts = ["127.0.0.1"]

[[issuer]]
name = "demo"
issuer = "{issuer_url}"
discovery = true
audiences = ["{AUDIENCE}"]

[issuer.mapping.user]
external_id = "{{{{payload.sub}}}}"
email = "{{{{payload.email}}}}"
name = "{{{{payload.name}}}}"

[issuer.tags]
claim = "groups"
platform_admin = ["superAdmin"]

# A partner's identity provider, whose users count with those of the first.
[[issuer]]
name = "partner"
realm = "demo"
issuer = "{issuer_url}/partner"
discovery = true
audiences = ["{AUDIENCE}"]

[issuer.mapping.user]
external_id = "{{{{payload.sub}}}}"
email = "{{{{payload.email}}}}"
name = "{{{{payload.name}}}}"

[issuer.tags]
claim = "groups"

# A portal that shares a secret with Narthex. Its tokens name the company of the user.
[[issuer]]
name = "portal"
realm = "demo"
issuer = "{portal}"
secret_file = "portal.secret"

[issuer.mapping.user]
external_id = "{{{{payload.sub}}}}"
email = "{{{{payload.email}}}}"
name = "{{{{payload.name}}}}"

[issuer.mapping.organization]
external_id = "{{{{payload.companyId}}}}"
name = "{{{{payload.company}}}}"
role = "member"
"#
    ) + ORGANIZATIONS
        + &routes(upstream)
}

/// The organizations of the configuration, with the tags that give their roles.
const ORGANIZATIONS: &str = r#"
[[organization]]
name = "acme"
label = "Acme"
external_admin_groups = "adminTag1"
external_member_groups = "memberTag1, memberTag2"
external_executor_groups = "executorTag1"

[[organization]]
name = "globex"
label = "Globex"
external_admin_groups = "globexAdmins"
external_member_groups = "globexStaff"

"#;

/// The routes of the configuration, all to one application.
fn routes(upstream: u16) -> String {
    format!(
        r#"# POST /v1/algo/ORGANIZATION/ALGORITHM/VERSION: for those who may execute in that organization.
[[route]]
path = ["/v1/algo/{{organization}}/{{algorithm}}", "/v1/algo/{{organization}}/{{algorithm}}/{{*version}}"]
methods = ["POST"]
require = "organization:executor"
upstream = "http://127.0.0.1:{upstream}"

[[route]]
path = "/v1/admin/{{*rest}}"
require = "platform:admin"
upstream = "http://127.0.0.1:{upstream}"

[[route]]
path = "/hello"
require = "authenticated"
upstream = "http://127.0.0.1:{upstream}"
"#
    )
}

/// A fresh key for the secrets in the demo's store.
fn secret_key() -> anyhow::Result<String> {
    let bytes = narthex_clock::random_bytes::<32>()?;
    Ok(BASE64_STANDARD.encode(bytes))
}

fn welcome(
    ports: Ports,
    issuer: &Issuer,
    (key, link): (&str, &str),
    configuration: &Path,
    now_seconds: i64,
) -> anyhow::Result<String> {
    let admin = issuer.token("alice", &["superAdmin"], now_seconds)?;
    let member = issuer.token("bob", &["memberTag1"], now_seconds)?;
    let nobody = issuer.token("carol", &[], now_seconds)?;
    let public = format!("http://127.0.0.1:{}", ports.public);
    let admin_url = format!("http://127.0.0.1:{}", ports.admin);
    let issuer_url = format!("http://127.0.0.1:{}", ports.issuer);
    let configuration = configuration.display();
    // A user who tries the demo from a fresh clone has no `narthex` in the path yet.
    let narthex = std::env::current_exe().unwrap_or_else(|_| "narthex".into());
    let narthex = narthex.display();
    Ok(format!(
        r#"
Narthex demo. Everything listens on 127.0.0.1 only and is gone when you press Ctrl-C. Not for production.

  console   {link}
            (good once, for 15 minutes; people of three issuers come with their tokens, and some are refused)
  gateway   {public}
  admin API {admin_url}/api/v1  (description: {admin_url}/openapi.json)
  issuer    {issuer_url}  (more tokens: curl '{issuer_url}/token?sub=dave&groups=globexStaff')

Copy these into another terminal:

  ALICE={admin}

  BOB={member}

  CAROL={nobody}

1. Bob's token has the tag memberTag1, which the organization acme lists: he is made a member and may run its algorithms.

  curl -i -X POST {public}/v1/algo/acme/hello/0.1.1 -H "Authorization: Bearer $BOB" -H 'Content-Type: application/json' -d '{{"first_name":"Test","last_name":"User"}}'

   In another organization he may not: 403, organization.role.

  curl -i -X POST {public}/v1/algo/globex/hello/0.1.1 -H "Authorization: Bearer $BOB" -d '{{}}'

2. Alice's token has the tag superAdmin: she is made a platform admin.

  curl -i {public}/v1/admin/anything -H "Authorization: Bearer $ALICE"

3. Carol's token has an empty list of tags: she is known and has no permissions. 200, then 403.

  curl -i {public}/hello -H "Authorization: Bearer $CAROL"
  curl -i -X POST {public}/v1/algo/acme/hello/0.1.1 -H "Authorization: Bearer $CAROL" -d '{{}}'

4. Who am I, which roles do I have, and why?

  curl {public}/.narthex/me -H "Authorization: Bearer $BOB"

5. Why was Carol refused?

  curl -X POST {admin_url}/api/v1/explain -H 'Authorization: Bearer {key}' -H 'Content-Type: application/json' -d "{{\"token\":\"$CAROL\",\"request\":{{\"method\":\"POST\",\"path\":\"/v1/algo/acme/hello/0.1.1\"}}}}"
  {narthex} explain "$CAROL" --request "POST /v1/algo/acme/hello/0.1.1" --config {configuration}

6. The directory that these tokens made:

  curl '{admin_url}/api/v1/users' -H 'Authorization: Bearer {key}'
  curl '{admin_url}/api/v1/organizations/acme/members' -H 'Authorization: Bearer {key}'

The configuration: {configuration}

"#
    ))
}
