//! `/tags`: the tags of tokens, and the lists that they meet or nearly meet.

use askama::Template;
use axum::Router;
use axum::routing::get;
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::tag::{self, NearTag};
use narthex_console_frame::wording::time::Moment;
use narthex_directory::{ScopedRole, difference};
use narthex_ops::tags::{self, NearMiss, TagListOwner, TagListing, TagUse};

use super::realms;

pub(super) fn routes() -> Router {
    Router::new().route("/tags", get(list))
}

#[derive(Template)]
#[template(path = "tags.html")]
struct TagsPage<'a> {
    frame: &'a Frame,
    realm: &'a str,
    realms: Vec<String>,
    misses: Vec<MissRow>,
    rows: Vec<Row>,
    pager: Pager,
}

struct MissRow {
    carried: NearTag,
    listed: NearTag,
    /// The difference, in words.
    differs: Option<&'static str>,
    /// Address of the organization that lists it; `None` for an issuer.
    href: Option<String>,
    owner: String,
    last_seen: Moment,
}

struct Row {
    tag: String,
    realm: String,
    gives: Vec<Given>,
    has_near_miss: bool,
    first_seen: Moment,
    last_seen: Moment,
}

/// Role that a tag gives in an organization.
struct Given {
    role: &'static str,
    href: String,
    organization: String,
}

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let listing = tags::list(visit.caller(), query.filled("realm"), query.page()).await?;
    let of_tag = |used: &TagUse| -> Vec<MissRow> {
        let misses = used.near_misses.iter();
        misses.map(|miss| miss_row(&visit, used, miss)).collect()
    };
    page(&TagsPage {
        frame: visit.frame(),
        realm: query.text("realm"),
        realms: realms(visit.caller())?,
        misses: listing.items.iter().flat_map(of_tag).collect(),
        rows: listing.items.iter().map(|used| row(&visit, used)).collect(),
        pager: Pager::new(
            "/tags",
            query,
            &["realm"],
            listing.items.len(),
            listing.next_cursor.as_ref(),
        ),
    })
}

fn miss_row(visit: &Visit, used: &TagUse, miss: &NearMiss) -> MissRow {
    let (carried, listed) = (used.seen.tag.as_str(), miss.listed.as_str());
    let (href, owner) = match &miss.list {
        TagListOwner::Organization(_, name) => (Some(paths::organization(name.as_str())), name.to_string()),
        TagListOwner::Issuer(name) => (None, format!("the issuer {name}, platform admins")),
    };
    MissRow {
        carried: NearTag::new(carried, listed),
        listed: NearTag::new(listed, carried),
        differs: difference(carried, listed).map(tag::difference),
        href,
        owner,
        last_seen: visit.moment(used.seen.last_seen_at_ms),
    }
}

fn row(visit: &Visit, used: &TagUse) -> Row {
    let given = |listing: &TagListing| Given {
        role: access::role(ScopedRole::Organization(listing.organization, listing.role)),
        href: paths::organization(listing.name.as_str()),
        organization: listing.name.to_string(),
    };
    Row {
        tag: used.seen.tag.clone(),
        realm: used.seen.realm.to_string(),
        gives: used.organizations.iter().map(given).collect(),
        has_near_miss: !used.near_misses.is_empty(),
        first_seen: visit.moment(used.seen.first_seen_at_ms),
        last_seen: visit.moment(used.seen.last_seen_at_ms),
    }
}
