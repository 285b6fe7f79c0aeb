//! The form of an organization, for a new one and for a change.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::{Faults, Input, Radio, radios};
use narthex_console_frame::problem::Failed;
use narthex_directory::{Edit, MembershipRule, Organization};
use narthex_ops::organizations::{OrganizationChange, TagChange, TagsInput};

use super::meets::Meets;

/// Names of the three lists of tags.
pub(super) const TAG_LISTS: [&str; 3] = [
    "external_admin_groups",
    "external_member_groups",
    "external_executor_groups",
];

/// Name of the choice of manual roles.
const MEMBERSHIP: &str = "membership";

/// Choice of manual roles: value, label and consequence.
const MEMBERSHIP_CHOICES: [(&str, &str, &str); 2] = [
    ("mixed", "Allowed beside tags", "Admins can add people who have no tag."),
    (
        "external_only",
        "Not allowed",
        "Only tokens decide. Saving ends the roles that were granted manually.",
    ),
];

/// Values of the form.
#[derive(Debug, Clone, Copy)]
pub(super) enum Values<'a> {
    /// A new organization.
    Blank,
    /// An organization as it is.
    Record(&'a Organization),
    /// The form as it was sent, with what is to correct.
    Sent(&'a Fields, &'a Faults),
    /// An organization as it is now, with the changes of the form that was sent in it.
    Merged(&'a Organization, &'a Fields),
}

impl Values<'_> {
    fn fill(self, input: Input) -> Input {
        let name = input.name();
        match self {
            Self::Blank => input,
            Self::Record(organization) => {
                let value = value_of(organization, name);
                input.was(value.clone()).value(value)
            }
            Self::Sent(fields, faults) => {
                let kept = input.kept(fields, faults);
                match fields.sent(&was(name)) {
                    Some(was) => kept.was(was),
                    None => kept,
                }
            }
            Self::Merged(organization, fields) => {
                let current = value_of(organization, name);
                let value = super::merge::merged(fields, name, &current);
                input.was(current).value(value)
            }
        }
    }

    /// Returns the choice of manual roles, and the one that the record had.
    fn membership(self) -> (String, Option<String>) {
        match self {
            Self::Blank => (MembershipRule::Mixed.as_str().to_owned(), None),
            Self::Record(organization) => {
                let now = organization.membership.as_str().to_owned();
                (now.clone(), Some(now))
            }
            Self::Sent(fields, _) => (
                fields.text(MEMBERSHIP).to_owned(),
                fields.sent(&was(MEMBERSHIP)).map(str::to_owned),
            ),
            Self::Merged(organization, fields) => {
                let now = organization.membership.as_str();
                let chosen = super::merge::merged(fields, MEMBERSHIP, now);
                (chosen, Some(now.to_owned()))
            }
        }
    }
}

/// Name of the hidden field with the value that the record had.
pub(super) fn was(name: &str) -> String {
    format!("was.{name}")
}

/// Returns the value of an organization in a field of the form.
fn value_of(organization: &Organization, name: &str) -> String {
    let details = &organization.details;
    let optional = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match name {
        "label" => organization.label.clone(),
        "name" => organization.name.to_string(),
        "external_id" => organization
            .external_id
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        "timezone" => optional(details.timezone.as_deref()),
        "contact_name" => optional(details.contact_name.as_deref()),
        "contact_email" => optional(details.contact_email.as_deref()),
        "website" => optional(details.website.as_deref()),
        "external_admin_groups" => organization.tags.admin.to_string(),
        "external_member_groups" => organization.tags.member.to_string(),
        "external_executor_groups" => organization.tags.executor.to_string(),
        _ => String::new(),
    }
}

/// A fact in place of a field that the caller may not change.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) value: String,
}

/// The fields of an organization.
#[derive(Debug, Template)]
#[template(path = "organization_form.html")]
pub(super) struct OrganizationForm {
    tags: Vec<TagField>,
    /// The choice of manual roles; empty for a caller who may not change it.
    membership: Vec<Radio>,
    membership_was: Option<String>,
    identity: Vec<Input>,
    facts: Vec<Fact>,
    contact: Vec<Input>,
    version: Option<u64>,
}

impl HtmlSafe for OrganizationForm {}

/// The field of a list of tags, and what the saved list meets.
#[derive(Debug)]
struct TagField {
    input: Input,
    meets: Option<Meets>,
}

impl OrganizationForm {
    /// Builds the fields. `rules` is the organization whose rules the caller may read and not change.
    pub(super) fn new(values: Values<'_>, version: Option<u64>, rules: Option<&Organization>) -> Self {
        let filled = |inputs: Vec<Input>| {
            inputs
                .into_iter()
                .map(|input| values.fill(input))
                .collect::<Vec<Input>>()
        };
        let (chosen, membership_was) = values.membership();
        let membership = match rules {
            None => radios(MEMBERSHIP, &MEMBERSHIP_CHOICES, &chosen),
            Some(_) => Vec::new(),
        };
        Self {
            tags: filled(tag_inputs())
                .into_iter()
                .map(|input| TagField { input, meets: None })
                .collect(),
            membership,
            membership_was,
            identity: filled(identity_inputs(rules.is_none())),
            facts: rules.map(facts).unwrap_or_default(),
            contact: filled(contact_inputs()),
            version,
        }
    }

    /// Adds what the saved lists meet, in the order of [`TAG_LISTS`].
    pub(super) fn with_meets(mut self, meets: Vec<Meets>) -> Self {
        for (field, meets) in self.tags.iter_mut().zip(meets) {
            field.meets = Some(meets);
        }
        self
    }
}

