//! Notices of what was done, at the top of the page that shows the effect.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_console_frame::fields::Fields;

/// A notice of what was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Template)]
#[template(
    source = r#"<div class="note good" role="status"><p><b>{{ done }}</b>{% if !more.is_empty() %} {{ more }}{% endif %}</p></div>"#,
    ext = "html"
)]
pub(crate) struct Notice {
    done: &'static str,
    more: &'static str,
}

impl HtmlSafe for Notice {}

/// Word in the query, sentence, and what follows from it.
const NOTICES: [(&str, &str, &str); 24] = [
    ("saved", "Saved.", ""),
    (
        "tags-saved",
        "Saved.",
        "Who lost a role has lost it at once. Who gains one has it from the next token on.",
    ),
    ("unchanged", "Nothing was changed.", ""),
    (
        "session-ended",
        "Signed out.",
        "The next request of that browser is led to the sign-in.",
    ),
    ("created", "Created.", ""),
    (
        "issuer-added",
        "The issuer is added.",
        "All nodes have it in use within a second.",
    ),
    ("added", "Added.", ""),
    ("removed", "The role is removed.", ""),
    ("disabled", "Disabled.", "Every request is refused from now on."),
    ("enabled", "Enabled.", "The roles on record count again."),
    (
        "signed-out",
        "Signed out everywhere.",
        "Every token issued until now is refused.",
    ),
    ("suspended", "Suspended.", "Every request to it is refused from now on."),
    ("erased", "Erased.", "Logs and backups may hold copies."),
    ("deleted", "Deleted.", "Its events stay in the audit."),
    ("revoked", "Revoked.", "The next request with the key is refused."),
    (
        "token-revoked",
        "Revoked.",
        "The token is refused on every node within a second.",
    ),
    ("tokens-revoked", "Revoked.", "Every token issued until now is refused."),
    ("fetched", "The keys were fetched.", ""),
    (
        "too-soon",
        "The keys were fetched a moment ago.",
        "Try again in half a minute.",
    ),
    ("opened", "Opened.", "The roles on record count again."),
    (
        "retried",
        "What waits is tried now.",
        "Load the page again to see whether it arrived.",
    ),
    (
        "replayed",
        "The events are sent again.",
        "The receiver sees the same event IDs, so it can tell repeats.",
    ),
    ("paused", "Disabled.", "Its events wait in the audit."),
    ("resumed", "Enabled.", "It sends what it missed, in its order."),
];

impl Notice {
    /// Returns the notice that a query asks for.
    ///
    /// SECURITY: a query chooses one of these texts; its own text is never shown.
    pub(crate) fn of(query: &Fields) -> Option<Self> {
        let word = query.text("done");
        let notice = NOTICES.iter().find(|(known, _, _)| *known == word);
        notice.map(|(_, done, more)| Self { done, more })
    }
}

/// Returns the address of a page with the notice for this word.
pub(crate) fn after(page: &str, word: &'static str) -> String {
    format!("{page}?done={word}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a_query_chooses_a_notice_and_writes_none() {
        assert!(Notice::of(&Fields::parse(b"done=saved")).is_some());
        assert_eq!(Notice::of(&Fields::parse(b"done=You+won")), None);
        assert_eq!(Notice::of(&Fields::default()), None);
    }
}
