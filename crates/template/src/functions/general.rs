//! Choosing between values and reaching into them.

use super::{Action, Args, Example, Function, Group};
use crate::error::Fault;
use crate::eval::{Outcome, Run};
use crate::program::Node;
use crate::value::{Object, Value};
use crate::view::{Fields, Val, View};

pub(super) static TABLE: &[Function] = &[
    Function {
        name: "if",
        group: Group::General,
        parameters: &["condition", "then", "[else]"],
        summary: "the second argument if the first is true, else the third; only the one that is needed is evaluated",
        examples: &[
            Example {
                template: "{{if(a > 1; \"many\"; \"one\")}}",
                context: r#"{"a":2}"#,
                result: "\"many\"",
            },
            Example {
                template: "{{if(a; 1)}}",
                context: r#"{"a":""}"#,
                result: "undefined",
            },
        ],
        action: Action::Lazy(if_),
    },
    Function {
        name: "ifempty",
        group: Group::General,
        parameters: &["value", "otherwise"],
        summary: "the first argument, or the second if the first is undefined, null or empty text",
        examples: &[
            Example {
                template: "{{ifempty(a; \"none\")}}",
                context: r#"{"a":""}"#,
                result: "\"none\"",
            },
            Example {
                template: "{{ifempty(a; 5)}}",
                context: r#"{"a":0}"#,
                result: "0",
            },
        ],
        action: Action::Lazy(ifempty),
    },
    Function {
        name: "switch",
        group: Group::General,
        parameters: &["value", "case", "result", "[more…]"],
        summary: "the result that follows the first case equal to the value; a last argument without a pair is the else",
        examples: &[
            Example {
                template: "{{switch(\"B\"; \"A\"; 1; \"B\"; 2)}}",
                context: "{}",
                result: "2",
            },
            Example {
                template: "{{switch(\"X\"; \"A\"; 1; 9)}}",
                context: "{}",
                result: "9",
            },
        ],
        action: Action::Lazy(switch),
    },
    Function {
        name: "get",
        group: Group::General,
        parameters: &["value", "path"],
        summary: "the value at a path that is known only at run time: a name, dotted names, or a 1-based position",
        examples: &[
            Example {
                template: "{{get(a; \"https://example.com/roles\")}}",
                context: r#"{"a":{"https://example.com/roles":["x"]}}"#,
                result: r#"["x"]"#,
            },
            Example {
                template: "{{get(a; \"b.2\")}}",
                context: r#"{"a":{"b":[10,20]}}"#,
                result: "20",
            },
            Example {
                template: "{{get(a; -1)}}",
                context: r#"{"a":[10,20]}"#,
                result: "20",
            },
        ],
        action: Action::Eager(get),
    },
    Function {
        name: "omit",
        group: Group::General,
        parameters: &["collection", "name…"],
        summary: "the collection without the named members",
        examples: &[Example {
            template: "{{omit(u; \"password\")}}",
            context: r#"{"u":{"name":"n","password":"p"}}"#,
            result: r#"{"name":"n"}"#,
        }],
        action: Action::Eager(omit),
    },
    Function {
        name: "pick",
        group: Group::General,
        parameters: &["collection", "name…"],
        summary: "the collection with only the named members, in the order named",
        examples: &[Example {
            template: "{{pick(u; \"email\"; \"name\")}}",
            context: r#"{"u":{"name":"n","password":"p","email":"e"}}"#,
            result: r#"{"email":"e","name":"n"}"#,
        }],
        action: Action::Eager(pick),
    },
    Function {
        name: "equal",
        group: Group::General,
        parameters: &["a", "b"],
        summary: "whether two values are of the same kind and have the same content",
        examples: &[Example {
            template: "{{equal(a; 1)}}",
            context: r#"{"a":"1"}"#,
            result: "false",
        }],
        action: Action::Eager(equal),
    },
];

fn if_<'a>(run: &mut Run<'a>, arguments: &'a [Node]) -> Outcome<'a> {
    let [condition, then, rest @ ..] = arguments else {
        return Ok(Val::UNDEFINED);
    };
    if run.node(condition)?.view().is_truthy() {
        run.node(then)
    } else {
        rest.first()
            .map_or(Ok(Val::UNDEFINED), |otherwise| run.node(otherwise))
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
