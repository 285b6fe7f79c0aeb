//! What a token says of its user, as one piece of bytes: equal exactly when two tokens ask the directory for the same.
//!
//! What was last agreed with a user is compared with every fresh token, by a hash of this piece.

use narthex_directory::{
    Desired, DesiredOrganization, DesiredTags, DesiredTeam, DesiredUser, OrganizationRole, Profile, TeamRole, Username,
};

/// What a token says, whichever token it is and whenever it was issued.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    bytes: Vec<u8>,
    /// How many of the first bytes say who it is about: issuer and external id.
    user: usize,
}

impl Said {
    /// SECURITY: two different wishes must never be the same bytes. Each text stands behind its length, each choice is a
    /// byte of its own, each list stands behind its count; and everything is taken apart by name, so that a field that
    /// is added to a wish cannot be forgotten here.
    pub fn of(desired: &Desired) -> Self {
        let Desired {
            realm,
            issuer,
            user:
                DesiredUser {
                    external_id,
                    username,
                    profile,
                },
            organization,
            team,
            context,
            tags,
            issued_at_ms: _,
            token: _,
        } = desired;
        let mut bytes = Bytes(Vec::with_capacity(512));
        bytes.text(issuer.as_str());
        bytes.text(external_id.as_str());
        let user = bytes.0.len();
        bytes.text(realm.as_str());
        bytes.maybe(username.as_ref().map(Username::as_str));
        bytes.profile(profile);
        bytes.organization(organization.as_ref());
        bytes.team(team.as_ref());
        bytes.tags(tags);
        bytes.count(context.len());
        for (property, value) in context {
            bytes.text(property);
            bytes.text(&value.to_string());
        }
        Self { bytes: bytes.0, user }
    }

    /// Who it is about: the same for all tokens of one issuer about one user.
    pub fn user(&self) -> &[u8] {
        self.bytes.get(..self.user).unwrap_or_default()
    }

    /// All of it.
    pub fn all(&self) -> &[u8] {
        &self.bytes
    }
}

struct Bytes(Vec<u8>);

