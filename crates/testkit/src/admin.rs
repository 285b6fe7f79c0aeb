//! The admin API as a test sees it: plain JSON in and out.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;

use crate::{Answer, Client, client::Call};

/// A caller of the admin API.
#[derive(Clone, Debug)]
pub struct Admin {
    client: Client,
    base: String,
    key: String,
}

impl Admin {
    /// A caller with this API key (or token) at this admin port.
    pub fn new(admin_url: &str, key: &str) -> Self {
        Self {
            client: Client::new(),
            base: format!("{admin_url}/api/v1"),
            key: key.to_owned(),
        }
    }

    /// The API key it presents.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Any call, any answer. `path` begins after `/api/v1`.
    pub async fn call(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Answer> {
        let mut call = Call::new(method, &format!("{}{path}", self.base)).bearer(&self.key);
        if let Some(body) = body {
            call = call.json(body);
        }
        self.client.send(call).await
    }

    /// A call that must succeed: what it answers, null if it answers nothing.
    pub async fn done(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value> {
        let answer = self.call(method, path, body).await?;
        if !(200..300).contains(&answer.status) {
            bail!("`{method} {path}` answers {}: {}", answer.status, answer.text());
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        answer.json()
    }

    /// Gets one thing.
    pub async fn get(&self, path: &str) -> Result<Value> {
        self.done("GET", path, None).await
    }

    /// All items of a list, page after page.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>> {
        let mut all = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let page = match &cursor {
                None => self.get(path).await?,
                Some(cursor) => {
                    let sign = if path.contains('?') { '&' } else { '?' };
                    self.get(&format!("{path}{sign}cursor={}", encode(cursor))).await?
                }
            };
            let items = page.get("items").and_then(Value::as_array);
            all.extend(
                items
                    .with_context(|| format!("`{path}` answers no `items`: {page}"))?
                    .iter()
                    .cloned(),
            );
            match page.get("next_cursor").and_then(Value::as_str) {
                Some(next) if cursor.as_deref() != Some(next) => cursor = Some(next.to_owned()),
                Some(_) => bail!("`{path}` gives the same cursor twice"),
                None => return Ok(all),
            }
        }
    }

    /// The user with this external id, in whatever realm; an error if there are several.
    pub async fn user(&self, external_id: &str) -> Result<Option<Value>> {
        let mut found = self
            .list(&format!("/users?external_id={}", encode(external_id)))
            .await?;
        if found.len() > 1 {
            bail!("{} users have the external id `{external_id}`", found.len());
        }
        Ok(found.pop())
    }

    /// The organization of this name.
    pub async fn organization(&self, name: &str) -> Result<Option<Value>> {
        let all = self.list("/organizations").await?;
        Ok(all.into_iter().find(|organization| text(organization, "name") == name))
    }

    /// Every grant of a user that is open now.
    pub async fn open_grants(&self, user_id: &str) -> Result<Vec<Value>> {
        self.list(&format!("/users/{user_id}/grants")).await
    }
}

/// A member of a JSON object as text; empty if it is not there or not text.
pub fn text<'v>(value: &'v Value, member: &str) -> &'v str {
    value.get(member).and_then(Value::as_str).unwrap_or_default()
}

/// Percent-encodes everything but letters and digits.
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_but_letters_and_digits_is_encoded() {
        assert_eq!(encode("a b+ü"), "a%20b%2B%C3%BC");
    }
}
