//! What a mapping costs a new token. Every token that no cached decision answers goes through here once.
//!
//! `cargo bench -p narthex-mapping`

#![expect(clippy::expect_used, reason = "a bench fails loudly")]

use divan::{Bencher, black_box};
use narthex_directory::{IssuerName, Realm};
use narthex_mapping::{IssuerMapping, MappingSettings, MappingSource, OnMissing, RequestFacts, TagsSource};
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{
    Algorithm, Expiry, IssuerPolicy, KeySet, Limits, SecretLength, TrustedIssuer, VerifiedClaims, parse,
};
use serde_json::{Value, json};

fn main() {
    divan::main();
}

const NOW_MS: i64 = 1_700_000_000_000;
const SECRET: &[u8] = b"a secret that is only ever used here";

/// Algorithmia's: who, an e-mail address, ten tags.
#[divan::bench]
fn s3_sub_email_ten_groups(bencher: Bencher<'_, '_>) {
    let groups: Vec<String> = (0..10).map(|n| format!("group-number-{n}")).collect();
    let claims = verified(&json!({
        "iss": "https://idp.example.com/realms/main", "aud": "narthex", "sub": "f3b1c2d4-0000-4000-8000-123456789abc",
        "email": "ann@example.com", "email_verified": true, "preferred_username": "ann", "exp": 1_700_003_600,
        "iat": 1_700_000_000, "jti": "0c5c1f0e-4b1e-4a51-9f8e-1f2c3d4e5f60", "groups": groups,
    }));
    let mut source = MappingSource::default();
    source.user.email = Some("{{payload.email}}".into());
    source.tags = Some(TagsSource {
        claim: "groups".into(),
        on_missing: OnMissing::Error,
        patterns: narthex_directory::TagPatterns::default(),
    });
    run(bencher, &source, &claims);
}

/// Make White Label's documented mapping and payload: ten templates, a zone twice, a context.
#[divan::bench]
fn s1_documented(bencher: Bencher<'_, '_>) {
    let claims = verified(&json!({
        "userId": "123456789", "userEmail": "myemail@email.com", "organizationId": "XYZ123", "teamId": "DEF45G",
        "tz": "Europe/Prague", "customBaseDomain": "organization.integromat.cloud",
    }));
    run(bencher, &s1(), &claims);
}

/// The same with a payload that fills every field.
#[divan::bench]
fn s1_every_field(bencher: Bencher<'_, '_>) {
    let claims = verified(&json!({
        "userId": "123456789", "userEmail": "myemail@email.com", "organizationId": "XYZ123", "teamId": "DEF45G",
        "tz": "Europe/Prague", "customBaseDomain": "organization.integromat.cloud", "userName": "Ann Example",
        "country": "CZ", "userLocale": "cs_CZ", "lang": "cs", "orgName": "Acme", "teamName": "Blue",
    }));
    run(bencher, &s1(), &claims);
}

/// The least there is: one claim, cloned once by hand. What the others are to be compared with.
#[divan::bench]
fn baseline_two_strings(bencher: Bencher<'_, '_>) {
    let claims = verified(&json!({"sub": "f3b1c2d4-0000-4000-8000-123456789abc", "email": "ann@example.com"}));
    bencher.bench(|| {
        let claims = black_box(&claims).claims();
        let text = |name| claims.get(name).and_then(Value::as_str).map(str::to_owned);
        drop(black_box((text("sub"), text("email"))));
    });
}

fn s1() -> MappingSource {
    let of = |name: &str| Some(format!("{{{{payload.{name}}}}}"));
    let mut source = MappingSource::default();
    source.user.external_id = of("userId");
    source.user.email = of("userEmail");
    source.user.name = of("userName");
    source.user.country = of("country");
    source.user.timezone = of("tz");
    source.user.locale = of("userLocale");
    source.user.language = of("lang");
    source.organization.external_id = of("organizationId");
    source.organization.name = of("orgName");
    source.organization.timezone = of("tz");
    source.team.external_id = of("teamId");
    source.team.name = of("teamName");
    source
        .context
        .push(("teamdomain".into(), "{{payload.customBaseDomain}}".into()));
    source
}

fn run(bencher: Bencher<'_, '_>, source: &MappingSource, claims: &VerifiedClaims) {
    let realm = Realm::new("bench").expect("a realm");
    let issuer = IssuerName::new("bench").expect("an issuer");
    let mapping = IssuerMapping::compile(source, &MappingSettings::new(realm, issuer)).expect("a mapping");
    let request = RequestFacts::default();
    bencher.bench(|| {
        let identity = mapping.map(black_box(claims), &request, NOW_MS);
        // Dropped inside: a server gives the memory back before the next token too.
        drop(black_box(identity.expect("an identity")));
    });
}

fn verified(claims: &Value) -> VerifiedClaims {
    let key = SigningKey::from_secret(Algorithm::Hs256, SECRET).expect("a key");
    let payload = serde_json::to_vec(claims).expect("JSON");
    let compact = sign_compact(br#"{"alg":"HS256"}"#, &payload, &key).expect("a token");
    let issuer = claims.get("iss").and_then(Value::as_str).map(str::to_owned);
    let mut policy = IssuerPolicy::shared_secret("bench", issuer);
    policy.expiry = Expiry::DangerOptional;
    let trusted = TrustedIssuer::new(policy).expect("an issuer");
    let keys = KeySet::from_secrets(&[SECRET], &[Algorithm::Hs256], SecretLength::Standard).expect("keys");
    parse(&compact, &Limits::default())
        .expect("a token")
        .verify(&trusted, &keys, NOW_MS)
        .expect("claims")
}
