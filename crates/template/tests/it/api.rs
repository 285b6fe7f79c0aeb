//! The public face.

use std::sync::Arc;

use narthex_template::{
    Document, Fault, HostError, HostFacts, HostFunction, Names, Object, ProblemKind, Scope, Template, Value, Zone,
};
use serde_json::json;

/// Gives its arguments and the time back as text; fails on an empty text.
#[derive(Debug)]
struct Echo;

impl HostFunction for Echo {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn parameters(&self) -> &[&'static str] {
        &["payload", "secret", "[algorithm]"]
    }

    fn call(&self, arguments: &[&Value], facts: &HostFacts) -> Result<Value, HostError> {
        if arguments.iter().any(|argument| argument.as_text() == Some("")) {
            return Err(HostError {
                message: "secretOrPrivateKey must have a value".to_owned(),
                help: Some("check the name"),
            });
        }
        let shown: Vec<_> = arguments
            .iter()
            .map(|argument| argument.to_json_text().unwrap_or_default())
            .collect();
        Ok(Value::from(format!("{}@{}", shown.join("|"), facts.now_ms)))
    }
}

#[test]
fn sec_dos_calls_of_a_host_function_cost_fuel_of_their_own() {
    let names = Names::new(["temp"]).with_function(Arc::new(Echo));
    let evaluated = |calls: usize| {
        let source = "{{echo(1; 2)}}".repeat(calls);
        Template::compile(&source, &names).unwrap().evaluate(&Scope::new(0))
    };
    // Dozens of tokens in one document, but not thousands.
    assert!(evaluated(100).is_ok());
    assert!(matches!(evaluated(250).unwrap_err().fault(), Fault::OutOfFuel { .. }));
    // What they give counts as made.
    let payload = json!({ "t": "a".repeat(1_000_000) });
    let names = Names::new(["temp"]).with_function(Arc::new(Echo));
    let source = format!(
        "{{{{length(join(add(emptyarray; {}); ''))}}}}",
        ["echo(temp.t; 1)"; 5].join("; ")
    );
    let error = Template::compile(&source, &names)
        .unwrap()
        .evaluate(&Scope::new(0).with_json("temp", &payload))
        .unwrap_err();
    assert!(matches!(error.fault(), Fault::TooLarge { .. }), "{error}");
}

#[test]
fn a_host_function_is_compiled_and_called() {
    let names = Names::new(["temp"]).with_function(Arc::new(Echo));
    let payload = json!({"jwt": {"iat": 1}});
    let scope = Scope::new(5).with_json("temp", &payload);
    let value = |source: &str| Template::compile(source, &names).unwrap().evaluate(&scope);

    assert_eq!(
        value("Bearer {{echo(temp.jwt, 's')}}").unwrap(),
        Value::from("Bearer {\"iat\":1}|\"s\"@5")
    );
    let error = value("{{echo(temp.jwt, '')}}").unwrap_err();
    assert_eq!(
        *error.fault(),
        Fault::Host {
            message: "secretOrPrivateKey must have a value".to_owned(),
            help: Some("check the name"),
        }
    );
    assert_eq!(error.span(), 2..20);

    let error = Template::compile("{{ecko(1, 2)}} {{echo(1)}} {{echo(1,2,3,4)}}", &names).unwrap_err();
    let kinds: Vec<_> = error.problems().iter().map(|problem| problem.kind.clone()).collect();
    assert!(matches!(&kinds[0], ProblemKind::UnknownFunction { help, .. } if help == "did you mean `echo`?"));
    assert!(matches!(&kinds[1], ProblemKind::ArgumentCount { expected, .. } if expected == "2 or 3 arguments"));
    assert!(matches!(&kinds[2], ProblemKind::ArgumentCount { given: 4, .. }));
}

