//! The store's bars (product section 12), each as a ratio measured in one run:
//!
//! * P4: first use (user, two memberships, audit, durable) with 32 clients, against a raw grouped insert of the
//!   same rows.
//! * P5: the same on PostgreSQL with 32 connections, against 32 connections that insert the same rows through the
//!   driver alone. Starts a server of its own.
//! * P6: sync of a changed tag with 100,000 organizations against 10.
//! * scale: first use, an unchanged user and changed tags on PostgreSQL with 1,000,000 users against 1,000.
//! * P10, P9: opening a database with many users, and the memory it takes.
//!
//! `cargo bench -p narthex-store -- [p4|p5|p6|p10|scale]`; without a name, all but `scale`

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a program for developers"
)]

mod p10;
mod p4;
mod p5;
mod p6;
mod scale;

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|wanted| wanted == name);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if runs("p4") {
        runtime.block_on(p4::run());
    }
    if runs("p5") {
        runtime.block_on(p5::run());
    }
    if runs("p6") {
        runtime.block_on(p6::run());
    }
    if runs("p10") {
        runtime.block_on(p10::run());
    }
    // Minutes of filling: only when asked for.
    if wanted.iter().any(|wanted| wanted == "scale") {
        runtime.block_on(scale::run());
    }
}

/// Verdict on a bar, in the words that `cargo xtask verify` looks for.
const fn verdict(met: bool) -> &'static str {
    if met { "met" } else { "MISSED" }
}

/// The median.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
