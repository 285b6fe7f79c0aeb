//! Patches (RFC 7644 section 3.5.2), and the dialects of the identity providers that send them: words in any case, values
//! without a path whose names are paths, `members` to remove as a value, items that a filter describes before they exist.

mod target;

use serde_json::{Map, Value};

use crate::attribute::AttributePath;
use crate::problem::{ProblemKind, ScimProblem};
use crate::value::{get, is_absent, spelling};

use target::Target;

/// Largest number of operations in one patch.
const OPERATIONS_MAX: usize = 1_000;

/// Attributes whose values are lists (RFC 7643 sections 4.1.2 and 4.2).
const LISTS: [&str; 8] = [
    "emails",
    "phoneNumbers",
    "ims",
    "photos",
    "addresses",
    "entitlements",
    "roles",
    "members",
];

/// Attributes that only the server sets.
const READ_ONLY: [&str; 4] = ["id", "meta", "schemas", "groups"];

/// Kind of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// Adds a value.
    Add,
    /// Puts a value in the place of another.
    Replace,
    /// Removes a value.
    Remove,
}

/// One operation of a patch.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    verb: Verb,
    target: Target,
    value: Value,
}

impl Operation {
    /// Kind of the operation.
    pub const fn verb(&self) -> Verb {
        self.verb
    }

    /// Attribute that it changes.
    pub const fn attribute(&self) -> &AttributePath {
        &self.target.path
    }
}

/// Reads the body of a patch. An operation whose value has several attributes becomes one for each.
///
/// # Errors
///
/// [`ScimProblem`]: it is no patch, a path cannot be read, or an attribute is the server's.
pub fn read_patch(body: &Value) -> Result<Vec<Operation>, ScimProblem> {
    let operations = body.as_object().and_then(|body| get(body, "Operations"));
    let operations = operations.and_then(Value::as_array).filter(|all| !all.is_empty());
    let operations = operations.ok_or_else(|| syntax("a patch has `Operations`, a list with one operation or more"))?;
    if operations.len() > OPERATIONS_MAX {
        return Err(ScimProblem::new(
            ProblemKind::TooMany,
            "a patch has at most 1000 operations; send several",
        ));
    }
    let mut read = Vec::with_capacity(operations.len());
    for operation in operations {
        let operation = operation.as_object();
        read_operation(operation.ok_or_else(|| syntax("an operation is an object"))?, &mut read)?;
    }
    Ok(read)
}

fn read_operation(operation: &Map<String, Value>, read: &mut Vec<Operation>) -> Result<(), ScimProblem> {
    let word = get(operation, "op").and_then(Value::as_str).unwrap_or_default();
    let verb = match word.to_ascii_lowercase().as_str() {
        "add" => Verb::Add,
        "replace" => Verb::Replace,
        "remove" => Verb::Remove,
        _ => return Err(syntax("`op` is `add`, `replace` or `remove`")),
    };
    let value = get(operation, "value").cloned().unwrap_or(Value::Null);
    let path = get(operation, "path").and_then(Value::as_str);
    match (path.filter(|path| !path.is_empty()), value) {
        (Some(path), value) => {
            let target = Target::parse(path)?;
            if target.is_one_of(&READ_ONLY) {
                return Err(ScimProblem::new(
                    ProblemKind::Mutability,
                    format!("`{}` is set by the server; leave it out", target.path.name),
                ));
            }
            read.push(Operation { verb, target, value });
        }
        (None, _) if verb == Verb::Remove => {
            return Err(ScimProblem::new(
                ProblemKind::NoTarget,
                "`remove` needs a `path` that names what to remove",
            ));
        }
        (None, Value::Object(attributes)) => of_attributes(verb, attributes, read)?,
        (None, _) => return Err(syntax("without a `path`, `value` is an object with attributes")),
    }
    Ok(())
}

/// Reads an operation without a path: its value has the attributes, by their names or paths.
fn of_attributes(verb: Verb, attributes: Map<String, Value>, read: &mut Vec<Operation>) -> Result<(), ScimProblem> {
    for (name, value) in attributes {
        let is_schema = name.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        let value = match value {
            Value::Object(inner) if is_schema => {
                for (inside, value) in inner {
                    let target = Target::parse(&format!("{name}:{inside}"))?;
                    read.push(Operation { verb, target, value });
                }
                continue;
            }
            value => value,
        };
        let target = Target::parse(&name)?;
        // Some providers repeat the id of the resource here.
        if !target.is_one_of(&READ_ONLY) {
            read.push(Operation { verb, target, value });
        }
    }
    Ok(())
}

