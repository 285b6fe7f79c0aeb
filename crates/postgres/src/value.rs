//! Values of statements, with the type that each has in PostgreSQL: a statement that is not prepared has to say it.

use std::borrow::Cow;

use tokio_postgres::types::{ToSql, Type};

/// A value that knows its type.
pub(super) trait Typed: ToSql + Send + Sync {
    /// The type that a statement takes it as.
    fn kind(&self) -> Type;
}

/// A value of a statement.
pub(super) type Value<'a> = Box<dyn Typed + 'a>;

/// One value, one that may be missing, a column of them, and a column in which some are missing.
macro_rules! typed {
    ($($value:ty => $one:ident, $many:ident;)*) => {$(
        impl Typed for $value {
            fn kind(&self) -> Type {
                Type::$one
            }
        }

        impl Typed for Option<$value> {
            fn kind(&self) -> Type {
                Type::$one
            }
        }

        impl Typed for Vec<$value> {
            fn kind(&self) -> Type {
                Type::$many
            }
        }

        impl Typed for Vec<Option<$value>> {
            fn kind(&self) -> Type {
                Type::$many
            }
        }
    )*};
}

typed! {
    String => TEXT, TEXT_ARRAY;
    &str => TEXT, TEXT_ARRAY;
    Cow<'_, str> => TEXT, TEXT_ARRAY;
    i64 => INT8, INT8_ARRAY;
    bool => BOOL, BOOL_ARRAY;
    Vec<u8> => BYTEA, BYTEA_ARRAY;
    &[u8] => BYTEA, BYTEA_ARRAY;
}

/// The values by reference.
pub(super) fn borrowed<'v>(values: &'v [Value<'_>]) -> Vec<&'v dyn Typed> {
    values.iter().map(|value| &**value).collect()
}

/// The values as a prepared statement takes them.
pub(super) fn bare<'v>(values: &[&'v dyn Typed]) -> Vec<&'v (dyn ToSql + Sync)> {
    values.iter().map(|value| *value as &(dyn ToSql + Sync)).collect()
}

/// The values as a statement takes them that is not prepared.
pub(super) fn with_kinds<'v>(values: &[&'v dyn Typed]) -> Vec<(&'v (dyn ToSql + Sync), Type)> {
    values
        .iter()
        .map(|value| (*value as &(dyn ToSql + Sync), value.kind()))
        .collect()
}
