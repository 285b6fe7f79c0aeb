//! Issuers as JSON documents: each case is written once, as a table of the file, and played through both entrances.

use narthex_directory::OrganizationName;
use narthex_settings_reader::{FieldProblem, FromToml as _, KeyDescription, Provenance};

use super::*;
use crate::{CompiledIssuer, Issuer, compile_issuer};

/// The keys without which there is no issuer.
const SOUND: &str = "name = \"corp\"\nissuer = \"https://id.example.com\"\ndiscovery = true\naudiences = [\"app\"]\n";

const ROUTE: &str = "[[route]]\npath = \"/x\"\nrequire = \"authenticated\"\nupstream = \"http://192.0.2.7\"\n";

fn file_of(issuer: &str) -> Reading {
    read_toml(&format!("[[issuer]]\n{issuer}\n{ROUTE}"))
}

/// The same issuer as JSON.
fn json_of(issuer: &str) -> Value {
    let file: toml::Table = format!("[[issuer]]\n{issuer}").parse().unwrap();
    serde_json::to_value(&file["issuer"][0]).unwrap()
}

fn through_json(document: &Value) -> Result<CompiledIssuer, Vec<FieldProblem>> {
    let limits = file_of(SOUND).into_config(Paint::Plain).unwrap().limits;
    compile_issuer(document, &limits)
}

/// The problems without their places, in an order that depends on no place.
fn placeless(problems: &[FieldProblem]) -> Vec<String> {
    let mut rows: Vec<String> = problems
        .iter()
        .map(|problem| {
            let FieldProblem {
                severity,
                message,
                label,
                help,
                field: _,
            } = problem;
            format!("{severity:?}: {message} ({label:?}) {help:?}")
        })
        .collect();
    rows.sort();
    rows
}

fn only_issuer(reading: Reading) -> Issuer {
    let mut issuers = reading.into_config(Paint::Plain).unwrap().issuers;
    assert_eq!(issuers.len(), 1);
    issuers.remove(0)
}

#[test]
fn a_valid_issuer_gives_the_same_settings_from_toml_and_from_json() {
    for keys in [
        "",
        "realm = \"shared\"\naliases = [\"https://id.example.com/\"]\nenabled = false\nleeway = \"30s\"\n\
         max_token_age = \"24h\"\nalgorithms = [\"RS256\", \"EdDSA\"]\naudience_claims = [\"aud\", \"client_id\"]\n\
         token_types = [\"acme+jwt\"]\ntoken_from = [\"header:X-Token\"]\nstale_max = \"2h\"\nprovision = \"link_only\"\n\
         mode = \"observe\"\non_invalid = \"skip\"\n\
         required_claims = { email_verified = true, hd = [\"a.example\", \"b.example\"], level = 3 }\n\
         [issuer.mapping.user]\nexternal_id = \"{{payload.oid}}\"\nemail = \"{{payload.email}}\"\n\
         [issuer.mapping.organization]\nexternal_id = \"{{payload.org}}\"\nrole = \"member\"\n\
         [issuer.mapping.context]\nteam = \"{{payload.team}}\"\n\
         [issuer.tags]\nclaim = \"groups\"\nplatform_admin = [\"ops\"]\non_missing = \"keep\"\nlease = \"7d\"\n",
    ] {
        let issuer = format!("{SOUND}{keys}");
        let from_file = only_issuer(file_of(&issuer));
        let compiled = through_json(&json_of(&issuer)).unwrap();
        assert_eq!(placeless(&compiled.warnings), [""; 0]);
        assert_eq!(format!("{from_file:#?}"), format!("{:#?}", compiled.issuer));
    }
}

/// Documents with a fault, the field that the fault is reported at, and words of the message.
fn faults() -> Vec<(String, &'static str, &'static str)> {
    let mut faults = faults_of_values();
    faults.extend(faults_of_sections());
    faults
}

