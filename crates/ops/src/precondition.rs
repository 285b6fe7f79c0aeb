//! The version of a record that a change expects.

use super::error::OpError;

/// Version that a record must have for a change to be made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum ExpectedVersion {
    /// The caller names none: the last change wins.
    #[default]
    Unstated,
    /// The caller accepts any version, and says so.
    Any,
    /// One of these.
    OneOf(Vec<u64>),
}

impl ExpectedVersion {
    /// Tests whether the caller says anything about the version.
    pub(super) const fn is_stated(&self) -> bool {
        !matches!(self, Self::Unstated)
    }

    /// Returns the version that the record must still have when it is written; `None` if any will do.
    pub(super) fn check(&self, found: u64) -> Result<Option<u64>, OpError> {
        match self {
            Self::Unstated | Self::Any => Ok(None),
            Self::OneOf(versions) if versions.contains(&found) => Ok(Some(found)),
            Self::OneOf(_) => Err(OpError::Changed),
        }
    }
}
