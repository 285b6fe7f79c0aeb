//! E-mail addresses that break after `@`.

use askama::Template;
use askama::filters::HtmlSafe;

/// An e-mail address. A line may break after its `@`.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(
    source = "{{ local }}{% if let Some(domain) = domain %}@<wbr>{{ domain }}{% endif %}",
    ext = "html"
)]
pub struct Address {
    local: String,
    domain: Option<String>,
}

impl HtmlSafe for Address {}

impl Address {
    /// The address as given. Text without `@` is shown as it is.
    pub fn new(text: &str) -> Self {
        let (local, domain) = match text.rsplit_once('@') {
            Some((local, domain)) => (local, Some(domain.to_owned())),
            None => (text, None),
        };
        Self {
            local: local.to_owned(),
            domain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_may_break_after_the_at_sign() {
        assert_eq!(Address::new("bob@demo.example").to_string(), "bob@<wbr>demo.example");
        assert_eq!(Address::new("a@b@c").to_string(), "a@b@<wbr>c");
        assert_eq!(Address::new("bob").to_string(), "bob");
    }

    #[test]
    fn sec_an_address_is_escaped_on_both_sides_of_the_at_sign() {
        let shown = Address::new("<b>@<script>").to_string();
        assert!(!shown.contains("<b>") && !shown.contains("<script>"), "{shown}");
        assert!(shown.contains("@<wbr>"), "{shown}");
    }
}
