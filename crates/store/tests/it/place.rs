//! One server on a file, and the file at its place.

use std::fs;
use std::path::{Path, PathBuf};

use narthex_conformance::world::World;
use narthex_directory::{CountingIds, People, StoreError, TokenSync};
use narthex_store::{Options, SqliteDirectory};

use crate::open_at;

fn serve_at(path: &Path) -> Result<SqliteDirectory, StoreError> {
    SqliteDirectory::open(&Options::new(path).to_serve())
}

/// What is done to a file, and what undoes it.
struct Harm {
    name: &'static str,
    file: &'static str,
    /// Whether another file comes to its place.
    replaced: bool,
    /// Whether it can be put back.
    back: bool,
}

const HARMS: [Harm; 6] = [
    harm("moved", "narthex.db", false, true),
    harm("replaced", "narthex.db", true, true),
    harm("deleted", "narthex.db", false, false),
    harm("the log deleted", "narthex.db-wal", false, false),
    harm("the log replaced", "narthex.db-wal", true, true),
    harm("the index of the log deleted", "narthex.db-shm", false, false),
];

const fn harm(name: &'static str, file: &'static str, replaced: bool, back: bool) -> Harm {
    Harm {
        name,
        file,
        replaced,
        back,
    }
}

fn is_gone<T>(answer: &Result<T, StoreError>) -> bool {
    matches!(answer, Err(StoreError::Gone(_)))
}

/// Nothing is acknowledged that a later start would not find, from the first answer after it on.
#[tokio::test]
async fn sec_database_file_gone() {
    // The files lie beside the database, also where it is opened by a link from elsewhere.
    for (harm, by_link) in HARMS.iter().flat_map(|harm| [(harm, false), (harm, true)]) {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let path = folder.path().join("narthex.db");
        let link = elsewhere.path().join("narthex.db");
        std::fs::File::create(&path).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        let directory = serve_at(if by_link { &link } else { &path }).unwrap();
        let mut world = World::new(&directory);
        let ada = world.user("ada").await.id;
        directory.poll_versions().await.unwrap();
        let (file, aside) = (folder.path().join(harm.file), folder.path().join("aside"));
        if harm.back {
            fs::rename(&file, &aside).unwrap();
        } else {
            fs::remove_file(&file).unwrap();
        }
        if harm.replaced {
            fs::copy(&aside, &file).unwrap();
        }
        let by = world.by();
        let written = directory.revoke_tokens(ada, by.clone()).await;
        assert!(is_gone(&written), "{}: {written:?}", harm.name);
        assert!(
            is_gone(&directory.revoke_tokens(ada, by.clone()).await),
            "{}",
            harm.name
        );
        assert!(is_gone(&directory.poll_versions().await), "{}", harm.name);
        assert!(is_gone(&directory.health().await), "{}", harm.name);
        assert!(is_gone(&directory.user(ada).await), "{}", harm.name);
        if harm.back {
            fs::rename(&aside, &file).unwrap();
            directory.health().await.unwrap();
            directory.revoke_tokens(ada, by).await.unwrap();
            directory.user(ada).await.unwrap();
        }
    }
}

#[test]
fn a_second_server_is_refused_and_told_who_has_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let first = serve_at(&path).unwrap();
    let link = folder.path().join("link.db");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    for path in [&path, &link] {
        let said = serve_at(path).unwrap_err().to_string();
        let process = format!("process {}", std::process::id());
        assert!(said.contains(&process) && said.contains("narthex.db"), "{said}");
        assert!(said.contains("PostgreSQL"), "{said}");
    }
    drop(first);
    serve_at(&path).unwrap();
    serve_at(&path).unwrap();
}

/// The command line works beside a server, and the server hears of it.
#[tokio::test]
async fn commands_work_beside_a_server() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let server = serve_at(&path).unwrap();
    {
        let command = open_at(&path);
        let mut world = World::new(&command);
        world.ids = CountingIds(1 << 40);
        world.user("ada").await;
    }
    server.poll_versions().await.unwrap();
    let mut world = World::new(&server);
    world.user("bob").await;
    server.health().await.unwrap();
}

/// Whoever removes the file of the lock lets no second server in.
#[tokio::test]
async fn a_lock_that_is_removed_is_taken_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let server = serve_at(&path).unwrap();
    let lock = PathBuf::from(format!("{}-lock", path.display()));
    assert_eq!(fs::read_to_string(&lock).unwrap(), format!("{}\n", std::process::id()));
    fs::remove_file(&lock).unwrap();
    server.poll_versions().await.unwrap();
    serve_at(&path).unwrap_err();
    // A second one that was quicker: the first one stops, and says why.
    fs::remove_file(&lock).unwrap();
    let second = serve_at(&path).unwrap();
    assert!(is_gone(&server.poll_versions().await));
    assert!(is_gone(&server.health().await));
    drop(second);
    server.health().await.unwrap();
}