fn faults_of_values() -> Vec<(String, &'static str, &'static str)> {
    let sound = |keys: &str| format!("{SOUND}{keys}");
    vec![
        (sound("colour = \"red\""), "/colour", "unknown key `colour`"),
        (sound("audience = \"app\""), "/audience", "unknown key `audience`"),
        (sound("leeway = 7"), "/leeway", "`leeway` must be"),
        (sound("leeway = \"7 bananas\""), "/leeway", "`leeway`"),
        (sound("leeway = \"2d\""), "/leeway", "leeway"),
        (sound("aliases = [\"a\", 7]"), "/aliases/1", "`aliases` must be text"),
        (sound("aliases = [\" a\"]"), "/aliases/0", "begins or ends with a blank"),
        (sound("realm = \"\""), "/realm", "`realm` is empty"),
        (sound("mode = \"enforced\""), "/mode", "`mode` must be"),
        (sound("algorithms = [\"none\"]"), "/algorithms/0", "not `none`"),
        (sound("algorithms = [\"HS256\"]"), "/algorithms/0", "HS256"),
        (sound("token_types = [\"logout+jwt\"]"), "/token_types", "logout"),
        (
            sound("required_claims = { hd = [] }"),
            "/required_claims/hd",
            "is an empty list",
        ),
        (
            sound("jwks_url = \"https://id.example.com/keys\""),
            "/jwks_url",
            "both say where the keys come from",
        ),
        (
            sound("secret_format = \"hex\""),
            "/secret_format",
            "does nothing with `discovery`",
        ),
    ]
}

fn faults_of_sections() -> Vec<(String, &'static str, &'static str)> {
    let sound = |keys: &str| format!("{SOUND}{keys}");
    vec![
        (sound("mapping = 7"), "/mapping", "`mapping` must be a table"),
        (sound("[issuer.tags]\nlease = \"1s\""), "/tags", "`claim` is missing"),
        (
            sound("[issuer.tags]\nclaim = \"g\"\nlease = \"1s\""),
            "/tags/lease",
            "at least",
        ),
        (
            sound("[issuer.mapping.user]\nexternal_id = \"{{payload.\""),
            "/mapping/user/external_id",
            "",
        ),
        (
            sound("[issuer.mapping.context]\n\"a/b\" = \"{{payload.x}}\""),
            "/mapping/context/a~1b",
            "",
        ),
        (
            SOUND.replace("\"corp\"", "\"Corp!\""),
            "/name",
            "cannot be the name of an issuer",
        ),
        (SOUND.replace("name = \"corp\"\n", ""), "", "`name` is missing"),
        (SOUND.replace("[\"app\"]", "[]"), "/audiences", "audience"),
        (
            SOUND.replace("https:", "ftp:"),
            "/issuer",
            "`issuer` cannot be discovered",
        ),
        // Warnings: the issuer can be used.
        (
            sound("leeway = \"20m\""),
            "/leeway",
            "tokens are accepted this long after",
        ),
        (
            sound("required_claims = { \"a.b\" = 1 }"),
            "/required_claims/a.b",
            "dots included",
        ),
        (
            sound("[issuer.tags]\nclaim = \"email\""),
            "/tags/claim",
            "users choose themselves",
        ),
    ]
}

#[test]
fn each_fault_is_reported_alike_from_toml_and_from_json_and_with_its_field() {
    for (issuer, field, says) in faults() {
        let reading = file_of(&issuer);
        let of_file = reading.problems.by_field(&[]);
        let of_json = match through_json(&json_of(&issuer)) {
            Ok(compiled) => {
                assert!(reading.is_usable(), "{issuer}");
                compiled.warnings
            }
            Err(problems) => {
                assert!(!reading.is_usable(), "{issuer}");
                problems
            }
        };
        assert_eq!(placeless(&of_json), placeless(&of_file), "{issuer}");
        let found = of_json
            .iter()
            .any(|problem| problem.field == field && problem.message.contains(says));
        assert!(found, "{issuer}\n{of_json:#?}");
    }
}

#[test]
fn all_problems_of_a_document_are_reported_at_once() {
    let document = serde_json::json!({
        "name": "Corp!", "leeway": 7, "jwks_file": "keys.json", "proxy": null, "colour": "red",
        "mapping": { "user": { "name": "{{nope}}" } },
    });
    let problems = through_json(&document).unwrap_err();
    let fields: Vec<&str> = problems.iter().map(|problem| problem.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "",
            "",
            "/name",
            "/leeway",
            "/jwks_file",
            "/proxy",
            "/colour",
            "/mapping/user/name"
        ],
        "{problems:#?}"
    );
}

#[test]
fn what_is_no_object_is_no_issuer() {
    for (document, says) in [
        (serde_json::json!([1]), "`issuer` must be a table, not a list"),
        (serde_json::json!(null), "the document is `null`"),
    ] {
        let problems = through_json(&document).unwrap_err();
        assert!(problems.iter().any(|problem| problem.message == says), "{problems:#?}");
    }
}

