//! `[store]`.

use super::read_toml;
use crate::Paint;

/// Report on a `[store]` section; the rest of the file is without problems.
fn report_on_store(section: &str) -> (bool, String) {
    let rest = "\n[[issuer]]\nname = \"a\"\nissuer = \"https://a\"\naudiences = [\"x\"]\ndiscovery = true\n\
                [[route]]\npath = \"/{*rest}\"\nrequire = \"public\"\nupstream = \"http://127.0.0.1:9\"\n";
    let reading = read_toml(&format!("[store]\n{section}{rest}"));
    (reading.is_usable(), reading.report(Paint::Plain))
}

#[test]
fn a_store_is_in_one_place() {
    for good in [
        "",
        "path = \"a.db\"",
        "url = \"sqlite:a.db\"",
        "url_env = \"STORE_URL\"\nconnections = 40",
    ] {
        let clean = (true, "narthex.toml: no problems\n".to_owned());
        assert_eq!(report_on_store(good), clean, "{good}");
    }
    for (bad, says) in [
        (
            "path = \"a.db\"\nurl_env = \"STORE_URL\"",
            "`path` and `url_env` both say where the store is",
        ),
        (
            "url_file = \"none\"\nurl_env = \"STORE_URL\"",
            "`url_file` and `url_env` both say",
        ),
        ("url_env = \"NO_SUCH_VARIABLE\"", "`NO_SUCH_VARIABLE` is not set"),
        (
            "url_file = \"none\"",
            "`url_file` cannot be read: there is no such file",
        ),
        ("url_env = \"SHORT_SECRET\"", "not the URL of a store"),
        ("url_env = \"BROKEN_URL\"", "it names no database"),
        ("url = \"postgres://u@h/d?sslmode=allow\"", "`sslmode` is one of"),
        (
            "url = \"postgres://u@h/d?sslrootcert=none.pem\"",
            "`sslrootcert` cannot be read",
        ),
        (
            "url = \"postgres://u@h/d?sslrootcert=good/keys.json\"",
            "no PEM certificate",
        ),
        (
            "path = \"a.db\"\nconnections = 4",
            "`connections` does nothing with SQLite",
        ),
        ("connections = 4", "`connections` does nothing with SQLite"),
    ] {
        let (usable, report) = report_on_store(bad);
        assert!(!usable && report.contains(says), "{bad}:\n{report}");
        // SECURITY: no report ever shows a secret.
        assert!(!report.contains("hunter2"), "{report}");
    }
}

#[test]
fn sec_a_password_is_not_taken_from_the_file() {
    let (usable, report) = report_on_store("url = \"postgres://narthex:hunter2@db/narthex\"");
    assert!(
        !usable && report.contains("`url` holds a password") && report.contains("`url_file`"),
        "{report}"
    );
    assert!(!report.contains("hunter2"), "{report}");
    let (usable, report) = report_on_store("url = \"postgres://narthex@db/narthex?sslmode=require\"");
    assert!(
        usable && report.contains("any server can pose as the database"),
        "{report}"
    );
    let config = read_toml("[store]\nurl_env = \"STORE_URL\"\n")
        .into_config(Paint::Plain)
        .unwrap();
    let shown = format!("{config:?}");
    assert!(
        shown.contains("db.example.com:5432,127.0.0.1:5433/narthex") && !shown.contains("hunter2"),
        "{shown}"
    );
}
