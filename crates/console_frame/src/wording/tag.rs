//! Tags that nearly meet: the characters that differ are marked, and the difference is named.

use askama::Template;
use askama::filters::HtmlSafe;
use narthex_directory::Difference;

/// A tag beside another one, with its own characters marked.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = r#"<span class="tag near">{{ before }}{% if !differs.is_empty() %}<mark>{{ differs }}</mark>{% endif %}{{ after }}</span>"#,
    ext = "html"
)]
pub struct NearTag {
    before: String,
    differs: String,
    after: String,
}

impl HtmlSafe for NearTag {}

impl NearTag {
    /// Marks the part of `tag` that `other` does not have there. Blanks in it are shown as `␣`.
    pub fn new(tag: &str, other: &str) -> Self {
        let (own, others): (Vec<char>, Vec<char>) = (tag.chars().collect(), other.chars().collect());
        let same = |(one, two): &(&char, &char)| one == two;
        let head = own.iter().zip(&others).take_while(same).count();
        let least = own.len().min(others.len()) - head;
        let tail = own
            .iter()
            .rev()
            .zip(others.iter().rev())
            .take_while(same)
            .count()
            .min(least);
        let end = own.len() - tail;
        let text = |from: usize, to: usize| own.iter().take(to).skip(from).collect::<String>();
        Self {
            before: text(0, head),
            differs: text(head, end).replace(char::is_whitespace, "␣"),
            after: text(end, own.len()),
        }
    }
}

/// Names the difference between two tags, as a short sentence.
pub const fn difference(difference: Difference) -> &'static str {
    match difference {
        Difference::Case => "Upper and lower case differ",
        Difference::Blanks => "Blanks or invisible characters differ",
        Difference::LeadingSlash => "One begins with a slash",
        Difference::Path => "One is the last part of the other",
        Difference::LookAlike => "Letters look alike and are not the same",
        Difference::Trailing => "Punctuation at the end differs",
        Difference::OneText => "Several tags came as one text",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_characters_that_differ_are_marked() {
        let shown = |tag, other| NearTag::new(tag, other).to_string();
        assert_eq!(
            shown("MemberTag2", "memberTag2"),
            r#"<span class="tag near"><mark>M</mark>emberTag2</span>"#
        );
        assert_eq!(
            shown("staff ", "staff"),
            r#"<span class="tag near">staff<mark>␣</mark></span>"#
        );
        assert_eq!(shown("staff", "staff "), r#"<span class="tag near">staff</span>"#);
        assert_eq!(shown("aa", "aaa"), r#"<span class="tag near">aa</span>"#);
        assert_eq!(shown("aaa", "aa"), r#"<span class="tag near">aa<mark>a</mark></span>"#);
        assert_eq!(shown("", "x"), r#"<span class="tag near"></span>"#);
    }

    #[test]
    fn sec_a_marked_tag_is_escaped() {
        assert!(!NearTag::new("<i>", "<I>").to_string().contains("<i>"));
    }
}
