//! Parts of lists, and parts of resources (RFC 7644 sections 3.4.2.4 and 3.9).

use serde_json::{Map, Value};

use crate::attribute::AttributePath;
use crate::problem::{ProblemKind, ScimProblem};
use crate::value::spelling;

/// Largest number of resources in one answer.
pub const PAGE_ITEMS_MAX: usize = 200;

/// Attributes that every answer has (`returned` is `always`).
const ALWAYS: [&str; 3] = ["schemas", "id", "meta"];

/// Part of a list that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageWindow {
    /// Place of the first resource, from 1.
    pub start_index: usize,
    /// Largest number of resources.
    pub count: usize,
}

impl PageWindow {
    /// Reads `startIndex` and `count`. Numbers below the smallest count as the smallest (RFC 7644 section 3.4.2.4), and larger
    /// ones than the largest as the largest.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::InvalidValue`] for a text that is no number.
    pub fn read(start_index: Option<&str>, count: Option<&str>) -> Result<Self, ScimProblem> {
        Ok(Self {
            start_index: number("startIndex", start_index, 1)?.max(1),
            count: number("count", count, PAGE_ITEMS_MAX)?.min(PAGE_ITEMS_MAX),
        })
    }
}

/// Reads a number; a negative one counts as 0.
fn number(name: &str, text: Option<&str>, default: usize) -> Result<usize, ScimProblem> {
    let Some(text) = text else {
        return Ok(default);
    };
    let number: i64 = text
        .parse()
        .map_err(|_| ScimProblem::new(ProblemKind::InvalidValue, format!("`{name}` is a whole number")))?;
    Ok(usize::try_from(number.max(0)).unwrap_or(usize::MAX))
}

/// Attributes that an answer has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Projection {
    /// All of them.
    All,
    /// These, and those that every answer has.
    Only(Vec<AttributePath>),
    /// All but these.
    Without(Vec<AttributePath>),
}

impl Projection {
    /// Reads `attributes` and `excludedAttributes`: names between commas. `attributes` counts where both are there.
    ///
    /// # Errors
    ///
    /// [`ProblemKind::InvalidValue`] for a text that is no name of an attribute.
    pub fn read(attributes: Option<&str>, excluded: Option<&str>) -> Result<Self, ScimProblem> {
        Ok(match (attributes, excluded) {
            (Some(attributes), _) => Self::Only(paths("attributes", attributes)?),
            (None, Some(excluded)) => Self::Without(paths("excludedAttributes", excluded)?),
            (None, None) => Self::All,
        })
    }

    /// Tests whether an answer has an attribute of a user or a group, or a part of it.
    pub fn has(&self, name: &str) -> bool {
        let is_always = ALWAYS.iter().any(|always| always.eq_ignore_ascii_case(name));
        match self {
            Self::All => true,
            Self::Only(paths) => is_always || paths.iter().any(|path| path.name.eq_ignore_ascii_case(name)),
            Self::Without(paths) => is_always || !paths.iter().any(|path| path.is(name, None)),
        }
    }

    /// Removes what the answer does not have. Parts of attributes are left in.
    pub fn apply(&self, resource: &mut Map<String, Value>) {
        match self {
            Self::All => {}
            Self::Only(_) => resource.retain(|name, _| self.has(name)),
            Self::Without(paths) => {
                for path in paths
                    .iter()
                    .filter(|path| path.schema.is_none() && !self.has(&path.name))
                {
                    let name = spelling(resource, &path.name);
                    resource.shift_remove(&name);
                }
            }
        }
    }
}

fn paths(name: &str, text: &str) -> Result<Vec<AttributePath>, ScimProblem> {
    let problem = || {
        ScimProblem::new(
            ProblemKind::InvalidValue,
            format!("`{name}` has names of attributes between commas"),
        )
    };
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    names
        .map(|name| AttributePath::parse(name).ok_or_else(problem))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_window_begins_at_one_and_is_bounded() {
        for (start, count, window) in [
            (None, None, (1, PAGE_ITEMS_MAX)),
            (Some("0"), Some("-5"), (1, 0)),
            (Some("11"), Some("10"), (11, 10)),
            (Some("-3"), Some("100000"), (1, PAGE_ITEMS_MAX)),
        ] {
            let read = PageWindow::read(start, count).unwrap();
            assert_eq!((read.start_index, read.count), window);
        }
        assert!(PageWindow::read(Some("x"), None).is_err());
    }

    #[test]
    fn an_answer_has_the_attributes_that_were_asked_for() {
        let resource = json!({ "id": "1", "schemas": [], "displayName": "staff", "members": [{ "value": "2" }] });
        let shown = |attributes, excluded| {
            let mut resource = resource.as_object().unwrap().clone();
            Projection::read(attributes, excluded).unwrap().apply(&mut resource);
            resource.keys().cloned().collect::<Vec<String>>()
        };
        assert_eq!(shown(None, None).len(), 4);
        assert_eq!(shown(Some("displayname"), None), ["id", "schemas", "displayName"]);
        assert_eq!(shown(None, Some("Members, id")), ["id", "schemas", "displayName"]);
        assert_eq!(shown(Some("members.value"), None), ["id", "schemas", "members"]);
        assert!(Projection::read(Some("a b"), None).is_err());
    }
}
