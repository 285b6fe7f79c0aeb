//! Tags of an organization beside those that tokens carry: what each listed tag meets, and what nearly meets it.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_console_frame::fields::Fields;
use narthex_console_frame::problem::Failed;
use narthex_console_frame::visit::Visit;
use narthex_console_frame::wording::tag::{self, NearTag};
use narthex_console_frame::wording::time::Moment;
use narthex_decision::Action;
use narthex_directory::{Organization, PAGE_LIMIT_MAX, TagList, difference};
use narthex_ops::PageRequest;
use narthex_ops::tags::{self, TagListOwner, TagUse};
use url::form_urlencoded::Serializer;

use super::form::TAG_LISTS;

/// Name of the button that puts one tag in the place of another.
pub(super) const REPLACE: &str = "replace";

/// Maximum number of pages of tags that are looked at.
const PAGES_MAX: usize = 2;

/// Tags of other tokens that the tags of one list meet, or nearly meet.
#[derive(Debug, Default, Template)]
#[template(path = "meets.html")]
pub(super) struct Meets {
    tags: Vec<Met>,
    misses: Vec<Miss>,
}

impl HtmlSafe for Meets {}

/// A listed tag, and the last time that a token carried it.
#[derive(Debug)]
struct Met {
    tag: String,
    last_seen: Option<Moment>,
    is_near: bool,
}

/// A listed tag that no token carries, and one like it that tokens do.
#[derive(Debug)]
struct Miss {
    listed: NearTag,
    carried: NearTag,
    /// The carried tag, as text.
    text: String,
    /// The difference, in words.
    differs: Option<&'static str>,
    /// Value of the button that corrects the list.
    replace: String,
}

/// Returns what the three lists of an organization meet; nothing for a caller who may not see the tags of tokens.
///
/// SECURITY: an organization's own admins see no tag of people that the organization has not met.
pub(super) async fn of(visit: &Visit, organization: &Organization) -> Result<Vec<Meets>, Failed> {
    if !visit.may(Action::ReadTags, None) {
        return Ok(Vec::new());
    }
    let (mut used, mut cursor) = (Vec::new(), None);
    for _ in 0..PAGES_MAX {
        let page = PageRequest {
            cursor: cursor.take(),
            limit: Some(PAGE_LIMIT_MAX),
        };
        let realm = Some(organization.realm.to_string());
        let listing = tags::list(visit.caller(), realm, page).await?;
        used.extend(listing.items);
        cursor = listing.next_cursor.map(|next| next.as_str().to_owned());
        if cursor.is_none() {
            break;
        }
    }
    let lists = &organization.tags;
    let lists = [&lists.admin, &lists.member, &lists.executor];
    let lists = TAG_LISTS.into_iter().zip(lists);
    Ok(lists
        .map(|(name, list)| meets(visit, organization, (name, list), &used))
        .collect())
}

fn meets(visit: &Visit, organization: &Organization, (name, list): (&str, &TagList), used: &[TagUse]) -> Meets {
    let near = |listed: &str| -> Vec<&TagUse> {
        let is_here =
            |owner: &TagListOwner| matches!(owner, TagListOwner::Organization(id, _) if *id == organization.id);
        let misses = |used: &&TagUse| {
            let mut misses = used.near_misses.iter();
            misses.any(|miss| miss.listed == listed && is_here(&miss.list))
        };
        used.iter().filter(misses).collect()
    };
    let met = |listed: &str| {
        let seen = used.iter().find(|used| used.seen.tag == listed);
        Met {
            tag: listed.to_owned(),
            last_seen: seen.map(|used| visit.moment(used.seen.last_seen_at_ms)),
            is_near: seen.is_none() && !near(listed).is_empty(),
        }
    };
    let miss = |listed: &str| -> Vec<Miss> {
        let carried = near(listed).into_iter().map(|used| used.seen.tag.as_str());
        carried.map(|carried| Miss::new(name, listed, carried)).collect()
    };
    Meets {
        tags: list.texts().map(met).collect(),
        misses: list.texts().flat_map(miss).collect(),
    }
}

impl Miss {
    fn new(list: &str, listed: &str, carried: &str) -> Self {
        let mut replace = Serializer::new(String::new());
        for (name, value) in [("list", list), ("from", listed), ("to", carried)] {
            replace.append_pair(name, value);
        }
        Self {
            listed: NearTag::new(listed, carried),
            carried: NearTag::new(carried, listed),
            text: carried.to_owned(),
            differs: difference(carried, listed).map(tag::difference),
            replace: replace.finish(),
        }
    }
}

/// Puts one tag in the place of another, if a button of the form asks for it.
pub(super) fn replaced(fields: Fields) -> Fields {
    let Some(value) = fields.sent(REPLACE) else {
        return fields;
    };
    let asked = Fields::parse(value.as_bytes());
    let Some(name) = TAG_LISTS.into_iter().find(|name| *name == asked.text("list")) else {
        return fields;
    };
    let Ok(list) = TagList::parse(fields.text(name)) else {
        return fields;
    };
    let (from, to) = (asked.text("from"), asked.text("to"));
    let tags = list.texts().map(|tag| if tag == from { to } else { tag });
    let Ok(changed) = TagList::from_entries(tags) else {
        return fields;
    };
    let text = changed.to_string();
    fields.with(name, text).without(REPLACE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_button_puts_one_tag_in_the_place_of_another() {
        let form = "external_member_groups=memberTag1,+MemberTag2&version=3";
        let replace = Miss::new("external_member_groups", "MemberTag2", "memberTag2").replace;
        let mut sent = Serializer::new(form.to_owned());
        let fields = Fields::parse(sent.append_pair(REPLACE, &replace).finish().as_bytes());
        let fields = replaced(fields);
        assert_eq!(fields.text("external_member_groups"), "memberTag1, memberTag2");
        assert_eq!((fields.text("version"), fields.sent(REPLACE)), ("3", None));
    }

    #[test]
    fn a_button_changes_nothing_but_the_lists() {
        let form = b"label=a&replace=list%3Dlabel%26from%3Da%26to%3Db";
        assert_eq!(replaced(Fields::parse(form)).text("label"), "a");
    }
}
