//! The console's one script, `assets/console.js`, with its hash in its name. Every page is complete without it.
//!
//! | attribute | feature |
//! |---|---|
//! | `data-copy` on a hidden button | copies the text of the element before it |
//! | `data-renew` on a hidden hint | renews the page every ten seconds, while it is in view and nothing in it has the focus |
//! | `data-position` on a hidden hint | says line and column of the cursor in the editor before it |
//! | `data-discard` on a link of a form | asks first if something was typed |
//! | a `name` that ends with `_groups` | shows the tags while they are typed, read as [`narthex_directory::TagList`] reads them |
//! | `type="range"` | submits its form when the pointer releases it; with keys, the button does |
//! | `time` | counts on, where the clocks of server and browser agree |
//! | `id="q"` | gets the focus by Ctrl K or `/` |
//!
//! SECURITY: a page that is only left open must not keep its session from becoming idle, so that it renews itself no longer
//! than five minutes after the last use by a person. The script has no markup from text: it makes elements and sets their
//! text, and a renewal takes the parts of a page of the console.

use std::sync::LazyLock;

use axum::response::Response;
use http::HeaderValue;

use crate::stylesheet;

/// Text of the script.
const SCRIPT: &str = include_str!("../assets/console.js");

static PATH: LazyLock<String> = LazyLock::new(|| stylesheet::named_by_hash(SCRIPT, ".js"));

/// Returns the path of the script.
pub fn path() -> &'static str {
    &PATH
}

/// Serves the script, to browsers without a session too: it says nothing of the installation.
pub fn serve() -> Response {
    stylesheet::kept(HeaderValue::from_static("text/javascript; charset=utf-8"), SCRIPT)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn the_script_is_small_and_knows_no_other_origin() {
        assert!(SCRIPT.len() < 4 * 1024, "{} bytes", SCRIPT.len());
        assert!(
            path().starts_with("/assets/console-")
                && Path::new(path()).extension().is_some_and(|ending| ending == "js")
        );
        assert!(!SCRIPT.contains("://"));
    }

    #[test]
    fn sec_the_script_makes_no_markup_and_no_code_from_text() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "setAttribute",
        ] {
            assert!(!SCRIPT.contains(word), "{word}");
        }
    }
}
