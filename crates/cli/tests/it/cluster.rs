//! Three nodes over a primary with a streaming standby, under load, through what happens to such a cluster: the primary
//! dies and the standby is promoted, a node is killed, nodes are cut off from the database, a node is stopped and goes
//! on. All that was asked and answered is written down, and a checker looks for what cannot have been
//! (`narthex_testkit::history`).
//!
//! What was measured is printed: `cargo nextest run -p narthex-cli --no-capture -E 'test(cluster)'`.

mod ending;
mod load;
mod nodes;

use std::path::Path;
use std::time::Duration;

use narthex_testkit::{
    history::{Bounds, Cut, History, Report, Verdict, Wrong},
    relay::Link,
};
use tokio::time::sleep;

use self::load::{Load, Recorder};
use self::nodes::{Cluster, NODES};

/// What each node is configured with: long enough for the failover, short enough to wait for.
const OFFLINE_MAX: Duration = Duration::from_secs(6);
const BOUNDS: Bounds = Bounds {
    elsewhere: Duration::from_secs(1),
    offline_max: OFFLINE_MAX,
};
/// How many connections each node has at the most, the one that listens among them.
const CONNECTIONS: usize = 6 + 1;

/// When what happened, in microseconds.
#[derive(Debug, Default)]
struct Failover {
    killed_us: u64,
    promoting_us: u64,
    promoted_us: u64,
    settled_us: u64,
    /// How often each node connected while there was no database, and in the seconds after.
    attempts: Vec<(usize, usize)>,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_cluster_keeps_what_it_acknowledged_and_honours_nothing_stale() {
    let mut cluster = Cluster::start(OFFLINE_MAX).await;
    let recorder = Recorder::start();
    let load = Load::start(&cluster, &recorder).await;
    recorder.phase("calm");
    sleep(Duration::from_secs(3)).await;
    let failover = fail_over(&mut cluster, &load, &recorder).await;
    kill_a_node(&mut cluster, &load, &recorder).await;
    cut_off(&cluster, &load, &recorder).await;
    pause(&cluster, &load, &recorder).await;
    recorder.phase("after");
    sleep(Duration::from_secs(2)).await;
    let tokens = load.stop().await;

    let history = recorder.history();
    let report = history.check(BOUNDS);
    let end = ending::read(&cluster, &history, &tokens).await;
    let mut violations = report.violations.clone();
    violations.extend(history.check_end(&end));
    print(&history, &report, &failover);
    for (index, node) in cluster.nodes.iter().enumerate() {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("cluster-{index}.log"));
        std::fs::write(file, node.narthex.logs()).unwrap();
    }
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cluster.ndjson");
    std::fs::write(&file, history.to_ndjson()).unwrap();
    if !violations.is_empty() {
        let count = |wrong| violations.iter().filter(|violation| violation.wrong == wrong).count();
        let kinds = [
            Wrong::Stale,
            Wrong::Foretold,
            Wrong::CutOff,
            Wrong::LostChange,
            Wrong::LostEvent,
            Wrong::LostUser,
        ];
        let counts: Vec<String> = kinds
            .into_iter()
            .map(|wrong| format!("{wrong:?}: {}", count(wrong)))
            .collect();
        let first: Vec<String> = violations.iter().take(20).map(ToString::to_string).collect();
        panic!(
            "what cannot have happened ({}); the history is in {}\n{}",
            counts.join(", "),
            file.display(),
            first.join("\n")
        );
    }
    saw_enough(&history, &report, &failover);
}

/// The primary dies, the standby is promoted a moment later, and nothing is restarted.
async fn fail_over(cluster: &mut Cluster, load: &Load, recorder: &Recorder) -> Failover {
    // A change of tags makes all nodes ask about everybody again. That none was made in this very moment is as in life,
    // where they are rare; it makes what is measured repeatable.
    let calm = load.calm().await;
    recorder.phase("failover");
    let mut failover = Failover::default();
    load.disturb(0..NODES);
    let before = cluster.attempts();
    let began_us = recorder.now_us();
    cluster.primary.kill();
    failover.killed_us = recorder.now_us();
    drop(calm);
    // As long as somebody, or a program, takes to be sure.
    sleep(Duration::from_secs(1)).await;
    failover.promoting_us = recorder.now_us();
    let away = cluster.attempts();
    cluster.standby.promote().unwrap();
    failover.promoted_us = recorder.now_us();
    for node in 0..NODES {
        let reached_us = cluster.reached(node, recorder).await;
        recorder.cut(Cut {
            node,
            began_us,
            whole_us: failover.killed_us,
            restored_us: Some(failover.promoting_us),
            reached_us: Some(reached_us),
        });
        failover.settled_us = failover.settled_us.max(reached_us);
    }
    load.settle(0..NODES);
    sleep(Duration::from_secs(4)).await;
    let back = cluster.attempts();
    let counts = before.iter().zip(&away).zip(&back);
    failover.attempts = counts
        .map(|((before, away), back)| (away - before, back - away))
        .collect();
    failover
}

