//! `[[organization]]`: made into what the directory declares.

use narthex_directory::{
    ExternalId, Logo, MembershipRule, OrganizationDetails, OrganizationName, OrganizationStatus, OrganizationTags,
    Realm, TagList,
};
use narthex_settings_reader::{List, Problem, Section, Span};

use toml::Spanned;

use super::Check;
use crate::DeclaredOrganization;
use crate::file::{self, OrganizationSection};

/// End of a sentence about a name that is often meant for a label.
const LABEL: &str = ", and `label` for the name that people read";
/// The largest logo.
const LOGO_BYTES_MOST: u64 = 1_048_576;
/// The longest text about an organization, in characters.
const TEXT_LENGTH_MOST: usize = 256;

/// A list of tags of an organization.
pub(crate) struct ListedTags {
    /// Place of the list.
    pub(crate) span: Span,
    /// Name of the organization.
    pub(crate) organization: String,
    /// The tags.
    pub(crate) tags: TagList,
}

impl Check<'_> {
    /// Every organization, in the order of the file, and their lists of tags. Those with problems are left out.
    pub(crate) fn organizations(
        &mut self,
        written: &List<OrganizationSection>,
        realms: &[String],
    ) -> (Vec<DeclaredOrganization>, Vec<ListedTags>) {
        self.twice(
            "organizations",
            written.iter().filter_map(|section| section.get_ref().name.spanned()),
        );
        self.known_as_twice(written, realms);
        let mut listed = Vec::new();
        let declared = written
            .iter()
            .filter_map(|section| self.organization(section.get_ref(), realms, &mut listed))
            .collect();
        (declared, listed)
    }

    /// Refuses an external id that two organizations of one realm declare.
    fn known_as_twice(&mut self, written: &List<OrganizationSection>, realms: &[String]) {
        let only = match realms {
            [only] => Some(only),
            _ => None,
        };
        let mut seen: Vec<(&String, &Spanned<String>)> = Vec::new();
        for section in written.iter().map(Spanned::get_ref) {
            let realm = section.realm.value().or(only);
            let (Some(realm), Some(external_id)) = (realm, section.external_id.spanned()) else {
                continue;
            };
            let mut before = seen.iter();
            if let Some((_, first)) =
                before.find(|(its, first)| *its == realm && first.get_ref() == external_id.get_ref())
            {
                let message = format!("two organizations of the realm `{realm}` have the same `external_id`");
                let problem = Problem::error(external_id.span(), message);
                self.problems.push(problem.context(first.span(), "the first one"));
            } else {
                seen.push((realm, external_id));
            }
        }
    }

    fn organization(
        &mut self,
        section: &OrganizationSection,
        realms: &[String],
        listed: &mut Vec<ListedTags>,
    ) -> Option<DeclaredOrganization> {
        let name = section.name.spanned().and_then(|written| {
            OrganizationName::chosen(written.get_ref().as_str())
                .map_err(|error| self.name_error(written.span(), &error, LABEL))
                .ok()
        });
        let realm = self.realm_of(section, realms);
        let external_id = match section.external_id.spanned() {
            None => Some(None),
            Some(written) => ExternalId::new(written.get_ref().as_str())
                .map_err(|error| self.name_error(written.span(), &error, ""))
                .ok()
                .map(Some),
        };
        self.details(section);
        let tags = self.organization_tags(section, listed);
        let logo = match section.logo_file.spanned() {
            None => Some(None),
            Some(file) => self
                .read("logo_file", file.get_ref(), &file.span(), LOGO_BYTES_MOST)
                .and_then(|bytes| {
                    let logo = Logo::new(bytes);
                    if logo.is_none() {
                        self.error(file.span(), "`logo_file` must be a PNG or JPEG of at most 1 MB");
                    }
                    logo.map(Some)
                }),
        };
        let name = name?;
        Some(DeclaredOrganization {
            label: section.label.value().cloned().unwrap_or_else(|| name.to_string()),
            name,
            realm: realm?,
            external_id: external_id?,
            details: OrganizationDetails {
                contact_name: section.contact_name.value().cloned(),
                contact_email: section.contact_email.value().cloned(),
                website: section.website.value().map(|url| url.0.to_string()),
                timezone: section.timezone.value().cloned(),
            },
            tags: tags?,
            tag_patterns: *section.tag_patterns.value(),
            membership: match section.membership.value() {
                file::Membership::Mixed => MembershipRule::Mixed,
                file::Membership::ExternalOnly => MembershipRule::ExternalOnly,
            },
            status: match section.status.value() {
                file::OrganizationStatus::Active => OrganizationStatus::Active,
                file::OrganizationStatus::Suspended => OrganizationStatus::Suspended,
            },
            logo: logo?,
        })
    }

    /// Checks the details of an organization that affect no decision.
    fn details(&mut self, section: &OrganizationSection) {
        for (key, written) in [
            ("label", &section.label),
            ("contact_name", &section.contact_name),
            ("contact_email", &section.contact_email),
        ] {
            if let Some(text) = written.spanned().filter(|text| !is_profile_text(text.get_ref())) {
                let rule =
                    format!("`{key}` must be at most {TEXT_LENGTH_MOST} characters long, without control characters");
                self.error(text.span(), rule);
            }
        }
        if let Some(zone) = section
            .timezone
            .spanned()
            .filter(|zone| jiff::tz::TimeZone::get(zone.get_ref()).is_err())
        {
            let problem = Problem::error(zone.span(), format!("`{}` is not a time zone", zone.get_ref()));
            self.problems
                .push(problem.help("use a name of the tz database, such as `Europe/Prague`"));
        }
    }

    fn realm_of(&mut self, section: &OrganizationSection, realms: &[String]) -> Option<Realm> {
        if let Some(written) = section.realm.spanned() {
            self.known_realm(written, realms);
            return self.realm(written);
        }
        if section.realm.span().is_some() {
            return None;
        }
        match realms {
            [only] => Realm::new(only.as_str()).ok(),
            [] => {
                let problem = Problem::error(
                    section.header(),
                    "there is no issuer, so there is no realm for this organization",
                );
                self.problems.push(problem.help("name one with `realm`"));
                None
            }
            several => {
                let listed: Vec<String> = several.iter().map(|realm| format!("`{realm}`")).collect();
                let problem = Problem::error(
                    section.header(),
                    "there are several realms, and this organization names none",
                );
                self.problems
                    .push(problem.help(format!("name one with `realm`: {}", listed.join(", "))));
                None
            }
        }
    }

    fn organization_tags(
        &mut self,
        section: &OrganizationSection,
        listed: &mut Vec<ListedTags>,
    ) -> Option<OrganizationTags> {
        let [admin, member, executor] = [
            ("external_admin_groups", &section.external_admin_groups),
            ("external_member_groups", &section.external_member_groups),
            ("external_executor_groups", &section.external_executor_groups),
        ]
        .map(|(key, written)| {
            let list = self.tag_list(key, written.value(), &written.span());
            if let (Some(list), Some(name)) = (&list, section.name.value()) {
                listed.push(ListedTags {
                    span: written.span(),
                    organization: name.clone(),
                    tags: list.clone(),
                });
            }
            list
        });
        Some(OrganizationTags {
            admin: admin?,
            member: member?,
            executor: executor?,
        })
    }
}

fn is_profile_text(text: &str) -> bool {
    text.chars().count() <= TEXT_LENGTH_MOST && !text.chars().any(char::is_control)
}
