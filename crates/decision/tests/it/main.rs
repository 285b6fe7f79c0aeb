//! Integration tests of the decision.

mod matrix;
