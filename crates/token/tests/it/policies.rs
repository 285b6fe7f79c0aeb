//! Terms of trust: what cannot be configured, and which issuer a token belongs to.

use std::sync::Arc;

use narthex_token::{
    Algorithm, IssuerPolicy, IssuerStatus, Issuers, Limits, PolicyError, RequiredClaim, Tenants, TrustedIssuer,
    VerifiedClaims, VerifyError, danger, parse, verify_introspected,
};
use serde_json::{Value, json};

use crate::support::{
    AUDIENCE, ISSUER, NOW_MS, check_among, claims, claims_with, hs256, jwk, jwks, key_set_policy, mint, reason, rs256,
    rs256_header, rsa_key, secret_policy, secret_set, set_of,
};

fn problems(change: impl FnOnce(&mut IssuerPolicy)) -> Vec<PolicyError> {
    let mut policy = key_set_policy();
    change(&mut policy);
    TrustedIssuer::new(policy).unwrap_err()
}

fn name() -> String {
    "corp".to_owned()
}

#[test]
fn one_issuer_never_mixes_secrets_and_public_keys() {
    let mixed = problems(|policy| {
        policy.algorithms = vec![Algorithm::Rs256, Algorithm::Hs256, Algorithm::Hs512];
    });
    let mismatch = |algorithm, source_kind| PolicyError::AlgorithmMismatch {
        name: name(),
        algorithm,
        source_kind,
    };
    assert_eq!(
        mixed,
        [
            mismatch(Algorithm::Hs256, "a key set"),
            mismatch(Algorithm::Hs512, "a key set")
        ]
    );
    let mut policy = secret_policy();
    policy.algorithms = vec![Algorithm::Rs256];
    assert_eq!(
        TrustedIssuer::new(policy).unwrap_err(),
        [mismatch(Algorithm::Rs256, "a shared secret")]
    );
}

#[test]
fn every_problem_is_reported_at_once() {
    let found = problems(|policy| {
        policy.algorithms.clear();
        policy.audiences = vec!["a".to_owned(), "a".to_owned()];
        policy.audience_claims.clear();
        policy.token_types = vec![String::new()];
        policy.aliases = vec![ISSUER.to_owned()];
        policy.leeway_seconds = 100_000;
        policy.max_token_age_seconds = Some(u64::MAX);
        policy.required_claims = vec![RequiredClaim {
            claim: String::new(),
            one_of: Vec::new(),
        }];
    });
    let bad = |field| PolicyError::BadEntry { name: name(), field };
    let range = |field, seconds, seconds_max| PolicyError::OutOfRange {
        name: name(),
        field,
        seconds,
        seconds_max,
    };
    assert_eq!(
        found,
        [
            bad("issuer"),
            bad("audiences"),
            bad("token_types"),
            PolicyError::NoAlgorithms { name: name() },
            PolicyError::NoAudienceClaims { name: name() },
            range("leeway", 100_000, 86_400),
            range("max_token_age", u64::MAX, 3_162_240_000),
            PolicyError::RequiredClaimEmpty {
                name: name(),
                claim: String::new()
            },
        ]
    );
}

fn trusted(policy: IssuerPolicy) -> Arc<TrustedIssuer> {
    Arc::new(TrustedIssuer::new(policy).unwrap())
}

#[test]
fn issuers_do_not_clash() {
    let mut second = key_set_policy();
    second.name = "second".to_owned();
    second.issuer = Some("https://second.example".to_owned());
    second.aliases = vec![ISSUER.to_owned()];
    let error = Issuers::new(vec![trusted(key_set_policy()), trusted(second)]).unwrap_err();
    let expected = PolicyError::IssuerTaken {
        first: name(),
        second: "second".to_owned(),
        issuer: ISSUER.to_owned(),
        audience: Some(AUDIENCE.to_owned()),
    };
    assert_eq!(error, [expected]);

    let without = |name: &str| trusted(IssuerPolicy::shared_secret(name, None));
    let error = Issuers::new(vec![without("a"), without("b"), without("a")]).unwrap_err();
    let clash = |first: &str, second: &str| PolicyError::WithoutIssuerTaken {
        first: first.to_owned(),
        second: second.to_owned(),
    };
    assert_eq!(
        error,
        [
            clash("a", "b"),
            PolicyError::NameTaken { name: "a".to_owned() },
            clash("b", "a")
        ]
    );
}

