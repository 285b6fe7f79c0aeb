//! `narthex organization|user|team|grant|key|machine-key|session|connection|webhook|issuer|console …`: the directory, worked
//! on where it is kept.
//!
//! These commands open the store that the configuration names, beside servers that may be running on it: both databases
//! let several processes in, and a server looks every second for what others have changed. JSON is what the admin API
//! answers, so that a script can move from one to the other.

mod audit;
mod connection;
mod console;
mod deletion;
mod erasure;
mod external_ids;
mod grant;
mod issuer;
mod key;
mod machine_key;
mod organization;
mod past_roles;
mod revoke;
mod session;
mod team;
mod user;
mod webhook;
mod why;

use std::sync::Arc;

use anyhow::Context as _;
use narthex_admin::api::List;
use narthex_clock::Clock;
use narthex_directory::{
    ActiveIssuers, Answer as StoreAnswer, By, Cursor, Directory, EffectiveGrant, Grant, GrantPolicy, GrantSource,
    IneffectiveReason, Listing, Organization, PAGE_LIMIT_MAX, Page, Realm, Scope, Team, TeamFilter, TeamId, UserEntry,
    UserFilter, UserId,
};
use narthex_engine::ConnectionSettings;
use narthex_issuers::store::candidates;
use narthex_issuers::{FileIssuer, choose};
use narthex_server::store::{self, Purpose};
use narthex_server::{assemble, system_user};
use narthex_terminal::table::{self, Table};
use serde::Serialize;

use super::input::usage_error;
use super::{Answer, print};
use crate::args::{Command, Common, ListPage};
use narthex_config::{Limits, Paint};

/// Runs one of them.
pub(super) fn run(command: Command) -> anyhow::Result<Answer> {
    // One short piece of work needs no pool of threads.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match command {
            Command::Audit(command) => audit::run(command).await,
            Command::Organization(command) => organization::run(command).await,
            Command::User(command) => user::run(command).await,
            Command::Team(command) => team::run(command).await,
            Command::Grant(command) => grant::run(command).await,
            Command::Key(command) => key::run(command).await,
            Command::MachineKey(command) => machine_key::run(command).await,
            Command::Session(command) => session::run(command).await,
            Command::Connection(command) => connection::run(command).await,
            Command::Why { request_id, common } => why::run(&request_id, &common).await,
            Command::Revoke(args) => revoke::run(args).await,
            Command::Console(command) => console::run(command).await,
            Command::Webhook(command) => webhook::run(command).await,
            Command::Issuer(command) => issuer::run(command).await,
            _ => anyhow::bail!("this is no command on the directory"),
        }
    })
}

/// Context of an administrator's command: the open store and the settings that commands need.
struct AdminContext {
    directory: Arc<dyn Directory>,
    realms: Vec<Realm>,
    /// Names of the issuers of the configuration.
    issuers: Vec<String>,
    /// The issuers whose grants count, by the configuration that was read.
    active_issuers: ActiveIssuers,
    connections: Arc<ConnectionSettings>,
    /// The issuers of the file, and its limits, for the documents of issuers.
    file_issuers: Vec<FileIssuer>,
    limits: Limits,
    /// Address at which browsers reach the console.
    console: String,
    /// Files that get the events of the audit trail too.
    audit_files: Vec<String>,
    clock: Clock,
    json: bool,
}

impl AdminContext {
    /// Opens the store that the configuration names.
    async fn open(common: &Common) -> anyhow::Result<Self> {
        let reading = narthex_config::read(&common.config.path)?;
        let refused = |report| anyhow::anyhow!("the configuration cannot be used\n\n{report}");
        let config = reading.into_config(Paint::of_stderr()).map_err(refused)?;
        let directory = store::open(&config.store, Purpose::Command).await?;
        let file_issuers: Vec<FileIssuer> = config.issuers.iter().map(FileIssuer::from).collect();
        let documents = candidates(&*directory).await?;
        let of_api = choose(&file_issuers, documents, &|_| false, &config.limits).in_use;
        let issuers = || config.issuers.iter().chain(of_api.iter().map(|chosen| &chosen.issuer));
        // The realm of an issuer of one organization is for its users: no organization belongs to it.
        let of_all = issuers().filter(|issuer| issuer.policy.organization.is_none());
        let mut realms: Vec<Realm> = of_all.map(|issuer| issuer.realm.clone()).collect();
        realms.sort();
        realms.dedup();
        let names = issuers().map(|issuer| issuer.name.to_string()).collect();
        let active_issuers = assemble::active_issuers(issuers());
        Ok(Self {
            directory,
            realms,
            issuers: names,
            active_issuers,
            file_issuers,
            limits: config.limits.clone(),
            connections: Arc::new(assemble::connections(&config)),
            console: narthex_server::console_address(&config, config.listen.admin.port()),
            audit_files: narthex_server::audit_files(&config.audit),
            clock: Clock::system(),
            json: common.output.json,
        })
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    /// Says of grants what they give now, as a server with this configuration decides.
    fn grant_policy(&self) -> GrantPolicy<'_> {
        GrantPolicy::new(&*self.directory, &self.active_issuers, self.now_ms())
    }

