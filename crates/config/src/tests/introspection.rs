//! `introspection` of issuers.

use super::report_on;

/// A provider answers for the tokens of many applications, and a shared secret needs no audience otherwise.
#[test]
fn sec_an_issuer_that_is_asked_needs_audiences() {
    let report = |audiences: &str| {
        report_on(&format!(
            "[[issuer]]\nname = \"corp\"\nissuer = \"https://id.example.com\"\nsecret_env = \"SHORT_SECRET\"\n\
             danger_short_secret = true\n{audiences}\n\
             introspection = {{ url = \"https://id.example.com/introspect\", client_id = \"narthex\", \
             client_secret_file = \"good/keys.json\" }}\n\
             [[route]]\npath = \"/a\"\nrequire = \"authenticated\"\nupstream = \"http://127.0.0.1:9\"\n"
        ))
    };
    let says = "an issuer with `introspection` needs `audiences`";
    let without = report("");
    assert!(without.contains(says), "{without}");
    let with = report("audiences = [\"my-app\"]");
    assert!(!with.contains(says), "{with}");
}
