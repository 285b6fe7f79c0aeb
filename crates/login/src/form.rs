//! Parameters of a query or a form (`application/x-www-form-urlencoded`).

use std::borrow::Cow;

/// Returns the one value of a parameter; `None` if it is not there, or there twice.
///
/// SECURITY: to choose one of two values is a guess, and two programs guess differently.
pub(crate) fn one<'f>(form: &'f [u8], name: &str) -> Option<Cow<'f, str>> {
    let mut values = url::form_urlencoded::parse(form)
        .filter(|(own, _)| own == name)
        .map(|(_, value)| value);
    match (values.next(), values.next()) {
        (Some(value), None) => Some(value),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sec_a_doubled_parameter_is_none() {
        assert_eq!(one(b"a=1&b=x+y%2F", "b").as_deref(), Some("x y/"));
        assert_eq!(one(b"a=1&%61=2", "a"), None);
        assert_eq!(one(b"", "a"), None);
    }
}
