//! An organization: what its people share, and the tags that say who they are.

use narthex_names::{ExternalId, OrganizationId, OrganizationName, Realm, Tag, TagList};

use crate::role::{OrganizationRole, word};

word!(
    /// State of an organization.
    OrganizationStatus, "organization status", {
        /// As usual.
        Active = "active",
        /// Its members keep their grants and are refused while this lasts.
        Suspended = "suspended",
    }
);

word!(
    /// Rule for who may make members of an organization.
    MembershipRule, "membership", {
        /// Tokens and people.
        Mixed = "mixed",
        /// Tokens only: it takes no manual grants.
        ExternalOnly = "external_only",
    }
);

word!(
    /// Origin of a record, which also decides where it may be edited.
    Origin, "origin", {
        /// By a person, through the API or the command line.
        Api = "api",
        /// By a token's claims (S1).
        Claim = "claim",
        /// In the configuration file; read-only elsewhere.
        Config = "config",
    }
);

/// The three lists of tags (S3: External Admin Group, External Member Group; and executors).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationTags {
    /// Tags that make admins.
    pub admin: TagList,
    /// Tags that make members.
    pub member: TagList,
    /// Tags that make executors.
    pub executor: TagList,
}

impl OrganizationTags {
    /// The lists with the role that each grants, the highest first.
    pub fn by_role(&self) -> [(OrganizationRole, &TagList); 3] {
        [
            (OrganizationRole::Admin, &self.admin),
            (OrganizationRole::Member, &self.member),
            (OrganizationRole::Executor, &self.executor),
        ]
    }

    /// The highest role that this tag, compared exactly, is listed for.
    pub fn role_of(&self, tag: &str) -> Option<OrganizationRole> {
        self.by_role()
            .into_iter()
            .find(|(_, list)| list.contains(tag))
            .map(|(role, _)| role)
    }

    /// Every listed tag once, with the highest role it is listed for.
    pub fn roles(&self) -> Vec<(&Tag, OrganizationRole)> {
        let mut seen = std::collections::HashSet::new();
        let all = self
            .by_role()
            .into_iter()
            .flat_map(|(role, list)| list.tags().iter().map(move |tag| (tag, role)));
        all.filter(|(tag, _)| seen.insert(*tag)).collect()
    }
}

/// Details about an organization, for people.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrganizationDetails {
    /// Person who answers for it.
    pub contact_name: Option<String>,
    /// E-mail address of that person.
    pub contact_email: Option<String>,
    /// Its site.
    pub website: Option<String>,
    /// A tz database name.
    pub timezone: Option<String>,
}

/// An organization.
#[derive(Debug, Clone, PartialEq)]
pub struct Organization {
    /// Its id.
    pub id: OrganizationId,
    /// Its name in paths; unique.
    pub name: OrganizationName,
    /// Its name for people.
    pub label: String,
    /// Realm whose tags and external ids count here.
    pub realm: Realm,
    /// Its id at the identity provider; unique in the realm.
    pub external_id: Option<ExternalId>,
    /// Contact, site, time zone.
    pub details: OrganizationDetails,
    /// The tags that make admins, members and executors.
    pub tags: OrganizationTags,
    /// True if the tag patterns of its realm's issuers give roles here.
    pub tag_patterns: bool,
    /// Its membership rule.
    pub membership: MembershipRule,
    /// Open or suspended.
    pub status: OrganizationStatus,
    /// Its origin.
    pub origin: Origin,
    /// True if a logo is kept (the bytes are read apart).
    pub has_logo: bool,
    /// Time of creation, in milliseconds.
    pub created_at_ms: i64,
    /// Time of the last change, in milliseconds.
    pub updated_at_ms: i64,
    /// Counts every change; starts at 1.
    pub version: u64,
}

/// The largest logo, in bytes.
pub const LOGO_BYTES_MAX: usize = 1_048_576;

/// A picture of an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo {
    media_type: &'static str,
    bytes: Vec<u8>,
}

impl Logo {
    /// Takes a PNG or JPEG of at most 1 MB; `None` for anything else. The kind is read from the bytes.
    ///
    /// SECURITY: what the uploader calls it does not count. An SVG or HTML page served from our origin would run
    /// script in it.
    pub fn new(bytes: Vec<u8>) -> Option<Self> {
        let media_type = match bytes.as_slice() {
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => "image/png",
            [0xff, 0xd8, 0xff, ..] => "image/jpeg",
            _ => return None,
        };
        (bytes.len() <= LOGO_BYTES_MAX).then_some(Self { media_type, bytes })
    }

    /// `image/png` or `image/jpeg`.
    pub const fn media_type(&self) -> &'static str {
        self.media_type
    }

    /// The picture.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_in_two_lists_gives_the_higher_role() {
        let tags = OrganizationTags {
            admin: TagList::parse("a, b").unwrap(),
            member: TagList::parse("b, c").unwrap(),
            executor: TagList::parse("c, d").unwrap(),
        };
        assert_eq!(tags.role_of("b"), Some(OrganizationRole::Admin));
        assert_eq!(tags.role_of("c"), Some(OrganizationRole::Member));
        assert_eq!(tags.role_of("B"), None);
        let roles: Vec<(&str, &str)> = tags
            .roles()
            .iter()
            .map(|(tag, role)| (tag.as_str(), role.as_str()))
            .collect();
        assert_eq!(
            roles,
            [("a", "admin"), ("b", "admin"), ("c", "member"), ("d", "executor")]
        );
    }

    #[test]
    fn a_logo_is_a_png_or_a_jpeg_by_its_bytes() {
        assert_eq!(
            Logo::new(b"\x89PNG\r\n\x1a\n....".to_vec()).map(|logo| logo.media_type()),
            Some("image/png")
        );
        assert_eq!(
            Logo::new(vec![0xff, 0xd8, 0xff, 0xe0]).map(|logo| logo.media_type()),
            Some("image/jpeg")
        );
        assert!(Logo::new(b"<svg onload=alert(1)>".to_vec()).is_none());
        let mut large = vec![0xff; LOGO_BYTES_MAX + 1];
        large[1] = 0xd8;
        assert!(Logo::new(large).is_none());
    }
}
