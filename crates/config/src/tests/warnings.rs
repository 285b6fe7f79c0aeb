//! Warnings of `config check`, and what is tried first and answered with what to do.

use super::*;

/// An issuer, and what is said about it.
fn report_on_issuer(keys: &str) -> String {
    report_on(&format!(
        "[[issuer]]\nname = \"corp\"\nissuer = \"https://id.example.com\"\ndiscovery = true\naudiences = [\"app\"]\n{keys}\n\
         [[route]]\npath = \"/x\"\nrequire = \"authenticated\"\nupstream = \"http://127.0.0.1:9\"\n"
    ))
}

const NO_PROBLEMS: &str = "narthex.toml: no problems\n";

/// The key of a user comes from a claim that users can change.
#[test]
fn sec_user_key_that_users_choose() {
    let user = |keys: &str| report_on_issuer(&format!("[issuer.mapping.user]\n{keys}"));
    for (keys, claim) in [
        ("username = \"{{payload.preferred_username}}\"", "preferred_username"),
        ("username = \"{{payload.userName}}\"", "userName"),
        ("username = \"{{lower(payload.corp.login)}}\"", "corp.login"),
        ("username = \"{{payload.sub}}@{{payload.realm}}\"", "realm"),
    ] {
        let report = user(keys);
        let told = format!("`external_id` is not mapped, so `{claim}` decides which user a token is");
        assert!(
            report.contains(&told) && report.contains("external_id = \"{{payload.sub}}\""),
            "{report}"
        );
    }
    let report = user("external_id = \"{{payload.email}}\"");
    assert!(
        report.contains("`email` decides which user a token is, and users can change it"),
        "{report}"
    );
    for good in [
        "",
        "username = \"{{payload.sub}}\"",
        "external_id = \"{{payload.sub}}\"\nusername = \"{{payload.preferred_username}}\"",
        "external_id = \"{{payload.oid}}\"\nusername = \"{{payload.email}}\"\nemail = \"{{payload.email}}\"",
    ] {
        assert_eq!(user(good), NO_PROBLEMS, "{good}");
    }
    let shared = "realm = \"all\"\n[issuer.mapping.user]\nusername = \"{{payload.login}}\"\n[[issuer]]\nname = \"partner\"\n\
                  issuer = \"https://partner.example\"\nrealm = \"all\"\ndiscovery = true\naudiences = [\"app\"]";
    let report = report_on_issuer(shared);
    let told = "a user who gets another user's `login` at one of the issuers `corp`, `partner` becomes that user";
    assert!(report.contains(told), "{report}");
}

/// Roles come from a claim that users write themselves.
#[test]
fn sec_tags_that_users_choose() {
    for (keys, claim) in [
        ("[issuer.tags]\nclaim = \"preferred_username\"", "preferred_username"),
        ("[issuer.tags]\nclaim = \"{{payload.nickname}}\"", "nickname"),
        ("[issuer.tags]\nclaim = \"{{split(payload.email; '@')}}\"", "email"),
        (
            "[issuer.mapping.user]\nexternal_id = \"{{payload.sub}}\"\nusername = \"{{payload.short}}\"\n[issuer.tags]\nclaim = \"short\"",
            "short",
        ),
    ] {
        let report = report_on_issuer(keys);
        let told = format!("tags give roles, and `{claim}` is a claim that users choose themselves");
        assert!(report.contains(&told), "{report}");
    }
    for (keys, told) in [
        (
            "external_id = \"{{split(payload.email; '@')[2]}}\"",
            "`email` decides the organization",
        ),
        (
            "external_id = \"{{payload.org}}\"\nrole = \"{{payload.profile}}\"",
            "`profile` decides the role in it",
        ),
    ] {
        let report = report_on_issuer(&format!("[issuer.mapping.organization]\n{keys}"));
        assert!(report.contains(told), "{report}");
    }
    for good in [
        "\"groups\"",
        "\"{{payload.realm_access.roles}}\"",
        "\"cognito:groups\"",
        "\"https://example.com/roles\"",
    ] {
        assert_eq!(
            report_on_issuer(&format!("[issuer.tags]\nclaim = {good}")),
            NO_PROBLEMS,
            "{good}"
        );
    }
}

