//! Rows and records.

use std::str::FromStr;

use narthex_directory::{
    Actor, ApiKey, AssertionKey, AuditEvent, Document, ExternalId, Grant, GrantSource, IssuerName, Organization,
    OrganizationBrief, OrganizationDetails, OrganizationId, OrganizationName, OrganizationTags, Profile, Realm,
    RecordedEvent, SavedKeySet, Scope, ScopedRole, SecretBytes, SecretHash, SeenTag, SourceKind, TagList, Team, TeamId,
    TokenFingerprint, User, UserId, Username,
};
use tokio_postgres::Row;
use tokio_postgres::types::FromSql;

use super::error::{Outcome, corrupt};
use narthex_tables::record::{object_from_json, texts_from_json};

/// Reads the columns of a row one after the other.
pub(super) struct Columns<'a> {
    row: &'a Row,
    next: usize,
    what: &'static str,
}

impl<'a> Columns<'a> {
    pub(super) fn of(row: &'a Row, what: &'static str) -> Self {
        Self::from(row, 0, what)
    }

    pub(super) fn from(row: &'a Row, first: usize, what: &'static str) -> Self {
        Self { row, next: first, what }
    }

    fn value<T: FromSql<'a>>(&mut self) -> Outcome<T> {
        let value = self.row.try_get(self.next).map_err(|error| corrupt(self.what, error))?;
        self.next += 1;
        Ok(value)
    }

    pub(super) fn maybe_text(&mut self) -> Outcome<Option<&'a str>> {
        self.value()
    }

    pub(super) fn text(&mut self) -> Outcome<&'a str> {
        self.value()
    }

    pub(super) fn maybe_string(&mut self) -> Outcome<Option<String>> {
        self.value()
    }

    pub(super) fn parse<T: FromStr<Err: std::fmt::Display>>(&mut self) -> Outcome<T> {
        let what = self.what;
        self.text()?.parse().map_err(|error| corrupt(what, error))
    }

    pub(super) fn maybe_parse<T: FromStr<Err: std::fmt::Display>>(&mut self) -> Outcome<Option<T>> {
        let what = self.what;
        self.maybe_text()?
            .map(|text| text.parse().map_err(|error| corrupt(what, error)))
            .transpose()
    }

    pub(super) fn name<T: for<'t> TryFrom<&'t str, Error = narthex_directory::NameError>>(&mut self) -> Outcome<T> {
        let what = self.what;
        T::try_from(self.text()?).map_err(|error| corrupt(what, error))
    }

    pub(super) fn maybe_name<T>(&mut self) -> Outcome<Option<T>>
    where
        T: for<'t> TryFrom<&'t str, Error = narthex_directory::NameError>,
    {
        let what = self.what;
        self.maybe_text()?
            .map(|text| T::try_from(text).map_err(|error| corrupt(what, error)))
            .transpose()
    }

    pub(super) fn maybe_integer(&mut self) -> Outcome<Option<i64>> {
        self.value()
    }

    pub(super) fn integer(&mut self) -> Outcome<i64> {
        self.value()
    }

    pub(super) fn number(&mut self) -> Outcome<u64> {
        let what = self.what;
        u64::try_from(self.integer()?).map_err(|error| corrupt(what, error))
    }

    pub(super) fn flag(&mut self) -> Outcome<bool> {
        self.value()
    }

    pub(super) fn maybe_bytes(&mut self) -> Outcome<Option<&'a [u8]>> {
        self.value()
    }

    pub(super) fn bytes(&mut self) -> Outcome<&'a [u8]> {
        self.value()
    }

    fn tags(&mut self) -> Outcome<TagList> {
        let what = self.what;
        let entries = texts_from_json(self.text()?).ok_or_else(|| corrupt(what, "a list of tags is not JSON"))?;
        TagList::from_entries(entries).map_err(|error| corrupt(what, error))
    }
}

