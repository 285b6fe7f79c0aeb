//! `PostgreSQL`: many nodes, one database.
//!
//! Reads take any free connection, each as one statement or as one read-only transaction of one moment. Writers of all
//! nodes take turns: a lock, taken first and kept until the commit, gives audit events the order of their commits and
//! keeps what was checked true until it is written. Plans, of which there are many, are committed in groups (`group`).

mod beside;
mod connect;
mod edit;
mod error;
#[cfg(feature = "population")]
mod fill;
mod group;
mod list;
mod listen;
mod migrate;
mod options;
mod pooler;
mod rows;
mod session;
mod snapshot;
mod tls;
pub mod transfer;
mod value;
mod write;

use std::sync::Arc;

use async_trait::async_trait;
use deadpool_postgres::{Manager, ManagerConfig, Pool, RecyclingMethod, Runtime};
use narthex_directory::{
    Answer, ApiKey, ApiKeyId, AssertionKey, AuditEvent, By, Carrier, CarrierFilter, Change, Desired, Detail, Document,
    DocumentAt, DocumentKind, Documents, Edit, EventFilter, Grant, GrantFilter, IssuerName, Keyring, Listing, Logo,
    Mark, Member, NewDocument, NewGrant, NewOrganization, NewTeam, NewUser, Organization, OrganizationEdit,
    OrganizationFilter, OrganizationId, OrganizationName, Origin, Page, People, Realm, RecordedEvent, SavedKeySet,
    Scope, SecretHash, SeenTag, Snapshot, Stamp, Standing, StoreError, SyncPlan, Team, TeamEdit, TeamFilter, TeamId,
    TokenSync, Touch, Trail, UsageBuffer, User, UserEdit, UserEntry, UserFilter, UserId, Versions, rules,
};
use tokio::task::JoinHandle;

use self::connect::{Connector, Gate, PoolConnect, connect};
use self::error::unavailable;
#[cfg(feature = "population")]
pub use self::fill::fill;
use self::group::Plans;
use self::list::Key;
use self::listen::LastLook;
pub use self::migrate::known_version as schema_version;
pub use self::options::{PostgresOptions, PostgresUrlError};
use self::session::{Session, Tx};
use self::snapshot::{Reader, Texts};
use narthex_tables::PendingMigration;
use narthex_tables::record::{Written, after, updated_organization, updated_team, updated_user};
use narthex_tables::tag_cache::TagCache;

/// State that the tasks of a directory share.
#[derive(Debug)]
struct Shared {
    connector: Arc<Connector>,
    /// The way around the pooler, if it is known.
    direct: Option<Connector>,
    pool: Pool,
    gate: Gate,
    versions: Arc<Versions>,
    usage: UsageBuffer,
    tag_cache: TagCache,
    texts: Texts,
    last_look: LastLook,
}

/// A directory in a `PostgreSQL` database, which other nodes may be using too.
///
/// Dropping it applies the plans in the queue, as long as the runtime goes on. It does not flush what was only noted:
/// see [`TokenSync::flush`].
#[derive(Debug)]
pub struct PostgresDirectory {
    shared: Arc<Shared>,
    plans: Plans,
    flushing: tokio::sync::Mutex<()>,
    listening: JoinHandle<()>,
}

