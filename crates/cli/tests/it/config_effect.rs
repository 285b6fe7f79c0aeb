//! An option that does nothing is worse than none: for each one there is a token that is answered differently with it
//! and without it.

use narthex_testkit::{IdentityProvider, TestIssuer, TestKey, TokenBuilder, Upstream};

use crate::world::World;

/// One option: its line in `[[issuer]]`, a token, and its status with the line and without it.
struct Effect {
    line: &'static str,
    token: fn(TokenBuilder) -> TokenBuilder,
    with: u16,
    without: u16,
}

const EFFECTS: &[Effect] = &[
    Effect {
        line: "enabled = false",
        token: |token| token,
        with: 401,
        without: 200,
    },
    Effect {
        line: "aliases = [\"https://alias.test\"]",
        token: |token| token.issuer("https://alias.test"),
        with: 200,
        without: 401,
    },
    Effect {
        line: "leeway = \"5m\"",
        token: |token| token.expires_in(-120),
        with: 200,
        without: 401,
    },
    Effect {
        line: "max_token_age = \"10m\"",
        token: |token| token.issued_in(-1200),
        with: 401,
        without: 200,
    },
    Effect {
        line: "required_claims = { hd = \"example.com\" }",
        token: |token| token,
        with: 401,
        without: 200,
    },
    Effect {
        line: "audience_claims = [\"client_id\"]",
        token: |token| token.without("aud").claim("client_id", "narthex"),
        with: 200,
        without: 401,
    },
    Effect {
        line: "algorithms = [\"ES256\"]",
        token: |token| token.key(TestKey::P256),
        with: 200,
        without: 401,
    },
    Effect {
        line: "token_types = [\"logout+jwt\"]",
        token: |token| token.header("typ", "logout+jwt"),
        with: 200,
        without: 401,
    },
    Effect {
        line: "provision = \"off\"",
        token: |token| token.subject("nobody"),
        with: 403,
        without: 200,
    },
    Effect {
        line: "provision = \"link_only\"",
        token: |token| token.subject("nobody"),
        with: 403,
        without: 200,
    },
    Effect {
        line: "mode = \"observe\"",
        token: |token| token.subject("nobody"),
        with: 403,
        without: 200,
    },
    Effect {
        line: "tags = { claim = \"groups\" }",
        token: |token| token.without("groups"),
        with: 401,
        without: 200,
    },
    Effect {
        line: "token_header = \"x-token\"",
        token: |token| token,
        with: 200,
        without: 401,
    },
    Effect {
        line: "mapping = { user = { country = \"{{payload.country}}\" } }",
        token: |token| token.claim("country", "Absurdistan"),
        with: 401,
        without: 200,
    },
];

fn config(idp: &IdentityProvider, upstream: &Upstream, line: &str) -> String {
    format!(
        "[[issuer]]\nname = \"corp\"\nissuer = \"https://idp.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n{line}\n\
         [[route]]\npath = \"/whoami\"\nrequire = \"authenticated\"\nupstream = \"{}\"\n",
        idp.jwks_url(),
        upstream.url()
    )
}

/// Sends the effect's token: the status.
async fn status(world: &World, effect: &Effect) -> u16 {
    let token = (effect.token)(TestIssuer::new("https://idp.test").token().tags([])).sign();
    let call = world.call("GET", "/whoami");
    let call = if effect.line.starts_with("token_header") {
        call.header("x-token", &token)
    } else {
        call.bearer(&token)
    };
    world.send(call).await.status
}

/// `on_invalid` only matters where there is a mapping.
#[tokio::test]
async fn sec_config_effect_of_on_invalid() {
    let mapping = "mapping = { user = { country = \"{{payload.country}}\" } }";
    let token = TestIssuer::new("https://idp.test")
        .token()
        .claim("country", "Absurdistan")
        .sign();
    for (line, expected) in [
        ("on_invalid = \"skip\"", 200),
        ("on_invalid = \"refuse\"", 401),
        ("", 401),
    ] {
        let world = World::with_config(|idp, upstream| config(idp, upstream, &format!("{line}\n{mapping}"))).await;
        assert_eq!(
            world.send(world.call("GET", "/whoami").bearer(&token)).await.status,
            expected,
            "{line}"
        );
    }
}

#[tokio::test]
async fn sec_config_effect() {
    for effect in EFFECTS {
        for (line, expected) in [(effect.line, effect.with), ("", effect.without)] {
            let world = World::with_config(|idp, upstream| {
                idp.rotate(&[TestKey::Rsa1, TestKey::P256]);
                config(idp, upstream, line)
            })
            .await;
            assert_eq!(
                status(&world, effect).await,
                expected,
                "`{}` with `{line}`\n{}",
                effect.line,
                world.narthex.logs()
            );
        }
    }
}
