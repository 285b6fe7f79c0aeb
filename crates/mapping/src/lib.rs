//! Verified claims to an identity, through templates.
