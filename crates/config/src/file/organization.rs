//! `[[organization]]`: organizations declared in the file.

use std::path::PathBuf;

use toml::Spanned;
use toml::de::DeValue;

use crate::read::{Defaulted, FromToml, Kind, Optional, Required, Walk, section};
use crate::values::{List, WebUrl, choice};

section! {
    /// An organization declared here; through the API and at the command line it is read-only.
    ///
    /// Lists of tags are lists of texts, or one text with commas between the tags: `"writers, editors"`. A tag with a
    /// comma in it goes in double quotes: `'"CN=Writers,OU=Press", editors'`.
    OrganizationSection {
        /// Its name in paths and commands: lower-case letters, digits and `-`.
        name: Required<String>, eg "\"acme\"";
        /// Its name for people.
        label: Optional<String>, eg "\"Acme, Inc.\"";
        /// The realm whose users and tags count for it. Needed only where there is more than one.
        realm: Optional<String>, eg "\"corp\"";
        /// The id that issuers know it by. An organization that a token made is taken over, with the roles in it, only
        /// where its id is declared here.
        external_id: Optional<String>, eg "\"XYZ123\"";
        /// Whom to write to.
        contact_name: Optional<String>, eg "\"Ada Byron\"";
        /// Where to write to.
        contact_email: Optional<String>, eg "\"ada@acme.example\"";
        /// Its web site.
        website: Optional<WebUrl>, eg "\"https://acme.example\"";
        /// Its time zone: a name of the tz database.
        timezone: Optional<String>, eg "\"Europe/Prague\"";
        /// A PNG or JPEG of at most 1 MB.
        logo_file: Optional<PathBuf>, eg "\"acme.png\"";
        /// Tags that make a user an admin of it.
        external_admin_groups: Defaulted<TagText> = "[]", eg "[\"acme-admins\"]";
        /// Tags that make a user a member of it.
        external_member_groups: Defaulted<TagText> = "[]", eg "\"acme-staff, acme-partners\"";
        /// Tags that let a user call what it offers, and nothing else.
        external_executor_groups: Defaulted<TagText> = "[]", eg "[\"acme-callers\"]";
        /// Whether roles may also be given by hand (`mixed`), or come from tokens only (`external_only`).
        membership: Defaulted<Membership> = "\"mixed\"";
        /// `suspended` denies every request to it: on each route that names it in its path and is not public. Only a platform
        /// admin passes, where `require` has a platform role. Members and callers with a platform role are told
        /// `organization.suspended`, all others `organization.role`, as they are of an organization that does not exist.
        status: Defaulted<OrganizationStatus> = "\"active\"";
    }
}

choice! {
    /// Where roles in an organization may come from.
    pub(crate) Membership {
        /// From tokens and by hand.
        Mixed = "mixed",
        /// From tokens only.
        ExternalOnly = "external_only",
    }
}

choice! {
    /// Whether an organization can be reached.
    pub(crate) OrganizationStatus {
        /// It can.
        Active = "active",
        /// It cannot.
        Suspended = "suspended",
    }
}

/// Permission tags as written: a list of texts, or one text with commas between.
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
