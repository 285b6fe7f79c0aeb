//! The people of the demo: users of three identity providers.

/// Identity providers of the demo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Provider {
    /// The company's own.
    Demo,
    /// A partner's, whose keys rotate a moment after the start.
    Partner,
    /// A portal that shares a secret and names the company of each user.
    Portal,
}

/// A user of one of them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Person {
    pub(super) provider: Provider,
    pub(super) subject: &'static str,
    pub(super) name: &'static str,
    /// Tags in the user's tokens.
    pub(super) groups: &'static [&'static str],
    /// Path that the user asks for at the start.
    pub(super) asks: &'static str,
    /// Status of the answer.
    pub(super) answer: u16,
}

const fn person(
    provider: Provider,
    (subject, name): (&'static str, &'static str),
    groups: &'static [&'static str],
    (asks, answer): (&'static str, u16),
) -> Person {
    Person {
        provider,
        subject,
        name,
        groups,
        asks,
        answer,
    }
}

const ACME: &str = "/v1/algo/acme/hello/0.1.1";
const GLOBEX: &str = "/v1/algo/globex/hello/0.1.1";
const INITECH: &str = "/v1/algo/initech/hello/0.1.1";
const HELLO: &str = "/hello";

/// Everyone who visits at the start, in order.
pub(super) const PEOPLE: [Person; 14] = [
    person(
        Provider::Demo,
        ("alice", "Alice Novák"),
        &["superAdmin"],
        ("/v1/admin/status", 200),
    ),
    person(Provider::Demo, ("bob", "Bob Okafor"), &["memberTag1"], (ACME, 200)),
    person(Provider::Demo, ("carol", "Carol Diaz"), &[], (ACME, 403)),
    person(
        Provider::Demo,
        ("dave", "Dave Lindqvist"),
        &["globexStaff"],
        (GLOBEX, 200),
    ),
    person(
        Provider::Demo,
        ("erin", "Erin Walsh"),
        &["adminTag1", "globexStaff"],
        (ACME, 200),
    ),
    person(
        Provider::Demo,
        ("frank", "Frank Adeyemi"),
        &["executorTag1"],
        (ACME, 200),
    ),
    // A near miss: Initech lists `initechStaff`.
    person(
        Provider::Demo,
        ("grace", "Grace Ito"),
        &["InitechStaff"],
        (INITECH, 403),
    ),
    person(
        Provider::Demo,
        ("heidi", "Heidi Brandt"),
        &["initechAdmins"],
        (INITECH, 200),
    ),
    person(
        Provider::Demo,
        ("ivan", "Ivan Petrov"),
        &["globexAdmins"],
        (GLOBEX, 200),
    ),
    person(
        Provider::Partner,
        ("p-100", "Judy Mensah"),
        &["initechStaff"],
        (INITECH, 200),
    ),
    person(
        Provider::Partner,
        ("p-101", "Ken Murphy"),
        &["memberTag2", "globexStaff"],
        (ACME, 200),
    ),
    person(
        Provider::Partner,
        ("p-102", "Lena Fischer"),
        &["memberTag1"],
        (GLOBEX, 403),
    ),
    person(Provider::Portal, ("u-7", "Mallory Chen"), &[], (HELLO, 200)),
    person(Provider::Portal, ("u-8", "Niaj Rahman"), &[], (HELLO, 200)),
];

/// Name of the demo's user with this subject.
pub(super) fn name_of(subject: &str) -> Option<&'static str> {
    let known = PEOPLE.iter().find(|person| person.subject == subject);
    known.map(|person| person.name)
}
