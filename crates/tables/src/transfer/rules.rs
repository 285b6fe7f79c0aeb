//! Rules for every row, whatever program wrote it: those of the directory's own types, and those of the databases'
//! checks that a file could break without breaking a type.

use std::fmt::Display;
use std::str::FromStr;

use narthex_directory::{
    Actor, ExternalId, IssuerName, Logo, NameError, OrganizationName, Realm, Revocation, Scope, ScopedRole, Seals,
    StoredSource, TAG_LENGTH_MAX, TagList, TokenFingerprint, Username,
};

use super::schema::Fields;
use crate::columns::{object_from_json, texts_from_json, texts_to_json};

pub(crate) fn parsed<T: FromStr<Err: Display>>(text: &str) -> Result<(), String> {
    text.parse::<T>().map(drop).map_err(|error| error.to_string())
}

pub(crate) fn realm(text: &str) -> Result<(), String> {
    valid(Realm::new(text))
}

pub(crate) fn issuer(text: &str) -> Result<(), String> {
    valid(IssuerName::new(text))
}

pub(crate) fn external_id(text: &str) -> Result<(), String> {
    valid(ExternalId::stored(text))
}

pub(crate) fn username(text: &str) -> Result<(), String> {
    valid(Username::stored(text))
}

pub(crate) fn organization_name(text: &str) -> Result<(), String> {
    valid(OrganizationName::new(text))
}

fn valid<T>(name: Result<T, NameError>) -> Result<(), String> {
    name.map(drop).map_err(|error| error.to_string())
}

/// A list of an organization, as it is kept: nothing in it that reading would drop or change.
pub(crate) fn tags(texts: &[String]) -> Result<(), String> {
    let list = TagList::from_entries(texts).map_err(|error| error.to_string())?;
    if list.texts().eq(texts.iter().map(String::as_str)) {
        Ok(())
    } else {
        Err("a tag is empty, there twice, or has blanks around it".to_owned())
    }
}

pub(crate) fn logo(bytes: &[u8]) -> Result<(), String> {
    let logo = Logo::new(bytes.to_vec());
    logo.map(drop)
        .ok_or_else(|| "it is no PNG or JPEG of at most 1 MB".to_owned())
}

pub(crate) fn hash(bytes: &[u8]) -> Result<(), String> {
    let length = bytes.len();
    (length == 32)
        .then_some(())
        .ok_or_else(|| format!("it has {length} bytes and not 32"))
}

/// A SHA-256 in hex, as [`crate::erasure::identity_hash`] writes it.
pub(crate) fn hex_hash(text: &str) -> Result<(), String> {
    let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    (text.len() == 64 && text.bytes().all(is_hex))
        .then_some(())
        .ok_or_else(|| "it is no SHA-256 in hex".to_owned())
}

/// Tags that no organization could list are not worth a row, and PostgreSQL's index does not hold them.
pub(crate) fn seen_tag(tag: &str) -> Result<(), String> {
    let listable = tag.len() <= 1_500 && tag.chars().count() <= TAG_LENGTH_MAX && !tag.contains('\0');
    listable
        .then_some(())
        .ok_or_else(|| "it is longer than any organization could list".to_owned())
}

pub(crate) fn scope(fields: &Fields<'_>) -> Result<(), String> {
    let id = |name| fields.text(name);
    let scope = match (id("organization_id"), id("team_id")) {
        (None, None) => Scope::Platform,
        (Some(id), None) => Scope::Organization(id.parse().map_err(|error: NameError| error.to_string())?),
        (None, Some(id)) => Scope::Team(id.parse().map_err(|error: NameError| error.to_string())?),
        (Some(_), Some(_)) => return Err("it is on an organization and on a team".to_owned()),
    };
    let role = fields.text("role").unwrap_or_default();
    ScopedRole::parse(scope, role)
        .map(drop)
        .map_err(|error| format!("`role`: {error}"))
}

pub(crate) fn grant(fields: &Fields<'_>) -> Result<(), String> {
    scope(fields)?;
    let text = |name| fields.text(name).unwrap_or_default();
    let (issuer, tag) = (text("issuer"), text("tag"));
    let agrees = match text("source") {
        "manual" => issuer.is_empty() && tag.is_empty(),
        "claim" => IssuerName::new(issuer).is_ok() && tag.is_empty(),
        _ => IssuerName::new(issuer).is_ok() && !tag.is_empty(),
    };
    let is_known = text("source").parse().is_ok_and(|source| {
        StoredSource::read(source, fields.text("via"), || IssuerName::new(issuer).ok(), tag).is_some()
    });
    (agrees && is_known)
        .then_some(())
        .ok_or_else(|| "its `issuer` and `tag` do not go with its `source`".to_owned())
}

pub(crate) fn event(fields: &Fields<'_>) -> Result<(), String> {
    let token = TokenFingerprint::default();
    let kind = fields.text("actor_kind").unwrap_or_default();
    let actor = Actor::from_parts(kind, fields.text("actor_name"), token);
    actor.map(drop).ok_or_else(|| "its actor is unknown".to_owned())
}

pub(crate) fn seals(fields: &Fields<'_>) -> Result<(), String> {
    let members = fields.text("seals").and_then(object_from_json);
    let seals = members.and_then(|members| Seals::from_json(&members));
    seals
        .map(drop)
        .ok_or_else(|| "`seals`: one of them is no seal".to_owned())
}

pub(crate) fn revocation(fields: &Fields<'_>) -> Result<(), String> {
    let (kind, value) = (
        fields.text("kind").unwrap_or_default(),
        fields.text("value").unwrap_or_default(),
    );
    let agrees = match kind {
        "jti" => Revocation::is_id(value),
        "content" => hex_hash(value).is_ok(),
        "issuer" => value.is_empty(),
        _ => false,
    };
    (agrees && fields.has("issued_before_ms") == (kind == "issuer"))
        .then_some(())
        .ok_or_else(|| "its `kind`, its `value` and its `issued_before_ms` do not fit".to_owned())
}

pub(crate) fn public_jwk(text: &str) -> Result<(), String> {
    let jwk = object_from_json(text).ok_or_else(|| "it is no JSON object".to_owned())?;
    // SECURITY: it is there to be published.
    let private = ["d", "k", "p", "q", "dp", "dq", "qi", "oth"];
    if private.iter().any(|member| jwk.contains_key(*member)) {
        return Err("it holds a private key".to_owned());
    }
    Ok(())
}

/// The text as PostgreSQL stores it, if it cannot store it as it is.
pub(super) fn without_nul(text: &str) -> Option<String> {
    text.contains('\0').then(|| text.replace('\0', "\u{fffd}"))
}

/// The same of the texts in a JSON array. One that cannot be read is left to the check of its column.
pub(super) fn texts_without_nul(json: &str) -> Option<String> {
    // JSON has no other way to write it.
    if !json.contains("\\u0000") {
        return None;
    }
    let texts = texts_from_json(json)?;
    let texts: Vec<String> = texts.iter().map(|text| text.replace('\0', "\u{fffd}")).collect();
    Some(texts_to_json(texts.iter().map(String::as_str)))
}
