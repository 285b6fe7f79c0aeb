//! Contents of a scenario file. Unknown keys are errors: a misspelt expectation must not be one that always holds.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

/// A scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Statement that it proves, in one sentence.
    pub title: String,
    /// Sources of that statement.
    #[serde(default)]
    pub spec: Vec<String>,
    /// Files beside the configuration, by name.
    #[serde(default)]
    pub file: BTreeMap<String, String>,
    /// Identity providers, by name.
    #[serde(default)]
    pub idp: BTreeMap<String, Idp>,
    /// The configuration, all but ports and store.
    pub config: Table,
    /// Organizations made through the admin API before the first step.
    #[serde(default)]
    pub organization: Vec<Table>,
    /// Base of every token.
    #[serde(default)]
    pub token: Token,
    /// Base of every request.
    #[serde(default)]
    pub request: Request,
    /// Events, in order.
    pub step: Vec<Step>,
}

/// Keys and behaviour of an identity provider, from the start or from a step on.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Idp {
    /// The test keys it publishes, by name.
    pub keys: Option<Vec<String>>,
    /// Its whole key set, for sets that are not made of test keys alone.
    pub key_set: Option<Value>,
    /// Publishes the keys with `x5t` and `x5c` instead of `kid`.
    #[serde(default)]
    pub by_x5t: bool,
    /// `good`, `down`, `slow`, `hanging`, `closing`, `garbage`, `wrong_shape`, `huge`, or a status.
    pub behaviour: Option<Value>,
    /// The `Cache-Control` of its answers.
    pub cache_control: Option<String>,
}

/// Recipe of a token.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Token {
    /// The text itself; nothing else counts then.
    pub raw: Option<String>,
    /// The test key that signs.
    pub key: Option<String>,
    /// The shared secret that signs.
    pub secret: Option<String>,
    /// The algorithm that signs, and that the header names.
    pub algorithm: Option<String>,
    /// Signs with this key without naming it.
    pub forged_with: Option<String>,
    /// Names the key by its certificate's thumbprint instead of `kid`.
    pub by_x5t: Option<bool>,
    /// Made by this library instead: `jose`, `jsonwebtoken`, `pyjwt`.
    pub library: Option<String>,
    /// Header members to add or to replace.
    #[serde(default)]
    pub header: Table,
    /// Header members to leave out.
    #[serde(default)]
    pub without_header: Vec<String>,
    /// Claims to add or to replace.
    #[serde(default)]
    pub claims: Table,
    /// Claims that are a time, in seconds from now.
    #[serde(default)]
    pub times: BTreeMap<String, i64>,
    /// Claims to leave out.
    #[serde(default)]
    pub without: Vec<String>,
}

/// Recipe of a request.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `GET` unless said otherwise.
    pub method: Option<String>,
    /// Path and query.
    pub path: Option<String>,
    /// Headers to add.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The body.
    pub body: Option<String>,
    /// Place of the token: `bearer` (by default) or a header's name.
    pub token_in: Option<String>,
    /// Sends it so many times at once; every answer must be as expected.
    pub at_once: Option<usize>,
}

/// A step. What it has is done in the order of the fields here.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// Statement that it proves.
    pub title: String,
    /// Identity providers that change.
    #[serde(default)]
    pub idp: BTreeMap<String, Idp>,
    /// `kill` (as `kill -9`) or `terminate`; then it is started again.
    pub restart: Option<String>,
    /// Milliseconds to wait, for what may take so long by specification.
    #[serde(default)]
    pub wait_ms: u64,
    /// Calls of the admin API.
    #[serde(default)]
    pub api: Vec<ApiCall>,
    /// A token for the request: a table, or the number of an earlier step (counted from 1) whose very token is used again.
    pub token: Option<StepToken>,
    /// No token at all.
    #[serde(default)]
    pub no_token: bool,
    /// A request, if there is `expect`.
    #[serde(default)]
    pub request: Request,
    /// Expected answer.
    pub expect: Option<Expect>,
    /// Expected contents of the directory afterwards.
    pub directory: Option<Directory>,
}