impl Drop for PostgresDirectory {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl PostgresDirectory {
    /// Connects, and makes or migrates the schema where needed. Needs a tokio runtime.
    pub async fn open(options: &PostgresOptions) -> Result<Self, StoreError> {
        let connector = Arc::new(Connector::new(options).map_err(unavailable)?);
        let direct = options.direct().map(Connector::new).transpose().map_err(unavailable)?;
        pooler::set_up(&connector, direct.as_ref()).await?;
        let config = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let manager = Manager::from_connect(
            tokio_postgres::Config::new(),
            PoolConnect(Arc::clone(&connector)),
            config,
        );
        let pool = Pool::builder(manager)
            .max_size(options.connections())
            .runtime(Runtime::Tokio1)
            .build()
            .map_err(unavailable)?;
        let shared = Arc::new(Shared {
            connector,
            direct,
            pool,
            gate: Gate::default(),
            versions: Arc::default(),
            usage: UsageBuffer::default(),
            tag_cache: TagCache::default(),
            texts: Texts::new(),
            last_look: LastLook::default(),
        });
        let session = Session::open(&shared).await?;
        listen::look(&session, &shared.last_look, &shared.versions).await?;
        drop(session);
        Ok(Self {
            plans: Plans::start(&shared),
            listening: tokio::spawn(listen::listen(Arc::clone(&shared))),
            flushing: tokio::sync::Mutex::default(),
            shared,
        })
    }

    /// The migrations that opening would run on a database.
    pub async fn pending(options: &PostgresOptions) -> Result<Vec<PendingMigration>, StoreError> {
        let connector = Connector::new(options).map_err(unavailable)?;
        let (client, driver) = connect(&connector).await?;
        let pending = migrate::pending(&client).await;
        driver.abort();
        pending
    }

    async fn session(&self) -> Answer<Session> {
        Session::open(&self.shared).await
    }

    async fn begin(&self) -> Answer<Tx> {
        Ok(Tx::begin(&self.shared).await?)
    }

    /// Writes changes and commits them.
    async fn finish(&self, mut tx: Tx, changes: &[Change], by: &By) -> Answer<()> {
        if changes.is_empty() {
            // The record is so already, perhaps because another node has just changed it. The answer acknowledges it
            // like a change made here, so this node must honour it at once.
            self.look(&tx).await?;
        }
        tx.write(changes, by).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn look(&self, session: &Session) -> Answer<()> {
        Ok(listen::look(session, &self.shared.last_look, &self.shared.versions).await?)
    }

    fn reader<'r>(&'r self, session: &'r Session) -> Reader<'r> {
        Reader {
            session,
            texts: &self.shared.texts,
            versions: &self.shared.versions,
            cache: &self.shared.tag_cache,
        }
    }
}

#[async_trait]
impl TokenSync for PostgresDirectory {
    async fn snapshot(&self, desired: &Desired, detail: Detail) -> Answer<Snapshot> {
        let session = self.session().await?;
        let mut snapshot = self.reader(&session).snapshot(desired, detail).await?;
        snapshot.overlay(&self.shared.usage, &desired.issuer);
        Ok(snapshot)
    }

    async fn apply(&self, plan: Arc<SyncPlan>) -> Answer<Stamp> {
        let by = By {
            actor: plan.actor(),
            at_ms: plan.touch.at_ms,
        };
        let written = Written::of(&plan.changes, &by);
        self.plans.apply(plan, written).await
    }

    fn touch(&self, touch: &Touch) -> bool {
        self.shared.usage.note(touch)
    }

    fn note_newest(&self, user: UserId, issuer: &IssuerName, mark: Mark) -> bool {
        self.shared.usage.note_newest(user, issuer, mark)
    }

    async fn flush(&self) -> Answer<usize> {
        // One flush at a time: the entries that it takes go on counting until they are known to be written.
        let _alone = self.flushing.lock().await;
        let usage = &self.shared.usage;
        let noted = usage.take();
        let written = beside::write_noted(&self.shared, &noted).await;
        let count = noted.due.len();
        usage.settle(if written.is_ok() { Ok(()) } else { Err(noted) });
        Ok(written.map(|()| count)?)
    }

    async fn standing(&self, user: UserId) -> Answer<Option<Standing>> {
        let session = self.session().await?;
        Ok(self.reader(&session).standing(user).await?)
    }

    async fn organization(&self, organization: OrganizationId) -> Answer<Option<Organization>> {
        Ok(list::organization(&self.session().await?, Key::Id, &organization.to_string()).await?)
    }

