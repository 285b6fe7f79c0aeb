//! Messages: resources as they are shown, lists, and errors (RFC 7644 sections 3.1, 3.4.2 and 3.12).

use serde_json::{Map, Value, json};

use crate::page::PageWindow;
use crate::problem::ScimProblem;

const LIST_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";
const ERROR_SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:Error";

/// Facts about a resource that the server keeps (RFC 7643 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourceMeta {
    /// `User` or `Group`.
    pub resource_type: &'static str,
    /// Address of the resource.
    pub location: String,
    /// Time of its creation (RFC 3339).
    pub created: String,
    /// Time of its last change (RFC 3339).
    pub last_modified: String,
    /// Its version, as in `ETag`: `W/"3"`.
    pub version: String,
}

/// Returns a resource as it is shown: its attributes, with id, schema and facts in place of those that it came with.
pub fn shown(mut attributes: Map<String, Value>, id: &str, schema: &str, meta: &ResourceMeta) -> Map<String, Value> {
    attributes.retain(|name, _| {
        !["id", "meta", "schemas"]
            .iter()
            .any(|own| name.eq_ignore_ascii_case(own))
    });
    let mut resource = Map::new();
    let extensions = attributes.keys().filter(|name| name.starts_with("urn:"));
    let schemas = std::iter::once(schema).chain(extensions.map(String::as_str));
    resource.insert("schemas".to_owned(), schemas.map(Value::from).collect());
    resource.insert("id".to_owned(), Value::from(id));
    // SECURITY: a password that a provider sends is kept nowhere and shown to no one (RFC 7643 section 4.1.1).
    attributes.retain(|name, _| !name.eq_ignore_ascii_case("password"));
    resource.extend(attributes);
    resource.insert(
        "meta".to_owned(),
        json!({
            "resourceType": meta.resource_type,
            "created": meta.created,
            "lastModified": meta.last_modified,
            "location": meta.location,
            "version": meta.version,
        }),
    );
    resource
}

/// Returns a part of a list. `total` is the number of all resources that there are.
pub fn list_message(window: PageWindow, total: usize, resources: &[Map<String, Value>]) -> Value {
    json!({
        "schemas": [LIST_SCHEMA],
        "totalResults": total,
        "startIndex": window.start_index,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}

/// Returns the body for an error. `status` is that of the answer, which the body repeats as a text.
pub fn error_message(status: u16, problem: Option<&ScimProblem>, detail: &str) -> Value {
    let mut message = json!({
        "schemas": [ERROR_SCHEMA],
        "status": status.to_string(),
        "detail": problem.map_or(detail, |problem| problem.detail.as_str()),
    });
    if let (Some(problem), Some(message)) = (problem, message.as_object_mut()) {
        message.insert("scimType".to_owned(), Value::from(problem.kind.as_str()));
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::problem::ProblemKind;

    #[test]
    fn a_resource_is_shown_with_what_the_server_knows_of_it() {
        let meta = ResourceMeta {
            resource_type: "User",
            location: "https://id.example.com/.narthex/scim/v2/Users/1".to_owned(),
            created: "2027-01-15T08:00:00Z".to_owned(),
            last_modified: "2027-01-15T08:00:00Z".to_owned(),
            version: "W/\"3\"".to_owned(),
        };
        let attributes = json!({ "ID": "x", "userName": "ada", "urn:x:User": { "department": "R" } });
        let shown = shown(attributes.as_object().unwrap().clone(), "1", crate::USER_SCHEMA, &meta);
        assert_eq!(shown["id"], "1");
        assert_eq!(shown["schemas"], json!([crate::USER_SCHEMA, "urn:x:User"]));
        assert_eq!(shown["meta"]["version"], "W/\"3\"");
        assert!(!shown.contains_key("ID"), "{shown:?}");
    }

    #[test]
    fn a_password_is_never_shown() {
        let meta = ResourceMeta {
            resource_type: "User",
            location: String::new(),
            created: String::new(),
            last_modified: String::new(),
            version: String::new(),
        };
        let attributes = json!({ "userName": "ada", "Password": "hunter2" });
        let shown = shown(attributes.as_object().unwrap().clone(), "1", crate::USER_SCHEMA, &meta);
        assert!(!Value::Object(shown).to_string().contains("hunter2"));
    }

    #[test]
    fn errors_have_their_status_as_a_text_and_their_kind() {
        let problem = ScimProblem::new(ProblemKind::Uniqueness, "there is another user with this `userName`");
        let message = error_message(409, Some(&problem), "");
        assert_eq!(message["status"], "409");
        assert_eq!(message["scimType"], "uniqueness");
        assert_eq!(message["detail"], "there is another user with this `userName`");
        let plain = error_message(404, None, "there is no such user");
        assert!(plain.get("scimType").is_none() && plain["detail"] == "there is no such user");
    }

    #[test]
    fn a_list_says_how_many_there_are() {
        let window = PageWindow {
            start_index: 11,
            count: 10,
        };
        let list = list_message(window, 12, &[Map::new(), Map::new()]);
        assert_eq!((&list["totalResults"], &list["itemsPerPage"]), (&json!(12), &json!(2)));
        assert_eq!(list["startIndex"], 11);
    }
}
