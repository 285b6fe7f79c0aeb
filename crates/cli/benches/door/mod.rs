//! For the benches: one kept-alive connection to the forward-auth door, and the tokens of a population.

use anyhow::{Context as _, Result, ensure};
use narthex_directory::{Desired, DesiredTags};
use narthex_testkit::TestIssuer;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The connection.
pub(crate) struct Door {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Door {
    /// Connects to the public port.
    pub(crate) async fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: vec![0; 16 * 1_024],
        })
    }

    /// Asks whether a request with this token may pass, and insists on yes.
    pub(crate) async fn ask(&mut self, token: &str) -> Result<()> {
        let request = format!(
            "GET /.narthex/auth/nginx HTTP/1.1\r\nhost: app.example.com\r\nx-original-method: GET\r\n\
             x-original-uri: /home\r\nauthorization: Bearer {token}\r\n\r\n"
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut filled = 0;
        while !self
            .buffer
            .get(..filled)
            .is_some_and(|head| head.ends_with(b"\r\n\r\n"))
        {
            let rest = self.buffer.get_mut(filled..).context("a short answer")?;
            let read = self.stream.read(rest).await?;
            ensure!(read > 0, "the server closed the connection");
            filled += read;
        }
        let head = String::from_utf8_lossy(self.buffer.get(..filled).unwrap_or_default());
        ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
        Ok(())
    }
}

/// A token that says this of its user.
pub(crate) fn token(issuer: &TestIssuer, desired: Desired, jti: &str) -> Result<String> {
    let DesiredTags::Exactly(tags) = &desired.tags else {
        anyhow::bail!("the users of a population carry tags");
    };
    let profile = desired.user.profile;
    let token = issuer
        .token()
        .subject(desired.user.external_id.as_str())
        .tags(tags.iter().map(String::as_str))
        .claim("jti", jti)
        .claim("email", profile.email)
        .claim("name", profile.name);
    Ok(token.sign())
}
