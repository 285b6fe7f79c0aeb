//! Records read from the rows of either database.

use std::fmt::{self, Display};
use std::str::FromStr;

use narthex_directory::{
    Actor, Answer, ApiKey, AssertionKey, AuditEvent, Document, ExternalId, Grant, GrantSource, IssuerName, MachineKey,
    NameError, Organization, OrganizationBrief, OrganizationDetails, OrganizationName, OrganizationTags, Profile,
    ProviderSession, Realm, RecordedEvent, SavedKeySet, Scope, ScopedRole, Seals, SecretBytes, SecretHash, SeenTag,
    Session, SessionClient, StoreError, StoredSource, TagList, Team, TokenFingerprint, User, Username,
};
use serde_json::{Map, Value};

use crate::columns::{object_from_json, texts_from_json};

mod webhooks;

pub use webhooks::{recorded_attempt, waiting_delivery, webhook_progress};

/// A row of either database: the values of its columns, by place.
///
/// # Errors
///
/// Every method fails, in the words of the driver, on a column that the row does not have and on a value of another type.
pub trait Row {
    /// A text, or nothing where the column is null.
    fn text(&self, place: usize) -> Result<Option<&str>, String>;

    /// A number, or nothing where the column is null.
    fn integer(&self, place: usize) -> Result<Option<i64>, String>;

    /// Bytes, or nothing where the column is null.
    fn bytes(&self, place: usize) -> Result<Option<&[u8]>, String>;

    /// A flag. `SQLite` has numbers for flags.
    fn flag(&self, place: usize) -> Result<bool, String>;
}

/// Error of a value that this program cannot read.
pub fn corrupt(what: &'static str, why: impl Display) -> StoreError {
    StoreError::Corrupt {
        what,
        why: why.to_string(),
    }
}

/// Reads the columns of a row one after the other. Every method returns [`StoreError::Corrupt`] for a value that breaks its
/// rule.
pub struct Columns<'r> {
    row: &'r dyn Row,
    next: usize,
    what: &'static str,
}

impl fmt::Debug for Columns<'_> {
    /// Shows no values: they are of users.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Columns")
            .field("what", &self.what)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}

impl<'r> Columns<'r> {
    /// Begins at the first column. `what` names the record in errors.
    pub fn of(row: &'r dyn Row, what: &'static str) -> Self {
        Self::from(row, 0, what)
    }

    /// Begins at a column.
    pub fn from(row: &'r dyn Row, first: usize, what: &'static str) -> Self {
        Self { row, next: first, what }
    }

    fn value<T>(&mut self, read: impl FnOnce(&'r dyn Row, usize) -> Result<T, String>) -> Answer<T> {
        let value = read(self.row, self.next).map_err(|error| corrupt(self.what, error))?;
        self.next += 1;
        Ok(value)
    }

    /// The next column as a text that may be missing.
    pub fn maybe_text(&mut self) -> Answer<Option<&'r str>> {
        self.value(Row::text)
    }