    async fn organization_named(&self, name: OrganizationName) -> Answer<Option<Organization>> {
        Ok(list::organization(&self.session().await?, Key::Name, name.as_str()).await?)
    }

    fn versions(&self) -> &Arc<Versions> {
        &self.shared.versions
    }

    async fn poll_versions(&self) -> Answer<()> {
        self.look(&self.session().await?).await
    }

    async fn health(&self) -> Answer<()> {
        let session = self.session().await?;
        let sql = "SELECT 1 FROM change_counters WHERE id = 0 AND current_setting('transaction_read_only') = 'off'";
        match session.row(sql, &[]).await? {
            Some(_) => Ok(()),
            None => Err(unavailable("the database takes no writes")),
        }
    }
}

#[async_trait]
impl People for PostgresDirectory {
    async fn user(&self, user: UserId) -> Answer<Option<UserEntry>> {
        Ok(list::user(&self.session().await?, user).await?)
    }

    async fn users(&self, filter: UserFilter, page: Page) -> Answer<Listing<UserEntry>> {
        Ok(list::users(&self.session().await?, &filter, &page).await?)
    }

    async fn create_user(&self, new: NewUser, by: By) -> Answer<User> {
        let user = rules::new_user(new, by.at_ms)?;
        let change = Change::CreateUser(Box::new(user.clone()));
        self.finish(self.begin().await?, &[change], &by).await?;
        Ok(user)
    }

    async fn update_user(&self, user: UserId, version: Option<u64>, edit: UserEdit, by: By) -> Answer<User> {
        let tx = self.begin().await?;
        let before = tx.user_in(user).await?;
        let changes = Vec::from_iter(rules::edit_user(&before, version, edit, by.at_ms)?);
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_user))
    }

