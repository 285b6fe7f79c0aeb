//! `narthex demo`: the gateway between the identity provider and the application of the playground.

use narthex_admin::ops::sessions::LINKS_MAX;
use narthex_clock::Clock;
use narthex_demo::{Demo, Visits};
use narthex_server::Logging;

use crate::args::DemoArgs;
use crate::commands::print;

/// Starts everything and prints what to try.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let demo = Demo::start(args.port, args.store).await?;
    let running = narthex_server::start(demo.reading(), Logging::Quiet).await?;
    let key = running.make_api_key("demo").await?;
    let link = running.sign_in_link(LINKS_MAX).await?;
    let now_ms = Clock::system().now_ms();
    print(&demo.welcome(&key, link.as_deref().unwrap_or_default(), now_ms)?)?;
    tokio::spawn(visit(demo.visits(), key));
    running.until_stopped(None).await
}

/// Lets the people of the demo come.
async fn visit(visits: Visits, key: String) {
    let (begun, rotated) = (visits.begin(&key).await, visits.rotate().await);
    for error in [begun, rotated].into_iter().filter_map(Result::err) {
        tracing::warn!(event = "demo_incomplete", error = %format!("{error:#}"), "the demo has less to show");
    }
}
