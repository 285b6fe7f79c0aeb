//! `narthex demo`: the gateway between the identity provider and the application of the playground.

use narthex_admin::ops::sessions::LINKS_MAX;
use narthex_clock::Clock;
use narthex_demo::Demo;

use crate::args::DemoArgs;
use crate::commands::print;
use crate::serve;

/// Starts everything and prints what to try.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    let demo = Demo::start(args.port, args.store).await?;
    let running = serve::start(demo.reading(), serve::Logging::Quiet).await?;
    let key = running.make_api_key("demo").await?;
    let link = running.sign_in_link(LINKS_MAX).await?;
    let now_ms = Clock::system().now_ms();
    print(&demo.welcome(&key, link.as_deref().unwrap_or_default(), now_ms)?)?;
    running.until_stopped(None).await
}
