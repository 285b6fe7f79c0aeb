//! Deletion of audit events that are too old.

use narthex_directory::{Actor, AuditEvent, ChainLink, Directory, EventFilter, EventOrder, Page, REFUSED};

use crate::audit_chain::{checkpoint, link};

/// The event that a deletion records.
fn told(action: &str) -> AuditEvent {
    AuditEvent::new(action, Actor::System, 100)
}

async fn record(directory: &dyn Directory, action: &str, at_ms: i64) {
    let event = AuditEvent::new(action, Actor::System, at_ms);
    directory.record(event).await.unwrap();
}

/// The numbers and actions of all events, the oldest first.
async fn all(directory: &dyn Directory) -> Vec<(u64, String)> {
    let filter = EventFilter {
        order: EventOrder::OldestFirst,
        ..EventFilter::default()
    };
    let listing = directory.events(filter, Page::first(200)).await.unwrap();
    let events = listing.items.into_iter();
    events
        .map(|recorded| (recorded.sequence, recorded.event.action))
        .collect()
}

async fn extend(directory: &dyn Directory, until: u64) {
    let links: Vec<ChainLink> = (1..=until).map(link).collect();
    assert_eq!(directory.extend_chain(0, links, None).await, Ok(true));
}

pub async fn a_cut_leaves_the_link_and_the_checkpoint_of_its_number(directory: &dyn Directory) {
    for at_ms in 1..=6 {
        record(directory, "team.created", at_ms).await;
    }
    extend(directory, 4).await;
    let unknown = checkpoint(link(5), 9);
    assert_eq!(directory.cut_trail(unknown, told("audit.cut")).await, Ok(0));
    let mut other = checkpoint(link(3), 9);
    other.hash = link(9).hash;
    assert_eq!(directory.cut_trail(other, told("audit.cut")).await, Ok(0));
    assert_eq!(all(directory).await.len(), 6);
    let earlier = checkpoint(link(2), 9);
    assert_eq!(directory.cut_trail(earlier, told("audit.cut")).await, Ok(2));
    let cut = checkpoint(link(3), 9);
    assert_eq!(directory.cut_trail(cut.clone(), told("audit.cut")).await, Ok(1));
    assert_eq!(
        directory.cut_trail(cut.clone(), told("audit.cut")).await,
        Ok(0),
        "nothing is left before it"
    );
    let left = all(directory).await;
    let numbers: Vec<u64> = left.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [4, 5, 6, 7, 8]);
    assert!(left[3..].iter().all(|(_, action)| action == "audit.cut"), "{left:?}");
    assert_eq!(directory.chain_links(0, 9).await, Ok(vec![link(3), link(4)]));
    assert_eq!(directory.checkpoints(0, 9).await, Ok(vec![cut]));
    assert_eq!(directory.extend_chain(4, vec![link(5)], None).await, Ok(true));
}

pub async fn sec_a_number_is_not_given_again_after_a_cut(directory: &dyn Directory) {
    record(directory, "team.created", 1).await;
    extend(directory, 1).await;
    assert_eq!(
        directory.cut_trail(checkpoint(link(1), 2), told("audit.cut")).await,
        Ok(1)
    );
    record(directory, "team.updated", 3).await;
    let left = [(2, "audit.cut".to_owned()), (3, "team.updated".to_owned())];
    assert_eq!(all(directory).await, left);
}

pub async fn old_refusals_go_and_their_links_stay(directory: &dyn Directory) {
    for (action, at_ms) in [
        (REFUSED, 10),
        ("team.created", 10),
        (REFUSED, 11),
        (REFUSED, 20),
        (REFUSED, 12),
        (REFUSED, 12),
    ] {
        record(directory, action, at_ms).await;
    }
    extend(directory, 3).await;
    let signed = Some(checkpoint(link(4), 30));
    assert_eq!(directory.extend_chain(3, vec![link(4)], signed).await, Ok(true));
    let signed = Some(checkpoint(link(5), 30));
    assert_eq!(directory.extend_chain(4, vec![link(5)], signed).await, Ok(true));
    assert_eq!(
        directory.delete_refusals(10, 9, told("audit.refusals_deleted")).await,
        Ok(0)
    );
    assert_eq!(
        directory.delete_refusals(20, 2, told("audit.refusals_deleted")).await,
        Ok(2)
    );
    // The one of number 6 has no link yet.
    assert_eq!(
        directory.delete_refusals(20, 9, told("audit.refusals_deleted")).await,
        Ok(1)
    );
    assert_eq!(
        directory.delete_refusals(20, 9, told("audit.refusals_deleted")).await,
        Ok(0)
    );
    let left = all(directory).await;
    let numbers: Vec<u64> = left.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [2, 4, 6, 7, 8]);
    assert!(
        left[3..].iter().all(|(_, action)| action == "audit.refusals_deleted"),
        "{left:?}"
    );
    assert_eq!(directory.chain_links(0, 9).await.unwrap().len(), 5);
    assert_eq!(directory.checkpoints(0, 9).await, Ok(vec![checkpoint(link(4), 30)]));
}
