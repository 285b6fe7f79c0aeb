//! Proposals for tokens of every provider, in every shape; and for hostile ones.

use serde_json::{Map, Value, json};

use crate::sample::propose;
use crate::{Proposal, ProposalError, Provider, propose_for_address, propose_for_token};

/// A provider's token of a user, and what is right about it.
struct Sample {
    provider: Provider,
    header: Value,
    claims: Value,
    /// Member of the claims with the groups, at the top.
    groups: Option<&'static str>,
    /// The answers: places in the document and their values.
    answers: &'static [(&'static str, &'static str)],
}

fn rs256() -> Value {
    json!({ "alg": "RS256", "typ": "JWT", "kid": "1" })
}

fn keycloak_to_auth0() -> Vec<Sample> {
    vec![
        Sample {
            provider: Provider::Keycloak,
            header: rs256(),
            claims: json!({"iss": "https://sso.example.com/realms/acme", "aud": ["account", "shop"], "azp": "shop",
                "sub": "f:1", "preferred_username": "ann", "email": "ann@example.com", "name": "Ann", "groups": ["/staff"]}),
            groups: Some("groups"),
            answers: &[
                ("/discovery", "true"),
                ("/audiences", r#"["shop"]"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
                ("/tags/claim", r#""groups""#),
            ],
        },
        Sample {
            provider: Provider::EntraId,
            header: rs256(),
            claims: json!({"iss": "https://login.microsoftonline.com/11c43ee8-b9d3-4e51-b73f-bd9dda66e29c/v2.0",
                "aud": "api://shop", "azp": "x", "oid": "o", "sub": "s", "tid": "11c43ee8-b9d3-4e51-b73f-bd9dda66e29c",
                "preferred_username": "ann@example.com", "name": "Ann", "roles": ["Staff"]}),
            groups: Some("roles"),
            answers: &[
                ("/discovery", "true"),
                ("/audiences", r#"["api://shop"]"#),
                ("/mapping/user/external_id", r#""{{payload.oid}}""#),
                ("/tags/claim", r#""roles""#),
            ],
        },
        Sample {
            provider: Provider::Okta,
            header: rs256(),
            claims: json!({"iss": "https://example.okta.com/oauth2/default", "aud": "api://default", "cid": "c",
                "uid": "00u1", "sub": "ann@example.com", "groups": ["Everyone"]}),
            groups: Some("groups"),
            answers: &[
                ("/discovery", "true"),
                ("/audiences", r#"["api://default"]"#),
                ("/mapping/user/external_id", r#""{{payload.uid}}""#),
                ("/mapping/user/username", r#""{{payload.sub}}""#),
                ("/tags/claim", r#""groups""#),
            ],
        },
        Sample {
            provider: Provider::Auth0,
            header: rs256(),
            claims: json!({"iss": "https://example.eu.auth0.com/", "aud": ["https://api.example.com",
                "https://example.eu.auth0.com/userinfo"], "azp": "c", "sub": "auth0|1", "permissions": ["read"]}),
            groups: Some("permissions"),
            answers: &[
                ("/issuer", r#""https://example.eu.auth0.com/""#),
                ("/audiences", r#"["https://api.example.com"]"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
                ("/tags/claim", r#""permissions""#),
            ],
        },
    ]
}

fn google_to_dex() -> Vec<Sample> {
    vec![
        Sample {
            provider: Provider::Google,
            header: rs256(),
            claims: json!({"iss": "https://accounts.google.com", "aud": "1-a.apps.googleusercontent.com",
                "azp": "1-a.apps.googleusercontent.com", "sub": "1", "hd": "example.com", "email": "ann@example.com",
                "email_verified": true, "name": "Ann"}),
            groups: None,
            answers: &[
                ("/discovery", "true"),
                ("/required_claims", r#"{"hd":"example.com","email_verified":true}"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
            ],
        },
        Sample {
            provider: Provider::Cognito,
            header: rs256(),
            claims: json!({"iss": "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_A", "client_id": "c",
                "token_use": "access", "sub": "u", "username": "ann", "cognito:groups": ["staff"]}),
            groups: Some("cognito:groups"),
            answers: &[
                ("/audiences", r#"["c"]"#),
                ("/audience_claims", r#"["aud","client_id"]"#),
                ("/required_claims", r#"{"token_use":"access"}"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
                ("/tags/claim", r#""cognito:groups""#),
            ],
        },
        Sample {
            provider: Provider::Adfs,
            header: rs256(),
            claims: json!({"iss": "https://adfs.example.com/adfs", "aud": "urn:shop", "sub": "s", "upn": "ann@corp",
                "group": "staff"}),
            groups: Some("group"),
            answers: &[
                ("/discovery", "true"),
                ("/audiences", r#"["urn:shop"]"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
                ("/tags/claim", r#""group""#),
            ],
        },
        Sample {
            provider: Provider::Dex,
            header: rs256(),
            claims: json!({"iss": "https://dex.example.com", "aud": "shop", "sub": "Cg", "email": "ann@example.com",
                "groups": ["staff"]}),
            groups: Some("groups"),
            answers: &[
                ("/discovery", "true"),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
                ("/tags/claim", r#""groups""#),
            ],
        },
    ]
}

fn clouds() -> Vec<Sample> {
    vec![
        Sample {
            provider: Provider::CloudflareAccess,
            header: rs256(),
            claims: json!({"iss": "https://acme.cloudflareaccess.com", "aud": ["4714"], "sub": "u",
                "email": "ann@example.com"}),
            groups: None,
            answers: &[
                (
                    "/jwks_url",
                    r#""https://acme.cloudflareaccess.com/cdn-cgi/access/certs""#,
                ),
                ("/token_from", r#"["header:Cf-Access-Jwt-Assertion"]"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
            ],
        },
        Sample {
            provider: Provider::GoogleIap,
            header: json!({ "alg": "ES256", "typ": "JWT", "kid": "1" }),
            claims: json!({"iss": "https://cloud.google.com/iap", "aud": "/projects/1/global/backendServices/2",
                "sub": "accounts.google.com:1", "email": "ann@example.com"}),
            groups: None,
            answers: &[
                ("/jwks_url", r#""https://www.gstatic.com/iap/verify/public_key-jwk""#),
                ("/algorithms", r#"["ES256"]"#),
                ("/token_from", r#"["header:X-Goog-IAP-JWT-Assertion"]"#),
            ],
        },
        Sample {
            provider: Provider::GithubActions,
            header: rs256(),
            claims: json!({"iss": "https://token.actions.githubusercontent.com", "aud": "https://deploy.example.com",
                "sub": "repo:acme/shop:ref:refs/heads/main", "repository": "acme/shop", "repository_id": "7",
                "repository_owner": "acme"}),
            groups: None,
            answers: &[
                ("/discovery", "true"),
                ("/required_claims", r#"{"repository_owner":"acme"}"#),
                ("/mapping/user/external_id", r#""{{payload.repository_id}}""#),
                ("/mapping/user/username", r#""{{payload.repository}}""#),
            ],
        },
        Sample {
            provider: Provider::Kubernetes,
            header: rs256(),
            claims: json!({"iss": "https://oidc.eks.eu-west-1.amazonaws.com/id/A", "aud": ["shop"],
                "sub": "system:serviceaccount:shop:web", "kubernetes.io": {"namespace": "shop"}}),
            groups: None,
            answers: &[
                ("/discovery", "true"),
                ("/audiences", r#"["shop"]"#),
                ("/mapping/user/external_id", r#""{{payload.sub}}""#),
            ],
        },
    ]
}

fn proposed(header: &Value, claims: &Value) -> Result<Proposal, ProposalError> {
    propose(header.as_object().unwrap(), claims.as_object().unwrap())
}

fn check(sample: &Sample, proposal: &Proposal) {
    assert_eq!(proposal.provider, Some(sample.provider));
    assert!(proposal.is_complete, "{:?}: {:?}", sample.provider, proposal.cautions);
    let document = proposal.document();
    for (place, value) in sample.answers {
        let found = document.pointer(place).map(ToString::to_string);
        assert_eq!(found.as_deref(), Some(*value), "{:?} {place}", sample.provider);
    }
    for setting in &proposal.settings {
        assert!(!setting.reason.is_empty());
        assert_eq!(setting.claim.is_some(), setting.sample.is_some(), "{}", setting.field);
    }
}

fn without(claims: &Value, names: &[&str]) -> Value {
    let mut claims = claims.as_object().unwrap().clone();
    for name in names {
        claims.remove(*name);
    }
    Value::Object(claims)
}

#[test]
fn every_provider_is_proposed_right_in_every_shape() {
    let samples = keycloak_to_auth0().into_iter().chain(google_to_dex()).chain(clouds());
    let mut shapes = 0;
    for sample in samples {
        let user = proposed(&sample.header, &sample.claims).unwrap();
        check(&sample, &user);
        if let Some(groups) = sample.groups {
            let setting = user.setting("/tags/claim").unwrap();
            assert_eq!(setting.sample.as_ref(), sample.claims.get(groups));
        }

        let bare = without(
            &sample.claims,
            &[
                "preferred_username",
                "email",
                "name",
                "groups",
                "roles",
                "group",
                "permissions",
                "cognito:groups",
            ],
        );
        let service = proposed(&sample.header, &bare).unwrap();
        check(&sample, &service);
        if sample.groups.is_some() {
            assert_eq!(
                service.setting("/tags/on_missing").unwrap().value,
                "keep",
                "{:?}",
                sample.provider
            );
        }

        let mut empty = sample.claims.clone();
        if let Some(groups) = sample.groups {
            empty[groups] = json!([]);
        }
        check(&sample, &proposed(&sample.header, &empty).unwrap());

        let mut overage = bare;
        overage["_claim_names"] = json!({ "groups": "src1" });
        let overage = proposed(&sample.header, &overage).unwrap();
        check(&sample, &overage);
        assert!(overage.cautions.iter().any(|caution| caution.contains("tags.overage")));
        shapes += 4;
    }
    assert_eq!(shapes, 48);
}

#[test]
fn a_token_of_an_aws_load_balancer_has_a_cure() {
    let header = json!({"alg": "ES256", "kid": "1", "client": "c",
        "signer": "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/a/b"});
    for claims in [
        json!({"iss": "https://id.example.com", "sub": "u", "groups": ["a"]}),
        json!({"iss": "https://id.example.com", "sub": "u"}),
        json!({"iss": "https://id.example.com", "sub": "u", "groups": []}),
        json!({"iss": "https://id.example.com", "sub": "u", "hasgroups": true}),
    ] {
        assert_eq!(proposed(&header, &claims), Err(ProposalError::AwsLoadBalancer));
    }
}

/// Each text of a hostile sample becomes a value or nothing. No proposal leads to a private host by itself.
#[test]
fn sec_hostile_samples_propose_no_private_host_and_no_template() {
    let hostile = [
        "https://169.254.169.254/latest/meta-data",
        "https://127.0.0.1:8081/",
        "https://[::1]/",
        "https://localhost/realms/x",
        "https://admin@id.example.com/",
        "https://id.example.com/?next=https://10.0.0.1/",
        "http://id.example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "{{payload.iss}}\n[listen]",
    ];
    for issuer in hostile {
        let claims = json!({"iss": issuer, "aud": "a", "sub": "{{exec('x')}}",
            "https://{{now}}.example.com/groups": ["a"], "{{payload}}": ["b"]});
        let proposal = proposed(&rs256(), &claims).unwrap();
        assert!(!proposal.is_complete, "{issuer}");
        assert!(!proposal.cautions.is_empty(), "{issuer}");
        let document = proposal.document();
        assert!(document.pointer("/jwks_url").is_none(), "{issuer}: {document}");
        let tags = document
            .pointer("/tags/claim")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(!tags.contains(['{', '/']), "{issuer}: {document}");
        assert_eq!(
            document.pointer("/mapping/user/external_id").unwrap(),
            "{{payload.sub}}"
        );
    }
}

#[test]
fn what_no_configuration_can_let_in_is_refused_with_a_cure() {
    let claims = json!({"iss": "https://id.example.com", "aud": "a", "sub": "1"});
    for (alg, refused) in [
        (json!("none"), ProposalError::NotSigned),
        (json!(7), ProposalError::NotSigned),
        (json!("HS256"), ProposalError::SharedSecret),
    ] {
        assert_eq!(proposed(&json!({ "alg": alg }), &claims), Err(refused));
    }
    assert_eq!(
        proposed(&rs256(), &json!({"aud": "a", "sub": "1"})),
        Err(ProposalError::NoIssuer)
    );
    assert!(matches!(propose_for_token("opaque"), Err(ProposalError::NoToken(_))));
    assert_eq!(propose_for_address("id.example.com"), Err(ProposalError::NoAddress));
}

#[test]
fn a_claim_of_an_own_namespace_gives_tags() {
    let claims = json!({"iss": "https://example.eu.auth0.com/", "aud": "a", "sub": "1",
        "https://example.com/groups": ["staff"]});
    let proposal = proposed(&rs256(), &claims).unwrap();
    assert_eq!(
        proposal.setting("/tags/claim").unwrap().value,
        "https://example.com/groups"
    );
}

#[test]
fn an_address_alone_gives_a_form_to_complete() {
    let proposal = propose_for_address(" https://sso.example.com/realms/acme ").unwrap();
    assert_eq!(proposal.provider, Some(Provider::Keycloak));
    assert!(!proposal.is_complete);
    let document = proposal.document();
    assert_eq!(document["discovery"], true);
    assert_eq!(
        document["mapping"]["user"]["username"],
        "{{payload.preferred_username}}"
    );
    assert!(document.get("audiences").is_none());
}

#[test]
fn every_provider_has_a_word_of_its_own() {
    let mut words: Vec<&str> = Provider::ALL.iter().map(|provider| provider.as_str()).collect();
    words.sort_unstable();
    words.dedup();
    assert_eq!(words.len(), Provider::ALL.len());
    let empty = Map::new();
    assert_eq!(Provider::of_token(&empty, &empty), None);
}