fn facts(organization: &Organization) -> Vec<Fact> {
    let fact = |name: &'static str, value: String| Fact { name, value };
    vec![
        fact("Name in paths", value_of(organization, "name")),
        fact("External Group ID", value_of(organization, "external_id")),
        fact("Manual roles", membership_words(organization.membership).to_owned()),
    ]
}

/// Says who may grant roles.
pub(super) const fn membership_words(membership: MembershipRule) -> &'static str {
    match membership {
        MembershipRule::Mixed => "Allowed beside tags",
        MembershipRule::ExternalOnly => "Not allowed",
    }
}

fn tag_inputs() -> Vec<Input> {
    vec![
        Input::text("external_admin_groups", "External Admin Group")
            .code()
            .hint("Admins manage people, tags and connections of this organization."),
        Input::text("external_member_groups", "External Member Group")
            .code()
            .hint(
                "Members use what it offers. A tag that contains a comma goes in double quotes: \
             <code>\"CN=Ops,DC=corp\"</code>.",
            ),
        Input::text("external_executor_groups", "External Executor Group")
            .code()
            .hint("Executors call what it offers, and nothing else."),
    ]
}

fn identity_inputs(with_rules: bool) -> Vec<Input> {
    let mut inputs = vec![Input::text("label", "Organization name")];
    if with_rules {
        inputs.extend([
            Input::text("name", "Name in paths").code().hint(
                "As in <code>/v1/algo/NAME/…</code>. Lower-case letters, digits, <code>-</code>, <code>_</code> and \
                 <code>.</code>",
            ),
            Input::text("external_id", "External Group ID")
                .code()
                .hint("What your identity provider calls this organization."),
        ]);
    }
    inputs.push(
        Input::text("timezone", "Time zone")
            .code()
            .hint("As in <code>Europe/Prague</code>."),
    );
    inputs
}

fn contact_inputs() -> Vec<Input> {
    vec![
        Input::text("contact_name", "Contact name"),
        Input::text("contact_email", "Contact e-mail").kind("email"),
        Input::text("website", "Website").kind("url").class("field full"),
    ]
}

/// Reads the edit of a field: a field that is as the record had it, or that was not sent, keeps its value.
pub(super) fn edit(fields: &Fields, name: &str) -> Edit<String> {
    match (fields.sent(name), fields.sent(&was(name))) {
        (None, _) => Edit::Keep,
        (Some(typed), Some(was)) if typed == was => Edit::Keep,
        (Some(""), _) => Edit::Clear,
        (Some(typed), _) => Edit::Set(typed.to_owned()),
    }
}

/// As [`edit`], for a field that is never empty: its rule says so.
fn never_empty(fields: &Fields, name: &str) -> Edit<String> {
    match edit(fields, name) {
        Edit::Clear => Edit::Set(String::new()),
        other => other,
    }
}

/// Reads the change of the lists of tags.
pub(super) fn tag_change(fields: &Fields) -> TagChange {
    let list = |name: &str| match edit(fields, name) {
        Edit::Keep => Edit::Keep,
        Edit::Clear => Edit::Clear,
        Edit::Set(text) => Edit::Set(TagsInput::Text(text)),
    };
    let [admin, member, executor] = TAG_LISTS.map(list);
    TagChange {
        admin,
        member,
        executor,
    }
}

/// Reads the change that a form asks for.
///
/// # Errors
///
/// When the choice of manual roles is none that the form offers.
pub(super) fn change(fields: &Fields) -> Result<OrganizationChange, Failed> {
    Ok(OrganizationChange {
        name: never_empty(fields, "name"),
        label: never_empty(fields, "label"),
        external_id: edit(fields, "external_id"),
        contact_name: edit(fields, "contact_name"),
        contact_email: edit(fields, "contact_email"),
        website: edit(fields, "website"),
        timezone: edit(fields, "timezone"),
        tags: tag_change(fields),
        tag_patterns: Edit::Keep,
        membership: match edit(fields, MEMBERSHIP) {
            Edit::Keep | Edit::Clear => Edit::Keep,
            Edit::Set(text) => Edit::Set(text.parse().map_err(|_| Failed::NotAForm)?),
        },
        status: Edit::Keep,
        why: None,
        // The page before it shows the preview.
        confirm: true,
    })
}

/// Reads the choice of manual roles of a new organization.
///
/// # Errors
///
/// When it is none that the form offers.
pub(super) fn membership(fields: &Fields) -> Result<Option<MembershipRule>, Failed> {
    let sent = fields.filled(MEMBERSHIP);
    sent.map(|text| text.parse().map_err(|_| Failed::NotAForm)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_was_not_touched_keeps_its_value() {
        let fields =
            Fields::parse(b"label=Acme&was.label=Acme&website=&was.website=x&name=new&was.name=old&timezone=a");
        assert_eq!(edit(&fields, "label"), Edit::Keep);
        assert_eq!(edit(&fields, "website"), Edit::Clear);
        assert_eq!(edit(&fields, "name"), Edit::Set("new".to_owned()));
        assert_eq!(edit(&fields, "timezone"), Edit::Set("a".to_owned()));
        assert_eq!(edit(&fields, "external_id"), Edit::Keep);
    }

    #[test]
    fn a_name_that_was_emptied_is_an_error_at_its_field() {
        let fields = Fields::parse(b"name=&was.name=acme");
        assert_eq!(change(&fields).unwrap().name, Edit::Set(String::new()));
    }

    #[test]
    fn a_membership_that_the_form_does_not_offer_is_refused() {
        assert!(change(&Fields::parse(b"membership=x&was.membership=mixed")).is_err());
        let change = change(&Fields::parse(b"membership=external_only&was.membership=mixed")).unwrap();
        assert_eq!(change.membership, Edit::Set(MembershipRule::ExternalOnly));
    }
}
