//! Limits of a template: at compile time its length and nesting, at evaluation its steps and the text it makes.

use crate::error::Fault;

/// Limits of one template, or of one document of templates.
///
/// The defaults are far above anything a mapping needs and far below anything that would be felt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Longest source, in bytes.
    pub source_bytes: usize,
    /// Deepest nesting of parentheses, calls, indexes and unary operators in the source, and of a document.
    pub depth: usize,
    /// Steps one evaluation may take: one for each node, and one for each 64 bytes or element touched on the way, and a
    /// thousand for each call of a host's function, such as `jwt(…)`.
    pub fuel: u64,
    /// Bytes of text, lists and objects one evaluation may make, intermediate results included.
    pub made_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            source_bytes: 64 * 1024,
            depth: 64,
            fuel: 200_000,
            made_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Counts down what is left of [`Limits`] during one evaluation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    fuel: u64,
    bytes: usize,
    limits: Limits,
}

impl Meter {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            fuel: limits.fuel,
            bytes: limits.made_bytes,
            limits,
        }
    }

    /// Takes `steps` from the fuel.
    #[inline]
    pub(crate) fn burn(&mut self, steps: usize) -> Result<(), Fault> {
        match self.fuel.checked_sub(steps as u64) {
            Some(left) => {
                self.fuel = left;
                Ok(())
            }
            None => Err(Fault::OutOfFuel { fuel: self.limits.fuel }),
        }
    }

    /// Takes the fuel of reading `bytes` bytes of text.
    #[inline]
    pub(crate) fn read(&mut self, bytes: usize) -> Result<(), Fault> {
        self.burn(bytes / 64)
    }

    /// Counts `bytes` bytes of a new value. Called before the value is made wherever its size can be known.
    #[inline]
    pub(crate) fn make(&mut self, bytes: usize) -> Result<(), Fault> {
        match self.bytes.checked_sub(bytes) {
            Some(left) => {
                self.bytes = left;
                self.burn(bytes / 64)
            }
            None => Err(Fault::TooLarge {
                bytes: self.limits.made_bytes,
            }),
        }
    }

    pub(crate) fn limits(&self) -> Limits {
        self.limits
    }

    /// Number of bytes that may still be made.
    pub(crate) fn room(&self) -> usize {
        self.bytes
    }
}
