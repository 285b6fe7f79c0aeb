//! Documents by which a client learns what a server can do (RFC 7644 section 4).

use serde_json::{Value, json};

use crate::page::PAGE_ITEMS_MAX;
use crate::{GROUP_SCHEMA, USER_SCHEMA};

/// Returns `/ServiceProviderConfig` (RFC 7643 section 5).
pub fn service_provider_config(documentation: &str) -> Value {
    json!({
        "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ServiceProviderConfig"],
        "documentationUri": documentation,
        "patch": { "supported": true },
        "bulk": { "supported": false, "maxOperations": 0, "maxPayloadSize": 0 },
        "filter": { "supported": true, "maxResults": PAGE_ITEMS_MAX },
        "changePassword": { "supported": false },
        "sort": { "supported": false },
        "etag": { "supported": true },
        "authenticationSchemes": [{
            "type": "oauthbearertoken",
            "name": "Bearer token",
            "description": "The token of the realm, in `Authorization: Bearer`.",
            "primary": true,
        }],
    })
}

/// Returns the items of `/ResourceTypes` (RFC 7643 section 6). `base` is the address of the endpoints.
pub fn resource_types(base: &str) -> [Value; 2] {
    [("User", "/Users", USER_SCHEMA), ("Group", "/Groups", GROUP_SCHEMA)].map(|(name, endpoint, schema)| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:ResourceType"],
            "id": name,
            "name": name,
            "endpoint": endpoint,
            "schema": schema,
            "meta": { "resourceType": "ResourceType", "location": format!("{base}/ResourceTypes/{name}") },
        })
    })
}

/// Returns the items of `/Schemas` (RFC 7643 section 7): the attributes that the directory keeps.
pub fn schemas(base: &str) -> [Value; 2] {
    let email = [text("value"), text("type"), truth("primary")];
    let address = [text("country"), text("type"), truth("primary")];
    let name = [text("formatted"), text("givenName"), text("familyName")];
    let user = vec![
        required(exact(text("userName"))),
        exact(text("externalId")),
        truth("active"),
        text("displayName"),
        complex("name", false, &name),
        complex("emails", true, &email),
        complex("addresses", true, &address),
        text("locale"),
        text("preferredLanguage"),
        text("timezone"),
    ];
    let member = [exact(text("value")), text("display"), text("type")];
    let group = vec![
        required(exact(text("displayName"))),
        exact(text("externalId")),
        complex("members", true, &member),
    ];
    [(USER_SCHEMA, "User", user), (GROUP_SCHEMA, "Group", group)].map(|(id, name, attributes)| {
        json!({
            "schemas": ["urn:ietf:params:scim:schemas:core:2.0:Schema"],
            "id": id,
            "name": name,
            "attributes": attributes,
            "meta": { "resourceType": "Schema", "location": format!("{base}/Schemas/{id}") },
        })
    })
}

/// An attribute, with the characteristics that most have (RFC 7643 section 2.2).
fn attribute(name: &str, kind: &str) -> Value {
    json!({
        "name": name,
        "type": kind,
        "multiValued": false,
        "required": false,
        "caseExact": false,
        "mutability": "readWrite",
        "returned": "default",
        "uniqueness": "none",
    })
}

fn text(name: &str) -> Value {
    attribute(name, "string")
}

fn truth(name: &str) -> Value {
    attribute(name, "boolean")
}

fn complex(name: &str, is_list: bool, parts: &[Value]) -> Value {
    let attribute = with(attribute(name, "complex"), "multiValued", Value::from(is_list));
    with(attribute, "subAttributes", Value::from(parts.to_vec()))
}

fn required(attribute: Value) -> Value {
    let attribute = with(attribute, "required", Value::from(true));
    with(attribute, "uniqueness", Value::from("server"))
}

fn exact(attribute: Value) -> Value {
    with(attribute, "caseExact", Value::from(true))
}

fn with(mut attribute: Value, characteristic: &str, value: Value) -> Value {
    if let Some(object) = attribute.as_object_mut() {
        object.insert(characteristic.to_owned(), value);
    }
    attribute
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_name_what_users_and_groups_have() {
        let [user, group] = schemas("https://id.example.com/.narthex/scim/v2");
        let names = |schema: &Value| -> Vec<String> {
            let attributes = schema["attributes"].as_array().unwrap();
            let name = |attribute: &Value| attribute["name"].as_str().unwrap().to_owned();
            attributes.iter().map(name).collect()
        };
        assert_eq!(names(&group), ["displayName", "externalId", "members"]);
        assert_eq!(user["attributes"][0]["caseExact"], true);
        assert_eq!(user["attributes"][0]["required"], true);
        assert_eq!(user["attributes"][5]["subAttributes"][0]["name"], "value");
        assert!(names(&user).contains(&"active".to_owned()));
    }

    #[test]
    fn documents_say_where_they_are_and_what_is_supported() {
        let [user, _] = resource_types("https://id.example.com/.narthex/scim/v2");
        assert_eq!(
            user["meta"]["location"],
            "https://id.example.com/.narthex/scim/v2/ResourceTypes/User"
        );
        let config = service_provider_config("https://example.com/docs");
        assert_eq!(config["patch"]["supported"], true);
        assert_eq!(config["bulk"]["supported"], false);
    }
}
