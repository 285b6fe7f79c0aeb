//! Inputs of a template, seen from its text.
//!
//! The compiled template knows its roots; these functions answer two questions it does not: whether it might look at
//! the clock, and which claims it names. Both err on the safe side, see each.

/// Tests whether the template could give another value at another time. Text that looks like it counts, so the answer
/// is "no" only if it is certainly no.
// SECURITY: identities of templates that read the clock must not be kept by token.
pub(crate) fn may_read_clock(source: &str) -> bool {
    source.contains("{{") && CLOCK_WORDS.iter().any(|word| mentions(source, word))
}

/// Tests whether `word` stands in the text as a word of its own.
pub(crate) fn mentions(text: &str, word: &str) -> bool {
    !word.is_empty()
        && text.match_indices(word).any(|(at, _)| {
            let before = text.get(..at).and_then(|before| before.chars().next_back());
            let after = text.get(at + word.len()..).and_then(|after| after.chars().next());
            !before.is_some_and(is_word) && !after.is_some_and(is_word)
        })
}

/// The paths under `payload` that the template spells out: `{{payload.a.b + payload.c}}` gives `[a, b]` and `[c]`. A
/// path ends where an index begins.
pub fn claim_paths(source: &str) -> Vec<Vec<String>> {
    let mut paths = Vec::new();
    for (at, root) in source.match_indices("payload") {
        let before = source.get(..at).and_then(|before| before.chars().next_back());
        if before.is_some_and(|before| is_word(before) || before == '.') {
            continue;
        }
        let mut rest = source.get(at + root.len()..).unwrap_or_default();
        let mut path = Vec::new();
        while let Some((name, after)) = rest.strip_prefix('.').and_then(segment) {
            path.push(name.to_owned());
            rest = after;
        }
        if !path.is_empty() && !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// Tests whether the values of a template tell its tenants apart: it begins or ends with `{{payload.CLAIM}}` and a
/// separator, apart from fixed text around them.
///
/// SECURITY: the rest of the value is the tenant's own. `{{payload.tid}}{{payload.sub}}` gives two tenants the same
/// value, and so does an expression that only mentions the claim.
pub(crate) fn is_set_apart_by(source: &str, claim: &str) -> bool {
    let parts = parts(source);
    let is_claim = |part: &Part<'_>| {
        let Part::Hole(text) = part else { return false };
        let name = text.trim().strip_prefix("payload.").unwrap_or_default();
        name == claim || name.strip_prefix('`').and_then(|name| name.strip_suffix('`')) == Some(claim)
    };
    let is_fixed = |part: &Part<'_>| matches!(part, Part::Fixed(_));
    parts.iter().enumerate().any(|(at, part)| {
        let (before, after) = (
            parts.get(..at).unwrap_or_default(),
            parts.get(at + 1..).unwrap_or_default(),
        );
        let begins = before.iter().all(is_fixed) && after.first().is_none_or(|next| separates(next, Side::Begin));
        let ends = after.iter().all(is_fixed) && before.last().is_none_or(|last| separates(last, Side::End));
        is_claim(part) && (begins || ends)
    })
}

/// Part of a template: fixed text, or the text of a hole.
enum Part<'s> {
    Fixed(&'s str),
    Hole(&'s str),
}

/// Side of a fixed text that stands beside the claim.
#[derive(Clone, Copy)]
enum Side {
    Begin,
    End,
}

/// Tests whether the character beside the claim is one that names of tenants do not have.
fn separates(part: &Part<'_>, side: Side) -> bool {
    let Part::Fixed(text) = part else { return false };
    let beside = match side {
        Side::Begin => text.chars().next(),
        Side::End => text.chars().next_back(),
    };
    beside.is_some_and(|beside| !beside.is_alphanumeric() && !matches!(beside, '-' | '_' | '.'))
}

/// Splits a template into its parts. Text that opens a hole and closes none is fixed text.
fn parts(source: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = source;
    while let Some((fixed, opened)) = rest.split_once("{{") {
        let Some((hole, after)) = opened.split_once("}}") else {
            break;
        };
        if !fixed.is_empty() {
            parts.push(Part::Fixed(fixed));
        }
        parts.push(Part::Hole(hole));
        rest = after;
    }
    if !rest.is_empty() {
        parts.push(Part::Fixed(rest));
    }
    parts
}

/// One name of a path, bare or in back-quotes, and what follows it.
fn segment(text: &str) -> Option<(&str, &str)> {
    if let Some(quoted) = text.strip_prefix('`') {
        return quoted.split_once('`');
    }
    let end = text.find(|character| !is_word(character)).unwrap_or(text.len());
    text.split_at_checked(end).filter(|(name, _)| !name.is_empty())
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The keywords of the clock, and the functions that fall back on it: a date without a year gets this one.
const CLOCK_WORDS: &[&str] = &["now", "timestamp", "parseDate"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_claim_paths() {
        assert_eq!(claim_paths("{{payload.groups}}"), [["groups"]]);
        assert_eq!(
            claim_paths("{{payload.realm_access.roles}}"),
            [["realm_access", "roles"]]
        );
        assert_eq!(claim_paths("{{payload.`cognito:groups`[1].x}}"), [["cognito:groups"]]);
        assert_eq!(
            claim_paths("{{merge(payload.a; payload.b; payload.a)}}"),
            [["a"], ["b"]]
        );
        for none in [
            "payload",
            "{{payload}}",
            "{{my.payload.x}}",
            "{{xpayload.y}}",
            "{{payload. x}}",
            "{{payload.`x}}",
        ] {
            assert!(claim_paths(none).is_empty(), "{none}");
        }
    }

    #[test]
    fn words_have_ends() {
        assert!(mentions("{{payload.groups}}", "groups"));
        assert!(!mentions("{{payload.subgroups}}", "groups"));
        assert!(!mentions("{{payload.groups_2}}", "groups"));
        assert!(mentions("groups", "groups"));
        assert!(!mentions("anything", ""));
    }

    #[test]
    fn suspects_the_clock() {
        for suspect in [
            "{{now}}",
            "{{ timestamp }}",
            "{{formatDate(now; 'X')}}",
            "{{payload.timestamp}}",
        ] {
            assert!(may_read_clock(suspect), "{suspect}");
        }
        for not in ["{{payload.known}}", "now", "{{payload.sub}}"] {
            assert!(!may_read_clock(not), "{not}");
        }
    }
}
