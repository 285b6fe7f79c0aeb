//! The pages that people meet at the doors, and the page of a refusal, which a browser gets in place of a problem
//! document.
//!
//! One template serves every status and every reason. These pages are served on the application's host, so they carry
//! their style inline, allowed by its hash in the `Content-Security-Policy`, and load nothing.

mod words;

use std::sync::LazyLock;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use jiff::{Timestamp, Unit};
use narthex_decision::Reason;

use super::{NOSNIFF, Refusal};
use crate::embedding::Embedding;
use crate::sign_in::{OfferKind, SignInOffer};
use words::{Action, Sentence};

/// Form of the answer to a refused request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A problem document (RFC 9457), for programs.
    Problem,
    /// A page, for a person at a browser.
    Page {
        /// The current time, in milliseconds, which the page shows.
        now_ms: i64,
    },
}

impl Format {
    /// Chooses the form by the `Accept` of a request (RFC 9110 section 12.5.1): a page if the client names `text/html`
    /// itself and prefers no JSON to it. `*/*` gets a problem document.
    pub fn accepted(headers: &HeaderMap, now_ms: i64) -> Self {
        let html = weight(headers, &["text/html", "application/xhtml+xml"]);
        let json = weight(headers, &["application/problem+json", "application/json"]);
        if html > 0.0 && html >= json {
            Self::Page { now_ms }
        } else {
            Self::Problem
        }
    }
}

/// Returns the highest weight that `Accept` gives to one of these media types by name, from 0 to 1.
fn weight(headers: &HeaderMap, names: &[&str]) -> f32 {
    let lines = headers.get_all(header::ACCEPT).iter();
    let ranges = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split(','));
    let weights = ranges.filter_map(|range| {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next()?;
        if !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return None;
        }
        let quality = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
        Some(quality.map_or(1.0, |quality| quality.parse().unwrap_or(0.0)))
    });
    weights.fold(0.0, f32::max)
}

/// Style of every page at the doors.
pub const STYLE: &str = include_str!("../../templates/door.css");

/// Policy of these pages: their own style, by its hash, and nothing else.
static POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest(&SHA256, STYLE.as_bytes()));
    let policy = format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'");
    HeaderValue::try_from(policy).ok()
});

/// Values of the template.
#[derive(Template)]
#[template(path = "refusal.html")]
struct Page<'a> {
    title: &'static str,
    /// The sentence: text before an organization's name, the name, text after it.
    before: &'a str,
    organization: Option<&'a str>,
    after: &'a str,
    /// Sentence about the time to wait.
    wait: Option<String>,
    /// `true` if the page offers to try again.
    again: bool,
    /// Sign-in that the page offers.
    sign_in: Option<&'a SignInOffer>,
    /// `true` if it is for another user.
    another: bool,
    style: &'static str,
    status: u16,
    reason: &'static str,
    request_id: &'a str,
    /// Time of the answer, by RFC 3339 and in words.
    moment: String,
    time: String,
}

/// Builds the page of a refusal.
///
/// SECURITY: it holds what the problem document holds, and the name of the organization if the request named one: no
/// claim's value, no name of a person, no other text that a client chose.
pub(super) fn page(
    refusal: &Refusal,
    told: (Reason, StatusCode),
    retry_after_seconds: Option<u32>,
    request_id: &str,
    now_ms: i64,
) -> Option<Bytes> {
    let (reason, status) = told;
    let words = words::of(reason);
    // SECURITY: only a name that the client sent. The directory's name of an external id would tell that it exists.
    let organization = refusal.about.as_ref().and_then(|about| about.named.as_ref());
    let own;
    let (before, organization, after) = match (words.sentence, organization) {
        (Sentence::Organization { before, after, .. }, Some(name)) => (before, Some(name.as_str()), after),
        (Sentence::Organization { without, .. } | Sentence::Plain(without), _) => (without, None, ""),
        (Sentence::OfTheCase, _) => {
            own = refusal.text();
            (own.as_str(), None, "")
        }
    };
    let moment = Timestamp::from_millisecond(now_ms).ok()?.round(Unit::Second).ok()?;
    let page = Page {
        title: words.title,
        before,
        organization,
        after,
        wait: retry_after_seconds.map(wait),
        again: words.action == Action::TryAgain,
        sign_in: refusal.sign_in_offer(),
        another: refusal
            .sign_in_offer()
            .is_some_and(|offer| offer.kind == OfferKind::AnotherUser),
        style: STYLE,
        status: status.as_u16(),
        reason: reason.code(),
        request_id,
        moment: moment.to_string(),
        time: moment.strftime("%-d %b %Y, %H:%M:%S UTC").to_string(),
    };
    page.render().ok().map(Bytes::from)
}

/// Policy of a page with forms that are sent to its own origin.
static FORM_POLICY: LazyLock<Option<HeaderValue>> = LazyLock::new(|| {
    let policy = POLICY.as_ref()?.to_str().ok()?;
    HeaderValue::try_from(policy.replace("form-action 'none'", "form-action 'self'; frame-ancestors 'none'")).ok()
});

