//! Check that the secrets of held connections open with the available keys.

use narthex_directory::{Directory, DocumentKind, Page, StoreError};

use super::Held;
use narthex_engine::{OpenError, SealingKeys};

/// Findings about the secrets of all held connections.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Readability {
    /// Connections whose secrets open with the current key, or that keep none.
    pub readable: usize,
    /// The ids of connections whose secrets only the previous key opens.
    pub stale: Vec<String>,
    /// The ids of connections whose secrets were sealed with a key that is not available.
    pub other_key: Vec<String>,
    /// The ids of connections whose record or secrets are damaged.
    pub damaged: Vec<String>,
}

/// Opens the secrets of every held connection, and discards them. Changes nothing.
///
/// # Errors
///
/// When the directory cannot be read.
pub async fn readability(directory: &dyn Directory, keys: Option<&SealingKeys>) -> Result<Readability, StoreError> {
    let (mut page, mut found) = (Page::default(), Readability::default());
    loop {
        let listing = directory.documents(DocumentKind::Connection, None, page).await?;
        for document in listing.items {
            let id = document.name.clone();
            match (Held::of(document), keys) {
                (Err(_), _) => found.damaged.push(id),
                (Ok(held), _) if held.sealed.is_none() => found.readable += 1,
                (Ok(_), None) => found.other_key.push(id),
                (Ok(held), Some(keys)) => match held.opens(keys) {
                    Ok(false) => found.readable += 1,
                    Ok(true) => found.stale.push(id),
                    Err(OpenError::OtherKey) => found.other_key.push(id),
                    Err(OpenError::Damaged) => found.damaged.push(id),
                },
            }
        }
        match listing.next_cursor {
            Some(cursor) => page = Page::after(cursor, Page::default().limit()),
            None => return Ok(found),
        }
    }
}
