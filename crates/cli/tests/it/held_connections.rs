//! A connection that the server holds, from the configuration to the request that is sent, with real tokens of members.

use std::path::Path;

use narthex_testkit::{IdentityProvider, Upstream};
use serde_json::{Value, json};

use crate::world::{World, config, member};

const SECRET: &str = "correct-horse-battery-staple";
const OLD_KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
const NEW_KEY: &str = "c0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedf";

/// The usual configuration with a secret key, and with this machine as a host that connections may reach.
fn configured(idp: &IdentityProvider, upstream: &Upstream, secrets: &str) -> String {
    let usual = config(idp, upstream).replace(
        "audiences = [\"narthex\"]",
        "audiences = [\"narthex\"]\nmapping.context.customBaseDomain = \"{{payload.customBaseDomain}}\"",
    );
    format!(
        "{usual}\n[secrets]\n{secrets}\n[connections]\nallowed_hosts = [\"127.0.0.1:*\"]\nallow_private_hosts = [\"127.0.0.1\"]\n"
    )
}

async fn post(world: &World, path: &str, token: &str) -> Value {
    let url = format!("{}/api/v1{path}", world.narthex.admin_url());
    let call = narthex_testkit::client::Call::post(&url).bearer(token);
    let answer = world.client.send(call).await.unwrap();
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json().unwrap()
}

fn bytes_of(path: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    files
        .filter(|file| file.to_string_lossy().contains(".db"))
        .flat_map(|file| std::fs::read(file).unwrap())
        .collect()
}

#[tokio::test]
async fn a_member_uses_it_and_its_key_is_changed_without_a_pause() {
    let mut world = World::with_files(
        |idp, upstream| configured(idp, upstream, "key_file = \"old.key\""),
        &[("old.key", OLD_KEY), ("new.key", NEW_KEY)],
    )
    .await;
    let document = json!({
        "url": format!("{}/hook", world.upstream.url()),
        "headers": {
            "authorization": "Bearer {{jwt(temp.claims, parameters.secret, 'HS256')}}",
            "x-base": "{{environment.context.customBaseDomain}}",
        },
        "temp": {"claims": {"iss": "acme", "iat": "{{timestamp}}"}},
    });
    let new = json!({"organization": "acme", "name": "hook", "document": document, "parameters": {"secret": SECRET}});
    let made = world
        .narthex
        .api()
        .done("POST", "/connections", Some(&new))
        .await
        .unwrap();
    let path = format!("/connections/{}", made["id"].as_str().unwrap());

    let token = member("ada").claim("customBaseDomain", "acme.example").sign();
    let rendered = post(&world, &format!("{path}/headers"), &token).await;
    assert_eq!(
        rendered["headers"][1],
        json!({"name": "X-Base", "value": "acme.example"})
    );
    let tested = post(&world, &format!("{path}/test"), &token).await;
    assert_eq!(tested["valid"], true, "{tested}");

    // The key is changed: both at first, everything encrypted anew, then the old one goes.
    let both = configured(
        &world.idp,
        &world.upstream,
        "key_file = \"new.key\"\nprevious_key_file = \"old.key\"",
    );
    world.narthex.reload(&both).unwrap();
    post(&world, &format!("{path}/headers"), &token).await;
    let told = world.narthex.command(&["connection", "reencrypt"]).unwrap();
    assert_eq!(
        told,
        "The secrets of 1 connection are encrypted with the current key now.\n"
    );
    let one = configured(&world.idp, &world.upstream, "key_file = \"new.key\"");
    world.narthex.reload(&one).unwrap();
    post(&world, &format!("{path}/headers"), &token).await;

    let logs = world.narthex.logs();
    let minted = rendered["headers"][0]["value"]
        .as_str()
        .unwrap()
        .rsplit('.')
        .next()
        .unwrap();
    for hidden in [SECRET, minted, OLD_KEY, NEW_KEY] {
        assert!(!logs.contains(hidden), "the log holds {hidden}");
        let kept = bytes_of(world.narthex.folder());
        assert!(
            !kept.windows(hidden.len()).any(|window| window == hidden.as_bytes()),
            "the store holds {hidden}"
        );
    }
}
