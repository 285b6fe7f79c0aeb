//! Lists are read in pages that hold together while the directory changes: a cursor says after which item to go
//! on, never how many to skip.

use std::fmt;

use narthex_names::is_id;

use crate::error::StoreError;

/// The most items in one page.
pub const PAGE_LIMIT_MAX: usize = 200;
const PAGE_LIMIT_DEFAULT: usize = 50;

/// Position at which a list goes on. Opaque: only the store that gave it reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(String);

impl Cursor {
    /// A cursor from the text that a caller was given. Text that no list gave is refused by the store.
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
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Part of a list that is asked for.
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

    /// Cursor at which the list goes on.
    pub const fn cursor(&self) -> Option<&Cursor> {
        self.after.as_ref()
    }

    /// The id after which a list goes on that is in the order of its ids. For stores.
    ///
    /// # Errors
    ///
    /// [`StoreError::Cursor`] if the cursor holds no id: such a list did not give it.
    pub fn after_id(&self) -> Result<Option<&str>, StoreError> {
        match self.after.as_ref().map(Cursor::as_str) {
            Some(text) if !is_id(text) => Err(StoreError::Cursor),
            after => Ok(after),
        }
    }

    /// The number after which a list goes on that is in the order of its numbers. For stores.
    ///
    /// # Errors
    ///
    /// As [`Page::after_id`].
    pub fn after_number(&self) -> Result<Option<i64>, StoreError> {
        let read = |cursor: &Cursor| cursor.0.parse().ok().filter(|number| *number >= 0);
        let after = self.after.as_ref();
        after.map(|cursor| read(cursor).ok_or(StoreError::Cursor)).transpose()
    }

    /// The two keys after which a list goes on, where [`Cursor::of_pair`] made its cursors. For stores.
    ///
    /// # Errors
    ///
    /// As [`Page::after_id`].
    pub fn after_pair(&self) -> Result<Option<(String, String)>, StoreError> {
        let read = |cursor: &Cursor| {
            let (length, keys) = cursor.0.split_once(':')?;
            let (first, second) = keys.split_at_checked(length.parse().ok()?)?;
            Some((first.to_owned(), second.to_owned()))
        };
        let after = self.after.as_ref();
        after.map(|cursor| read(cursor).ok_or(StoreError::Cursor)).transpose()
    }

    /// Largest number of items.
    pub const fn limit(&self) -> usize {
        self.limit
    }
}

/// A part of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Cursor of the rest; `None` at the end.
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
