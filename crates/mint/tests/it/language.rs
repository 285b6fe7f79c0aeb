//! `jwt(…)` in templates.

use std::sync::Arc;

use narthex_mint::Jwt;
use narthex_template::{Names, Scope, Template};
use serde_json::{Value as Json, json};

fn eval(source: &str, temp: &Json) -> Result<String, String> {
    let names = Names::new(["temp"]).with_function(Arc::new(Jwt::new()));
    let template = Template::compile(source, &names).map_err(|error| error.to_string())?;
    let value = template.evaluate(&Scope::new(1_700_000_000_123).with_json("temp", temp));
    value
        .map(|value| value.as_text().unwrap_or_default().to_owned())
        .map_err(|error| error.to_string())
}

/// The header of a token, as text.
fn header(token: &str) -> Json {
    let bytes = base64url(token.split('.').next().unwrap());
    serde_json::from_slice(&bytes).unwrap()
}

fn base64url(text: &str) -> Vec<u8> {
    let digit = |c: u8| {
        b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
            .iter()
            .position(|d| *d == c)
            .unwrap()
    };
    let bits: Vec<bool> = text
        .bytes()
        .flat_map(|c| (0..6).rev().map(move |bit| digit(c) >> bit & 1 == 1))
        .collect();
    bits.chunks_exact(8)
        .map(|byte| byte.iter().fold(0, |byte, bit| byte << 1 | u8::from(*bit)))
        .collect()
}

#[test]
fn the_example_of_the_documentation_makes_the_token_of_the_library() {
    let temp = json!({
        "jwt": { "iss": "https://iam.the.issu.er", "iat": 1_700_000_000, "exp": 1_700_030_000, "scope": ["rest_webservices"],
                 "aud": "https://iam.the.audien.ce/services/rest/auth/oauth2/v1/token" },
        "options": { "header": { "kid": "my-client-id" } },
    });
    let vectors: Json = serde_json::from_str(include_str!("../vectors/jwt_sign.json")).unwrap();
    let case = vectors["cases"]
        .as_array()
        .unwrap()
        .iter()
        .find(|case| case["name"] == "make doc example: HS512 with header.kid")
        .unwrap();
    let made = eval("{{jwt(temp.jwt, 'my-client-secret', 'HS512', temp.options)}}", &temp).unwrap();
    assert_eq!(made, case["expected_token"].as_str().unwrap());
}

#[test]
fn the_third_argument_wins_over_the_option() {
    let temp = json!({ "p": {}, "o": { "algorithm": "HS512" } });
    assert_eq!(
        header(&eval("{{jwt(temp.p, 's', 'HS384', temp.o)}}", &temp).unwrap())["alg"],
        "HS384"
    );
    assert_eq!(
        header(&eval("{{jwt(temp.p, 's', undefined, temp.o)}}", &temp).unwrap())["alg"],
        "HS512"
    );
    assert_eq!(header(&eval("{{jwt(temp.p, 's')}}", &temp).unwrap())["alg"], "HS256");
}

#[test]
fn errors_are_those_of_the_library() {
    for (temp, message) in [
        (
            json!({ "jwt": { "exp": 1 }, "o": { "expiresIn": 60 } }),
            "Bad \"options.expiresIn\" option the payload already has an \"exp\" property.",
        ),
        (
            json!({ "jwt": {}, "o": { "kid": "x" } }),
            "\"kid\" is not allowed in \"options\"",
        ),
        (
            json!({ "jwt": {}, "o": "HS512" }),
            "Expected \"options\" to be a plain object.",
        ),
    ] {
        let error = eval("{{jwt(temp.jwt, 's', 'HS512', temp.o)}}", &temp).unwrap_err();
        assert!(error.contains(message), "{error}");
    }
}

