//! Every table whose rows are the directory's own, parents before children: its columns, what each holds, and its rules.

use narthex_directory::{
    ApiKeyId, DocumentKind, GrantId, MachineKeyId, MembershipRule, OrganizationId, OrganizationRole,
    OrganizationStatus, OrganizationTags, Origin, RemovedKind, SourceKind, TagList, TeamId, UserId, UserStatus, fold,
};

mod audit_chain;

pub use super::between::BETWEEN;
pub use super::fields::Fields;
use super::row::{Cell, Row};
use super::rules::{
    self, event, grant, hash, hex_hash, logo, parsed, public_jwk, scope, seen_tag, tags, texts_without_nul, without_nul,
};
use crate::columns::{object_from_json, texts_from_json};

/// Rule for a value; its error is the problem with the value.
pub type Rule<T> = fn(&T) -> Result<(), String>;
/// Rule between the columns of a row.
pub type Agreement = fn(&Fields<'_>) -> Result<(), String>;

/// A table and how it is written in a file.
#[derive(Debug)]
pub struct Table {
    /// Its name in both databases.
    pub name: &'static str,
    /// Name of one of its rows.
    pub kind: &'static str,
    /// Number of leading columns that are the key; rows are in its order.
    pub key: usize,
    /// Its columns.
    pub columns: &'static [Column],
    /// Rule between the columns of a row.
    pub(crate) agrees: Option<Agreement>,
}

/// A column.
#[derive(Debug)]
pub struct Column {
    /// Its name, in the file too.
    pub name: &'static str,
    /// Type of its content.
    pub holds: Holds,
    /// True if it may hold nothing.
    pub optional: bool,
}

/// Type of a column's content.
#[derive(Debug, Clone, Copy)]
pub enum Holds {
    /// A text, which may have to keep a rule.
    Text(Option<Rule<str>>),
    /// A time in milliseconds.
    Time,
    /// A number that counts up from one.
    Count,
    /// Yes or no.
    Flag,
    /// Bytes, which may have to keep a rule.
    Bytes(Option<Rule<[u8]>>),
    /// A JSON object, as text.
    Object,
    /// A JSON array of texts, as text, which may have to keep a rule.
    Texts(Option<Rule<[String]>>),
}

/// The largest number that counts: the next ones must fit too, and other programs read the file.
pub const COUNT_MAX: i64 = (1 << 53) - 1;

const fn column(name: &'static str, holds: Holds) -> Column {
    Column {
        name,
        holds,
        optional: false,
    }
}

const fn maybe(name: &'static str, holds: Holds) -> Column {
    Column {
        name,
        holds,
        optional: true,
    }
}

const fn text(name: &'static str) -> Column {
    column(name, Holds::Text(None))
}

const fn maybe_text(name: &'static str) -> Column {
    maybe(name, Holds::Text(None))
}

const fn time(name: &'static str) -> Column {
    column(name, Holds::Time)
}

const fn maybe_time(name: &'static str) -> Column {
    maybe(name, Holds::Time)
}

const VERSION: Column = column("version", Holds::Count);
const REALM: Column = column("realm", Holds::Text(Some(rules::realm)));
const EXTERNAL_ID: Column = maybe("external_id", Holds::Text(Some(rules::external_id)));
const OF_USER: Column = column("user_id", Holds::Text(Some(parsed::<UserId>)));
const OF_ORGANIZATION: Column = column("organization_id", Holds::Text(Some(parsed::<OrganizationId>)));
const MAYBE_OF_ORGANIZATION: Column = maybe("organization_id", Holds::Text(Some(parsed::<OrganizationId>)));
const MAYBE_OF_TEAM: Column = maybe("team_id", Holds::Text(Some(parsed::<TeamId>)));

/// The tables, in the order of a file.
pub const TABLES: &[Table] = &[
    Table {
        name: "users",
        kind: "user",
        key: 1,
        columns: &[
            column("id", Holds::Text(Some(parsed::<UserId>))),
            REALM,
            column("external_id", Holds::Text(Some(rules::external_id))),
            column("username", Holds::Text(Some(rules::username))),
            maybe_text("email"),
            maybe_text("name"),
            maybe_text("country"),
            maybe_text("timezone"),
            maybe_text("locale"),
            maybe_text("language"),
            column("status", Holds::Text(Some(parsed::<UserStatus>))),
            column("context", Holds::Object),
            maybe_time("tokens_not_before_ms"),
            maybe_time("last_seen_at_ms"),
            time("created_at_ms"),
            time("updated_at_ms"),
            VERSION,
        ],
        agrees: None,
    },
    Table {
        name: "user_issuers",
        kind: "user_issuer",
        key: 2,
        columns: &[
            OF_USER,
            column("issuer", Holds::Text(Some(rules::issuer))),
            maybe_time("last_issued_at_ms"),
            maybe("tags", Holds::Texts(None)),
            maybe_time("newest_issued_at_ms"),
            maybe("said", Holds::Count),
        ],
        agrees: None,
    },
    Table {
        name: "organizations",
        kind: "organization",
        key: 1,
        columns: &[
            column("id", Holds::Text(Some(parsed::<OrganizationId>))),
            column("name", Holds::Text(Some(rules::organization_name))),
            text("label"),
            REALM,
            EXTERNAL_ID,
            maybe_text("contact_name"),
            maybe_text("contact_email"),
            maybe_text("website"),
            maybe_text("timezone"),
            column("admin_tags", Holds::Texts(Some(tags))),
            column("member_tags", Holds::Texts(Some(tags))),
            column("executor_tags", Holds::Texts(Some(tags))),
            column("membership", Holds::Text(Some(parsed::<MembershipRule>))),
            column("status", Holds::Text(Some(parsed::<OrganizationStatus>))),
            column("origin", Holds::Text(Some(parsed::<Origin>))),
            column("has_logo", Holds::Flag),
            time("created_at_ms"),
            time("updated_at_ms"),
            VERSION,
            column("tag_patterns", Holds::Flag),
            maybe_time("deleted_at_ms"),
        ],
        agrees: None,
    },
    Table {
        name: "former_organization_names",
        kind: "former_organization_name",
        key: 1,
        columns: &[column("name", Holds::Text(Some(rules::organization_name)))],
        agrees: None,
    },
    Table {
        name: "organization_logos",
        kind: "organization_logo",
        key: 1,
        columns: &[OF_ORGANIZATION, column("bytes", Holds::Bytes(Some(logo)))],
        agrees: None,
    },
    Table {
        name: "teams",
        kind: "team",
        key: 1,
        columns: &[
            column("id", Holds::Text(Some(parsed::<TeamId>))),
            REALM,
            MAYBE_OF_ORGANIZATION,
            EXTERNAL_ID,
            text("name"),
            time("created_at_ms"),
            time("updated_at_ms"),
            VERSION,
            maybe_time("deleted_at_ms"),
        ],
        agrees: None,
    },
    Table {
        name: "grants",
        kind: "grant",
        key: 1,
        columns: &[
            column("id", Holds::Text(Some(parsed::<GrantId>))),
            OF_USER,
            MAYBE_OF_ORGANIZATION,
            MAYBE_OF_TEAM,
            text("role"),
            column("source", Holds::Text(Some(parsed::<SourceKind>))),
            text("issuer"),
            text("tag"),
            maybe_text("token_jti"),
            maybe_text("token_sha256"),
            time("granted_at_ms"),
            time("asserted_at_ms"),
            maybe_time("lapses_at_ms"),
            maybe_time("revoked_at_ms"),
            maybe_text("why"),
            maybe_text("revoked_why"),
            maybe_text("via"),
        ],
        agrees: Some(grant),
    },
    Table {
        name: "audit_events",
        kind: "audit_event",
        key: 1,
        columns: &[
            column("sequence", Holds::Count),
            time("at_ms"),
            text("actor_kind"),
            maybe_text("actor_name"),
            maybe_text("token_jti"),
            maybe_text("token_sha256"),
            text("action"),
            maybe("user_id", Holds::Text(Some(parsed::<UserId>))),
            MAYBE_OF_ORGANIZATION,
            MAYBE_OF_TEAM,
            column("detail", Holds::Object),
        ],
        agrees: Some(event),
    },
    audit_chain::SEALS,
    audit_chain::SEAL_KEYS,
    audit_chain::LINKS,
    audit_chain::CHECKPOINTS,
    audit_chain::KEYS,
    Table {
        name: "api_keys",
        kind: "api_key",
        key: 1,
        columns: &[
            column("id", Holds::Text(Some(parsed::<ApiKeyId>))),
            text("name"),
            column("hash", Holds::Bytes(Some(hash))),
            MAYBE_OF_ORGANIZATION,
            MAYBE_OF_TEAM,
            text("role"),
            time("created_at_ms"),
            maybe_time("expires_at_ms"),
            maybe_time("revoked_at_ms"),
            maybe_time("last_used_at_ms"),
        ],
        agrees: Some(scope),
    },
    Table {
        name: "machine_keys",
        kind: "machine_key",
        key: 1,
        columns: &[
            column("id", Holds::Text(Some(parsed::<MachineKeyId>))),
            OF_ORGANIZATION,
            text("name"),
            column("hash", Holds::Bytes(Some(hash))),
            column("role", Holds::Text(Some(parsed::<OrganizationRole>))),
            time("created_at_ms"),
            time("expires_at_ms"),
            maybe_time("revoked_at_ms"),
            maybe_time("last_used_at_ms"),
        ],
        agrees: None,
    },
    Table {
        name: "assertion_keys",
        kind: "assertion_key",
        key: 1,
        columns: &[
            text("kid"),
            column("private", Holds::Bytes(None)),
            column("public_jwk", Holds::Text(Some(public_jwk))),
            time("created_at_ms"),
            time("signs_until_ms"),
            time("published_until_ms"),
        ],
        agrees: None,
    },
    Table {
        name: "key_sets",
        kind: "key_set",
        key: 1,
        columns: &[
            column("issuer", Holds::Text(Some(rules::issuer))),
            text("source"),
            column("body", Holds::Bytes(None)),
            time("fetched_at_ms"),
        ],
        agrees: None,
    },
    Table {
        name: "documents",
        kind: "document",
        key: 2,
        columns: &[
            column("kind", Holds::Text(Some(parsed::<DocumentKind>))),
            text("name"),
            MAYBE_OF_ORGANIZATION,
            column("body", Holds::Object),
            maybe("secret", Holds::Bytes(None)),
            time("created_at_ms"),
            time("updated_at_ms"),
            VERSION,
        ],
        agrees: None,
    },
    Table {
        name: "seen_tags",
        kind: "seen_tag",
        key: 2,
        columns: &[
            REALM,
            column("tag", Holds::Text(Some(seen_tag))),
            time("first_seen_at_ms"),
            time("last_seen_at_ms"),
        ],
        agrees: None,
    },
    Table {
        name: "removed_identities",
        kind: "removed_identity",
        key: 2,
        columns: &[
            column("kind", Holds::Text(Some(parsed::<RemovedKind>))),
            column("hash", Holds::Text(Some(hex_hash))),
            time("issued_before_ms"),
            column("refuses_all", Holds::Flag),
        ],
        agrees: None,
    },
    audit_chain::REVOCATIONS,
    Table {
        name: "erasure_keys",
        kind: "erasure_key",
        key: 1,
        columns: &[text("name"), column("secret", Holds::Bytes(Some(hash)))],
        agrees: None,
    },
];

/// Written from the lists in the organizations, so that no file can make the two differ.
pub const ORGANIZATION_TAGS: Table = Table {
    name: "organization_tags",
    kind: "organization_tag",
    key: 3,
    columns: &[
        text("realm"),
        text("tag"),
        OF_ORGANIZATION,
        text("role"),
        text("folded"),
    ],
    agrees: None,
};

/// Numbers by which the nodes of one database hear of its changes. They say nothing about the directory, and another
/// database counts by itself.
pub const CHANGE_COUNTERS: &str = "change_counters";

impl Table {
    /// Every row in the order of a file.
    pub fn select(&self) -> String {
        let keys: Vec<&str> = self.columns.iter().take(self.key).map(|column| column.name).collect();
        let (names, keys) = (self.names(), keys.join(", "));
        format!("SELECT {names} FROM {} ORDER BY {keys}", self.name)
    }

    /// Query for the number of rows.
    pub fn count(&self) -> String {
        format!("SELECT count(*) FROM {}", self.name)
    }

    /// The columns' names.
    pub fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name).collect();
        names.join(", ")
    }

    /// Checks a row. The error is the problem with it.
    pub fn check(&self, row: &Row) -> Result<(), String> {
        for (column, cell) in self.columns.iter().zip(&row.0) {
            let held = column.check(cell);
            held.map_err(|why| format!("`{}`: {why}", column.name))?;
        }
        let Some(agrees) = self.agrees else { return Ok(()) };
        agrees(&Fields::of(self, row))
    }

    /// The row as both databases can keep it, or `None` if PostgreSQL would not have written it.
    pub fn portable(&self, mut row: Row) -> Option<Row> {
        if self.name == "seen_tags" && !matches!(row.0.get(1), Some(Cell::Text(tag)) if seen_tag(tag).is_ok()) {
            return None;
        }
        for (column, cell) in self.columns.iter().zip(&mut row.0).skip(self.key) {
            let Cell::Text(text) = cell else { continue };
            let portable = match column.holds {
                Holds::Text(_) => without_nul(text),
                Holds::Texts(_) => texts_without_nul(text),
                _ => None,
            };
            if let Some(portable) = portable {
                *text = portable;
            }
        }
        Some(row)
    }

    /// Names a row without showing anything that is secret.
    pub fn called(&self, row: &Row) -> String {
        match row.0.first() {
            Some(Cell::Text(key)) => format!("{} of `{}`", self.kind, key.escape_debug()),
            Some(Cell::Integer(key)) => format!("{} {key}", self.kind),
            _ => self.kind.to_owned(),
        }
    }
}

