//! Users (RFC 7643 section 4.1), as far as a directory of roles needs them.

use serde_json::{Map, Value};

use crate::problem::{ProblemKind, ScimProblem};
use crate::value::{get, text};

/// A user, as an identity provider describes it. A field that it does not send is `None`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct UserResource {
    /// Name that the user signs in with (`userName`).
    pub user_name: String,
    /// Id of the user at the identity provider (`externalId`).
    pub external_id: Option<String>,
    /// `false` for a user who is to be refused.
    pub active: Option<bool>,
    /// Display name: `displayName`, or `name.formatted`, or given name and family name.
    pub name: Option<String>,
    /// E-mail address: the primary one, or that for work, or the first.
    pub email: Option<String>,
    /// Locale (BCP 47).
    pub locale: Option<String>,
    /// Language (BCP 47): `preferredLanguage`.
    pub language: Option<String>,
    /// Time zone (a name of the tz database).
    pub timezone: Option<String>,
    /// Country of the primary address, or of that for work, or of the first (ISO 3166-1 alpha-2, RFC 7643 section 4.1.2).
    pub country: Option<String>,
}

/// Shows no values: they are personal.
impl std::fmt::Debug for UserResource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UserResource")
            .field("active", &self.active)
            .finish_non_exhaustive()
    }
}

impl UserResource {
    /// Reads a user.
    ///
    /// # Errors
    ///
    /// [`ScimProblem`]: `userName` is missing, or `active` is neither true nor false.
    pub fn read(resource: &Map<String, Value>) -> Result<Self, ScimProblem> {
        let user_name = text(resource, "userName");
        let user_name =
            user_name.ok_or_else(|| invalid("`userName` is missing; it is a text of one character or more"))?;
        let own = |name: &str| text(resource, name).map(str::to_owned);
        let of_first = |list: &str, name: &str| {
            let item = preferred(resource, list)?;
            text(item, name).map(str::to_owned)
        };
        Ok(Self {
            user_name: user_name.to_owned(),
            external_id: own("externalId"),
            active: active(resource)?,
            name: own("displayName").or_else(|| name(resource)),
            email: of_first("emails", "value"),
            locale: own("locale"),
            language: own("preferredLanguage"),
            timezone: own("timezone"),
            country: of_first("addresses", "country"),
        })
    }
}

/// Reads `active`. Microsoft Entra ID sends it as a text, such as `False`.
fn active(resource: &Map<String, Value>) -> Result<Option<bool>, ScimProblem> {
    match get(resource, "active") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(active)) => Ok(Some(*active)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(Some(true)),
        Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(Some(false)),
        Some(_) => Err(invalid("`active` is true or false")),
    }
}

/// Makes a display name of the parts of `name`.
fn name(resource: &Map<String, Value>) -> Option<String> {
    let name = get(resource, "name")?.as_object()?;
    if let Some(formatted) = text(name, "formatted") {
        return Some(formatted.to_owned());
    }
    let parts: Vec<&str> = ["givenName", "familyName"]
        .into_iter()
        .filter_map(|part| text(name, part))
        .collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// Returns the item of a list that is primary, or for work, or first.
fn preferred<'r>(resource: &'r Map<String, Value>, list: &str) -> Option<&'r Map<String, Value>> {
    let items = get(resource, list)?.as_array()?;
    let items: Vec<&Map<String, Value>> = items.iter().filter_map(Value::as_object).collect();
    let is_primary = |item: &&&Map<String, Value>| get(item, "primary") == Some(&Value::Bool(true));
    let is_for_work =
        |item: &&&Map<String, Value>| text(item, "type").is_some_and(|kind| kind.eq_ignore_ascii_case("work"));
    let found = items.iter().find(is_primary).or_else(|| items.iter().find(is_for_work));
    found.or_else(|| items.first()).copied()
}

fn invalid(detail: &str) -> ScimProblem {
    ScimProblem::new(ProblemKind::InvalidValue, detail)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(resource: &Value) -> Result<UserResource, ScimProblem> {
        UserResource::read(resource.as_object().unwrap())
    }

    #[test]
    fn a_user_is_read_with_what_the_directory_keeps() {
        let resource = json!({
            "schemas": [crate::USER_SCHEMA],
            "externalId": "00u1",
            "username": "ada",
            "name": { "givenName": "Ada", "familyName": "Lovelace" },
            "emails": [
                { "value": "home@example.org", "type": "home" },
                { "value": "ada@example.com", "type": "work" },
            ],
            "addresses": [{ "country": "GB", "primary": true }],
            "locale": "en-GB",
            "preferredLanguage": "en",
            "timezone": "Europe/London",
            "active": true,
            "password": "hunter2",
        });
        let user = read(&resource).unwrap();
        let wanted = UserResource {
            user_name: "ada".to_owned(),
            external_id: Some("00u1".to_owned()),
            active: Some(true),
            name: Some("Ada Lovelace".to_owned()),
            email: Some("ada@example.com".to_owned()),
            locale: Some("en-GB".to_owned()),
            language: Some("en".to_owned()),
            timezone: Some("Europe/London".to_owned()),
            country: Some("GB".to_owned()),
        };
        assert!(user == wanted, "another user was read");
        assert!(!format!("{user:?}").contains("Ada"), "{user:?}");
    }

    #[test]
    fn the_primary_address_comes_before_that_for_work() {
        let resource = json!({
            "userName": "ada",
            "emails": [{ "value": "w@example.com", "type": "work" }, { "value": "p@example.com", "primary": true }],
        });
        assert_eq!(read(&resource).unwrap().email.as_deref(), Some("p@example.com"));
        let only = json!({ "userName": "ada", "emails": [{ "value": "o@example.com" }] });
        assert_eq!(read(&only).unwrap().email.as_deref(), Some("o@example.com"));
    }

    #[test]
    fn active_is_read_in_each_dialect() {
        for (value, active) in [
            (json!(false), Some(false)),
            (json!("False"), Some(false)),
            (json!("true"), Some(true)),
            (json!(null), None),
        ] {
            let user = read(&json!({ "userName": "ada", "active": value })).unwrap();
            assert_eq!(user.active, active, "{value}");
        }
        for wrong in [json!("yes"), json!(1), json!([])] {
            assert!(read(&json!({ "userName": "ada", "active": wrong })).is_err());
        }
    }

    #[test]
    fn a_user_without_a_name_is_refused() {
        for resource in [json!({}), json!({ "userName": "" }), json!({ "userName": 1 })] {
            assert_eq!(read(&resource).unwrap_err().kind, ProblemKind::InvalidValue);
        }
    }
}
