//! Paths of patches: an attribute, perhaps with a filter of its items (RFC 7644 section 3.5.2, figure 7).

use crate::attribute::{AttributePath, is_name};
use crate::filter::Filter;
use crate::problem::{ProblemKind, ScimProblem};

/// Target of an operation.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Target {
    pub(super) path: AttributePath,
    pub(super) filter: Option<Filter>,
}

impl Target {
    /// Parses a path, such as `name.familyName` or `emails[type eq "work"].value`.
    pub(super) fn parse(text: &str) -> Result<Self, ScimProblem> {
        let problem = || {
            ScimProblem::new(
                ProblemKind::InvalidPath,
                "a path cannot be read; write it as in `name.familyName` or `emails[type eq \"work\"].value`",
            )
        };
        let Some((attribute, rest)) = text.split_once('[') else {
            let path = AttributePath::parse(text).ok_or_else(problem)?;
            return Ok(Self { path, filter: None });
        };
        let (filter, after) = rest.rsplit_once(']').ok_or_else(problem)?;
        let mut path = AttributePath::parse(attribute)
            .filter(|path| path.sub.is_none())
            .ok_or_else(problem)?;
        let sub = match after.strip_prefix('.') {
            Some(sub) if is_name(sub) => Some(sub.to_owned()),
            None if after.is_empty() => None,
            _ => return Err(problem()),
        };
        path.sub = sub;
        let filter = Filter::parse(filter).map_err(|_| problem())?;
        Ok(Self {
            path,
            filter: Some(filter),
        })
    }

    /// Tests whether the attribute is one of these of a user or a group.
    pub(super) fn is_one_of(&self, names: &[&str]) -> bool {
        let is_name = |name: &&str| self.path.name.eq_ignore_ascii_case(name);
        self.path.schema.is_none() && names.iter().any(is_name)
    }
}
