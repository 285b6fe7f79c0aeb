//! Choosing between values and reaching into them.

use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::{Outcome, Run};
use crate::program::Node;
use crate::value::{Object, Value};
use crate::view::{Fields, Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::General,
        "if",
        &["condition", "then", "[else]"],
        "the second argument if the first is true, else the third; only the one that is needed is evaluated",
        &[
            example("{{if(a > 1; \"many\"; \"one\")}}", r#"{"a":2}"#, "\"many\""),
            example("{{if(a; 1)}}", r#"{"a":""}"#, "undefined"),
        ],
        Action::Lazy(if_),
    ),
    row(
        Group::General,
        "ifempty",
        &["value", "otherwise"],
        "the first argument, or the second if the first is undefined, null or empty text",
        &[
            example("{{ifempty(a; \"none\")}}", r#"{"a":""}"#, "\"none\""),
            example("{{ifempty(a; 5)}}", r#"{"a":0}"#, "0"),
        ],
        Action::Lazy(ifempty),
    ),
    row(
        Group::General,
        "switch",
        &["value", "case", "result", "[more…]"],
        "the result that follows the first case equal to the value; a last argument without a pair is the else",
        &[
            example("{{switch(\"B\"; \"A\"; 1; \"B\"; 2)}}", "{}", "2"),
            example("{{switch(\"X\"; \"A\"; 1; 9)}}", "{}", "9"),
        ],
        Action::Lazy(switch),
    ),
    row(
        Group::General,
        "get",
        &["value", "path"],
        "the value at a path that is known only at run time: a name, dotted names, or a 1-based position",
        &[
            example(
                "{{get(a; \"https://example.com/roles\")}}",
                r#"{"a":{"https://example.com/roles":["x"]}}"#,
                r#"["x"]"#,
            ),
            example("{{get(a; \"b.2\")}}", r#"{"a":{"b":[10,20]}}"#, "20"),
            example("{{get(a; -1)}}", r#"{"a":[10,20]}"#, "20"),
        ],
        Action::Eager(get),
    ),
    row(
        Group::General,
        "omit",
        &["collection", "name…"],
        "the collection without the named members",
        &[example(
            "{{omit(u; \"password\")}}",
            r#"{"u":{"name":"n","password":"p"}}"#,
            r#"{"name":"n"}"#,
        )],
        Action::Eager(omit),
    ),
    row(
        Group::General,
        "pick",
        &["collection", "name…"],
        "the collection with only the named members, in the order named",
        &[example(
            "{{pick(u; \"email\"; \"name\")}}",
            r#"{"u":{"name":"n","password":"p","email":"e"}}"#,
            r#"{"email":"e","name":"n"}"#,
        )],
        Action::Eager(pick),
    ),
    row(
        Group::General,
        "equal",
        &["a", "b"],
        "whether two values are of the same kind and have the same content",
        &[example("{{equal(a; 1)}}", r#"{"a":"1"}"#, "false")],
        Action::Eager(equal),
    ),
];

fn if_<'a>(run: &mut Run<'a>, arguments: &'a [Node]) -> Outcome<'a> {
    let [condition, then, rest @ ..] = arguments else {
        return Ok(Val::UNDEFINED);
    };
    if run.node(condition)?.view().is_truthy() {
        run.node(then)
    } else {
        rest.first().map_or(Ok(Val::UNDEFINED), |otherwise| run.node(otherwise))
    }
}

fn ifempty<'a>(run: &mut Run<'a>, arguments: &'a [Node]) -> Outcome<'a> {
    let [value, otherwise] = arguments else {
        return Ok(Val::UNDEFINED);
    };
    let value = run.node(value)?;
    match value.view() {
        View::Undefined | View::Null | View::Text("") => run.node(otherwise),
        _ => Ok(value),
    }
}

fn switch<'a>(run: &mut Run<'a>, arguments: &'a [Node]) -> Outcome<'a> {
    let Some((value, cases)) = arguments.split_first() else {
        return Ok(Val::UNDEFINED);
    };
    let value = run.node(value)?;
    let mut cases = cases.chunks(2);
    for case in &mut cases {
        match case {
            [candidate, result] => {
                let found = run.node(candidate)?;
                let same = run.equal(value.view(), found.view());
                if same.map_err(|fault| candidate.fail(fault))? {
                    return run.node(result);
                }
            }
            [otherwise] => return run.node(otherwise),
            _ => {}
        }
    }
    Ok(Val::UNDEFINED)
}

fn get<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let value = args.take(0);
    run.meter.read(args.view(1).weight())?;
    value.part(&mut run.meter, |value| match args.view(1) {
        View::Text(path) => value.dotted(path),
        key => value.at(key),
    })
}

/// The members of argument 1; undefined and null have none.
fn members<'s>(args: &'s Args<'_>) -> Result<Option<Fields<'s>>, Fault> {
    match args.view(0) {
        View::Object(fields) => Ok(Some(fields)),
        View::Undefined | View::Null => Ok(None),
        _ => Err(args.wrong(0, "a collection")),
    }
}

/// The names that the arguments behind the first give, singly or as lists.
fn named(args: &Args<'_>, run: &mut Run<'_>) -> Result<Vec<String>, Fault> {
    let mut names = Vec::new();
    for argument in args.from(1) {
        for name in crate::view::Items::of(argument).iter() {
            run.meter.burn(1)?;
            names.push(run.text(name.view())?.into_owned());
        }
    }
    Ok(names)
}

fn omit<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let names = named(args, run)?;
    let Some(fields) = members(args)? else {
        return Ok(args.take(0));
    };
    let mut kept = Object::new();
    for (name, value) in fields.iter() {
        run.meter.burn(names.len())?;
        if !names.iter().any(|omitted| omitted == name) {
            run.insert(&mut kept, name, value)?;
        }
    }
    Ok(Val::Own(Value::Object(kept)))
}

fn pick<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let names = named(args, run)?;
    let Some(fields) = members(args)? else {
        return Ok(args.take(0));
    };
    let mut kept = Object::new();
    for name in &names {
        if let Some(value) = fields.get(name) {
            run.insert(&mut kept, name, value)?;
        }
    }
    Ok(Val::Own(Value::Object(kept)))
}

fn equal<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    Ok(Val::from(run.equal(args.view(0), args.view(1))?))
}
