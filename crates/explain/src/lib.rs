//! Explain: runs the steps of the pipeline, shows each of them, and writes nothing.
//!
//! A token that is refused early is still walked to the end as far as possible, because "it has expired, and even a
//! fresh one would lack the role" is what a tired administrator needs to read once, not in two rounds. The walk ends at
//! the claims if the signature is not proved: where those claims would lead serves only a forger.

use std::cell::RefCell;
use std::sync::Arc;

use http::{HeaderMap, Method, header};
use narthex_decision::{Bearer, Decision, Denial, IdentityHeaders, Match, OrganizationFacts, Permit, Reason, decide};
use narthex_directory::{
    CountingIds, Desired, DesiredTags, Directory, Principal, SyncError, SyncPlan, Synced, rehearse,
};
use narthex_mapping::{Field, Preview, TokenFacts};
use narthex_token::{InspectedClaims, Inspection, TrustedIssuer, VerifyError, inspect};
use serde::Serialize;

use self::cure::Problem;
use self::cure::access::{self, Denied};
pub use self::cure::similar::nearest;
use self::cure::token::Examined;
use self::introspected::explained_opaque;
use self::request::{matched, route_of, route_problem};
pub use self::request::{parse_request, pasted_token};
use self::revoked::revoked;
use narthex_engine::event::quoted;
use narthex_engine::identity;
use narthex_engine::machine_key::is_machine_key;
use narthex_engine::opaque;
use narthex_engine::organization;
use narthex_engine::request_facts::OwnedRequestFacts;
use narthex_engine::respond::{self, Refusal};
use narthex_engine::{IssuerRuntime, Runtime};
use narthex_fetch::keys::{ROUNDS, may_be_mended};

mod cure;
mod introspected;
mod machine_key;
mod request;
mod revoked;
mod rows;

pub use cure::{Cure, CureKind, IssuerChoice, RouteChoice, TagChoice};
pub use rows::{
    AlsoRow, AnswerRow, ChangeRow, FieldRow, IdentityRow, KeyRow, MembershipRow, NearMissRow, RequestRow, StepRow,
    TagRow,
};

/// Note about a token that is bound to a key.
const NEEDS_PROOF: &str = "the token is bound to a key of its sender: each request needs `Authorization: DPoP …` and a new proof in \
     the header `DPoP`, which is not judged here";

/// Request that a token is explained with.
#[derive(Debug, Clone)]
pub struct ExplainedRequest {
    /// Its method.
    pub method: Method,
    /// Its path, without a query.
    pub path: String,
    /// Its query, if any.
    pub query: Option<String>,
    /// The host it goes to.
    pub host: Option<String>,
    /// Its headers, for mappings that read them.
    pub headers: HeaderMap,
}

impl ExplainedRequest {
    /// Returns a request by method and target; the target may contain a query. A header may name its host.
    ///
    /// # Errors
    ///
    /// A sentence that says what is wrong.
    pub fn new((method, target): (&str, &str), host: Option<String>, headers: HeaderMap) -> Result<Self, String> {
        let method = Method::from_bytes(method.to_ascii_uppercase().as_bytes())
            .map_err(|_| format!("`{}` is not a method", quoted(method)))?;
        let (path, query) = match target.trim().split_once('?') {
            Some((path, query)) => (path, Some(query.to_owned())),
            None => (target.trim(), None),
        };
        let mut named = headers.get_all(header::HOST).iter();
        let host = match (host, named.next(), named.next()) {
            (host, None, _) => host,
            (None, Some(named), None) => {
                let named = named.to_str().map_err(|_| "the `Host` header is not a host")?;
                Some(named.to_owned())
            }
            _ => return Err("the host is given more than once; a request has one".to_owned()),
        };
        Ok(Self {
            method,
            path: path.to_owned(),
            query,
            host,
            headers,
        })
    }
}

/// Explanation of a token, and of a request if one was given. It shows claim values: it is for clients that may see the
/// token. It contains no part of the signature and no secret.
#[derive(Debug, Clone, Default, Serialize, utoipa::ToSchema)]
pub struct Explanation {
    /// Answer that the caller would get.
    pub answer: AnswerRow,
    /// Configured name of the issuer; missing if no issuer was found.
    pub issuer: Option<String>,
    /// Key that verified the signature, and the rule that found it.
    pub key: Option<KeyRow>,
    /// Every rule of verification, in order.
    pub token: Vec<StepRow>,
    /// Result of each template of the mapping.
    pub identity: Vec<IdentityRow>,
    /// Tags of the token, with what each of them grants.
    pub tags: Vec<TagRow>,
    /// Tags that nearly match a listed tag, each with the difference.
    pub near_misses: Vec<NearMissRow>,
    /// Changes that the token would make in the directory.
    pub changes: Vec<ChangeRow>,
    /// Changes that the directory would leave undone, each with the reason.
    pub notes: Vec<String>,
    /// Platform role of the user after these changes.
    pub platform_role: Option<String>,
    /// Organizations of the user after these changes, with the effective role in each.
    pub organizations: Vec<MembershipRow>,
    /// Decision on the request; missing if no request was given.
    pub request: Option<RequestRow>,
    /// Identity headers that the application would receive, without the assertion.
    pub headers: Vec<FieldRow>,
}

