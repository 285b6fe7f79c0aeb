//! Roles at a past time: what was answered then.

use narthex_directory::{
    DAY_MS, DayChanges, Directory, GrantId, OrganizationRole, Page, PlatformRole, Scope, ScopedRole, UserId,
};

use crate::dice::Dice;
use crate::world::{World, realm};

/// Holders of roles on a scope: the user, the role, and the grants that give it.
type Held = Vec<(UserId, ScopedRole, Vec<GrantId>)>;

const CHANGES: usize = 50;

fn held(members: Vec<narthex_directory::Member>) -> Held {
    let held = members.into_iter().map(|member| {
        let grants = member.grants.iter().map(|grant| grant.id).collect();
        (member.user.id, member.role, grants)
    });
    held.collect()
}

async fn now(directory: &dyn Directory, scope: Scope, now_ms: i64) -> Held {
    held(directory.members(scope, now_ms, Page::first(200)).await.unwrap().items)
}

/// As [`now`], of a past time, and read in pages of one.
async fn then(directory: &dyn Directory, scope: Scope, at_ms: i64) -> Held {
    let mut members = Vec::new();
    let mut page = Page::first(1);
    loop {
        let listing = directory.members_as_of(scope, at_ms, page).await.unwrap();
        members.extend(listing.items);
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, 1),
            None => return held(members),
        }
    }
}

/// Makes one change of roles: by hand or by a token, for one of three people, in one of two organizations or on the platform.
async fn change(world: &mut World<'_>, people: &[UserId], scopes: &[Scope], dice: &mut Dice) {
    let (person, scope) = (dice.pick(people), dice.pick(scopes));
    match dice.roll(4) {
        0 => {
            let role = match scope {
                Scope::Organization(id) if dice.chance(2) => ScopedRole::Organization(id, OrganizationRole::Admin),
                Scope::Organization(id) => ScopedRole::Organization(id, OrganizationRole::Member),
                _ => ScopedRole::Platform(PlatformRole::Viewer),
            };
            world.grant(person, role).await;
        }
        1 => {
            let by = world.by();
            let revoked = world.directory.revoke_role(person, scope, None, by).await;
            revoked.unwrap();
        }
        _ => {
            let subject = dice.pick(&["ada", "bob", "eve"]);
            let tags = dice.some(&["boss", "staff", "chief", "crew"]);
            // A token above the limit of changes opens nothing, and is none the less a change.
            world.try_sync(&world.tagged(subject, &tags)).await.unwrap();
        }
    }
}

pub async fn roles_at_every_instant_are_those_that_were_answered_then(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let one = world.organization("one", "boss", "staff").await;
    let two = world.organization("two", "chief", "crew").await;
    let scopes = [
        Scope::Platform,
        Scope::Organization(one.id),
        Scope::Organization(two.id),
    ];
    let mut people = Vec::new();
    for name in ["ada", "bob", "eve"] {
        people.push(world.sync(&world.tagged(name, &["none"])).await.principal.user().id);
    }
    let mut dice = Dice::new(19);
    let mut answers = Vec::new();
    for _ in 0..CHANGES {
        world.later(2_000);
        change(&mut world, &people, &scopes, &mut dice).await;
        let mut answer = Vec::new();
        for scope in scopes {
            answer.push(now(directory, scope, world.now_ms).await);
        }
        answers.push((world.now_ms, answer));
    }
    for place in 0..scopes.len() {
        assert!(
            answers.iter().any(|(_, answer)| !answer[place].is_empty()),
            "no user ever had a role on scope {place}"
        );
    }
    for (at_ms, answer) in answers {
        for (scope, expected) in scopes.into_iter().zip(answer) {
            // At the instant of the change, and until the next one.
            for at_ms in [at_ms, at_ms + 1_999] {
                assert_eq!(then(directory, scope, at_ms).await, expected, "{scope:?} at {at_ms}");
            }
        }
    }
    assert_eq!(then(directory, scopes[1], 0).await, Held::new());
}

pub async fn tags_that_were_never_seen_are_told_from_those_that_were(directory: &dyn Directory) {
    let mut world = World::new(directory);
    world.organization("tools", "boss", "staff").await;
    world.sync(&world.tagged("ada", &["staff", "other"])).await;
    directory.flush().await.unwrap();
    let asked = ["staff", "Staff", "other", "boss", "staff", "\0"]
        .map(str::to_owned)
        .to_vec();
    let seen = directory.tags_ever_seen(realm("main"), asked.clone()).await;
    assert_eq!(seen, Ok(vec!["other".to_owned(), "staff".to_owned()]));
    assert_eq!(directory.tags_ever_seen(realm("two"), asked).await, Ok(Vec::new()));
    assert_eq!(
        directory.tags_ever_seen(realm("main"), Vec::new()).await,
        Ok(Vec::new())
    );
}

pub async fn role_changes_are_counted_by_day(directory: &dyn Directory) {
    let mut world = World::new(directory);
    let tools = world.organization("tools", "boss", "staff").await;
    let other = world.organization("other", "chief", "crew").await;
    world.sync(&world.tagged("ada", &["staff", "crew"])).await;
    let first = world.now_ms / DAY_MS;
    world.later(DAY_MS);
    // One is closed and one opened.
    world.sync(&world.tagged("ada", &["boss", "crew"])).await;
    world.later(2 * DAY_MS);
    world.sync(&world.tagged("ada", &["none"])).await;
    let day = |after: i64, changes| DayChanges {
        day: first + after,
        changes,
    };
    let found = directory.role_changes_per_day(tools.id, 0).await;
    assert_eq!(found, Ok(vec![day(0, 1), day(1, 2), day(3, 1)]));
    let found = directory.role_changes_per_day(tools.id, world.now_ms).await;
    assert_eq!(found, Ok(vec![day(3, 1)]));
    let found = directory.role_changes_per_day(other.id, 0).await;
    assert_eq!(found, Ok(vec![day(0, 1), day(3, 1)]));
}
