//! The binary as its users meet it: started with a configuration file, in front of an upstream, with an identity
//! provider of its own. What can be said in a file is a scenario (`tests/scenarios`); here is what needs code.

#[cfg(test)]
mod architecture;
#[cfg(test)]
mod assertion_snippets;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod caches;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod cold_start;
#[cfg(test)]
mod commands;
#[cfg(test)]
mod commands_audit;
#[cfg(test)]
mod commands_config;
#[cfg(test)]
mod commands_connection;
#[cfg(test)]
mod commands_doctor;
#[cfg(test)]
mod commands_doctor_url;
#[cfg(test)]
mod commands_explain;
#[cfg(test)]
mod commands_init;
#[cfg(test)]
mod commands_template;
#[cfg(test)]
mod commands_token;
#[cfg(test)]
mod config_effect;
#[cfg(test)]
mod console;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod deploy;
#[cfg(test)]
mod doors;
#[cfg(test)]
mod dpop;
#[cfg(test)]
mod durability;
#[cfg(test)]
mod embedded_login;
#[cfg(test)]
mod envoy;
#[cfg(test)]
mod explain_cures;
#[cfg(test)]
mod forwarded_as_decided;
#[cfg(test)]
mod headers;
#[cfg(test)]
mod held_connections;
#[cfg(test)]
mod holding;
#[cfg(test)]
mod how_to;
#[cfg(test)]
mod key_flood;
#[cfg(test)]
mod language;
#[cfg(test)]
mod large_bodies;
#[cfg(test)]
mod lifetimes;
#[cfg(test)]
mod machine_keys;
#[cfg(test)]
mod monitoring;
#[cfg(test)]
mod moved_clock;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod oauth_clients;
#[cfg(test)]
mod opaque_tokens;
#[cfg(test)]
mod organizations;
#[cfg(test)]
mod origins;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod pooled;
#[cfg(test)]
mod port_tls;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod programs;
#[cfg(test)]
mod proxies;
#[cfg(test)]
mod raw_requests;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod resources;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod sign_in;
#[cfg(test)]
mod slow_clients;
#[cfg(test)]
mod stop;
#[cfg(test)]
mod store_file;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod traces;
#[cfg(test)]
mod transfer;
#[cfg(test)]
mod upgrades;
#[cfg(test)]
mod upstreams;
#[cfg(test)]
mod webhooks;
#[cfg(test)]
mod world;
