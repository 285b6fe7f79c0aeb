//! The test kit against the programs of others.

#[cfg(test)]
mod proxies;