/// The token of a step.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum StepToken {
    /// Token of an earlier step.
    Again(usize),
    /// A new one.
    New(Box<Token>),
}

/// A call of the admin API.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApiCall {
    /// The method.
    pub method: String,
    /// The path after `/api/v1`.
    pub path: String,
    /// The body.
    pub body: Option<Value>,
    /// Headers to add.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// The status it must answer with; any 2xx unless said.
    pub status: Option<u16>,
    /// Values that its answer must hold.
    pub answer: Option<Value>,
}

/// Expected answer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// The status.
    pub status: u16,
    /// The reason in the problem document.
    pub reason: Option<String>,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Values that a JSON body must hold.
    pub body: Option<Value>,
    /// Text that must not be anywhere in the answer.
    #[serde(default)]
    pub never: Vec<String>,
    /// Request that the upstream must have seen; none at all, if the status is not 200 and this is not given.
    pub upstream: Option<UpstreamSaw>,
}

/// Request that the upstream must have seen.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpstreamSaw {
    /// The method.
    pub method: Option<String>,
    /// Path and query.
    pub target: Option<String>,
    /// Headers and their values.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Headers that must not be there, or be empty.
    #[serde(default)]
    pub without: Vec<String>,
    /// The body.
    pub body: Option<String>,
}

/// Expected contents of the directory.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Number of users.
    pub users: Option<usize>,
    /// Number of organizations.
    pub organizations: Option<usize>,
    /// Users that must not be there, by external id.
    #[serde(default)]
    pub no_user: Vec<String>,
    /// Users.
    #[serde(default)]
    pub user: Vec<ExpectedUser>,
    /// Organizations.
    #[serde(default)]
    pub organization: Vec<ExpectedOrganization>,
}

/// A user that must be there.
#[derive(Clone, Debug, Deserialize)]
pub struct ExpectedUser {
    /// External id of the user.
    pub external_id: String,
    /// Every organization (by name, or external id) with the effective role, and no other.
    pub organizations: Option<BTreeMap<String, String>>,
    /// Every team (by external id) with the effective role, and no other.
    pub teams: Option<BTreeMap<String, String>>,
    /// Open grants that must be there, each with at least these fields.
    #[serde(default)]
    pub grants: Vec<Table>,
    /// Number of open grants.
    pub open_grants: Option<usize>,
    /// Closed grants that must be there, each with at least these fields.
    #[serde(default)]
    pub closed_grants: Vec<Table>,
    /// Any other field of the user.
    #[serde(flatten)]
    pub fields: Table,
}

/// An organization that must be there.
#[derive(Clone, Debug, Deserialize)]
pub struct ExpectedOrganization {
    /// Name of the organization, unless `external_id` is given.
    pub name: Option<String>,
    /// External id of the organization.
    pub external_id: Option<String>,
    /// Every member (by external id) with the effective role, and no other.
    pub members: Option<BTreeMap<String, String>>,
    /// Any other field.
    #[serde(flatten)]
    pub fields: Table,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "title = \"t\"\n[config]\n[[step]]\ntitle = \"s\"\n";

    #[test]
    fn a_misspelt_key_is_an_error() {
        Scenario::parse(SMALL).unwrap();
        for misspelt in [
            "expct = {}",
            "request = { methd = \"GET\" }",
            "expect = { status = 200, resaon = \"x\" }",
            "directory = { user_count = 1 }",
        ] {
            assert!(Scenario::parse(&format!("{SMALL}{misspelt}\n")).is_err(), "{misspelt}");
        }
    }

    #[test]
    fn a_token_is_a_table_or_the_number_of_a_step() {
        let again = Scenario::parse(&format!("{SMALL}token = 1")).unwrap();
        assert!(matches!(again.step[0].token, Some(StepToken::Again(1))));
        let new = Scenario::parse(&format!("{SMALL}token = {{ claims = {{ sub = \"a\" }} }}")).unwrap();
        assert!(matches!(new.step[0].token, Some(StepToken::New(_))));
        assert!(Scenario::parse(&format!("{SMALL}token = {{ clams = {{}} }}")).is_err());
    }
}
