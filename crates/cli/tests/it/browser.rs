//! Real browsers at the doors and at the console: headless Chromium, with Caddy as the TLS end and a provider that is not ours.
//!
//! `sign_in` sends the same requests one by one and looks at each answer. Here a browser decides which cookies it keeps and
//! sends, which redirects it follows, and which forms a policy lets it send.

mod attacks;
mod console;
mod keyboard;
mod nodes;
mod ports;
mod screenshots;
mod sign_in;
mod tasks;
mod world;
