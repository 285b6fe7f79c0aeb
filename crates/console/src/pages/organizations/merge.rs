//! A change on top of another administrator's: the present version with the change of the form in it.

use narthex_console_frame::fields::Fields;
use narthex_directory::TagList;

use super::form::{TAG_LISTS, was};

/// Returns the value of a field: the present one, unless the form changed it. Of a list of tags, the tags that the form
/// added and took out are added to and taken out of the present list.
pub(super) fn merged(fields: &Fields, name: &str, current: &str) -> String {
    let (Some(typed), Some(was)) = (fields.sent(name), fields.sent(&was(name))) else {
        return fields.sent(name).unwrap_or(current).to_owned();
    };
    if typed == was {
        return current.to_owned();
    }
    let is_list = TAG_LISTS.contains(&name);
    let tags = if is_list {
        merged_tags(typed, was, current)
    } else {
        None
    };
    tags.unwrap_or_else(|| typed.to_owned())
}

/// Merges lists of tags; `None` if one cannot be read.
fn merged_tags(typed: &str, was: &str, current: &str) -> Option<String> {
    let [typed, was, current] = [typed, was, current].map(|text| TagList::parse(text).ok());
    let (typed, was, current) = (typed?, was?, current?);
    let stays = |tag: &&str| typed.contains(tag) || !was.contains(tag);
    let is_added = |tag: &&str| !was.contains(tag) && !current.contains(tag);
    let tags = current.texts().filter(stays).chain(typed.texts().filter(is_added));
    Some(TagList::from_entries(tags).ok()?.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merge(form: &[u8], name: &str, current: &str) -> String {
        merged(&Fields::parse(form), name, current)
    }

    #[test]
    fn a_field_that_the_form_did_not_change_has_the_present_value() {
        assert_eq!(merge(b"label=A&was.label=A", "label", "B"), "B");
        assert_eq!(merge(b"label=C&was.label=A", "label", "B"), "C");
        assert_eq!(merge(b"label=C", "label", "B"), "C");
        assert_eq!(merge(b"", "label", "B"), "B");
    }

    #[test]
    fn tags_that_both_added_are_all_there() {
        let form = b"external_member_groups=a,+mine&was.external_member_groups=a,+b";
        assert_eq!(merge(form, "external_member_groups", "a, b, theirs"), "a, theirs, mine");
    }

    #[test]
    fn a_list_that_cannot_be_read_is_kept_as_it_was_typed() {
        let form = b"external_member_groups=a,+%22b&was.external_member_groups=a";
        assert_eq!(merge(form, "external_member_groups", "a, c"), "a, \"b");
    }
}
