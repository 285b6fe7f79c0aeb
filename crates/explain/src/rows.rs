//! Rows of an explanation, as they are serialized.

use std::collections::HashMap;

use narthex_decision::{Decision, HeaderPatch, Match, Requirement};
use narthex_directory::{
    Change, Desired, DesiredTags, Difference, GrantSource, Membership, NearMiss, Principal, ScopedRole, SyncPlan,
    SyncPolicy, difference,
};
use narthex_mapping::{PreviewRow, TemplateResult};
use narthex_token::{KeyMatch, Outcome, Step};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::cure::Problem;
use super::{Cure, ExplainedRequest};
use narthex_engine::Runtime;

/// The answer that the caller would get.
#[derive(Debug, Clone, Default, Serialize, ToSchema)]
pub struct AnswerRow {
    /// The HTTP status. 200 means that the request may pass: the application then chooses the status.
    pub status: u16,
    /// Stable code of the refusal; missing if the request may pass.
    pub reason: Option<String>,
    /// The sentence that the caller would read.
    pub message: String,
    /// The cause, in more detail than the caller would read; missing if the request may pass.
    pub cause: Option<String>,
    /// The change that would help; missing if the request may pass.
    pub cure: Option<Cure>,
    /// Further problems: once this one is solved, they would be the answer.
    pub also: Vec<AlsoRow>,
}

/// A problem behind the first one.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AlsoRow {
    /// Stable code of the refusal.
    pub reason: String,
    /// The cause, in more detail than the caller would read.
    pub cause: String,
    /// The change that would help.
    pub cure: Option<Cure>,
}

impl From<Problem> for AlsoRow {
    fn from(problem: Problem) -> Self {
        Self {
            reason: problem.refusal.reason.code().to_owned(),
            cause: problem.cause(),
            cure: problem.cure,
        }
    }
}

/// The key that verified the signature.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyRow {
    /// Id of the key (`kid`), if it has one.
    pub kid: Option<String>,
    /// The rule that found the key: `kid`, `x5t#S256`, `x5t`, `only_key` or `secret`.
    pub matched_by: String,
}

impl From<&KeyMatch> for KeyRow {
    fn from(key: &KeyMatch) -> Self {
        Self {
            kid: key.kid().map(str::to_owned),
            matched_by: key.matched_by().to_string(),
        }
    }
}

/// One rule of verification, with its outcome.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StepRow {
    /// Name of the rule.
    pub rule: String,
    /// `passed`, `failed` or `not_tried`.
    pub outcome: &'static str,
    /// The value that the configuration requires.
    pub expected: String,
    /// The value in the token.
    pub found: String,
    /// The conclusion, or the cause of the failure.
    pub detail: String,
    /// Stable code of the failure; missing if the rule did not fail.
    pub reason: Option<&'static str>,
}

impl From<&Step> for StepRow {
    fn from(step: &Step) -> Self {
        let (outcome, detail, reason) = match &step.outcome {
            Outcome::Passed(concluded) => ("passed", concluded.clone(), None),
            Outcome::Failed(error) => ("failed", error.to_string(), Some(error.reason())),
            Outcome::NotTried => ("not_tried", "an earlier rule failed".to_owned(), None),
        };
        Self {
            rule: step.rule.to_string(),
            outcome,
            expected: step.expected.clone(),
            found: step.found.clone(),
            detail,
            reason,
        }
    }
}

impl StepRow {
    /// Returns the row of a rule of the issuer (`[[issuer.rule]]`).
    pub(super) fn of_rule(row: &PreviewRow) -> Self {
        use narthex_mapping::Outcome as O;
        let found = match &row.gave {
            TemplateResult::Value(value) => value.to_string(),
            TemplateResult::Undefined => "undefined".to_owned(),
            TemplateResult::Failed(rendered) => rendered.clone(),
        };
        let (outcome, detail, reason) = match &row.outcome {
            O::Refused { reason, message } => ("failed", message.clone(), Some(*reason)),
            O::Taken(_) | O::NotGiven | O::Skipped(_) => ("passed", "the condition is `true`".to_owned(), None),
        };
        Self {
            rule: row.field.to_string(),
            outcome,
            expected: format!("`true` from `{}`", row.source),
            found,
            detail,
            reason,
        }
    }
}

/// Result of one template of the mapping.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IdentityRow {
    /// The field of the identity that the template fills.
    pub field: String,
    /// The template, or the name of the tags claim.
    pub template: String,
    /// The result of the template, of any JSON type; `null` if it has none.
    #[schema(value_type = Value)]
    pub gave: Option<Value>,
    /// `taken`, `not_given`, `skipped` or `refused`.
    pub outcome: &'static str,
    /// The value that is stored, of any JSON type; `null` if none is.
    #[schema(value_type = Value)]
    pub value: Option<Value>,
    /// The problem with the result, if there is one.
    pub problem: Option<String>,
}