    async fn revoke_tokens(&self, user: UserId, by: By) -> Answer<User> {
        let tx = self.begin().await?;
        let before = tx.user_in(user).await?;
        let written = beside::newest_issued_at_ms(&tx, user).await?;
        let newest = written.max(self.shared.usage.newest_issued_at_ms(user));
        let changes = Vec::from_iter(rules::revoke_tokens(&before, newest, by.at_ms));
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_user))
    }

    async fn grants(&self, filter: GrantFilter, page: Page) -> Answer<Listing<Grant>> {
        Ok(list::grants(&self.session().await?, &filter, &page).await?)
    }

    async fn grant_role(&self, new: NewGrant, by: By) -> Answer<Grant> {
        let scope = new.role.scope();
        let tx = self.begin().await?;
        let home = tx.home(scope).await?;
        let open = tx.manual_grant(new.user, scope).await?;
        let (grant, changes) = rules::give(new, open, home.as_ref(), by.at_ms)?;
        self.finish(tx, &changes, &by).await?;
        Ok(grant)
    }

    async fn revoke_role(&self, user: UserId, scope: Scope, why: Option<String>, by: By) -> Answer<Vec<Grant>> {
        let tx = self.begin().await?;
        let open = list::revocable_grants(&tx, user, scope).await?;
        if open.is_empty() {
            self.look(&tx).await?;
            return Ok(Vec::new());
        }
        let (closed, changes) = rules::close_all(open, by.at_ms, why.as_deref());
        self.finish(tx, &changes, &by).await?;
        Ok(closed)
    }

    async fn close_lapsed(&self, limit: usize, by: By) -> Answer<usize> {
        // Most of the time there is nothing to do, which needs no turn of a writer.
        if list::lapsed(&self.session().await?, by.at_ms, 1).await?.is_empty() {
            return Ok(0);
        }
        let tx = self.begin().await?;
        let lapsed = list::lapsed(&tx, by.at_ms, limit).await?;
        let changes: Vec<Change> = lapsed.into_iter().map(rules::close_lapsed).collect();
        self.finish(tx, &changes, &by).await?;
        Ok(changes.len())
    }

    async fn organizations(&self, filter: OrganizationFilter, page: Page) -> Answer<Listing<Organization>> {
        Ok(list::organizations(&self.session().await?, &filter, &page).await?)
    }

    async fn create_organization(&self, new: NewOrganization, by: By) -> Answer<Organization> {
        let organization = rules::new_organization(new, Origin::Api, by.at_ms)?;
        let change = Change::CreateOrganization(Box::new(organization.clone()));
        self.finish(self.begin().await?, &[change], &by).await?;
        Ok(organization)
    }

    async fn update_organization(
        &self,
        organization: OrganizationId,
        version: Option<u64>,
        edit: OrganizationEdit,
        by: By,
    ) -> Answer<Organization> {
        let tx = self.begin().await?;
        let before = tx.organization_in(organization).await?;
        let manual = list::manual_grants(&tx, organization).await?;
        let changes = rules::edit_organization(&before, version, edit, manual, by.at_ms)?;
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_organization))
    }

    async fn declare_organizations(&self, declared: Vec<NewOrganization>, by: By) -> Answer<usize> {
        let tx = self.begin().await?;
        let changes = beside::declare(&tx, declared, by.at_ms).await?;
        self.finish(tx, &changes, &by).await?;
        Ok(changes.len())
    }

    async fn logo(&self, organization: OrganizationId) -> Answer<Option<Logo>> {
        Ok(beside::logo(&self.session().await?, organization).await?)
    }

    async fn set_logo(&self, organization: OrganizationId, logo: Option<Logo>, by: By) -> Answer<Organization> {
        let mut tx = self.begin().await?;
        let before = tx.organization_in(organization).await?;
        let bytes = logo.as_ref().map(|logo| logo.bytes().to_vec());
        beside::keep_logo(&mut tx, organization, bytes).await?;
        let changes = rules::set_logo(&before, logo.is_some(), by.at_ms);
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_organization))
    }

    async fn members(&self, scope: Scope, now_ms: i64, page: Page) -> Answer<Listing<Member>> {
        Ok(list::members(&self.session().await?, scope, now_ms, &page).await?)
    }

    async fn has_met(&self, organization: OrganizationId, user: UserId) -> Answer<bool> {
        Ok(beside::has_met(&self.session().await?, organization, user).await?)
    }

    async fn carriers(&self, filter: CarrierFilter, page: Page) -> Answer<Listing<Carrier>> {
        Ok(list::carriers(&self.session().await?, &filter, &page).await?)
    }

    async fn count_carriers(&self, filter: CarrierFilter, most: usize) -> Answer<usize> {
        Ok(list::count_carriers(&self.session().await?, &filter, most).await?)
    }

    async fn seen_tags(&self, realm: Option<Realm>, page: Page) -> Answer<Listing<SeenTag>> {
        let after = page.after_pair()?;
        let realm = realm.as_ref().map(Realm::as_str);
        Ok(list::seen_tags(&self.session().await?, realm, after.as_ref(), &page).await?)
    }

    async fn team(&self, team: TeamId) -> Answer<Option<Team>> {
        Ok(list::team(&self.session().await?, team).await?)
    }

    async fn teams(&self, filter: TeamFilter, page: Page) -> Answer<Listing<Team>> {
        Ok(list::teams(&self.session().await?, &filter, &page).await?)
    }

    async fn create_team(&self, new: NewTeam, by: By) -> Answer<Team> {
        let tx = self.begin().await?;
        let home = match new.organization {
            Some(id) => Some(tx.organization_in(id).await?),
            None => None,
        };
        let team = rules::new_team(new, home.as_ref(), by.at_ms)?;
        self.finish(tx, &[Change::CreateTeam(Box::new(team.clone()))], &by)
            .await?;
        Ok(team)
    }

    async fn update_team(&self, team: TeamId, version: Option<u64>, edit: TeamEdit, by: By) -> Answer<Team> {
        let tx = self.begin().await?;
        let before = tx.team_in(team).await?;
        let (home, manual) = match &edit.organization {
            Edit::Set(id) => (
                Some(tx.organization_in(*id).await?),
                list::manual_team_grants(&tx, team).await?,
            ),
            Edit::Keep | Edit::Clear => (None, Vec::new()),
        };
        let changes = rules::edit_team(&before, version, edit, home.as_ref(), manual, by.at_ms)?;
        self.finish(tx, &changes, &by).await?;
        Ok(after(&before, &changes, updated_team))
    }
}

