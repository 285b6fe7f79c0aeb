//! The layer around an axum application, with an identity provider of the test kit.

#[cfg(test)]
mod tokens;
