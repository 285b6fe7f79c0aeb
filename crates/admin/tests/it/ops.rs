//! The operations, called without HTTP, on the memory store.

mod matrix;