#[test]
fn tokens_without_iss_belong_to_the_one_issuer_without() {
    let anonymous = Issuers::new(vec![
        trusted(key_set_policy()),
        trusted(IssuerPolicy::shared_secret("legacy", None)),
    ])
    .unwrap();
    let keys = Arc::new(secret_set());
    let token = hs256(&claims_with(&json!({ "iss": null })));
    let verified = check_among(&token, &anonymous, &keys, NOW_MS).unwrap();
    assert_eq!(verified.issuer(), "legacy");
    // A token that names an issuer is never his.
    for iss in [json!("legacy"), json!(""), json!("https://unknown.example")] {
        let token = hs256(&claims_with(&json!({ "iss": iss })));
        assert_eq!(
            reason(&check_among(&token, &anonymous, &keys, NOW_MS)),
            "token.issuer_unknown",
            "{iss}"
        );
    }
    // The header of a token without `iss` still does not choose the key: RS256 is not in his list.
    let token = rs256(&claims_with(&json!({ "iss": null })));
    assert_eq!(
        reason(&check_among(&token, &anonymous, &Arc::new(jwks()), NOW_MS)),
        "token.algorithm"
    );
    let nobody = Issuers::new(vec![trusted(key_set_policy())]).unwrap();
    let token = hs256(&claims_with(&json!({ "iss": null })));
    assert_eq!(
        reason(&check_among(&token, &nobody, &keys, NOW_MS)),
        "token.issuer_unknown"
    );
}

#[test]
fn a_disabled_issuer_is_refused_before_its_keys_are_asked() {
    let mut policy = key_set_policy();
    policy.status = IssuerStatus::Disabled;
    let issuer = trusted(policy);
    let issuers = Issuers::new(vec![Arc::clone(&issuer)]).unwrap();
    let token = rs256(&claims());
    assert_eq!(
        reason(&check_among(&token, &issuers, &Arc::new(jwks()), NOW_MS)),
        "token.issuer_disabled"
    );
    let parsed = parse(&token, &Limits::default()).unwrap();
    assert_eq!(
        reason(&parsed.verify(&issuer, &set_of(&[]), NOW_MS)),
        "token.issuer_disabled"
    );
}

#[test]
fn the_first_failure_is_the_reason() {
    let issuers = Issuers::new(vec![trusted(key_set_policy())]).unwrap();
    let keys = Arc::new(set_of(&[jwk("rsa")]));
    let answer = |token: &str| reason(&check_among(token, &issuers, &keys, NOW_MS));
    // Everything is wrong; mended one by one, in the order of the rules.
    let mut header = json!({ "alg": "HS256", "kid": "nobody", "crit": ["x"], "typ": "evil" });
    let mut payload = claims_with(&json!({ "iss": "nobody", "aud": "nobody", "exp": 1 }));
    let sign = |header: &Value, payload: &Value| mint(header, payload, &rsa_key());
    assert_eq!(
        answer(&sign(&header, &payload)),
        "token.header",
        "HS256 exists, and no issuer is found to forbid it"
    );
    payload["iss"] = ISSUER.into();
    assert_eq!(answer(&sign(&header, &payload)), "token.algorithm");
    header["alg"] = "RS256".into();
    assert_eq!(answer(&sign(&header, &payload)), "token.header");
    header.as_object_mut().unwrap().shift_remove("crit");
    assert_eq!(answer(&sign(&header, &payload)), "token.header", "typ");
    header["typ"] = "jwt".into();
    assert_eq!(answer(&sign(&header, &payload)), "token.key_unknown");
    header["kid"] = "rsa".into();
    let good = sign(&header, &payload);
    assert_eq!(
        answer(&sign(&json!({ "alg": "RS256", "kid": "rsa" }), &payload)),
        "token.expired"
    );
    let forged = format!(
        "{}.{}",
        good.rsplit_once('.').unwrap().0,
        rs256(&claims()).rsplit_once('.').unwrap().1
    );
    assert_eq!(answer(&forged), "token.signature");
    payload["exp"] = claims()["exp"].clone();
    assert_eq!(answer(&sign(&header, &payload)), "token.audience");
    payload["aud"] = claims()["aud"].clone();
    assert_eq!(answer(&sign(&header, &payload)), "ok");
}