    /// The next column as a text.
    pub fn text(&mut self) -> Answer<&'r str> {
        self.maybe_text()?
            .ok_or_else(|| corrupt(self.what, "a text is missing"))
    }

    /// The next column as a text of its own that may be missing.
    pub fn maybe_string(&mut self) -> Answer<Option<String>> {
        Ok(self.maybe_text()?.map(str::to_owned))
    }

    /// The next column as an id or a known word.
    pub fn parse<T: FromStr<Err: Display>>(&mut self) -> Answer<T> {
        self.text()?.parse().map_err(|error| corrupt(self.what, error))
    }

    /// The next column as an id that may be missing.
    pub fn maybe_parse<T: FromStr<Err: Display>>(&mut self) -> Answer<Option<T>> {
        self.maybe_text()?
            .map(|text| text.parse().map_err(|error| corrupt(self.what, error)))
            .transpose()
    }

    /// The next column as a name, which `read` makes of the text.
    pub fn name<T>(&mut self, read: impl FnOnce(&'r str) -> Result<T, NameError>) -> Answer<T> {
        read(self.text()?).map_err(|error| corrupt(self.what, error))
    }

    /// The next column as a name that may be missing.
    pub fn maybe_name<T>(&mut self, read: impl FnOnce(&'r str) -> Result<T, NameError>) -> Answer<Option<T>> {
        let name = self.maybe_text()?.map(read).transpose();
        name.map_err(|error| corrupt(self.what, error))
    }

    /// The next column as a number that may be missing.
    pub fn maybe_integer(&mut self) -> Answer<Option<i64>> {
        self.value(Row::integer)
    }

    /// The next column as a number.
    pub fn integer(&mut self) -> Answer<i64> {
        self.maybe_integer()?
            .ok_or_else(|| corrupt(self.what, "a number is missing"))
    }

    /// The next column as a number that is not negative.
    pub fn number(&mut self) -> Answer<u64> {
        u64::try_from(self.integer()?).map_err(|error| corrupt(self.what, error))
    }

    /// The next column as a small number that is not negative.
    pub fn count(&mut self) -> Answer<u32> {
        u32::try_from(self.integer()?).map_err(|error| corrupt(self.what, error))
    }

    /// The next column as an HTTP status that may be missing.
    pub fn maybe_status(&mut self) -> Answer<Option<u16>> {
        let status = self.maybe_integer()?.map(u16::try_from).transpose();
        status.map_err(|error| corrupt(self.what, error))
    }

    /// The next column as a flag.
    pub fn flag(&mut self) -> Answer<bool> {
        self.value(Row::flag)
    }

    /// The next column as bytes that may be missing.
    pub fn maybe_bytes(&mut self) -> Answer<Option<&'r [u8]>> {
        self.value(Row::bytes)
    }

    /// The next column as bytes.
    pub fn bytes(&mut self) -> Answer<&'r [u8]> {
        self.maybe_bytes()?
            .ok_or_else(|| corrupt(self.what, "bytes are missing"))
    }

    /// The next column as a JSON array of texts.
    pub fn texts(&mut self) -> Answer<Vec<String>> {
        texts_from_json(self.text()?).ok_or_else(|| corrupt(self.what, "a list is not JSON"))
    }

    fn tags(&mut self) -> Answer<TagList> {
        TagList::from_entries(self.texts()?).map_err(|error| corrupt(self.what, error))
    }

    fn object(&mut self) -> Answer<Map<String, Value>> {
        object_from_json(self.text()?).ok_or_else(|| corrupt(self.what, "an object is not JSON"))
    }

    fn seals(&mut self) -> Answer<Seals> {
        let Some(text) = self.maybe_text()? else {
            return Ok(Seals::default());
        };
        let seals = object_from_json(text).and_then(|members| Seals::from_json(&members));
        seals.ok_or_else(|| corrupt(self.what, "its seals are none"))
    }

    fn scoped_role(&mut self) -> Answer<ScopedRole> {
        let (organization, team) = (self.maybe_parse()?, self.maybe_parse()?);
        let scope = match (organization, team) {
            (Some(id), _) => Scope::Organization(id),
            (None, Some(id)) => Scope::Team(id),
            (None, None) => Scope::Platform,
        };
        ScopedRole::parse(scope, self.text()?).map_err(|error| corrupt(self.what, error))
    }

    fn source(&mut self) -> Answer<GrantSource> {
        let (source, via) = (self.parse()?, self.maybe_text()?);
        let (issuer, tag) = (self.text()?, self.text()?);
        let issuer = || IssuerName::new(issuer).ok();
        StoredSource::read(source, via, issuer, tag).ok_or_else(|| corrupt(self.what, "its source cannot be read"))
    }

    fn hash(&mut self) -> Answer<SecretHash> {
        let what = self.what;
        let bytes: [u8; 32] = self.bytes()?.try_into().map_err(|error| corrupt(what, error))?;
        Ok(SecretHash(bytes))
    }

    fn fingerprint(&mut self) -> Answer<TokenFingerprint> {
        Ok(TokenFingerprint {
            jti: self.maybe_string()?,
            sha256_prefix: self.maybe_string()?,
        })
    }
}

/// The user at the columns [`USER`](crate::columns::USER) from `first` on, if there is one (an outer join).
pub fn maybe_user(row: &dyn Row, first: usize) -> Answer<Option<User>> {
    let mut columns = Columns::from(row, first, "user");
    let Some(id) = columns.maybe_parse()? else {
        return Ok(None);
    };
    Ok(Some(User {
        id,
        realm: columns.name(Realm::new)?,
        external_id: columns.name(ExternalId::stored)?,
        username: columns.name(Username::stored)?,
        profile: Profile {
            email: columns.maybe_string()?,
            name: columns.maybe_string()?,
            country: columns.maybe_string()?,
            timezone: columns.maybe_string()?,
            locale: columns.maybe_string()?,
            language: columns.maybe_string()?,
        },
        status: columns.parse()?,
        context: columns.object()?,
        tokens_not_before_ms: columns.maybe_integer()?,
        last_seen_at_ms: columns.maybe_integer()?,
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    }))
}

