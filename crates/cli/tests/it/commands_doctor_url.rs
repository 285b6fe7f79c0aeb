//! `narthex doctor --url`, before deployments with the configurations of the pages, and before unsafe ones.

use narthex_testkit::envoy::Mode;
use narthex_testkit::process::{ClosedAddress, free_address};
use narthex_testkit::proxy::{Kind, ReverseProxy};
use serde_json::Value;

use crate::commands::{Ended, narthex_in};
use crate::world::{World, config, member};

/// Findings of the doctor about the page `/whoami` behind a proxy.
fn doctor(world: &World, proxy: &ReverseProxy) -> Value {
    let folder = world.narthex.folder();
    std::fs::write(folder.join("token"), member("alice").sign()).unwrap();
    let url = format!("{}/whoami", proxy.url());
    let ended: Ended = narthex_in(
        folder,
        &["doctor", "--json", "--url", &url, "--token-file", "token"],
        "",
    );
    let found = ended.json();
    assert_eq!(found["healthy"], ended.code == 0, "{ended:?}");
    found
}

/// Returns the problems, each with the name of its finding.
fn problems(found: &Value) -> Vec<(String, String)> {
    let findings = found["findings"].as_array().unwrap().iter();
    let wrong = findings.filter(|finding| finding["state"] == "problem");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    wrong
        .map(|finding| (text(&finding["name"]), text(&finding["message"])))
        .collect()
}

async fn world() -> (World, String) {
    let port = free_address().unwrap();
    let listen = format!("[listen]\next_authz = \"{port}\"");
    let world = World::with_config(|idp, upstream| config(idp, upstream).replacen("[listen]", &listen, 1)).await;
    (world, port.to_string())
}

#[tokio::test]
async fn the_documented_deployments_are_well() {
    let (world, port) = world().await;
    let (narthex, upstream) = (world.narthex.address(), world.upstream.address());
    let mut proxies: Vec<(String, ReverseProxy)> = Vec::new();
    for kind in Kind::ALL {
        proxies.push((format!("{kind:?}"), kind.start(&narthex, &upstream).unwrap()));
    }
    for mode in Mode::ALL {
        proxies.push((
            format!("Envoy {mode:?}"),
            mode.start(&port, &upstream, |text| text).unwrap(),
        ));
    }
    for (name, proxy) in &proxies {
        let found = doctor(&world, proxy);
        assert!(problems(&found).is_empty(), "{name}: {found:#}");
        let states = found["findings"].as_array().unwrap().iter();
        let examined = states.filter(|finding| finding["state"] == "good").count();
        assert!(examined >= 6, "{name}: {found:#}");
    }
}

#[tokio::test]
async fn each_fault_of_an_unsafe_deployment_is_found() {
    let (world, port) = world().await;
    let (narthex, upstream) = (world.narthex.address(), world.upstream.address());
    let without = |line: &'static str| {
        move |text: String| {
            let kept: Vec<&str> = text.lines().filter(|kept| !kept.contains(line)).collect();
            kept.join("\n")
        }
    };
    let nginx = |change: Box<dyn Fn(String) -> String>| Kind::Nginx.start_changed(&narthex, &upstream, change).unwrap();
    let caddy = |change: Box<dyn Fn(String) -> String>| Kind::Caddy.start_changed(&narthex, &upstream, change).unwrap();
    let open = "http://application-$narthex_decision";
    for (about, proxy, name, word) in [
        (
            "nginx does not ask",
            nginx(Box::new(move |text| {
                let text = text.replace("auth_request     /.narthex-auth;", "");
                text.replace(open, "http://application-allow")
            })),
            "no token",
            "correct the proxy",
        ),
        (
            "nginx takes the path from the client",
            nginx(Box::new(|text| {
                let map = "map $http_x_original_uri $asked { default /public$http_x_original_uri; \"\" $request_uri; }";
                text.replace("X-Original-URI    $request_uri;", "X-Original-URI    $asked;")
                    .replacen("    server {", &format!("    {map}\n    server {{"), 1)
            })),
            "forged description",
            "X-Original-URI",
        ),
        (
            "nginx leaves a header as the client sent it",
            nginx(Box::new(without("proxy_set_header X-Narthex-Email "))),
            "identity headers",
            "X-Narthex-Email",
        ),
        (
            "Caddy leaves other spellings",
            caddy(Box::new(without("request_header -X_"))),
            "identity headers",
            "X_Narthex_User",
        ),
        (
            "Envoy does not tell which headers there are",
            Mode::Http
                .start(&port, &upstream, |text| text.replace("regex: \".*\"", "regex: \"x-plain\""))
                .unwrap(),
            "identity headers",
            "X_Narthex_User",
        ),
        (
            "Envoy does not ask",
            Mode::Grpc
                .start(&port, &upstream, |text| {
                    text.replace("match: { prefix: / }\n", "match: { prefix: / }\n                typed_per_filter_config:\n                  envoy.filters.http.ext_authz:\n                    \"@type\": type.googleapis.com/envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute\n                    disabled: true\n")
                })
                .unwrap(),
            "no token",
            "correct the proxy",
        ),
    ] {
        let found = doctor(&world, &proxy);
        let found_it = problems(&found)
            .iter()
            .any(|(found, message)| found == name && message.contains(word));
        assert!(found_it, "{about}: {found:#}\n{}", proxy.output());
    }
}

#[tokio::test]
async fn a_deployment_that_does_not_answer_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let closed = ClosedAddress::take().unwrap();
    for (url, word) in [
        (format!("http://{closed}/"), "does not answer"),
        ("ftp://example.com/".to_owned(), "neither"),
        ("/path".to_owned(), "names no host"),
    ] {
        let ended = narthex_in(folder.path(), &["doctor", "--url", &url], "");
        assert_ne!(ended.code, 0);
        assert!(format!("{ended:?}").contains(word), "{ended:?}");
    }
}