#[test]
fn types_of_token_are_a_list() {
    let mut policy = key_set_policy();
    policy.token_types = vec![
        "application/id+jwt".to_owned(),
        "a/b".to_owned(),
        "application/x/y".to_owned(),
    ];
    let issuers = Issuers::new(vec![trusted(policy)]).unwrap();
    let keys = Arc::new(jwks());
    for (typ, expected) in [
        (Value::Null, "ok"),
        (json!("JWT"), "ok"),
        (json!("jwt"), "ok"),
        (json!("AT+jwt"), "ok"),
        (json!("Application/AT+JWT"), "ok"),
        (json!("Application/ID+JWT"), "ok"),
        (json!("id+jwt"), "ok"),
        (json!("application/jwt"), "ok"),
        (json!("APPLICATION/JWT"), "ok"),
        (json!("A/B"), "ok"),
        (json!("application/x/y"), "ok"),
        (json!("x/y"), "token.header"),
        (json!("application/a/b"), "token.header"),
        (json!("application/application/jwt"), "token.header"),
        (json!("text/jwt"), "token.header"),
        (json!("application/"), "token.header"),
        (json!("applicati\u{f6}n/jwt"), "token.header"),
        (json!("dpop+jwt"), "token.header"),
        (json!("logout+jwt"), "token.header"),
        (json!(""), "token.header"),
        (json!(["JWT"]), "token.header"),
    ] {
        let mut header = json!({ "alg": "RS256", "kid": "rsa" });
        if !typ.is_null() {
            header["typ"] = typ.clone();
        }
        assert_eq!(
            reason(&check_among(&rs256_header(&header), &issuers, &keys, NOW_MS)),
            expected,
            "{typ}"
        );
    }
}

fn application(name: &str, audiences: &[&str]) -> IssuerPolicy {
    let mut policy = IssuerPolicy::key_set(name, ISSUER);
    policy.audiences = audiences.iter().map(|text| (*text).to_owned()).collect();
    policy
}

/// Two applications of one identity provider: the audience says whose rules count, and a token that is meant for both,
/// or for neither, is mapped by the rules of none.
#[test]
fn sec_the_audience_selects_one_of_the_issuers_that_share_an_iss() {
    let mut third = application("third", &["c"]);
    third.audience_claims = vec!["client_id".to_owned()];
    let two = [application("first", &["a", "a2"]), application("second", &["b"]), third];
    let issuers = Issuers::new(two.map(trusted).to_vec()).unwrap();
    let keys = Arc::new(jwks());
    for (change, expected) in [
        (json!({ "aud": "a" }), Ok("first")),
        (json!({ "aud": ["x", "a2"] }), Ok("first")),
        (json!({ "aud": ["a", "a2"] }), Ok("first")),
        (json!({ "aud": "b" }), Ok("second")),
        (json!({ "aud": "x", "client_id": "c" }), Ok("third")),
        (json!({ "aud": ["a", "b"] }), Err("token.audience")),
        (json!({ "aud": "a", "client_id": "c" }), Err("token.audience")),
        (json!({ "aud": "x" }), Err("token.audience")),
        (json!({ "aud": "c" }), Err("token.audience")),
        (json!({ "aud": null }), Err("token.audience")),
        (json!({ "aud": 5 }), Err("token.audience")),
        (
            json!({ "aud": "a", "iss": "https://other.example" }),
            Err("token.issuer_unknown"),
        ),
    ] {
        let answer = check_among(&rs256(&claims_with(&change)), &issuers, &keys, NOW_MS);
        let found = answer.as_ref().map(VerifiedClaims::issuer).map_err(VerifyError::reason);
        assert_eq!(found, expected, "{change}");
    }
}

#[test]
fn issuers_that_share_an_iss_have_audiences_that_differ() {
    let clash = |first: IssuerPolicy, second: IssuerPolicy| {
        let problems = Issuers::new(vec![trusted(first), trusted(second)]).unwrap_err();
        let [
            PolicyError::IssuerTaken {
                first,
                second,
                audience,
                ..
            },
        ] = &problems[..]
        else {
            panic!("{problems:?}")
        };
        assert_eq!((first.as_str(), second.as_str()), ("one", "two"));
        audience.clone()
    };
    let shared = clash(application("one", &["a", "b"]), application("two", &["c", "b"]));
    assert_eq!(shared.as_deref(), Some("b"));
    // An issuer that accepts every audience leaves nothing to another one.
    let secret = IssuerPolicy::shared_secret("two", Some(ISSUER.to_owned()));
    assert_eq!(clash(application("one", &["a"]), secret), None);
}