#[test]
fn sec_issuer_of_the_api_names_nothing_of_this_machine() {
    let sound = json_of(SOUND);
    for (key, value, says) in [
        ("jwks_file", "keys.json", "names a file"),
        ("secret_file", "/etc/passwd", "names a file"),
        ("ca_file", "ca.pem", "names a file"),
        ("bearer_token_file", "/run/token", "names a file"),
        ("secret_env", "JWT_SECRET", "names an environment variable"),
        ("proxy", "http://proxy.internal:3128", "names a proxy"),
        ("allow_private_hosts", "10.0.0.1", "names hosts at private addresses"),
    ] {
        let mut document = sound.clone();
        document[key] = value.into();
        let problems = through_json(&document).unwrap_err();
        let pointer = format!("/{key}");
        let refused = problems
            .iter()
            .any(|problem| problem.field == pointer && problem.message.contains(says));
        assert!(refused, "{key}: {problems:#?}");
        // Nothing was read: no message tells of a file that is there or is not.
        let quiet = problems
            .iter()
            .all(|problem| !problem.message.contains("cannot be read"));
        assert!(quiet, "{key}: {problems:#?}");
    }
    let private = [
        "http://localhost/keys",
        "https://LOCALHOST./keys",
        "https://127.0.0.1/keys",
        "https://[::1]/keys",
        "https://10.0.0.1/keys",
        "https://169.254.169.254/latest",
        "https://2130706433/keys",
        "https://[::ffff:127.0.0.1]/keys",
    ];
    for url in private {
        let mut by_url = sound.clone();
        by_url["discovery"] = false.into();
        by_url["jwks_url"] = url.into();
        let mut discovered = sound.clone();
        discovered["issuer"] = url.into();
        for (document, pointer) in [(by_url, "/jwks_url"), (discovered, "/issuer")] {
            let problems = through_json(&document).unwrap_err();
            let refused = problems
                .iter()
                .any(|problem| problem.field == pointer && problem.message.contains("is not a public address"));
            assert!(refused, "{url}: {problems:#?}");
        }
    }
    // The file may name this machine.
    let issuer = SOUND.replace("discovery = true", "jwks_url = \"http://localhost/keys\"");
    assert!(file_of(&issuer).is_usable());
}

/// The refusal goes by the form of a key's name. A key that takes a path under another name would slip through.
#[test]
fn sec_each_key_of_an_issuer_that_takes_a_path_is_closed_to_the_api() {
    fn takes_a_path(kind: &Kind) -> bool {
        match kind {
            Kind::Text { what, .. } => *what == "path",
            Kind::List(inner) | Kind::OneOrMany(inner) | Kind::Map(inner) => takes_a_path(inner),
            Kind::Either(kinds) => kinds.iter().any(takes_a_path),
            Kind::Boolean | Kind::Integer { .. } | Kind::Choice(_) | Kind::Section(_) => false,
        }
    }
    fn open_paths(keys: &[KeyDescription]) -> Vec<&'static str> {
        keys.iter()
            .flat_map(|key| match &key.kind {
                Kind::Section(outline) => open_paths(&outline.keys),
                kind if takes_a_path(kind) && Provenance::Api.reserved(key.name).is_none() => vec![key.name],
                _ => Vec::new(),
            })
            .collect()
    }
    let Kind::Section(issuer) = crate::file::IssuerSection::kind() else {
        panic!("an issuer is a table");
    };
    assert!(issuer.keys.iter().any(|key| takes_a_path(&key.kind)));
    assert_eq!(open_paths(&issuer.keys), [""; 0]);
}

#[test]
fn sec_an_issuer_of_one_organization_has_a_realm_of_its_own() {
    let of_acme = |keys: &str| {
        format!(
            "[[issuer]]\n{SOUND}[[issuer]]\nname = \"acme-idp\"\nissuer = \"https://acme.example.com\"\ndiscovery = true\n\
             audiences = [\"app\"]\norganization = \"acme\"\n{keys}\n{ROUTE}"
        )
    };
    let config = read_toml(&of_acme("")).into_config(Paint::Plain).unwrap();
    let organizations: Vec<_> = config
        .issuers
        .iter()
        .map(|issuer| issuer.policy.organization.clone())
        .collect();
    assert_eq!(organizations, [None, OrganizationName::new("acme").ok()]);
    for (keys, problem) in [
        ("realm = \"corp\"", "have a realm of their own"),
        (
            "[issuer.tags]\nclaim = \"groups\"\nplatform_admin = [\"root\"]",
            "makes no platform admins",
        ),
        (
            "[issuer.tags]\nclaim = \"groups\"\n[[issuer.tags.pattern]]\nmatch = \"{organization}-{role}\"\n\
             roles = { a = \"admin\" }\ncreate = true",
            "creates no organization",
        ),
    ] {
        let report = read_toml(&of_acme(keys)).into_config(Paint::Plain).unwrap_err();
        assert!(report.contains(problem), "{report}");
    }
}
