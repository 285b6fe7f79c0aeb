//! The file of a store after an erasure.

use std::path::Path;

use narthex_conformance::erasure::erasure;
use narthex_conformance::world::World;
use narthex_directory::{Edit, People, TokenSync, UserEdit};

use crate::open_at;

fn holds(path: &Path, text: &str) -> bool {
    let bytes = std::fs::read(path).unwrap_or_default();
    bytes.windows(text.len()).any(|part| part == text.as_bytes())
}

#[tokio::test]
async fn an_erased_users_values_are_gone_from_the_file_and_its_log() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let directory = open_at(&path);
    let mut world = World::new(&directory);
    let mut token = world.token("ann.forgetme");
    token.user.profile.email = Some("forgetme@example.com".into());
    let user = world.sync(&token).await.principal.user().id;
    world.user("bob").await;
    // A value that was replaced before is as personal as the last one.
    let edit = UserEdit {
        name: Edit::Set("Ann Forgetme".into()),
        email: Edit::Set("ann@forgetme.example".into()),
        ..UserEdit::default()
    };
    directory.update_user(user, None, edit, world.by()).await.unwrap();
    directory.flush().await.unwrap();
    let files = [path.clone(), folder.path().join("narthex.db-wal")];
    assert!(files.iter().any(|file| holds(file, "forgetme")));
    directory.erase_user(user, None, erasure(), world.by()).await.unwrap();
    for file in &files {
        for text in ["forgetme", "Forgetme"] {
            assert!(!holds(file, text), "`{text}` is in {}", file.display());
        }
    }
    drop(directory);
    assert!(!holds(&path, "orgetme"));
}