/// The user of a row of [`USER`](crate::columns::USER).
pub fn user(row: &dyn Row) -> Answer<User> {
    maybe_user(row, 0)?.ok_or_else(|| corrupt("user", "its id is missing"))
}

/// The organization of a row of [`ORGANIZATION`](crate::columns::ORGANIZATION).
pub fn organization(row: &dyn Row) -> Answer<Organization> {
    let mut columns = Columns::of(row, "organization");
    Ok(Organization {
        id: columns.parse()?,
        name: columns.name(OrganizationName::new)?,
        label: columns.text()?.to_owned(),
        realm: columns.name(Realm::new)?,
        external_id: columns.maybe_name(ExternalId::stored)?,
        details: OrganizationDetails {
            contact_name: columns.maybe_string()?,
            contact_email: columns.maybe_string()?,
            website: columns.maybe_string()?,
            timezone: columns.maybe_string()?,
        },
        tags: OrganizationTags {
            admin: columns.tags()?,
            member: columns.tags()?,
            executor: columns.tags()?,
        },
        tag_patterns: columns.flag()?,
        membership: columns.parse()?,
        status: columns.parse()?,
        origin: columns.parse()?,
        has_logo: columns.flag()?,
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    })
}

/// The organization at the columns [`BRIEF`](crate::columns::BRIEF) from `first` on, if there is one (an outer join).
pub fn brief(row: &dyn Row, first: usize) -> Answer<Option<OrganizationBrief>> {
    let mut columns = Columns::from(row, first, "organization");
    let Some(id) = columns.maybe_parse()? else {
        return Ok(None);
    };
    Ok(Some(OrganizationBrief {
        id,
        name: columns.name(OrganizationName::new)?,
        realm: columns.name(Realm::new)?,
        status: columns.parse()?,
    }))
}

/// The team at the columns [`TEAM`](crate::columns::TEAM) from `first` on, if there is one (an outer join).
pub fn maybe_team(row: &dyn Row, first: usize) -> Answer<Option<Team>> {
    let mut columns = Columns::from(row, first, "team");
    let Some(id) = columns.maybe_parse()? else {
        return Ok(None);
    };
    Ok(Some(Team {
        id,
        realm: columns.name(Realm::new)?,
        organization: columns.maybe_parse()?,
        external_id: columns.maybe_name(ExternalId::stored)?,
        name: columns.text()?.to_owned(),
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    }))
}

/// The team of a row of [`TEAM`](crate::columns::TEAM).
pub fn team(row: &dyn Row) -> Answer<Team> {
    maybe_team(row, 0)?.ok_or_else(|| corrupt("team", "its id is missing"))
}

/// The grant at the columns [`GRANT`](crate::columns::GRANT) from `first` on, if there is one (an outer join).
pub fn maybe_grant(row: &dyn Row, first: usize) -> Answer<Option<Grant>> {
    let mut columns = Columns::from(row, first, "grant");
    let Some(id) = columns.maybe_parse()? else {
        return Ok(None);
    };
    Ok(Some(Grant {
        id,
        user: columns.parse()?,
        role: columns.scoped_role()?,
        source: columns.source()?,
        token: columns.fingerprint()?,
        granted_at_ms: columns.integer()?,
        asserted_at_ms: columns.integer()?,
        lapses_at_ms: columns.maybe_integer()?,
        revoked_at_ms: columns.maybe_integer()?,
        why: columns.maybe_string()?,
        revoked_why: columns.maybe_string()?,
    }))
}

/// The grant of a row of [`GRANT`](crate::columns::GRANT).
pub fn grant(row: &dyn Row) -> Answer<Grant> {
    maybe_grant(row, 0)?.ok_or_else(|| corrupt("grant", "its id is missing"))
}

/// The audit event of a row of [`EVENT`](crate::columns::EVENT).
pub fn event(row: &dyn Row) -> Answer<RecordedEvent> {
    let mut columns = Columns::of(row, "audit event");
    let (sequence, at_ms) = (columns.number()?, columns.integer()?);
    let (kind, name) = (columns.text()?, columns.maybe_text()?);
    let token = columns.fingerprint()?;
    let actor = Actor::from_parts(kind, name, token).ok_or_else(|| corrupt("audit event", "its actor is unknown"))?;
    let event = AuditEvent {
        at_ms,
        actor,
        action: columns.text()?.to_owned(),
        user: columns.maybe_parse()?,
        organization: columns.maybe_parse()?,
        team: columns.maybe_parse()?,
        detail: columns.object()?,
    };
    Ok(RecordedEvent {
        sequence,
        event,
        seals: columns.seals()?,
    })
}

