//! What holds for every token.

use narthex_directory::DesiredTags;
use narthex_mapping::{
    IssuerMapping, MappingSource, OnInvalid, OnMissing, OrganizationSource, RequestFacts, TagsSource, TeamSource,
    TokenFacts, UserSource,
};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use crate::support::{NOW_MS, settings, verified};

/// A mapping with every field, from claims of the same names.
fn everything(on_invalid: OnInvalid, on_missing: OnMissing, tags: &str) -> IssuerMapping {
    let of = |name: &str| Some(format!("{{{{payload.{name}}}}}"));
    let source = MappingSource {
        rules: Vec::new(),
        user: UserSource {
            external_id: of("sub"),
            username: of("username"),
            email: of("email"),
            name: of("name"),
            country: of("country"),
            timezone: of("zone"),
            locale: of("locale"),
            language: of("language"),
        },
        organization: OrganizationSource {
            each: None,
            external_id: of("org"),
            name: of("org_name"),
            timezone: of("zone"),
            role: of("role"),
        },
        team: TeamSource {
            external_id: of("team"),
            name: of("name"),
            role: of("role"),
        },
        context: vec![
            ("plan".into(), "{{payload.name}}".into()),
            ("more".into(), "{{payload.groups}}".into()),
        ],
        tags: Some(TagsSource {
            claim: tags.into(),
            on_missing,
            patterns: narthex_directory::TagPatterns::default(),
        }),
    };
    let mut settings = settings();
    settings.on_invalid = on_invalid;
    IssuerMapping::compile(&source, &settings).unwrap()
}

const NAMES: &[&str] = &[
    "sub",
    "username",
    "email",
    "name",
    "country",
    "zone",
    "locale",
    "language",
    "org",
    "org_name",
    "role",
    "team",
    "groups",
    "_claim_names",
    "hasgroups",
];