impl From<&PreviewRow> for IdentityRow {
    fn from(row: &PreviewRow) -> Self {
        use narthex_mapping::Outcome as O;
        let (gave, failure) = match &row.gave {
            TemplateResult::Value(value) => (Some(value.clone()), None),
            TemplateResult::Undefined => (None, None),
            TemplateResult::Failed(rendered) => (None, Some(rendered.clone())),
        };
        let (outcome, value, problem) = match &row.outcome {
            O::Taken(value) => ("taken", Some(value.clone()), None),
            O::NotGiven => ("not_given", None, None),
            O::Skipped(breach) => ("skipped", None, Some(breach.clone())),
            O::Refused { message, .. } => ("refused", None, Some(message.clone())),
        };
        Self {
            field: row.field.to_string(),
            template: row.source.clone(),
            gave,
            outcome,
            value,
            problem: failure.or(problem),
        }
    }
}

/// One tag of the token, and the roles that it grants.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TagRow {
    /// The tag.
    pub tag: String,
    /// Roles that the tag grants: `platform admin`, `member of acme`, …; empty if it grants none.
    pub gives: Vec<String>,
}

/// Returns the roles that each tag of a token grants.
pub(super) fn tags(desired: &Desired, plan: &SyncPlan, policy: &SyncPolicy) -> Vec<TagRow> {
    let DesiredTags::Exactly(tags) = &desired.tags else {
        return Vec::new();
    };
    tags.iter()
        .map(|tag| {
            let platform = policy
                .platform_admin_tags
                .contains(tag)
                .then(|| "platform admin".to_owned());
            let organizations = plan
                .tag_matches
                .iter()
                .chain(&plan.pattern_matches)
                .filter(|met| met.tag == *tag)
                .map(|met| format!("{} of {}", met.role, met.organization.name));
            TagRow {
                tag: tag.clone(),
                gives: platform.into_iter().chain(organizations).collect(),
            }
        })
        .collect()
}

/// A tag of the token that nearly matches a listed tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct NearMissRow {
    /// The tag in the token.
    pub tag: String,
    /// The listed tag.
    pub listed: String,
    /// The organization that lists it; missing for the issuer's `platform_admin` list.
    pub organization: Option<String>,
    /// `case`, `blanks`, `leading_slash`, `path`, `look_alike`, `trailing` or `one_text`.
    pub difference: &'static str,
    /// The difference and its remedy in words.
    pub sentence: String,
}

impl From<&NearMiss> for NearMissRow {
    fn from(miss: &NearMiss) -> Self {
        let difference = difference(&miss.tag, &miss.listed).unwrap_or(Difference::Case);
        Self {
            difference: difference.as_str(),
            sentence: difference.to_string(),
            tag: miss.tag.clone(),
            listed: miss.listed.clone(),
            organization: miss
                .organization
                .as_ref()
                .map(|organization| organization.name.to_string()),
        }
    }
}

/// One change of the directory.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChangeRow {
    /// Code of the action, as in the audit trail: `user.created`, `grant.opened`, …
    pub action: &'static str,
    /// The change in words.
    pub summary: String,
    /// Fields that differ.
    pub fields: Vec<FieldRow>,
}

/// A name and its value.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FieldRow {
    /// Name of the field or header.
    pub name: String,
    /// The value before the change, if there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// The value; of a field that changes, the new one.
    pub to: String,
}

impl ChangeRow {
    pub(super) fn new(change: &Change, places: &Places) -> Self {
        let shown = |value: &Value| match value {
            Value::String(text) => places.0.get(text).unwrap_or(text).clone(),
            other => other.to_string(),
        };
        let fields = change.diff().into_iter().map(|diff| FieldRow {
            name: diff.field.to_owned(),
            from: (!diff.from.is_null()).then(|| shown(&diff.from)),
            to: shown(&diff.to),
        });
        Self {
            action: change.action(),
            summary: places.summary(change),
            fields: fields.collect(),
        }
    }
}

/// Names of the organizations and teams in the changes, by id: administrators know them by name.
pub(super) struct Places(HashMap<String, String>);

impl Places {
    /// Collects the organizations and teams that the plan creates or matches, and those that the principal belongs to.
    pub(super) fn of(plan: &SyncPlan, principal: &Principal) -> Self {
        let made = plan.changes.iter().filter_map(|change| match change {
            Change::CreateOrganization(made) => Some((made.id.to_string(), made.name.to_string())),
            Change::CreateTeam(made) => Some((made.id.to_string(), made.name.clone())),
            _ => None,
        });
        let met = plan
            .tag_matches
            .iter()
            .chain(&plan.pattern_matches)
            .map(|met| &met.organization);
        let met = met.map(|organization| (organization.id.to_string(), organization.name.to_string()));
        let organizations = principal.memberships().iter();
        let organizations = organizations.map(|of| (of.organization.to_string(), of.name.to_string()));
        let teams = principal
            .teams()
            .iter()
            .map(|of| (of.team.to_string(), of.name.clone()));
        Self(made.chain(met).chain(organizations).chain(teams).collect())
    }

    fn name(&self, id: &impl ToString) -> String {
        let id = id.to_string();
        self.0.get(&id).map_or(id, |name| format!("`{name}`"))
    }

