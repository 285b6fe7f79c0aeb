//! Refused requests of the last hour.

use narthex_directory::{DENIALS_KEPT_MS, DenialRecord, Directory, Page};
use serde_json::json;

/// The denial of a request with this id.
pub fn denial(request_id: &str, at_ms: i64) -> DenialRecord {
    let facts = json!({ "reason": "organization.role", "status": 403, "path": "/x/\u{fffd}" });
    DenialRecord {
        request_id: request_id.to_owned(),
        at_ms,
        facts: facts.as_object().unwrap().clone(),
    }
}

pub async fn denials_are_found_for_an_hour_and_listed_newest_first(directory: &dyn Directory) {
    let start = 1_800_000_000_000;
    assert_eq!(directory.denial("a-1".into(), start).await, Ok(None));
    let first = [denial("a-1", start), denial("b-1", start), denial("a-2", start + 1)];
    directory.keep_denials(first.to_vec(), start + 1).await.unwrap();
    // One that is there stays as it is.
    directory
        .keep_denials(vec![denial("a-1", start + 5)], start + 5)
        .await
        .unwrap();
    assert_eq!(
        directory.denial("a-1".into(), start + 5).await,
        Ok(Some(denial("a-1", start)))
    );
    for wrong in ["A-1", "a-1 ", "", "\0"] {
        assert_eq!(directory.denial(wrong.into(), start).await, Ok(None), "{wrong}");
    }
    let (mut listed, mut page) = (Vec::new(), Page::first(2));
    loop {
        let part = directory.denials(start + 5, page).await.unwrap();
        listed.extend(part.items.into_iter().map(|denial| denial.request_id));
        match part.next_cursor {
            Some(cursor) => page = Page::after(cursor, 2),
            None => break,
        }
    }
    assert_eq!(listed, ["a-2", "b-1", "a-1"]);
    // An hour later they are no longer found, whether or not they have been deleted.
    let later = start + DENIALS_KEPT_MS;
    assert_eq!(directory.denial("a-1".into(), later).await, Ok(None));
    assert_eq!(directory.denials(later, Page::default()).await.unwrap().items.len(), 1);
    directory.keep_denials(Vec::new(), later + 1).await.unwrap();
    let left = directory.denials(start, Page::default()).await.unwrap().items;
    assert!(left.is_empty(), "{left:?}");
}
