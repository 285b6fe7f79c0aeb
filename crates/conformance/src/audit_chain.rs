//! The hash chain over the audit trail, as stores keep it, and the filters of the trail.

use narthex_directory::{
    Actor, AuditEvent, AuditKey, ChainHash, ChainLink, Checkpoint, Directory, EventFilter, Page, PlatformRole,
    ScopedRole, SecretBytes,
};

use crate::world::World;

/// A link whose hash tells its number.
pub fn link(sequence: u64) -> ChainLink {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&sequence.to_be_bytes());
    ChainLink {
        sequence,
        hash: ChainHash(hash),
    }
}

/// A checkpoint of a link.
pub fn checkpoint(link: ChainLink, at_ms: i64) -> Checkpoint {
    Checkpoint {
        sequence: link.sequence,
        hash: link.hash,
        at_ms,
        kid: "first".into(),
        signature: format!("signature-{}", link.sequence),
    }
}

/// A key of checkpoints.
pub fn key(kid: &str, created_at_ms: i64) -> AuditKey {
    AuditKey {
        kid: kid.to_owned(),
        private: SecretBytes(vec![1, 2, 3]),
        public_jwk: format!("{{\"kid\":\"{kid}\"}}"),
        created_at_ms,
    }
}

pub async fn the_chain_is_extended_where_it_ends_and_read_in_parts(directory: &dyn Directory) {
    assert_eq!(directory.chain_end().await, Ok(None));
    assert_eq!(directory.chain_links(0, 10).await, Ok(Vec::new()));
    let links: Vec<ChainLink> = (1..=5).map(link).collect();
    assert_eq!(directory.extend_chain(0, links[..3].to_vec(), None).await, Ok(true));
    assert_eq!(directory.extend_chain(3, links[3..].to_vec(), None).await, Ok(true));
    assert_eq!(directory.extend_chain(5, Vec::new(), None).await, Ok(true));
    assert_eq!(directory.chain_end().await, Ok(Some(link(5))));
    assert_eq!(directory.chain_links(0, 2).await, Ok(links[..2].to_vec()));
    assert_eq!(directory.chain_links(2, 10).await, Ok(links[2..].to_vec()));
    assert_eq!(directory.chain_links(5, 10).await, Ok(Vec::new()));
}

pub async fn sec_two_nodes_never_extend_the_chain_at_once(directory: &dyn Directory) {
    assert_eq!(directory.extend_chain(0, vec![link(1), link(2)], None).await, Ok(true));
    let late = ChainLink {
        hash: ChainHash([7; 32]),
        ..link(1)
    };
    let checkpoint = Some(checkpoint(late, 1));
    assert_eq!(directory.extend_chain(0, vec![late], checkpoint).await, Ok(false));
    assert_eq!(directory.extend_chain(1, vec![link(2)], None).await, Ok(false));
    assert_eq!(directory.chain_links(0, 10).await, Ok(vec![link(1), link(2)]));
    assert_eq!(directory.last_checkpoint().await, Ok(None));
}

pub async fn checkpoints_are_kept_with_their_links(directory: &dyn Directory) {
    assert_eq!(directory.last_checkpoint().await, Ok(None));
    for sequence in 1..=4 {
        let signed = (sequence % 2 == 0).then(|| checkpoint(link(sequence), 10));
        let extended = directory.extend_chain(sequence - 1, vec![link(sequence)], signed).await;
        assert_eq!(extended, Ok(true));
    }
    let (second, fourth) = (checkpoint(link(2), 10), checkpoint(link(4), 10));
    assert_eq!(directory.last_checkpoint().await, Ok(Some(fourth.clone())));
    assert_eq!(directory.checkpoints(0, 1).await, Ok(vec![second.clone()]));
    assert_eq!(directory.checkpoints(0, 9).await, Ok(vec![second, fourth.clone()]));
    assert_eq!(directory.checkpoints(2, 9).await, Ok(vec![fourth]));
    // A checkpoint of a link that is there already.
    let again = checkpoint(link(5), 11);
    assert_eq!(directory.extend_chain(4, vec![link(5)], None).await, Ok(true));
    assert_eq!(
        directory.extend_chain(5, Vec::new(), Some(again.clone())).await,
        Ok(true)
    );
    assert_eq!(directory.last_checkpoint().await, Ok(Some(again)));
}

pub async fn the_first_key_of_checkpoints_stays(directory: &dyn Directory) {
    let world = World::new(directory);
    assert_eq!(directory.audit_keys().await, Ok(Vec::new()));
    let (first, second) = (key("first", world.now_ms), key("second", world.now_ms + 1));
    let keys = directory.create_audit_key(first.clone(), world.by()).await;
    assert_eq!(keys, Ok(vec![first.clone()]));
    let keys = directory.create_audit_key(second, world.by()).await;
    assert_eq!(keys, Ok(vec![first.clone()]));
    assert_eq!(directory.audit_keys().await, Ok(vec![first]));
    assert_eq!(actions(directory, EventFilter::default()).await, ["audit_key.created"]);
}

/// The actions of the newest events that a filter admits.
async fn actions(directory: &dyn Directory, filter: EventFilter) -> Vec<String> {
    let listing = directory.events(filter, Page::first(200)).await.unwrap();
    let actions = listing.items.into_iter().map(|recorded| recorded.event.action);
    actions.collect()
}

pub async fn events_are_found_by_actor_and_by_text(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let ada = world.user("ada").await.id;
    let mut event = AuditEvent::new("configuration.reloaded", Actor::Configuration, world.now_ms);
    event.detail.insert("why".into(), "Say \"Hello\" to ÄRA".into());
    directory.record(event).await.unwrap();
    world.grant(ada, ScopedRole::Platform(PlatformRole::Viewer)).await;
    let cases: [(&str, &[&str]); 5] = [
        ("configuration", &["configuration.reloaded"]),
        ("alice (uid 1000)", &["grant.opened", "user.created"]),
        ("command_line", &["grant.opened", "user.created"]),
        ("alice", &[]),
        ("Alice (uid 1000)", &[]),
    ];
    for (actor, expected) in cases {
        let filter = EventFilter {
            actor: Some(actor.into()),
            ..EventFilter::default()
        };
        assert_eq!(actions(directory, filter).await, expected, "{actor}");
    }
    for (text, found) in [
        ("hello", true),
        ("say \"HELLO\" to", true),
        ("ÄRA", true),
        ("ära", false),
        ("hel%o", false),
        ("hel_o", false),
        ("say \\", false),
    ] {
        let filter = EventFilter {
            actor: Some("configuration".into()),
            text: Some(text.into()),
            ..EventFilter::default()
        };
        assert_eq!(actions(directory, filter).await.len(), usize::from(found), "{text}");
    }
}
