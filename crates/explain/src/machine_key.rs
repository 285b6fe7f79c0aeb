//! Explanation of a machine key, and of a request with it.

use narthex_decision::{Bearer, Decision, Denial, Match, Reason, Requirement, decide};
use narthex_directory::{Directory, LoadedMachineKey, MachineKey, MachineKeyError, Principal, load_machine_key};

use super::cure::Problem;
use super::request::{matched, route_problem};
use super::rows::{MembershipRow, RequestRow, StepRow};
use super::{Cure, CureKind, ExplainedRequest, Explanation, answer, later, tell_allowed, undecided};
use narthex_engine::Runtime;
use narthex_engine::machine_key::{WRONG_PLACE, machine_key_hash};
use narthex_engine::organization;
use narthex_engine::respond::{self, Refusal};

/// Name of the one rule that a machine key is held against.
const RULE: &str = "machine_key";

/// Explains a machine key, and a request if one was given. Writes nothing, not even a use of the key.
pub(super) async fn explain(
    runtime: &Runtime,
    directory: &dyn Directory,
    key: &str,
    request: Option<&ExplainedRequest>,
    now_ms: i64,
) -> Explanation {
    let mut told = Explanation::default();
    let mut problems: Vec<Problem> = Vec::new();
    problems.extend(request.and_then(|request| route_problem(runtime, request)));
    let loaded = match machine_key_hash(key) {
        Some(hash) => load_machine_key(directory, hash, now_ms).await,
        None => Err(MachineKeyError::Unknown),
    };
    told.token.push(step(&loaded));
    match &loaded {
        Ok(LoadedMachineKey { key, principal }) => {
            told.platform_role = Some(principal.platform_role().to_string());
            told.organizations = principal.memberships().iter().map(MembershipRow::from).collect();
            if let Some(request) = request {
                let asked = Asked {
                    runtime,
                    directory,
                    key,
                    principal,
                };
                problems.extend(asked.request_part(&mut told, request).await);
            }
        }
        Err(error) => {
            let refusal = Refusal::from(error);
            problems.push(Problem::new(refusal, Some(cure(error))));
            told.request = request.map(|request| RequestRow::undecided(runtime, request));
        }
    }
    told.answer = answer(problems);
    told
}

/// Returns the row of the key: the record that was found, or the reason why it does not count.
fn step(loaded: &Result<LoadedMachineKey, MachineKeyError>) -> StepRow {
    let found = match loaded {
        Ok(loaded) => Some(&loaded.key),
        Err(error) => error.key(),
    };
    let named = |key: &MachineKey| format!("key {} (`{}`), {}", key.id, key.name, key.role);
    let (outcome, detail, reason) = match loaded {
        Ok(loaded) => ("passed", named(&loaded.key), None),
        Err(error) => ("failed", error.to_string(), error.reason()),
    };
    StepRow {
        rule: RULE.to_owned(),
        outcome,
        expected: "a key of an organization that is active, neither revoked nor expired".to_owned(),
        found: found.map_or_else(|| "no key".to_owned(), named),
        detail,
        reason,
    }
}

/// Returns the change that would help against a refusal of the key.
fn cure(error: &MachineKeyError) -> Cure {
    let another = |key: Option<&MachineKey>, sentence: &str| {
        let id = key.map(|key| key.id.to_string());
        Cure::new(CureKind::MachineKey { id }, sentence)
    };
    match error {
        MachineKeyError::Unknown => another(
            None,
            "send the whole key as it was shown when it was created, to the installation that created it; if it is lost, \
             create another one (`narthex machine-key create`)",
        ),
        MachineKeyError::Revoked(key) | MachineKeyError::Expired(key) => another(
            Some(key),
            "create another key (`narthex machine-key create`), and give it to the program that uses this one",
        ),
        MachineKeyError::Suspended { organization, .. } => Cure::new(
            CureKind::Organization {
                name: organization.to_string(),
            },
            format!("set the status of `{organization}` to `active` again"),
        ),
        MachineKeyError::Store(error) => later(error),
    }
}

/// A request with a machine key that works.
struct Asked<'a> {
    runtime: &'a Runtime,
    directory: &'a dyn Directory,
    key: &'a MachineKey,
    principal: &'a Principal,
}

