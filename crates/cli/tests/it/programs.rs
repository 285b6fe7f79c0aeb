//! The same requests behind each program of others: the cases of `crates/cli/tests/doors.toml` are played through nginx, `HAProxy`,
//! Caddy, and Envoy by gRPC and by HTTP, before an upstream that records. Each must give the answer of the proxy door: the same
//! decision and reason, and to the application the same identity. A case says where a program cannot (`differs`); then it lets
//! nothing pass that has an identity.

use std::collections::BTreeMap;
use std::time::Duration;

use narthex_testkit::envoy::Mode;
use narthex_testkit::process::free_address;
use narthex_testkit::proxy::{Kind, ReverseProxy};
use narthex_testkit::raw;
use serde_json::Value;

use crate::doors::{self, Case, Outcome, Request};
use crate::world::World;

/// A program made of a request.
#[derive(Debug, PartialEq)]
enum Played {
    /// It reached the application, at this path, with this identity.
    Passed(String, BTreeMap<String, Value>),
    /// It did not, for this reason of Narthex; `None` where the program refused it by itself.
    Refused(Option<String>),
}

/// The programs, with the context property of these cases in place of the one in their files, and for every host.
fn programs(world: &World, ext_authz: &str) -> Vec<(&'static str, ReverseProxy)> {
    let (narthex, upstream) = (world.narthex.address(), world.upstream.address());
    let context = |text: String| text.replace("teamdomain", "plan").replace("Teamdomain", "Plan");
    let any_host = |text: String| context(text).replace("\nhttp://127.0.0.1:", "\nhttp://:");
    let envoy = |mode: Mode| mode.start(ext_authz, &upstream, |text| text).unwrap();
    vec![
        (
            "nginx",
            Kind::Nginx.start_changed(&narthex, &upstream, context).unwrap(),
        ),
        (
            "haproxy",
            Kind::Haproxy.start_changed(&narthex, &upstream, context).unwrap(),
        ),
        (
            "caddy",
            Kind::Caddy.start_changed(&narthex, &upstream, any_host).unwrap(),
        ),
        ("envoy_grpc", envoy(Mode::Grpc)),
        ("envoy_http", envoy(Mode::Http)),
    ]
}

async fn play(world: &World, program: &ReverseProxy, request: &Request<'_>) -> Played {
    world.upstream.forget();
    let sent = request.at("proxy", "");
    let answer = raw::exchange(&program.address(), sent.as_bytes(), Duration::from_secs(10))
        .await
        .unwrap();
    if let Some(seen) = world.upstream.last() {
        let headers = seen.headers.iter();
        let headers = headers.map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
        let path = seen.target.split('?').next().unwrap_or_default();
        return Played::Passed(path.to_owned(), doors::identity(headers));
    }
    let (_, headers) = doors::head(&answer);
    let reason = headers.into_iter().find(|(name, _)| name == "x-narthex-reason");
    Played::Refused(reason.map(|(_, reason)| reason))
}

/// Tests whether a program gave the proxy door's answer.
fn is_same(case: &Case, expected: &Outcome, played: &Played) -> bool {
    match played {
        Played::Passed(path, identity) => {
            let asked = case.path.split(['?', '#']).next().unwrap_or_default();
            expected.reason == "allow" && path == asked && *identity == expected.identity
        }
        Played::Refused(reason) => reason.as_ref() == Some(&expected.reason),
    }
}

/// Tests whether nothing was opened: the application got nothing, or a request of no caller on a route for everybody.
fn is_closed(played: &Played) -> bool {
    match played {
        Played::Passed(_, identity) => identity.keys().all(|name| name == "x-narthex-decision"),
        Played::Refused(_) => true,
    }
}

#[tokio::test]
async fn sec_every_program_gives_the_answer_of_the_proxy_door() {
    let ext_authz = free_address().unwrap();
    let world = doors::world(ext_authz).await;
    let programs = programs(&world, &ext_authz.to_string());
    let (cases, mut wrong, mut same) = (doors::cases(), Vec::new(), 0);
    for (number, case) in cases.iter().enumerate() {
        let request = Request::new(case, number);
        let expected = doors::ask(&world, ext_authz, &request, ("proxy", "")).await;
        for (name, program) in &programs {
            let played = play(&world, program, &request).await;
            let fits = match case.differs.get(*name) {
                None => is_same(case, &expected, &played),
                // Where it does not differ, the case should not say so.
                Some(_) => is_closed(&played) && !is_same(case, &expected, &played),
            };
            same += usize::from(fits && !case.differs.contains_key(*name));
            if !fits {
                wrong.push(format!(
                    "{}, {name}:\nexpected {expected:?}\ngot {played:?}",
                    case.about
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{} differ:\n{}", wrong.len(), wrong.join("\n"));
    // Programs that refuse everything by themselves would be of no use.
    assert!(
        same >= cases.len() * programs.len() * 9 / 10,
        "only {same} are the same"
    );
}