/// Explains a token or a machine key, and a request if one was given. Writes nothing.
pub async fn explain(
    runtime: &Runtime,
    directory: &dyn Directory,
    token: &str,
    request: Option<&ExplainedRequest>,
    now_ms: i64,
) -> Explanation {
    if is_machine_key(token.as_bytes()) {
        return machine_key::explain(runtime, directory, token, request, now_ms).await;
    }
    let mut told = Explanation::default();
    let mut problems: Vec<Problem> = Vec::new();
    problems.extend(request.and_then(|request| route_problem(runtime, request)));

    let asked = opaque::issuer_of(runtime, route_of(runtime, request), token);
    let looked = match asked {
        Some(asked) => explained_opaque(asked, token, now_ms).await.map(|seen| (seen, None)),
        None => Ok(inspected(runtime, token, now_ms).await),
    };
    let (inspection, unasked) = match looked {
        Ok(looked) => looked,
        Err(problem) => {
            problems.push(*problem);
            told.issuer = asked.map(|(issuer, _)| issuer.name.to_string());
            told.request = request.map(|request| RequestRow::undecided(runtime, request));
            told.answer = answer(problems);
            return told;
        }
    };
    tell_token(&mut told, &inspection);
    let examined = Examined {
        runtime,
        token,
        inspection: &inspection,
        now_ms,
    };
    for error in unasked.iter().chain(inspection.error()) {
        problems.push(Problem::new(error.into(), examined.cure(error)));
    }

    let issuer = inspection.issuer.as_ref().and_then(|name| runtime.by_name.get(name));
    problems.extend(revoked(directory, issuer, &inspection, token).await);
    let preview = issuer.and_then(|issuer| preview(issuer, &inspection, request, now_ms));
    if let (Some(preview), Some(claims)) = (&preview, cure::token::claims(&inspection)) {
        let (rules, fields): (Vec<_>, Vec<_>) =
            preview.rows.iter().partition(|row| matches!(row.field, Field::Rule(_)));
        told.token.extend(rules.into_iter().map(StepRow::of_rule));
        told.identity = fields.into_iter().map(IdentityRow::from).collect();
        let cured = |error| Problem::new(Refusal::from(error), Some(cure::mapping::cure(error, preview, claims)));
        problems.extend(preview.errors.iter().map(cured));
    }
    let walk = Walk {
        runtime,
        directory,
        scopes: cure::token::claims(&inspection).map_or_else(Box::default, |claims| runtime.kept_scopes.among(claims)),
        now_ms,
    };
    let desired = preview.and_then(|preview| preview.desired);
    let met = match (issuer, &desired) {
        (Some(issuer), Some(desired)) if may_be_good(&inspection) => {
            walk.directory_part(&mut told, &mut problems, issuer, desired).await
        }
        _ => None,
    };
    match (request, &met) {
        (Some(request), Some(met)) => problems.extend(walk.request_part(&mut told, request, met).await),
        (Some(request), None) => told.request = Some(RequestRow::undecided(runtime, request)),
        (None, _) => {}
    }
    told.answer = answer(problems);
    told
}

/// Inspects the token as a door would: if its key is missing, the issuer is asked for newer keys, if the key cache
/// allows it. Also returns the door's error if the issuer could not be asked.
async fn inspected(runtime: &Runtime, token: &str, now_ms: i64) -> (Inspection, Option<VerifyError>) {
    let look = || {
        let held = RefCell::new(None);
        let inspection = inspect(
            token,
            &runtime.issuers,
            |trusted: &TrustedIssuer| {
                let issuer = runtime.issuer(trusted)?;
                let snapshot = issuer.keys.snapshot();
                let keys = snapshot.keys(now_ms).cloned();
                held.replace(Some((Arc::clone(issuer), snapshot)));
                keys
            },
            &runtime.token_limits,
            now_ms,
        );
        (inspection, held.into_inner())
    };
    let (mut inspection, mut held) = look();
    for _ in 1..ROUNDS {
        let missed = inspection.error().filter(|error| may_be_mended(error)).cloned();
        let (Some(missed), Some((issuer, seen))) = (missed, held) else {
            return (inspection, None);
        };
        match issuer.keys.after_miss(missed.clone(), &seen).await {
            Ok(_) => (inspection, held) = look(),
            Err(error) => return (inspection, Some(error).filter(|error| *error != missed)),
        }
    }
    (inspection, None)
}