/// A node dies and is started again on the same ports.
async fn kill_a_node(cluster: &mut Cluster, load: &Load, recorder: &Recorder) {
    recorder.phase("node killed");
    load.disturb(1..2);
    cluster.nodes[1].narthex.kill();
    sleep(Duration::from_secs(1)).await;
    cluster.nodes[1].narthex.start_again().await.unwrap();
    load.settle(1..2);
    sleep(Duration::from_millis(2_500)).await;
}

/// For longer than `offline_max` nothing comes through from one node to the database, and another one's connections are
/// refused.
async fn cut_off(cluster: &Cluster, load: &Load, recorder: &Recorder) {
    recorder.phase("cut off");
    load.disturb(1..3);
    let links = [(1, Link::Refusing), (2, Link::Silent)];
    let began_us = recorder.now_us();
    for (node, link) in links {
        cluster.nodes[node].set(link);
    }
    let whole_us = recorder.now_us();
    sleep(OFFLINE_MAX + Duration::from_secs(3)).await;
    let restored_us = recorder.now_us();
    for (node, _) in links {
        cluster.nodes[node].set(Link::Up);
    }
    for (node, _) in links {
        let reached_us = cluster.reached(node, recorder).await;
        recorder.cut(Cut {
            node,
            began_us,
            whole_us,
            restored_us: Some(restored_us),
            reached_us: Some(reached_us),
        });
    }
    load.settle(1..3);
    sleep(Duration::from_secs(2)).await;
}

/// A node is stopped and goes on: for a little longer than the bound, and for longer than `offline_max`. It gets no
/// grace for that.
async fn pause(cluster: &Cluster, load: &Load, recorder: &Recorder) {
    for (name, stopped_ms) in [
        ("stopped briefly", 1_700),
        ("stopped again", 2_500),
        ("stopped for long", 6_500),
    ] {
        recorder.phase(name);
        load.disturb(0..1);
        let node = &cluster.nodes[0].narthex;
        node.signal("STOP").unwrap();
        sleep(Duration::from_millis(stopped_ms)).await;
        node.signal("CONT").unwrap();
        sleep(Duration::from_millis(800)).await;
        load.settle(0..1);
    }
}

/// When the first user was made whose first request was sent after a time, and how many cached answers there were
/// until then.
fn gap(history: &History, since_us: u64, node: Option<usize>) -> Option<u64> {
    let first_uses = history.calls.iter().filter(|call| call.user.starts_with("fresh-"));
    first_uses
        .filter(|call| call.sent_us >= since_us && call.verdict == Verdict::Permit)
        .filter(|call| node.is_none_or(|node| node == call.node))
        .map(|call| call.answered_us - since_us)
        .min()
}

fn cached_reads(history: &History, from_us: u64, until_us: u64, node: usize) -> usize {
    let calls = history.calls.iter().filter(|call| call.node == node);
    calls
        .filter(|call| call.sent_us >= from_us && call.answered_us < until_us && call.verdict == Verdict::Permit)
        .count()
}

fn print(history: &History, report: &Report, failover: &Failover) {
    let since = |at_us: u64| at_us.saturating_sub(failover.killed_us) / 1000;
    println!("failover: times in ms since the primary was dead:");
    println!(
        "  promotion asked for at {}, done at {}",
        since(failover.promoting_us),
        since(failover.promoted_us)
    );
    for node in 0..NODES {
        let gap = gap(history, failover.killed_us, Some(node)).map(|us| us / 1000);
        let reads = cached_reads(history, failover.killed_us, failover.promoting_us, node);
        let (away, back) = failover.attempts[node];
        println!(
            "  node {node}: first write acknowledged at {gap:?}; {reads} permits without a database; \
             {away} attempts to connect while it was away, {back} since the promotion began"
        );
    }
    for (phase, seen) in &report.seen {
        println!("{phase}: {seen:?}");
    }
    let acknowledged = history.changes.iter().filter(|change| change.acknowledged).count();
    println!(
        "{} changes, of which {acknowledged} acknowledged; {} calls",
        history.changes.len(),
        history.calls.len()
    );
}

/// A checker that sees nothing finds nothing.
fn saw_enough(history: &History, report: &Report, failover: &Failover) {
    for (phase, seen) in &report.seen {
        assert!(seen.permits > 20 && seen.denials > 10, "{phase}: {seen:?}");
    }
    for phase in ["calm", "node killed", "cut off", "stopped for long", "after"] {
        assert!(report.seen[phase].learned > 3, "{phase}: {:?}", report.seen[phase]);
    }
    assert!(report.seen["cut off"].undecided > 20, "{:?}", report.seen["cut off"]);
    for node in 0..NODES {
        let reads = cached_reads(history, failover.killed_us, failover.promoting_us, node);
        assert!(reads > 0, "node {node} gave {reads} cached answers without a database");
        assert!(
            gap(history, failover.killed_us, Some(node)).is_some(),
            "node {node} never wrote again"
        );
        let (away, back) = failover.attempts[node];
        assert!(
            away <= 40 && back <= 4 * CONNECTIONS,
            "node {node}: {:?}",
            failover.attempts
        );
    }
}
