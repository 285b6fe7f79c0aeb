//! `SQLite`: one file, one writer, a few readers.

mod beside;
mod change;
mod documents;
mod error;
#[cfg(feature = "population")]
mod fill;
mod list;
mod marks;
mod open;
mod place;
mod readers;
mod rows;
mod snapshot;
pub mod transfer;
mod work;
mod writer;

use std::sync::Arc;

use async_trait::async_trait;
use narthex_directory::{
    Answer, ApiKey, ApiKeyId, AssertionKey, AuditEvent, By, Carrier, CarrierFilter, Change, Desired, Detail, Document,
    DocumentAt, DocumentKind, Documents, Edit, EventFilter, Grant, GrantFilter, IssuerName, Keyring, Listing, Logo,
    Mark, Member, NewDocument, NewGrant, NewOrganization, NewTeam, NewUser, Organization, OrganizationEdit,
    OrganizationFilter, OrganizationId, OrganizationName, Origin, Page, People, Realm, RecordedEvent, SavedKeySet,
    Scope, SecretHash, SeenTag, Snapshot, Stamp, Standing, StoreError, SyncPlan, Team, TeamEdit, TeamFilter, TeamId,
    TokenSync, Touch, Trail, UsageBuffer, User, UserEdit, UserEntry, UserFilter, UserId, Versions, rules,
};

use self::error::Outcome;
#[cfg(feature = "population")]
pub use self::fill::fill;
use self::list::Key;
pub use self::open::Options;
pub use self::open::known_version as schema_version;
use self::place::{Lock, Place};
use self::readers::Readers;
use self::work::{apply, home, organization_in, user_in};
use self::writer::{Tx, Writer};
use narthex_tables::record::{Written, after, missing, raise, updated_organization, updated_team, updated_user};
use narthex_tables::tag_cache::TagCache;

/// A directory in a `SQLite` database.
///
/// Dropping it writes the work in the queue, checkpoints the log into the database and closes the file. It does not
/// flush what was only noted: see [`TokenSync::flush`].
#[derive(Debug)]
pub struct SqliteDirectory {
    // The readers close before the writer, which as the last one checkpoints the log.
    readers: Readers,
    writer: Writer,
    // Dropped after both of them.
    place: Arc<Place>,
    versions: Arc<Versions>,
    usage: Arc<UsageBuffer>,
    tag_cache: Arc<TagCache>,
    /// Lock for one flush at a time. It holds the batches of marks that this process has written in short.
    flushing: tokio::sync::Mutex<Vec<i64>>,
}

impl SqliteDirectory {
    /// Opens a database, making or migrating it where needed. Blocks for that long.
    pub fn open(options: &Options) -> Result<Self, StoreError> {
        open::keep_private(&options.path);
        let serves = options.serves && options.path.is_file();
        let lock = serves.then(|| Lock::take(&options.path)).transpose()?;
        let connection = open::open_writer(options)?;
        marks::carry_over(&connection)?;
        let versions = Arc::new(Versions::default());
        raise(&versions, &beside::counters(&connection)?);
        let readers = (0..options.readers.max(1))
            .map(|_| open::open_reader(options))
            .collect::<Result<_, _>>()?;
        let place = Arc::new(Place::of(&options.path, lock));
        Ok(Self {
            readers: Readers::start(readers, Arc::clone(&place))?,
            writer: Writer::start(connection, Arc::clone(&versions), Arc::clone(&place))?,
            place,
            versions,
            usage: Arc::new(UsageBuffer::keeping()),
            tag_cache: Arc::default(),
            flushing: tokio::sync::Mutex::default(),
        })
    }

    /// Reads, changes and writes one record's worth in a transaction.
    async fn edit<T: Send + 'static>(
        &self,
        by: By,
        edit: impl FnOnce(&mut Tx<'_>) -> Outcome<(T, Vec<Change>)> + Send + 'static,
    ) -> Answer<T> {
        let work = move |tx: &mut Tx<'_>| {
            let (value, changes) = edit(tx)?;
            change::write(tx, &changes, &Written::of(&changes, &by))?;
            Ok(value)
        };
        self.writer.write(work).await
    }
}

