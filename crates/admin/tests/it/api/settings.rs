//! `/settings`

use narthex_admin::ops::settings::StoreFacts;
use narthex_engine::{FilePlace, ReloadProblem};
use serde_json::json;

use crate::api::Fixture;

#[tokio::test]
async fn the_state_of_the_installation_is_told() {
    let api = Fixture::new().await;
    let unknown = json!({
        "version": env!("CARGO_PKG_VERSION"), "store": null, "store_bytes": null, "configuration": null,
    });
    assert_eq!(api.get("/settings").await, unknown);

    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("narthex.db");
    std::fs::write(&file, [0; 4096]).unwrap();
    let installation = api.operations.installation();
    installation.set_store(StoreFacts {
        kind: "sqlite",
        file: Some(file),
    });
    installation.set_configuration("narthex.toml".to_owned(), 0, vec!["listen.public".to_owned()]);
    let problem = ReloadProblem {
        is_error: true,
        place: Some(FilePlace {
            file: "narthex.toml".to_owned(),
            line: 14,
            column: 1,
        }),
        problem: "there is no key `audience`".to_owned(),
        help: Some("did you mean `audiences`?".to_owned()),
    };
    installation.set_refused(1_000, vec![problem]);
    let told = json!({
        "version": env!("CARGO_PKG_VERSION"), "store": "sqlite", "store_bytes": 4096,
        "configuration": {
            "file": "narthex.toml", "read_at": "1970-01-01T00:00:00.000Z", "waits_for_restart": ["listen.public"],
            "refused": {
                "at": "1970-01-01T00:00:01.000Z",
                "problems": [{
                    "file": "narthex.toml", "line": 14, "column": 1, "is_error": true,
                    "problem": "there is no key `audience`", "help": "did you mean `audiences`?",
                }],
            },
        },
    });
    assert_eq!(api.get("/settings").await, told);
}