/// Tests whether the token may come from its issuer.
///
/// SECURITY: a reader of an explanation must not take a forger's claims for a user's roles. A signature that does not
/// verify, or whose key is missing, proves nothing; if the keys could not be fetched, the token may still be good.
fn may_be_good(inspection: &Inspection) -> bool {
    let unproved = matches!(inspection.claims, InspectedClaims::Unproved(_));
    let no_keys = || {
        inspection
            .error()
            .is_some_and(|error| error.reason() == Reason::KeysUnavailable.code())
    };
    !unproved || no_keys()
}

fn tell_token(told: &mut Explanation, inspection: &Inspection) {
    told.issuer.clone_from(&inspection.issuer);
    told.key = inspection.key.as_ref().map(KeyRow::from);
    told.token = inspection.steps.iter().map(StepRow::from).collect();
    if let InspectedClaims::Verified(claims) = &inspection.claims
        && claims.bound_to().is_some()
    {
        told.notes.push(NEEDS_PROOF.to_owned());
    }
}

fn preview(
    issuer: &IssuerRuntime,
    inspection: &Inspection,
    request: Option<&ExplainedRequest>,
    now_ms: i64,
) -> Option<Preview> {
    let empty = HeaderMap::new();
    let headers = request.map_or(&empty, |request| &request.headers);
    let query = request.and_then(|request| request.query.as_deref());
    let held = OwnedRequestFacts::new(&issuer.mapping, headers, query);
    let facts = match &inspection.claims {
        InspectedClaims::Verified(claims) => TokenFacts::from(&**claims),
        InspectedClaims::Refused(claims) | InspectedClaims::Unproved(claims) => TokenFacts::from(claims),
        InspectedClaims::Unreadable => return None,
    };
    Some(issuer.mapping.preview(facts, &held.facts(), now_ms))
}

/// Result of the directory part, for the cure of a refused token.
struct DirectoryResult<'d> {
    issuer: &'d IssuerRuntime,
    desired: &'d Desired,
    plan: Arc<SyncPlan>,
    principal: Arc<Principal>,
}

/// Steps that need the directory.
struct Walk<'w> {
    runtime: &'w Runtime,
    directory: &'w dyn Directory,
    /// Scopes of the token that some route asks for.
    scopes: Box<[String]>,
    now_ms: i64,
}

impl Walk<'_> {
    /// Returns the plan as a diff, and the user as the directory would agree on it.
    async fn directory_part<'d>(
        &self,
        told: &mut Explanation,
        problems: &mut Vec<Problem>,
        issuer: &'d IssuerRuntime,
        desired: &'d Desired,
    ) -> Option<DirectoryResult<'d>> {
        let (policy, active_issuers) = (&issuer.policy, &*self.runtime.active_issuers);
        let rehearsed = rehearse(
            self.directory,
            desired,
            policy,
            active_issuers,
            self.now_ms,
            &mut CountingIds(0),
        )
        .await;
        match rehearsed {
            Ok(Synced { principal, plan }) => {
                let places = rows::Places::of(&plan, &principal);
                told.changes = plan
                    .changes
                    .iter()
                    .map(|change| ChangeRow::new(change, &places))
                    .collect();
                told.notes.extend(notes(&plan, desired));
                told.tags = rows::tags(desired, &plan, policy);
                told.near_misses = plan.near_misses.iter().map(NearMissRow::from).collect();
                told.platform_role = Some(principal.platform_role().to_string());
                told.organizations = principal.memberships().iter().map(MembershipRow::from).collect();
                Some(DirectoryResult {
                    issuer,
                    desired,
                    plan,
                    principal,
                })
            }
            Err(SyncError::Refused(refusal)) => {
                let cure = access::refused(&refusal, issuer, self.directory).await;
                problems.push(Problem::new(
                    (&refusal).into(),
                    cure.unwrap_or_else(|error| Some(later(&error))),
                ));
                None
            }
            Err(error) => {
                problems.push(undecided(&error));
                None
            }
        }
    }

    async fn request_part(
        &self,
        told: &mut Explanation,
        request: &ExplainedRequest,
        met: &DirectoryResult<'_>,
    ) -> Option<Problem> {
        let Some(Ok(matched)) = matched(self.runtime, request) else {
            told.request = Some(RequestRow::undecided(self.runtime, request));
            return None;
        };
        let of_one = met.issuer.policy.organization.as_ref();
        let organization = match organization::facts(self.directory, (&met.principal, of_one), &matched).await {
            Ok(organization) => organization,
            Err(error) => return Some(undecided(&error)),
        };
        let bearer = Bearer {
            principal: &met.principal,
            issuer: Some(&met.issuer.name),
            issuer_organization: of_one,
            tags: match &met.desired.tags {
                DesiredTags::Exactly(tags) => tags,
                _ => &[],
            },
            scopes: &self.scopes,
        };
        let decision = decide(&matched, Some(&bearer), &organization);
        told.request = Some(RequestRow::decided(request, &matched, &decision));
        match decision {
            Decision::Allow(permit) => {
                tell_allowed(self.runtime, told, &matched, &permit, (&met.principal, bearer.tags));
                None
            }
            Decision::Deny(denial) => Some(self.denied(&denial, (&matched, &organization), met).await),
        }
    }

    async fn denied(
        &self,
        denial: &Denial,
        (matched, facts): (&Match<'_>, &OrganizationFacts),
        met: &DirectoryResult<'_>,
    ) -> Problem {
        let mut cause = match denial.reason {
            Reason::RequestPath | Reason::RequestHost => organization::NO_NAME.to_owned(),
            _ => respond::needs(denial, matched),
        };
        if denial.told != denial.reason {
            cause = format!("{cause}; the caller is told `{}`", denial.told);
        }
        if met.plan.stale_token {
            cause = format!("{}; {cause}", stale_note(met.desired));
        }
        let denied = Denied {
            directory: self.directory,
            issuer: met.issuer,
            desired: met.desired,
            plan: &met.plan,
            matched,
            facts,
        };
        let cure = denied.cure(denial).await.unwrap_or_else(|error| Some(later(&error)));
        let mut refusal = Refusal::denied(denial, matched);
        refusal.detail = Some(cause);
        Problem::new(refusal, cure)
    }
}