/// The user at these columns, if there is one (an outer join).
pub(super) fn maybe_user(row: &Row, first: usize) -> Outcome<Option<User>> {
    let mut columns = Columns::from(row, first, "user");
    let Some(id) = columns.maybe_parse::<UserId>()? else {
        return Ok(None);
    };
    Ok(Some(User {
        id,
        realm: columns.name::<Realm>()?,
        external_id: columns.name::<ExternalId>()?,
        username: columns.name::<Username>()?,
        profile: Profile {
            email: columns.maybe_string()?,
            name: columns.maybe_string()?,
            country: columns.maybe_string()?,
            timezone: columns.maybe_string()?,
            locale: columns.maybe_string()?,
            language: columns.maybe_string()?,
        },
        status: columns.parse()?,
        context: object_from_json(columns.text()?).ok_or_else(|| corrupt("user", "its context is not JSON"))?,
        tokens_not_before_ms: columns.maybe_integer()?,
        last_seen_at_ms: columns.maybe_integer()?,
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    }))
}

pub(super) fn user(row: &Row) -> Outcome<User> {
    maybe_user(row, 0)?.ok_or_else(|| corrupt("user", "its id is missing"))
}

pub(super) fn organization(row: &Row) -> Outcome<Organization> {
    let mut columns = Columns::of(row, "organization");
    Ok(Organization {
        id: columns.parse::<OrganizationId>()?,
        name: columns.name::<OrganizationName>()?,
        label: columns.text()?.to_owned(),
        realm: columns.name::<Realm>()?,
        external_id: columns.maybe_name::<ExternalId>()?,
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
        membership: columns.parse()?,
        status: columns.parse()?,
        origin: columns.parse()?,
        has_logo: columns.flag()?,
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    })
}

/// The organization at these columns, if there is one (an outer join).
pub(super) fn brief(row: &Row, first: usize) -> Outcome<Option<OrganizationBrief>> {
    let mut columns = Columns::from(row, first, "organization");
    let Some(id) = columns.maybe_parse::<OrganizationId>()? else {
        return Ok(None);
    };
    Ok(Some(OrganizationBrief {
        id,
        name: columns.name::<OrganizationName>()?,
        realm: columns.name::<Realm>()?,
        status: columns.parse()?,
    }))
}

/// The team at these columns, if there is one (an outer join).
pub(super) fn team(row: &Row, first: usize) -> Outcome<Option<Team>> {
    let mut columns = Columns::from(row, first, "team");
    let Some(id) = columns.maybe_parse::<TeamId>()? else {
        return Ok(None);
    };
    Ok(Some(Team {
        id,
        realm: columns.name::<Realm>()?,
        organization: columns.maybe_parse()?,
        external_id: columns.maybe_name::<ExternalId>()?,
        name: columns.text()?.to_owned(),
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    }))
}

/// The grant at these columns, if there is one (an outer join).
pub(super) fn maybe_grant(row: &Row, first: usize) -> Outcome<Option<Grant>> {
    let mut columns = Columns::from(row, first, "grant");
    let Some(id) = columns.maybe_parse()? else {
        return Ok(None);
    };
    Ok(Some(Grant {
        id,
        user: columns.parse()?,
        role: scoped_role(&mut columns)?,
        source: source(&mut columns)?,
        token: fingerprint(&mut columns)?,
        granted_at_ms: columns.integer()?,
        asserted_at_ms: columns.integer()?,
        lapses_at_ms: columns.maybe_integer()?,
        revoked_at_ms: columns.maybe_integer()?,
        why: columns.maybe_string()?,
        revoked_why: columns.maybe_string()?,
    }))
}

pub(super) fn grant(row: &Row) -> Outcome<Grant> {
    maybe_grant(row, 0)?.ok_or_else(|| corrupt("grant", "its id is missing"))
}

fn scoped_role(columns: &mut Columns<'_>) -> Outcome<ScopedRole> {
    let (organization, team) = (columns.maybe_parse()?, columns.maybe_parse()?);
    let scope = match (organization, team) {
        (Some(id), _) => Scope::Organization(id),
        (None, Some(id)) => Scope::Team(id),
        (None, None) => Scope::Platform,
    };
    ScopedRole::parse(scope, columns.text()?).map_err(|error| corrupt(columns.what, error))
}

