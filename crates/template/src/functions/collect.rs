//! Lists and collections made of one another, and of text.

use super::array::transform;
use super::{Action, Args, Function, Group, example, row};
use crate::error::Fault;
use crate::eval::Run;
use crate::value::{Object, Value};
use crate::view::{Items, Val, View};

pub(super) static TABLE: &[Function] = &[
    row(
        Group::Array,
        "join",
        &["list", "[separator]"],
        "the items as one text with a separator between them, a comma if none is given",
        &[example("{{join(l; \", \")}}", r#"{"l":["a",1,null]}"#, "\"a, 1, \"")],
        Action::Eager(join),
    ),
    row(
        Group::Array,
        "map",
        &["list", "key", "[filterKey]", "[filterValues]"],
        "the values that the items have for a key, of all items or of those whose filter key has one of the \
         comma-separated filter values; items without the key are left out",
        &[
            example(
                "{{map(emails; \"email\")}}",
                r#"{"emails":[{"email":"a","label":"work"},{"email":"b","label":"home"}]}"#,
                r#"["a","b"]"#,
            ),
            example(
                "{{map(emails; \"email\"; \"label\"; \"work,home\")}}",
                r#"{"emails":[{"email":"a","label":"work"},{"email":"c","label":"x"}]}"#,
                r#"["a"]"#,
            ),
        ],
        Action::Eager(|args, run| transform(args, run, map)),
    ),
    row(
        Group::Array,
        "keys",
        &["value"],
        "the names of a collection's members, or the 0-based positions of a list's items, as texts",
        &[example("{{keys(c)}}", r#"{"c":{"b":1,"a":2}}"#, r#"["b","a"]"#)],
        Action::Eager(|args, run| transform(args, run, keys)),
    ),
    row(
        Group::Array,
        "toCollection",
        &["list", "key", "value"],
        "a collection of a list of collections: one member of each item's key and value",
        &[example(
            "{{toCollection(a; \"name\"; \"age\")}}",
            r#"{"a":[{"name":"Bob","age":22},{"name":"Tim","age":23}]}"#,
            r#"{"Bob":22,"Tim":23}"#,
        )],
        Action::Eager(|args, run| transform(args, run, to_collection)),
    ),
    row(
        Group::Array,
        "toArray",
        &["collection"],
        "a list with one collection of key and value for each member",
        &[example(
            "{{toArray(c)}}",
            r#"{"c":{"a":1}}"#,
            r#"[{"key":"a","value":1}]"#,
        )],
        Action::Eager(|args, run| transform(args, run, to_array)),
    ),
];

fn join<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let separator = args.text_or(1, ",", run)?;
    let mut joined = String::new();
    for (at, item) in args.items(0).iter().enumerate() {
        let text = run.text(item.view())?;
        run.meter.burn(1)?;
        run.meter.make(text.len() + separator.len())?;
        if at > 0 {
            joined.push_str(&separator);
        }
        joined.push_str(&text);
    }
    Ok(Val::from(joined))
}

fn map<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let key = args.text(1, run)?;
    let filter = args.text(2, run)?;
    let wanted = if filter.is_empty() {
        None
    } else {
        Some(wanted(args, run)?)
    };
    let mut values = Vec::new();
    for item in args.items(0).iter() {
        run.meter.burn(1)?;
        if let Some(wanted) = &wanted {
            let value = item.dotted(&filter).view();
            if value.is_nothing() {
                continue;
            }
            let text = run.text(value)?;
            run.meter.burn(wanted.len())?;
            if !wanted.iter().any(|one| *one == *text) {
                continue;
            }
        }
        let value = item.dotted(&key);
        if !matches!(value.view(), View::Undefined) {
            values.push(value);
        }
    }
    run.list(values.into_iter())
}

/// The filter values of `map`: a list, or text with commas.
fn wanted(args: &Args<'_>, run: &mut Run<'_>) -> Result<Vec<String>, Fault> {
    let mut wanted = Vec::new();
    if let View::Array(items) = args.view(3) {
        for item in items.iter() {
            wanted.push(run.text(item.view())?.into_owned());
        }
    } else {
        wanted.extend(args.text(3, run)?.split(',').map(|one| one.trim().to_owned()));
    }
    run.meter.burn(wanted.len())?;
    Ok(wanted)
}

fn keys<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    match args.view(0) {
        View::Object(fields) => run.texts(fields.iter().map(|(name, _)| name)),
        View::Array(items) => run.texts((0..items.len()).map(|at| at.to_string())),
        _ => Err(args.wrong(0, "a collection")),
    }
}

fn to_collection<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let (key, value) = (args.text(1, run)?, args.text(2, run)?);
    let mut members = Object::new();
    for item in args.items(0).iter() {
        run.meter.burn(1)?;
        let name = item.dotted(&key).view();
        if !name.is_nothing() {
            let name = run.text(name)?;
            run.insert(&mut members, &name, item.dotted(&value))?;
        }
    }
    Ok(Val::Own(Value::Object(members)))
}

fn to_array<'a>(args: &mut Args<'a>, run: &mut Run<'a>) -> Result<Val<'a>, Fault> {
    let View::Object(fields) = args.view(0) else {
        return match args.view(0) {
            View::Array(_) => Ok(args.take(0)),
            _ => run.list(Items::of(args.at(0)).iter()),
        };
    };
    let mut list = Vec::with_capacity(fields.len());
    for (name, value) in fields.iter() {
        run.meter.make(size_of::<Value>())?;
        let mut pair = Object::with_capacity(2);
        run.meter.make(name.len())?;
        pair.insert("key".to_owned(), Value::from(name));
        run.insert(&mut pair, "value", value)?;
        list.push(Value::Object(pair));
    }
    Ok(Val::Own(Value::Array(list)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Ref;

    #[test]
    fn a_single_value_is_a_list_of_one() {
        assert_eq!(Items::of(Ref::Value(&Value::from("x"))).len(), 1);
        assert_eq!(Items::of(Ref::Value(&Value::Null)).len(), 0);
    }
}
