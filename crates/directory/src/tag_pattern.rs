//! Tag patterns: one rule for the tags of all organizations, where their names and roles are parts of the tags
//! (`app-{organization}-{role}`).

use std::fmt;

use narthex_names::{ExternalId, OrganizationName};

use crate::role::OrganizationRole;

/// The most texts that the patterns of an issuer may be written out to.
const READINGS_MAX: usize = 256;
/// The longest part of a tag that names an organization, in bytes.
const ORGANIZATION_BYTES_MAX: usize = 128;

/// A tag pattern as configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagPattern {
    /// The tag, with `{organization}` and `{role}` in it once each. Everything outside them is literal.
    pub matches: String,
    /// The texts that may stand for `{role}`, each with the role that it names.
    pub roles: Vec<(String, OrganizationRole)>,
    /// True if it also creates an organization that does not exist.
    pub create: bool,
}

/// The tag patterns of an issuer, compiled.
///
/// Each pattern is written out for each of its roles, so that only the organization is left open between two texts. A
/// tag costs as many comparisons as there are such pairs, however many organizations there are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TagPatterns(Vec<Written>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Written {
    prefix: String,
    suffix: String,
    role: OrganizationRole,
    create: bool,
}

/// A tag as a pattern reads it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PatternTag {
    /// The tag.
    pub tag: String,
    /// The text in place of `{organization}`: the name of an organization of the realm, or its external id.
    pub organization: ExternalId,
    /// The role that the tag gives there.
    pub role: OrganizationRole,
    /// True if the pattern creates an organization that does not exist.
    pub create: bool,
}

impl PatternTag {
    /// The organization as a name in paths, if it has the form of one.
    pub fn name(&self) -> Option<OrganizationName> {
        OrganizationName::new(self.organization.as_str()).ok()
    }
}

/// Problem with the tag patterns of an issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternProblem {
    /// Not exactly one of each placeholder, or another one.
    #[error(
        "it needs `{{organization}}` and `{{role}}` once each, and no other placeholder, such as `app-{{organization}}-{{role}}`"
    )]
    Placeholders,
    /// No role.
    #[error(
        "it has no `roles`; name the texts that may stand for `{{role}}`, such as `{{ admin = \"admin\", user = \"member\" }}`"
    )]
    NoRoles,
    /// Two readings of one tag.
    #[error("{0}")]
    Ambiguous(TwoReadings),
    /// More patterns and roles than are compared with each tag.
    #[error("the patterns of an issuer have {found} roles in all, and the most is {READINGS_MAX}")]
    TooMany {
        /// Number of roles of all patterns.
        found: usize,
    },
}

/// Two readings of one tag: in which organization, and in which role, it would depend on the program that reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TwoReadings {
    /// One reading, with `{organization}` left open.
    pub one: String,
    /// The other one.
    pub other: String,
}

impl fmt::Display for TwoReadings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a tag can be read as `{}` and as `{}`; change `match` or `roles`, so that each tag has one reading",
            self.one, self.other
        )
    }
}

impl TagPatterns {
    /// Compiles the patterns of an issuer, or says everything that is wrong with them: the position of the pattern,
    /// counted from 0, and its problem.
    ///
    /// # Errors
    ///
    /// [`PatternProblem`], for each pattern that has one.
    pub fn new(patterns: &[TagPattern]) -> Result<Self, Vec<(usize, PatternProblem)>> {
        let mut problems = Vec::new();
        let mut all: Vec<Written> = Vec::new();
        let found: usize = patterns.iter().map(|pattern| pattern.roles.len()).sum();
        if found > READINGS_MAX {
            return Err(vec![(0, PatternProblem::TooMany { found })]);
        }
        for (at, pattern) in patterns.iter().enumerate() {
            let Some(shape) = Shape::parse(&pattern.matches) else {
                problems.push((at, PatternProblem::Placeholders));
                continue;
            };
            if pattern.roles.is_empty() {
                problems.push((at, PatternProblem::NoRoles));
            }
            for (text, role) in &pattern.roles {
                let written = shape.written(pattern.create, text, *role);
                // One message for a pattern is enough to mend it.
                let told = problems.iter().any(|(of, _)| *of == at);
                let other = all.iter().find(|other| other.may_read_the_same(&written));
                if let (Some(other), false) = (other, told) {
                    let two = TwoReadings {
                        one: other.shown(),
                        other: written.shown(),
                    };
                    problems.push((at, PatternProblem::Ambiguous(two)));
                }
                all.push(written);
            }
        }
        if problems.is_empty() {
            Ok(Self(all))
        } else {
            Err(problems)
        }
    }

