//! Filters (RFC 7644 section 3.4.2.2): parsed, and tested on resources.

mod scanner;

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use crate::attribute::AttributePath;
use crate::problem::{ProblemKind, ScimProblem};
use crate::value::{get, is_absent};

use scanner::Scanner;

/// Longest filter, in bytes.
const FILTER_BYTES_MAX: usize = 4_096;

/// Attributes whose texts compare with their case (`caseExact`). Usernames do so here, although RFC 7643 compares them without:
/// two users may differ by it.
const EXACT: [&str; 5] = ["id", "externalId", "userName", "$ref", "version"];

/// Comparison of an attribute with a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    /// Equal.
    Equal,
    /// Not equal.
    NotEqual,
    /// Contains.
    Contains,
    /// Starts with.
    StartsWith,
    /// Ends with.
    EndsWith,
    /// Greater than.
    Greater,
    /// Greater than, or equal.
    GreaterOrEqual,
    /// Less than.
    Less,
    /// Less than, or equal.
    LessOrEqual,
}

impl Operator {
    fn named(word: &str) -> Option<Self> {
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Self::Equal,
            "ne" => Self::NotEqual,
            "co" => Self::Contains,
            "sw" => Self::StartsWith,
            "ew" => Self::EndsWith,
            "gt" => Self::Greater,
            "ge" => Self::GreaterOrEqual,
            "lt" => Self::Less,
            "le" => Self::LessOrEqual,
            _ => return None,
        })
    }
}

/// A filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// A comparison. The value is a text, a number, a truth value or null.
    Compare(AttributePath, Operator, Value),
    /// The attribute has a value.
    Present(AttributePath),
    /// All of these.
    And(Vec<Filter>),
    /// One of these.
    Or(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// An item of a list attribute is so: `emails[type eq "work"]`.
    Item(AttributePath, Box<Filter>),
}

impl Filter {
    /// Parses a filter.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::InvalidFilter`].
    pub fn parse(text: &str) -> Result<Self, ScimProblem> {
        if text.len() > FILTER_BYTES_MAX {
            return Err(invalid("it is longer than 4096 bytes"));
        }
        let mut scanner = Scanner::new(text);
        let filter = scanner.filter()?;
        scanner.end()?;
        Ok(filter)
    }

    /// Tests whether a resource, or an item of a list, passes the filter.
    pub fn matches(&self, resource: &Map<String, Value>) -> bool {
        match self {
            Self::Compare(path, operator, value) => compare(path, *operator, value, resource),
            Self::Present(path) => path.values(resource).into_iter().any(|value| !is_absent(value)),
            Self::And(filters) => filters.iter().all(|filter| filter.matches(resource)),
            Self::Or(filters) => filters.iter().any(|filter| filter.matches(resource)),
            Self::Not(filter) => !filter.matches(resource),
            Self::Item(path, filter) => items(path, resource).any(|item| filter.matches(item)),
        }
    }

    /// Returns the attribute and the text of a filter that is one comparison for equality: the kind that an index answers.
    pub fn equality(&self) -> Option<(&AttributePath, &str)> {
        match self {
            Self::Compare(path, Operator::Equal, Value::String(text)) => Some((path, text)),
            _ => None,
        }
    }

    /// Returns what an item must have to pass the filter; `None` unless it is made of equalities alone.
    pub(crate) fn required(&self) -> Option<Vec<(&str, &Value)>> {
        match self {
            Self::Compare(path, Operator::Equal, value) if path.schema.is_none() && path.sub.is_none() => {
                Some(vec![(path.name.as_str(), value)])
            }
            Self::And(filters) => {
                let all: Option<Vec<_>> = filters.iter().map(Self::required).collect();
                Some(all?.into_iter().flatten().collect())
            }
            _ => None,
        }
    }
}

/// Returns the items of a list attribute that are objects.
fn items<'r>(path: &AttributePath, resource: &'r Map<String, Value>) -> impl Iterator<Item = &'r Map<String, Value>> {
    let container = match &path.schema {
        Some(schema) => get(resource, schema).and_then(Value::as_object),
        None => Some(resource),
    };
    let list = container.and_then(|container| get(container, &path.name));
    let items = match list {
        Some(Value::Array(items)) => items.as_slice(),
        Some(single) => std::slice::from_ref(single),
        None => &[],
    };
    items.iter().filter_map(Value::as_object)
}

fn compare(path: &AttributePath, operator: Operator, wanted: &Value, resource: &Map<String, Value>) -> bool {
    let values = path.values(resource);
    if wanted.is_null() {
        let is_there = values.iter().any(|value| !is_absent(value));
        return match operator {
            Operator::Equal => !is_there,
            Operator::NotEqual => is_there,
            _ => false,
        };
    }
    let last = path.sub.as_deref().unwrap_or(&path.name);
    let is_exact = EXACT.iter().any(|name| last.eq_ignore_ascii_case(name));
    let mut holds = values.iter().map(|value| holds(value, operator, wanted, is_exact));
    match operator {
        // Of a list, none may be equal.
        Operator::NotEqual => holds.all(|holds| holds),
        _ => holds.any(|holds| holds),
    }
}

