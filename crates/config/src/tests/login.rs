//! `[login]`, `[session]` and the clients of issuers.

use narthex_engine::SignInTarget;

use super::{read_toml, report_on};

const ISSUER: &str = r#"
[[issuer]]
name = "corp"
issuer = "https://id.example.com"
discovery = true
audiences = ["my-app"]
client_id = "narthex"

[[route]]
path = "/a"
require = "authenticated"
upstream = "http://127.0.0.1:9000"
"#;

/// A configuration with a sign-in whose `[login]` has these lines.
fn login(lines: &str) -> String {
    format!("[login]\n{lines}\n{ISSUER}")
}

#[test]
fn sign_in_without_a_secret_key_says_how_to_make_one() {
    let report = report_on(&login("issuer = \"corp\"\norigins = [\"https://app.example.com\"]"));
    assert!(
        report.contains("sign-in needs a secret key, and there is none"),
        "{report}"
    );
    assert!(report.contains("openssl rand -base64 32"), "{report}");
    // A page of the operator's own needs none.
    let own = "[login]\nurl = \"https://id.example.com/in\"\norigins = [\"https://app.example.com\"]\n".to_owned()
        + &ISSUER.replace("client_id = \"narthex\"\n", "");
    let config = read_toml(&own).into_config_or_problems().unwrap();
    let target = SignInTarget::Url("https://id.example.com/in".to_owned());
    assert_eq!(config.sign_in.target, Some(target));
    assert_eq!(config.sign_in.session_idle_ms, 3_600_000);
    assert_eq!(config.sign_in.session_max_ms, 43_200_000);
}

#[test]
fn a_sign_in_that_could_not_work_is_refused() {
    let good = "origins = [\"https://app.example.com\"]";
    for (lines, expected) in [
        (good.to_owned(), "does not say where users sign in"),
        (
            format!("issuer = \"corp\"\nurl = \"https://a.example\"\n{good}"),
            "both say where users sign in",
        ),
        (format!("issuer = \"crop\"\n{good}"), "there is no issuer `crop`"),
        ("issuer = \"corp\"".to_owned(), "serves no origin"),
        (
            "issuer = \"corp\"\norigins = [\"http://app.example.com\"]".to_owned(),
            "sessions need https, and `http://app.example.com` is plain http",
        ),
        (
            "issuer = \"corp\"\norigins = [\"https://app.example.com/a\"]".to_owned(),
            "`https://app.example.com/a` is not an origin",
        ),
        (
            "issuer = \"corp\"\norigins = [\"https://a.example\", \"https://A.example:443\"]".to_owned(),
            "is there twice",
        ),
    ] {
        let report = report_on(&login(&lines));
        assert!(report.contains(expected), "{expected}: {report}");
    }
    for (from, to, expected) in [
        (
            "client_id = \"narthex\"",
            "scopes = [\"groups\"]",
            "`scopes` does nothing without `client_id`",
        ),
        (
            "client_id = \"narthex\"",
            "client_secret_file = \"x\"",
            "does nothing without `client_id`",
        ),
        (
            "discovery = true",
            "secret_env = \"JWT_SECRET\"",
            "sign-in needs an issuer with public keys",
        ),
        ("https://id.example.com", "urn:corp", "cannot be"),
    ] {
        let report = report_on(&ISSUER.replace(from, to));
        assert!(report.contains(expected), "{expected}: {report}");
    }
    let names_of_this_machine =
        "issuer = \"corp\"\norigins = [\"http://localhost:8080\", \"http://127.0.0.1:8080\", \"http://[::1]\"]";
    let report = report_on(&login(names_of_this_machine));
    assert!(!report.contains("sessions need https"), "{report}");
}

#[test]
fn sec_a_session_cookie_is_no_place_of_tokens() {
    let report = report_on(&ISSUER.replace(
        "client_id = \"narthex\"",
        "token_from = [\"cookie:__Host-narthex\", \"cookie:__host-Narthex-corp\"]",
    ));
    assert_eq!(
        report.matches("is a cookie of Narthex's sessions").count(),
        2,
        "{report}"
    );
}

#[test]
fn pages_that_embed_applications_are_listed_by_their_origin() {
    let listed = |origins: &str| {
        let line = format!("frame_ancestors = [{origins}]");
        report_on(&ISSUER.replace("client_id = \"narthex\"", &line))
    };
    let report = listed("\"https://portal.example.com\"");
    assert!(
        report.contains("sign-in needs a secret key, and there is none"),
        "{report}"
    );
    for (origins, expected) in [
        (
            "\"http://portal.example.com\"",
            "only pages over https embed sessions, and `http://portal.example.com` is plain http",
        ),
        (
            "\"https://portal.example.com/a\"",
            "`https://portal.example.com/a` is not an origin",
        ),
        ("\"https://*.example.com\"", "is not an origin"),
        ("\"*\"", "is not an origin"),
        ("\"https://a.example\", \"https://A.example:443\"", "is there twice"),
    ] {
        let report = listed(origins);
        assert!(report.contains(expected), "{expected}: {report}");
    }
    let console = ISSUER.replace("\"corp\"", "\"console\"").replace(
        "client_id = \"narthex\"",
        "frame_ancestors = [\"https://portal.example.com\"]",
    );
    let report = report_on(&console);
    assert!(report.contains("would have the cookie of the console"), "{report}");
}

/// `body` is a name in the templates of an issuer with embedded logins, and a mistake in any other.
#[test]
fn templates_read_the_body_where_there_is_one() {
    let mapping = "[issuer.mapping.context]\nseat = \"{{body.seat}}\"\n\n[[route]]";
    let without = ISSUER.replace("[[route]]", mapping);
    let report = report_on(&without);
    assert!(report.contains("body"), "{report}");
    let with = without.replace(
        "client_id = \"narthex\"",
        "frame_ancestors = [\"https://portal.example.com\"]",
    );
    let report = report_on(&with);
    assert!(!report.contains("body"), "{report}");
}

#[test]
fn the_limits_of_a_session_have_bounds() {
    for (lines, expected) in [
        ("idle = \"1m\"", "`idle` must be between"),
        ("max = \"1m\"", "`max` must be between"),
        ("idle = \"2h\"\nmax = \"1h\"", "`idle` is longer than `max`"),
    ] {
        let report = report_on(&format!("[session]\n{lines}\n"));
        assert!(report.contains(expected), "{report}");
    }
}