    /// Tests whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads one tag, whole.
    ///
    /// SECURITY: there is at most one reading, which [`TagPatterns::new`] has made sure of.
    pub fn read(&self, tag: &str) -> Option<PatternTag> {
        self.0.iter().find_map(|written| {
            let organization = written.organization(tag)?;
            Some(PatternTag {
                tag: tag.to_owned(),
                organization: ExternalId::new(organization).ok()?,
                role: written.role,
                create: written.create,
            })
        })
    }

    /// Reads the tags of a token: those that a pattern matches, each once, in order.
    pub fn read_all<'t>(&self, tags: impl Iterator<Item = &'t str>) -> Vec<PatternTag> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut read: Vec<PatternTag> = tags.filter_map(|tag| self.read(tag)).collect();
        read.sort_unstable_by(|one, other| one.tag.cmp(&other.tag));
        read.dedup_by(|one, other| one.tag == other.tag);
        read
    }
}

impl Written {
    /// The text between prefix and suffix, if it can be an organization.
    fn organization<'t>(&self, tag: &'t str) -> Option<&'t str> {
        let text = tag
            .strip_prefix(self.prefix.as_str())?
            .strip_suffix(self.suffix.as_str())?;
        let fits = (1..=ORGANIZATION_BYTES_MAX).contains(&text.len()) && text.bytes().all(is_of_organization);
        fits.then_some(text)
    }

    /// Tests whether some tag fits both: what one has more at either end could be a part of an organization in the other.
    fn may_read_the_same(&self, other: &Self) -> bool {
        let rest_begin = longer(&self.prefix, &other.prefix, |long, short| long.strip_prefix(short));
        let rest_end = longer(&self.suffix, &other.suffix, |long, short| long.strip_suffix(short));
        let fits = |rest: Option<&str>| rest.is_some_and(|rest| rest.bytes().all(is_of_organization));
        fits(rest_begin) && fits(rest_end)
    }

    fn shown(&self) -> String {
        format!("{}{{organization}}{}", self.prefix, self.suffix)
    }
}

/// The part of the longer of two texts that the shorter one lacks, where that is its end or beginning; `None` where they
/// differ.
fn longer<'a>(one: &'a str, other: &'a str, strip: impl Fn(&'a str, &'a str) -> Option<&'a str>) -> Option<&'a str> {
    if one.len() >= other.len() {
        strip(one, other)
    } else {
        strip(other, one)
    }
}

/// Characters of an organization in a tag: those of names in paths, and of external ids that a path can have.
const fn is_of_organization(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~')
}

