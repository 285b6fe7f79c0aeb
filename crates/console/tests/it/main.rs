//! The console over a directory in memory: every page, as every kind of caller.

#[cfg(test)]
mod audit;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod frame;
#[cfg(test)]
mod gallery;
#[cfg(test)]
mod organizations;
#[cfg(test)]
mod people;
#[cfg(test)]
mod platform;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod security;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod tags;
#[cfg(test)]
mod users;
#[cfg(test)]
mod webhooks;
