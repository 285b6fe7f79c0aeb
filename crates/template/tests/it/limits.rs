//! A template cannot take the machine with it.

use narthex_template::{Document, Fault, Limits, Names, ProblemKind, Scope, Template};
use serde_json::{Value as Json, json};

fn fault(source: &str, limits: Limits, payload: &Json) -> Fault {
    let template = Template::compile(source, &Names::new(["payload"]).with_limits(limits)).unwrap();
    template
        .evaluate(&Scope::new(0).with_json("payload", payload))
        .unwrap_err()
        .fault()
        .clone()
}

#[test]
fn fuel_runs_out() {
    let limits = Limits {
        fuel: 10,
        ..Limits::default()
    };
    let sum = format!("{{{{{}1}}}}", "1 + ".repeat(20));
    assert_eq!(fault(&sum, limits, &json!({})), Fault::OutOfFuel { fuel: 10 });
}

#[test]
fn reading_a_long_list_costs_fuel() {
    let limits = Limits {
        fuel: 100,
        ..Limits::default()
    };
    let payload = json!({"list": vec![1; 1000]});
    for source in [
        "{{join(payload.list)}}",
        "{{payload.list}}",
        "{{contains(payload.list; 2)}}",
        "{{sum(payload.list)}}",
        "x{{payload.list}}",
    ] {
        assert_eq!(
            fault(source, limits, &payload),
            Fault::OutOfFuel { fuel: 100 },
            "{source}"
        );
    }
}

#[test]
fn results_cannot_grow_without_end() {
    let payload = json!({"t": "a".repeat(4_000)});
    let doubled = (0..20).fold("payload.t".to_owned(), |inner, _| {
        format!("replace({inner}; \"/a/g\"; \"aa\")")
    });
    let sources = [
        format!("{{{{{doubled}}}}}"),
        "{{replace(payload.t; \"/a/g\"; payload.t)}}".to_owned(),
        format!("{{{{replace(payload.t; \"/a/g\"; \"{}\")}}}}", "$`$'".repeat(1000)),
        format!("{{{{replace(payload.t; \"a\"; \"{}\")}}}}", "$'".repeat(4000)),
        format!(
            "{{{{formatNumber(1e300; 2; \".\"; payload.t)}}}}{}",
            "{{payload.t}}".repeat(300)
        ),
    ];
    for source in sources {
        let limits = Limits {
            fuel: u64::MAX,
            made_bytes: 256 * 1024,
            ..Limits::default()
        };
        assert_eq!(
            fault(&source, limits, &payload),
            Fault::TooLarge {
                bytes: limits.made_bytes
            }
        );
    }
}

#[test]
fn nesting_is_refused_before_the_stack_ends() {
    let names = Names::new(["payload"]).with_limits(Limits {
        depth: usize::MAX,
        ..Limits::default()
    });
    for (open, close) in [("(", ")"), ("!", ""), ("-", ""), ("lower(", ")"), ("payload[", "]")] {
        let source = format!("{{{{{}1{}}}}}", open.repeat(5_000), close.repeat(5_000));
        let error = Template::compile(&source, &names).unwrap_err();
        assert!(
            matches!(error.problems()[0].kind, ProblemKind::TooDeep { .. }),
            "{open}"
        );
        let source = format!("{{{{{}1{}}}}}", open.repeat(120), close.repeat(120));
        let template = Template::compile(&source, &names).unwrap();
        template.evaluate(&Scope::new(0)).unwrap();
    }
}

#[test]
fn long_chains_are_not_deep() {
    let payload = json!({});
    let sum = format!("{{{{{}0}}}}", "1 + ".repeat(10_000));
    let path = format!("{{{{payload{}}}}}", ".a".repeat(10_000));
    let names = Names::new(["payload"]);
    let sum = Template::compile(&sum, &names)
        .unwrap()
        .evaluate(&Scope::new(0))
        .unwrap();
    assert_eq!(sum.to_json(), Some(json!(10_000)));
    let path = Template::compile(&path, &names).unwrap();
    assert!(
        path.evaluate(&Scope::new(0).with_json("payload", &payload))
            .unwrap()
            .to_json()
            .is_none()
    );
}

#[test]
fn sources_have_a_longest_length() {
    let names = Names::default().with_limits(Limits {
        source_bytes: 10,
        ..Limits::default()
    });
    let error = Template::compile("12345678901", &names).unwrap_err();
    assert_eq!(error.problems()[0].kind, ProblemKind::TooLong { bytes: 11, limit: 10 });
    assert!(Template::compile("1234567890", &names).is_ok());
}

#[test]
fn a_document_shares_one_allowance() {
    let limits = Limits {
        fuel: 150,
        ..Limits::default()
    };
    let names = Names::new(["payload"]).with_limits(limits);
    let small = Document::compile(&json!(vec!["{{1 + 1}}"; 5]), &names).unwrap();
    assert!(small.evaluate(&Scope::new(0)).is_ok());
    let large = Document::compile(&json!(vec!["{{1 + 1}}"; 50]), &names).unwrap();
    let error = large.evaluate(&Scope::new(0)).unwrap_err();
    assert_eq!(*error.error.fault(), Fault::OutOfFuel { fuel: 150 });
    assert!(error.pointer.starts_with('/'));
}

#[test]
fn documents_have_a_greatest_depth() {
    let nested = |levels| {
        (0..levels).fold(json!("{{1}}"), |inner, level| match level % 2 {
            0 => Json::Array(vec![inner]),
            _ => Json::Object([("a".to_owned(), inner)].into_iter().collect()),
        })
    };
    let names = Names::default().with_limits(Limits {
        depth: 10,
        ..Limits::default()
    });
    assert!(Document::compile(&nested(10), &names).is_ok());
    let error = Document::compile(&nested(11), &names).unwrap_err();
    assert_eq!(error.templates.len(), 1);
    assert_eq!(
        error.templates[0].1.problems()[0].kind,
        ProblemKind::TooDeep { limit: 10 }
    );
    let boundless = Names::default().with_limits(Limits {
        depth: usize::MAX,
        ..Limits::default()
    });
    assert!(Document::compile(&nested(2_000), &boundless).is_err());
}
