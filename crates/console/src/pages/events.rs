//! Rows of the audit trail: each event as a sentence, with its code, its time and its actor.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::Visit;
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::time::Moment;
use narthex_directory::{ACTIONS, Actor, AuditEvent, OrganizationId, RecordedEvent, UserId};
use narthex_ops::{OpError, organizations, users};
use serde_json::Value;

/// Names of fields of a user and an organization, as pages say them.
const FIELDS: [(&str, &str); 16] = [
    ("username", "Username"),
    ("email", "E-mail"),
    ("name", "Name"),
    ("country", "Country"),
    ("timezone", "Time zone"),
    ("locale", "Locale"),
    ("language", "Language"),
    ("label", "Name"),
    ("external_id", "External ID"),
    ("contact_name", "Contact"),
    ("contact_email", "Contact e-mail"),
    ("website", "Website"),
    ("external_admin_groups", "Admin tags"),
    ("external_member_groups", "Member tags"),
    ("external_executor_groups", "Executor tags"),
    ("membership", "Manual roles"),
];

/// A row for an event.
#[derive(Debug)]
pub(crate) struct EventRow {
    /// Tone of the event: `good` where something began, `bad` where something ended.
    pub(crate) tone: &'static str,
    /// The event, as a sentence.
    pub(crate) what: String,
    pub(crate) code: String,
    pub(crate) at: Moment,
    /// The actor, in words.
    pub(crate) by: String,
    /// The reason that an administrator gave.
    pub(crate) why: Option<String>,
}

/// Names of the users and organizations that events are about.
#[derive(Default)]
struct Names {
    users: HashMap<UserId, String>,
    organizations: HashMap<OrganizationId, String>,
}

/// Builds the rows of events. `subject` is the user whom all of them are about, if there is one.
pub(crate) async fn rows(
    visit: &Visit,
    events: Vec<RecordedEvent>,
    subject: Option<UserId>,
) -> Result<Vec<EventRow>, Failed> {
    let mut names = Names::default();
    for RecordedEvent { event, .. } in &events {
        names.learn(visit, event).await?;
    }
    let row = |RecordedEvent { event, .. }: RecordedEvent| {
        let (tone, what) = sentence(&event, &names, subject);
        EventRow {
            tone,
            what,
            at: visit.moment(event.at_ms),
            by: names.actor(&event.actor),
            why: text(&event, "why").map(str::to_owned),
            code: event.action,
        }
    };
    Ok(events.into_iter().map(row).collect())
}

impl Names {
    /// Looks up the names that an event needs, each once.
    async fn learn(&mut self, visit: &Visit, event: &AuditEvent) -> Result<(), Failed> {
        let actor = match event.actor {
            Actor::User(id) => Some(id),
            _ => None,
        };
        for id in actor.into_iter().chain(event.user) {
            if let Entry::Vacant(unknown) = self.users.entry(id) {
                let found = or_none(users::read(visit.caller(), &id.to_string()).await)?;
                let name = found.map_or_else(|| id.to_string(), |entry| access::name(&entry.user).to_owned());
                unknown.insert(name);
            }
        }
        if let Some(id) = event.organization
            && let Entry::Vacant(unknown) = self.organizations.entry(id)
        {
            let found = or_none(organizations::read(visit.caller(), &id.to_string()).await)?;
            let name = found.map_or_else(|| id.to_string(), |organization| organization.label);
            unknown.insert(name);
        }
        Ok(())
    }

    fn user(&self, id: Option<UserId>) -> Option<&str> {
        self.users.get(&id?).map(String::as_str)
    }

    fn actor(&self, actor: &Actor) -> String {
        match actor {
            Actor::Token { issuer, .. } => format!("a token of {issuer}"),
            Actor::User(id) => self.user(Some(*id)).map_or_else(|| id.to_string(), str::to_owned),
            Actor::ApiKey(id) => format!("the API key {id}"),
            Actor::CommandLine(Some(user)) => format!("{user} at the command line"),
            Actor::CommandLine(None) => "the command line".to_owned(),
            Actor::Configuration => "the configuration".to_owned(),
            Actor::System => "Narthex itself".to_owned(),
        }
    }
}