    fn summary(&self, change: &Change) -> String {
        match change {
            Change::CreateUser(user) => format!("create user `{}`", user.username),
            Change::UpdateUser { after, .. } => format!("update user `{}`", after.username),
            Change::EraseUser { after, .. } => format!("erase user `{}`", after.id),
            Change::CreateOrganization(organization) => format!("create organization `{}`", organization.name),
            Change::UpdateOrganization { after, .. } => format!("update organization `{}`", after.name),
            Change::DeleteOrganization { before, .. } => format!("delete organization `{}`", before.name),
            Change::DeleteTeam { before, .. } => format!("delete team `{}`", before.name),
            Change::CreateTeam(team) => format!("create team `{}`", team.name),
            Change::UpdateTeam { after, .. } => format!("update team `{}`", after.name),
            Change::OpenGrant(grant) => format!("grant {}, {}", self.role(grant.role), source(&grant.source)),
            Change::CloseGrant(grant) => format!("close {}, {}", self.role(grant.role), source(&grant.source)),
        }
    }

    fn role(&self, role: ScopedRole) -> String {
        match role {
            ScopedRole::Platform(role) => format!("platform role {role}"),
            ScopedRole::Organization(organization, role) => {
                format!("role {role} in organization {}", self.name(&organization))
            }
            ScopedRole::Team(team, role) => format!("role {role} in team {}", self.name(&team)),
        }
    }
}

fn source(source: &GrantSource) -> String {
    match source {
        GrantSource::Manual => "given by hand".to_owned(),
        GrantSource::Claim { .. } => "because the claims name it".to_owned(),
        GrantSource::Tag { tag, .. } => format!("because of tag `{tag}`"),
        GrantSource::Pattern { tag, .. } => format!("because a tag pattern matches tag `{tag}`"),
    }
}

/// An organization and the user's role in it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MembershipRow {
    /// Name of the organization.
    pub name: String,
    /// The effective role.
    pub role: String,
    /// Status of the organization, such as `active`.
    pub status: String,
}

impl From<&Membership> for MembershipRow {
    fn from(membership: &Membership) -> Self {
        Self {
            name: membership.name.to_string(),
            role: membership.role.to_string(),
            status: membership.status.to_string(),
        }
    }
}

/// The decision on a request.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RequestRow {
    /// Method of the request.
    pub method: String,
    /// Path of the request.
    pub path: String,
    /// Path patterns of the route that takes the request; missing if no route does.
    pub route: Option<Vec<String>>,
    /// The organization that the request is about, by the name or external id that the request or the route has for it.
    pub organization: Option<String>,
    /// Requirements of the route; one of them is enough.
    pub requires: Vec<String>,
    /// Issuers whose tokens the route takes; empty for all.
    pub issuers: Vec<String>,
    /// Permission tags of which the token needs one; empty if it needs none.
    pub tags: Vec<String>,
    /// `allow`, `deny`, or `undecided` if an earlier step failed and so no user is known.
    pub decision: &'static str,
    /// The requirement that was satisfied.
    pub satisfied: Option<String>,
}

impl RequestRow {
    pub(super) fn decided(request: &ExplainedRequest, matched: &Match<'_>, decision: &Decision) -> Self {
        let (word, satisfied) = match decision {
            Decision::Allow(permit) => ("allow", Some(permit.rule.to_string())),
            Decision::Deny(_) => ("deny", None),
        };
        Self {
            method: request.method.to_string(),
            path: request.path.clone(),
            route: Some(matched.route.spec.paths.clone()),
            organization: matched.organization.as_deref().map(str::to_owned),
            requires: matched.route.spec.require.iter().map(Requirement::to_string).collect(),
            issuers: matched.route.spec.issuers.iter().map(ToString::to_string).collect(),
            tags: matched.route.spec.tags.clone(),
            decision: word,
            satisfied,
        }
    }

    pub(super) fn undecided(runtime: &Runtime, request: &ExplainedRequest) -> Self {
        let matched = super::request::matched(runtime, request).and_then(Result::ok);
        let route = matched.as_ref().map(|matched| &matched.route.spec);
        Self {
            method: request.method.to_string(),
            path: request.path.clone(),
            organization: matched
                .as_ref()
                .and_then(|matched| matched.organization.as_deref().map(str::to_owned)),
            requires: route.map_or_else(Vec::new, |route| {
                route.require.iter().map(Requirement::to_string).collect()
            }),
            issuers: route.map_or_else(Vec::new, |route| {
                route.issuers.iter().map(ToString::to_string).collect()
            }),
            tags: route.map_or_else(Vec::new, |route| route.tags.clone()),
            route: route.map(|route| route.paths.clone()),
            decision: if matched.is_some() { "undecided" } else { "deny" },
            satisfied: None,
        }
    }
}

/// Lists the headers of a patch, for display.
pub(super) fn headers(patch: &HeaderPatch) -> Vec<FieldRow> {
    let shown = patch.iter().map(|(name, value)| FieldRow {
        name: name.to_string(),
        from: None,
        to: String::from_utf8_lossy(value.as_bytes()).into_owned(),
    });
    shown.collect()
}
