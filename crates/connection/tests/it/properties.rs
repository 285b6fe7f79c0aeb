//! Laws: no document panics, and no secret is ever shown.

use std::cell::Cell;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use narthex_connection::{Connection, Inputs, Limits, Response, Run, Step, document_keys};
use narthex_template::Zone;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Map, Value as Json, json};

use crate::support::{facts, transcript};

/// Values of every kind, with templates among the texts.
fn any_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        "[ -~]{0,12}".prop_map(Json::from),
        any_template().prop_map(Json::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
            prop::collection::vec((any_name(), inner), 0..4)
                .prop_map(|members| Json::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn any_name() -> impl Strategy<Value = String> {
    let known: Vec<String> = document_keys()
        .map(|key| key.path.rsplit('.').next().unwrap().to_owned())
        .collect();
    prop_oneof![
        prop::sample::select(known),
        "[a-zA-Z{}.*-]{1,8}",
        Just("{{...}}".to_owned()),
        Just("404".to_owned()),
        any_template(),
    ]
}

fn any_template() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "{{parameters.secret}}",
        "{{common.secret}}",
        "{{data.secret}}",
        "x {{parameters.secret}} y",
        "{{parameters}}",
        "{{temp}}",
        "{{temp.a}}/{{temp.made}}",
        "{{get(common; 'secret')}}",
        "{{base64(parameters.secret + ':')}}",
        "Basic {{base64('user:' + common.secret)}}",
        "{{encodeURL(data.secret)}}",
        "{{createJSON(parameters)}}",
        "{{toString(toBinary(parameters.secret))}}",
        "{{upper(parameters.secret)}}",
        "{{if(parameters.secret; 'yes'; common.secret)}}",
        "{{jwt(temp; parameters.secret)}}",
        "{{jwt(parameters; 'other secret')}}",
        "{{sha256('x'; 'hex'; parameters.secret)}}",
        "{{split(parameters.secret; 'a')}}",
        "{{timestamp}}",
        "https://example.com/{{parameters.secret}}",
        "{{undefined}}",
        "{{null}}",
        "{{parseJSON(parameters.secret)}}",
    ])
    .prop_map(str::to_owned)
}

/// Documents that compile as a rule.
fn any_document() -> impl Strategy<Value = Json> {
    let object = || prop::collection::vec(("[a-z]{1,5}|made", any_template()), 0..4);
    let map = |members: Vec<(String, String)>| -> Json {
        Json::Object(
            members
                .into_iter()
                .map(|(name, value)| (name, Json::from(value)))
                .collect(),
        )
    };
    (
        prop_oneof![
            4 => Just("https://example.com/x".to_owned()),
            4 => Just("https://example.com/{{encodeURL(parameters.secret)}}?q={{encodeURL(common.secret)}}".to_owned()),
            1 => Just("https://example.com/{{parameters.secret}}?q={{common.secret}}".to_owned()),
            1 => Just("{{parameters.secret}}".to_owned()),
            1 => Just("https://{{parameters.secret}}@example.com".to_owned()),
        ],
        object(),
        object(),
        object(),
        prop_oneof![any_template().prop_map(Json::from), object().prop_map(map)],
        prop::sample::select(vec!["json", "urlencoded", "multipart/form-data", "text", "binary"]),
        any_template(),
        prop::bool::weighted(0.2),
    )
        .prop_map(move |(url, temp, headers, qs, body, kind, name, is_name)| {
            let mut headers = headers;
            headers.push(("x-echo".to_owned(), "{{parameters.secret}}".to_owned()));
            if is_name {
                headers.push((name.clone(), "a".to_owned()));
            }
            let first = json!({
                "url": url, "method": "POST", "temp": map(temp), "headers": map(headers), "qs": map(qs), "body": body, "type": kind,
                "response": {
                    "temp": { "made": "{{body}}", "token": "{{body.token}}" }, "valid": "{{body.ok}}",
                    "error": "{{body}} {{parameters.secret}}", "uid": "{{body.id}}",
                    "metadata": { "type": "text", "value": "{{body.name}}" },
                    "data": { "kept": "{{body.kept}}", "own": name },
                },
            });
            let second = json!({
                "url": "https://example.com/me?token={{temp.token}}", "method": "POST",
                "headers": { "authorization": "Bearer {{data.kept}}" },
                "body": { "kept": ["{{data.kept}}", { "made": "{{temp.made}}" }], "token": "x {{temp.token}}" },
                "log": { "sanitize": ["response.body.x", "request.body.x"] },
                "response": { "error": "{{body}} {{data.kept}}", "temp": { "again": "{{body.again}}" }, "expires": "{{body.echo}}" },
            });
            json!([first, second])
        })
}

fn inputs(secrets: &[String; 3]) -> Inputs {
    let one = |secret: &str| -> Map<String, Json> { json!({ "secret": secret }).as_object().unwrap().clone() };
    Inputs {
        parameters: one(&secrets[0]),
        common: one(&secrets[1]),
        data: one(&secrets[2]),
        ..Inputs::default()
    }
}