#[async_trait]
impl TokenSync for SqliteDirectory {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let (asked, cache) = (desired.clone(), Arc::clone(&self.tag_cache));
        let mut snapshot = self
            .readers
            .read(move |connection| snapshot::snapshot(connection, &cache, &asked, detail))
            .await?;
        snapshot.overlay(&self.usage, &desired.issuer);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        let usage = Arc::clone(&self.usage);
        let noted = Arc::clone(&plan);
        // Computed here, to keep work off the one thread that writes.
        let written = Written::of(
            &plan.changes,
            &By {
                actor: plan.actor(),
                at_ms: plan.touch.at_ms,
            },
        );
        let stamp = self.writer.write(move |tx| apply(tx, &plan, &written, &usage)).await?;
        self.usage.note_applied(&noted);
        Ok(stamp)
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.usage.note(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.usage.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        // One flush at a time: the entries that it takes go on counting until they are known to be written.
        let mut batches = self.flushing.lock().await;
        let noted = Arc::new(self.usage.take());
        if !noted.is_empty() {
            let write = Arc::clone(&noted);
            let written = self.writer.write(move |tx| beside::write_noted(tx, &write)).await;
            self.usage.settle(if written.is_ok() {
                Ok(())
            } else {
                Err(noted.as_ref().clone())
            });
            batches.extend(written?);
        }
        if self.usage.keeps_many() {
            self.write_out(&mut batches).await?;
        }
        Ok(noted.due.len())
    }

    async fn flush_last(&self) -> Answer<()> {
        self.flush().await?;
        self.write_out(&mut *self.flushing.lock().await).await
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        self.readers
            .read(move |connection| snapshot::standing(connection, user))
            .await
    }

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        self.readers
            .read(move |connection| list::organization(connection, Key::Id, &organization.to_string()))
            .await
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        self.readers
            .read(move |connection| list::organization(connection, Key::Name, name.as_str()))
            .await
    }

    fn versions(&self) -> &Arc<Versions> {
        &self.versions
    }

    async fn poll_versions(&self) -> Answer<()> {
        self.place.check()?;
        let counters = self.readers.read(beside::counters).await?;
        raise(&self.versions, &counters);
        Ok(())
    }

    async fn health(&self) -> Answer<()> {
        self.place.check()?;
        self.readers.read(|connection| change::counter(connection, 0)).await?;
        self.writer.write(|tx| change::counter(tx, 0)).await.map(drop)
    }

    fn writes_fail(&self) -> bool {
        self.writer.is_failing()
    }
}

#[async_trait]
impl People for SqliteDirectory {
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>> {
        self.readers
            .read(move |connection| list::user(connection, &user.to_string()))
            .await
    }

    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>> {
        self.readers
            .read(move |connection| list::users(connection, &filter, &page))
            .await
    }

