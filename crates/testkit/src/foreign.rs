//! Tokens made by the libraries of others: `jose` and `jsonwebtoken` on Node.js, `PyJWT` on Python; and the WebSocket
//! client `ws`.

use std::{
    io::Write as _,
    path::PathBuf,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use crate::repository;

/// Library that makes a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Library {
    /// npm `jose`.
    Jose,
    /// npm `jsonwebtoken`.
    Jsonwebtoken,
    /// `PyJWT`.
    PyJwt,
}

impl Library {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Jose, Self::Jsonwebtoken, Self::PyJwt];

    /// A token signed with `key` (a private key in PEM, or a secret). `header` is added to what the library
    /// writes itself.
    pub fn sign(
        self,
        algorithm: &str,
        key: &str,
        header: &Map<String, Value>,
        payload: &Map<String, Value>,
    ) -> Result<String> {
        let request = json!({ "algorithm": algorithm, "key": key, "header": header, "payload": payload });
        let mut child = self
            .command()?
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("{self:?} could not be started: run `cargo xtask setup`"))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(request.to_string().as_bytes())?;
        }
        let output = child.wait_with_output()?;
        if !output.status.success() {
            bail!("{self:?} failed: {}", String::from_utf8_lossy(&output.stderr));
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    fn command(self) -> Result<Command> {
        let (program, script, library, needs) = match self {
            Self::Jose => (
                PathBuf::from("node"),
                "e2e/node/make-token.mjs",
                Some("jose"),
                "e2e/node/node_modules/jose",
            ),
            Self::Jsonwebtoken => (
                PathBuf::from("node"),
                "e2e/node/make-token.mjs",
                Some("jsonwebtoken"),
                "e2e/node/node_modules/jsonwebtoken",
            ),
            Self::PyJwt => (
                repository().join("e2e/python/.venv/bin/python"),
                "e2e/python/make_token.py",
                None,
                "e2e/python/.venv/.installed-from",
            ),
        };
        if !repository().join(needs).exists() {
            bail!("`{needs}` is missing: run `cargo xtask setup`");
        }
        let mut command = Command::new(program);
        command.arg(repository().join(script)).args(library);
        Ok(command)
    }
}

/// Opens a WebSocket at `url` with npm `ws`, and has a text and a large binary message echoed.
pub fn web_socket_echo(url: &str, token: &str) -> Result<()> {
    let needs = repository().join("e2e/node/node_modules/ws");
    if !needs.exists() {
        bail!("`e2e/node/node_modules/ws` is missing: run `cargo xtask setup`");
    }
    let script = repository().join("e2e/node/ws-echo.mjs");
    crate::process::run("node", &[script.as_os_str(), url.as_ref(), token.as_ref()]).map(drop)
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;
    use crate::{TestIssuer, TestKey};

    #[test]
    fn the_web_socket_client_gets_its_echo() {
        let upstream = crate::Upstream::start().unwrap();
        web_socket_echo(&format!("ws://{}/", upstream.address()), "token").unwrap();
        assert_eq!(
            upstream.last().unwrap().header("authorization").as_deref(),
            Some("Bearer token")
        );
        assert!(web_socket_echo("ws://127.0.0.1:1/", "token").is_err());
    }

    /// RS256 is deterministic, so a token of another library and one of ours differ only in the header.
    #[test]
    fn every_library_makes_the_signature_that_ours_makes() {
        let ours = TestIssuer::new("https://idp.test").token();
        for library in Library::ALL {
            let token = library
                .sign("RS256", TestKey::Rsa1.pem(), ours.header_members(), ours.claims())
                .unwrap();
            let (signed, signature) = token.rsplit_once('.').unwrap();
            let expected = TestKey::Rsa1.signature("RS256", signed.as_bytes()).unwrap();
            assert_eq!(signature, URL_SAFE_NO_PAD.encode(expected), "{library:?}");
        }
    }
}
