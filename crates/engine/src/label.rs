//! A short text kept where it is looked at.

/// The longest text that is kept in place, in bytes.
const IN_PLACE_MAX: usize = 30;

/// A text that is compared with every request. One that is short, as names in paths are, needs no memory of its own, which
/// would be far from the processor.
#[derive(Debug, Clone)]
pub enum Label {
    /// In place: how long it is, and that many bytes.
    Short(u8, [u8; IN_PLACE_MAX]),
    /// Elsewhere.
    Long(Box<str>),
}

impl Label {
    /// Keeps a text.
    pub fn new(text: &str) -> Self {
        let mut bytes = [0; IN_PLACE_MAX];
        match (bytes.get_mut(..text.len()), u8::try_from(text.len())) {
            (Some(place), Ok(len)) => {
                place.copy_from_slice(text.as_bytes());
                Self::Short(len, bytes)
            }
            _ => Self::Long(Box::from(text)),
        }
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Short(len, bytes) => bytes.get(..usize::from(*len)).unwrap_or_default(),
            Self::Long(text) => text.as_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_is_its_text_however_long() {
        for len in [0, 1, 29, 30, 31, 300] {
            let text = "x".repeat(len);
            assert_eq!(Label::new(&text).as_bytes(), text.as_bytes());
        }
    }
}