    async fn create_user(&self, new: NewUser, by: By) -> Answer<User> {
        let user = rules::new_user(new, by.at_ms)?;
        self.edit(by, |_| Ok((user.clone(), vec![Change::CreateUser(Box::new(user))])))
            .await
    }

    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = user_in(tx, user)?;
            let changes = Vec::from_iter(rules::edit_user(&before, version, edit, at_ms)?);
            Ok((after(&before, &changes, updated_user), changes))
        };
        self.edit(by, work).await
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        let (at_ms, usage) = (by.at_ms, Arc::clone(&self.usage));
        let work = move |tx: &mut Tx<'_>| {
            let before = user_in(tx, user)?;
            let newest = change::newest_issued_at_ms(tx, user)?.max(usage.newest_issued_at_ms(user));
            let changes = Vec::from_iter(rules::revoke_tokens(&before, newest, at_ms));
            Ok((after(&before, &changes, updated_user), changes))
        };
        self.edit(by, work).await
    }

    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>> {
        self.readers
            .read(move |connection| list::grants(connection, &filter, &page))
            .await
    }

    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let scope = new.role.scope();
            let home = home(tx, scope)?;
            let open = list::manual_grant(tx, &new.user.to_string(), scope)?;
            Ok(rules::give(new, open, home.as_ref(), at_ms)?)
        };
        self.edit(by, work).await
    }

    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let open = list::revocable_grants(tx, &user.to_string(), scope)?;
            Ok(rules::close_all(open, at_ms, why.as_deref()))
        };
        self.edit(by, work).await
    }

    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let lapsed = list::lapsed(tx, at_ms, limit)?;
            let changes: Vec<Change> = lapsed.into_iter().map(rules::close_lapsed).collect();
            Ok((changes.len(), changes))
        };
        self.edit(by, work).await
    }

    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>> {
        self.readers
            .read(move |connection| list::organizations(connection, &filter, &page))
            .await
    }

    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization> {
        let organization = rules::new_organization(new, Origin::Api, by.at_ms)?;
        let change = Change::CreateOrganization(Box::new(organization.clone()));
        self.edit(by, |_| Ok((organization, vec![change]))).await
    }

    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = organization_in(tx, organization)?;
            let manual = list::manual_grants(tx, &organization.to_string())?;
            let changes = rules::edit_organization(&before, version, edit, manual, at_ms)?;
            Ok((after(&before, &changes, updated_organization), changes))
        };
        self.edit(by, work).await
    }

    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let changes = beside::declare(tx, declared, at_ms)?;
            Ok((changes.len(), changes))
        };
        self.edit(by, work).await
    }

    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>> {
        self.readers
            .read(move |connection| beside::logo(connection, organization))
            .await
    }

    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = organization_in(tx, organization)?;
            change::keep_logo(tx, organization, logo.as_ref().map(Logo::bytes))?;
            let changes = rules::set_logo(&before, logo.is_some(), at_ms);
            Ok((after(&before, &changes, updated_organization), changes))
        };
        self.edit(by, work).await
    }

    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>> {
        self.readers
            .read(move |connection| list::members(connection, scope, now_ms, &page))
            .await
    }

    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool> {
        self.readers
            .read(move |connection| list::has_met(connection, organization, user))
            .await
    }

    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>> {
        self.readers
            .read(move |connection| list::carriers(connection, &filter, &page))
            .await
    }

    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize> {
        self.readers
            .read(move |connection| list::count_carriers(connection, &filter, most))
            .await
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        let after = page.after_pair()?;
        let read = move |connection: &rusqlite::Connection| {
            list::seen_tags(connection, realm.as_ref().map(Realm::as_str), after.as_ref(), &page)
        };
        self.readers.read(read).await
    }

    async fn team(&self, team: TeamId) -> Answer<Option<Team>> {
        self.readers
            .read(move |connection| list::team(connection, &team.to_string()))
            .await
    }

    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>> {
        self.readers
            .read(move |connection| list::teams(connection, &filter, &page))
            .await
    }

    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let home = new.organization.map(|id| organization_in(tx, id)).transpose()?;
            let team = rules::new_team(new, home.as_ref(), at_ms)?;
            Ok((team.clone(), vec![Change::CreateTeam(Box::new(team))]))
        };
        self.edit(by, work).await
    }

    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team> {
        let at_ms = by.at_ms;
        let work = move |tx: &mut Tx<'_>| {
            let before = list::team(tx, &team.to_string())?.ok_or(missing("team"))?;
            let home = match &edit.organization {
                Edit::Set(id) => Some(organization_in(tx, *id)?),
                Edit::Keep | Edit::Clear => None,
            };
            let manual = match &home {
                Some(_) => list::manual_team_grants(tx, &team.to_string())?,
                None => Vec::new(),
            };
            let changes = rules::edit_team(&before, version, edit, home.as_ref(), manual, at_ms)?;
            Ok((after(&before, &changes, updated_team), changes))
        };
        self.edit(by, work).await
    }
}

#[async_trait]
impl Keyring for SqliteDirectory {
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()> {
        let work = move |tx: &mut Tx<'_>| {
            home(tx, key.role.scope())?;
            beside::create_api_key(tx, &key)?;
            change::record(tx, rules::api_key_event("api_key.created", &key, &by))
        };
        self.writer.write(work).await
    }

    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>> {
        self.readers
            .read(move |connection| beside::api_key(connection, hash))
            .await
    }

    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>> {
        self.readers
            .read(move |connection| list::api_keys(connection, &page))
            .await
    }

    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| {
            let Some(key) = beside::revoke_api_key(tx, key, by.at_ms)? else {
                return Ok(false);
            };
            change::record(tx, rules::api_key_event("api_key.revoked", &key, &by))?;
            tx.move_policy()?;
            Ok(true)
        };
        self.writer.write(work).await
    }

    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool> {
        let work = move |tx: &mut Tx<'_>| beside::note_api_key_use(tx, key, at_ms);
        self.writer.write(work).await
    }

    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>> {
        self.readers.read(beside::assertion_keys).await
    }

    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>> {
        self.writer
            .write(move |tx| beside::rotate_assertion_key(tx, &key, newer_than_ms, &by))
            .await
    }

    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>> {
        self.readers.read(beside::key_sets).await
    }

    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()> {
        self.writer.write(move |tx| beside::save_key_set(tx, &set)).await
    }
}

#[async_trait]
impl Documents for SqliteDirectory {
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>> {
        self.readers
            .read(move |connection| documents::find(connection, kind, &name))
            .await
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>> {
        self.readers
            .read(move |connection| documents::list(connection, kind, organization, &page))
            .await
    }

    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document> {
        self.writer.write(move |tx| documents::save(tx, new, at, &by)).await
    }

    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool> {
        self.writer
            .write(move |tx| documents::delete(tx, kind, &name, at, &by))
            .await
    }
}

#[async_trait]
impl Trail for SqliteDirectory {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        self.readers
            .read(move |connection| list::events(connection, &filter, &page))
            .await
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        self.writer.write(move |tx| change::record(tx, event)).await
    }
}
