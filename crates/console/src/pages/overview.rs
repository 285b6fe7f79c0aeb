//! `/`: the things to attend to, the issuers, and the latest events; the first steps of a new installation.

mod decisions;

use askama::Template;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::number;
use narthex_console_frame::wording::tag::NearTag;
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_ops::audit_events::{self, EventQuery};
use narthex_ops::organizations::{self, OrganizationQuery};
use narthex_ops::tags::TagListOwner;
use narthex_ops::users::{self, UserQuery};
use narthex_ops::{IssuerSummary, OpError, PageRequest, api_keys, issuers, tags, webhooks};

use self::decisions::Chart;
use super::events::EventRow;
use super::issuers::State;

/// Maximum number of things to attend to.
const ATTENTION_MAX: usize = 5;
/// Maximum number of events.
const EVENTS_MAX: usize = 8;

#[derive(Template)]
#[template(path = "overview.html")]
struct OverviewPage<'a> {
    frame: &'a Frame,
    attention: Vec<Attention>,
    /// Number of things to attend to, in words.
    count: String,
    issuers: Vec<IssuerRow>,
    events: Vec<EventRow>,
    /// Decisions over time; `None` for a caller who may not read them.
    chart: Option<Chart>,
}

#[derive(Template)]
#[template(path = "first_steps.html")]
struct FirstStepsPage<'a> {
    frame: &'a Frame,
    has_issuer: bool,
    has_organization: bool,
    may_create: bool,
}

/// Something to attend to, with its cure.
struct Attention {
    what: AttentionKind,
    href: String,
    cure: String,
}

enum AttentionKind {
    /// An issuer whose keys fail.
    Issuer {
        name: String,
        serves: bool,
        until: Option<Moment>,
    },
    /// A tag of tokens that nearly meets a listed one.
    NearMiss {
        carried: NearTag,
        listed: NearTag,
        owner: String,
    },
    /// An API key that ends soon.
    Key { name: String, ends: Moment },
    /// A webhook whose receiver takes nothing.
    Webhook { name: String, since: Moment },
}

struct IssuerRow {
    href: String,
    name: String,
    state: State,
    keys: String,
    fetched: Option<Moment>,
}

/// Shows the overview, or the first steps while there is no user.
pub(super) async fn show(visit: &Visit) -> Answer {
    let known = issuers::list(visit.caller(), all())?.items;
    let one = PageRequest {
        cursor: None,
        limit: Some(1),
    };
    let caller = visit.caller();
    if users::list(caller, UserQuery::default(), one).await?.items.is_empty() {
        let one = PageRequest {
            cursor: None,
            limit: Some(1),
        };
        let organizations = organizations::list(caller, OrganizationQuery::default(), one).await?;
        return page(&FirstStepsPage {
            frame: visit.frame(),
            has_issuer: !known.is_empty(),
            has_organization: !organizations.items.is_empty(),
            may_create: visit.may(Action::CreateOrganization, None),
        });
    }
    let mut attention: Vec<Attention> = known.iter().filter_map(|issuer| of_issuer(visit, issuer)).collect();
    attention.extend(failing_webhooks(visit).await?);
    attention.extend(near_misses(visit).await?);
    attention.extend(ending_keys(visit).await?);
    let count = number::counted(attention.len(), "thing", "things");
    attention.truncate(ATTENTION_MAX);
    page(&OverviewPage {
        frame: visit.frame(),
        attention,
        count,
        issuers: known.iter().map(|issuer| issuer_row(visit, issuer)).collect(),
        events: events(visit).await?,
        chart: chart(visit)?,
    })
}

/// Reads the decisions over time; none for a caller who may not read them.
fn chart(visit: &Visit) -> Result<Option<Chart>, Failed> {
    let may = visit.may(Action::ReadAudit, None);
    may.then(|| decisions::chart(visit)).transpose()
}

const fn all() -> PageRequest {
    PageRequest {
        cursor: None,
        limit: Some(narthex_directory::PAGE_LIMIT_MAX),
    }
}

