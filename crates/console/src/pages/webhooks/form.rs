//! Fields of a webhook: the receiver, and the kinds of events that it is told of.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::{Faults, Input};

/// A kind of events: name of its field, label, and the actions that it stands for.
struct Kind {
    field: &'static str,
    label: &'static str,
    actions: &'static [&'static str],
}

const KINDS: [Kind; 8] = [
    Kind {
        field: "event.people",
        label: "People",
        actions: &["user.*", "erasure.*"],
    },
    Kind {
        field: "event.roles",
        label: "Roles",
        actions: &["grant.*"],
    },
    Kind {
        field: "event.organizations",
        label: "Organizations and teams",
        actions: &["organization.*", "team.*"],
    },
    Kind {
        field: "event.sessions",
        label: "Sign-ins with a browser",
        actions: &["session.*"],
    },
    Kind {
        field: "event.keys",
        label: "Keys",
        actions: &["api_key.*", "machine_key.*", "assertion_key.*", "audit_key.*"],
    },
    Kind {
        field: "event.integrations",
        label: "Issuers, connections and webhooks",
        actions: &["issuer.*", "setup_link.*", "connection.*", "webhook.*"],
    },
    Kind {
        field: "event.configuration",
        label: "Configuration and audit trail",
        actions: &["configuration.*", "audit.*"],
    },
    Kind {
        field: "event.refusals",
        label: "Refused requests and revoked tokens",
        actions: &["request.*", "token.*"],
    },
];

/// Name of the field for actions that are no whole kind.
const OTHERS: &str = "event.others";

/// Name of the group of these fields, for faults.
const EVENTS: &str = "events";

/// Fields of a webhook.
#[derive(Template)]
#[template(path = "webhook_form.html")]
pub(super) struct WebhookForm {
    /// Field of the name; `None` for a webhook that has one.
    name: Option<Input>,
    url: Input,
    boxes: Vec<EventBox>,
    error: Option<String>,
}

impl HtmlSafe for WebhookForm {}

struct EventBox {
    field: &'static str,
    label: &'static str,
    actions: String,
    is_checked: bool,
}

impl WebhookForm {
    /// Fields of a new webhook, as they were sent.
    pub(super) fn new(fields: &Fields, faults: &Faults) -> Self {
        let name = Input::text("name", "Name")
            .code()
            .required()
            .hint("Lower-case letters, digits and <code>-</code>. It stays as it is.")
            .kept(fields, faults);
        Self::with(Some(name), &[], fields, faults)
    }

    /// Fields of a webhook that sends these actions, as they were sent.
    pub(super) fn of(actions: &[String], fields: &Fields, faults: &Faults) -> Self {
        Self::with(None, actions, fields, faults)
    }

    fn with(name: Option<Input>, actions: &[String], fields: &Fields, faults: &Faults) -> Self {
        let is_checked = |field: &str| fields.sent(field).is_some();
        let mut boxes: Vec<EventBox> = KINDS
            .iter()
            .map(|kind| EventBox {
                field: kind.field,
                label: kind.label,
                actions: kind.actions.join(", "),
                is_checked: is_checked(kind.field),
            })
            .collect();
        let others = others(actions);
        if !others.is_empty() {
            boxes.push(EventBox {
                field: OTHERS,
                label: "Single actions",
                actions: others.join(", "),
                is_checked: is_checked(OTHERS),
            });
        }
        Self {
            name,
            url: Input::text("url", "Address")
                .kind("url")
                .required()
                .hint("https. Private addresses only if the configuration allows them by name.")
                .kept(fields, faults),
            boxes,
            error: faults.of(EVENTS).map(str::to_owned),
        }
    }
}

/// Tests whether a webhook with these actions sends the whole kind.
fn sends(actions: &[String], kind: &Kind) -> bool {
    let mut wanted = kind.actions.iter();
    actions.is_empty() || wanted.all(|wanted| actions.iter().any(|action| action == wanted))
}

/// Returns the actions that belong to no kind that is sent whole.
fn others(actions: &[String]) -> Vec<&str> {
    let whole: Vec<&str> = KINDS
        .iter()
        .filter(|kind| sends(actions, kind))
        .flat_map(|kind| kind.actions.iter().copied())
        .collect();
    let names = actions.iter().map(String::as_str);
    names.filter(|action| !whole.contains(action)).collect()
}

/// Returns the fields as they are for a webhook with this address and these actions.
pub(super) fn filled(url: &str, actions: &[String]) -> Fields {
    let kinds = KINDS.iter().filter(|kind| sends(actions, kind)).map(|kind| kind.field);
    let others = (!others(actions).is_empty()).then_some(OTHERS);
    let checked = kinds.chain(others).map(|field| (field.to_owned(), "yes".to_owned()));
    Fields::of(std::iter::once(("url".to_owned(), url.to_owned())).chain(checked))
}

/// Returns the actions that were chosen; none means all. `before` are those of the webhook so far.
///
/// # Errors
///
/// The fault, if none was chosen.
pub(super) fn chosen(fields: &Fields, before: &[String]) -> Result<Vec<String>, Faults> {
    let kinds: Vec<&Kind> = KINDS.iter().filter(|kind| fields.sent(kind.field).is_some()).collect();
    if kinds.len() == KINDS.len() {
        // Everything, and what later versions tell of.
        return Ok(Vec::new());
    }
    let mut actions: Vec<String> = kinds
        .iter()
        .flat_map(|kind| kind.actions.iter().map(|action| (*action).to_owned()))
        .collect();
    if fields.sent(OTHERS).is_some() {
        actions.extend(others(before).into_iter().map(str::to_owned));
    }
    if actions.is_empty() {
        return Err(Faults::at(EVENTS, "choose at least one kind of events"));
    }
    Ok(actions)
}

/// Says what a webhook with these actions is told of.
pub(super) fn words(actions: &[String]) -> String {
    if actions.is_empty() {
        return "Everything".to_owned();
    }
    let kinds = KINDS.iter().filter(|kind| sends(actions, kind)).map(|kind| kind.label);
    kinds.chain(others(actions)).collect::<Vec<&str>>().join(", ")
}

#[cfg(test)]
mod tests {
    use narthex_directory::ACTIONS;

    use super::*;

    fn actions(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn every_action_belongs_to_a_kind() {
        for (action, _) in ACTIONS {
            let (kind, _) = action.split_once('.').unwrap();
            let all = format!("{kind}.*");
            let listed = KINDS.iter().any(|kind| kind.actions.contains(&all.as_str()));
            assert!(listed, "no box for {action}");
        }
    }

    #[test]
    fn what_was_chosen_is_what_the_form_shows_again() {
        for chosen_before in [
            actions(&[]),
            actions(&["user.*", "erasure.*"]),
            actions(&["user.*", "erasure.*", "organization.*", "team.*"]),
            actions(&["user.*", "grant.opened"]),
            actions(&["organization.*"]),
        ] {
            let fields = filled("https://a.example/", &chosen_before);
            assert_eq!(chosen(&fields, &chosen_before), Ok(chosen_before));
        }
        assert!(chosen(&Fields::default(), &[]).is_err());
    }

    #[test]
    fn events_are_said_by_their_kinds() {
        assert_eq!(words(&[]), "Everything");
        assert_eq!(words(&actions(&["user.*", "erasure.*", "grant.*"])), "People, Roles");
        assert_eq!(
            words(&actions(&["user.*", "erasure.*", "grant.opened"])),
            "People, grant.opened"
        );
    }
}