const TENANTED: &str = "https://login.example/{tid}/v2.0";

fn of_tenants(name: &str, tenants: Tenants) -> IssuerPolicy {
    let mut policy = key_set_policy();
    policy.name = name.to_owned();
    policy.issuer = Some(TENANTED.to_owned());
    policy.tenants = Some(tenants);
    policy
}

fn listed(tenants: &[&str]) -> Tenants {
    Tenants::Listed(tenants.iter().map(|text| (*text).to_owned()).collect())
}

/// The keys are shared by all tenants, so `iss` and the claim must name the same one, and one that is accepted.
#[test]
fn sec_iss_and_claim_name_the_same_accepted_tenant() {
    let iss = |tenant: &str| TENANTED.replace("{tid}", tenant);
    let keys = Arc::new(jwks());
    for (tenants, b) in [
        (listed(&["a", "b"]), "ok"),
        (listed(&["a"]), "token.issuer_unknown"),
        (Tenants::Any, "ok"),
    ] {
        let issuers = Issuers::new(vec![trusted(of_tenants("corp", tenants.clone()))]).unwrap();
        for (change, expected) in [
            (json!({ "iss": iss("a"), "tid": "a" }), "ok"),
            (json!({ "iss": iss("b"), "tid": "b" }), b),
            (json!({ "iss": iss("a"), "tid": "b" }), "token.claim_invalid"),
            (json!({ "iss": iss("a"), "tid": "A" }), "token.claim_invalid"),
            (json!({ "iss": iss("a"), "tid": ["a"] }), "token.claim_invalid"),
            (json!({ "iss": iss("a") }), "token.claim_missing"),
            (json!({ "iss": iss("x/../a"), "tid": "x/../a" }), "token.issuer_unknown"),
            (json!({ "iss": iss(""), "tid": "" }), "token.issuer_unknown"),
            (json!({ "iss": TENANTED, "tid": "{tid}" }), "token.issuer_unknown"),
            (
                json!({ "iss": "https://login.example/a/v1.0", "tid": "a" }),
                "token.issuer_unknown",
            ),
        ] {
            let answer = check_among(&rs256(&claims_with(&change)), &issuers, &keys, NOW_MS);
            assert_eq!(reason(&answer), expected, "{tenants:?} {change}");
        }
    }
}

/// An issuer that is asked about a token of one of its tenants has to say of which.
#[test]
fn sec_introspected_claims_name_their_tenant() {
    let policy = of_tenants("corp", listed(&["a"]));
    let issuer = TrustedIssuer::new(policy).unwrap();
    let answer = |change: Value| {
        let mut claims = claims_with(&change);
        if change.get("iss").is_none() {
            claims.as_object_mut().unwrap().remove("iss");
        }
        let claims = claims.as_object().unwrap().clone();
        reason(&verify_introspected(claims, &issuer, NOW_MS))
    };
    let iss = |tenant: &str| TENANTED.replace("{tid}", tenant);
    assert_eq!(answer(json!({ "iss": iss("a"), "tid": "a" })), "ok");
    assert_eq!(answer(json!({ "iss": iss("b"), "tid": "b" })), "token.issuer_unknown");
    assert_eq!(answer(json!({ "tid": "a" })), "token.issuer_unknown");
}

/// A disabled issuer is disabled for every tenant, and inspection says the same as the verifier.
#[test]
fn a_disabled_issuer_of_many_tenants_says_so() {
    let mut policy = of_tenants("corp", Tenants::Any);
    policy.status = IssuerStatus::Disabled;
    let issuers = Issuers::new(vec![trusted(policy)]).unwrap();
    let token = rs256(&claims_with(
        &json!({ "iss": "https://login.example/a/v2.0", "tid": "a" }),
    ));
    let answer = check_among(&token, &issuers, &Arc::new(jwks()), NOW_MS);
    assert_eq!(reason(&answer), "token.issuer_disabled");
}