/// Makes the operations of a patch on a resource, in their order.
///
/// # Errors
///
/// [`ScimProblem`]: a path names nothing that is there, or a value is missing. The resource may be changed in part then.
pub fn apply(resource: &mut Map<String, Value>, operations: &[Operation]) -> Result<(), ScimProblem> {
    for operation in operations {
        apply_one(resource, operation)?;
    }
    Ok(())
}

fn apply_one(resource: &mut Map<String, Value>, operation: &Operation) -> Result<(), ScimProblem> {
    let Operation { verb, target, value } = operation;
    let container = container(resource, &target.path, *verb);
    let Some(container) = container else {
        return Ok(());
    };
    let name = spelling(container, &target.path.name);
    if target.filter.is_some() || target.is_one_of(&LISTS) {
        let mut items = match container.shift_remove(&name) {
            Some(Value::Array(items)) => items,
            Some(Value::Null) | None => Vec::new(),
            Some(single) => vec![single],
        };
        let outcome = in_list(&mut items, *verb, target, value);
        if !items.is_empty() {
            container.insert(name, Value::Array(items));
        }
        return outcome;
    }
    match &target.path.sub {
        Some(sub) => {
            let mut inner = match container.shift_remove(&name) {
                Some(Value::Object(inner)) => inner,
                _ => Map::new(),
            };
            in_object(&mut inner, sub, *verb, value);
            if !inner.is_empty() {
                container.insert(name, Value::Object(inner));
            }
        }
        None => in_object(container, &name, *verb, value),
    }
    Ok(())
}

/// Returns the object that has the attribute: the resource, or the part of an extension. `None` if there is nothing to remove.
fn container<'r>(
    resource: &'r mut Map<String, Value>,
    path: &AttributePath,
    verb: Verb,
) -> Option<&'r mut Map<String, Value>> {
    let Some(schema) = &path.schema else {
        return Some(resource);
    };
    let name = spelling(resource, schema);
    if verb == Verb::Remove && !resource.contains_key(&name) {
        return None;
    }
    let part = resource.entry(name).or_insert_with(|| Value::Object(Map::new()));
    if !part.is_object() {
        *part = Value::Object(Map::new());
    }
    part.as_object_mut()
}

/// Changes an attribute with one value. Objects are merged, so that what a value does not name stays.
fn in_object(object: &mut Map<String, Value>, name: &str, verb: Verb, value: &Value) {
    let name = spelling(object, name);
    if verb == Verb::Remove || is_absent(value) {
        object.shift_remove(&name);
        return;
    }
    match (object.get_mut(&name), value) {
        (Some(Value::Object(before)), Value::Object(value)) => merge(before, value),
        _ => {
            object.insert(name, value.clone());
        }
    }
}

fn merge(before: &mut Map<String, Value>, value: &Map<String, Value>) {
    for (name, value) in value {
        in_object(before, name, Verb::Replace, value);
    }
}

/// Changes an attribute whose value is a list.
fn in_list(items: &mut Vec<Value>, verb: Verb, target: &Target, value: &Value) -> Result<(), ScimProblem> {
    if let Some(filter) = &target.filter {
        return in_items(items, verb, target, value, filter);
    }
    if let Some(sub) = &target.path.sub {
        for item in items.iter_mut().filter_map(Value::as_object_mut) {
            in_object(item, sub, verb, value);
        }
        return Ok(());
    }
    let given = match value {
        Value::Array(given) => given.as_slice(),
        Value::Null => &[],
        single => std::slice::from_ref(single),
    };
    if verb == Verb::Replace {
        items.clear();
    }
    match verb {
        Verb::Add | Verb::Replace => {
            for item in given {
                add(items, item);
            }
        }
        Verb::Remove if given.is_empty() => items.clear(),
        // Not in the standard, and sent by Microsoft Entra ID.
        Verb::Remove => items.retain(|item| !given.iter().any(|given| is_same(item, given))),
    }
    Ok(())
}

