//! Groups (RFC 7643 section 4.2): their names are permission tags.

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::problem::{ProblemKind, ScimProblem};
use crate::value::{get, text};

/// A group, as an identity provider describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupResource {
    /// Name of the group (`displayName`).
    pub display_name: String,
    /// Id of the group at the identity provider (`externalId`).
    pub external_id: Option<String>,
    /// Ids of its members, each once, in the order in which they were sent.
    pub members: Vec<String>,
}

impl GroupResource {
    /// Reads a group.
    ///
    /// # Errors
    ///
    /// [`ScimProblem`]: `displayName` is missing, a member has no `value`, or a member is a group.
    pub fn read(resource: &Map<String, Value>) -> Result<Self, ScimProblem> {
        let name = text(resource, "displayName");
        let name = name.ok_or_else(|| invalid("`displayName` is missing; it is a text of one character or more"))?;
        let members = match get(resource, "members") {
            None | Some(Value::Null) => &[],
            Some(Value::Array(members)) => members.as_slice(),
            Some(_) => return Err(invalid("`members` is a list")),
        };
        let mut seen = HashSet::new();
        let mut ids = Vec::with_capacity(members.len());
        for member in members {
            let id = member_id(member)?;
            if seen.insert(id) {
                ids.push(id.to_owned());
            }
        }
        Ok(Self {
            display_name: name.to_owned(),
            external_id: text(resource, "externalId").map(str::to_owned),
            members: ids,
        })
    }
}

fn member_id(member: &Value) -> Result<&str, ScimProblem> {
    let member = member.as_object();
    let id = member.and_then(|member| text(member, "value"));
    let id = id.ok_or_else(|| invalid("a member has the id of a user as its `value`"))?;
    let kind = member.and_then(|member| text(member, "type"));
    if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("Group")) {
        return Err(invalid(
            "a group has users as members and no groups; have the identity provider send its users",
        ));
    }
    Ok(id)
}

fn invalid(detail: &str) -> ScimProblem {
    ScimProblem::new(ProblemKind::InvalidValue, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(resource: &Value) -> Result<GroupResource, ScimProblem> {
        GroupResource::read(resource.as_object().unwrap())
    }

    #[test]
    fn a_group_has_each_member_once() {
        let group = read(&json!({
            "displayName": "staff",
            "externalId": "g1",
            "members": [{ "value": "1" }, { "value": "2", "type": "User" }, { "value": "1" }],
        }));
        let wanted = GroupResource {
            display_name: "staff".to_owned(),
            external_id: Some("g1".to_owned()),
            members: vec!["1".to_owned(), "2".to_owned()],
        };
        assert_eq!(group, Ok(wanted));
    }

    #[test]
    fn groups_in_groups_and_members_without_an_id_are_refused() {
        for resource in [
            json!({ "members": [] }),
            json!({ "displayName": "staff", "members": "1" }),
            json!({ "displayName": "staff", "members": ["1"] }),
            json!({ "displayName": "staff", "members": [{ "display": "Ada" }] }),
            json!({ "displayName": "staff", "members": [{ "value": "9", "type": "Group" }] }),
        ] {
            assert_eq!(
                read(&resource).unwrap_err().kind,
                ProblemKind::InvalidValue,
                "{resource}"
            );
        }
    }
}
