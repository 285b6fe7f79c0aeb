//! A configuration is read again while the process runs.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use narthex_testkit::{Answer, Client, IdentityProvider, TestIssuer, TestKey, Upstream, client::Call, keys::key_set};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::commands::narthex_in;
use crate::world::{GUARDED, World, config, member};

/// Waits, for five seconds at the most, until `path` answers with `status`.
async fn answers_with(world: &World, path: &str, status: u16) -> bool {
    for _ in 0..250 {
        if world.send(world.call("GET", path)).await.status == status {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// Waits, for five seconds at the most, until `text` is in the log.
async fn says(world: &World, text: &str) -> bool {
    for _ in 0..250 {
        if world.narthex.logs().contains(text) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// One more route, for the end of a configuration.
fn route(world: &World, path: &str) -> String {
    let upstream = world.upstream.url();
    format!("\n[[route]]\npath = \"{path}\"\nrequire = \"public\"\nupstream = \"{upstream}\"\n")
}

#[tokio::test]
async fn a_hangup_signal_reads_it_again() {
    let mut world = World::start().await;
    assert_eq!(world.send(world.call("GET", "/new")).await.status, 404);
    let text = config(&world.idp, &world.upstream) + &route(&world, "/new");
    world.narthex.reload(&text).unwrap();
    assert!(answers_with(&world, "/new", 200).await, "{}", world.narthex.logs());
}

/// A bad file keeps the old configuration and says why.
#[tokio::test]
async fn a_bad_file_changes_nothing_and_says_why() {
    let mut world = World::start().await;
    let text = format!("{}\n[[rout]]\npath = \"/new\"\n", config(&world.idp, &world.upstream));
    world.narthex.reload(&text).unwrap();
    let mut said = false;
    for _ in 0..250 {
        said = said || world.narthex.logs().contains("rout");
        assert_eq!(world.send(world.call("GET", "/public/page")).await.status, 200);
        if said {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(said, "nothing is said of it: {}", world.narthex.logs());
    assert_eq!(world.send(world.call("GET", "/new")).await.status, 404);
}

/// Each problem of a refused file is a line of the log of its own, with its place.
#[tokio::test]
async fn each_problem_of_a_refused_file_is_a_line_of_its_own() {
    let mut world = World::start().await;
    let text = format!(
        "{}\n[[rout]]\npath = \"/new\"\n[cach]\n",
        config(&world.idp, &world.upstream)
    );
    world.narthex.reload(&text).unwrap();
    assert!(says(&world, "reload_refused").await, "{}", world.narthex.logs());
    let logs = world.narthex.logs();
    assert!(!logs.contains("\\n"), "{logs}");
    let lines = |event: &str| -> Vec<Value> {
        let all = logs.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.filter(|line| line["event"] == event).collect()
    };
    let (problems, refused) = (lines("reload_problem"), lines("reload_refused"));
    assert_eq!((problems.len(), refused.len()), (2, 1), "{logs}");
    assert_eq!(refused[0]["problems"], 2, "{logs}");
    let written = fs::read_to_string(world.narthex.config_file()).unwrap();
    let row = written.lines().position(|line| line == "[[rout]]").unwrap() + 1;
    let (cach, rout) = (&problems[0], &problems[1]);
    assert_eq!((&rout["line"], &rout["column"]), (&row.into(), &3.into()), "{logs}");
    assert!(rout["file"].as_str().unwrap().ends_with("narthex.toml"), "{logs}");
    assert_eq!(rout["problem"], "unknown key `rout`", "{logs}");
    assert_eq!(rout["help"], "did you mean `route`?", "{logs}");
    assert_eq!(cach["problem"], "unknown key `cach`", "{logs}");
}

/// A byte that is not UTF-8 is refused as any other mistake, and what is written next is read.
#[tokio::test]
async fn a_file_of_another_encoding_changes_nothing_and_the_next_is_read() {
    let world = World::start().await;
    let file = world.narthex.config_file();
    let good = fs::read(&file).unwrap();
    fs::write(&file, [b"# caf\xe9\n", good.as_slice()].concat()).unwrap();
    assert!(says(&world, "not UTF-8").await, "{}", world.narthex.logs());
    let better = [good.as_slice(), route(&world, "/new").as_bytes()].concat();
    fs::write(&file, better).unwrap();
    assert!(answers_with(&world, "/new", 200).await, "{}", world.narthex.logs());
}

/// What is looked at only at the start is named, once, when it changes.
#[tokio::test]
async fn what_waits_for_a_restart_is_said_once() {
    let mut world = World::start().await;
    let text = format!(
        "cache.tokens = \"1MiB\"\n[log]\nlevel = \"warn\"\n{}",
        config(&world.idp, &world.upstream)
    );
    take_into_use(&mut world, &text, "/one").await;
    assert!(says(&world, "restart_needed").await, "{}", world.narthex.logs());
    take_into_use(&mut world, &text, "/two").await;
    let log = world.narthex.logs();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("restart_needed")).collect();
    assert_eq!(told.len(), 1, "{told:?}");
    assert!(told[0].contains("cache.tokens, log.level"), "{told:?}");
}

#[tokio::test]
async fn a_changed_file_is_noticed_without_a_signal() {
    let world = World::start().await;
    let file = world.narthex.config_file();
    let mut text = fs::read_to_string(&file).unwrap();
    text.push_str(&route(&world, "/new"));
    fs::write(&file, text).unwrap();
    assert!(answers_with(&world, "/new", 200).await, "{}", world.narthex.logs());
}

/// Waits, for five seconds at the most, until `token` is answered with `status` at `GUARDED`.
async fn token_gives(world: &World, token: &str, status: u16) -> bool {
    for _ in 0..250 {
        if world.send(world.call("POST", GUARDED).bearer(token)).await.status == status {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

/// A key that is taken out of a `jwks_file` is refused as soon as a change is noticed; put back, it is taken again.
#[tokio::test]
async fn sec_key_file_rotation() {
    let both = key_set(&[TestKey::Rsa1, TestKey::Rsa2]).to_string();
    let one = key_set(&[TestKey::Rsa1]).to_string();
    let in_a_file = |idp: &IdentityProvider, upstream: &_| {
        let url = format!("jwks_url = \"{}\"", idp.jwks_url());
        config(idp, upstream).replace(&url, "jwks_file = \"keys.json\"")
    };
    let world = World::with_files(in_a_file, &[("keys.json", &both)]).await;
    let file = world.narthex.folder().join("keys.json");
    let (kept, leaves) = (member("alice").sign(), member("bob").key(TestKey::Rsa2).sign());
    for round in 1..=2 {
        assert!(token_gives(&world, &leaves, 200).await, "{}", world.narthex.logs());
        fs::write(&file, &one).unwrap();
        assert!(token_gives(&world, &leaves, 401).await, "{}", world.narthex.logs());
        assert!(token_gives(&world, &kept, 200).await);
        fs::write(&file, &both).unwrap();
        assert!(
            token_gives(&world, &leaves, 200).await,
            "round {round}: {}",
            world.narthex.logs()
        );
    }
}

/// Writes a configuration with a route of its own name, and waits until that is answered: from then on it is in use.
async fn take_into_use(world: &mut World, text: &str, name: &str) {
    let text = text.to_owned() + &route(world, name);
    world.narthex.reload(&text).unwrap();
    assert!(answers_with(world, name, 200).await, "{}", world.narthex.logs());
}

/// Asks the proxy door and a forward-auth door: status and reason of each.
async fn asked(world: &World, token: &str) -> [(u16, String); 2] {
    let seen = |answer: Answer| {
        let reason = answer.header("x-narthex-reason").unwrap_or_default().to_owned();
        (answer.status, reason)
    };
    let proxy = world.send(world.call("POST", GUARDED).bearer(token)).await;
    let call = world.call("GET", "/.narthex/auth/traefik").bearer(token);
    let call = call
        .header("x-forwarded-method", "POST")
        .header("x-forwarded-uri", GUARDED)
        .header("x-forwarded-host", "a");
    [seen(proxy), seen(world.send(call).await)]
}

/// What a reload forbids is refused on the next request, also of a token whose answer is cached.
#[tokio::test]
async fn sec_cache_revocation() {
    let mut world = World::start().await;
    let other = IdentityProvider::start(&[TestKey::Rsa2]).unwrap();
    let good = config(&world.idp, &world.upstream);
    let (key_set, other_key_set) = (world.idp.jwks_url(), other.jwks_url());
    let token = member("alice").issued_in(-1200).sign();
    for (number, (from, to, status, reason)) in [
        (
            "name = \"corp\"",
            "name = \"corp\"\nenabled = false",
            401,
            "token.issuer_disabled",
        ),
        ("organization:member", "organization:admin", 403, "organization.role"),
        ("organization:member", "platform:viewer", 403, "platform.role"),
        ("[\"narthex\"]", "[\"another\"]", 401, "token.audience"),
        (
            "name = \"corp\"",
            "name = \"corp\"\nmax_token_age = \"10m\"",
            401,
            "token.too_old",
        ),
        (
            "name = \"corp\"",
            "name = \"corp\"\nrequired_claims = { hd = \"example.com\" }",
            401,
            "token.claim_missing",
        ),
        (
            "https://idp.test",
            "https://elsewhere.test",
            401,
            "token.issuer_unknown",
        ),
        (key_set.as_str(), other_key_set.as_str(), 401, "token.key_unknown"),
    ]
    .into_iter()
    .enumerate()
    {
        take_into_use(&mut world, &good, &format!("/good-{number}")).await;
        for _ in 0..2 {
            for answer in asked(&world, &token).await {
                assert_eq!(answer, (200, String::new()), "before `{to}`");
            }
        }
        let text = good.replace(from, to);
        assert_ne!(text, good, "`{from}` is not in the configuration");
        take_into_use(&mut world, &text, &format!("/tight-{number}")).await;
        for answer in asked(&world, &token).await {
            assert_eq!(answer, (status, reason.to_owned()), "after `{to}`");
        }
    }
}

/// What an issuer's tokens gave is worth as much as the issuer is trusted now, whoever's token asks.
#[tokio::test]
async fn sec_untrusted_issuer() {
    let with_second = |idp: &IdentityProvider, upstream: &Upstream| {
        let keys = idp.jwks_url();
        config(idp, upstream)
            + &format!(
                "\n[[issuer]]\nname = \"second\"\nissuer = \"https://second.test\"\nrealm = \"corp\"\njwks_url = \"{keys}\"\n\
                 audiences = [\"narthex\"]\n[[route]]\npath = \"/platform\"\nrequire = \"platform:admin\"\nupstream = \"{}\"\n",
                upstream.url()
            )
    };
    let mut world = World::with_config(with_second).await;
    let good = with_second(&world.idp, &world.upstream);
    let first = member("alice").tags(["staff", "root"]).sign();
    assert_eq!(
        world.send(world.call("GET", "/platform").bearer(&first)).await.status,
        200
    );
    let token = TestIssuer::new("https://second.test").token().subject("alice").sign();
    let steps = [
        ("", "", 200, 200, "admin"),
        ("[\"root\"]", "[\"ops\"]", 403, 200, "user"),
        ("name = \"corp\"", "name = \"corp\"\nenabled = false", 403, 403, "user"),
        ("name = \"corp\"", "name = \"another\"", 403, 403, "user"),
        ("", "", 200, 200, "admin"),
    ];
    for (number, (from, to, platform, organization, role)) in steps.into_iter().enumerate() {
        let text = good.replacen(from, to, 1);
        take_into_use(&mut world, &text, &format!("/step-{number}")).await;
        for _ in 0..2 {
            let asked = world.call("GET", "/platform").bearer(&token);
            assert_eq!(world.send(asked).await.status, platform, "after `{to}`");
            let asked = world.call("GET", GUARDED).bearer(&token);
            assert_eq!(world.send(asked).await.status, organization, "after `{to}`");
        }
        let me = world.send(world.call("GET", "/.narthex/me").bearer(&token)).await;
        assert_eq!(me.json().unwrap()["platform_role"], role, "after `{to}`");
        let api = world.narthex.api();
        let listed = api.done("GET", "/users?external_id=alice", None).await.unwrap();
        assert_eq!(listed["items"][0]["platform_role"], role, "after `{to}`");
        let members = api.done("GET", "/organizations/acme/members", None).await.unwrap();
        let held = members["items"].as_array().unwrap().len();
        assert_eq!(held, usize::from(organization == 200), "after `{to}`");
    }
}

/// A kind of request that goes on while the configuration is read again, and what may be answered to it.
struct Load {
    call: Call,
    may: Vec<(u16, &'static str)>,
    /// Whose identity the upstream must have got, where it is reached.
    who: &'static str,
}

/// What goes on all the time. The routes and the issuer whose name has `flip` in it are changed by every reload; all
/// the others are the same in each.
fn load(world: &World) -> Vec<Load> {
    let flip = TestIssuer::new("https://flip.test").token().subject("flip").sign();
    let load = |call: Call, may: &[(u16, &'static str)], who| Load {
        call,
        may: may.to_vec(),
        who,
    };
    let post = || world.call("POST", GUARDED);
    let question = |token: &str| {
        let call = world.call("GET", "/.narthex/auth/traefik").bearer(token);
        call.header("x-forwarded-method", "POST")
            .header("x-forwarded-uri", GUARDED)
            .header("x-forwarded-host", "a")
    };
    vec![
        load(post().bearer(&member("alice").sign()), &[(200, "")], "alice"),
        load(
            post().bearer(&member("bob").sign()).header("x-upstream", "slow=150"),
            &[(200, "")],
            "bob",
        ),
        load(question(&member("carol").sign()), &[(200, "")], ""),
        load(
            question(&member("dave").tags(["none"]).sign()),
            &[(403, "organization.role")],
            "",
        ),
        load(
            post().bearer(&member("eve").forged_with(TestKey::Rsa2).sign()),
            &[(401, "token.signature")],
            "",
        ),
        // It asks for keys that are not there: the configuration may change while that is under way.
        load(
            post().bearer(&member("eve").kid("unknown").sign()),
            &[(401, "token.key_unknown")],
            "",
        ),
        load(post(), &[(401, "token.missing")], ""),
        load(world.call("GET", "/public/page"), &[(200, "")], ""),
        load(world.call("GET", "/flip"), &[(200, ""), (401, "token.missing")], ""),
        load(
            world.call("GET", "/whoami").bearer(&flip),
            &[(200, ""), (401, "token.issuer_disabled")],
            "flip",
        ),
    ]
}

/// One of two configurations, by turns.
fn flipped(world: &World, turn: usize) -> String {
    let (enabled, require) = if turn.is_multiple_of(2) {
        (true, "public")
    } else {
        (false, "authenticated")
    };
    format!(
        "{}\n[[issuer]]\nname = \"flip\"\nissuer = \"https://flip.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n\
         enabled = {enabled}\n[[route]]\npath = \"/flip\"\nrequire = \"{require}\"\nupstream = \"{}\"\n",
        config(&world.idp, &world.upstream),
        world.idp.jwks_url(),
        world.upstream.url(),
    )
}

/// CVE-2024-45809 and its kind: requests that run while the configuration changes. Each is answered, and as one of the two
/// configurations answers it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_reload_under_load() {
    const RELOADS: usize = 100;
    let mut world = World::start().await;
    let text = flipped(&world, 0);
    take_into_use(&mut world, &text, "/ready").await;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for load in load(&world) {
        let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
        workers.spawn(async move {
            let client = Client::new();
            let mut came = vec![0_usize; load.may.len()];
            while !stop.load(Ordering::SeqCst) {
                let answer = client.send(load.call.clone()).await.unwrap();
                let reason = answer.header("x-narthex-reason").unwrap_or_default().to_owned();
                let found = (answer.status, reason.as_str());
                let which = load.may.iter().position(|may| *may == found);
                came[which.unwrap_or_else(|| panic!("{found:?} instead of {:?}", load.may))] += 1;
                if answer.status == 200 && !load.who.is_empty() {
                    assert_eq!(answer.json().unwrap()["headers"]["x-narthex-external-id"], load.who);
                }
                sent.fetch_add(1, Ordering::SeqCst);
            }
            assert!(
                came.iter().all(|times| *times > 0),
                "{:?} came {came:?} times",
                load.may
            );
        });
    }
    for turn in 1..=RELOADS {
        let text = flipped(&world, turn);
        take_into_use(&mut world, &text, &format!("/turn-{turn}")).await;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    assert!(sent.load(Ordering::SeqCst) > 1000, "{sent:?} requests are no load");
}

/// An organization that a token made is not taken for the one that is declared, and `doctor` knows before a start does.
#[tokio::test]
async fn what_a_token_made_is_not_declared_by_its_name() {
    let claims = r#"mapping = { organization = { external_id = "{{payload.org}}", name = "{{payload.orgName}}" } }"#;
    let text = |idp: &_, upstream: &_| config(idp, upstream).replace("tags = {", &format!("{claims}\ntags = {{"));
    let mut world = World::with_config(text).await;
    let eve = member("eve").claim("org", "E-1").claim("orgName", "Initech").sign();
    assert_eq!(world.send(world.call("GET", "/whoami").bearer(&eve)).await.status, 200);
    let declared = text(&world.idp, &world.upstream) + "\n[[organization]]\nname = \"initech\"\n";
    world.narthex.reload(&declared).unwrap();
    assert!(
        says(&world, "`initech` cannot be declared").await,
        "{}",
        world.narthex.logs()
    );
    // A second server would be refused for the first one's sake.
    world.narthex.kill();
    let folder = world.narthex.folder();
    let doctor = narthex_in(folder, &["doctor"], "");
    assert_eq!(doctor.code, 1, "{doctor:?}");
    assert!(
        doctor.stdout.contains("made by a token") && doctor.stdout.contains("`E-1`"),
        "{doctor:?}"
    );
    let start = narthex_in(folder, &["serve"], "");
    assert_eq!(start.code, 1, "{start:?}");
    assert!(start.stderr.contains("`initech` cannot be declared"), "{start:?}");
    let renamed = narthex_in(folder, &["organization", "update", "initech", "--name", "eves"], "");
    assert_eq!(renamed.code, 0, "{renamed:?}");
    assert!(
        !narthex_in(folder, &["doctor"], "")
            .stdout
            .contains("cannot be declared")
    );
}

/// A property that is no longer mapped is no longer told, though the directory keeps the value.
#[tokio::test]
async fn sec_context_that_is_no_longer_mapped() {
    let mapped = |idp: &_, upstream: &_| {
        config(idp, upstream).replace(
            "tags = {",
            "mapping = { context = { hd = \"{{payload.hd}}\", plan = \"{{payload.plan}}\" } }\ntags = {",
        )
    };
    let mut world = World::with_config(mapped).await;
    let token = member("ada").claim("hd", "corp.test").claim("plan", "gold").sign();
    let told = async |world: &World| {
        let answer = world.send(world.call("GET", "/whoami").bearer(&token)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let seen = world.upstream.last().unwrap();
        let assertion = seen.header("x-narthex-assertion").unwrap();
        let payload = URL_SAFE_NO_PAD.decode(assertion.split('.').nth(1).unwrap()).unwrap();
        let signed: Value = serde_json::from_slice(&payload).unwrap();
        let me = world.send(world.call("GET", "/.narthex/me").bearer(&token)).await;
        let headers = ["hd", "plan"].map(|name| seen.header(&format!("x-narthex-context-{name}")));
        (
            headers,
            signed["context"].clone(),
            me.json().unwrap()["context"].clone(),
        )
    };
    let all = json!({ "hd": "corp.test", "plan": "gold" });
    assert_eq!(
        told(&world).await,
        ([Some("corp.test".into()), Some("gold".into())], all.clone(), all)
    );
    let fewer = mapped(&world.idp, &world.upstream).replace("hd = \"{{payload.hd}}\", ", "");
    world.narthex.reload(&(fewer + &route(&world, "/new"))).unwrap();
    assert!(answers_with(&world, "/new", 200).await, "{}", world.narthex.logs());
    let plan = json!({ "plan": "gold" });
    assert_eq!(told(&world).await, ([None, Some("gold".into())], plan.clone(), plan));
}

/// Number of times that a text is in the log.
fn times_said(world: &World, text: &str) -> usize {
    world.narthex.logs().matches(text).count()
}

/// Writes the configuration file, byte for byte, and has it read. Gives the lines of the log that say what became of it.
async fn written(world: &World, text: &str) -> String {
    let before = times_said(world, "reload_refused") + times_said(world, "\"reloaded\"");
    fs::write(world.narthex.config_file(), text).unwrap();
    world.narthex.signal("HUP").unwrap();
    for _ in 0..250 {
        let log = world.narthex.logs();
        let outcome = |line: &str| line.contains("reload_refused") || line.contains("\"reloaded\"");
        let mut lines = log.lines();
        for _ in 0..before {
            lines.by_ref().find(|line| outcome(line));
        }
        let mut told = String::new();
        for line in lines.filter(|line| outcome(line) || line.contains("reload_problem")) {
            told.push_str(line);
            if outcome(line) {
                return told;
            }
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("nothing is said of the file: {}", world.narthex.logs());
}

/// A file that was emptied or cut off is not taken into use, though what is left of it is a good one.
#[tokio::test]
async fn sec_emptied_configuration() {
    let with_declared = |idp: &IdentityProvider, upstream: &Upstream| {
        let (config, upstream) = (config(idp, upstream), upstream.url());
        format!(
            "{config}\n[[organization]]\nname = \"declared\"\n\n[[route]]\npath = \"/{{*rest}}\"\nrequire = \"public\"\n\
             upstream = \"{upstream}\"\n\n[[route]]\npath = \"/strict\"\nrequire = \"platform:admin\"\nupstream = \"{upstream}\"\n"
        )
    };
    let world = World::with_config(with_declared).await;
    let good = fs::read_to_string(world.narthex.config_file()).unwrap();
    let without = |sections: &[&str]| {
        let mut table: toml::Table = good.parse().unwrap();
        for section in sections {
            assert!(table.remove(*section).is_some(), "there is no `{section}`: {good}");
        }
        table.to_string()
    };
    let holds = async || {
        assert_eq!(world.send(world.call("GET", "/strict")).await.status, 401);
        assert_eq!(world.send(world.call("GET", "/public/page")).await.status, 200);
        let declared = world.narthex.api().organization("declared").await.unwrap().unwrap();
        assert_eq!(declared["status"], "active");
    };
    for (text, lost) in [
        (String::new(), "issuers and routes"),
        (without(&["issuer", "route", "organization"]), "issuers and routes"),
        (without(&["route"]), "routes"),
        (without(&["issuer", "organization"]), "issuers"),
    ] {
        let line = written(&world, &text).await;
        assert!(line.contains(&format!("lost all {lost}")), "{line}\n{text}");
        holds().await;
    }
    let marked = format!("{}\n\n# narthex: end\n", good.trim_end());
    assert!(written(&world, &marked).await.contains("\"reloaded\""));
    // Wherever it is cut.
    let ends: Vec<usize> = marked.match_indices('\n').map(|(end, _)| end).collect();
    let (_, cuts) = ends.split_last().unwrap();
    for end in cuts.iter().step_by(3) {
        let line = written(&world, marked.get(..*end).unwrap()).await;
        assert!(line.contains("reload_refused"), "cut at {end}: {line}");
        holds().await;
    }
    let line = written(&world, &good).await;
    assert!(
        line.contains("# narthex: end") && line.contains("reload_refused"),
        "{line}"
    );
    assert!(written(&world, &marked).await.contains("\"reloaded\""));
}

/// Each request meets the old organizations with the old routes, or the new ones with the new.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sec_reload_in_one_step() {
    const RELOADS: usize = 60;
    let mut world = World::start().await;
    // Alone, either change closes the path to the one or the other half of the requests.
    let text = |world: &World, turn: usize| {
        let (status, require) = if turn.is_multiple_of(2) {
            ("active", "authenticated")
        } else {
            ("suspended", "public")
        };
        let (config, upstream) = (config(&world.idp, &world.upstream), world.upstream.url());
        format!(
            "{config}\n[[organization]]\nname = \"flip\"\nstatus = \"{status}\"\n\n[[route]]\npath = \"/flip/{{organization}}\"\n\
             require = \"{require}\"\nupstream = \"{upstream}\"\n"
        )
    };
    let first = text(&world, 0);
    take_into_use(&mut world, &first, "/ready").await;
    let (stop, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut workers = JoinSet::new();
    for number in 0..8 {
        let (stop, sent) = (Arc::clone(&stop), Arc::clone(&sent));
        let direct = world.call("GET", "/flip/flip");
        let asked = world.call("GET", "/.narthex/auth/traefik");
        let asked = asked
            .header("x-forwarded-host", "app.test")
            .header("x-forwarded-method", "GET")
            .header("x-forwarded-uri", "/flip/flip");
        let call = if number % 2 == 0 { direct } else { asked };
        let call = call.bearer(&member(&format!("user-{number}")).sign());
        workers.spawn(async move {
            let client = Client::new();
            while !stop.load(Ordering::SeqCst) {
                let answer = client.send(call.clone()).await.unwrap();
                assert_eq!(answer.status, 200, "{}", answer.text());
                sent.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    for turn in 1..=RELOADS {
        let text = text(&world, turn);
        take_into_use(&mut world, &text, &format!("/turn-{turn}")).await;
    }
    stop.store(true, Ordering::SeqCst);
    while let Some(worker) = workers.join_next().await {
        worker.unwrap();
    }
    assert!(sent.load(Ordering::SeqCst) > 1000, "{sent:?} requests are no load");
}

/// A key file that goes away while the configuration is read stops all of it: no organization is declared by a file that is
/// not in use.
#[tokio::test]
async fn sec_key_file_that_vanishes() {
    let mut world = World::start().await;
    let keys = key_set(&[TestKey::Rsa1]).to_string();
    let mut refused = 0;
    for turn in 0..40_u64 {
        let (name, path) = (format!("try-{turn}"), format!("/try-{turn}"));
        let file = world.narthex.folder().join(format!("keys-{turn}.json"));
        fs::write(&file, &keys).unwrap();
        let from = format!("jwks_url = \"{}\"", world.idp.jwks_url());
        let text = config(&world.idp, &world.upstream).replace(&from, &format!("jwks_file = \"keys-{turn}.json\""));
        let text = format!("{text}\n[[organization]]\nname = \"{name}\"\n{}", route(&world, &path));
        world.narthex.reload(&text).unwrap();
        // From before the file is read to after.
        tokio::time::sleep(Duration::from_micros(turn * 200)).await;
        fs::remove_file(&file).unwrap();
        let mut found = (true, false);
        for _ in 0..10 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let declared = world.narthex.api().organization(&name).await.unwrap().is_some();
            found = (declared, world.send(world.call("GET", &path)).await.status == 200);
            if found.0 == found.1 {
                break;
            }
        }
        let (declared, served) = found;
        assert_eq!(declared, served, "turn {turn}: {}", world.narthex.logs());
        refused += usize::from(!served);
    }
    assert!(refused > 0, "no file went away early enough");
}
