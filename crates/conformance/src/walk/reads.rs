//! Reads of the directory between the steps of a walk, and after them.

use narthex_directory::{
    Among, Detail, EventFilter, GrantFilter, GrantSource, GrantsWhen, MembershipRule, OrganizationFilter, Page, Scope,
    TeamFilter, UserFilter,
};

use super::super::world::{HOUR_MS, carrying};
use super::{TAGS, Walk};

impl Walk<'_> {
    pub(super) async fn look(&mut self) -> String {
        let directory = self.world.directory;
        let page = Page::first(usize::try_from(self.dice.roll(5)).unwrap());
        match self.dice.roll(7) {
            0 => {
                let q = self
                    .dice
                    .pick(&[None, Some("A"), Some("o"), Some("%")])
                    .map(str::to_owned);
                format!(
                    "{:?}",
                    directory
                        .users(
                            UserFilter {
                                q,
                                ..UserFilter::default()
                            },
                            page
                        )
                        .await
                )
            }
            1 => {
                let tag = self
                    .dice
                    .pick(&[None, Some("a"), Some("A"), Some("c, d")])
                    .map(str::to_owned);
                format!(
                    "{:?}",
                    directory
                        .organizations(
                            OrganizationFilter {
                                tag,
                                ..Default::default()
                            },
                            page
                        )
                        .await
                )
            }
            2 => {
                let scope = self.role().scope();
                format!("{:?}", directory.members(scope, self.world.now_ms, page).await)
            }
            3 => {
                let when = GrantsWhen::AsOf(self.world.now_ms - self.dice.pick(&[0, 1_000, 6 * HOUR_MS]));
                format!(
                    "{:?}",
                    directory
                        .grants(
                            GrantFilter {
                                when,
                                ..GrantFilter::default()
                            },
                            page
                        )
                        .await
                )
            }
            4 => {
                let filter = carrying(&self.dice.some(&TAGS), Among::Everybody);
                format!("{:?}", directory.carriers(filter, page).await)
            }
            5 => {
                let token = self.token();
                format!("{:?}", directory.snapshot(&token, Detail::Explain).await)
            }
            _ => format!("{:?}", directory.seen_tags(None, page).await),
        }
    }

    /// Everything there is, after the laws that hold at any time have been checked.
    pub async fn everything(&self) -> Vec<String> {
        let directory = self.world.directory;
        let open = self.all_grants(GrantsWhen::Open).await;
        let mut keys = std::collections::HashSet::new();
        for grant in &open {
            assert!(
                keys.insert((grant.user, grant.scope(), grant.source.clone())),
                "two open grants for one reason"
            );
            if grant.source == GrantSource::Manual {
                self.check_takes_manual_grants(grant.scope()).await;
            }
        }
        let page = || Page::first(200);
        let users = directory.users(UserFilter::default(), page()).await.unwrap().items;
        let organizations = directory
            .organizations(OrganizationFilter::default(), page())
            .await
            .unwrap()
            .items;
        let teams = directory.teams(TeamFilter::default(), page()).await.unwrap().items;
        let events = directory.events(EventFilter::default(), page()).await.unwrap().items;
        let mut all: Vec<String> = users.iter().map(|user| format!("{user:?}")).collect();
        all.extend(organizations.iter().map(|organization| format!("{organization:?}")));
        all.extend(teams.iter().map(|team| format!("{team:?}")));
        all.extend(
            self.all_grants(GrantsWhen::Ever)
                .await
                .iter()
                .map(|grant| format!("{grant:?}")),
        );
        all.extend(events.iter().map(|event| format!("{event:?}")));
        all
    }

    /// A team is another matter: a token may bring it, with its manual grants, into such an organization, and
    /// sync touches no manual grant. It takes no further ones there.
    async fn check_takes_manual_grants(&self, scope: Scope) {
        if let Scope::Organization(id) = scope {
            let organization = self.world.directory.organization(id).await.unwrap().unwrap();
            assert_eq!(
                organization.membership,
                MembershipRule::Mixed,
                "an external_only organization takes none"
            );
        }
    }
}