/// Settings that are valid and dangerous are named, and a server starts with them all the same.
#[test]
fn sec_dangerous_settings_are_named() {
    let listen = |address: &str| {
        let origin = "[console]\norigin = \"https://narthex.example.com\"";
        report_on_issuer(&format!("[listen]\nadmin = \"{address}\"\n{origin}"))
    };
    for address in ["0.0.0.0:8081", "[::]:8081"] {
        let report = listen(address);
        assert!(report.contains("the admin port listens on every address"), "{report}");
    }
    assert_eq!(listen("10.1.2.3:8081"), NO_PROBLEMS);
    for (leeway, named) in [("\"24h\"", true), ("\"601s\"", true), ("\"10m\"", false)] {
        let report = report_on_issuer(&format!("leeway = {leeway}"));
        assert_eq!(
            report.contains("tokens are accepted this long after"),
            named,
            "{report}"
        );
    }
    let dangers = "[[issuer]]\nname = \"white-label\"\nsecret_env = \"SHORT_SECRET\"\ndanger_short_secret = true\n\
                   danger_tokens_without_exp = true\n";
    let reading = read_toml(dangers);
    let report = reading.report(Paint::Plain);
    assert!(reading.is_usable(), "{report}");
    for told in [
        "tokens of this issuer need not expire",
        "a short secret can be guessed from one token",
    ] {
        assert!(report.contains(told), "{report}");
    }
}

/// A guard that covers less than it seems to: what is above, beside or below its path passes at a laxer route.
#[test]
fn sec_laxer_route_beside_a_strict_one() {
    let routes = |strict: &str, require: &str, lax: &str, lax_require: &str| {
        let route = |path: &str, require: &str| {
            format!("[[route]]\npath = \"{path}\"\nrequire = \"{require}\"\nupstream = \"http://127.0.0.1:9\"\n")
        };
        report_on(&(route(strict, require) + &route(lax, lax_require)))
    };
    let no_problems = report_on("[[route]]\npath = \"/\"\nrequire = \"public\"\nupstream = \"http://127.0.0.1:9\"\n");
    for (strict, require, lax, lax_require, told) in [
        (
            "/admin",
            "platform:admin",
            "/{*rest}",
            "public",
            "`/admin/` and what is below it",
        ),
        (
            "/admin",
            "platform:admin",
            "/{*rest}",
            "authenticated",
            "`/admin/` and what is below it",
        ),
        (
            "/orgs/{organization}/{*rest}",
            "organization:member",
            "/{*rest}",
            "authenticated",
            "`/orgs/{organization}/{*rest}` does not cover `/orgs",
        ),
        (
            "/v1/{organization}/{algorithm}/run",
            "organization:member",
            "/{*rest}",
            "authenticated",
            "does not cover `/v1/{organization}`, which passes at the laxer route `/{*rest}`",
        ),
        (
            "/orgs/{organization}/settings",
            "organization:admin",
            "/orgs/{organization}/{*rest}",
            "organization:executor",
            "`/orgs/{organization}/settings/` and what is below it",
        ),
    ] {
        let report = routes(strict, require, lax, lax_require);
        assert!(report.contains(told), "{strict} {lax}:\n{report}");
    }
    for (strict, require, lax, lax_require) in [
        ("/admin", "platform:admin", "/{*rest}", "platform:admin"),
        ("/admin/{*rest}", "platform:admin", "/{*rest}", "public"),
        // Neither asks for less than the other.
        (
            "/orgs/{organization}/x",
            "organization:member",
            "/{*rest}",
            "platform:viewer",
        ),
        // Meant: it was written for what is below.
        ("/reports", "platform:admin", "/reports/{*rest}", "public"),
    ] {
        assert_eq!(routes(strict, require, lax, lax_require), no_problems, "{strict} {lax}");
    }
}

/// Mistakes from trials with new users, each with the advice that the user needed and did not get within a minute.
#[test]
fn what_is_tried_first_is_answered_with_what_to_do() {
    let route = |path: &str| {
        format!("[[route]]\npath = \"{path}\"\nrequire = \"organization:member\"\nupstream = \"http://127.0.0.1:9\"\n")
    };
    let issuer = |keys: &str| {
        format!("[[issuer]]\nname = \"corp\"\nissuer = \"https://id.example.com\"\naudiences = [\"app\"]\n{keys}\n")
    };
    let organization =
        |keys: &str| issuer("discovery = true") + &format!("[[organization]]\nname = \"acme\"\n{keys}\n");
    for (source, told) in [
        (
            route("/{*rest}"),
            "the path has to name the organization, as `/orgs/{organization}/{*rest}` does",
        ),
        (
            route("/t/{tenant}/{*rest}"),
            "if `{tenant}` is the organization's name, write `/t/{organization}/{*rest}`",
        ),
        (
            issuer("jwks_url = \"http://keycloak:8080/certs\""),
            "or copy its key set to a file from where it is trusted, and name that with `jwks_file`",
        ),
        (
            organization("external_member_groups = [\"acme-staff\"]"),
            "no issuer of the realm `corp` has `[issuer.tags]`: no user can belong to it by a tag",
        ),
        (
            organization("external_member_groups = \"acme-staff; acme-contractors\""),
            "if several are meant, write `[\"acme-staff\", \"acme-contractors\"]`",
        ),
        (
            issuer("discovery = true\n[issuer.tags]\nclame = \"groups\""),
            "did you mean `claim`?",
        ),
    ] {
        let report = report_on(&source);
        assert!(report.contains(told), "{source}\n{report}");
    }
}
