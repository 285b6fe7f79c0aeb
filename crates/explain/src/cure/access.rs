//! Cures for refusals of the directory and of the decision, and for a request that no route takes.

use std::fmt::Write as _;

use narthex_decision::{Denial, Match, OrganizationFacts, Reason, Requirement, Route};
use narthex_directory::{
    Desired, DesiredTags, Directory, IssuerName, MembershipRule, Organization, OrganizationFilter, Page,
    Refusal as Refused, StoreError, SyncPlan, UserId, difference,
};

use super::similar::nearest;
use super::{Cure, CureKind, NearMissRow, RouteChoice, TagChoice, list, quoted};
use crate::ExplainedRequest;
use narthex_engine::organization;
use narthex_engine::{IssuerRuntime, Runtime};

/// Upper limit of proposed routes and names.
const NEAREST_MAX: usize = 3;
/// Upper limit of near misses that a sentence spells out.
const NEAR_SPOKEN_MAX: usize = 2;
/// Upper limit of edits by which a path may differ from a pattern and still count as near.
const PATH_DISTANCE_MAX: usize = 2;
/// Number of characters at the beginning and at the end of a name that the search uses.
const PIECE_CHARACTERS: usize = 3;

/// Returns the change that would help against a refusal of the directory.
pub(crate) async fn refused(
    refusal: &Refused,
    issuer: &IssuerRuntime,
    directory: &dyn Directory,
) -> Result<Option<Cure>, StoreError> {
    let cure = match refusal {
        Refused::UsernameConflict { owner } => username_conflict(owner, directory).await?,
        Refused::TeamConflict { team } => {
            let team = directory.team(*team).await?;
            let owner = match team.as_ref().and_then(|team| team.organization) {
                Some(organization) => directory.organization(organization).await?,
                None => None,
            };
            let name = owner
                .map(|organization| organization.name.to_string())
                .unwrap_or_default();
            let team = team
                .map(|team| team.external_id.map_or(team.name, |id| id.to_string()))
                .unwrap_or_default();
            Cure::new(
                CureKind::Organization { name: name.clone() },
                format!(
                    "the team {} belongs to the organization {}; have the identity provider send that organization, or \
                     another team",
                    quoted(&team),
                    quoted(&name)
                ),
            )
        }
        Refused::NotProvisioned => Cure::new(
            CureKind::Setting {
                setting: "issuer.provision".to_owned(),
            },
            format!(
                "create the user (`narthex user create`), or set `provision = \"create\"` for the issuer {}",
                quoted(issuer.name.as_str())
            ),
        ),
        Refused::Disabled { user } => of_user(user, &format!("enable the user again: `narthex user enable {user}`")),
        Refused::TokenRevoked { user } => of_user(user, "sign in again, for a token that was issued later"),
        Refused::TokenUndated { user } => of_user(
            user,
            "have the issuer put `iat` into its tokens, or accept older tokens again (`tokens_not_before` of the user)",
        ),
        Refused::LoggedOut { .. } => Cure::new(
            CureKind::Token,
            "sign in again at the identity provider, which has ended the session of this token",
        ),
        Refused::Erased { all: false } => Cure::new(
            CureKind::Token,
            "sign in again, for a token that was issued after the erasure",
        ),
        Refused::Erased { all: true } => Cure::new(
            CureKind::Token,
            "lift the erasure, if the user may come back: `narthex user lift-erasure EXTERNAL_ID`",
        ),
        Refused::TooManyTags { .. } => Cure::new(
            CureKind::Setting {
                setting: "limits.tags".to_owned(),
            },
            "have the identity provider send only the groups of this application",
        ),
    };
    Ok(Some(cure))
}

async fn username_conflict(owner: &UserId, directory: &dyn Directory) -> Result<Cure, StoreError> {
    let entry = directory.user(*owner).await?;
    let user = entry.as_ref().map(|entry| &entry.user);
    let who = user.map_or_else(String::new, |user| {
        format!(
            " (username {}, external id {})",
            quoted(user.username.as_str()),
            quoted(user.external_id.as_str())
        )
    });
    let change = CureKind::User {
        id: owner.to_string(),
        username: user.map(|user| user.username.to_string()),
    };
    Ok(Cure::new(
        change,
        format!(
            "the user {owner}{who} has this username; rename one of the two, or map another claim to \
             `user.username`"
        ),
    ))
}

fn of_user(user: &UserId, sentence: &str) -> Cure {
    let change = CureKind::User {
        id: user.to_string(),
        username: None,
    };
    Cure::new(change, sentence)
}

