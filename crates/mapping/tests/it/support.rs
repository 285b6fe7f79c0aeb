//! Verified claims for tests. They are made the only way there is: a token is signed and verified.

use narthex_directory::{Desired, DesiredTags, IssuerName, Realm};
use narthex_mapping::{IssuerMapping, MappingSettings, MappingSource, RequestFacts};
use narthex_token::sign::{SigningKey, sign_compact};
use narthex_token::{
    Algorithm, Expiry, IssuerPolicy, KeySet, Limits, SecretLength, TrustedIssuer, VerifiedClaims, parse,
};
use serde_json::{Map, Value, json};

/// 2023-11-14T22:13:20.123Z.
pub(crate) const NOW_MS: i64 = 1_700_000_000_123;

const SECRET: &[u8] = b"a secret that is only ever used here";

/// A token with these claims, signed and verified.
pub(crate) fn verified(header: &Map<String, Value>, claims: &Map<String, Value>) -> VerifiedClaims {
    let mut protected = header.clone();
    protected.insert("alg".into(), json!("HS256"));
    let key = SigningKey::from_secret(Algorithm::Hs256, SECRET).unwrap();
    let header = serde_json::to_vec(&protected).unwrap();
    let payload = serde_json::to_vec(claims).unwrap();
    let compact = sign_compact(&header, &payload, &key).unwrap();
    let issuer = claims.get("iss").and_then(Value::as_str).map(str::to_owned);
    let mut policy = IssuerPolicy::shared_secret("test", issuer);
    policy.expiry = Expiry::DangerOptional;
    let trusted = TrustedIssuer::new(policy).unwrap();
    let keys = KeySet::from_secrets(&[SECRET], &[Algorithm::Hs256], SecretLength::Standard).unwrap();
    parse(&compact, &Limits::default())
        .unwrap()
        .verify(&trusted, &keys, NOW_MS)
        .unwrap()
}

pub(crate) fn claims(json: Value) -> VerifiedClaims {
    let Value::Object(claims) = json else {
        panic!("claims are an object")
    };
    verified(&Map::new(), &claims)
}

pub(crate) fn settings() -> MappingSettings {
    MappingSettings::new(Realm::new("test").unwrap(), IssuerName::new("test").unwrap())
}

pub(crate) fn compiled(source: &MappingSource) -> IssuerMapping {
    IssuerMapping::compile(source, &settings()).unwrap()
}

/// The message of the refusal of a token with these claims.
pub(crate) fn refusal(source: &MappingSource, json: Value) -> String {
    let error = compiled(source)
        .map(&claims(json), &RequestFacts::default(), NOW_MS)
        .unwrap_err();
    format!("{}: {error}", error.reason())
}

/// What is desired, as JSON, without what is not given.
pub(crate) fn shown(desired: &Desired) -> Value {
    let mut user = Map::new();
    user.insert("external_id".into(), json!(desired.user.external_id.as_str()));
    if let Some(username) = &desired.user.username {
        user.insert("username".into(), json!(username.as_str()));
    }
    let fields = narthex_directory::Profile::FIELDS
        .iter()
        .zip(desired.user.profile.fields());
    user.extend(fields.filter_map(|(name, value)| Some(((*name).to_owned(), json!(value.as_ref()?)))));
    let mut all = Map::new();
    all.insert("user".into(), user.into());
    if let Some(organization) = &desired.organization {
        let mut shown = json!({
            "external_id": organization.external_id.as_str(),
            "name": organization.name,
            "timezone": organization.timezone,
            "role": organization.role.as_str(),
        });
        shown.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        all.insert("organization".into(), shown);
    }
    if let Some(team) = &desired.team {
        let mut shown = json!({
            "external_id": team.external_id.as_str(),
            "name": team.name,
            "role": team.role.as_str(),
        });
        shown.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        all.insert("team".into(), shown);
    }
    if !desired.context.is_empty() {
        all.insert("context".into(), desired.context.clone().into());
    }
    match &desired.tags {
        DesiredTags::NotConfigured => {}
        DesiredTags::Keep => drop(all.insert("tags".into(), json!("keep"))),
        DesiredTags::Exactly(tags) => drop(all.insert("tags".into(), json!(tags))),
    }
    all.into()
}
