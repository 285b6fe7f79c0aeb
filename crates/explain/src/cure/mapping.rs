//! Cures for refusals of a mapping: the claim, and the function that would help.

use narthex_mapping::{Breach, Field, MapError, Preview, TagsFault, claim_paths};
use serde_json::{Map, Value};

use super::similar::nearest;
use super::{Cure, CureKind, list, quoted};

/// Upper limit of proposed claims.
const PROPOSED_MAX: usize = 3;

/// Returns the change that would help against this error.
pub(crate) fn cure(error: &MapError, preview: &Preview, claims: &Map<String, Value>) -> Cure {
    match error {
        MapError::Rule { field, message, .. } => rule(field, message, preview),
        MapError::Nothing { field, .. } => nothing(field, preview, claims),
        MapError::Invalid { field, breach } => invalid(field, breach, preview),
        MapError::TagsMissing { claim, .. } => tags_missing(claim, claims),
        MapError::TagsMalformed { claim, fault } => tags_malformed(claim, fault),
        MapError::TagsOverage { claim } => cured(
            claim,
            (None, None),
            "assign groups to the application at the identity provider, so that fewer are in the token, or use \
             application roles"
                .to_owned(),
        ),
    }
}

fn cured(claim: &str, (function, setting): (Option<&str>, Option<&str>), sentence: String) -> Cure {
    let change = CureKind::Claim {
        claim: claim.to_owned(),
        function: function.map(str::to_owned),
        setting: setting.map(str::to_owned),
    };
    Cure::new(change, sentence)
}

/// Returns what helps against a rule that is not met: a token that meets it, or another condition.
fn rule(field: &Field, message: &str, preview: &Preview) -> Cure {
    let condition = preview.rows.iter().find(|row| row.field == *field);
    let source = condition.map_or("", |row| row.source.as_str());
    let claim = claim_paths(source)
        .first()
        .map_or_else(String::new, |path| path.join("."));
    let sentence = format!(
        "the caller is asked to: {message}. Send a token that meets {}, or change the `require` of the {field}",
        quoted(source)
    );
    cured(&claim, (None, Some("rule")), sentence)
}

/// Returns the template of a field without its braces, if it is only a path.
fn path<'p>(field: &Field, preview: &'p Preview) -> Option<&'p str> {
    let row = preview.rows.iter().find(|row| row.field == *field)?;
    let inner = row.source.trim().strip_prefix("{{")?.strip_suffix("}}")?.trim();
    let is_path = inner.chars().all(|c| c.is_alphanumeric() || "._".contains(c));
    is_path.then_some(inner)
}

fn nothing(field: &Field, preview: &Preview, claims: &Map<String, Value>) -> Cure {
    let setting = format!("mapping.{field}");
    let path = path(field, preview);
    let asked = path.and_then(|path| path.strip_prefix("payload."));
    let near = asked.and_then(|asked| {
        let names = claims.keys().map(String::as_str);
        nearest(asked, names, 1).first().copied()
    });
    let sentence = match (asked, near) {
        (Some(asked), Some(near)) => format!(
            "the token has no {}, and it has {}: write {}",
            quoted(asked),
            quoted(near),
            quoted(&format!("{{{{payload.{}}}}}", word(near)))
        ),
        (Some(asked), None) => format!(
            "have the identity provider put {} into the token, or map {} to a claim that it has and that never changes, \
             as in {}",
            quoted(asked),
            quoted(&field.to_string()),
            quoted(if claims.contains_key("sub") {
                "{{payload.sub}}"
            } else {
                "{{payload.id}}"
            })
        ),
        (None, _) => format!(
            "change the template of {}, so that it gives a text",
            quoted(&field.to_string())
        ),
    };
    cured(asked.unwrap_or_default(), (None, Some(&setting)), sentence)
}