/// Tells the identity headers of an allowed request.
fn tell_allowed(
    runtime: &Runtime,
    told: &mut Explanation,
    matched: &Match<'_>,
    permit: &Permit,
    (principal, tags): (&Principal, &[String]),
) {
    // On such a route no token is read, so the application gets no identity.
    if !runtime.reads_tokens(matched.route.index) {
        told.headers = rows::headers(&IdentityHeaders::new().into_patch());
        let note = "the route has `token = \"ignore\"`: every caller is anonymous there";
        told.notes.push(note.to_owned());
        return;
    }
    let membership = permit
        .organization
        .as_ref()
        .map(|membership| (membership.name.as_str(), membership.role.as_str()));
    let context = runtime.context(principal);
    let headers = identity::headers(principal, membership, &context, None);
    let chosen = runtime.chosen_headers(matched.route.index);
    let headers = identity::with_chosen(headers, chosen, (principal, membership, tags));
    told.headers = rows::headers(&headers.into_patch());
}

/// Returns notes about a plan that leaves something undone.
fn notes(plan: &SyncPlan, desired: &Desired) -> Vec<String> {
    let stale = plan.stale_token.then(|| stale_note(desired).to_owned());
    let observed = plan
        .observed
        .then(|| "the issuer is in observe mode: nothing of this is written".to_owned());
    let notes = plan.notes.iter().map(ToString::to_string);
    notes.chain(stale).chain(observed).collect()
}

/// Returns the reason why a token that is not the newest changes nothing.
const fn stale_note(desired: &Desired) -> &'static str {
    if desired.issued_at_ms.is_some() {
        "a newer token of this user was seen already, or one of the same second that says something else, so this one changes \
         nothing"
    } else {
        "a token of this user that has `iat` was seen already, and this one has none, so it may be older and changes nothing"
    }
}

fn undecided(error: &dyn std::fmt::Display) -> Problem {
    let refusal = Refusal::logged(Reason::StoreUnavailable, error.to_string());
    Problem::new(refusal, Some(later(error)))
}

fn later(error: &dyn std::fmt::Display) -> Cure {
    Cure::new(
        CureKind::Later,
        format!("mend the store, or try again shortly: {error}"),
    )
}

/// Returns the answer to the first problem, in the order of the pipeline.
fn answer(problems: Vec<Problem>) -> AnswerRow {
    let mut problems = problems.into_iter();
    let Some(first) = problems.next() else {
        return AnswerRow {
            status: 200,
            message: "the request may pass".to_owned(),
            ..AnswerRow::default()
        };
    };
    AnswerRow {
        status: respond::status(first.refusal.reason).as_u16(),
        reason: Some(first.refusal.reason.code().to_owned()),
        message: first.refusal.text(),
        cause: Some(first.cause()),
        cure: first.cure,
        also: problems.map(AlsoRow::from).collect(),
    }
}