fn source(columns: &mut Columns<'_>) -> Outcome<GrantSource> {
    let kind = columns.parse()?;
    let (issuer, tag) = (columns.text()?, columns.text()?);
    let issuer = || IssuerName::new(issuer).map_err(|error| corrupt("grant", error));
    Ok(match kind {
        SourceKind::Manual => GrantSource::Manual,
        SourceKind::Claim => GrantSource::Claim { issuer: issuer()? },
        SourceKind::Tag => GrantSource::Tag {
            issuer: issuer()?,
            tag: tag.to_owned(),
        },
    })
}

fn fingerprint(columns: &mut Columns<'_>) -> Outcome<TokenFingerprint> {
    Ok(TokenFingerprint {
        jti: columns.maybe_string()?,
        sha256_prefix: columns.maybe_string()?,
    })
}

pub(super) fn event(row: &Row) -> Outcome<RecordedEvent> {
    let mut columns = Columns::of(row, "audit event");
    let (sequence, at_ms) = (columns.number()?, columns.integer()?);
    let (kind, name) = (columns.text()?, columns.maybe_text()?);
    let token = fingerprint(&mut columns)?;
    let actor = Actor::from_parts(kind, name, token).ok_or_else(|| corrupt("audit event", "its actor is unknown"))?;
    let event = AuditEvent {
        at_ms,
        actor,
        action: columns.text()?.to_owned(),
        user: columns.maybe_parse()?,
        organization: columns.maybe_parse()?,
        team: columns.maybe_parse()?,
        detail: object_from_json(columns.text()?).ok_or_else(|| corrupt("audit event", "its detail is not JSON"))?,
    };
    Ok(RecordedEvent { sequence, event })
}

pub(super) fn api_key(row: &Row) -> Outcome<ApiKey> {
    let mut columns = Columns::of(row, "api key");
    Ok(ApiKey {
        id: columns.parse()?,
        name: columns.text()?.to_owned(),
        hash: SecretHash(columns.bytes()?.try_into().map_err(|error| corrupt("api key", error))?),
        role: scoped_role(&mut columns)?,
        created_at_ms: columns.integer()?,
        expires_at_ms: columns.maybe_integer()?,
        revoked_at_ms: columns.maybe_integer()?,
        last_used_at_ms: columns.maybe_integer()?,
    })
}

pub(super) fn assertion_key(row: &Row) -> Outcome<AssertionKey> {
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

pub(super) fn key_set(row: &Row) -> Outcome<SavedKeySet> {
    let mut columns = Columns::of(row, "key set");
    Ok(SavedKeySet {
        issuer: columns.name()?,
        source: columns.text()?.to_owned(),
        body: columns.bytes()?.to_vec(),
        fetched_at_ms: columns.integer()?,
    })
}

pub(super) fn document(row: &Row) -> Outcome<Document> {
    let mut columns = Columns::of(row, "document");
    Ok(Document {
        kind: columns.parse()?,
        name: columns.text()?.to_owned(),
        organization: columns.maybe_parse()?,
        body: object_from_json(columns.text()?).ok_or_else(|| corrupt("document", "its body is not JSON"))?,
        secret: columns.maybe_bytes()?.map(|secret| SecretBytes(secret.to_vec())),
        created_at_ms: columns.integer()?,
        updated_at_ms: columns.integer()?,
        version: columns.number()?,
    })
}

pub(super) fn seen_tag(row: &Row) -> Outcome<SeenTag> {
    let mut columns = Columns::of(row, "seen tag");
    Ok(SeenTag {
        realm: columns.name()?,
        tag: columns.text()?.to_owned(),
        first_seen_at_ms: columns.integer()?,
        last_seen_at_ms: columns.integer()?,
    })
}
