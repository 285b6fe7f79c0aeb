//! What an attacker may try with a document, its inputs, or the answers of a service.

use narthex_connection::{Connection, Inputs, Limits, Request, Response, Run, RunError, Step};
use narthex_template::Zone;
use serde_json::{Value as Json, json};

use crate::support::facts;

fn run(document: &Json, limits: &Limits, inputs: Inputs) -> Run {
    Run::new(&Connection::compile(&document.to_string(), limits).unwrap(), inputs)
}

fn sent(run: &mut Run) -> Result<Request, RunError> {
    match run.next(&facts(&Zone::utc()))? {
        Step::Send(request) => Ok(*request),
        other => panic!("{other:?}"),
    }
}

fn answered(run: &mut Run, status: u16, kind: &str, body: &str) -> Result<(), RunError> {
    let response = Response {
        status,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: body.as_bytes().to_vec(),
    };
    run.answer(&response, &facts(&Zone::utc()))
}

fn with_parameter(value: Json) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.parameters.insert("x".to_owned(), value);
    inputs
}

fn redacted_response(run: &Run) -> String {
    format!("{:?}", run.redacted_response().unwrap())
}

const JSON: &str = "application/json";

#[test]
fn sec_shown_a_stored_token_is_not_shown() {
    // The path hides something else; the token is known only after `data` was read.
    let mut document = json!({
        "url": "https://a.test/", "log": { "sanitize": ["response.body.x"] },
        "response": { "data": { "token": "{{body.access_token}}", "pin": "{{body.pin}}" } },
    });
    let body = r#"{"access_token":"at-12345678","pin":471199,"x":1,"seen":"at-12345678"}"#;
    let mut good = run(&document, &Limits::default(), Inputs::default());
    sent(&mut good).unwrap();
    answered(&mut good, 200, JSON, body).unwrap();
    let shown = redacted_response(&good);
    assert!(shown.contains("seen") && shown.contains("***"), "{shown}");
    assert!(!shown.contains("at-12345678") && !shown.contains("471199"), "{shown}");
    // It is stored or it is not, but it is a token.
    document["response"]["expires"] = json!("{{body.x}}");
    let mut bad = run(&document, &Limits::default(), Inputs::default());
    sent(&mut bad).unwrap();
    answered(&mut bad, 200, JSON, body).unwrap_err();
    let shown = redacted_response(&bad);
    assert!(shown.contains("seen") && !shown.contains("at-12345678"), "{shown}");
    // Nor is what another request was given.
    let document = json!({
        "url": "https://a.test/", "log": { "sanitize": ["response.body.x"] },
        "response": { "temp": { "pin": "{{body.pin}}", "code": "{{body.code}}" }, "error": "{{body.seen}}" },
    });
    let mut failed = run(&document, &Limits::default(), Inputs::default());
    sent(&mut failed).unwrap();
    let body = r#"{"pin":4711,"code":"k3y!5","seen":"4711 or k3y!5"}"#;
    let error = answered(&mut failed, 400, JSON, body).unwrap_err();
    assert_eq!(error.to_string(), "*** or ***");
    assert!(
        !redacted_response(&failed).contains("k3y!5"),
        "{}",
        redacted_response(&failed)
    );
}

