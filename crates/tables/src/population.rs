//! Fills a directory in minutes: for tests, for measurements, and for a trial with a million users. It is behind the
//! feature `population`; the product does not have it.
//!
//! The rows are those that the product itself would have written if an administrator had created the organizations and
//! every user had come once with a token: the same planner plans, and the same code makes the events. Only the way into
//! the tables is another: in bulk.

mod table;

use std::collections::BTreeMap;

use narthex_directory::{
    Actor, By, Change, CountingIds, Desired, DesiredTags, DesiredUser, Detail, ExternalId, IssuerName, MembershipRule,
    NewOrganization, OrganizationBrief, OrganizationDetails, OrganizationId, OrganizationName, OrganizationRole,
    OrganizationStatus, OrganizationTags, Origin, Profile, ProviderSession, Realm, Snapshot, StoreError, SyncPlan,
    SyncPolicy, TagList, TagMatch, TokenFingerprint, Username, plan, rules,
};

pub use self::table::{Batch, Cell, Table};
use crate::consequences::Written;

/// Time at which the first organization is created. From then on one user comes each millisecond.
pub const BEGIN_MS: i64 = 1_700_000_000_000;
/// Number of users or organizations that are planned and written at a time.
const AT_ONCE: u64 = 5_000;
/// Tags that the tokens carry beside the two that organizations may list.
const UNLISTED: [&str; 8] = ["g1", "g2", "g3", "g4", "g5", "g6", "g7", "g8"];

/// Number of records of each kind.
///
/// Tags are dealt out to the organizations in turn: the first round is for members, the second for admins, the third for
/// executors, any further ones for members again. Every user's token carries ten tags, two of which are dealt out, and so
/// gives two memberships where there are two organizations.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Population {
    /// Users, each with two grants and three audit events.
    pub users: u64,
    /// Organizations.
    pub organizations: u64,
    /// Tags that organizations list.
    pub tags: u64,
}

/// Callback that reports the number of users and organizations written so far.
pub type Progress<'p> = &'p mut (dyn FnMut(u64) + Send);

impl Population {
    /// A million people, as the bars have it.
    pub const MILLION: Self = Self {
        users: 1_000_000,
        organizations: 100_000,
        tags: 300_000,
    };
    /// A thousandth of that.
    pub const THOUSAND: Self = Self {
        users: 1_000,
        organizations: 100,
        tags: 300,
    };

    /// Tests whether there are organizations for the tags.
    ///
    /// # Errors
    ///
    /// [`StoreError::Refused`], with the population to ask for instead.
    pub fn check(self) -> Result<(), StoreError> {
        if self.organizations == 0 && self.tags > 0 {
            return Err(StoreError::Refused(
                "tags need organizations that list them; ask for some, or for no tags",
            ));
        }
        if self.tags > self.organizations.saturating_mul(1_000) {
            return Err(StoreError::Refused(
                "an organization lists at most 1000 tags here; ask for more organizations",
            ));
        }
        Ok(())
    }

    /// The text of a tag that is dealt out.
    pub fn tag(self, tag: u64) -> String {
        let organizations = self.organizations.max(1);
        let (round, organization) = (tag / organizations, tag % organizations);
        match round {
            0 => format!("org-{organization}-members"),
            1 => format!("org-{organization}-admins"),
            2 => format!("org-{organization}-executors"),
            _ => format!("org-{organization}-members-{round}"),
        }
    }

    /// Content of a user's token. Users beyond the last one are new.
    pub fn desired(self, user: u64, issued_at_ms: i64) -> Result<Desired, StoreError> {
        self.carrying(user, self.dealt(user), issued_at_ms)
    }

    /// The same with two other tags.
    pub fn desired_with_others(self, user: u64, issued_at_ms: i64) -> Result<Desired, StoreError> {
        let others = self.dealt(user).map(|tag| (tag + self.tags / 2) % self.tags.max(1));
        self.carrying(user, others, issued_at_ms)
    }

    fn carrying(self, user: u64, dealt: [u64; 2], issued_at_ms: i64) -> Result<Desired, StoreError> {
        let subject = format!("{:016x}-{user}", scrambled(user));
        let mut tags: Vec<String> = UNLISTED.map(str::to_owned).into();
        if self.tags > 0 {
            tags.extend(dealt.map(|tag| self.tag(tag)));
        }
        Ok(Desired {
            realm: Realm::new("main")?,
            issuer: IssuerName::new("idp")?,
            user: DesiredUser {
                external_id: ExternalId::new(subject.as_str())?,
                username: Some(Username::new(subject.as_str())?),
                profile: Profile {
                    email: Some(format!("{subject}@example.com")),
                    name: Some(format!("Example User {subject}")),
                    ..Profile::default()
                },
            },
            organization: None,
            team: None,
            each: None,
            context: serde_json::Map::new(),
            tags: DesiredTags::Exactly(tags),
            pattern_tags: Vec::new(),
            issued_at_ms: Some(issued_at_ms),
            provider_session: ProviderSession::default(),
            token: TokenFingerprint {
                jti: Some(format!("j{user}")),
                sha256_prefix: Some(format!("{:032x}", u128::from(scrambled(user)))),
            },
        })
    }

    /// The two tags of a user that are dealt out: neighbours, and so of two organizations.
    fn dealt(self, user: u64) -> [u64; 2] {
        let tags = self.tags.max(1);
        let first = scrambled(user) % tags;
        [first, (first + 1) % tags]
    }