fn of_issuer(visit: &Visit, issuer: &IssuerSummary) -> Option<Attention> {
    let health = &issuer.key_health;
    let fails = issuer.enabled && (!health.serving || health.failures_in_a_row > 0);
    fails.then(|| Attention {
        what: AttentionKind::Issuer {
            name: issuer.name.clone(),
            serves: health.serving,
            until: health.usable_until.map(|at| visit.moment(at.0)),
        },
        href: paths::issuer(&issuer.name) + "/keys",
        cure: "See what failed".to_owned(),
    })
}

/// Returns the webhooks whose receivers take nothing; none for a caller who may not list them.
async fn failing_webhooks(visit: &Visit) -> Result<Vec<Attention>, OpError> {
    if !visit.may(Action::ReadWebhooks, None) {
        return Ok(Vec::new());
    }
    let known = webhooks::list(visit.caller(), all()).await?.items;
    let failing = known.iter().filter_map(|view| {
        let since_ms = super::webhooks::failing_since_ms(view)?;
        Some(Attention {
            what: AttentionKind::Webhook {
                name: view.name.clone(),
                since: visit.moment(since_ms),
            },
            href: paths::webhook(&view.name),
            cure: "See what failed".to_owned(),
        })
    });
    Ok(failing.collect())
}

/// Returns the near misses of organizations among the first tags.
async fn near_misses(visit: &Visit) -> Result<Vec<Attention>, OpError> {
    let mut found = Vec::new();
    for used in tags::list(visit.caller(), None, all()).await?.items {
        for miss in &used.near_misses {
            let (carried, listed) = (used.seen.tag.as_str(), miss.listed.as_str());
            let (href, owner, cure) = match &miss.list {
                TagListOwner::Organization(_, name) => (
                    paths::organization(name.as_str()),
                    name.to_string(),
                    format!("Correct the tags of {name}"),
                ),
                TagListOwner::Issuer(name) => (
                    "/tags".to_owned(),
                    format!("the issuer {name}"),
                    "See the tags".to_owned(),
                ),
            };
            found.push(Attention {
                what: AttentionKind::NearMiss {
                    carried: NearTag::new(carried, listed),
                    listed: NearTag::new(listed, carried),
                    owner,
                },
                href,
                cure,
            });
        }
    }
    Ok(found)
}

/// Returns the API keys that end soon; none for a caller who may not list them.
async fn ending_keys(visit: &Visit) -> Result<Vec<Attention>, OpError> {
    if !visit.may(Action::ReadApiKeys, None) {
        return Ok(Vec::new());
    }
    let now_ms = visit.now_ms();
    let keys = api_keys::list(visit.caller(), all()).await?.items.into_iter();
    let soon = keys.filter(|key| key.works_at(now_ms)).filter_map(|key| {
        let ends_ms = key.expires_at_ms?;
        (ends_ms.saturating_sub(now_ms) <= super::api_keys::ENDS_SOON_MS).then(|| Attention {
            what: AttentionKind::Key {
                name: key.name,
                ends: visit.moment(ends_ms),
            },
            href: "/api-keys".to_owned(),
            cure: "Create another key".to_owned(),
        })
    });
    Ok(soon.collect())
}

fn issuer_row(visit: &Visit, issuer: &IssuerSummary) -> IssuerRow {
    let health = &issuer.key_health;
    IssuerRow {
        href: paths::issuer(&issuer.name) + "/keys",
        name: issuer.name.clone(),
        state: State::of(issuer),
        keys: number::counted(health.usable_count, "key", "keys"),
        fetched: health.fetched_at.map(|at| visit.moment(at.0)),
    }
}

/// Reads the latest events; none for a caller who may not read the audit trail.
async fn events(visit: &Visit) -> Result<Vec<EventRow>, Failed> {
    if !visit.may(Action::ReadAudit, None) {
        return Ok(Vec::new());
    }
    let query = EventQuery::default();
    let latest = PageRequest {
        cursor: None,
        limit: Some(EVENTS_MAX),
    };
    let events = audit_events::list(visit.caller(), query, latest).await?.items;
    super::events::rows(visit, events, None).await
}