impl Bytes {
    fn count(&mut self, count: usize) {
        self.0.extend_from_slice(&(count as u64).to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count(text.len());
        self.0.extend_from_slice(text.as_bytes());
    }

    fn maybe(&mut self, text: Option<&str>) {
        self.0.push(u8::from(text.is_some()));
        self.text(text.unwrap_or_default());
    }

    fn profile(&mut self, profile: &Profile) {
        let Profile {
            email,
            name,
            country,
            timezone,
            locale,
            language,
        } = profile;
        for field in [email, name, country, timezone, locale, language] {
            self.maybe(field.as_deref());
        }
    }

    fn organization(&mut self, organization: Option<&DesiredOrganization>) {
        self.0.push(u8::from(organization.is_some()));
        if let Some(DesiredOrganization {
            external_id,
            name,
            timezone,
            role,
        }) = organization
        {
            self.text(external_id.as_str());
            self.maybe(name.as_deref());
            self.maybe(timezone.as_deref());
            self.text(OrganizationRole::as_str(*role));
        }
    }

    fn team(&mut self, team: Option<&DesiredTeam>) {
        self.0.push(u8::from(team.is_some()));
        if let Some(DesiredTeam {
            external_id,
            name,
            role,
        }) = team
        {
            self.text(external_id.as_str());
            self.maybe(name.as_deref());
            self.text(TeamRole::as_str(*role));
        }
    }

    fn tags(&mut self, tags: &DesiredTags) {
        match tags {
            DesiredTags::NotConfigured => self.0.push(0),
            DesiredTags::Keep => self.0.push(1),
            DesiredTags::Exactly(tags) => {
                self.0.push(2);
                self.count(tags.len());
                for tag in tags {
                    self.text(tag);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use narthex_directory::{ExternalId, IssuerName, Realm, TokenFingerprint};
    use serde_json::{Map, json};

    use super::*;

    fn desired() -> Desired {
        Desired {
            realm: Realm::new("corp").unwrap(),
            issuer: IssuerName::new("corp").unwrap(),
            user: DesiredUser {
                external_id: ExternalId::new("ada").unwrap(),
                username: Some(Username::new("ada").unwrap()),
                profile: Profile::default(),
            },
            organization: None,
            team: None,
            context: Map::new(),
            tags: DesiredTags::Exactly(vec!["ab".to_owned(), "c".to_owned()]),
            issued_at_ms: Some(1),
            token: TokenFingerprint::default(),
        }
    }

    fn organization() -> DesiredOrganization {
        DesiredOrganization {
            external_id: ExternalId::new("acme").unwrap(),
            name: None,
            timezone: None,
            role: OrganizationRole::Member,
        }
    }

    fn team() -> DesiredTeam {
        DesiredTeam {
            external_id: ExternalId::new("acme").unwrap(),
            name: None,
            role: TeamRole::Member,
        }
    }

    /// Every way to differ is a difference, and moving a letter from one text to the next is one too.
    #[test]
    fn sec_different_wishes_are_never_the_same_bytes() {
        type Change = fn(&mut Desired);
        let changes: &[Change] = &[
            |_| {},
            |it| it.realm = Realm::new("other").unwrap(),
            |it| it.issuer = IssuerName::new("other").unwrap(),
            |it| it.user.external_id = ExternalId::new("adaa").unwrap(),
            |it| it.user.username = Some(Username::new("adab").unwrap()),
            |it| it.user.username = None,
            |it| it.user.profile.email = Some("a".to_owned()),
            |it| it.user.profile.email = Some(String::new()),
            |it| it.user.profile.name = Some("a".to_owned()),
            |it| it.user.profile.country = Some("a".to_owned()),
            |it| it.user.profile.timezone = Some("a".to_owned()),
            |it| it.user.profile.locale = Some("a".to_owned()),
            |it| it.user.profile.language = Some("a".to_owned()),
            |it| it.organization = Some(organization()),
            |it| {
                it.organization = Some(DesiredOrganization {
                    name: Some("acme".to_owned()),
                    ..organization()
                });
            },
            |it| {
                it.organization = Some(DesiredOrganization {
                    timezone: Some("acme".to_owned()),
                    ..organization()
                });
            },
            |it| {
                it.organization = Some(DesiredOrganization {
                    role: OrganizationRole::Admin,
                    ..organization()
                });
            },
            |it| it.team = Some(team()),
            |it| {
                it.team = Some(DesiredTeam {
                    name: Some("acme".to_owned()),
                    ..team()
                });
            },
            |it| {
                it.team = Some(DesiredTeam {
                    role: TeamRole::Admin,
                    ..team()
                });
            },
            |it| it.tags = DesiredTags::NotConfigured,
            |it| it.tags = DesiredTags::Keep,
            |it| it.tags = DesiredTags::Exactly(Vec::new()),
            |it| it.tags = DesiredTags::Exactly(vec!["a".to_owned(), "bc".to_owned()]),
            |it| it.tags = DesiredTags::Exactly(vec!["c".to_owned(), "ab".to_owned()]),
            |it| it.tags = DesiredTags::Exactly(vec!["abc".to_owned()]),
            |it| it.context = [("a".to_owned(), json!(1))].into_iter().collect(),
            |it| it.context = [("a".to_owned(), json!("1"))].into_iter().collect(),
            |it| it.context = [("a".to_owned(), json!(null))].into_iter().collect(),
        ];
        let said: Vec<Said> = changes
            .iter()
            .map(|change| {
                let mut changed = desired();
                change(&mut changed);
                Said::of(&changed)
            })
            .collect();
        for (number, one) in said.iter().enumerate() {
            for (other, another) in said.iter().enumerate() {
                assert_eq!(one == another, number == other, "changes {number} and {other}");
            }
        }
    }

    #[test]
    fn which_token_it_is_and_when_it_was_issued_is_no_difference() {
        let later = Desired {
            issued_at_ms: None,
            token: TokenFingerprint {
                sha256_prefix: Some("0123".to_owned()),
                ..TokenFingerprint::default()
            },
            ..desired()
        };
        assert_eq!(Said::of(&desired()), Said::of(&later));
        assert_eq!(Said::of(&desired()).user(), Said::of(&later).user());
    }

    /// The two texts of the key do not run into one another.
    #[test]
    fn sec_users_of_different_issuers_never_share_a_key() {
        let named = |issuer: &str, external_id: &str| {
            let mut desired = desired();
            desired.issuer = IssuerName::new(issuer).unwrap();
            desired.user.external_id = ExternalId::new(external_id).unwrap();
            Said::of(&desired)
        };
        assert_ne!(named("ab", "c").user(), named("a", "bc").user());
    }
}
