//! `/audit/roles`: who had which role at a time.

use std::fmt::Write as _;

use askama::Template;
use axum::response::IntoResponse as _;
use http::header;
use jiff::Timestamp;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::paths;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_console_frame::wording::access;
use narthex_console_frame::wording::time::Moment;
use narthex_directory::{DAY_MS, DayChanges, Listing};
use narthex_ops::OpError;
use narthex_ops::as_of::{self, PastRole, PastRoles, ROLES_CSV_HEADER, RoleScope, roles_csv};
use narthex_ops::members::Group;

use super::moment;

/// Days before today that the slider reaches.
const DAYS: i64 = 89;

#[derive(Template)]
#[template(path = "audit_roles.html")]
struct RolesPage<'a> {
    frame: &'a Frame,
    organization: &'a str,
    /// The time, as a browser's field has it.
    as_of: String,
    /// Place of the slider: days counted back from today.
    day: i64,
    /// Changes of the last days; `None` for the platform, or where there are none.
    plot: Option<Plot>,
    at: Moment,
    /// Name of the scope.
    scope: String,
    rows: Vec<Row>,
    pager: Pager,
    csv: String,
    /// Addresses of earlier times, with their words.
    earlier: Vec<(String, &'static str)>,
}

/// Bars of the changes of each day.
struct Plot {
    /// Path of the bars, in a box of 720 by 58.
    bars: String,
    /// The plot in a sentence.
    title: String,
}

/// A row for a grant.
struct Row {
    person: String,
    href: String,
    role: &'static str,
    origin: String,
    token: Option<String>,
    since: Moment,
    until: Option<Moment>,
    /// The role today; `None` for none.
    today: Option<&'static str>,
}

/// Shows the roles.
pub(super) async fn show(visit: Visit) -> Answer {
    let query = visit.query();
    let at_ms = asked_time(query, visit.now_ms())?;
    let PastRoles { scope_name, roles } = read(&visit, at_ms).await?;
    let Listing { items, next_cursor } = roles;
    let organization = query.text("organization");
    let at = |at_ms: i64| {
        let text = field_text(at_ms);
        let organization = Some(organization).filter(|name| !name.is_empty());
        paths::with_query(
            "/audit/roles",
            &[("organization", organization), ("as_of", Some(text.as_str()))],
        )
    };
    let plot = match query.filled("organization") {
        Some(name) => plot(
            &as_of::changes_per_day(visit.caller(), &name, DAYS + 1).await?,
            visit.now_ms(),
        ),
        None => None,
    };
    let text = field_text(at_ms);
    let csv_fields = [
        ("organization", Some(organization).filter(|name| !name.is_empty())),
        ("as_of", Some(text.as_str())),
    ];
    page(&RolesPage {
        frame: visit.frame(),
        organization,
        day: slider_day(at_ms, visit.now_ms()),
        plot,
        at: visit.moment(at_ms),
        scope: scope_name.unwrap_or_else(|| "The platform".to_owned()),
        pager: Pager::new(
            "/audit/roles",
            query,
            &["organization", "as_of", "day", "was"],
            items.len(),
            next_cursor.as_ref(),
        ),
        rows: items.iter().flat_map(|past| rows(&visit, past)).collect(),
        csv: paths::with_query("/audit/roles.csv", &csv_fields),
        earlier: vec![
            (at(visit.now_ms() - DAY_MS), "Yesterday"),
            (at(visit.now_ms() - 7 * DAY_MS), "A week ago"),
            (at(visit.now_ms() - 30 * DAY_MS), "A month ago"),
        ],
        as_of: text,
    })
}

/// Sends the same page as a table for spreadsheets.
pub(super) async fn csv(visit: Visit) -> Answer {
    let at_ms = asked_time(visit.query(), visit.now_ms())?;
    let PastRoles { roles, .. } = read(&visit, at_ms).await?;
    let mut table = ROLES_CSV_HEADER.to_owned();
    for past in &roles.items {
        table.push_str(&roles_csv(&past.held));
    }
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8"),
        (header::CONTENT_DISPOSITION, "attachment; filename=\"roles.csv\""),
    ];
    Ok((headers, table).into_response())
}

async fn read(visit: &Visit, at_ms: i64) -> Result<PastRoles, OpError> {
    let query = visit.query();
    let organization = query.filled("organization");
    let scope = match &organization {
        Some(name) => RoleScope::Group(Group::Organization(name)),
        None => RoleScope::Platform,
    };
    as_of::list(visit.caller(), scope, Some(at_ms), query.page()).await
}

