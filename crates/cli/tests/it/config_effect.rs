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

/// One issuer: its name is also in its `iss`.
fn issuer(name: &str, idp: &IdentityProvider, line: &str) -> String {
    format!(
        "[[issuer]]\nname = \"{name}\"\nissuer = \"https://{name}.test\"\njwks_url = \"{}\"\naudiences = [\"narthex\"]\n{line}\n\n",
        idp.jwks_url(),
    )
}

fn route(upstream: &Upstream) -> String {
    format!(
        "[[route]]\npath = \"/whoami\"\nrequire = \"authenticated\"\nupstream = \"{}\"\n",
        upstream.url()
    )
}

/// Sends a token in the way the option is about: the answer's status.
async fn status(world: &World, line: &str, token: &str) -> u16 {
    let call = world.call("GET", "/whoami");
    let call = if line.starts_with("token_header") {
        call.header("x-token", token)
    } else {
        call.bearer(token)
    };
    world.send(call).await.status
}

/// Each option has an issuer with it and one without it; beside that they are the same.
#[tokio::test]
async fn sec_config_effect() {
    let world = World::with_config(|idp, upstream| {
        idp.rotate(&[TestKey::Rsa1, TestKey::P256]);
        let mut text = issuer("corp", idp, "");
        for (index, effect) in EFFECTS.iter().enumerate() {
            text += &issuer(&format!("with-{index}"), idp, effect.line);
            text += &issuer(&format!("without-{index}"), idp, "");
        }
        text + &route(upstream)
    })
    .await;
    for (index, effect) in EFFECTS.iter().enumerate() {
        for (name, expected) in [("with", effect.with), ("without", effect.without)] {
            let builder = TestIssuer::new(&format!("https://{name}-{index}.test"))
                .token()
                .tags([]);
            let token = (effect.token)(builder).sign();
            let status = status(&world, effect.line, &token).await;
            assert_eq!(status, expected, "{name} `{}`\n{}", effect.line, world.narthex.logs());
        }
    }
}

/// Options that only matter beside another one, or for an `iss` of their own.
#[tokio::test]
async fn sec_config_effect_of_combined_options() {
    let mapping = "mapping = { user = { country = \"{{payload.country}}\" } }";
    let world = World::with_config(|idp, upstream| {
        issuer("corp", idp, "aliases = [\"https://alias.test\"]")
            + &issuer("skips", idp, &format!("on_invalid = \"skip\"\n{mapping}"))
            + &issuer("refuses", idp, &format!("on_invalid = \"refuse\"\n{mapping}"))
            + &issuer("says-nothing", idp, mapping)
            + &route(upstream)
    })
    .await;
    for (issuer, expected) in [
        ("alias", 200),
        ("no-alias", 401),
        ("skips", 200),
        ("refuses", 401),
        ("says-nothing", 401),
    ] {
        let token = TestIssuer::new(&format!("https://{issuer}.test"))
            .token()
            .claim("country", "Absurdistan")
            .sign();
        assert_eq!(status(&world, "", &token).await, expected, "{issuer}");
    }
}
