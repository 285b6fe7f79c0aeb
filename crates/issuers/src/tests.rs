//! Documents to issuers, without a store.

use std::path::Path;
use std::sync::Arc;

use narthex_config::{Environment, Limits, Paint, compile_issuer, read_text};
use narthex_directory::{CountingIds, Document, DocumentKind, IssuerName, OrganizationId, OrganizationName, Realm};
use serde_json::{Map, Value, json};

use super::*;

fn limits() -> Limits {
    let reading = read_text(
        "narthex.toml",
        String::new(),
        &Environment::of_process(Path::new("narthex.toml")),
    );
    reading.into_config(Paint::Plain).unwrap().limits
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("{other} is no object"),
    }
}

fn sound(iss: &str) -> Map<String, Value> {
    object(json!({ "issuer": iss, "discovery": true, "audiences": ["app"] }))
}

fn acme() -> OrganizationName {
    OrganizationName::new("acme").unwrap()
}

/// A document of an issuer, made `at_ms`, of the organization `acme` or of none.
fn candidate(name: &str, body: Map<String, Value>, at_ms: i64, of_acme: bool) -> Candidate {
    Candidate {
        document: Document {
            kind: DocumentKind::Issuer,
            name: name.to_owned(),
            organization: of_acme.then(|| OrganizationId::new(0, &mut CountingIds(1))),
            body,
            secret: None,
            created_at_ms: at_ms,
            updated_at_ms: at_ms,
            version: 3,
        },
        organization: of_acme.then(acme),
    }
}

fn of_file(name: &str, iss: &str) -> FileIssuer {
    let mut document = sound(iss);
    document.insert("name".to_owned(), name.into());
    let issuer = compile_issuer(&Value::Object(document), &limits()).unwrap().issuer;
    FileIssuer {
        name: IssuerName::new(name).unwrap(),
        realm: issuer.realm.clone(),
        is_of_one: false,
        trusted: issuer.trusted,
    }
}

fn chosen(file: &[FileIssuer], candidates: Vec<Candidate>) -> Choice {
    choose(file, candidates, &|name| name == "x-org", &limits())
}

fn names(choice: &Choice) -> Vec<String> {
    choice
        .in_use
        .iter()
        .map(|chosen| chosen.issuer.name.to_string())
        .collect()
}

#[test]
fn the_file_wins_over_the_same_name_and_the_same_iss() {
    let file = [of_file("corp", "https://corp.example")];
    let choice = chosen(
        &file,
        vec![
            candidate("corp", sound("https://other.example"), 1, false),
            candidate("other", sound("https://corp.example"), 2, false),
            candidate("third", sound("https://third.example"), 3, false),
        ],
    );
    assert_eq!(names(&choice), ["third"]);
    assert_eq!(choice.off["corp"], OffReason::NameInFile);
    assert!(matches!(&choice.off["other"], OffReason::IssuerInFile(text) if text == "https://corp.example"));
    assert_eq!(choice.trusted.iter().count(), 2);
    assert_eq!(choice.states()["third"], DocumentState::InUse(3));
}

#[test]
fn of_two_documents_the_older_one_is_in_use() {
    let two = vec![
        candidate("a", sound("https://same.example"), 2, false),
        candidate("b", sound("https://same.example"), 1, false),
    ];
    let choice = chosen(&[], two);
    assert_eq!(names(&choice), ["b"]);
    assert!(matches!(choice.off["a"], OffReason::Clash(_)));
}

#[test]
fn a_header_that_a_route_reads_carries_no_token() {
    let mut body = sound("https://id.example");
    body.insert("token_from".to_owned(), json!(["header:X-Org"]));
    let choice = chosen(&[], vec![candidate("a", body, 1, false)]);
    assert!(matches!(choice.off["a"], OffReason::Header(_)));
}

#[test]
fn sec_a_document_of_an_organization_is_an_issuer_of_that_organization() {
    let body = object(json!({
        "issuer": "https://id.acme.example", "discovery": true, "audiences": ["app"],
        "mapping": { "user": { "email": "{{payload.email}}" }, "organization": { "external_id": "{{payload.org}}" } },
        "tags": { "claim": "groups", "on_missing": "empty" },
    }));
    let choice = chosen(&[], vec![candidate("acme-1234", body.clone(), 1, true)]);
    let issuer = &choice.in_use[0].issuer;
    assert_eq!(issuer.policy.organization, Some(acme()));
    assert_eq!(issuer.realm, Realm::new("acme-1234").unwrap(), "of its own");
    // The record says so, and without its organization there is no issuer.
    let gone = Candidate {
        organization: None,
        ..candidate("acme-1234", body, 1, true)
    };
    assert_eq!(chosen(&[], vec![gone]).off["acme-1234"], OffReason::OrganizationGone);
}

