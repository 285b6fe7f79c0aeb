//! Opening: migrations, newer schemas, files that are something else.

use narthex_conformance::world::World;
use narthex_directory::{People, StoreError};
use narthex_store::{Options, SqliteDirectory};
use rusqlite::Connection;

use crate::open_at;

#[tokio::test]
async fn what_was_written_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let directory = open_at(&path);
    let ada = World::new(&directory).user("ada").await;
    drop(directory);
    assert!(
        !folder.path().join("narthex.db-wal").exists(),
        "the log was carried over"
    );
    assert_eq!(open_at(&path).user(ada.id).await.unwrap().unwrap().user, ada);
}

/// A rule for new ids must not hide the users who have older ones.
#[tokio::test]
async fn ids_from_before_a_rule_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let directory = open_at(&path);
    let ada = World::new(&directory).user("ada").await;
    drop(directory);
    let connection = Connection::open(&path).unwrap();
    let sql = "UPDATE users SET external_id = 'a\u{202e}b', username = 'a\u{2066}b'";
    assert_eq!(connection.execute(sql, []).unwrap(), 1);
    drop(connection);
    let user = open_at(&path).user(ada.id).await.unwrap().unwrap().user;
    assert_eq!(user.external_id.as_str(), "a\u{202e}b");
    assert_eq!(user.username.as_str(), "a\u{2066}b");
}

#[test]
fn pending_migrations_are_told_and_then_none_are() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let pending = SqliteDirectory::pending(&path).unwrap();
    assert_eq!((pending[0].version, pending[0].name.as_str()), (1, "directory"));
    assert!(pending[0].sql.contains("CREATE TABLE users"));
    assert!(!path.exists(), "asking makes nothing");
    drop(open_at(&path));
    assert!(SqliteDirectory::pending(&path).unwrap().is_empty());
}

#[test]
fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    drop(open_at(&path));
    let connection = Connection::open(&path).unwrap();
    connection
        .execute(
            "INSERT INTO refinery_schema_history VALUES (999, 'future', '2100-01-01T00:00:00Z', '0')",
            [],
        )
        .unwrap();
    let known = 16;
    let refused = SqliteDirectory::open(&Options::new(&path)).unwrap_err();
    assert_eq!(refused, StoreError::SchemaNewer { found: 999, known });
    assert_eq!(
        SqliteDirectory::pending(&path),
        Err(StoreError::SchemaNewer { found: 999, known })
    );
}

#[test]
fn what_is_no_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "nothing of the kind".repeat(500)).unwrap();
    let refused = SqliteDirectory::open(&Options::new(&path)).unwrap_err();
    assert!(
        matches!(&refused, StoreError::Unavailable(why) if why.contains("notes.txt")),
        "{refused}"
    );
    assert!(
        std::fs::read_to_string(&path)
            .unwrap()
            .starts_with("nothing of the kind")
    );
}

#[test]
fn a_place_where_no_file_can_be_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    for (path, says) in [
        (folder.path().join("no/such/folder.db"), "no/such`; make it first"),
        (folder.path().to_path_buf(), "it is a directory"),
    ] {
        let refused = SqliteDirectory::open(&Options::new(&path)).unwrap_err();
        assert!(refused.to_string().contains(says), "{refused}");
    }
}

#[test]
fn another_programs_database_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    drop(other);
    let before = std::fs::read(&path).unwrap();
    let refused = SqliteDirectory::open(&Options::new(&path)).unwrap_err();
    assert!(
        refused
            .to_string()
            .contains("other.db` is the SQLite database of another program"),
        "{refused}"
    );
    assert_eq!(SqliteDirectory::pending(&path), Err(refused));
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(folder.path()).unwrap().count(),
        1,
        "nothing lies beside it"
    );
}

/// In some of the files they meet at the change of the kind of log, for which SQLite does not wait.
#[test]
fn several_programs_may_start_at_once() {
    let folder = tempfile::tempdir().unwrap();
    for file in 0..50 {
        let path = folder.path().join(format!("{file}.db"));
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || SqliteDirectory::open(&Options::new(path)).map(drop))
            })
            .collect();
        for start in starts {
            assert_eq!(start.join().unwrap(), Ok(()), "file {file}");
        }
    }
}

/// The tables are STRICT, keys are enforced, and the log is flushed at every commit.
#[test]
fn the_file_is_set_up_as_promised() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let _open = open_at(&path);
    let connection = Connection::open(&path).unwrap();
    let mode: String = connection
        .query_row("PRAGMA journal_mode", [], |row| row.get(0))
        .unwrap();
    assert_eq!(mode, "wal");
    let loose: i64 = connection
        .query_row(
            "SELECT count(*) FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND strict = 0 \
             AND name NOT LIKE 'sqlite%' AND name NOT LIKE 'refinery%'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    assert_eq!(loose, 0);
}

/// Private keys lie in it.
#[cfg(unix)]
#[test]
fn a_new_file_is_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("narthex.db");
    let _open = open_at(&path);
    for name in ["narthex.db", "narthex.db-wal", "narthex.db-shm"] {
        let mode = std::fs::metadata(folder.path().join(name))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
}
