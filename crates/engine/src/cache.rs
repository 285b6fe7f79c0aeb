//! All data kept between requests, in one place.
//!
//! | cache | keeps | under | an entry ends with |
//! |---|---|---|---|
//! | [`by_token`] | the caller of a token or a machine key; from its second use on, the last decision too | a keyed hash of the whole credential (AES-GMAC) | the token's `exp`, its key, the expiry of a machine key, the configuration, a change in the directory that it rests on, a step back of the clock; a minute at most |
//! | [`by_identity`] | the principal of a user, and its decisions by route | a keyed hash of everything that the token asks for (`SipHash`) | the configuration, a change in the directory that it rests on, a token that asks for something else |
//!
//! Both are bounded by the bytes of `[cache]`, and neither holds a token or a machine key. Reads wait for nothing: a comparison of
//! version numbers finds out which entries have ended ([`narthex_directory::Versions`]). [`prefetch`] is the only file
//! that contains hardware details.

pub mod by_identity;
pub mod by_token;
pub(crate) mod keyed_hash;
pub mod prefetch;
