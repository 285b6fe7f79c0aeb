//! JSON merge patch (RFC 7396) for one member: an absent member stays, `null` empties it, a value sets it.

use serde::{Deserialize, Deserializer};

use super::error::ApiError;

/// Change of one member.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Patch<T> {
    /// The member is absent: it stays as it is.
    #[default]
    Keep,
    /// `null`: it becomes empty.
    Clear,
    /// A value.
    Set(T),
}

impl<T> Patch<T> {
    /// Tests whether the member is present.
    pub const fn is_given(&self) -> bool {
        !matches!(self, Self::Keep)
    }

    /// Returns the new value of a member that is never empty, if there is one.
    ///
    /// # Errors
    ///
    /// On `null`: a change must not be answered 200 if a part of it was ignored.
    pub(crate) fn never_empty(self, field: &'static str) -> Result<Option<T>, ApiError> {
        match self {
            Self::Keep => Ok(None),
            Self::Clear => Err(ApiError::invalid(field, "it cannot be empty; leave it out to keep it")),
            Self::Set(value) => Ok(Some(value)),
        }
    }

    /// Converts it to the directory's edit, after a check of the value.
    pub(crate) fn checked<U, E>(
        self,
        check: impl FnOnce(T) -> Result<Option<U>, E>,
    ) -> Result<narthex_directory::Edit<U>, E> {
        Ok(match self {
            Self::Keep => narthex_directory::Edit::Keep,
            Self::Clear => narthex_directory::Edit::Clear,
            Self::Set(value) => check(value)?.map_or(narthex_directory::Edit::Clear, narthex_directory::Edit::Set),
        })
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Patch<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Clear, Self::Set))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Body {
        #[serde(default)]
        name: Patch<String>,
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        for (json, expected) in [
            ("{}", Patch::Keep),
            (r#"{"name":null}"#, Patch::Clear),
            (r#"{"name":"x"}"#, Patch::Set("x".to_owned())),
        ] {
            assert_eq!(serde_json::from_str::<Body>(json).unwrap().name, expected);
        }
    }
}
