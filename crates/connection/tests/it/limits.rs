//! Everything has a limit, and says so.

use narthex_connection::{Connection, Inputs, Limits, Response, Run, RunError, Step};
use narthex_template::Zone;
use serde_json::{Value as Json, json};

use crate::support::facts;

/// Why a document's first request, or the answer to it, is refused.
fn refused(document: &Json, limits: Limits, response: &Response) -> String {
    let connection = match Connection::compile(&document.to_string(), &limits) {
        Ok(connection) => connection,
        Err(problems) => return problems.to_string(),
    };
    let zone = Zone::utc();
    let mut inputs = Inputs::default();
    inputs.parameters.insert("x".to_owned(), json!("x".repeat(100)));
    let mut run = Run::new(&connection, inputs);
    let error = match run.next(&facts(&zone)) {
        Ok(Step::Send(_)) => run.answer(response, &facts(&zone)).unwrap_err(),
        Ok(other) => panic!("{other:?}"),
        Err(error) => error,
    };
    // An error ends a run for good.
    assert!(matches!(run.next(&facts(&zone)), Err(RunError::NothingSent)));
    assert!(matches!(
        run.answer(response, &facts(&zone)),
        Err(RunError::NothingSent)
    ));
    error.to_string()
}

#[test]
fn sec_dos_documents_and_requests_have_limits() {
    let url = "http://example.com/";
    let list: Vec<Json> = (0..3).map(|_| json!({ "url": url })).collect();
    for (document, limits, said) in [
        (
            json!({ "url": url, "body": "x".repeat(200) }),
            Limits {
                document_bytes: 100,
                ..Limits::default()
            },
            "more than the 100 allowed",
        ),
        (
            json!(list),
            Limits {
                requests: 2,
                ..Limits::default()
            },
            "a list of requests has 1 to 2 of them, not 3",
        ),
        (
            json!({ "url": url, "headers": { "a": [1, 2], "b": 3 } }),
            Limits {
                headers: 2,
                ..Limits::default()
            },
            "more than 2 headers",
        ),
        (
            json!({ "url": "http://example.com/{{parameters.x}}" }),
            Limits {
                url_bytes: 50,
                ..Limits::default()
            },
            "the URL has more than 50 bytes",
        ),
        (
            json!({ "url": url, "headers": { "a": "{{parameters.x}}" } }),
            Limits {
                header_bytes: 50,
                ..Limits::default()
            },
            "more than 50 bytes",
        ),
        (
            json!({ "url": url, "method": "POST", "body": "{{parameters.x}}" }),
            Limits {
                request_bytes: 50,
                ..Limits::default()
            },
            "the body has more than 50 bytes",
        ),
        (
            json!({ "url": url, "repeat": { "condition": true, "limit": 6 } }),
            Limits {
                repeats: 5,
                ..Limits::default()
            },
            "from 0 to 5",
        ),
    ] {
        let error = refused(&document, limits, &Response::default());
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn sec_dos_answers_have_limits() {
    let answer = |body: &str, kind: &str| Response {
        status: 200,
        headers: vec![("content-type".to_owned(), kind.to_owned())],
        body: body.as_bytes().to_vec(),
    };
    let document = json!({ "url": "http://example.com/", "response": { "type": "xml" } });
    let tight = Limits {
        response_bytes: 100,
        xml_depth: 2,
        xml_nodes: 5,
        ..Limits::default()
    };
    for (body, said) in [
        ("x".repeat(101), "more than 100 bytes"),
        ("<a><b><c/></b></a>".to_owned(), "nested too deeply"),
        ("<a><b/><b/><b/><b/><b/></a>".to_owned(), "it is not XML"),
    ] {
        let error = refused(&document, tight, &answer(&body, "text/xml"));
        assert!(error.contains(said), "{said}: {error}");
    }
    // JSON nested without end is no JSON, and nothing worse.
    let document = json!({ "url": "http://example.com/", "response": { "type": "json" } });
    let error = refused(
        &document,
        Limits::default(),
        &answer(&"[".repeat(100_000), "application/json"),
    );
    assert!(error.contains("it is not JSON"), "{error}");
}

#[test]
fn what_is_shown_of_a_body_has_an_end() {
    let limits = Limits {
        shown_bytes: 10,
        ..Limits::default()
    };
    let document = json!({ "url": "http://a.test/", "method": "POST", "type": "text", "body": "a\u{e9}".repeat(50) });
    let connection = Connection::compile(&document.to_string(), &limits).unwrap();
    let zone = Zone::utc();
    let Ok(Step::Send(request)) = Run::new(&connection, Inputs::default()).next(&facts(&zone)) else {
        panic!()
    };
    assert_eq!(request.redacted().body.as_deref(), Some("a\u{e9}a\u{e9}a\u{e9}a…"));
    assert_eq!(request.body.len(), 150);
}
