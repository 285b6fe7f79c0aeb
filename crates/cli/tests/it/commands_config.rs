//! `narthex config check`, for programs.

use serde_json::json;

use crate::commands::narthex_in;

#[test]
fn what_is_wrong_can_be_json() {
    let folder = tempfile::tempdir().unwrap();
    let check = |text: &str| {
        std::fs::write(folder.path().join("narthex.toml"), text).unwrap();
        narthex_in(folder.path(), &["config", "check", "--json"], "")
    };
    let good = check("[listen]\npublic = \"127.0.0.1:8080\"\n");
    assert_eq!((good.code, good.stderr.as_str()), (0, ""), "{good:?}");
    assert_eq!(good.json()["usable"], true);

    let bad = check("[store]\npath = \"a.db\"\n\n[listen]\n  pubic = \"postgres://ann:s3cret@db/x\"\n");
    assert_eq!((bad.code, bad.stderr.as_str()), (1, ""), "{bad:?}");
    let told = bad.json();
    assert_eq!(told["usable"], false);
    let problem = &told["problems"][0];
    assert_eq!(
        (&problem["severity"], &problem["line"], &problem["column"]),
        (&json!("error"), &json!(5), &json!(3)),
        "{told}"
    );
    assert!(problem["message"].as_str().unwrap().contains("`pubic`"), "{told}");
    assert!(!bad.stdout.contains("s3cret"), "{}", bad.stdout);
}