    /// An organization as an administrator asks for it.
    pub fn organization(self, organization: u64) -> Result<NewOrganization, StoreError> {
        let (mut admin, mut member, mut executor) = (Vec::new(), Vec::new(), Vec::new());
        let step = usize::try_from(self.organizations.max(1)).unwrap_or(usize::MAX);
        for tag in (organization..self.tags).step_by(step) {
            let list = match tag / self.organizations.max(1) {
                1 => &mut admin,
                2 => &mut executor,
                _ => &mut member,
            };
            list.push(self.tag(tag));
        }
        Ok(NewOrganization {
            id: Self::organization_id(organization),
            name: OrganizationName::new(format!("org-{organization}"))?,
            label: format!("Organization {organization}"),
            realm: Realm::new("main")?,
            external_id: None,
            details: OrganizationDetails::default(),
            tags: OrganizationTags {
                admin: TagList::from_entries(admin)?,
                member: TagList::from_entries(member)?,
                executor: TagList::from_entries(executor)?,
            },
            tag_patterns: true,
            membership: MembershipRule::Mixed,
            status: OrganizationStatus::Active,
        })
    }

    fn organization_id(organization: u64) -> OrganizationId {
        OrganizationId::new(BEGIN_MS, &mut CountingIds(organization))
    }

    /// Administrator who creates the organizations.
    pub fn administrator() -> By {
        By {
            actor: Actor::CommandLine(None),
            at_ms: BEGIN_MS,
        }
    }

    /// Time at which a user comes, in milliseconds.
    pub fn arrival_ms(user: u64) -> i64 {
        BEGIN_MS.saturating_add(i64::try_from(user).unwrap_or(i64::MAX))
    }

    /// The ids that the user and its grants take.
    pub const fn ids(user: u64) -> CountingIds {
        CountingIds((user + 1) << 8)
    }

    /// Plan that the planner makes for the first token of a user.
    fn first_use(self, user: u64) -> Result<SyncPlan, StoreError> {
        let at_ms = Self::arrival_ms(user);
        let desired = self.desired(user, at_ms)?;
        let mut matches = Vec::new();
        if self.tags > 0 {
            for tag in self.dealt(user) {
                matches.push(self.tag_match(tag)?);
            }
        }
        matches.sort_by(|one, other| (&one.tag, one.organization.id).cmp(&(&other.tag, other.organization.id)));
        matches.dedup();
        let snapshot = Snapshot {
            detail: Detail::Sync,
            policy: self.organizations,
            tag_matches: matches,
            ..Snapshot::empty()
        };
        plan(&desired, &snapshot, &SyncPolicy::default(), at_ms, &mut Self::ids(user))
            .map_err(|_| StoreError::Refused("the planner refuses a user of its own making"))
    }

    fn tag_match(self, tag: u64) -> Result<TagMatch, StoreError> {
        let organizations = self.organizations.max(1);
        let organization = tag % organizations;
        Ok(TagMatch {
            tag: self.tag(tag),
            organization: OrganizationBrief {
                id: Self::organization_id(organization),
                name: OrganizationName::new(format!("org-{organization}"))?,
                realm: Realm::new("main")?,
                status: OrganizationStatus::Active,
            },
            role: match tag / organizations {
                1 => OrganizationRole::Admin,
                2 => OrganizationRole::Executor,
                _ => OrganizationRole::Member,
            },
        })
    }

    /// All rows, in batches: organizations, then users, then what is counted over all of them.
    pub fn batches(self) -> impl Iterator<Item = Result<Batch, StoreError>> + Send {
        let mut sequence = 0;
        let mut seen = BTreeMap::new();
        let organizations = chunks(self.organizations).map(Step::Organizations);
        let steps = organizations
            .chain(chunks(self.users).map(Step::Users))
            .chain(std::iter::once(Step::Counted));
        steps.map(move |step| {
            let mut batch = Batch::default();
            match step {
                Step::Organizations(numbers) => {
                    let by = Self::administrator();
                    for number in numbers {
                        let made = rules::new_organization(self.organization(number)?, Origin::Api, by.at_ms)?;
                        let changes = [Change::CreateOrganization(Box::new(made))];
                        batch.add(&changes, &Written::of(&changes, &by), &mut sequence);
                        batch.done += 1;
                    }
                }
                Step::Users(numbers) => {
                    for number in numbers {
                        let plan = self.first_use(number)?;
                        let by = By {
                            actor: plan.actor(),
                            at_ms: plan.touch.at_ms,
                        };
                        batch.add(&plan.changes, &Written::of(&plan.changes, &by), &mut sequence);
                        batch.add_touch(&plan.touch);
                        table::see(&mut seen, &plan.touch);
                        batch.done += 1;
                    }
                }
                Step::Counted => {
                    batch.add_seen(&std::mem::take(&mut seen));
                    batch.policy = self.organizations;
                }
            }
            Ok(batch)
        })
    }
}

enum Step {
    Organizations(std::ops::Range<u64>),
    Users(std::ops::Range<u64>),
    Counted,
}

fn chunks(count: u64) -> impl Iterator<Item = std::ops::Range<u64>> + Send {
    let step = usize::try_from(AT_ONCE).unwrap_or(usize::MAX);
    (0..count)
        .step_by(step)
        .map(move |begin| begin..count.min(begin + AT_ONCE))
}

/// Scrambles a number: neighbours in time are no neighbours in an index.
fn scrambled(number: u64) -> u64 {
    let mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