/// Changes the items of a list that pass a filter.
fn in_items(
    items: &mut Vec<Value>,
    verb: Verb,
    target: &Target,
    value: &Value,
    filter: &crate::Filter,
) -> Result<(), ScimProblem> {
    let passes = |item: &Value| item.as_object().is_some_and(|item| filter.matches(item));
    if verb == Verb::Remove && target.path.sub.is_none() {
        items.retain(|item| !passes(item));
        return Ok(());
    }
    if verb != Verb::Remove && !items.iter().any(passes) {
        let required = filter.required().ok_or_else(|| {
            ScimProblem::new(
                ProblemKind::NoTarget,
                "no item passes the filter of the path; add it first",
            )
        })?;
        let mut item = Map::new();
        for (name, value) in required {
            item.insert(name.to_owned(), value.clone());
        }
        items.push(Value::Object(item));
    }
    for item in items.iter_mut().filter(|item| passes(item)) {
        let Value::Object(object) = item else {
            continue;
        };
        match (&target.path.sub, value) {
            (Some(sub), value) => in_object(object, sub, verb, value),
            (None, Value::Object(value)) => merge(object, value),
            (None, value) => in_object(object, "value", verb, value),
        }
    }
    Ok(())
}

/// Adds an item, unless the list has it. A plain text becomes the `value` of an item.
fn add(items: &mut Vec<Value>, item: &Value) {
    if let Some(known) = items.iter_mut().find(|known| is_same(known, item)) {
        if let (Value::Object(known), Value::Object(item)) = (known, item) {
            merge(known, item);
        }
        return;
    }
    items.push(match item {
        Value::String(text) => {
            let mut object = Map::new();
            object.insert("value".to_owned(), Value::String(text.clone()));
            Value::Object(object)
        }
        other => other.clone(),
    });
}

/// Tests whether two items are the same: by their `value`, or as a whole where one has none.
fn is_same(one: &Value, other: &Value) -> bool {
    let value = |item: &Value| match item {
        Value::Object(object) => get(object, "value").cloned(),
        plain => Some(plain.clone()),
    };
    match (value(one), value(other)) {
        (Some(one), Some(other)) => one == other,
        _ => one == other,
    }
}

