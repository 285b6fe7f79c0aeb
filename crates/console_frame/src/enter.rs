//! The layer around every page: origin, caller, frame, failures, and headers.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use http::request::Parts;
use http::uri::PathAndQuery;

use crate::problem::{self, Failed};
use crate::visit::{Visit, see};
use crate::{Console, policy};

/// Answers a request to a page, or leads a browser without a session to the page to sign in at.
pub async fn enter(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let mut response = answer(&console, request, next).await;
    policy::set_headers(response.headers_mut());
    response
}

/// Answers a request to a page for browsers without a session.
pub async fn enter_without_session(State(console): State<Arc<Console>>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let mut response = match console.origin().check(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(fault) => problem::bare(&Failed::Origin(fault)),
    };
    if let Some(failed) = response.extensions_mut().remove::<Failed>() {
        failed.log(&path);
        response = problem::bare(&failed);
    }
    policy::set_headers(response.headers_mut());
    response
}

async fn answer(console: &Console, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    if let Err(fault) = console.origin().check(&parts) {
        return problem::bare(&Failed::Origin(fault));
    }
    let path = parts.uri.path().to_owned();
    let visit = match visit(console, &parts).await {
        Ok(Some(visit)) => visit,
        Ok(None) => return see(&console.sign_in().address(&parts, back(&parts))),
        Err(failed) => {
            failed.log(&path);
            return problem::bare(&failed);
        }
    };
    parts.extensions.insert(visit.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(failed) = response.extensions_mut().remove::<Failed>() {
        failed.log(&path);
        response = problem::page(&visit, &failed);
    }
    response
}

async fn visit(console: &Console, request: &Parts) -> Result<Option<Visit>, Failed> {
    match console.sign_in().caller(request).await? {
        Some(caller) => Ok(Some(Visit::new(console, caller, request).await?)),
        None => Ok(None),
    }
}

/// Returns the page to come back to after signing in. A form cannot be sent again, so that it is the first page.
///
/// SECURITY: always a path of this origin; two slashes at its beginning would be another host.
fn back(request: &Parts) -> &str {
    let address = request.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    let is_path = address.starts_with('/') && !address.starts_with("//") && !address.contains('\\');
    if request.method == Method::GET && is_path {
        address
    } else {
        "/"
    }
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn back_from(method: &str, address: &str) -> String {
        let request = Request::builder().method(method).uri(address).body(()).unwrap();
        back(&request.into_parts().0).to_owned()
    }

    #[test]
    fn sec_the_page_to_come_back_to_is_one_of_the_console() {
        assert_eq!(back_from("GET", "/users?q=a"), "/users?q=a");
        assert_eq!(back_from("GET", "https://narthex.example.com/users"), "/users");
        assert_eq!(back_from("POST", "/users/new"), "/");
        assert_eq!(back_from("GET", "//evil.example/"), "/");
    }
}