#[test]
fn the_roots_of_a_template_are_known() {
    let names = Names::new(["payload", "body", "query"]);
    let template = Template::compile("{{if(payload.a; query[body.n]; payload.b)}}{{body.x}}", &names).unwrap();
    assert_eq!(template.roots().collect::<Vec<_>>(), ["body", "payload", "query"]);
    assert!(template.references("body"));
    let document = Document::compile(&json!({"a": ["{{payload.x}}"], "{{query.k}}": 1}), &names).unwrap();
    assert!(document.references("payload") && document.references("query") && !document.references("body"));
}

#[test]
fn templates_are_shared_between_threads() {
    fn shared<T: Send + Sync + Clone + 'static>(_: &T) {}
    let template = Template::compile("{{payload.sub}}", &Names::new(["payload"])).unwrap();
    shared(&template);
    let threads: Vec<_> = (0..4)
        .map(|number| {
            let template = template.clone();
            std::thread::spawn(move || {
                let payload = json!({"sub": number});
                template
                    .evaluate(&Scope::new(0).with_json("payload", &payload))
                    .unwrap()
                    .to_json()
            })
        })
        .collect();
    for (number, thread) in threads.into_iter().enumerate() {
        assert_eq!(thread.join().unwrap(), Some(json!(number)));
    }
}

#[test]
fn randomness_comes_from_the_caller() {
    let names = Names::default();
    let ones = |bytes: &mut [u8]| bytes.fill(0xff);
    let scope = Scope::new(0).with_random(&ones);
    let value = |source: &str| Template::compile(source, &names).unwrap().evaluate(&scope).unwrap();
    assert_eq!(value("{{uuid}}"), Value::from("ffffffff-ffff-4fff-bfff-ffffffffffff"));
    assert_eq!(value("{{random}}"), Value::Number(1.0 - f64::EPSILON / 2.0));
    assert_eq!(value("{{random < 1}}"), Value::Bool(true));
    let none = Template::compile("{{random}}", &names)
        .unwrap()
        .evaluate(&Scope::new(0))
        .unwrap_err();
    assert_eq!(*none.fault(), Fault::NoRandom { name: "random" });
}

#[test]
fn values_of_earlier_templates_are_roots() {
    let mut temp = Object::new();
    temp.insert("at".to_owned(), Value::Date(1_700_000_000_123));
    temp.insert("bytes".to_owned(), Value::Binary(b"abc".to_vec()));
    let names = Names::new(["temp", "data"]);
    let date = Value::Date(0);
    let scope = Scope::new(0).with_object("temp", &temp).with_value("data", &date);
    let value = |source: &str| Template::compile(source, &names).unwrap().evaluate(&scope).unwrap();
    assert_eq!(value("{{temp.at}}"), Value::Date(1_700_000_000_123));
    assert_eq!(value("{{temp.at - data}}"), Value::Number(1_700_000_000_123.0));
    assert_eq!(value("{{base64(temp.bytes)}} {{temp.bytes}}"), Value::from("YWJj abc"));
    assert_eq!(value("{{temp.bytes}}").to_json(), Some(json!("YWJj")));
}

#[test]
fn messages_never_contain_values() {
    let payload = json!({"secret": "hunter2", "number": 77777});
    let names = Names::new(["payload"]);
    for function in narthex_template::functions() {
        for arguments in 1..4 {
            let source = format!(
                "{{{{{}({})}}}}",
                function.name,
                vec!["payload.secret"; arguments].join(";")
            );
            let Ok(template) = Template::compile(&source, &names) else {
                continue;
            };
            if let Err(error) = template.evaluate(&Scope::new(0).with_json("payload", &payload)) {
                assert!(
                    !format!("{error} {error:?} {}", error.render()).contains("hunter2"),
                    "{source}"
                );
            }
        }
    }
    let scope = Scope::new(0).with_json("payload", &payload);
    assert!(!format!("{scope:?}").contains("hunter2"));
}

#[test]
fn zones_have_tz_database_names() {
    assert!(Zone::named("Europe/Prague").is_some());
    assert!(Zone::named("europe/prague").is_some());
    assert!(Zone::named("Europe/Atlantis").is_none());
    assert!(Zone::named("").is_none());
}