/// Builds an answer with a page of Narthex's own, in the style of the refusals ([`STYLE`]).
pub fn own_page(html: impl Into<Bytes>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(html.into()));
    let headers = response.headers_mut();
    set_headers(headers);
    if let Some(policy) = FORM_POLICY.clone() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// Builds an answer with a page of Narthex's own that the parents of an embedded login may show in a frame.
pub fn framed_page(html: impl Into<Bytes>, embedding: &Embedding) -> Response<Full<Bytes>> {
    let mut response = own_page(html);
    let headers = response.headers_mut();
    let policy = POLICY.as_ref().and_then(|policy| policy.to_str().ok());
    let policy = policy.map(|policy| policy.replace("form-action 'none'", "form-action 'self'"));
    // Without a policy of its own, the page keeps the one that no frame may show.
    if let Some(policy) = policy.and_then(|policy| HeaderValue::try_from(policy).ok()) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        embedding.restrict(headers);
    }
    response
}

/// Sets the headers of a page at the doors: its type, and the policy that allows [`STYLE`] and nothing else.
pub(super) fn set_headers(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/html; charset=utf-8"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if let Some(policy) = POLICY.clone() {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
}

/// Says how long to wait.
fn wait(seconds: u32) -> String {
    match seconds {
        0..10 => "Try again in a few seconds.".to_owned(),
        10..90 => format!("Try again in {seconds} seconds."),
        _ => format!("Try again in {} minutes.", seconds.div_ceil(60)),
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::OrganizationName;

    use super::super::{refuse, status};
    use super::*;

    const NOW: Format = Format::Page {
        now_ms: 1_796_035_312_345,
    };

    async fn text(refusal: &Refusal) -> String {
        use http_body_util::BodyExt as _;
        let answer = refuse(refusal, "fbebc0d16e-904", NOW);
        assert_eq!(answer.headers()[header::CONTENT_TYPE], "text/html; charset=utf-8");
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[test]
    fn a_page_is_for_a_client_that_asks_for_one() {
        let format = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT, HeaderValue::from_static(line));
            }
            Format::accepted(&headers, 7) == Format::Page { now_ms: 7 }
        };
        for page in [
            &["text/html"][..],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            &["application/json;q=0.5, Text/HTML ; q=0.6"],
            &["image/png", "text/html"],
        ] {
            assert!(format(page), "{page:?}");
        }
        for problem in [
            &[][..],
            &["*/*"],
            &["text/*"],
            &["application/json"],
            &["application/json, text/html;q=0.9"],
            &["text/html;q=0"],
            &["text/html;q=much"],
            &["text/htmlx"],
        ] {
            assert!(!format(problem), "{problem:?}");
        }
    }

    #[tokio::test]
    async fn a_page_says_what_happened_and_what_to_do() {
        let acme = OrganizationName::new("acme").unwrap();
        let role = Refusal::new(Reason::OrganizationRole).naming(Some(acme.as_str()));
        insta::assert_snapshot!(text(&role).await.replace(STYLE, "…"));
        let keys = Refusal {
            retry_after_seconds: Some(30),
            ..Refusal::new(Reason::KeysUnavailable)
        };
        let keys = text(&keys).await;
        assert!(keys.contains("Try again in 30 seconds."), "{keys}");
        assert!(keys.contains(">Try again</a>"), "{keys}");
    }

    /// The page is served on the application's host: what a client wrote must not become markup there.
    #[tokio::test]
    async fn sec_a_page_holds_no_markup_of_others() {
        for reason in Reason::ALL {
            let refusal = Refusal::because(*reason, "<script>alert(1)</script>");
            let answer = refuse(&refusal, "r", NOW);
            let policy = answer.headers()[header::CONTENT_SECURITY_POLICY]
                .to_str()
                .unwrap()
                .to_owned();
            assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
            assert_eq!(answer.status(), status(*reason));
            let page = text(&refusal).await;
            assert!(!page.contains("<script"), "{page}");
            assert!(page.contains(reason.code()), "{page}");
            assert!(page.len() < 8_192, "{}", page.len());
        }
    }

    /// Requests may name an organization by its external id; the directory's name of it is for the log.
    #[tokio::test]
    async fn sec_a_page_names_an_organization_only_if_the_request_did() {
        let unknown = Refusal::new(Reason::OrganizationRole);
        let known = Refusal::new(Reason::OrganizationRole).in_organization(Some("acme"));
        assert_eq!(text(&known).await, text(&unknown).await);
    }

    /// A user who holds nothing in a suspended organization gets the page of one who holds nothing in an active one.
    #[tokio::test]
    async fn sec_a_page_tells_what_the_problem_document_tells() {
        let told = |reason| Refusal {
            told: Some(Reason::OrganizationRole),
            ..Refusal::logged(reason, "it is suspended")
        };
        let role = text(&told(Reason::OrganizationRole)).await;
        assert_eq!(text(&told(Reason::OrganizationSuspended)).await, role);
        assert_eq!(text(&told(Reason::OrganizationUnknown)).await, role);
    }
}
