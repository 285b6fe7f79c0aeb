//! `[[organization]]`: organizations declared in the file.

use std::path::PathBuf;

use narthex_settings_reader::{Defaulted, FromToml, Kind, List, Optional, Required, Walk, WebUrl, choice, section};
use toml::Spanned;
use toml::de::DeValue;

section! {
    /// Organization declared in this file. The API and the command line cannot change it.
    ///
    /// A list of tags is a list of texts, or one text with commas between the tags: `"writers, editors"`. Put a tag
    /// that contains a comma in double quotes: `'"CN=Writers,OU=Press", editors'`.
    OrganizationSection {
        /// Name of the organization in paths and commands: lower-case letters, digits and `-`.
        name: Required<String>, eg "\"acme\"";
        /// Display name.
        label: Optional<String>, eg "\"Acme, Inc.\"";
        /// Realm whose users and tags count for the organization. Needed only if there is more than one realm.
        realm: Optional<String>, eg "\"corp\"";
        /// Issuers' id of the organization. An organization that a token created is adopted, with the roles in it, only
        /// if its id is declared here.
        external_id: Optional<String>, eg "\"XYZ123\"";
        /// Name of the contact person.
        contact_name: Optional<String>, eg "\"Ada Byron\"";
        /// E-mail address of the contact person.
        contact_email: Optional<String>, eg "\"ada@acme.example\"";
        /// Web site of the organization.
        website: Optional<WebUrl>, eg "\"https://acme.example\"";
        /// Time zone: a name of the tz database.
        timezone: Optional<String>, eg "\"Europe/Prague\"";
        /// Logo: a PNG or JPEG file of at most 1 MB.
        logo_file: Optional<PathBuf>, eg "\"acme.png\"";
        /// Tags that make a user an admin of the organization.
        external_admin_groups: Defaulted<TagText> = "[]", eg "[\"acme-admins\"]";
        /// Tags that make a user a member of the organization.
        external_member_groups: Defaulted<TagText> = "[]", eg "\"acme-staff, acme-partners\"";
        /// Tags that let a user call what the organization offers, and nothing else.
        external_executor_groups: Defaulted<TagText> = "[]", eg "[\"acme-callers\"]";
        /// `false` takes no roles from the tag patterns of the realm's issuers (`[[issuer.tags.pattern]]`): only tags that
        /// the organization lists count.
        tag_patterns: Defaulted<bool> = "true";
        /// Sources of roles: tokens and administrators (`mixed`), or tokens only (`external_only`).
        membership: Defaulted<Membership> = "\"mixed\"";
        /// `suspended` denies every request to the organization, on each route that names it in its path and is not
        /// public. Only a platform admin passes, and only where `require` has a platform role. Members and callers with
        /// a platform role get `organization.suspended`. All others get `organization.role`, as for an organization
        /// that does not exist.
        status: Defaulted<OrganizationStatus> = "\"active\"";
    }
}

choice! {
    /// Sources of roles in an organization.
    pub(crate) Membership {
        /// Tokens and administrators.
        Mixed = "mixed",
        /// Tokens only.
        ExternalOnly = "external_only",
    }
}

choice! {
    /// Availability of an organization.
    pub(crate) OrganizationStatus {
        /// Requests are decided by its roles.
        Active = "active",
        /// Requests are denied.
        Suspended = "suspended",
    }
}

/// Permission tags as written: a list of texts, or one text with commas between them.
#[derive(Clone, Debug)]
pub(crate) enum TagText {
    /// A list; commas are part of a tag.
    List(List<String>),
    /// One text; commas end a tag.
    Delimited(String),
}

impl FromToml for TagText {
    fn kind() -> Kind {
        let text = Kind::Text {
            what: "text",
            pattern: None,
        };
        Kind::Either(vec![Kind::List(Box::new(text.clone())), text])
    }

    fn from_toml(value: &Spanned<DeValue<'_>>, walk: &mut Walk) -> Option<Self> {
        match value.get_ref() {
            DeValue::String(text) => Some(Self::Delimited(text.to_string())),
            DeValue::Array(_) => FromToml::from_toml(value, walk).map(Self::List),
            _ => {
                walk.wrong_type(value, "a list of tags, or text with commas between them");
                None
            }
        }
    }
}