/// Returns the time that is asked for: that of the slider, if it was moved, or that of the field; by default now.
fn asked_time(query: &Fields, now_ms: i64) -> Result<i64, OpError> {
    let day = query.sent("day").filter(|day| query.sent("was") != Some(*day));
    if let Some(text) = day {
        let days: Option<i64> = text.parse().ok().filter(|days| (-DAYS..=0).contains(days));
        let days = days.ok_or_else(|| OpError::invalid("day", "a day is counted back from today"))?;
        return Ok(now_ms.saturating_add(days * DAY_MS));
    }
    match query.filled("as_of") {
        Some(text) => moment("as_of", &text),
        None => Ok(now_ms),
    }
}

/// Returns the place of the slider for a time.
fn slider_day(at_ms: i64, now_ms: i64) -> i64 {
    (at_ms.saturating_sub(now_ms) / DAY_MS).clamp(-DAYS, 0)
}

/// Returns a time as a browser's field has it, in UTC, to the minute.
fn field_text(at_ms: i64) -> String {
    let at = Timestamp::from_millisecond(at_ms).unwrap_or(Timestamp::MIN);
    at.strftime("%Y-%m-%dT%H:%M").to_string()
}

/// Draws the changes of the last days: a bar of 6 for each, 8 apart, at most 48 high.
fn plot(days: &[DayChanges], now_ms: i64) -> Option<Plot> {
    let most = days.iter().max_by_key(|day| day.changes)?;
    let first = now_ms.div_euclid(DAY_MS) - DAYS;
    let mut bars = String::new();
    for DayChanges { day, changes } in days {
        let place = (day - first) * 8;
        let height = (changes.saturating_mul(48) / most.changes.max(1)).max(1);
        // Writing to a string cannot fail.
        let _ = write!(bars, "M{place} {}h6v{height}h-6z", 58 - height);
    }
    let at = Timestamp::from_millisecond(most.day.saturating_mul(DAY_MS)).unwrap_or(Timestamp::MIN);
    let title = format!(
        "Changes on each of the last {} days. The most, {}, were on {}.",
        DAYS + 1,
        most.changes,
        at.strftime("%-d %B")
    );
    Some(Plot { bars, title })
}

/// Builds the rows of a user: one for each grant.
fn rows(visit: &Visit, past: &PastRole) -> Vec<Row> {
    let user = &past.held.user;
    let row = |held: &as_of::HeldGrant| {
        let grant = &held.grant;
        let token = grant.token.jti.as_deref().or(grant.token.sha256_prefix.as_deref());
        Row {
            person: access::name(user).to_owned(),
            href: paths::user(user.id),
            role: access::role(grant.role),
            origin: as_of::origin(held),
            token: token.map(str::to_owned),
            since: visit.moment(grant.granted_at_ms),
            until: grant.revoked_at_ms.map(|at_ms| visit.moment(at_ms)),
            today: past.now.map(access::role),
        }
    };
    past.held.grants.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2023-11-14T22:13:20Z
    const NOW_MS: i64 = 1_700_000_000_000;

    fn asked(query: &str) -> Option<i64> {
        asked_time(&Fields::parse(query.as_bytes()), NOW_MS).ok()
    }

    #[test]
    fn the_plot_has_a_bar_for_each_day_with_changes() {
        let today = NOW_MS / DAY_MS;
        let days = [(today - 89, 6), (today, 12)].map(|(day, changes)| DayChanges { day, changes });
        let plot = plot(&days, NOW_MS).unwrap();
        assert_eq!(plot.bars, "M0 34h6v24h-6zM712 10h6v48h-6z");
        assert_eq!(
            plot.title,
            "Changes on each of the last 90 days. The most, 12, were on 14 November."
        );
        assert!(super::plot(&[], NOW_MS).is_none());
    }

    #[test]
    fn the_slider_counts_only_where_it_was_moved() {
        assert_eq!(asked(""), Some(NOW_MS));
        assert_eq!(asked("day=-1&was=-1&as_of=2023-11-14T22:13"), Some(NOW_MS - 20_000));
        assert_eq!(asked("day=-2&was=-1&as_of=2023-11-14T22:13"), Some(NOW_MS - 2 * DAY_MS));
        for wrong in ["day=-90&was=0", "day=1&was=0", "day=x&was=0", "as_of=then"] {
            assert_eq!(asked(wrong), None, "{wrong}");
        }
        assert_eq!(field_text(NOW_MS), "2023-11-14T22:13");
        assert_eq!(
            (slider_day(NOW_MS - 3 * DAY_MS, NOW_MS), slider_day(0, NOW_MS)),
            (-3, -89)
        );
    }
}