/// HS256, HS384, HS512 and RS256, and nothing else, wherever the algorithm is named and whatever key there is.
#[test]
fn mint_alg_list() {
    let vectors: Json = serde_json::from_str(include_str!("../vectors/jwt_sign.json")).unwrap();
    let temp = |algorithm: &str| {
        json!({
            "p": {}, "rsa": vectors["keys"]["rsa2048_pkcs8"], "ec": vectors["keys"]["ec_p256_pkcs8"],
            "option": { "algorithm": algorithm },
            "header": { "header": { "alg": algorithm }, "allowInvalidAsymmetricKeyTypes": true },
        })
    };
    let mut made = 0;
    for algorithm in [
        "HS256",
        "HS384",
        "HS512",
        "RS256",
        "RS384",
        "RS512",
        "PS256",
        "PS384",
        "PS512",
        "ES256",
        "ES384",
        "ES512",
        "none",
        "None",
        "hs256",
        "EdDSA",
        "",
        "RS1",
        "ML-DSA-44",
        "ML-DSA-65",
    ] {
        for key in ["'s'", "temp.rsa", "temp.ec", "null", "''"] {
            for source in [
                format!("{{{{jwt(temp.p, {key}, '{algorithm}')}}}}"),
                format!("{{{{jwt(temp.p, {key}, undefined, temp.option)}}}}"),
                format!("{{{{jwt(temp.p, {key}, 'HS256', temp.header)}}}}"),
                format!("{{{{jwt(temp.p, {key}, 'none', temp.header)}}}}"),
            ] {
                let Ok(token) = eval(&source, &temp(algorithm)) else {
                    continue;
                };
                let header = header(&token);
                let listed = header["alg"].as_str().unwrap();
                assert!(
                    ["HS256", "HS384", "HS512", "RS256"].contains(&listed),
                    "{source}: {header}"
                );
                assert!(listed == algorithm || algorithm.is_empty(), "{source}: {header}");
                assert!(!token.ends_with('.'), "{source}");
                let key_fits = if listed == "RS256" {
                    key == "temp.rsa"
                } else {
                    key == "'s'"
                };
                assert!(key_fits, "{source}: {header}");
                made += 1;
            }
        }
    }
    assert_eq!(
        made,
        4 * 4 + 1,
        "each of the four in each of the four places, and HS256 where the third argument is empty"
    );
    for algorithm in ["none", "PS256"] {
        let error = eval("{{jwt(temp.p, temp.rsa, 'RS256', temp.header)}}", &temp(algorithm)).unwrap_err();
        assert!(error.contains("are not minted here"), "{error}");
    }
}

/// Claim text is data: braces in a payload, a secret, an algorithm or an option are never evaluated.
#[test]
fn mint_no_reeval() {
    let temp = json!({ "p": { "iat": 1, "text": "{{1 + 1}}", "{{2}}": ["{{temp.p}}"] }, "s": "{{temp.other}}", "other": "x",
                       "o": { "issuer": "{{timestamp}}", "header": { "kid": "{{uuid}}" } } });
    let token = eval("{{jwt(temp.p, temp.s, 'HS256', temp.o)}}", &temp).unwrap();
    let payload = String::from_utf8(base64url(token.split('.').nth(1).unwrap())).unwrap();
    assert_eq!(
        payload,
        r#"{"iat":1,"text":"{{1 + 1}}","{{2}}":["{{temp.p}}"],"iss":"{{timestamp}}"}"#
    );
    assert_eq!(header(&token)["kid"], "{{uuid}}");
    assert_ne!(
        token,
        eval("{{jwt(temp.p, temp.other, 'HS256', temp.o)}}", &temp).unwrap()
    );
    let error = eval("{{jwt(temp.p, temp.s, '{{1}}')}}", &temp).unwrap_err();
    assert!(
        error.contains("\"algorithm\" must be a valid string enum value"),
        "{error}"
    );
}

/// The library fails on some of these names and loses others. Here a claim is a claim, and an unknown option is one.
#[test]
fn members_named_like_those_of_the_object_prototype_are_members_like_any_other() {
    let temp = json!({ "p": { "iat": 1, "constructor": 2, "__proto__": { "exp": "x" } }, "o": { "toString": 1 } });
    let token = eval("{{jwt(temp.p, 's')}}", &temp).unwrap();
    let payload = String::from_utf8(base64url(token.split('.').nth(1).unwrap())).unwrap();
    assert_eq!(payload, r#"{"iat":1,"constructor":2,"__proto__":{"exp":"x"}}"#);
    let error = eval("{{jwt(temp.p, 's', 'HS256', temp.o)}}", &temp).unwrap_err();
    assert!(error.contains("\"toString\" is not allowed in \"options\""), "{error}");
}
