//! The document of Make's documentation, unchanged, gives the token of npm `jsonwebtoken`.

use narthex_connection::{Connection, Inputs, Limits, Run, Step};
use narthex_template::Zone;
use serde_json::{Value as Json, json};

use crate::support::facts;

const SEED: &str = include_str!("../documents/make_jwt.json");

#[test]
fn the_document_of_the_documentation_gives_the_token_of_the_library() {
    let vectors: Json = serde_json::from_str(include_str!("../../../mint/tests/vectors/jwt_sign.json")).unwrap();
    let cases = vectors["cases"].as_array().unwrap();
    let case = cases
        .iter()
        .find(|case| case["name"] == "make doc example: HS512 with header.kid")
        .unwrap();
    let connection = Connection::compile(SEED, &Limits::default()).unwrap();
    assert_eq!(
        connection.parameter_names().collect::<Vec<_>>(),
        ["clientId", "clientSecret"]
    );
    let mut inputs = Inputs::default();
    inputs.parameters.insert("clientId".to_owned(), json!("my-client-id"));
    inputs
        .parameters
        .insert("clientSecret".to_owned(), json!("my-client-secret"));
    let zone = Zone::utc();
    let mut run = Run::new(&connection, inputs);
    let Step::Send(request) = run.next(&facts(&zone)).unwrap() else {
        panic!()
    };
    let expected = format!("Bearer {}", case["expected_token"].as_str().unwrap());
    assert_eq!(request.url, "https://mock.api/connect");
    assert_eq!(request.headers, [("Authorization".to_owned(), expected)]);
}
