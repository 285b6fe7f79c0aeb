//! Integration tests of the decision.

#[cfg(test)]
mod matrix;
