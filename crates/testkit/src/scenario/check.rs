//! Comparing what is with what a scenario says.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value as Json};
use toml::Value;

use super::file::{Directory, Expect, ExpectedOrganization, ExpectedUser};
use crate::{
    Answer, Recorded,
    admin::{Admin, text},
};

/// A TOML value as JSON. TOML has no null: the text `null()` stands for it.
pub(super) fn json(value: &Value) -> Json {
    match value {
        Value::String(text) if text == "null()" => Json::Null,
        Value::String(text) => Json::from(text.as_str()),
        Value::Integer(number) => Json::from(*number),
        Value::Float(number) => Json::from(*number),
        Value::Boolean(bool) => Json::from(*bool),
        Value::Datetime(time) => Json::from(time.to_string()),
        Value::Array(items) => Json::Array(items.iter().map(json).collect()),
        Value::Table(table) => {
            let members: Map<String, Json> = table.iter().map(|(name, value)| (name.clone(), json(value))).collect();
            Json::Object(members)
        }
    }
}

/// Tests whether `is` holds everything that `expected` names: objects may have more members, `"*"` is anything that is
/// there and not null, all else is equal. A null also stands for a member that is not there.
pub(super) fn holds(is: &Json, expected: &Json, place: &str) -> Result<()> {
    match (is, expected) {
        (Json::Object(is), Json::Object(expected)) => {
            for (name, expected) in expected {
                let is = is.get(name).unwrap_or(&Json::Null);
                holds(is, expected, &format!("{place}.{name}"))?;
            }
            Ok(())
        }
        (is, Json::String(any)) if any == "*" => {
            ensure!(!is.is_null(), "{place} is not there");
            Ok(())
        }
        (is, expected) => {
            ensure!(is == expected, "{place} is {is} instead of {expected}");
            Ok(())
        }
    }
}

/// Tests whether a text is the expected one; with a `*` at its end, any that begins so and is not empty.
fn same_text(is: Option<&str>, expected: &str, place: &str) -> Result<()> {
    match is {
        Some(is) if is == expected => Ok(()),
        Some(is) if !is.is_empty() && expected.strip_suffix('*').is_some_and(|begin| is.starts_with(begin)) => Ok(()),
        is => bail!("{place} is {is:?} instead of `{expected}`"),
    }
}

pub(super) fn answer(answer: &Answer, expect: &Expect) -> Result<()> {
    let whole = || {
        format!(
            "answered {} with {:?}\n{}",
            answer.status,
            answer.headers,
            answer.text()
        )
    };
    ensure!(
        answer.status == expect.status,
        "{} instead of {}; {}",
        answer.status,
        expect.status,
        whole()
    );
    if let Some(reason) = &expect.reason {
        same_text(answer.reason().as_deref(), reason, "the reason").with_context(whole)?;
    }
    for (name, value) in &expect.headers {
        same_text(answer.header(name), value, &format!("the answer's header `{name}`")).with_context(whole)?;
    }
    if let Some(body) = &expect.body {
        holds(&answer.json()?, &json(body), "the body").with_context(whole)?;
    }
    let (headers, body) = (format!("{:?}", answer.headers), answer.text());
    for text in &expect.never {
        ensure!(
            !headers.contains(text.as_str()) && !body.contains(text.as_str()),
            "`{text}` must not be in the answer; {}",
            whole()
        );
    }
    Ok(())
}

pub(super) fn upstream(seen: &[Recorded], expect: &Expect) -> Result<()> {
    let Some(expected) = &expect.upstream else {
        ensure!(
            expect.status < 400 || seen.is_empty(),
            "refused, and yet it reached the upstream"
        );
        return Ok(());
    };
    ensure!(!seen.is_empty(), "nothing reached the upstream");
    for request in seen {
        if let Some(method) = &expected.method {
            same_text(Some(&request.method), method, "the method at the upstream")?;
        }
        if let Some(target) = &expected.target {
            same_text(Some(&request.target), target, "the target at the upstream")?;
        }
        for (name, value) in &expected.headers {
            let is = request.header(name);
            same_text(is.as_deref(), value, &format!("the header `{name}` at the upstream"))
                .with_context(|| format!("its headers are {:?}", request.headers))?;
        }
        for name in &expected.without {
            let is = request.header(name).unwrap_or_default();
            ensure!(is.is_empty(), "the upstream got the header `{name}`");
        }
        if let Some(body) = &expected.body {
            ensure!(
                request.body == body.as_bytes(),
                "the upstream got another body: {:?}",
                request.body
            );
        }
    }
    Ok(())
}

pub(super) async fn directory(api: &Admin, expected: &Directory) -> Result<()> {
    if let Some(count) = expected.users {
        let users = api.list("/users").await?;
        ensure!(
            users.len() == count,
            "there are {} users instead of {count}: {users:?}",
            users.len()
        );
    }
    if let Some(count) = expected.organizations {
        let all = api.list("/organizations").await?;
        ensure!(
            all.len() == count,
            "there are {} organizations instead of {count}: {all:?}",
            all.len()
        );
    }
    for external_id in &expected.no_user {
        ensure!(
            api.user(external_id).await?.is_none(),
            "there is a user `{external_id}`"
        );
    }
    for expected in &expected.user {
        let place = format!("the user `{}`", expected.external_id);
        user(api, expected).await.context(place)?;
    }
    for expected in &expected.organization {
        organization(api, expected).await?;
    }
    Ok(())
}

