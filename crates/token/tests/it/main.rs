//! The crate from outside: tokens made by others, known attacks, the rules as tables, the key cache through time.

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod cache;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod key_sets;
#[cfg(test)]
mod logout;
#[cfg(test)]
mod minting;
#[cfg(test)]
mod ml_dsa;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod support;
#[cfg(test)]
mod vectors;
