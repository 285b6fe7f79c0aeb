//! Explanation of roles that an administrator cannot revoke by hand, and of the remedy.

use narthex_directory::{EffectiveGrant, Scope, SourceKind};

/// Maximum number of tags that are named; the number of further tags is given after them.
const NAMED_MAX: usize = 10;

/// Explains to an administrator who wants to revoke a role on this scope that only tags give it; `None` where they give
/// none.
pub fn given_by_tags(scope: Scope, grants: &[EffectiveGrant]) -> Option<String> {
    let giving = grants.iter().filter(|effective| effective.gives.is_ok());
    let by_pattern = giving
        .clone()
        .any(|effective| effective.grant.source.kind() == SourceKind::Pattern);
    let tags: Vec<String> = giving
        .filter_map(|effective| {
            let source = &effective.grant.source;
            Some(format!("`{}` of the issuer `{}`", source.tag()?, source.issuer()?))
        })
        .collect();
    if tags.is_empty() {
        return None;
    }
    let mut named = tags.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    if tags.len() > NAMED_MAX {
        named = format!("{named} and {} more", tags.len() - NAMED_MAX);
    }
    let lists = match scope {
        Scope::Platform => "that issuer's `platform_admin` list",
        Scope::Organization(_) if by_pattern => "the organization's lists and set its `tag_patterns` to `false`",
        Scope::Organization(_) | Scope::Team(_) => "the organization's lists",
    };
    Some(format!(
        "only tags give the role that is left, and it goes away with them: {named}; take them off {lists}, or off the user at \
         the identity provider"
    ))
}

#[cfg(test)]
mod tests {
    use narthex_directory::{
        CountingIds, Grant, GrantId, GrantSource, IneffectiveReason, IssuerName, PlatformRole, ScopedRole,
        TokenFingerprint, UserId,
    };

    use super::*;

    fn effective(tag: &str) -> EffectiveGrant {
        let mut ids = CountingIds(0);
        let role = ScopedRole::Platform(PlatformRole::Admin);
        let grant = Grant {
            id: GrantId::new(0, &mut ids),
            user: UserId::new(0, &mut ids),
            role,
            source: GrantSource::Tag {
                issuer: IssuerName::new("idp").unwrap(),
                tag: tag.to_owned(),
            },
            token: TokenFingerprint::default(),
            granted_at_ms: 0,
            asserted_at_ms: 0,
            lapses_at_ms: None,
            revoked_at_ms: None,
            why: None,
            revoked_why: None,
        };
        EffectiveGrant { grant, gives: Ok(role) }
    }

    #[test]
    fn names_the_tags_that_give_something_and_not_too_many() {
        let mut idle = effective("idle");
        idle.gives = Err(IneffectiveReason::PlatformTag);
        assert_eq!(given_by_tags(Scope::Platform, &[idle.clone()]), None);
        let said = given_by_tags(Scope::Platform, &[idle, effective("root")]).unwrap();
        assert!(
            said.contains("`root` of the issuer `idp`") && said.contains("`platform_admin`"),
            "{said}"
        );
        assert!(!said.contains("idle"), "{said}");
        let many: Vec<EffectiveGrant> = (0..12).map(|number| effective(&format!("t{number}"))).collect();
        let said = given_by_tags(Scope::Platform, &many).unwrap();
        assert!(
            said.contains("`t9`") && !said.contains("`t10`") && said.contains("and 2 more"),
            "{said}"
        );
    }
}