impl Asked<'_> {
    async fn request_part(&self, told: &mut Explanation, request: &ExplainedRequest) -> Option<Problem> {
        let Some(Ok(matched)) = matched(self.runtime, request) else {
            told.request = Some(RequestRow::undecided(self.runtime, request));
            return None;
        };
        let organization = match organization::facts(self.directory, (self.principal, None), &matched).await {
            Ok(organization) => organization,
            Err(error) => return Some(undecided(&error)),
        };
        let places = self.runtime.places_on(matched.route.index);
        if self.runtime.reads_tokens(matched.route.index) && !places.authorization {
            told.request = Some(RequestRow::undecided(self.runtime, request));
            return Some(not_read());
        }
        let bearer = Bearer {
            principal: self.principal,
            issuer: None,
            issuer_organization: None,
            tags: &[],
            scopes: &[],
        };
        let decision = decide(&matched, Some(&bearer), &organization);
        told.request = Some(RequestRow::decided(request, &matched, &decision));
        match decision {
            Decision::Allow(permit) => {
                tell_allowed(self.runtime, told, &matched, &permit, (self.principal, &[]));
                None
            }
            Decision::Deny(denial) => Some(self.denied(&denial, &matched)),
        }
    }

    fn denied(&self, denial: &Denial, matched: &Match<'_>) -> Problem {
        let mut cause = match denial.reason {
            Reason::RequestPath | Reason::RequestHost => organization::NO_NAME.to_owned(),
            _ => respond::needs(denial, matched),
        };
        if denial.told != denial.reason {
            cause = format!("{cause}; the caller is told `{}`", denial.told);
        }
        let mut refusal = Refusal::denied(denial, matched);
        refusal.detail = Some(cause);
        Problem::new(refusal, self.cure(denial))
    }

    /// Returns the change that would help against a denial.
    fn cure(&self, denial: &Denial) -> Option<Cure> {
        let setting = |name: &str, sentence: &str| {
            let setting = name.to_owned();
            Some(Cure::new(CureKind::Setting { setting }, sentence))
        };
        match denial.reason {
            Reason::RouteIssuer => setting(
                "route.issuers",
                "a machine key has no issuer, so no route with `issuers` takes one; send a token, or have a route without \
                 `issuers` for the program",
            ),
            Reason::RouteTag => setting(
                "route.tags",
                "a machine key has no tags, so no route with `tags` takes one; send a token, or have a route without \
                 `tags` for the program",
            ),
            Reason::TokenScope => setting(
                "route.scopes",
                "a machine key has no scopes, so no route with `scopes` takes one; send a token, or have a route without \
                 `scopes` for the program",
            ),
            Reason::PlatformRole => setting(
                "route.require",
                "a machine key has no role on the platform; send a token of a user who has, or an API key to the admin API",
            ),
            Reason::OrganizationRole | Reason::OrganizationUnknown | Reason::OrganizationSuspended => {
                Some(self.another_key(denial))
            }
            _ => None,
        }
    }

    fn another_key(&self, denial: &Denial) -> Cure {
        let roles = denial.required.iter().filter_map(|required| match required {
            Requirement::Organization(role) => Some(*role),
            _ => None,
        });
        let least = roles
            .min()
            .map_or_else(String::new, |role| format!(", with the role {role} or a higher one"));
        let own = self.principal.memberships().first();
        let own = own.map_or("its own organization", |membership| membership.name.as_str());
        let sentence = format!(
            "this key has the role {} in `{own}` and nowhere else; use a key of the organization that the request \
             names{least}",
            self.key.role
        );
        let id = Some(self.key.id.to_string());
        Cure::new(CureKind::MachineKey { id }, sentence)
    }
}

/// Returns the problem of a route that does not read `Authorization`.
fn not_read() -> Problem {
    let refusal = Refusal {
        problem: Some(WRONG_PLACE.to_owned()),
        ..Refusal::new(Reason::TokenMissing)
    };
    let setting = "route.token_from".to_owned();
    let sentence = "add `authorization` to the `token_from` of the route or of an issuer that it takes; a machine key counts \
                    in no other place";
    Problem::new(refusal, Some(Cure::new(CureKind::Setting { setting }, sentence)))
}
