//! Tokens and error texts held against those of npm `jsonwebtoken`.

#[cfg(test)]
mod differential;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod language;
#[cfg(test)]
mod vectors;
