//! One evaluation for two readers.

use narthex_template::{
    Document, HostCall, HostError, HostFacts, HostFunction, Masked, Names, Read, Scope, Template, Value,
};
use serde_json::{Value as Json, json};
use std::sync::{Arc, Mutex};

fn names() -> Names {
    Names::new(["parameters", "temp"])
}

/// Hides the parameters, and the member `made` of `temp`.
fn hides(root: &str, member: Option<&str>) -> bool {
    root == "parameters" || root == "temp" && member.is_none_or(|member| member == "made")
}

fn both(masked: &Masked) -> (Json, Json) {
    let json = |value: &Value| value.to_json().unwrap_or_else(|| json!("undefined"));
    (json(&masked.value), json(&masked.shown))
}

fn scope(data: &Json) -> Scope<'_> {
    Scope::new(0).with_members(data.as_object().unwrap())
}

#[test]
fn a_hole_is_hidden_and_the_text_around_it_stays() {
    let data = json!({ "parameters": { "key": "s3cret", "n": 7, "empty": "", "null": null },
                       "temp": { "made": "s3cret!", "free": "free" } });
    for (template, value, shown) in [
        ("Bearer {{parameters.key}}", json!("Bearer s3cret"), json!("Bearer ***")),
        ("{{parameters.n}}", json!(7), json!("***")),
        ("{{temp.free}}/{{temp.made}}", json!("free/s3cret!"), json!("free/***")),
        ("{{if(true; temp.free; parameters.key)}}", json!("free"), json!("***")),
        ("{{get(temp; 'free')}}", json!("free"), json!("***")),
        ("{{temp.free}}", json!("free"), json!("free")),
        // What is missing is seen to be missing.
        ("[{{parameters.none}}{{parameters.empty}}]", json!("[]"), json!("[]")),
        ("{{parameters.none}}", json!("undefined"), json!("undefined")),
        ("{{parameters.null}}", json!(null), json!(null)),
    ] {
        let masked = Template::compile(template, &names())
            .unwrap()
            .evaluate_masked(&scope(&data), &hides)
            .unwrap();
        let hidden =
            template.contains("parameters.key") || template.contains("parameters.n}") || template.contains("temp.made");
        assert_eq!(
            !masked.hidden.is_empty(),
            hidden || template.contains("get("),
            "{template}"
        );
        assert_eq!(both(&masked), (value, shown), "{template}");
    }
}

#[test]
fn a_document_is_hidden_where_its_templates_are() {
    let data = json!({ "parameters": { "a": "s3cret", "b": 1 }, "temp": { "free": { "x": 1 } } });
    for (document, value, shown) in [
        (
            json!({ "a": "{{parameters.a}}", "b": ["x{{parameters.b}}", 2], "c": "{{parameters.none}}" }),
            json!({ "a": "s3cret", "b": ["x1", 2] }),
            json!({ "a": "***", "b": ["x***", 2] }),
        ),
        (
            json!({ "{{...}}": "{{parameters}}", "b": 2 }),
            json!({ "a": "s3cret", "b": 2 }),
            json!({ "{{...}}": "***", "b": 2 }),
        ),
        (
            json!({ "{{...}}": "{{temp.free}}" }),
            json!({ "x": 1 }),
            json!({ "x": 1 }),
        ),
        (
            json!({ "k-{{parameters.a}}": 1 }),
            json!({ "k-s3cret": 1 }),
            json!({ "k-***": 1 }),
        ),
    ] {
        let masked = Document::compile(&document, &names())
            .unwrap()
            .evaluate_masked(&scope(&data), &hides)
            .unwrap();
        assert_eq!(both(&masked), (value, shown), "{document}");
    }
}

#[test]
fn what_is_read_is_known_by_root_and_member() {
    let template = Template::compile(
        "{{a.b.c}}{{a[1]}}{{get(x; y.`z z`)}}{{if(a.b; !q; 1 + p.r[w.v])}}",
        &Names::new(["a", "x", "y", "q", "p", "w"]),
    );
    let reads: Vec<String> = template
        .unwrap()
        .reads()
        .into_iter()
        .map(|Read { root, member }| format!("{root}.{}", member.unwrap_or("*".to_owned())))
        .collect();
    assert_eq!(reads, ["a.*", "a.b", "p.r", "q.*", "w.v", "x.*", "y.z z"]);
    let document = json!({ "one": "{{parameters.a}}", "{{...}}": "{{temp}}", "two": ["x"] });
    let document = Document::compile(&document, &names()).unwrap();
    let members: Vec<(Option<&str>, usize)> = document
        .member_reads()
        .into_iter()
        .map(|(name, reads)| (name, reads.len()))
        .collect();
    assert_eq!(members, [(Some("one"), 1), (None, 1), (Some("two"), 0)]);
}

#[derive(Debug)]
struct Double;

impl HostFunction for Double {
    fn name(&self) -> &'static str {
        "double"
    }

    fn parameters(&self) -> &[&'static str] {
        &["text"]
    }

    fn call(&self, arguments: &[&Value], _: &HostFacts) -> Result<Value, HostError> {
        let text = arguments.first().unwrap().to_text().unwrap();
        Ok(Value::Text(format!("{text}{text}")))
    }
}

#[test]
fn an_observer_is_told_of_every_call_once() {
    let template = Template::compile(
        "{{double(double('a'))}}",
        &Names::default().with_function(Arc::new(Double)),
    );
    let seen = Mutex::new(Vec::new());
    let observer = |call: &HostCall<'_>| {
        let result = call.result.as_text().unwrap_or_default().to_owned();
        seen.lock().unwrap().push(format!("{} {result}", call.function));
    };
    let value = template
        .unwrap()
        .evaluate_masked(&Scope::new(0).with_observer(&observer), &hides);
    assert_eq!(value.unwrap().value, Value::from("aaaa"));
    assert_eq!(*seen.lock().unwrap(), ["double aa", "double aaaa"]);
}
