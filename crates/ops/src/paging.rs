//! Pages of lists: the caller's request for one, and pages of lists that are complete in memory.

use narthex_directory::{Cursor, Listing, PAGE_LIMIT_MAX, Page};

use super::error::OpError;

/// The page of a list that a caller asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PageRequest {
    /// Cursor that an earlier page gave; `None` for the first page.
    pub cursor: Option<String>,
    /// Maximum number of items, 1 to 200; by default 50.
    pub limit: Option<usize>,
}

impl PageRequest {
    /// Returns the page.
    pub(super) fn page(self) -> Result<Page, OpError> {
        let limit = match self.limit {
            Some(limit) if (1..=PAGE_LIMIT_MAX).contains(&limit) => limit,
            Some(_) => return Err(OpError::PageLimit),
            None => Page::default().limit(),
        };
        Ok(match self.cursor {
            Some(cursor) => Page::after(Cursor::new(cursor), limit),
            None => Page::first(limit),
        })
    }
}

/// Cuts a page out of a complete list, in the order of its keys.
pub(super) fn cut<T>(mut all: Vec<T>, page: &Page, key: impl Fn(&T) -> String) -> Listing<T> {
    all.sort_by_cached_key(&key);
    if let Some(after) = page.cursor() {
        all.retain(|item| key(item).as_str() > after.as_str());
    }
    Listing::cut(all, page, key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_in_memory_is_cut_like_any_other() {
        let all = || ["c", "a", "b"].map(str::to_owned).to_vec();
        let first = cut(all(), &Page::first(2), Clone::clone);
        let cursor = first.next_cursor.unwrap();
        assert_eq!(
            (first.items, cursor.as_str()),
            (vec!["a".to_owned(), "b".to_owned()], "b")
        );
        let rest = cut(all(), &Page::after(cursor, 2), Clone::clone);
        assert_eq!((rest.items, rest.next_cursor), (vec!["c".to_owned()], None));
    }

    #[test]
    fn a_page_has_at_most_two_hundred_items() {
        let page = |limit| PageRequest { cursor: None, limit }.page();
        assert_eq!(page(None).unwrap().limit(), 50);
        assert_eq!(page(Some(200)).unwrap().limit(), 200);
        assert!(page(Some(201)).is_err());
        assert!(page(Some(0)).is_err());
    }
}