/// Tests whether a comparison holds for one value.
fn holds(value: &Value, operator: Operator, wanted: &Value, is_exact: bool) -> bool {
    match (value, wanted) {
        (Value::String(value), Value::String(wanted)) if is_exact => of_texts(value, operator, wanted),
        (Value::String(value), Value::String(wanted)) => {
            of_texts(&value.to_lowercase(), operator, &wanted.to_lowercase())
        }
        (Value::Number(value), Value::Number(wanted)) => of_order(order(value, wanted), operator),
        (Value::Bool(value), Value::Bool(wanted)) => match operator {
            Operator::Equal => value == wanted,
            Operator::NotEqual => value != wanted,
            _ => false,
        },
        _ => operator == Operator::NotEqual,
    }
}

fn of_texts(value: &str, operator: Operator, wanted: &str) -> bool {
    match operator {
        Operator::Contains => value.contains(wanted),
        Operator::StartsWith => value.starts_with(wanted),
        Operator::EndsWith => value.ends_with(wanted),
        _ => of_order(Some(value.cmp(wanted)), operator),
    }
}

fn order(value: &Number, wanted: &Number) -> Option<Ordering> {
    value.as_f64()?.partial_cmp(&wanted.as_f64()?)
}

fn of_order(order: Option<Ordering>, operator: Operator) -> bool {
    let Some(order) = order else {
        return false;
    };
    match operator {
        Operator::Equal => order.is_eq(),
        Operator::NotEqual => order.is_ne(),
        Operator::Greater => order.is_gt(),
        Operator::GreaterOrEqual => order.is_ge(),
        Operator::Less => order.is_lt(),
        Operator::LessOrEqual => order.is_le(),
        Operator::Contains | Operator::StartsWith | Operator::EndsWith => false,
    }
}

fn invalid(why: &str) -> ScimProblem {
    ScimProblem::new(
        ProblemKind::InvalidFilter,
        format!("the filter cannot be read: {why}; write it as in `userName eq \"ada\"`"),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn resource() -> Map<String, Value> {
        let resource = json!({
            "userName": "Ada",
            "externalId": "00u1",
            "active": true,
            "logins": 7,
            "title": "",
            "name": { "familyName": "Lovelace" },
            "emails": [
                { "value": "ada@example.com", "type": "work", "primary": true },
                { "value": "home@example.org", "type": "home" },
            ],
        });
        resource.as_object().unwrap().clone()
    }

    #[test]
    fn resources_pass_filters_as_the_standard_says() {
        let resource = resource();
        for (filter, passes) in [
            (r#"userName eq "Ada""#, true),
            (r#"userName eq "ada""#, false),
            (r#"USERNAME Eq "Ada""#, true),
            (r#"userName ne "ada""#, true),
            (r#"name.familyName eq "lovelace""#, true),
            (r#"name.familyName sw "Love" and active eq true"#, true),
            (r#"name.familyName ew "lace" and active eq false"#, false),
            (r#"emails co "EXAMPLE.ORG""#, true),
            (r#"emails.value eq "ada@example.com""#, true),
            (r#"emails ne "ada@example.com""#, false),
            (r#"emails[type eq "home" and value co "org"]"#, true),
            (r#"emails[type eq "home" and primary eq true]"#, false),
            ("title pr", false),
            ("nickName pr", false),
            ("nickName eq null", true),
            ("userName pr and not (nickName pr)", true),
            ("logins gt 6 and logins le 7", true),
            ("logins lt 7", false),
            (
                r#"nickName pr or userName eq "x" and active eq true or logins ge 7"#,
                true,
            ),
            (r#"(nickName pr or active eq true) and userName eq "x""#, false),
            (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName eq "Ada""#, true),
        ] {
            assert_eq!(Filter::parse(filter).unwrap().matches(&resource), passes, "{filter}");
        }
    }

    #[test]
    fn what_is_no_filter_is_refused() {
        for text in [
            "",
            "userName",
            "userName eq",
            "userName eq ada",
            r#"userName is "ada""#,
            r#"userName eq "ada" and"#,
            r#"(userName eq "ada""#,
            r#"userName eq "ada")"#,
            r#"emails[type eq "work""#,
            "not userName pr",
            r#"userName eq "ada" userName pr"#,
            r#"userName eq {"a": 1}"#,
            r#"userName eq ["a"]"#,
            "userName eq 1e999x",
        ] {
            let problem = Filter::parse(text).unwrap_err();
            assert_eq!(problem.kind, ProblemKind::InvalidFilter, "{text}");
        }
    }

    #[test]
    fn a_filter_is_short_and_not_deep() {
        let deep = format!("{}userName pr{}", "(".repeat(1_000), ")".repeat(1_000));
        assert!(Filter::parse(&deep).is_err());
        let long = vec!["userName pr"; 1_000].join(" or ");
        assert!(Filter::parse(&long).is_err());
        let wide = vec!["userName pr"; 200].join(" or ");
        assert!(Filter::parse(&wide).is_ok());
    }

    #[test]
    fn an_equality_is_for_an_index() {
        let filter = Filter::parse(r#"externalId eq "00u1""#).unwrap();
        let (path, text) = filter.equality().unwrap();
        assert!(path.is("externalid", None) && text == "00u1");
        assert_eq!(Filter::parse(r#"externalId sw "00u1""#).unwrap().equality(), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_filter_or_a_problem(text in "\\PC{0,200}") {
            let _ = Filter::parse(&text);
        }
    }
}
