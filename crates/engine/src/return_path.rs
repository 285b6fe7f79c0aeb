//! The page that a user comes back to: of the same origin only.

use url::Url;

use crate::sign_in::RETURN_BYTES_MAX;

/// Path where everything of Narthex's own is: coming back there would sign out, or begin again.
const OWN: &str = "/.narthex/";

/// Returns the path to come back to: the one that is asked for, if it is a path of this origin, else `/`.
///
/// SECURITY: an address that leads to another site lets an attacker send users from the application's own address to theirs.
pub fn of<'t>(asked: &'t str, origin: &str) -> &'t str {
    if is_of(asked, origin) { asked } else { "/" }
}

fn is_of(asked: &str, origin: &str) -> bool {
    let mut bytes = asked.bytes();
    // A second slash, or a backslash that browsers take for one, begins a host.
    let begins_a_path = bytes.next() == Some(b'/') && !matches!(bytes.next(), Some(b'/' | b'\\'));
    let is_plain = asked.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    if !begins_a_path || !is_plain || asked.len() > RETURN_BYTES_MAX {
        return false;
    }
    let Ok(base) = Url::parse(origin) else { return false };
    let Ok(target) = base.join(asked) else { return false };
    target.origin() == base.origin() && !target.path().starts_with("//") && !target.path().starts_with(OWN)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORIGIN: &str = "https://app.example";

    #[test]
    fn a_path_of_the_application_is_kept() {
        for path in [
            "/",
            "/a/b?c=d&e=%2f#f",
            "/a//b",
            "/@user",
            "/a:b",
            "/search?q=https://evil.example/",
            "/.narthexx",
            "/%2f%2fevil.example",
        ] {
            assert_eq!(of(path, ORIGIN), path);
        }
    }

    /// Forty ways to another site, from lists of open redirects.
    #[test]
    fn sec_a_sign_in_leads_back_to_its_own_origin() {
        let long = format!("/{}", "a".repeat(RETURN_BYTES_MAX));
        let vectors = [
            "",
            " ",
            "a",
            "//evil.example",
            "///evil.example",
            "////evil.example",
            "/\\evil.example",
            "\\/evil.example",
            "\\\\evil.example",
            "/\\/evil.example",
            "/\t/evil.example",
            "/\n/evil.example",
            "/\r/evil.example",
            "/ /evil.example",
            " //evil.example",
            "\t//evil.example",
            "\0//evil.example",
            "https://evil.example",
            "HTTPS://evil.example",
            "https:evil.example",
            "https:/evil.example",
            "https:\\evil.example",
            "http://app.example",
            "https://app.example",
            "https://app.example@evil.example",
            "https://app.example.evil.example",
            "//app.example@evil.example",
            "javascript:alert(1)",
            "data:text/html,x",
            "@evil.example",
            ".evil.example",
            ":443@evil.example",
            "evil.example/",
            "?return=//evil.example",
            "#//evil.example",
            "/a\\b",
            "/caf\u{e9}",
            "/\u{2215}/evil.example",
            "/..//evil.example",
            "/a/../..//evil.example",
            "/./\t/evil.example",
            "/.//evil.example",
            "/.narthex/logout",
            "/./.narthex/logout",
            "/a/../.narthex/sign-in",
            "/\u{ff0f}evil.example",
            "/\r\nset-cookie:a=b",
            long.as_str(),
        ];
        assert!(vectors.len() >= 40);
        for vector in vectors {
            assert_eq!(of(vector, ORIGIN), "/", "{vector:?}");
        }
    }
}
