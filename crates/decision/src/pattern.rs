//! A path pattern as it is written, and whether a request can ever match it.
//!
//! SECURITY: a pattern that matches nothing guards nothing. Where another route is laxer (`/{*rest}`), the requests
//! that it was written for pass there, and no error shows it.

use std::fmt::Write as _;

use crate::RequestPath;

/// Returns the reason for which no request, or not every intended request, matches this pattern. A pattern that cannot
/// be taken apart is left to the router to refuse.
pub(crate) fn problem_of(path: &str) -> Option<String> {
    if !path.starts_with('/') {
        return Some("it must begin with `/`".to_owned());
    }
    // SECURITY: it would take several segments for a name.
    if path.contains("{*organization}") {
        return Some("`{organization}` is one segment; it cannot be the rest of a path".to_owned());
    }
    foreign_syntax(path).or_else(|| {
        let (plain, names) = apart(path)?;
        twice(&names).or_else(|| unmatched(&plain))
    })
}

/// Parameters as other programs write them. Here they are taken as they stand.
fn foreign_syntax(path: &str) -> Option<String> {
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let name = |text: &str| {
            let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
            if fits { text.to_owned() } else { "name".to_owned() }
        };
        let rest = segments.peek().is_none();
        let meant = if let Some(after) = segment.strip_prefix(':') {
            format!("{{{}}}", name(after))
        } else if let Some(inner) = segment.strip_prefix('<').and_then(|inner| inner.strip_suffix('>')) {
            format!("{{{}}}", name(inner))
        } else if segment.starts_with('*') || segment.ends_with('*') {
            if rest { "{*rest}" } else { "{name}" }.to_owned()
        } else {
            continue;
        };
        return Some(format!(
            "`{segment}` is taken as it stands, and matches nothing else; did you mean `{meant}`?"
        ));
    }
    None
}

/// The pattern with a plain segment in the place of each parameter, and the parameters' names.
fn apart(path: &str) -> Option<(String, Vec<&str>)> {
    let (mut plain, mut names) = (String::new(), Vec::new());
    for part in parts(path)? {
        match part {
            Part::Text(text) => plain.push_str(text),
            Part::Brace(brace) => plain.push_str(brace),
            Part::Parameter(name) => {
                names.push(name.strip_prefix('*').unwrap_or(name));
                plain.push('x');
            }
        }
    }
    Some((plain, names))
}

/// The pattern with its parameters named by their numbers: patterns that match the same paths are then the same text. One
/// that cannot be taken apart stays as it is.
pub(crate) fn numbered(path: &str) -> String {
    let Some(parts) = parts(path) else {
        return path.to_owned();
    };
    let (mut text, mut count) = (String::new(), 0_usize);
    for part in parts {
        match part {
            Part::Text(plain) => text.push_str(plain),
            Part::Brace(brace) => text.push_str(&brace.repeat(2)),
            Part::Parameter(name) => {
                let star = if name.starts_with('*') { "*" } else { "" };
                // Writing to a `String` cannot fail.
                let _ = write!(text, "{{{star}p{count}}}");
                count += 1;
            }
        }
    }
    text
}

/// The place of a parameter among those of the pattern, from 0.
pub(crate) fn position_of(path: &str, parameter: &str) -> Option<usize> {
    apart(path)?.1.iter().position(|name| *name == parameter)
}

/// A part of a pattern.
enum Part<'p> {
    /// Text that is matched as it stands.
    Text(&'p str),
    /// A doubled brace, which is matched as one.
    Brace(&'p str),
    /// Text between single braces.
    Parameter(&'p str),
}

/// The parts of a pattern; `None` where a brace has no fellow.
fn parts(path: &str) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    let mut rest = path;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        parts.push(Part::Text(before));
        if let Some(after) = from.strip_prefix("{{") {
            parts.push(Part::Brace("{"));
            rest = after;
        } else if let Some(after) = from.strip_prefix("}}") {
            parts.push(Part::Brace("}"));
            rest = after;
        } else {
            let (name, after) = from.strip_prefix('{')?.split_once('}')?;
            parts.push(Part::Parameter(name));
            rest = after;
        }
    }
    parts.push(Part::Text(rest));
    Some(parts)
}

/// SECURITY: only one of them would be looked at.
fn twice(names: &[&str]) -> Option<String> {
    let mut seen = Vec::new();
    for name in names {
        if seen.contains(name) {
            return Some(format!(
                "`{{{name}}}` is in it twice; give each parameter a name of its own"
            ));
        }
        seen.push(name);
    }
    None
}

/// Returns the reason for which no request comes with such a path.
fn unmatched(plain: &str) -> Option<String> {
    // SPEC: RFC 3986 2: these are not part of a path as it is sent. (`|` and `^` are not either, but browsers send them.)
    if let Some(raw) = plain.chars().find(|c| !c.is_ascii() || " \"<>`{}".contains(*c)) {
        let mut encoded = String::new();
        for byte in raw.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a `String` cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        return Some(format!("`{raw}` is sent as `{encoded}`, so write that"));
    }
    let problem = RequestPath::parse(plain.as_bytes()).err()?;
    Some(format!("a request for it is refused, since {problem}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_requests_can_match_is_fine() {
        for path in [
            "/",
            "/a",
            "/a/",
            "/{*rest}",
            "/v1/algo/{organization}/{algorithm}/{*version}",
            "/files/{name}.json",
            "/v1/things:cancel",
            "/a*b/~c/$d/(e)/f@g!h,i=j&k+l'm|n^o",
            "/caf%C3%A9",
            "/a/...",
        ] {
            assert_eq!(problem_of(path), None, "{path}");
        }
    }

    #[test]
    fn sec_patterns_that_no_request_matches() {
        for (path, says) in [
            ("a", "begin with `/`"),
            ("", "begin with `/`"),
            ("/a/{*organization}", "it cannot be the rest"),
            ("/admin/*", "did you mean `{*rest}`?"),
            ("/admin/**", "did you mean `{*rest}`?"),
            ("/admin*", "did you mean `{*rest}`?"),
            ("/admin/*/x", "did you mean `{name}`?"),
            ("/ops/:id", "did you mean `{id}`?"),
            ("/ops/:/a", "did you mean `{name}`?"),
            ("/ops/<id>", "did you mean `{id}`?"),
            ("/a/../b", "dot segment"),
            ("/a/./{x}", "dot segment"),
            ("/a//b", "empty segment"),
            ("/a;b", "a `;`"),
            ("/a\\b", "a backslash"),
            ("/a%2fb", "encoded slash"),
            ("/%2e%2e/a", "encoded slash"),
            ("/a%", "broken percent-encoding"),
            ("/a%ff", "not UTF-8"),
            ("/a#x", "fragment or query"),
            ("/a?x=1", "fragment or query"),
            ("/a\tb", "control character"),
            ("/a b", "write that"),
            ("/café", "`é` is sent as `%C3%A9`"),
            ("/a/{{organization}}", "`{` is sent as `%7B`"),
            ("/a/{x}/{x}", "`{x}` is in it twice"),
            (
                "/two/{organization}/b/{organization}",
                "`{organization}` is in it twice",
            ),
            ("/a/{x}/{*x}", "`{x}` is in it twice"),
        ] {
            let why = problem_of(path).unwrap_or_default();
            assert!(why.contains(says), "{path}: {why}");
        }
    }
}
