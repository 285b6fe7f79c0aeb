//! `organization` of an issuer: the one organization in which its tokens give roles.

use narthex_directory::{OrganizationName, SyncPolicy};
use narthex_settings_reader::{List, Problem};
use toml::Spanned;

use super::Check;
use crate::file::IssuerSection;

impl Check<'_> {
    /// The policy of an issuer, for one organization if it names one.
    pub(crate) fn of_one_organization(&mut self, section: &IssuerSection, policy: SyncPolicy) -> Option<SyncPolicy> {
        let Some(written) = section.organization.spanned() else {
            return Some(policy);
        };
        if let Some(tags) = section.tags.value() {
            if !policy.platform_admin_tags.is_empty() {
                let span = tags.platform_admin.span();
                let problem = Problem::error(span, "an issuer of one organization makes no platform admins");
                self.problems.push(
                    problem
                        .context(written.span(), "its organization")
                        .help("remove `platform_admin`, or `organization`"),
                );
            }
            for pattern in tags.pattern.value() {
                if *pattern.get_ref().create.value() {
                    let span = pattern.get_ref().create.span();
                    let problem = Problem::error(span, "an issuer of one organization creates no organization");
                    self.problems.push(
                        problem
                            .context(written.span(), "its organization")
                            .help("remove `create`"),
                    );
                }
            }
        }
        match OrganizationName::new(written.get_ref().as_str()) {
            Ok(name) => Some(SyncPolicy {
                organization: Some(name),
                ..policy
            }),
            Err(error) => {
                self.name_error(written.span(), &error, "");
                None
            }
        }
    }

    /// Refuses an issuer of one organization that shares its realm with another issuer.
    ///
    /// SECURITY: external ids and usernames are unique in the realm. In a shared one, the identity provider of one organization
    /// could speak for the users of another.
    pub(crate) fn own_realms(&mut self, written: &List<IssuerSection>) {
        let sections = || written.iter().map(Spanned::get_ref);
        for section in sections().filter(|section| section.organization.spanned().is_some()) {
            let realm = realm_of(section);
            let mut others = sections().filter(|other| !std::ptr::eq(*other, section));
            let Some(other) = others.find(|other| realm.is_some() && realm_of(other) == realm) else {
                continue;
            };
            let message = format!(
                "the users of an issuer of one organization have a realm of their own, and `{}` is also that of the issuer `{}`",
                realm.unwrap_or_default(),
                other.name.value().map_or("", String::as_str)
            );
            let span = section
                .realm
                .span()
                .unwrap_or_else(|| section.organization.span().unwrap_or_default());
            self.problems
                .push(Problem::error(span, message).help("give it a `realm` that no other issuer has"));
        }
    }
}

/// The realm of an issuer as it is written, or its name.
fn realm_of(section: &IssuerSection) -> Option<&str> {
    let written = section.realm.value().or(section.name.value());
    written.map(String::as_str)
}
