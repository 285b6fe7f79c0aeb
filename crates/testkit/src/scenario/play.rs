//! Doing what a scenario says, in its order.

use std::{collections::BTreeMap, path::Path, time::Duration};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value as Json};
use toml::Value;

use super::{
    check,
    file::{ApiCall, Expect, Idp, Request, Scenario, Step, StepToken, Token},
};
use crate::{
    Answer, Behaviour, Client, IdentityProvider, Narthex, TestIssuer, TestKey, TokenBuilder, Upstream, admin::text,
    client::Call, foreign::Library, keys::key_set,
};

/// The world of a scenario.
#[derive(Debug)]
struct Stage<'s> {
    scenario: &'s Scenario,
    idps: BTreeMap<String, IdentityProvider>,
    upstream: Upstream,
    narthex: Narthex,
    client: Client,
    /// The token of each step so far; empty where there was none.
    tokens: Vec<String>,
}

/// See [`Scenario::play`].
pub(super) async fn play(scenario: &Scenario, binary: &Path) -> Result<()> {
    let mut stage = Stage::set(scenario, binary).await.context("before the first step")?;
    for (index, step) in scenario.step.iter().enumerate() {
        if let Err(error) = stage.step(step).await {
            let logs = stage.narthex.logs();
            let tail: Vec<&str> = logs.lines().rev().take(20).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            let number = index + 1;
            return Err(error).with_context(|| {
                format!(
                    "step {number}, `{}`, does not hold; the log ends with\n{}\n",
                    step.title,
                    tail.join("\n")
                )
            });
        }
    }
    Ok(())
}

impl<'s> Stage<'s> {
    async fn set(scenario: &'s Scenario, binary: &Path) -> Result<Self> {
        let upstream = Upstream::start()?;
        let mut idps = BTreeMap::new();
        for (name, wish) in &scenario.idp {
            let idp = IdentityProvider::start(&[TestKey::Rsa1])?;
            change(&idp, wish).with_context(|| format!("idp `{name}`"))?;
            idps.insert(name.clone(), idp);
        }
        let mut names: Vec<(String, String)> = idps
            .iter()
            .map(|(name, idp)| (format!("idp.{name}"), idp.url()))
            .collect();
        names.push(("upstream".to_owned(), upstream.url()));
        let mut config = Value::Table(scenario.config.clone());
        fill_in(&mut config, &names)?;
        let mut builder = Narthex::builder(binary);
        if let Value::Table(config) = config {
            builder = builder.config_table(config);
        }
        for (name, content) in &scenario.file {
            builder = builder.file(name, content.as_bytes());
        }
        let narthex = builder.start().await?;
        for organization in &scenario.organization {
            let body = check::json(&Value::Table(organization.clone()));
            narthex.api().done("POST", "/organizations", Some(&body)).await?;
        }
        Ok(Self {
            scenario,
            idps,
            upstream,
            narthex,
            client: Client::new(),
            tokens: Vec::new(),
        })
    }

    async fn step(&mut self, step: &Step) -> Result<()> {
        for (name, wish) in &step.idp {
            let idp = self
                .idps
                .get(name)
                .with_context(|| format!("there is no idp `{name}`"))?;
            change(idp, wish)?;
        }
        match step.restart.as_deref() {
            None => {}
            Some("kill") => {
                self.narthex.kill();
                self.narthex.start_again().await?;
            }
            Some("terminate") => {
                self.narthex.terminate().await?;
                self.narthex.start_again().await?;
            }
            Some(other) => bail!("`restart` is `kill` or `terminate`, not `{other}`"),
        }
        tokio::time::sleep(Duration::from_millis(step.wait_ms)).await;
        for call in &step.api {
            self.api(call).await?;
        }
        let token = self.token(step)?;
        self.tokens.push(token.clone().unwrap_or_default());
        if let Some(expect) = &step.expect {
            self.request(step, token.as_deref(), expect).await?;
        } else {
            ensure!(
                step.token.is_none() && !step.no_token,
                "there is a token, and no `expect`"
            );
        }
        if let Some(directory) = &step.directory {
            check::directory(&self.narthex.api(), directory).await?;
        }
        Ok(())
    }

    /// The token of a step; none if it says so, or has no request.
    fn token(&self, step: &Step) -> Result<Option<String>> {
        if step.no_token || step.expect.is_none() {
            return Ok(None);
        }
        let nothing = Token::default();
        let own = match &step.token {
            Some(StepToken::Again(number)) => {
                let index = number.checked_sub(1).context("steps are counted from 1")?;
                let earlier = self.tokens.get(index).filter(|token| !token.is_empty());
                return Ok(Some(
                    earlier.with_context(|| format!("step {number} has no token"))?.clone(),
                ));
            }
            Some(StepToken::New(own)) => own.as_ref(),
            None => &nothing,
        };
        mint(&self.scenario.token, own).map(Some)
    }