/// The API key of a row of [`API_KEY`](crate::columns::API_KEY).
pub fn api_key(row: &dyn Row) -> Answer<ApiKey> {
    let mut columns = Columns::of(row, "api key");
    Ok(ApiKey {
        id: columns.parse()?,
        name: columns.text()?.to_owned(),
        hash: columns.hash()?,
        role: columns.scoped_role()?,
        created_at_ms: columns.integer()?,
        expires_at_ms: columns.maybe_integer()?,
        revoked_at_ms: columns.maybe_integer()?,
        last_used_at_ms: columns.maybe_integer()?,
    })
}

/// The machine key of a row of [`MACHINE_KEY`](crate::columns::MACHINE_KEY).
pub fn machine_key(row: &dyn Row) -> Answer<MachineKey> {
    let mut columns = Columns::of(row, "machine key");
    Ok(MachineKey {
        id: columns.parse()?,
        organization: columns.parse()?,
        name: columns.text()?.to_owned(),
        hash: SecretHash(
            columns
                .bytes()?
                .try_into()
                .map_err(|error| corrupt("machine key", error))?,
        ),
        role: columns.parse()?,
        created_at_ms: columns.integer()?,
        expires_at_ms: columns.integer()?,
        revoked_at_ms: columns.maybe_integer()?,
        last_used_at_ms: columns.maybe_integer()?,
    })
}

/// The assertion key of a row of [`ASSERTION_KEY`](crate::columns::ASSERTION_KEY).
pub fn assertion_key(row: &dyn Row) -> Answer<AssertionKey> {
    let mut columns = Columns::of(row, "assertion key");
    Ok(AssertionKey {
        kid: columns.text()?.to_owned(),
        private: SecretBytes(columns.bytes()?.to_vec()),
        public_jwk: columns.text()?.to_owned(),
        created_at_ms: columns.integer()?,
        signs_until_ms: columns.integer()?,
        published_until_ms: columns.integer()?,
    })
}

/// The key set of a row of [`KEY_SET`](crate::columns::KEY_SET).
pub fn key_set(row: &dyn Row) -> Answer<SavedKeySet> {
    let mut columns = Columns::of(row, "key set");
    Ok(SavedKeySet {
        issuer: columns.name(IssuerName::new)?,
        source: columns.text()?.to_owned(),
        body: columns.bytes()?.to_vec(),
        fetched_at_ms: columns.integer()?,
    })
}

/// The document of a row of [`DOCUMENT`](crate::columns::DOCUMENT).
pub fn document(row: &dyn Row) -> Answer<Document> {
    let mut columns = Columns::of(row, "document");
    Ok(Document {
        kind: columns.parse()?,
        name: columns.text()?.to_owned(),
        organization: columns.maybe_parse()?,
        body: columns.object()?,
        secret: columns.maybe_bytes()?.map(|secret| SecretBytes(secret.to_vec())),
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    })
}

/// The session of a row of [`SESSION`](crate::columns::SESSION).
pub fn session(row: &dyn Row) -> Answer<Session> {
    let mut columns = Columns::of(row, "session");
    Ok(Session {
        id: columns.parse()?,
        kind: columns.parse()?,
        hash: columns.hash()?,
        issuer: columns.maybe_name(IssuerName::new)?,
        user: columns.maybe_parse()?,
        provider_session: ProviderSession::new(columns.maybe_text()?, columns.maybe_text()?),
        credential: columns.parse()?,
        sealed: SecretBytes(columns.bytes()?.to_vec()),
        client: SessionClient {
            user_agent: columns.maybe_string()?,
            address: columns.maybe_string()?,
        },
        created_at_ms: columns.integer()?,
        last_seen_at_ms: columns.integer()?,
        idle_ms: columns.integer()?,
        ends_at_ms: columns.integer()?,
        token_ends_at_ms: columns.maybe_integer()?,
        version: columns.number()?,
        refresh_until_ms: columns.maybe_integer()?,
        ended_at_ms: columns.maybe_integer()?,
        end: columns.maybe_parse()?,
    })
}

/// The tag of a row of [`SEEN_TAG`](crate::columns::SEEN_TAG).
pub fn seen_tag(row: &dyn Row) -> Answer<SeenTag> {
    let mut columns = Columns::of(row, "seen tag");
    Ok(SeenTag {
        realm: columns.name(Realm::new)?,
        tag: columns.text()?.to_owned(),
        first_seen_at_ms: columns.integer()?,
        last_seen_at_ms: columns.integer()?,
    })
}