/// Returns the nearest route, for a request that no route takes.
pub(crate) fn route(runtime: &Runtime, request: &ExplainedRequest) -> Cure {
    let mut found: Vec<(usize, &Route, &str)> = Vec::new();
    for route in runtime.routes.iter() {
        for path in &route.spec.paths {
            let distance = path_distance(path, &request.path);
            if distance <= PATH_DISTANCE_MAX {
                found.push((distance, route, path));
            }
        }
    }
    found.sort_by_key(|(distance, route, _)| (*distance, route.index));
    found.truncate(NEAREST_MAX);
    let texts = |items: &mut dyn Iterator<Item = String>| items.collect::<Vec<String>>();
    let nearest: Vec<RouteChoice> = found
        .iter()
        .map(|(_, route, path)| RouteChoice {
            path: (*path).to_owned(),
            methods: texts(&mut route.spec.methods.iter().map(ToString::to_string)),
            hosts: texts(&mut route.spec.hosts.iter().map(ToString::to_string)),
        })
        .collect();
    let sentence = match (found.first(), nearest.first()) {
        (Some((0, ..)), Some(near)) => {
            let mut sentence = format!("the route {} has this path", quoted(&near.path));
            if !near.methods.is_empty() {
                // Writing to a `String` cannot fail.
                let _ = write!(sentence, " for {}", near.methods.join(", "));
            }
            if !near.hosts.is_empty() {
                let _ = write!(sentence, " on {}", near.hosts.join(", "));
            }
            let host = request.host.as_deref().map(quoted);
            format!(
                "{sentence}; this is {} on {}: send it so, or add what is missing to the route",
                request.method,
                host.as_deref().unwrap_or("no host")
            )
        }
        (Some(_), Some(_)) => format!(
            "the nearest pattern is {}; correct the path, or add a route for it",
            list(nearest.iter().map(|near| near.path.as_str()))
        ),
        _ => "add a `[[route]]` for this path; what no route takes is denied".to_owned(),
    };
    Cure::new(CureKind::Route { nearest }, sentence)
}

/// Returns the number of segments by which a path differs from a pattern.
fn path_distance(pattern: &str, path: &str) -> usize {
    let mut distance = 0;
    let mut segments = path.split('/').skip(1);
    for wanted in pattern.split('/').skip(1) {
        // The rest of a path may be empty.
        if wanted.starts_with("{*") {
            return distance;
        }
        match segments.next() {
            None => distance += 1,
            Some(_) if wanted.contains('{') => {}
            Some(found) if found == wanted => {}
            Some(found) if !nearest(found, [wanted], 1).is_empty() => distance += 1,
            // A path that begins otherwise is another path.
            Some(_) => distance += PATH_DISTANCE_MAX,
        }
    }
    distance + segments.count()
}

/// Facts on which a request was denied.
pub(crate) struct Denied<'d> {
    pub(crate) directory: &'d dyn Directory,
    pub(crate) issuer: &'d IssuerRuntime,
    pub(crate) desired: &'d Desired,
    pub(crate) plan: &'d SyncPlan,
    /// The route, with the organization as the request names it.
    pub(crate) matched: &'d Match<'d>,
    /// The same organization in the directory.
    pub(crate) facts: &'d OrganizationFacts,
}