fn or_none<T>(found: Result<T, OpError>) -> Result<Option<T>, OpError> {
    match found {
        Ok(record) => Ok(Some(record)),
        Err(OpError::Unknown { .. } | OpError::Forbidden { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

fn text<'e>(event: &'e AuditEvent, name: &str) -> Option<&'e str> {
    event.detail.get(name).and_then(Value::as_str)
}

/// Says an event in a sentence, with its tone. The subject of a page is not named again.
fn sentence(event: &AuditEvent, names: &Names, subject: Option<UserId>) -> (&'static str, String) {
    let person = names.user(event.user.filter(|id| Some(*id) != subject));
    let of = |what: String| match person {
        Some(name) => format!("{name}: {}", lower(&what)),
        None => what,
    };
    let organization = event.organization.and_then(|id| names.organizations.get(&id));
    let on = || match (text(event, "scope"), organization) {
        (Some("platform"), _) => "the platform".to_owned(),
        (Some("team"), _) => "a team".to_owned(),
        (_, Some(name)) => name.clone(),
        (_, None) => "an organization".to_owned(),
    };
    let role = text(event, "role").unwrap_or_default();
    match event.action.as_str() {
        "grant.opened" => ("good", of(format!("Became {role} of {}", on()))),
        "grant.closed" => ("bad", of(format!("No longer {role} of {}", on()))),
        "user.created" => ("good", of("First seen".to_owned())),
        "user.updated" => {
            let (tone, what) = changed(event);
            (tone, of(what))
        }
        "organization.updated" => {
            let (tone, what) = changed(event);
            let name = organization.map_or("An organization", String::as_str);
            (tone, format!("{name}: {}", lower(&what)))
        }
        "session.created" => ("good", of("Signed in with a browser".to_owned())),
        "session.ended" => ("", of("A session ended".to_owned())),
        action => ("", meaning(action)),
    }
}

/// Says which fields changed.
fn changed(event: &AuditEvent) -> (&'static str, String) {
    let to = |field: &str| event.detail.get(field).and_then(|change| change.get("to"));
    match to("status").and_then(Value::as_str) {
        Some("disabled") => return ("bad", "Disabled".to_owned()),
        Some("suspended") => return ("bad", "Suspended".to_owned()),
        Some("active") => return ("good", "Opened again".to_owned()),
        _ => {}
    }
    if to("tokens_not_before").is_some_and(|moment| !moment.is_null()) {
        return ("bad", "Signed out everywhere".to_owned());
    }
    let known = FIELDS.iter().filter(|(field, _)| event.detail.contains_key(*field));
    let mut fields: Vec<String> = known.map(|(_, words)| lower(words)).collect();
    fields.dedup();
    match fields.as_slice() {
        [] => ("", meaning(&event.action)),
        fields => ("", sentence_of(&fields.join(", ")) + " changed"),
    }
}

/// Returns the meaning of an action, from the reference; its code if it has none.
fn meaning(action: &str) -> String {
    let known = ACTIONS.iter().find(|(name, _)| *name == action);
    // The sentence ends where the reference lists the fields.
    let words = known.and_then(|(_, meaning)| meaning.split([':', ';', ',']).next());
    words.unwrap_or(action).trim_end_matches('.').to_owned()
}

fn sentence_of(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

fn lower(text: &str) -> String {
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_lowercase().to_string());
    first.unwrap_or_default() + characters.as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn said(action: &'static str, detail: &Value) -> (&'static str, String) {
        let mut event = AuditEvent::new(action, Actor::System, 0);
        event.detail = detail.as_object().unwrap().clone();
        sentence(&event, &Names::default(), None)
    }

    #[test]
    fn events_are_said_as_people_say_them() {
        for (action, detail, tone, words) in [
            (
                "grant.opened",
                json!({ "scope": "platform", "role": "admin" }),
                "good",
                "Became admin of the platform",
            ),
            (
                "grant.closed",
                json!({ "scope": "team", "role": "member" }),
                "bad",
                "No longer member of a team",
            ),
            (
                "user.updated",
                json!({ "status": { "from": "active", "to": "disabled" } }),
                "bad",
                "Disabled",
            ),
            (
                "user.updated",
                json!({ "tokens_not_before": { "to": "2026-01-01T00:00:00Z" } }),
                "bad",
                "Signed out everywhere",
            ),
            (
                "user.updated",
                json!({ "email": { "to": "a" }, "country": { "to": "b" } }),
                "",
                "E-mail, country changed",
            ),
            ("api_key.created", json!({}), "", "An API key was created"),
        ] {
            assert_eq!(said(action, &detail), (tone, words.to_owned()), "{action}");
        }
    }
}