#[async_trait]
impl Keyring for PostgresDirectory {
    async fn create_api_key(&self, key: ApiKey, by: By) -> Answer<()> {
        let mut tx = self.begin().await?;
        tx.home(key.role.scope()).await?;
        beside::create_api_key(&mut tx, &key).await?;
        tx.record(rules::api_key_event("api_key.created", &key, &by)).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }

    async fn api_key(&self, hash: SecretHash) -> Answer<Option<ApiKey>> {
        Ok(beside::api_key(&self.session().await?, hash).await?)
    }

    async fn api_keys(&self, page: Page) -> Answer<Listing<ApiKey>> {
        Ok(list::api_keys(&self.session().await?, &page).await?)
    }

    async fn revoke_api_key(&self, key: ApiKeyId, by: By) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let Some(key) = beside::revoke_api_key(&tx, key, by.at_ms).await? else {
            return Ok(false);
        };
        tx.record(rules::api_key_event("api_key.revoked", &key, &by)).await?;
        tx.move_counters(&[0]).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(true)
    }

    async fn note_api_key_use(&self, key: ApiKeyId, at_ms: i64) -> Answer<bool> {
        Ok(beside::note_api_key_use(&self.session().await?, key, at_ms).await?)
    }

    async fn assertion_keys(&self) -> Answer<Vec<AssertionKey>> {
        Ok(beside::assertion_keys(&self.session().await?).await?)
    }

    async fn rotate_assertion_key(&self, key: AssertionKey, newer_than_ms: i64, by: By) -> Answer<Vec<AssertionKey>> {
        let mut tx = self.begin().await?;
        let keys = beside::rotate_assertion_key(&mut tx, &key, newer_than_ms, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(keys)
    }

    async fn key_sets(&self) -> Answer<Vec<SavedKeySet>> {
        Ok(beside::key_sets(&self.session().await?).await?)
    }

    async fn save_key_set(&self, set: SavedKeySet) -> Answer<()> {
        Ok(beside::save_key_set(&self.session().await?, &set).await?)
    }
}

#[async_trait]
impl Documents for PostgresDirectory {
    async fn document(&self, kind: DocumentKind, name: String) -> Answer<Option<Document>> {
        Ok(beside::find_document(&self.session().await?, kind, &name).await?)
    }

    async fn documents(
        &self,
        kind: DocumentKind,
        organization: Option<OrganizationId>,
        page: Page,
    ) -> Answer<Listing<Document>> {
        Ok(list::documents(&self.session().await?, kind, organization, &page).await?)
    }

    async fn save_document(&self, new: NewDocument, at: DocumentAt, by: By) -> Answer<Document> {
        let mut tx = self.begin().await?;
        let saved = beside::save_document(&mut tx, new, at, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(saved)
    }

    async fn delete_document(&self, kind: DocumentKind, name: String, at: DocumentAt, by: By) -> Answer<bool> {
        let mut tx = self.begin().await?;
        let deleted = beside::delete_document(&mut tx, kind, &name, at, &by).await?;
        tx.commit(&self.shared.versions).await?;
        Ok(deleted)
    }
}

#[async_trait]
impl Trail for PostgresDirectory {
    async fn events(&self, filter: EventFilter, page: Page) -> Answer<Listing<RecordedEvent>> {
        Ok(list::events(&self.session().await?, &filter, &page).await?)
    }

    async fn record(&self, event: AuditEvent) -> Answer<()> {
        let mut tx = self.begin().await?;
        tx.record(event).await?;
        Ok(tx.commit(&self.shared.versions).await?)
    }
}