/// One tenant may have an issuer of its own beside that of all others, if the audience tells the two apart.
#[test]
fn issuers_of_tenants_clash_where_one_text_fits_both() {
    let mut own = key_set_policy();
    own.name = "own".to_owned();
    own.issuer = Some(TENANTED.replace("{tid}", "a"));
    let mut other_audience = own.clone();
    other_audience.audiences = vec!["own".to_owned()];
    let any = of_tenants("any", Tenants::Any);
    let clashes = |policies: [IssuerPolicy; 2]| match Issuers::new(policies.map(trusted).to_vec()) {
        Ok(_) => 0,
        Err(problems) => {
            assert!(
                problems
                    .iter()
                    .all(|problem| matches!(problem, PolicyError::IssuerTaken { .. })),
                "{problems:?}"
            );
            problems.len()
        }
    };
    assert_eq!(clashes([own.clone(), any.clone()]), 1);
    assert_eq!(clashes([any.clone(), own.clone()]), 1);
    assert_eq!(clashes([any.clone(), of_tenants("any-too", Tenants::Any)]), 1);
    assert_eq!(clashes([any.clone(), of_tenants("listed", listed(&["a", "b"]))]), 1);
    assert_eq!(
        clashes([
            of_tenants("one", listed(&["a", "b"])),
            of_tenants("two", listed(&["b", "c"]))
        ]),
        1
    );
    assert_eq!(
        clashes([of_tenants("one", listed(&["a"])), of_tenants("two", listed(&["b"]))]),
        0
    );
    assert_eq!(clashes([any.clone(), other_audience.clone()]), 0);
    let issuers = Issuers::new(vec![trusted(any), trusted(other_audience)]).unwrap();
    let token = |aud: &str| {
        rs256(&claims_with(
            &json!({ "iss": TENANTED.replace("{tid}", "a"), "tid": "a", "aud": aud }),
        ))
    };
    for (aud, expected) in [(AUDIENCE, "any"), ("own", "own")] {
        let verified = check_among(&token(aud), &issuers, &Arc::new(jwks()), NOW_MS).unwrap();
        assert_eq!(verified.issuer(), expected);
    }
}

#[test]
fn tenants_need_their_placeholder() {
    let found = |change: fn(&mut IssuerPolicy)| {
        let mut policy = of_tenants("corp", listed(&["a"]));
        change(&mut policy);
        TrustedIssuer::new(policy).unwrap_err()
    };
    let placeholder = [PolicyError::TenantPlaceholder { name: name() }];
    assert_eq!(found(|policy| policy.issuer = Some(ISSUER.to_owned())), placeholder);
    assert_eq!(found(|policy| policy.aliases = vec![ISSUER.to_owned()]), placeholder);
    assert_eq!(
        found(|policy| policy.aliases = vec!["https://sts.example/{tenant}".to_owned()]),
        placeholder
    );
    assert_eq!(
        found(|policy| policy.issuer = Some("https://{a}/{b}".to_owned())),
        placeholder
    );
    assert_eq!(
        found(|policy| policy.tenants = Some(listed(&[]))),
        [PolicyError::NoTenants { name: name() }]
    );
    let bad = PolicyError::BadTenant {
        name: name(),
        tenant: "a/b".to_owned(),
    };
    assert_eq!(found(|policy| policy.tenants = Some(listed(&["a", "a/b"]))), [bad]);
}

#[test]
fn a_tool_may_leave_issuer_and_audience_open() {
    let mut policy = IssuerPolicy::key_set("tool", ISSUER);
    policy.issuer = None;
    let open = danger::loosely_bound_issuer(policy.clone()).unwrap();
    let verify = |issuer: &TrustedIssuer, claims: &Value| {
        let token = rs256(claims);
        reason(
            &parse(&token, &Limits::default())
                .unwrap()
                .verify(issuer, &jwks(), NOW_MS),
        )
    };
    assert_eq!(
        verify(&open, &claims_with(&json!({ "iss": "anybody", "aud": null }))),
        "ok"
    );
    assert_eq!(verify(&open, &claims_with(&json!({ "iss": null }))), "ok");
    assert_eq!(verify(&open, &claims_with(&json!({ "iss": 5 }))), "token.claim_invalid");
    // What is named is checked.
    policy.issuer = Some(ISSUER.to_owned());
    policy.audiences = vec!["me".to_owned()];
    let named = danger::loosely_bound_issuer(policy).unwrap();
    assert_eq!(
        verify(&named, &claims_with(&json!({ "iss": "anybody" }))),
        "token.issuer_unknown"
    );
    assert_eq!(verify(&named, &claims()), "token.audience");
}
