//! The SQLite file under a running server: it stays where it is, and nobody else serves on it.

use std::{fs, process::Command, time::Duration};

use narthex_testkit::process;

use crate::world::{GUARDED, World, member};

/// Deleted, moved or replaced: within a second nothing more is acknowledged, and what is known serves on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_a_deleted_database_is_noticed_within_a_second() {
    for harm in ["deleted", "replaced"] {
        let world = World::start().await;
        let known = member("ada").sign();
        assert_eq!(world.send(world.call("POST", GUARDED).bearer(&known)).await.status, 200);
        let file = world.narthex.folder().join("narthex.db");
        if harm == "deleted" {
            fs::remove_file(&file).unwrap();
        } else {
            fs::copy(&file, file.with_extension("copy")).unwrap();
            fs::rename(file.with_extension("copy"), &file).unwrap();
        }
        // Whoever is new is not acknowledged from this moment on.
        let refused = world
            .send(world.call("POST", GUARDED).bearer(&member("bob").sign()))
            .await;
        assert_eq!(
            (refused.status, refused.reason().as_deref()),
            (503, Some("store.unavailable")),
            "{harm}"
        );
        tokio::time::sleep(Duration::from_secs(1)).await;
        let ready = world
            .client
            .get(&format!("{}/readyz", world.narthex.admin_url()))
            .await
            .unwrap();
        assert_eq!(ready.status, 503, "{harm}: {}", ready.text());
        assert_eq!(world.send(world.call("POST", GUARDED).bearer(&known)).await.status, 200);
        let logs = world.narthex.logs();
        assert_eq!(logs.matches("store_file_gone").count(), 1, "{harm}: {logs}");
        assert!(logs.contains("Put the file back"), "{logs}");
    }
}

/// A second server is told who serves on the file; the command line works beside the first one, and a kill frees the file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_server_on_one_file_is_refused() {
    let mut world = World::start().await;
    let token = member("ada").sign();
    assert_eq!(world.send(world.call("POST", GUARDED).bearer(&token)).await.status, 200);
    let config = fs::read_to_string(world.narthex.config_file()).unwrap();
    let mut second: toml::Table = config.parse().unwrap();
    for port in ["public", "admin"] {
        second["listen"][port] = process::free_address().unwrap().to_string().into();
    }
    let file = world.narthex.folder().join("second.toml");
    fs::write(&file, second.to_string()).unwrap();
    let refused = Command::new(env!("CARGO_BIN_EXE_narthex"))
        .args(["serve", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success());
    let process = format!("process {}", world.narthex.process_id());
    assert!(said.contains(&process) && said.contains("narthex.db"), "{said}");

    let user = world.narthex.api().user("ada").await.unwrap().unwrap();
    world
        .narthex
        .command(&["user", "disable", user["id"].as_str().unwrap()])
        .unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let refused = world.send(world.call("POST", GUARDED).bearer(&token)).await;
    assert_eq!(refused.reason().as_deref(), Some("identity.disabled"));

    world.narthex.kill();
    world.narthex.start_again().await.unwrap();
}
