//! What a token's mapping costs: S1's ten templates, evaluated for one payload.
//!
//! `direct` does the same by hand, for the ratio: one look-up and one string for each field.
#![expect(clippy::unwrap_used, reason = "a bench may fail loudly")]

use divan::{Bencher, black_box};
use narthex_template::{Document, Names, Scope, Template, Value};
use serde_json::{Map, Value as Json, json};

const NOW_MS: i64 = 1_700_000_000_123;

/// S1's mapping, with the context of its sample payload.
const MAPPING: [&str; 10] = [
    "{{payload.userId}}",
    "{{payload.userEmail}}",
    "{{payload.userName}}",
    "{{payload.country}}",
    "{{payload.tz}}",
    "{{payload.lang}}",
    "{{payload.organizationId}}",
    "{{payload.orgName}}",
    "{{payload.teamId}}",
    "{{payload.customBaseDomain}}",
];

fn main() {
    divan::main();
}

fn payload() -> Map<String, Json> {
    let json = json!({
        "iss": "https://issuer.example.com/", "aud": "narthex", "exp": 1_700_000_600, "iat": 1_700_000_000,
        "userId": "123456789", "userEmail": "myemail@email.com", "userName": "Ann Other", "country": "CZE",
        "tz": "Europe/Prague", "lang": "en", "organizationId": "XYZ123", "orgName": "Acme", "teamId": "DEF45G",
        "teamName": "Blue", "customBaseDomain": "organization.integromat.cloud",
        "groups": ["g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8", "g9", "g10"],
    });
    json.as_object().unwrap().clone()
}

fn compiled(sources: &[&str]) -> Vec<Template> {
    let names = Names::new(["payload", "header", "query"]).with_folded_root("headers");
    sources
        .iter()
        .map(|source| Template::compile(source, &names).unwrap())
        .collect()
}

fn evaluate(bencher: Bencher<'_, '_>, sources: &[&str]) {
    let (templates, payload) = (compiled(sources), payload());
    bencher.bench_local(|| {
        let scope = Scope::new(black_box(NOW_MS)).with_map("payload", black_box(&payload));
        for template in &templates {
            black_box(template.evaluate(&scope)).unwrap();
        }
    });
}

#[divan::bench]
fn direct(bencher: Bencher<'_, '_>) {
    let payload = payload();
    let names: Vec<_> = MAPPING
        .iter()
        .map(|source| source.trim_start_matches("{{payload.").trim_end_matches("}}"))
        .collect();
    bencher.bench_local(|| {
        for name in &names {
            let value = black_box(&payload).get(*name).and_then(Json::as_str);
            black_box(Value::from(value.unwrap()));
        }
    });
}

#[divan::bench]
fn one_claim(bencher: Bencher<'_, '_>) {
    evaluate(bencher, &MAPPING[..1]);
}

#[divan::bench]
fn mapping_of_ten(bencher: Bencher<'_, '_>) {
    evaluate(bencher, &MAPPING);
}

#[divan::bench]
fn list_of_ten_groups(bencher: Bencher<'_, '_>) {
    evaluate(bencher, &["{{payload.groups}}"]);
}

#[divan::bench]
fn mixed_text(bencher: Bencher<'_, '_>) {
    evaluate(bencher, &["{{lower(payload.userName)}} <{{payload.userEmail}}>"]);
}

#[divan::bench]
fn regular_expression(bencher: Bencher<'_, '_>) {
    evaluate(bencher, &["{{replace(payload.userEmail; \"/@.*$/\"; \"\")}}"]);
}

#[divan::bench]
fn sort_and_join(bencher: Bencher<'_, '_>) {
    evaluate(bencher, &["{{join(sort(payload.groups; \"desc\"); \",\")}}"]);
}

/// S2's document without the signature.
#[divan::bench]
fn document(bencher: Bencher<'_, '_>) {
    let json = json!({
        "iss": "https://iam.the.issu.er", "iat": "{{timestamp}}", "exp": "{{timestamp + 30000}}",
        "scope": ["rest_webservices"], "aud": "https://iam.the.audien.ce/services/rest/auth/oauth2/v1/token",
    });
    let document = Document::compile(&json, &Names::default()).unwrap();
    bencher.bench_local(|| black_box(document.evaluate(&Scope::new(black_box(NOW_MS)))).unwrap());
}

#[divan::bench]
fn compile_mapping_of_ten(bencher: Bencher<'_, '_>) {
    bencher.bench_local(|| compiled(black_box(&MAPPING)));
}