/// A pattern, taken apart at its placeholders.
enum Shape<'p> {
    /// `BEGIN{organization}MIDDLE{role}END`
    RoleLast(&'p str, &'p str, &'p str),
    /// `BEGIN{role}MIDDLE{organization}END`
    RoleFirst(&'p str, &'p str, &'p str),
}

impl<'p> Shape<'p> {
    fn parse(text: &'p str) -> Option<Self> {
        const ORGANIZATION: &str = "{organization}";
        const ROLE: &str = "{role}";
        let (before, after) = text.split_once(ORGANIZATION)?;
        let shape = match (before.split_once(ROLE), after.split_once(ROLE)) {
            (None, Some((middle, end))) => Self::RoleLast(before, middle, end),
            (Some((begin, middle)), None) => Self::RoleFirst(begin, middle, after),
            _ => return None,
        };
        let (Self::RoleLast(begin, middle, end) | Self::RoleFirst(begin, middle, end)) = shape;
        let is_literal = |part: &str| !part.contains(['{', '}']);
        [begin, middle, end].into_iter().all(is_literal).then_some(shape)
    }

    fn written(&self, create: bool, text: &str, role: OrganizationRole) -> Written {
        let (prefix, suffix) = match self {
            Self::RoleLast(begin, middle, end) => ((*begin).to_owned(), [middle, text, end].concat()),
            Self::RoleFirst(begin, middle, end) => ([begin, text, middle].concat(), (*end).to_owned()),
        };
        Written {
            prefix,
            suffix,
            role,
            create,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(matches: &str, roles: &[(&str, OrganizationRole)]) -> TagPattern {
        TagPattern {
            matches: matches.to_owned(),
            roles: roles.iter().map(|(text, role)| ((*text).to_owned(), *role)).collect(),
            create: false,
        }
    }

    use OrganizationRole::{Admin, Executor, Member};

    fn read(patterns: &TagPatterns, tag: &str) -> Option<(String, OrganizationRole)> {
        patterns
            .read(tag)
            .map(|found| (found.organization.to_string(), found.role))
    }

    #[test]
    fn a_pattern_matches_the_whole_tag() {
        let patterns = TagPatterns::new(&[
            pattern("app-{organization}-{role}", &[("admin", Admin), ("user", Member)]),
            pattern("/{role}s/of/{organization}", &[("caller", Executor)]),
        ])
        .unwrap();
        let some = |name: &str, role| Some((name.to_owned(), role));
        for (tag, expected) in [
            ("app-acme-admin", some("acme", Admin)),
            ("app-acme-user", some("acme", Member)),
            ("app-a-b-user", some("a-b", Member)),
            ("app-user-admin", some("user", Admin)),
            ("app-Acme.eu_1-admin", some("Acme.eu_1", Admin)),
            ("/callers/of/acme", some("acme", Executor)),
            ("app--admin", None),
            ("app-acme-owner", None),
            ("app-acme-admin ", None),
            (" app-acme-admin", None),
            ("App-acme-admin", None),
            ("app-acme-Admin", None),
            ("app-a/b-admin", None),
            ("app-a b-admin", None),
            ("app-\u{e9}-admin", None),
            ("xapp-acme-admin", None),
            ("app-acme-adminx", None),
            ("", None),
        ] {
            assert_eq!(read(&patterns, tag), expected, "{tag}");
        }
    }

    /// Two readings of one tag give roles by the order of the configuration; there is none.
    #[test]
    fn sec_no_tag_has_two_readings() {
        let ambiguous = |patterns: &[TagPattern]| match TagPatterns::new(patterns) {
            Ok(_) => false,
            Err(problems) => {
                assert!(
                    matches!(problems[..], [(_, PatternProblem::Ambiguous(_))]),
                    "{problems:?}"
                );
                true
            }
        };
        let one = |matches: &str, roles: &[&str]| {
            let roles: Vec<_> = roles.iter().map(|text| (*text, Member)).collect();
            pattern(matches, &roles)
        };
        for (matches, roles, expected) in [
            ("app-{organization}-{role}", vec!["admin", "user"], false),
            // `app-a-x-admin`: the organization is `a-x`, or `a`.
            ("app-{organization}-{role}", vec!["admin", "x-admin"], true),
            ("app.{organization}.{role}", vec!["admin", "x.admin"], true),
            ("{role}-{organization}", vec!["admin", "admin-x"], true),
            ("{organization}{role}", vec!["admin", "dmin"], true),
            ("{organization}{role}", vec!["admin", "user"], false),
            ("app/{organization}/{role}", vec!["admin", "x/admin"], false),
            ("app-{organization}-{role}", vec!["admin", "admin"], true),
        ] {
            assert_eq!(ambiguous(&[one(matches, &roles)]), expected, "{matches} {roles:?}");
        }
        let app = || one("app-{organization}-{role}", &["admin"]);
        assert!(ambiguous(&[app(), one("{organization}-{role}", &["admin"])]));
        assert!(ambiguous(&[app(), one("app-x-{organization}-{role}", &["admin"])]));
        assert!(!ambiguous(&[app(), one("app-{organization}-{role}", &["user"])]));
        assert!(!ambiguous(&[app(), one("other-{organization}-{role}", &["admin"])]));
    }

    #[test]
    fn a_pattern_needs_both_placeholders_once_and_a_role() {
        let problem = |pattern: TagPattern| TagPatterns::new(&[pattern]).unwrap_err().remove(0).1;
        for matches in [
            "app-{organization}",
            "app-{role}",
            "{organization}{organization}{role}",
            "{role}{organization}{role}",
            "{organization}-{role}-{realm}",
            "{{organization}}-{role}",
            "",
        ] {
            assert_eq!(
                problem(pattern(matches, &[("a", Admin)])),
                PatternProblem::Placeholders,
                "{matches}"
            );
        }
        assert_eq!(problem(pattern("{organization}-{role}", &[])), PatternProblem::NoRoles);
    }

    #[test]
    fn the_tags_of_a_token_are_read_once_each_and_in_order() {
        let patterns = TagPatterns::new(&[pattern("{organization}:{role}", &[("a", Admin)])]).unwrap();
        let tags = ["z:a", "none", "b:a", "z:a"];
        let read: Vec<String> = patterns
            .read_all(tags.into_iter())
            .into_iter()
            .map(|read| read.tag)
            .collect();
        assert_eq!(read, ["b:a", "z:a"]);
        assert!(TagPatterns::default().read_all(tags.into_iter()).is_empty());
    }
}
