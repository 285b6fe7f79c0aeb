//! `/routes`: what can be reached, by whom.

use askama::Template;
use axum::Router;
use axum::routing::get;
use narthex_console_frame::form::Pager;
use narthex_console_frame::frame::Frame;
use narthex_console_frame::visit::{Answer, Visit, page};
use narthex_ops::{RouteSummary, routes};

pub(super) fn routes() -> Router {
    Router::new().route("/routes", get(list))
}

#[derive(Template)]
#[template(path = "routes.html")]
struct RoutesPage<'a> {
    frame: &'a Frame,
    rows: Vec<Row>,
    pager: Pager,
}

struct Row {
    path: String,
    further: Vec<String>,
    methods: String,
    hosts: Vec<String>,
    needs: Vec<Need>,
    upstream: Option<String>,
}

/// A requirement in words, with its code.
#[derive(Debug, PartialEq, Eq)]
struct Need {
    words: Option<&'static str>,
    code: String,
    /// `true` if a request needs nothing.
    is_open: bool,
}

/// Requirements in words.
const NEEDS: [(&str, &str); 7] = [
    ("public", "Anyone"),
    ("authenticated", "Signed in"),
    ("organization:executor", "Executor in the organization of the request"),
    ("organization:member", "Member in the organization of the request"),
    ("organization:admin", "Admin in the organization of the request"),
    ("platform:viewer", "Platform viewer"),
    ("platform:admin", "Platform admin"),
];

/// Shows the list.
async fn list(visit: Visit) -> Answer {
    let query = visit.query();
    let listing = routes::list(visit.caller(), query.page())?;
    page(&RoutesPage {
        frame: visit.frame(),
        pager: Pager::new("/routes", query, &[], listing.items.len(), listing.next_cursor.as_ref()),
        rows: listing.items.into_iter().map(row).collect(),
    })
}

fn row(route: RouteSummary) -> Row {
    let mut paths = route.paths.into_iter();
    Row {
        path: paths.next().unwrap_or_default(),
        further: paths.collect(),
        methods: if route.methods.is_empty() {
            "All".to_owned()
        } else {
            route.methods.join(", ")
        },
        hosts: route.hosts,
        needs: route.require.into_iter().map(need).collect(),
        upstream: route.upstream,
    }
}

fn need(code: String) -> Need {
    let known = NEEDS.iter().find(|(known, _)| *known == code);
    Need {
        words: known.map(|(_, words)| *words),
        is_open: code == "public",
        code,
    }
}

#[cfg(test)]
mod tests {
    use narthex_decision::parse_requirement;

    use super::*;

    #[test]
    fn the_codes_are_those_of_the_configuration() {
        for (code, words) in NEEDS {
            assert_eq!(parse_requirement(code).unwrap().to_string(), code);
            assert_eq!(need(code.to_owned()).words, Some(words));
        }
    }

    #[test]
    fn a_requirement_without_words_is_shown_by_its_code() {
        assert_eq!(need("team:x".to_owned()).words, None);
    }
}
