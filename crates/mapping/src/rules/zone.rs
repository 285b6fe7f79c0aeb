//! Names of the tz database, from the copy inside this program, so that every node knows the same ones.

use std::cmp::Ordering;
use std::sync::LazyLock;

use jiff::tz::TimeZoneDatabase;

/// The name as the tz database spells it, found without regard to ASCII case.
pub(super) fn find(name: &str) -> Option<&'static str> {
    let names = &*NAMES;
    let at = names.binary_search_by(|candidate| folded_order(candidate, name)).ok()?;
    names.get(at).map(|name| &**name)
}

/// Reads the names now, so that no request waits for it.
pub(crate) fn ready() {
    LazyLock::force(&NAMES);
}

/// About six hundred names, in the order of [`folded_order`].
static NAMES: LazyLock<Box<[Box<str>]>> = LazyLock::new(|| {
    let database = TimeZoneDatabase::bundled();
    // `Factory` is what a machine says before an administrator sets its zone.
    let mut names: Vec<Box<str>> = database
        .available()
        .filter(|name| name.as_str() != "Factory")
        .map(|name| name.as_str().into())
        .collect();
    names.sort_by(|a, b| folded_order(a, b));
    names.into()
});

fn folded_order(a: &str, b: &str) -> Ordering {
    a.bytes()
        .map(|byte| byte.to_ascii_lowercase())
        .cmp(b.bytes().map(|byte| byte.to_ascii_lowercase()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_names_in_any_case_and_keeps_the_databases_spelling() {
        for (given, kept) in [
            ("Europe/Prague", "Europe/Prague"),
            ("europe/prague", "Europe/Prague"),
            ("AMERICA/ARGENTINA/BUENOS_AIRES", "America/Argentina/Buenos_Aires"),
            ("utc", "UTC"),
            ("Etc/GMT+5", "Etc/GMT+5"),
            // Links keep their own name.
            ("Asia/Calcutta", "Asia/Calcutta"),
            ("est5edt", "EST5EDT"),
        ] {
            assert_eq!(find(given), Some(kept), "{given}");
        }
        for not in [
            "",
            "Europe",
            "Europe/Praha",
            "CEST",
            "+02:00",
            "UTC+2",
            "../etc/passwd",
            "Factory",
            "Europe/Prague ",
        ] {
            assert_eq!(find(not), None, "{not}");
        }
        assert!(NAMES.len() > 500);
    }

    #[test]
    fn every_name_finds_itself() {
        for name in &*NAMES {
            assert_eq!(find(name), Some(&**name));
            assert_eq!(find(&name.to_ascii_uppercase()), Some(&**name));
        }
    }
}
