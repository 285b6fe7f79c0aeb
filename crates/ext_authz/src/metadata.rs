//! Facts about a decision, for Envoy's access log and rate limits: its dynamic metadata.

use std::collections::HashMap;

use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use narthex_engine::passed::Passed;
use narthex_engine::respond::Refusal;

/// Key of the facts in the namespace of Envoy's filter.
const KEY: &str = "narthex";

/// Facts about one decision. A fact that is not known is absent.
///
/// SECURITY: they are for the operator, as the log is: `reason` is the true one, also where the client is told another.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct DecisionFacts {
    /// `allow` or `deny`.
    pub(crate) decision: &'static str,
    /// Stable code of the refusal.
    pub(crate) reason: Option<&'static str>,
    pub(crate) request_id: String,
    pub(crate) user: Option<String>,
    pub(crate) organization: Option<String>,
    pub(crate) organization_role: Option<String>,
    pub(crate) issuer: Option<String>,
}

impl DecisionFacts {
    pub(crate) fn of_passed(passed: &Passed) -> Self {
        let allowed = passed.answer.allowed();
        let mut headers = allowed.patch.iter();
        let role = headers.find(|(name, _)| *name == "x-narthex-organization-role");
        Self {
            decision: "allow",
            reason: None,
            request_id: passed.request_id.clone(),
            user: allowed.user.map(|user| user.to_string()),
            organization: allowed.organization.as_ref().map(ToString::to_string),
            organization_role: role.and_then(|(_, role)| role.to_str().ok()).map(str::to_owned),
            issuer: passed
                .answer
                .caller()
                .and_then(|caller| caller.issuer_name())
                .map(ToString::to_string),
        }
    }

    pub(crate) fn of_refusal(refusal: &Refusal, request_id: &str) -> Self {
        let about = refusal.about.as_deref();
        Self {
            decision: "deny",
            reason: Some(refusal.reason.code()),
            request_id: request_id.to_owned(),
            user: about.and_then(|about| about.user).map(|user| user.to_string()),
            organization: about
                .and_then(|about| about.organization.as_ref())
                .map(ToString::to_string),
            organization_role: None,
            issuer: about.and_then(|about| about.issuer.as_ref()).map(ToString::to_string),
        }
    }

    /// Returns the facts as dynamic metadata, under `narthex`.
    pub(crate) fn into_metadata(self) -> Struct {
        let facts = [
            ("decision", Some(self.decision.to_owned())),
            ("reason", self.reason.map(str::to_owned)),
            ("request_id", Some(self.request_id)),
            ("user", self.user),
            ("organization", self.organization),
            ("organization_role", self.organization_role),
            ("issuer", self.issuer),
        ];
        let fields = facts.into_iter().filter_map(|(name, fact)| {
            let value = Value {
                kind: Some(Kind::StringValue(fact?)),
            };
            Some((name.to_owned(), value))
        });
        let facts = Value {
            kind: Some(Kind::StructValue(Struct {
                fields: fields.collect(),
            })),
        };
        Struct {
            fields: HashMap::from([(KEY.to_owned(), facts)]),
        }
    }
}
