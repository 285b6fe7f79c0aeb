//! One binary for everything that is tested from outside the crate.

#[cfg(test)]
mod keys;
#[cfg(test)]
mod outbound;
