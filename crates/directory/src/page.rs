//! Lists are read in pages that hold together while the directory changes: a cursor says after which item to go
//! on, never how many to skip.

use std::fmt;

use crate::error::StoreError;

/// The most items in one page.
pub const PAGE_LIMIT_MAX: usize = 200;
const PAGE_LIMIT_DEFAULT: usize = 50;

/// Where a list goes on. Opaque: only the store that gave it reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from the text that a caller was given. Text that no store gave simply finds nothing, or is
    /// refused by the store.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text of a cursor made of two keys. For stores.
    pub fn of_pair(first: &str, second: &str) -> String {
        format!("{}:{first}{second}", first.len())
    }

    /// The two keys of such a cursor. For stores.
    pub fn pair(&self) -> Result<(String, String), StoreError> {
        let wrong = StoreError::Refused("the cursor was not made by this list; begin again without one");
        let parts = self
            .0
            .split_once(':')
            .and_then(|(length, keys)| keys.split_at_checked(length.parse().ok()?));
        parts
            .map(|(first, second)| (first.to_owned(), second.to_owned()))
            .ok_or(wrong)
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which part of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    after: Option<Cursor>,
    limit: usize,
}

impl Default for Page {
    fn default() -> Self {
        Self::first(PAGE_LIMIT_DEFAULT)
    }
}

impl Page {
    /// The first `limit` items; the limit is brought into 1 to 200.
    pub fn first(limit: usize) -> Self {
        Self {
            after: None,
            limit: limit.clamp(1, PAGE_LIMIT_MAX),
        }
    }

    /// The `limit` items after a cursor.
    pub fn after(cursor: Cursor, limit: usize) -> Self {
        Self {
            after: Some(cursor),
            ..Self::first(limit)
        }
    }

    /// Where to go on.
    pub const fn cursor(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// How many items at the most.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the rest begins; `None` at the end.
    pub next_cursor: Option<Cursor>,
}

impl<T> Listing<T> {
    /// A page out of items read one beyond the page's limit, so that the end is known without counting.
    pub fn cut(mut items: Vec<T>, page: &Page, key: impl Fn(&T) -> String) -> Self {
        let more = items.len() > page.limit();
        items.truncate(page.limit());
        let next_cursor = items.last().filter(|_| more).map(|last| Cursor(key(last)));
        Self { items, next_cursor }
    }
}