fn invalid(field: &Field, breach: &Breach, preview: &Preview) -> Cure {
    let setting = format!("mapping.{field}");
    let path = path(field, preview).unwrap_or("payload.NAME");
    let claim = path.strip_prefix("payload.").unwrap_or(path);
    let (function, sentence) = match breach {
        Breach::NotText {
            kind: "number" | "boolean",
        } => (
            Some("toString"),
            format!(
                "write {} for {}, or have the identity provider send {} as text",
                quoted(&format!("{{{{toString({path})}}}}")),
                quoted(&field.to_string()),
                quoted(claim)
            ),
        ),
        Breach::NotText { kind: "list" } => (
            None,
            format!(
                "choose one item of {}: write {}",
                quoted(claim),
                quoted(&format!("{{{{{path}[1]}}}}"))
            ),
        ),
        Breach::NotText { .. } => (
            Some("keys"),
            format!(
                "name one member of {}, as in {}, or the first of its names, {}",
                quoted(claim),
                quoted(&format!("{{{{{path}.name}}}}")),
                quoted(&format!("{{{{first(keys({path}))}}}}"))
            ),
        ),
        Breach::TeamWithoutOrganization => (
            None,
            "map an organization too, or leave the team out of the mapping".to_owned(),
        ),
        _ => (
            None,
            format!(
                "have the identity provider send another value in {}, or change the template of {}",
                quoted(claim),
                quoted(&field.to_string())
            ),
        ),
    };
    cured(claim, (function, Some(&setting)), sentence)
}

fn tags_missing(claim: &str, claims: &Map<String, Value>) -> Cure {
    let candidates = lists_of_text(claims);
    let instead = if candidates.is_empty() {
        "name the claim that holds them in `[issuer.tags] claim`".to_owned()
    } else {
        let names = list(candidates.iter().map(String::as_str));
        format!("name the claim that holds them in `[issuer.tags] claim` (the token has {names})")
    };
    let sentence = format!(
        "have the identity provider put {} into the token, or {instead}; if tokens without it are usual, set \
         `on_missing` to `keep` or `empty`",
        quoted(claim)
    );
    cured(claim, (None, Some("tags.on_missing")), sentence)
}

/// Returns claims that are lists of texts, named as in `[issuer.tags] claim`.
fn lists_of_text(claims: &Map<String, Value>) -> Vec<String> {
    let is_list = |value: &Value| {
        let items = value.as_array();
        items.is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string))
    };
    let mut found = Vec::new();
    for (name, value) in claims.iter().filter(|(name, _)| *name != "aud" && *name != "amr") {
        if is_list(value) {
            found.push(name.clone());
        }
        let inner = value
            .as_object()
            .into_iter()
            .flatten()
            .filter(|(_, value)| is_list(value));
        found.extend(inner.map(|(inner, _)| format!("{{{{payload.{}.{}}}}}", word(name), word(inner))));
    }
    found.truncate(PROPOSED_MAX);
    found
}

fn tags_malformed(claim: &str, fault: &TagsFault) -> Cure {
    let path = format!("payload.{}", claim.split('.').map(word).collect::<Vec<_>>().join("."));
    let written = |inner: String| quoted(&format!("{{{{{inner}}}}}"));
    let (function, sentence) = match fault {
        TagsFault::Kind { kind: "collection" } => (
            Some("keys"),
            format!(
                "if the names of its members are the tags, write `claim = ` {} in `[issuer.tags]`",
                written(format!("keys({path})"))
            ),
        ),
        TagsFault::Kind { .. } => (
            Some("toString"),
            format!(
                "have the identity provider send a list of texts, or write `claim = ` {} in `[issuer.tags]`",
                written(format!("toString({path})"))
            ),
        ),
        TagsFault::Item { kind: "collection", .. } => (
            Some("map"),
            format!(
                "if one member of each item is the tag, write `claim = ` {} in `[issuer.tags]`, with that member's name",
                written(format!("map({path}; \"name\")"))
            ),
        ),
        TagsFault::Item { .. } => (
            Some("toString"),
            "have the identity provider send every item of the list as text".to_owned(),
        ),
        TagsFault::TooMany { .. } => (
            None,
            "have the identity provider send only the groups of this application, or raise `limits.tags`".to_owned(),
        ),
        _ => (
            None,
            format!(
                "change {} at the identity provider, or the template in `[issuer.tags] claim`",
                quoted(claim)
            ),
        ),
    };
    cured(claim, (function, Some("tags.claim")), sentence)
}

/// Returns a name as a template spells it.
fn word(name: &str) -> String {
    if name.chars().all(|c| c.is_alphanumeric() || c == '_') {
        name.to_owned()
    } else {
        format!("`{name}`")
    }
}