#[test]
fn sec_an_issuer_from_a_setup_link_has_no_key_that_reaches_further() {
    for (key, value) in [
        ("organization", json!("other")),
        ("realm", json!("corp")),
        ("aliases", json!(["https://corp.example"])),
        ("tenants", json!("any")),
        ("token_from", json!(["header:X-Other"])),
        ("key_url", json!("https://id.example/{kid}")),
        ("frame_ancestors", json!(["https://evil.example"])),
        ("client_id", json!("narthex")),
        ("dpop", json!("require")),
        ("leeway", json!("23h")),
        ("danger_bound_tokens_as_bearer", json!(true)),
        ("rule", json!([{ "name": "x", "require": "{{true}}", "message": "x" }])),
        ("mapping", json!({ "context": { "tenant": "other" } })),
        ("tags", json!({ "claim": "groups", "platform_admin": ["root"] })),
        ("tags", json!({ "claim": "groups", "pattern": [] })),
        ("mapping", json!({ "user": { "name": "{{headers.cookie}}" } })),
        ("made_up_later", json!(1)),
    ] {
        let mut body = sound("https://id.acme.example");
        if key == "key_url" {
            body.remove("discovery");
        }
        body.insert(key.to_owned(), value.clone());
        let problems = compile("acme-1234", &body, Some(&acme()), &limits()).err();
        assert!(problems.is_some(), "{key}: {value}");
        let choice = chosen(&[], vec![candidate("acme-1234", body, 1, true)]);
        assert!(
            matches!(choice.off["acme-1234"], OffReason::Invalid(_)),
            "{key}: {value}"
        );
    }
}

#[test]
fn sec_an_issuer_of_one_organization_shares_no_realm_with_another() {
    let file = [of_file("corp", "https://corp.example")];
    let mut body = sound("https://id.acme.example");
    body.insert("organization".to_owned(), "acme".into());
    body.insert("realm".to_owned(), "corp".into());
    let choice = chosen(&file, vec![candidate("acme-idp", body.clone(), 1, false)]);
    assert!(matches!(choice.off["acme-idp"], OffReason::Realm(_)));
    // Nor does another one take the realm of such an issuer.
    body.insert("realm".to_owned(), "acme-idp".into());
    let mut taking = sound("https://taking.example");
    taking.insert("realm".to_owned(), "acme-idp".into());
    let both = vec![
        candidate("acme-idp", body, 1, false),
        candidate("taking", taking, 2, false),
    ];
    let choice = chosen(&file, both);
    assert_eq!(names(&choice), ["acme-idp"]);
    assert!(matches!(choice.off["taking"], OffReason::Realm(_)));
}

#[test]
fn what_is_in_use_is_shown() {
    let shown = RunTimeIssuers::new(limits());
    let file = vec![of_file("corp", "https://corp.example")];
    let choice = chosen(&file, vec![candidate("a", sound("https://a.example"), 1, false)]);
    shown.publish(choice.states(), file, limits());
    assert!(shown.is_in_use("a") && !shown.is_in_use("corp"));
    assert!(shown.is_declared("corp") && !shown.is_declared("a"));
    assert_eq!(shown.state("b"), None);
    assert_eq!(Arc::strong_count(&shown.file()), 2);
}

#[test]
fn a_member_that_is_named_twice_is_refused() {
    for text in [
        "{\"a\":1,\"a\":2}",
        "{\"a\":{\"b\":1,\"b\":1}}",
        "{\"a\":[{\"b\":1,\"b\":1}]}",
    ] {
        let error = serde_json::from_str::<IssuerDocument>(text).unwrap_err().to_string();
        assert!(error.contains("is there twice"), "{error}");
    }
    let read: IssuerDocument = serde_json::from_str("{\"a\":[1,\"x\",null,true,{\"b\":1.5}]}").unwrap();
    assert_eq!(
        Value::Object(read.0),
        json!({ "a": [1, "x", null, true, { "b": 1.5 }] })
    );
    assert!(serde_json::from_str::<IssuerDocument>("[1]").is_err());
}