impl Column {
    fn check(&self, cell: &Cell) -> Result<(), String> {
        match (cell, self.holds) {
            (Cell::Null, _) if self.optional => Ok(()),
            (Cell::Null, _) => Err("it is missing".to_owned()),
            (Cell::Text(text), Holds::Text(_)) if text.contains('\0') => {
                Err("it holds the character U+0000".to_owned())
            }
            (Cell::Text(text), Holds::Text(rule)) => rule.map_or(Ok(()), |rule| rule(text)),
            (Cell::Text(text), Holds::Object) => object_from_json(text)
                .map(drop)
                .ok_or_else(|| "it is no JSON object".to_owned()),
            (Cell::Text(text), Holds::Texts(rule)) => {
                let texts = texts_from_json(text).ok_or_else(|| "it is no list of texts".to_owned())?;
                // PostgreSQL keeps the list as JSON, but cannot take such a text out of it.
                if texts.iter().any(|text| text.contains('\0')) {
                    return Err("a text in it holds the character U+0000".to_owned());
                }
                rule.map_or(Ok(()), |rule| rule(&texts))
            }
            (Cell::Integer(number), Holds::Count) if !(1..=COUNT_MAX).contains(number) => {
                Err(format!("it is not between 1 and {COUNT_MAX}"))
            }
            (Cell::Bytes(bytes), Holds::Bytes(rule)) => rule.map_or(Ok(()), |rule| rule(bytes)),
            (Cell::Integer(_), Holds::Count | Holds::Time) | (Cell::Flag(_), Holds::Flag) => Ok(()),
            _ => Err("it is of another type".to_owned()),
        }
    }
}

/// The rows of the index from tags to organizations that an organization has, as they are in [`ORGANIZATION_TAGS`].
pub fn organization_tags(row: &Row) -> Result<Vec<Row>, String> {
    let organizations = TABLES.iter().find(|table| table.name == "organizations");
    let fields = organizations.map(|table| Fields::of(table, row));
    let field = |name| fields.as_ref().and_then(|fields| fields.text(name)).unwrap_or_default();
    let list = |name| {
        let texts = texts_from_json(field(name)).unwrap_or_default();
        TagList::from_entries(texts).map_err(|error| error.to_string())
    };
    let tags = OrganizationTags {
        admin: list("admin_tags")?,
        member: list("member_tags")?,
        executor: list("executor_tags")?,
    };
    let (realm, id) = (field("realm"), field("id"));
    let rows = tags.roles().into_iter().map(|(tag, role)| {
        let cells = [realm, tag.as_str(), id, role.as_str(), &fold(tag.as_str())];
        Row(cells.map(|cell| Cell::Text(cell.to_owned())).into())
    });
    Ok(rows.collect())
}