    /// The system user at the command line, now.
    fn by(&self) -> By {
        By {
            actor: system_user::actor(),
            at_ms: self.now_ms(),
        }
    }

    /// The realm that was named, or the only one there is.
    fn realm(&self, named: Option<String>) -> anyhow::Result<Realm> {
        match (named, self.realms.as_slice()) {
            (Some(named), known) => {
                let realm = Realm::new(named)?;
                // As the admin API: no token would ever meet what is made in another one.
                if known.is_empty() || known.contains(&realm) {
                    return Ok(realm);
                }
                let names: Vec<&str> = known.iter().map(Realm::as_str).collect();
                Err(usage_error(format!(
                    "no issuer has the realm `{realm}`; the realms are {}",
                    names.join(", ")
                )))
            }
            (None, [only]) => Ok(only.clone()),
            (None, []) => Err(usage_error(
                "the configuration has no issuer and so no realm yet; name one with `--realm`",
            )),
            (None, several) => {
                let names: Vec<&str> = several.iter().map(Realm::as_str).collect();
                Err(usage_error(format!(
                    "name the realm with `--realm`; there are {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// The organization of this id or name. Text that is an id is never a name.
    async fn organization(&self, text: &str) -> anyhow::Result<Organization> {
        let found = match (text.parse(), text.try_into()) {
            (Ok(id), _) => self.directory.organization(id).await?,
            (Err(_), Ok(name)) => self.directory.organization_named(name).await?,
            (Err(_), Err(_)) => None,
        };
        found.with_context(|| format!("there is no organization `{text}`; `narthex organization list` shows them"))
    }

    /// The user with this id, or the only one with this username. Text that is an id is never a name.
    async fn user(&self, text: &str) -> anyhow::Result<UserEntry> {
        let unknown = || format!("there is no user with the id or username `{text}`; `narthex user list` shows them");
        let id = match text.parse::<UserId>() {
            Ok(id) => id,
            Err(_) => self.user_named(text).await?.with_context(unknown)?,
        };
        let entry = self.directory.user(id).await?.with_context(unknown)?;
        Ok(self.grant_policy().user(entry).await?)
    }

    /// A username is unique only within a realm: if users of several realms have it, the operator must name the id.
    async fn user_named(&self, username: &str) -> anyhow::Result<Option<UserId>> {
        let filter = UserFilter {
            username: Some(username.to_owned()),
            ..UserFilter::default()
        };
        let found = self.directory.users(filter, Page::first(PAGE_LIMIT_MAX)).await?.items;
        match found.as_slice() {
            [] => Ok(None),
            [only] => Ok(Some(only.user.id)),
            several => {
                let told = several
                    .iter()
                    .map(|found| format!("{} in realm {}", found.user.id, found.user.realm));
                let told = told.collect::<Vec<_>>().join(", ");
                Err(usage_error(format!(
                    "several users are called `{username}`; name one by its id: {told}"
                )))
            }
        }
    }

    /// The team with this id, or the only one with this name. Text that is an id is never a name.
    async fn team(&self, text: &str) -> anyhow::Result<Team> {
        let found = match text.parse::<TeamId>() {
            Ok(id) => self.directory.team(id).await?,
            Err(_) => self.team_named(text).await?,
        };
        found.with_context(|| format!("there is no team with the id or name `{text}`; `narthex team list` shows them"))
    }

    /// A name is not unique: if several teams have it, the operator must name the id.
    async fn team_named(&self, name: &str) -> anyhow::Result<Option<Team>> {
        let mut named: Vec<Team> = Vec::new();
        let mut page = Page::first(PAGE_LIMIT_MAX);
        loop {
            let listing = self.directory.teams(TeamFilter::default(), page).await?;
            named.extend(listing.items.into_iter().filter(|team| team.name == name));
            match listing.next_cursor {
                Some(cursor) => page = Page::after(cursor, PAGE_LIMIT_MAX),
                None => break,
            }
        }
        if let [_, _, ..] = named.as_slice() {
            let told: Vec<String> = named.iter().map(|team| team.id.to_string()).collect();
            let told = told.join(", ");
            return Err(usage_error(format!(
                "several teams are called `{name}`; name one by its id: {told}"
            )));
        }
        Ok(named.pop())
    }

    /// Name of a scope.
    async fn scope_name(&self, scope: Scope) -> anyhow::Result<Option<String>> {
        Ok(match scope {
            Scope::Platform => None,
            Scope::Organization(id) => self
                .directory
                .organization(id)
                .await?
                .map(|found| found.name.to_string()),
            Scope::Team(id) => self.directory.team(id).await?.map(|found| found.name),
        })
    }

    /// Answers with one thing: as JSON, or as people read it.
    fn answer<T: Serialize>(&self, body: &T, text: impl FnOnce() -> String) -> anyhow::Result<Answer> {
        let text = if self.json { json(body)? } else { text() };
        print(&text)?;
        Ok(Answer::Yes)
    }

    /// Answers with a list: as JSON, or as a table.
    fn list<T: Serialize>(&self, list: &List<T>, table: impl FnOnce(&[T]) -> Table) -> anyhow::Result<Answer> {
        if self.json {
            print(&json(list)?)?;
            return Ok(Answer::Yes);
        }
        print(&table(&list.items).to_string())?;
        if let Some(cursor) = &list.next_cursor {
            print(&format!("\nThere is more: add `--cursor {cursor}`.\n"))?;
        }
        Ok(Answer::Yes)
    }
}

fn json<T: Serialize>(body: &T) -> anyhow::Result<String> {
    let mut text = serde_json::to_string_pretty(body)?;
    text.push('\n');
    Ok(text)
}

/// Collects as many items as were asked for, from as many pages of the store as that takes.
async fn gather<T, F>(asked: ListPage, mut read: impl FnMut(Page) -> F) -> anyhow::Result<Listing<T>>
where
    F: Future<Output = StoreAnswer<Listing<T>>>,
{
    let most = if asked.all_pages {
        usize::MAX
    } else {
        usize::try_from(asked.limit)?
    };
    let mut all = Listing {
        items: Vec::new(),
        next_cursor: asked.cursor.map(Cursor::new),
    };
    loop {
        let limit = (most - all.items.len()).min(PAGE_LIMIT_MAX);
        let page = match all.next_cursor.take() {
            Some(cursor) => Page::after(cursor, limit),
            None => Page::first(limit),
        };
        let part = read(page).await?;
        all.items.extend(part.items);
        all.next_cursor = part.next_cursor;
        if all.next_cursor.is_none() || all.items.len() >= most {
            return Ok(all);
        }
    }
}

/// Source of a grant in words, and the reason if it is open but has no effect.
fn effective_origin(effective: &EffectiveGrant) -> String {
    let origin = origin(&effective.grant);
    match effective.gives {
        Err(IneffectiveReason::Closed) => origin,
        Err(idle) => format!("{origin} (gives nothing: {idle})"),
        Ok(role) if role != effective.grant.role => {
            format!("{origin} (gives {}: listed for that now)", role.role_str())
        }
        Ok(_) => origin,
    }
}

/// Source of a grant, in words.
fn origin(grant: &Grant) -> String {
    match &grant.source {
        GrantSource::Manual => grant
            .why
            .as_ref()
            .map_or("by hand".to_owned(), |why| format!("by hand: {why}")),
        GrantSource::Claim { issuer, .. } => format!("claim of {issuer}"),
        GrantSource::Tag { issuer, tag } => format!("tag \"{tag}\" of {issuer}"),
        GrantSource::Pattern { issuer, tag } => format!("tag \"{tag}\" of {issuer}, by a tag pattern"),
    }
}