impl Denied<'_> {
    /// Returns the change that would help against this denial.
    pub(crate) async fn cure(&self, denial: &Denial) -> Result<Option<Cure>, StoreError> {
        let name = organization::name(self.matched, self.facts).unwrap_or_default();
        let known = match self.facts {
            OrganizationFacts::Known(known) => self.directory.organization(known.id).await?,
            _ => None,
        };
        let cure = match denial.reason {
            Reason::OrganizationUnknown => match self.matched.organization_name() {
                Some(name) => self.other_name(name).await?,
                None => self.other_external_id(),
            },
            Reason::OrganizationSuspended => Cure::new(
                CureKind::Organization { name: name.to_owned() },
                format!("set the status of {} to `active` again", quoted(name)),
            ),
            Reason::OrganizationRole | Reason::PlatformRole => self.role(known.as_ref(), &denial.required),
            Reason::RouteIssuer => self.route_issuer(),
            Reason::RouteTag => self.route_tag(),
            Reason::TokenScope => self.scopes(),
            _ => return Ok(None),
        };
        let is_role = matches!(denial.reason, Reason::OrganizationRole | Reason::PlatformRole);
        if self.plan.stale_token && is_role {
            let first = match self.desired.issued_at_ms {
                Some(_) => "send the user's newest token, since this one changes no roles",
                None => {
                    "have the issuer put `iat` into its tokens, since one without it changes no roles after one with it"
                }
            };
            let sentence = format!("{first} (if that is refused too: {})", cure.sentence);
            return Ok(Some(Cure::new(CureKind::NewerToken, sentence)));
        }
        Ok(Some(cure))
    }

    /// Returns the cure for an external id that no organization of the user's realm has.
    fn other_external_id(&self) -> Cure {
        let text = self.matched.organization.as_deref().unwrap_or_default();
        let sentence = format!(
            "no organization of the realm {} has the external id {}: correct the request, or set `external_id` of the \
             organization",
            quoted(self.issuer.realm.as_str()),
            quoted(text)
        );
        Cure::new(CureKind::OrganizationName { nearest: Vec::new() }, sentence)
    }

    /// Returns organizations with similar names.
    async fn other_name(&self, name: &str) -> Result<Cure, StoreError> {
        let characters: Vec<char> = name.chars().collect();
        let first: String = characters.iter().take(PIECE_CHARACTERS).collect();
        let last: String = characters
            .iter()
            .skip(characters.len().saturating_sub(PIECE_CHARACTERS))
            .collect();
        let mut names = Vec::new();
        for piece in [first, last] {
            let filter = OrganizationFilter {
                q: Some(piece),
                ..OrganizationFilter::default()
            };
            let found = self.directory.organizations(filter, Page::first(usize::MAX)).await?;
            names.extend(
                found
                    .items
                    .into_iter()
                    .map(|organization| organization.name.to_string()),
            );
        }
        let filter = OrganizationFilter {
            external_id: Some(name.to_owned()),
            ..OrganizationFilter::default()
        };
        let known_as = self.directory.organizations(filter, Page::first(1)).await?.items.pop();
        if let Some(organization) = known_as {
            let own = organization.name.to_string();
            let sentence = format!(
                "{} is the external id of the organization {}: send its name",
                quoted(name),
                quoted(&own)
            );
            return Ok(Cure::new(CureKind::OrganizationName { nearest: vec![own] }, sentence));
        }
        let near = nearest(name, names.iter().map(String::as_str), NEAREST_MAX);
        let sentence = if near.is_empty() {
            format!(
                "create {} (`narthex organization create`), or correct the path",
                quoted(name)
            )
        } else {
            format!(
                "the nearest name is {}; correct the path, or create {}",
                list(near.iter().copied()),
                quoted(name)
            )
        };
        let nearest = near.into_iter().map(str::to_owned).collect();
        Ok(Cure::new(CureKind::OrganizationName { nearest }, sentence))
    }

    /// Returns the cure for a token of an issuer that the route does not take.
    fn route_issuer(&self) -> Cure {
        let issuers = self.matched.route.spec.issuers.iter();
        let sentence = format!(
            "send a token of {}, or add {} to the `issuers` of the route",
            list(issuers.map(IssuerName::as_str)),
            quoted(self.issuer.name.as_str())
        );
        let setting = "route.issuers".to_owned();
        Cure::new(CureKind::Setting { setting }, sentence)
    }

    /// Returns the cure for a token without a scope that the route asks for.
    fn scopes(&self) -> Cure {
        let scopes = self.matched.route.spec.scopes.iter();
        let sentence = format!(
            "have the client ask the identity provider for the scopes {}, or change the `scopes` of the route",
            list(scopes.map(String::as_str))
        );
        let setting = "route.scopes".to_owned();
        Cure::new(CureKind::Setting { setting }, sentence)
    }

    /// Returns the tags that the route asks for.
    fn route_tag(&self) -> Cure {
        let tags = self.matched.route.spec.tags.iter();
        let tags: Vec<TagChoice> = tags.map(|tag| choice(tag, "may use the route")).collect();
        let near = self.near(&tags, None);
        let mut sentence = match self.desired.tags {
            DesiredTags::NotConfigured => format!(
                "the issuer {} has no `[issuer.tags]`, so its tokens have no tags here: add it. ",
                quoted(self.issuer.name.as_str())
            ),
            _ => near_sentences(&near),
        };
        let _ = write!(
            sentence,
            "the token needs {}, or the route other `tags`",
            list(tags.iter().map(|choice| choice.tag.as_str()))
        );
        let change = CureKind::Tags {
            organization: None,
            tags,
            near,
        };
        Cure::new(change, sentence)
    }

    /// Returns tags that would grant a required role.
    fn role(&self, organization: Option<&Organization>, required: &[Requirement]) -> Cure {
        // Tags of an organization grant no platform role.
        let of_organization = |required: &Requirement| matches!(required, Requirement::Organization(_));
        let organization = organization.filter(|_| required.iter().any(of_organization));
        let mut tags = Vec::new();
        for requirement in required {
            match (requirement, organization) {
                (Requirement::Organization(least), Some(organization)) => {
                    let lists = organization.tags.by_role().into_iter().rev();
                    for (role, list) in lists.filter(|(role, _)| role >= least) {
                        tags.extend(
                            list.texts()
                                .map(|tag| choice(tag, &format!("{role} of {}", organization.name))),
                        );
                    }
                }
                (Requirement::Platform(_), _) => {
                    let list = &self.issuer.policy.platform_admin_tags;
                    tags.extend(list.texts().map(|tag| choice(tag, "platform admin")));
                }
                _ => {}
            }
        }
        let near = self.near(&tags, organization);
        let sentence = self.role_sentence(organization, &tags, &near);
        let organization = organization.map(|organization| organization.name.to_string());
        let change = CureKind::Tags {
            organization,
            tags,
            near,
        };
        Cure::new(change, sentence)
    }

    /// Returns the tags of the token that nearly match a sufficient tag.
    fn near(&self, tags: &[TagChoice], organization: Option<&Organization>) -> Vec<NearMissRow> {
        let DesiredTags::Exactly(carried) = &self.desired.tags else {
            return Vec::new();
        };
        let mut near = Vec::new();
        for tag in carried {
            let listed = tags
                .iter()
                .filter_map(|choice| Some((choice, difference(tag, &choice.tag)?)));
            near.extend(listed.map(|(choice, difference)| {
                NearMissRow {
                    tag: tag.clone(),
                    listed: choice.tag.clone(),
                    organization: organization
                        .filter(|_| choice.role != "platform admin")
                        .map(|organization| organization.name.to_string()),
                    difference: difference.as_str(),
                    sentence: difference.to_string(),
                }
            }));
        }
        near
    }

    fn role_sentence(&self, organization: Option<&Organization>, tags: &[TagChoice], near: &[NearMissRow]) -> String {
        let by_hand = organization.is_none_or(|organization| organization.membership != MembershipRule::ExternalOnly);
        let by_hand = if by_hand {
            ", or grant the role by hand (`narthex grant create`)"
        } else {
            ""
        };
        let issuer = quoted(self.issuer.name.as_str());
        if matches!(self.desired.tags, DesiredTags::NotConfigured) {
            return format!(
                "the issuer {issuer} has no `[issuer.tags]`, so no tag of its tokens counts: add it{by_hand}"
            );
        }
        if let Some(other) = organization.filter(|organization| organization.realm != self.issuer.realm) {
            return format!(
                "{} is in the realm {} and the issuer {issuer} in {}: its tags do not count there; put both into one \
                 realm{by_hand}",
                quoted(other.name.as_str()),
                quoted(other.realm.as_str()),
                quoted(self.issuer.realm.as_str())
            );
        }
        if tags.is_empty() {
            return match organization {
                Some(organization) => format!(
                    "{} lists no tag for that role: list one{by_hand}",
                    quoted(organization.name.as_str())
                ),
                None => format!("the issuer {issuer} lists no tag for that role (`platform_admin`): list one{by_hand}"),
            };
        }
        let mut sentence = near_sentences(near);
        let lead = if near.is_empty() {
            "the token needs"
        } else {
            "Any of these would do:"
        };
        let _ = write!(
            sentence,
            "{lead} {} ({}){by_hand}",
            list(tags.iter().map(|choice| choice.tag.as_str())),
            roles(tags)
        );
        sentence
    }
}

