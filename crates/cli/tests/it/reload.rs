//! A configuration is read again while the process runs.

use std::{fs, time::Duration};

use crate::world::{World, config};

/// Waits, for five seconds at the most, until `path` answers with `status`.
async fn answers_with(world: &World, path: &str, status: u16) -> bool {
    for _ in 0..250 {
        if world.send(world.call("GET", path)).await.status == status {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// One more route, for the end of a configuration.
fn route(world: &World, path: &str) -> String {
    let upstream = world.upstream.url();
    format!("\n[[route]]\npath = \"{path}\"\nrequire = \"public\"\nupstream = \"{upstream}\"\n")
}

#[tokio::test]
async fn a_hangup_signal_reads_it_again() {
    let mut world = World::start().await;
    assert_eq!(world.send(world.call("GET", "/new")).await.status, 404);
    let text = config(&world.idp, &world.upstream) + &route(&world, "/new");
    world.narthex.reload(&text).unwrap();
    assert!(answers_with(&world, "/new", 200).await, "{}", world.narthex.logs());
}

/// A bad file keeps the old configuration and says why.
#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    let mut world = World::start().await;
    let text = format!("{}\n[[rout]]\npath = \"/new\"\n", config(&world.idp, &world.upstream));
    world.narthex.reload(&text).unwrap();
    let mut said = false;
    for _ in 0..250 {
        said = said || world.narthex.logs().contains("rout");
        assert_eq!(world.send(world.call("GET", "/public/page")).await.status, 200);
        if said {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(said, "nothing is said of it: {}", world.narthex.logs());
    assert_eq!(world.send(world.call("GET", "/new")).await.status, 404);
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_signal() {
    let world = World::start().await;
    let file = world.narthex.config_file();
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str(&route(&world, "/new"));
    fs::write(&file, text).unwrap();
    assert!(answers_with(&world, "/new", 200).await, "{}", world.narthex.logs());
}