async fn user(api: &Admin, expected: &ExpectedUser) -> Result<()> {
    let user = api.user(&expected.external_id).await?.context("is not there")?;
    holds(&user, &json(&Value::Table(expected.fields.clone())), "it")?;
    let id = text(&user, "id");
    if let Some(expected) = &expected.organizations {
        let mut roles = BTreeMap::new();
        for organization in api.list("/organizations").await? {
            let members = api
                .list(&format!("/organizations/{}/members", text(&organization, "id")))
                .await?;
            if let Some(member) = members.iter().find(|member| member_id(member) == id) {
                roles.insert(known_by(&organization, expected), text(member, "role").to_owned());
            }
        }
        ensure!(
            &roles == expected,
            "its organizations are {roles:?} instead of {expected:?}"
        );
    }
    if let Some(expected) = &expected.teams {
        let mut roles = BTreeMap::new();
        for organization in api.list("/organizations").await? {
            for team in api
                .list(&format!("/organizations/{}/teams", text(&organization, "id")))
                .await?
            {
                let members = api.list(&format!("/teams/{}/members", text(&team, "id"))).await?;
                if let Some(member) = members.iter().find(|member| member_id(member) == id) {
                    roles.insert(known_by(&team, expected), text(member, "role").to_owned());
                }
            }
        }
        ensure!(&roles == expected, "its teams are {roles:?} instead of {expected:?}");
    }
    let all = api.list(&format!("/users/{id}/grants?all=true")).await?;
    let (open, closed): (Vec<_>, Vec<_>) = all
        .into_iter()
        .partition(|grant| grant.get("revoked_at").is_none_or(Json::is_null));
    if let Some(count) = expected.open_grants {
        ensure!(
            open.len() == count,
            "{} grants are open instead of {count}: {open:?}",
            open.len()
        );
    }
    for (kind, expected, grants) in [
        ("open", &expected.grants, &open),
        ("closed", &expected.closed_grants, &closed),
    ] {
        for wanted in expected {
            let wanted = json(&Value::Table(wanted.clone()));
            let found = grants.iter().any(|grant| holds(grant, &wanted, "").is_ok());
            ensure!(
                found,
                "no {kind} grant is {wanted}; there are {}",
                Json::from(grants.clone())
            );
        }
    }
    Ok(())
}

async fn organization(api: &Admin, expected: &ExpectedOrganization) -> Result<()> {
    let all = api.list("/organizations").await?;
    let found = all.iter().find(|organization| {
        expected
            .name
            .as_ref()
            .is_none_or(|name| name == text(organization, "name"))
            && expected
                .external_id
                .as_ref()
                .is_none_or(|id| id == text(organization, "external_id"))
    });
    let which = format!("the organization {:?} {:?}", expected.name, expected.external_id);
    let found = found.with_context(|| format!("{which} is not there: {all:?}"))?;
    holds(found, &json(&Value::Table(expected.fields.clone())), "it").with_context(|| which.clone())?;
    if let Some(expected) = &expected.members {
        let mut roles = BTreeMap::new();
        for member in api
            .list(&format!("/organizations/{}/members", text(found, "id")))
            .await?
        {
            let user = api.get(&format!("/users/{}", member_id(&member))).await?;
            roles.insert(text(&user, "external_id").to_owned(), text(&member, "role").to_owned());
        }
        ensure!(
            &roles == expected,
            "the members of {which} are {roles:?} instead of {expected:?}"
        );
    }
    Ok(())
}

/// The user that an entry of a list of members is about.
fn member_id(member: &Json) -> &str {
    text(member, "user_id")
}

/// A thing's external id where the expectation uses that, else its name.
fn known_by(thing: &Json, expected: &BTreeMap<String, String>) -> String {
    let external_id = text(thing, "external_id");
    if expected.contains_key(external_id) {
        external_id
    } else {
        text(thing, "name")
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_named_must_be_and_the_rest_may() {
        let is = json!({ "a": 1, "b": { "c": [1, 2], "d": null } });
        for good in [
            json!({}),
            json!({ "a": 1 }),
            json!({ "b": { "c": [1, 2] } }),
            json!({ "a": "*" }),
            json!({ "e": null }),
        ] {
            holds(&is, &good, "it").unwrap();
        }
        for bad in [
            json!({ "a": 2 }),
            json!({ "b": { "c": [1] } }),
            json!({ "e": "*" }),
            json!({ "b": { "d": "*" } }),
            json!({ "a": null }),
        ] {
            assert!(holds(&is, &bad, "it").is_err(), "{bad}");
        }
    }

    #[test]
    fn refused_and_yet_at_the_upstream_does_not_hold() {
        let expect: Expect = toml::from_str("status = 401").unwrap();
        let seen = Recorded {
            method: "GET".into(),
            target: "/".into(),
            version: "HTTP/1.1".into(),
            headers: http::HeaderMap::new(),
            body: bytes::Bytes::new(),
            trailers: http::HeaderMap::new(),
        };
        upstream(&[], &expect).unwrap();
        assert!(upstream(&[seen], &expect).is_err());
    }
}