    async fn request(&self, step: &Step, token: Option<&str>, expect: &Expect) -> Result<()> {
        self.upstream.forget();
        let call = self.call(&step.request, token)?;
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..step.request.at_once.unwrap_or(1) {
            let (client, call) = (self.client.clone(), call.clone());
            running.spawn(async move { client.send(call).await });
        }
        while let Some(answer) = running.join_next().await {
            let answer: Answer = answer??;
            check::answer(&answer, expect)?;
        }
        check::upstream(&self.upstream.seen(), expect)
    }

    fn call(&self, own: &Request, token: Option<&str>) -> Result<Call> {
        let all = &self.scenario.request;
        let path = own
            .path
            .as_ref()
            .or(all.path.as_ref())
            .context("there is no `request.path`")?;
        let method = own
            .method
            .as_ref()
            .or(all.method.as_ref())
            .map_or("GET", String::as_str);
        let mut call = Call::new(method, &format!("{}{path}", self.narthex.url()));
        let mut headers = all.headers.clone();
        headers.extend(own.headers.clone());
        for (name, value) in &headers {
            call = call.header(name, value);
        }
        if let Some(body) = own.body.as_ref().or(all.body.as_ref()) {
            call = call.body(body.clone());
        }
        let token_in = own
            .token_in
            .as_ref()
            .or(all.token_in.as_ref())
            .map_or("bearer", String::as_str);
        Ok(match (token, token_in) {
            (None, _) => call,
            (Some(token), "bearer") => call.bearer(token),
            (Some(token), header) => call.header(header, token),
        })
    }

    async fn api(&self, call: &ApiCall) -> Result<()> {
        let path = self.resolve(&call.path).await?;
        let mut body = call.body.clone();
        if let Some(body) = &mut body {
            for name in names_in(body) {
                let value = self.resolve(&format!("${{{name}}}")).await?;
                fill_in_one(body, &name, &value);
            }
        }
        let line = format!("{} {path}", call.method);
        let mut request = Call::new(&call.method, &format!("{}/api/v1{path}", self.narthex.admin_url()))
            .bearer(self.narthex.api().key());
        for (name, value) in &call.headers {
            request = request.header(name, value);
        }
        if let Some(body) = &body {
            request = request.json(&check::json(body));
        }
        let answer = self.client.send(request).await?;
        let good = call
            .status
            .map_or((200..300).contains(&answer.status), |status| status == answer.status);
        ensure!(good, "`{line}` answers {}: {}", answer.status, answer.text());
        if let Some(expected) = &call.answer {
            check::holds(&answer.json()?, &check::json(expected), "the answer").with_context(|| line)?;
        }
        Ok(())
    }

    /// `${organization.NAME}` and `${user.EXTERNAL_ID}` become ids.
    async fn resolve(&self, text_with_names: &str) -> Result<String> {
        let mut resolved = text_with_names.to_owned();
        for name in names_in(&Value::from(text_with_names)) {
            let found = match name.split_once('.') {
                Some(("organization", name)) => self.narthex.api().organization(name).await?,
                Some(("user", external_id)) => self.narthex.api().user(external_id).await?,
                _ => bail!("`${{{name}}}` is neither an organization nor a user"),
            };
            let found = found.with_context(|| format!("there is no `{name}`"))?;
            resolved = resolved.replace(&format!("${{{name}}}"), text(&found, "id"));
        }
        Ok(resolved)
    }
}

/// Lets an identity provider be as a scenario says.
fn change(idp: &IdentityProvider, wish: &Idp) -> Result<()> {
    if let Some(names) = &wish.keys {
        let keys = names.iter().map(|name| key(name)).collect::<Result<Vec<_>>>()?;
        if wish.by_x5t {
            let keys: Vec<Json> = keys.iter().map(|key| key.x5t_jwk()).collect();
            idp.publish(serde_json::json!({ "keys": keys }));
        } else {
            idp.publish(key_set(&keys));
        }
    }
    if let Some(key_set) = &wish.key_set {
        idp.publish(check::json(key_set));
    }
    if wish.cache_control.is_some() {
        idp.cache_control(wish.cache_control.as_deref());
    }
    let behaviour = match &wish.behaviour {
        None => return Ok(()),
        Some(Value::Integer(status)) => Behaviour::Status(u16::try_from(*status)?),
        Some(Value::String(name)) => match name.as_str() {
            "good" => Behaviour::Good,
            "slow" => Behaviour::Slow(Duration::from_secs(2)),
            "hanging" => Behaviour::Hanging,
            "closing" => Behaviour::Closing,
            "garbage" => Behaviour::Garbage,
            "wrong_shape" => Behaviour::WrongShape,
            "huge" => Behaviour::Huge(10_000_000),
            "down" => {
                idp.down();
                return Ok(());
            }
            other => bail!("no identity provider can be `{other}`"),
        },
        Some(other) => bail!("`behaviour` is a word or a status, not {other}"),
    };
    idp.behave(behaviour);
    // Up again, if it was down.
    let _ = idp.up();
    Ok(())
}

fn key(name: &str) -> Result<TestKey> {
    TestKey::named(name).with_context(|| format!("there is no test key `{name}`"))
}