/// Spells out the first near misses.
fn near_sentences(near: &[NearMissRow]) -> String {
    let mut sentences = String::new();
    for miss in near.iter().take(NEAR_SPOKEN_MAX) {
        // Writing to a `String` cannot fail.
        let _ = write!(
            sentences,
            "the token has {} and {} is listed: {}. ",
            quoted(&miss.tag),
            quoted(&miss.listed),
            miss.sentence
        );
    }
    sentences
}

fn choice(tag: &str, role: &str) -> TagChoice {
    TagChoice {
        tag: tag.to_owned(),
        role: role.to_owned(),
    }
}

/// Returns the roles that tags grant, each once.
fn roles(tags: &[TagChoice]) -> String {
    let mut roles: Vec<&str> = Vec::new();
    for choice in tags {
        if !roles.contains(&choice.role.as_str()) {
            roles.push(&choice.role);
        }
    }
    roles.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_near_by_their_segments() {
        for (pattern, path, expected) in [
            ("/orgs/{organization}/{*rest}", "/orgs/acme/x", 0),
            ("/orgs/{organization}/{*rest}", "/orgs/acme", 0),
            ("/orgs/{organization}/{*rest}", "/orgs/acme/", 0),
            ("/orders", "/orders/", 1),
            ("/orders/", "/orders", 1),
            ("/orgs/{organization}/reports", "/orgs/acme/report", 1),
            ("/orgs/{organization}", "/orgs/acme/x", 1),
            ("/app", "/orgs/acme/x", 4),
            ("/", "/", 0),
        ] {
            assert_eq!(path_distance(pattern, path), expected, "{pattern} {path}");
        }
    }
}