#[test]
fn sec_shown_a_path_of_the_request_does_not_open_the_response() {
    let document = json!({ "url": "https://a.test/", "log": { "sanitize": ["request.headers.authorization"] } });
    let mut run = run(&document, &Limits::default(), Inputs::default());
    sent(&mut run).unwrap();
    answered(&mut run, 200, JSON, r#"{"access_token":"at-12345678"}"#).unwrap();
    let shown = run.redacted_response().unwrap();
    assert_eq!((shown.status, shown.headers.len(), &shown.body), (200, 0, &None));
}

#[test]
fn sec_shown_a_path_that_meets_text_hides_all_of_it() {
    let document = json!({
        "url": "https://a.test/", "method": "POST", "type": "text", "body": "pin=4711-0815",
        "headers": { "x": "literal-one", "n": null },
        "log": { "sanitize": ["request.body.pin", "request.headers.x.y", "response.body.token"] },
    });
    let mut run = run(&document, &Limits::default(), Inputs::default());
    let request = sent(&mut run).unwrap();
    assert_eq!(request.redacted().body.as_deref(), Some("***"));
    assert_eq!(request.redacted().headers, [("X".to_owned(), "***".to_owned())]);
    assert_eq!(request.body, b"pin=4711-0815");
    answered(&mut run, 200, "text/plain", "token=at-12345678").unwrap();
    assert_eq!(run.redacted_response().unwrap().body.as_deref(), Some("***"));
}

#[test]
fn sec_shown_messages_are_masked_before_they_are_quoted_and_cut() {
    // A quote in a secret is escaped where a message quotes the URL.
    let document = json!({ "url": "{{temp.u}}", "temp": { "u": "{{get(createCollection('a'; parameters.x); 'a')}}" } });
    for document in [
        document,
        json!({ "url": "https://a.test/", "headers": { "{{parameters.x}} y": "a" } }),
    ] {
        let Ok(connection) = Connection::compile(&document.to_string(), &Limits::default()) else {
            continue;
        };
        let mut run = Run::new(&connection, with_parameter(json!("s'ecret\u{301}-'7")));
        let error = sent(&mut run).unwrap_err().to_string();
        assert!(!error.contains("ecret"), "{error}");
    }
    // A secret at the end of what is told of a message.
    let document = json!({ "url": "https://a.test/", "response": { "error": "{{body}}" } });
    let mut run = run(
        &document,
        &Limits::default(),
        with_parameter(json!("s3cret-at-the-edge")),
    );
    sent(&mut run).unwrap();
    let body = format!("{}s3cret-at-the-edge", "x".repeat(4_090));
    let error = answered(&mut run, 400, "text/plain", &body).unwrap_err().to_string();
    assert!(error.ends_with("x***\u{2026}"), "{}", error.trim_start_matches('x'));
}

#[test]
fn sec_dos_a_run_has_limits_of_its_own() {
    let limits = Limits {
        sends: 3,
        secret_bytes: 200,
        response_values: 5,
        ..Limits::default()
    };
    // Requests, repeated ones included.
    let list = json!([{ "url": "https://a.test/" }, { "url": "https://a.test/", "repeat": { "condition": true, "delay": 1, "limit": 9 } }]);
    let mut often = run(&list, &limits, Inputs::default());
    let mut count = 0;
    let error = loop {
        match often.next(&facts(&Zone::utc())) {
            Ok(Step::Send(_)) => count += 1,
            Ok(Step::Wait { .. }) => continue,
            Ok(other) => panic!("{other:?}"),
            Err(error) => break error,
        }
        answered(&mut often, 200, JSON, "{}").unwrap();
    };
    assert_eq!(count, 3);
    assert!(error.to_string().contains("3 requests at most"), "{error}");

    // What is given, and what is kept.
    let inputs = with_parameter(json!(["x".repeat(150), 1, null]));
    limits.check_secrets(&inputs).unwrap();
    let large = with_parameter(json!({ "y": ["x".repeat(100), "x".repeat(100)] }));
    let error = limits.check_secrets(&large).unwrap_err();
    assert!(error.to_string().contains("200 are allowed"), "{error}");
    let document = json!({ "url": "https://a.test/", "response": { "data": { "a": "{{body.a}}" } } });
    assert!(matches!(
        sent(&mut run(&document, &limits, large)),
        Err(RunError::Secrets(_))
    ));
    let mut kept = run(&document, &limits, inputs);
    sent(&mut kept).unwrap();
    let error = answered(&mut kept, 200, JSON, &json!({ "a": "y".repeat(50) }).to_string()).unwrap_err();
    assert!(matches!(error, RunError::Secrets(_)), "{error}");
    assert!(!error.to_string().contains("yyy"), "{error}");

    // Values of an answer.
    for (kind, body, is_ok) in [
        (JSON, "[0,0,0,0]", true),
        (JSON, r#"{"a":"[,,,\",,,]","b":[1]}"#, true),
        (JSON, "[0,0,0,0,0]", false),
        (JSON, "[[[[[[]]]]]]", false),
        ("application/x-www-form-urlencoded", "a&a&a", true),
        ("application/x-www-form-urlencoded", "a&a&a&a&a&a", false),
        ("text/plain", "[0,0,0,0,0,0,0]", true),
    ] {
        let mut run = run(&document, &limits, Inputs::default());
        sent(&mut run).unwrap();
        match answered(&mut run, 200, kind, body) {
            Ok(()) => assert!(is_ok, "{body}"),
            Err(error) => {
                assert!(!is_ok, "{body}: {error}");
                assert_eq!(
                    error.to_string(),
                    "the response cannot be read: it has more than 5 values"
                );
            }
        }
    }
    // Two million values of two bytes each are refused unread.
    let mut many = run(&document, &Limits::default(), Inputs::default());
    sent(&mut many).unwrap();
    let error = answered(&mut many, 200, JSON, &format!("[0{}]", ",0".repeat(2_000_000))).unwrap_err();
    assert!(error.to_string().contains("more than 200000 values"), "{error}");
}

#[test]
fn sec_minted_names_are_masked_and_few() {
    let members: serde_json::Map<String, Json> = (0..100).map(|number| (format!("c{number:03}"), json!(1))).collect();
    let document = json!({
        "url": "https://a.test/", "temp": { "p": members },
        "headers": { "a": "{{jwt(parameters.x; 'key')}}", "b": "{{jwt(temp.p; 'key')}}" },
    });
    let mut inputs = with_parameter(json!({ "s3cret-name": 1 }));
    inputs.common.insert("y".to_owned(), json!("s3cret-name"));
    let mut minting = run(&document, &Limits::default(), inputs);
    sent(&mut minting).unwrap();
    let [first, second] = minting.minted() else { panic!() };
    assert!(first.claim_names.contains(&"***".to_owned()), "{first:?}");
    assert!(!format!("{first:?}").contains("s3cret"), "{first:?}");
    assert_eq!(second.claim_names.len(), 65);
    assert_eq!(
        second.claim_names.last().map(String::as_str),
        Some("\u{2026} and 37 more")
    );

    // A token was minted, whatever came of the answer.
    for response in [
        json!({ "error": "{{jwt(body; parameters.x)}}{{parseNumber('x'; '.')}}" }),
        json!({ "data": { "a": "{{jwt(body; parameters.x)}}" }, "expires": "no date" }),
        json!({ "temp": { "a": "{{jwt(body; parameters.x)}}" }, "valid": false }),
        json!({ "valid": "{{if(jwt(body; parameters.x); false; false)}}" }),
    ] {
        let document = json!({ "url": "https://a.test/", "response": response });
        let mut failed = run(&document, &Limits::default(), with_parameter(json!("key of this run")));
        sent(&mut failed).unwrap();
        let status = if response.get("error").is_some() { 400 } else { 200 };
        answered(&mut failed, status, JSON, r#"{"sub":"a"}"#).unwrap_err();
        let [minted] = failed.minted() else {
            panic!("{response}")
        };
        assert_eq!(minted.claim_names, ["sub", "iat"], "{response}");
    }
}

#[test]
fn sec_fragment_in_a_query_is_an_error() {
    let document = |encode: bool| json!({ "url": "https://a.test/?q=1", "encodeUrl": encode, "qs": { "a": "{{parameters.x}}", "b": "2" } });
    let mut as_written = run(&document(false), &Limits::default(), with_parameter(json!("1#")));
    let error = sent(&mut as_written).unwrap_err().to_string();
    assert!(error.starts_with("at `/qs`: a `#` in `qs`"), "{error}");
    let mut encoded = run(&document(true), &Limits::default(), with_parameter(json!("1#")));
    assert_eq!(sent(&mut encoded).unwrap().url, "https://a.test/?a=1%23&b=2");
}

#[test]
fn a_multipart_content_type_of_the_document_gets_its_boundary() {
    let document = json!({
        "url": "https://a.test/", "method": "POST", "type": "multipart/form-data", "body": { "a": "1" },
        "headers": { "content-type": "multipart/form-data" },
    });
    let request = sent(&mut run(&document, &Limits::default(), Inputs::default())).unwrap();
    let (_, value) = request.headers.iter().find(|(name, _)| name == "Content-Type").unwrap();
    let boundary = value.strip_prefix("multipart/form-data; boundary=").unwrap();
    assert!(request.body.starts_with(format!("--{boundary}\r\n").as_bytes()));
}

/// What people see and what lies in the database in clear: neither a secret nor a part of one, from wherever it comes.
#[test]
fn sec_uid_metadata_and_names_hold_no_secret() {
    const SECRET: &str = "alpha7-bravo8-charlie9";
    let parts = ["alpha7", "bravo8", "charlie9"];
    let free_of = |text: &str| parts.iter().all(|part| !text.contains(part));
    for template in [
        "{{parameters.x}}",
        "id {{parameters.x}}",
        "{{get(split(parameters.x; \"-\"); 2)}}",
        "{{substring(parameters.x; 0; 6)}}",
        "{{join(split(parameters.x; \"-\"); \"/\")}}",
        "{{temp.part}}",
        "{{body.echo}}",
        "{{headers.`x-echo`}}",
        "{{base64(parameters.x)}}",
        "{{data.kept}}",
    ] {
        let document = json!({
            "url": "https://a.test/",
            "temp": { "part": "{{get(split(parameters.x; \"-\"); 1)}}" },
            "response": {
                "uid": template, "metadata": { "type": "text", "value": template },
                "data": { template: 1, "kept": "{{parameters.x}}" },
            },
        });
        let mut inputs = with_parameter(json!(SECRET));
        inputs.data.insert("kept".to_owned(), json!(SECRET));
        let mut run = run(&document, &Limits::default(), inputs);
        sent(&mut run).unwrap();
        let response = Response {
            status: 200,
            headers: vec![
                ("content-type".to_owned(), JSON.to_owned()),
                ("x-echo".to_owned(), SECRET.to_owned()),
            ],
            body: json!({ "echo": SECRET, "id": "ann" }).to_string().into_bytes(),
        };
        run.answer(&response, &facts(&Zone::utc())).unwrap();
        let Step::Done(outcome) = run.next(&facts(&Zone::utc())).unwrap() else {
            panic!("it is not done");
        };
        let told = format!("{:?} {:?} {:?}", outcome.uid, outcome.metadata, outcome.names);
        assert!(free_of(&told) && told.contains("***"), "{template}: {told}");
        assert!(!told.contains("YWxwaGE3"), "{template}: {told}");
        assert!(outcome.names.contains("kept") && !outcome.data.is_empty());
    }
}

/// A part of a secret in the message of an error, by the document's words or by the library's.
#[test]
fn sec_messages_hold_no_part_of_a_secret() {
    for (template, status) in [
        ("no {{get(split(parameters.x; \"-\"); 2)}}", 400),
        ("{{substring(parameters.x; 0; 6)}}", 400),
        ("{{temp.part}} {{body.why}}", 400),
        ("{{sha256(\"x\"; get(split(parameters.x; \"-\"); 2))}}", 400),
    ] {
        let document = json!({
            "url": "https://a.test/",
            "temp": { "part": "{{get(split(parameters.x; \"-\"); 1)}}" },
            "response": { "error": template },
        });
        let mut run = run(
            &document,
            &Limits::default(),
            with_parameter(json!("alpha7-bravo8-charlie9")),
        );
        sent(&mut run).unwrap();
        let error = answered(&mut run, status, JSON, r#"{"why":"no such thing"}"#).unwrap_err();
        let told = format!("{error} {}", error.render());
        assert!(
            !told.contains("alpha7") && !told.contains("bravo8"),
            "{template}: {told}"
        );
        if template.contains("body") {
            assert!(told.contains("no such thing"), "what the service says is told: {told}");
        }
    }
    // The library's message quotes the algorithm.
    let document = json!({
        "url": "https://a.test/",
        "temp": {
            "claims": { "sub": "ann" },
            "options": { "header": { "alg": "{{get(split(parameters.x; \"-\"); 2)}}" } },
        },
        "headers": { "a": "{{jwt(temp.claims; \"key\"; undefined; temp.options)}}" },
    });
    let mut run = run(
        &document,
        &Limits::default(),
        with_parameter(json!("alpha7-bravo8-charlie9")),
    );
    let error = sent(&mut run).unwrap_err();
    let told = format!("{error} {}", error.render());
    assert!(told.contains("***") && !told.contains("bravo8"), "{told}");
}