fn json() -> impl Strategy<Value = Value> {
    let text = prop_oneof![
        "\\PC{0,12}",
        "[ -~]{0,8}",
        Just(String::new()),
        Just("ann".to_owned()),
        Just(" ann".to_owned()),
        Just("{{payload.sub}}".to_owned()),
        Just("cz".to_owned()),
        Just("europe/prague".to_owned()),
        Just("en_US".to_owned()),
        Just("admin".to_owned()),
        Just("groups".to_owned()),
        Just("a\u{0}b".to_owned()),
        Just("x".repeat(300)),
    ];
    let leaf = prop_oneof![
        4 => text.prop_map(Value::from),
        1 => Just(Value::Null),
        1 => any::<bool>().prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<f64>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec(("[a-z]{1,6}|groups", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn claims() -> impl Strategy<Value = Map<String, Value>> {
    // An id more often than not, so that the rest is reached.
    let id = prop_oneof![3 => Just(json!("ann")), 1 => json()];
    (
        id.clone(),
        id,
        proptest::collection::vec((proptest::sample::select(NAMES), json()), 0..12),
    )
        .prop_map(|(sub, username, others)| {
            let mut claims: Map<String, Value> = others
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value))
                .collect();
            claims.insert("sub".into(), sub);
            claims.insert("username".into(), username);
            // The verifier lets no other `sub` pass.
            claims.retain(|name, value| name != "sub" || value.is_string());
            claims.entry("role").or_insert_with(|| json!("member"));
            claims
        })
}

fn modes() -> impl Strategy<Value = (OnInvalid, OnMissing, &'static str)> {
    (
        prop_oneof![Just(OnInvalid::Refuse), Just(OnInvalid::Skip)],
        prop_oneof![Just(OnMissing::Error), Just(OnMissing::Keep), Just(OnMissing::Empty)],
        prop_oneof![
            Just("groups"),
            Just("{{payload.groups}}"),
            Just("{{map(payload.groups; 'name')}}")
        ],
    )
}

/// Whether the text of a value occurs in a message, for values long enough to tell.
fn leaks(value: &Value, message: &str) -> bool {
    match value {
        Value::String(text) => text.chars().count() >= 9 && message.contains(text.as_str()),
        Value::Number(number) => number.to_string().len() >= 9 && message.contains(&number.to_string()),
        Value::Array(items) => items.iter().any(|item| leaks(item, message)),
        Value::Object(members) => members.values().any(|member| leaks(member, message)),
        Value::Null | Value::Bool(_) => false,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Nothing panics; explain's walk and the real one agree to the letter; the same token gives the same answer; a
    /// refusal has one of four reasons and shows no claim value.
    #[test]
    fn map_and_preview_agree_on_every_token(claims in claims(), modes in modes()) {
        let (on_invalid, on_missing, tags) = modes;
        let mapping = everything(on_invalid, on_missing, tags);
        let token = verified(&Map::new(), &claims);
        let request = RequestFacts::default();
        let preview = mapping.preview(&token, &request, NOW_MS);
        let mapped = mapping.map(&token, &request, NOW_MS);
        match (&mapped, preview.errors.first()) {
            (Ok(identity), None) => {
                prop_assert_eq!(Some(identity.desired()), preview.desired.as_ref());
                prop_assert_eq!(identity.skipped().len(), preview.skipped.len());
                let again = mapping.map(&token, &request, NOW_MS).unwrap();
                prop_assert_eq!(identity.desired(), again.desired());
            }
            (Err(error), Some(first)) => {
                prop_assert!(preview.desired.is_none());
                prop_assert_eq!(error.to_string(), first.to_string());
                prop_assert!(["mapping.invalid", "tags.missing", "tags.malformed", "tags.overage"].contains(&error.reason()));
                for error in &preview.errors {
                    prop_assert!(!claims.values().any(|value| leaks(value, &error.to_string())), "{}", error);
                }
            }
            (mapped, first) => prop_assert!(false, "{mapped:?} {first:?}"),
        }
        for skipped in &preview.skipped {
            prop_assert!(!claims.values().any(|value| leaks(value, &skipped.breach.to_string())));
        }
    }

    /// The order of claims changes nothing.
    #[test]
    fn the_order_of_claims_does_not_matter(claims in claims(), modes in modes()) {
        let (on_invalid, on_missing, tags) = modes;
        let mapping = everything(on_invalid, on_missing, tags);
        let reversed: Map<String, Value> = claims.clone().into_iter().rev().collect();
        let header = Map::new();
        let request = RequestFacts::default();
        let one = mapping.preview(TokenFacts::new(&header, &claims), &request, NOW_MS);
        let other = mapping.preview(TokenFacts::new(&header, &reversed), &request, NOW_MS);
        prop_assert_eq!(one.desired, other.desired);
    }

    /// A mapping that says that it depends on the token alone gives the same at any time, to any request.
    #[test]
    fn what_depends_on_the_token_alone_does(claims in claims(), modes in modes(), now_ms in any::<i64>(), noise in json()) {
        let (on_invalid, on_missing, tags) = modes;
        let mapping = everything(on_invalid, on_missing, tags);
        prop_assert!(mapping.token_only());
        let header = Map::new();
        let headers: Map<String, Value> = NAMES.iter().map(|name| ((*name).to_owned(), noise.clone())).collect();
        let noisy = RequestFacts { headers: Some(&headers), query: Some(&headers), body: Some(&noise) };
        let quiet = mapping.preview(TokenFacts::new(&header, &claims), &RequestFacts::default(), NOW_MS);
        let other = mapping.preview(TokenFacts::new(&header, &claims), &noisy, now_ms);
        prop_assert_eq!(quiet.desired, other.desired);
    }

    /// Claim text is data: whatever it looks like, it comes out as it went in, and ids are never repaired.
    #[test]
    fn claim_text_is_never_evaluated(inside in "[ -~]{0,20}", words in proptest::sample::select(&["{{", "}}", "`", "{{now}}", "{{payload.org}}"][..])) {
        let text = format!("x{words}{inside}{words}x");
        let claims = json!({"sub": text, "username": text, "name": text, "org": text, "role": "member", "groups": [text, text]});
        let claims = claims.as_object().unwrap();
        let mapping = everything(OnInvalid::Refuse, OnMissing::Error, "groups");
        let identity = mapping.map(&verified(&Map::new(), claims), &RequestFacts::default(), NOW_MS).unwrap();
        let desired = identity.desired();
        prop_assert_eq!(desired.user.external_id.as_str(), text.as_str());
        prop_assert_eq!(desired.user.username.as_ref().map(narthex_directory::Username::as_str), Some(text.as_str()));
        prop_assert_eq!(desired.user.profile.name.as_deref(), Some(text.as_str()));
        prop_assert_eq!(desired.organization.as_ref().map(|organization| organization.external_id.as_str()), Some(text.as_str()));
        prop_assert_eq!(&desired.tags, &DesiredTags::Exactly(vec![text.clone(), text]));
    }

    /// Templates that people write wrongly are problems, never panics.
    #[test]
    fn compiling_never_panics(text in "(\\{\\{)?[a-z.`'\" ();+]{0,24}(\\}\\})?", property in "\\PC{0,8}") {
        let mut source = MappingSource::default();
        source.user.external_id = Some(text.clone());
        source.organization.role = Some(text.clone());
        source.context.push((property, text.clone()));
        source.tags = Some(TagsSource { claim: text, on_missing: OnMissing::Error, patterns: narthex_directory::TagPatterns::default() });
        if let Err(problems) = IssuerMapping::compile(&source, &settings()) {
            prop_assert!(!problems.is_empty());
        }
    }
}