fn syntax(detail: &str) -> ScimProblem {
    ScimProblem::new(ProblemKind::InvalidSyntax, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn patched(resource: &Value, operations: &Value) -> Result<Value, ScimProblem> {
        let mut resource = resource.as_object().unwrap().clone();
        let patch = read_patch(&json!({ "schemas": [crate::PATCH_SCHEMA], "Operations": operations }))?;
        apply(&mut resource, &patch)?;
        Ok(Value::Object(resource))
    }

    #[track_caller]
    fn gives(resource: &Value, operations: &Value, wanted: &Value) {
        assert_eq!(patched(resource, operations).as_ref(), Ok(wanted), "{operations}");
    }

    #[test]
    fn attributes_are_set_changed_and_removed() {
        let ada = json!({ "userName": "ada", "active": true, "name": { "givenName": "Ada", "familyName": "L" } });
        gives(
            &ada,
            &json!([{ "op": "Replace", "path": "ACTIVE", "value": false }]),
            &json!({ "userName": "ada", "active": false, "name": { "givenName": "Ada", "familyName": "L" } }),
        );
        gives(
            &ada,
            &json!([{ "op": "replace", "path": "name.familyName", "value": "Lovelace" }, { "op": "remove", "path": "active" }]),
            &json!({ "userName": "ada", "name": { "givenName": "Ada", "familyName": "Lovelace" } }),
        );
        gives(
            &ada,
            &json!([{ "op": "replace", "path": "name", "value": { "familyName": "K" } }]),
            &json!({ "userName": "ada", "active": true, "name": { "givenName": "Ada", "familyName": "K" } }),
        );
        gives(
            &ada,
            &json!([{ "op": "add", "value": { "name.givenName": "A", "title": "Countess", "id": "1" } }]),
            &json!({
                "userName": "ada", "active": true, "name": { "givenName": "A", "familyName": "L" }, "title": "Countess"
            }),
        );
    }

    #[test]
    fn items_are_changed_by_a_filter_and_made_where_there_are_none() {
        let one = json!({ "emails": [{ "type": "work", "value": "a@example.com" }] });
        gives(
            &one,
            &json!([{ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@example.com" }]),
            &json!({ "emails": [{ "type": "work", "value": "b@example.com" }] }),
        );
        gives(
            &one,
            &json!([{ "op": "add", "path": "emails[type eq \"home\"].value", "value": "h@example.com" }]),
            &json!({
                "emails": [{ "type": "work", "value": "a@example.com" }, { "type": "home", "value": "h@example.com" }]
            }),
        );
        gives(
            &one,
            &json!([{ "op": "remove", "path": "emails[type eq \"work\"]" }]),
            &json!({}),
        );
        let no_target = json!([{ "op": "replace", "path": "emails[value co \"z\"].type", "value": "home" }]);
        assert_eq!(patched(&one, &no_target).unwrap_err().kind, ProblemKind::NoTarget);
    }

    #[test]
    fn members_come_once_and_go_in_each_dialect() {
        let group = json!({ "displayName": "staff", "members": [{ "value": "1" }, { "value": "2" }] });
        gives(
            &group,
            &json!([{ "op": "Add", "path": "members", "value": [{ "value": "2", "display": "Ben" }, { "value": "3" }] }]),
            &json!({
                "displayName": "staff", "members": [{ "value": "1" }, { "value": "2", "display": "Ben" }, { "value": "3" }]
            }),
        );
        for operation in [
            json!({ "op": "remove", "path": "members[value eq \"2\"]" }),
            json!({ "op": "Remove", "path": "members", "value": [{ "value": "2" }] }),
            json!({ "op": "replace", "path": "members", "value": [{ "value": "1" }] }),
        ] {
            let wanted = json!({ "displayName": "staff", "members": [{ "value": "1" }] });
            gives(&group, &json!([operation]), &wanted);
        }
        let all = json!([{ "op": "remove", "path": "members" }]);
        gives(&group, &all, &json!({ "displayName": "staff" }));
    }

    #[test]
    fn extensions_have_a_place_of_their_own() {
        let schema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
        let by_path = json!([{ "op": "add", "path": format!("{schema}:department"), "value": "R" }]);
        let by_object = json!([{ "op": "add", "value": { schema: { "department": "R" } } }]);
        for operations in [by_path, by_object] {
            gives(&json!({}), &operations, &json!({ schema: { "department": "R" } }));
        }
        let core = json!([{ "op": "add", "path": "urn:ietf:params:scim:schemas:core:2.0:User:title", "value": "R" }]);
        gives(&json!({}), &core, &json!({ "title": "R" }));
    }

    #[test]
    fn what_is_no_patch_is_refused_with_its_kind() {
        for (body, kind) in [
            (json!({}), ProblemKind::InvalidSyntax),
            (json!({ "Operations": [] }), ProblemKind::InvalidSyntax),
            (json!({ "Operations": ["x"] }), ProblemKind::InvalidSyntax),
            (
                json!({ "Operations": [{ "op": "move", "path": "a" }] }),
                ProblemKind::InvalidSyntax,
            ),
            (json!({ "Operations": [{ "op": "remove" }] }), ProblemKind::NoTarget),
            (
                json!({ "Operations": [{ "op": "add", "value": 1 }] }),
                ProblemKind::InvalidSyntax,
            ),
            (
                json!({ "Operations": [{ "op": "add", "path": "a b", "value": 1 }] }),
                ProblemKind::InvalidPath,
            ),
            (
                json!({ "Operations": [{ "op": "add", "path": "members[value eq", "value": 1 }] }),
                ProblemKind::InvalidPath,
            ),
            (
                json!({ "Operations": [{ "op": "replace", "path": "id", "value": "x" }] }),
                ProblemKind::Mutability,
            ),
        ] {
            assert_eq!(read_patch(&body).unwrap_err().kind, kind, "{body}");
        }
        let many = vec![json!({ "op": "remove", "path": "title" }); 1_001];
        let problem = read_patch(&json!({ "Operations": many })).unwrap_err();
        assert_eq!(problem.kind, ProblemKind::TooMany);
    }
}