fn is_in(text: &str, secret: &str) -> bool {
    let forms = [
        secret.to_owned(),
        STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        URL_SAFE_NO_PAD.encode(format!("user:{secret}")),
    ];
    forms.iter().any(|form| text.contains(form.as_str()))
}

/// How often the runs of [`sec_no_secret_is_ever_shown`] came how far.
#[derive(Default)]
struct Reached {
    judged: Cell<u32>,
    given: Cell<u32>,
    object_body: Cell<u32>,
    shown_body: Cell<u32>,
}

fn count(cell: &Cell<u32>) {
    cell.set(cell.get() + 1);
}

/// What is seen of a run, with a service that gives `tokens` and echoes everything, as it came and in other forms.
fn seen(source: &str, secrets: &[String; 3], tokens: &[String; 2], status: u16, reached: &Reached) -> Vec<String> {
    let zone = Zone::utc();
    let connection = Connection::compile(source, &Limits::default()).unwrap();
    let mut run = Run::new(&connection, inputs(secrets));
    let mut seen = vec![format!("{connection:?} {:?} {run:?}", inputs(secrets))];
    for request in 0..2 {
        let status = if request == 0 { 200 } else { status };
        match run.next(&facts(&zone)) {
            Ok(Step::Send(sent)) => {
                seen.push(format!("{sent:?}"));
                seen.push(sent.redacted().to_string());
                seen.extend(sent.redacted().body.clone());
                let body = String::from_utf8_lossy(&sent.body);
                if request == 1
                    && tokens
                        .iter()
                        .all(|token| body.contains(Json::from(token.as_str()).to_string().trim_matches('"')))
                {
                    count(&reached.object_body);
                }
                let echo = format!(
                    "{} {:?} {body} {} {}",
                    sent.url,
                    sent.headers,
                    secrets.join(" "),
                    STANDARD.encode(format!("user:{}", secrets[1]))
                );
                let answer = json!({
                    "ok": true, "id": 7, "name": "label", "token": tokens[0], "kept": tokens[1], "echo": echo, "x": echo,
                    "again": tokens[1],
                });
                let response = Response {
                    status,
                    headers: vec![
                        ("x".to_owned(), secrets[0].clone()),
                        ("content-type".to_owned(), "application/json".to_owned()),
                    ],
                    body: answer.to_string().into_bytes(),
                };
                let answered = run.answer(&response, &facts(&zone));
                seen.extend(run.redacted_response().map(|shown| format!("{shown:?}")));
                if run.redacted_response().is_some_and(|shown| shown.body.is_some()) {
                    count(&reached.shown_body);
                }
                seen.push(format!("{:?}", run.minted()));
                match answered {
                    Ok(()) => count(&reached.given),
                    Err(error) => {
                        count(&reached.judged);
                        seen.push(format!("{error} {error:?} {}", error.render()));
                        break;
                    }
                }
            }
            Ok(other) => seen.push(format!("{other:?}")),
            Err(error) => {
                seen.push(format!("{error} {error:?} {}", error.render()));
                break;
            }
        }
    }
    seen
}

proptest! {
    #[test]
    fn no_text_makes_the_compiler_panic(source in "\\PC{0,200}") {
        if let Err(problems) = Connection::compile(&source, &Limits::default()) {
            let _ = problems.render("connection.json");
        }
    }

    #[test]
    fn no_json_makes_the_compiler_or_a_run_panic(document in any_value(), url in any_template()) {
        let mut document = document;
        if let Some(members) = document.as_object_mut() {
            members.insert("url".to_owned(), Json::from(url));
        }
        let secrets = ["secret one".to_owned(), "secret two".to_owned(), "secret three".to_owned()];
        let _ = transcript(&document.to_string(), inputs(&secrets), &[Response::default()]);
    }
}

#[test]
fn sec_no_secret_is_ever_shown() {
    let reached = Reached::default();
    let mut runner = TestRunner::new(Config::default());
    let secrets = [
        "[!-~]{8,24}",
        "[a-zA-Z0-9+/=_-]{8,40}",
        "[a-z\u{e0}-\u{ff} \"\\\\%]{8,24}",
    ];
    let tokens = ["[a-zA-Z0-9._-]{9,40}", "[ -~]{9,40}"];
    let law = runner.run(
        &(any_document(), secrets, tokens, 200_u16..500),
        |(document, secrets, tokens, status)| {
            let source = document.to_string();
            let all = || secrets.iter().chain(&tokens);
            // What the documents themselves say is no secret.
            prop_assume!(!all().any(|secret| source.contains(secret.trim())));
            for text in seen(&source, &secrets, &tokens, status, &reached) {
                for secret in all() {
                    prop_assert!(!is_in(&text, secret), "{secret} in {text}\n{source}");
                }
            }
            Ok(())
        },
    );
    if let Err(error) = law {
        panic!("{error}");
    }
    // A law that is never reached holds always.
    for reached in [
        &reached.judged,
        &reached.given,
        &reached.object_body,
        &reached.shown_body,
    ] {
        assert!(reached.get() > 20, "{}", reached.get());
    }
}