/// A token as the scenario and then the step say.
fn mint(all: &Token, own: &Token) -> Result<String> {
    if let Some(raw) = &own.raw {
        return Ok(raw.clone());
    }
    let mut issuer = TestIssuer::new("https://idp.test");
    if let Some(name) = own.key.as_ref().or(all.key.as_ref()) {
        issuer = issuer.key(key(name)?);
    }
    if let Some(secret) = own.secret.as_ref().or(all.secret.as_ref()) {
        issuer = issuer.secret(secret.as_bytes());
    }
    let mut token = issuer.token();
    if own.by_x5t.or(all.by_x5t).unwrap_or_default() {
        token = token.by_x5t();
    }
    for layer in [all, own] {
        token = dress(token, layer)?;
    }
    match own.library.as_ref().or(all.library.as_ref()).map(String::as_str) {
        None => Ok(token.sign()),
        Some(library) => {
            let library = match library {
                "jose" => Library::Jose,
                "jsonwebtoken" => Library::Jsonwebtoken,
                "pyjwt" => Library::PyJwt,
                other => bail!("there is no library `{other}`"),
            };
            let mut header = token.header_members().clone();
            let algorithm = header
                .shift_remove("alg")
                .and_then(|alg| alg.as_str().map(str::to_owned));
            let secret = own.secret.as_ref().or(all.secret.as_ref());
            let signing = match (secret, own.key.as_ref().or(all.key.as_ref())) {
                (Some(secret), _) => secret.as_str(),
                (None, Some(name)) => key(name)?.pem(),
                (None, None) => TestKey::Rsa1.pem(),
            };
            library.sign(&algorithm.context("no `alg`")?, signing, &header, token.claims())
        }
    }
}

fn dress(mut token: TokenBuilder, layer: &Token) -> Result<TokenBuilder> {
    if let Some(algorithm) = &layer.algorithm {
        token = token.algorithm(algorithm);
    }
    for (name, value) in members(&layer.header) {
        token = token.header(&name, value);
    }
    for name in &layer.without_header {
        token = token.without_header(name);
    }
    for (name, value) in members(&layer.claims) {
        token = token.claim(&name, value);
    }
    for (name, seconds) in &layer.times {
        token = token.claim(name, crate::clock::now_seconds().saturating_add(*seconds));
    }
    for name in &layer.without {
        token = token.without(name);
    }
    if let Some(name) = &layer.forged_with {
        token = token.forged_with(key(name)?);
    }
    Ok(token)
}

/// A table as JSON members. TOML has no null: the text `null()` stands for it.
fn members(table: &toml::Table) -> Map<String, Json> {
    match check::json(&Value::Table(table.clone())) {
        Json::Object(members) => members,
        _ => Map::new(),
    }
}

/// The names in `${…}` anywhere in a value.
fn names_in(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => text
            .split("${")
            .skip(1)
            .filter_map(|rest| rest.split_once('}').map(|(name, _)| name.to_owned()))
            .collect(),
        Value::Array(items) => items.iter().flat_map(names_in).collect(),
        Value::Table(table) => table.values().flat_map(names_in).collect(),
        _ => Vec::new(),
    }
}

fn fill_in_one(value: &mut Value, name: &str, by: &str) {
    match value {
        Value::String(text) => *text = text.replace(&format!("${{{name}}}"), by),
        Value::Array(items) => items.iter_mut().for_each(|item| fill_in_one(item, name, by)),
        Value::Table(table) => table.iter_mut().for_each(|(_, item)| fill_in_one(item, name, by)),
        _ => {}
    }
}

fn fill_in(value: &mut Value, names: &[(String, String)]) -> Result<()> {
    for (name, by) in names {
        fill_in_one(value, name, by);
    }
    let unknown = names_in(value);
    ensure!(
        unknown.is_empty(),
        "`${{{}}}` is nothing here",
        unknown.join("}` and `${")
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

    use super::*;

    #[test]
    fn names_are_filled_in_wherever_they_are() {
        let mut value: Value =
            toml::from_str::<toml::Table>("a = [\"${idp.x}/jwks\"]\nb = { c = \"{{payload.sub}} {organization}\" }")
                .map(Value::Table)
                .unwrap();
        fill_in(&mut value, &[("idp.x".to_owned(), "http://x".to_owned())]).unwrap();
        assert_eq!(value["a"][0].as_str(), Some("http://x/jwks"));
        assert_eq!(value["b"]["c"].as_str(), Some("{{payload.sub}} {organization}"));
        assert!(fill_in(&mut Value::from("${nobody}"), &[]).is_err());
    }

    #[test]
    fn the_step_has_the_last_word_on_a_token() {
        let all: Token = toml::from_str("claims = { sub = \"all\", a = 1 }").unwrap();
        let own: Token = toml::from_str("claims = { sub = \"own\", n = \"null()\" }\nwithout = [\"a\"]").unwrap();
        let token = mint(&all, &own).unwrap();
        let payload = token.split('.').nth(1).unwrap();
        let payload: Json = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
        assert_eq!(payload["sub"], "own");
        assert_eq!(payload.get("a"), None);
        assert_eq!(payload.get("n"), Some(&Json::Null));
    }
}
