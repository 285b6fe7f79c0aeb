//! A run of a connection, as a state machine: it is asked what to do, and told what came of it.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use narthex_template::{Document, HostCall, Masked, Object, Scope, Value, is_disruptive};
use serde_json::{Map, Value as Json};

use crate::document::{Compiled, Connection, MetadataType, Request as RequestDocument};
use crate::error::RunError;
use crate::evaluate::Evaluator;
use crate::inputs::{Facts, Inputs};
use crate::judge::{self, ResponseValues};
use crate::minted::{Minted, Mints};
use crate::redacted::{RedactedRequest, RedactedResponse};
use crate::request::{self, Request};
use crate::response::{self, Received, Response};
use crate::secrets::Secrets;

/// Next step of a run.
#[derive(Debug, Clone)]
pub enum Step {
    /// Send this, and tell [`Run::answer`] what came back.
    Send(Box<Request>),
    /// Wait, then ask again.
    Wait {
        /// Length of the wait, in milliseconds.
        delay_ms: u64,
    },
    /// Nothing more to do.
    Done(Box<Outcome>),
}

/// Result of a run. If a document has several requests, a later one overrides an earlier one.
#[derive(Clone, Default)]
pub struct Outcome {
    /// Identity of the connection at the service.
    pub uid: Option<String>,
    /// A label for people, and its kind.
    pub metadata: Option<(MetadataType, String)>,
    /// Data that the connection stores. Secret.
    pub data: Map<String, Json>,
    /// The names of what it keeps, as they may be shown.
    pub names: BTreeSet<String>,
    /// Expiry of the data, in milliseconds since the Unix epoch.
    pub expires_at_ms: Option<i64>,
    /// The `default` of a request that was skipped.
    pub output: Option<Json>,
}

// SECURITY: what a connection keeps is secret.
impl fmt::Debug for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome")
            .field("names", &self.names)
            .field("expires_at_ms", &self.expires_at_ms)
            .finish_non_exhaustive()
    }
}

/// A run of a connection.
pub struct Run {
    compiled: Arc<Compiled>,
    inputs: Inputs,
    secrets: Secrets,
    /// Secrets that went into the request: messages about a response hold none of these.
    given: Secrets,
    temp: Object,
    /// Members of `temp` that were made from something secret.
    temp_hidden: BTreeSet<String>,
    /// Members of `temp` that were made from values that went into the request.
    temp_withheld: BTreeSet<String>,
    at: usize,
    state: State,
    repeats: u32,
    sends: u32,
    waited_ms: u64,
    minted: Vec<Minted>,
    outcome: Outcome,
    redacted_request: Option<RedactedRequest>,
    redacted_response: Option<RedactedResponse>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The request has to be evaluated from its `temp` on.
    Fresh,
    /// The request waits before it is sent again.
    Waiting(u64),
    /// The request is sent again; its `temp` was evaluated and the response's merged into it.
    Again,
    /// The request was handed out.
    Sent,
    /// An error ended the run.
    Failed,
}

impl Run {
    /// A run at its beginning.
    pub fn new(connection: &Connection, inputs: Inputs) -> Self {
        Self {
            compiled: Arc::clone(connection.compiled()),
            secrets: Secrets::of(&inputs),
            given: Secrets::given(&inputs),
            inputs,
            temp: Object::new(),
            temp_hidden: BTreeSet::new(),
            temp_withheld: BTreeSet::new(),
            at: 0,
            state: State::Fresh,
            repeats: 0,
            sends: 0,
            waited_ms: 0,
            minted: Vec::new(),
            outcome: Outcome::default(),
            redacted_request: None,
            redacted_response: None,
        }
    }

    /// Returns the next step.
    pub fn next(&mut self, facts: &Facts<'_>) -> Result<Step, RunError> {
        let result = self.advance(facts);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// Takes the answer to the request that was handed out last, and judges it.
    pub fn answer(&mut self, response: &Response, facts: &Facts<'_>) -> Result<(), RunError> {
        if self.state != State::Sent {
            return Err(RunError::NothingSent);
        }
        self.state = State::Failed;
        self.state = self.take(response, facts)?;
        Ok(())
    }

    /// Returns the parts of the last sent request that may be shown.
    pub fn redacted_request(&self) -> Option<&RedactedRequest> {
        self.redacted_request.as_ref()
    }

    /// Returns the parts of the last answer that may be shown.
    pub fn redacted_response(&self) -> Option<&RedactedResponse> {
        self.redacted_response.as_ref()
    }

    /// The tokens that were minted so far.
    pub fn minted(&self) -> &[Minted] {
        &self.minted
    }

    /// A text of others, such as an error of the network, with the mask in place of every secret of this run.
    pub fn masked(&self, text: &str) -> String {
        self.secrets.mask(text)
    }

    fn advance(&mut self, facts: &Facts<'_>) -> Result<Step, RunError> {
        match self.state {
            State::Failed => return Err(RunError::NothingSent),
            State::Waiting(delay_ms) => {
                self.state = State::Again;
                return Ok(Step::Wait { delay_ms });
            }
            State::Sent | State::Again | State::Fresh => {}
        }
        let compiled = Arc::clone(&self.compiled);
        compiled.limits.check_secrets(&self.inputs)?;
        while let Some(document) = compiled.requests.get(self.at) {
            if self.state == State::Fresh && !self.begin(document, facts)? {
                self.at += 1;
                continue;
            }
            return self.send(document, facts);
        }
        Ok(Step::Done(Box::new(self.outcome.clone())))
    }

    /// `temp` and `condition`; whether the request is made.
    fn begin(&mut self, document: &RequestDocument, facts: &Facts<'_>) -> Result<bool, RunError> {
        if let Some(temp) = &document.temp {
            let pointer = format!("{}/temp", document.pointer);
            let masked = self.evaluate(facts, None, |evaluator| evaluator.document(&pointer, temp))?;
            self.merge(temp, masked, Secrets::add_made);
        }
        let Some(condition) = &document.condition else {
            return Ok(true);
        };
        if self.evaluate(facts, None, |evaluator| evaluator.test(&condition.test))? {
            return Ok(true);
        }
        if let Some(default) = &condition.default {
            let pointer = format!("{}/condition/default", document.pointer);
            let masked = self.evaluate(facts, None, |evaluator| evaluator.document(&pointer, default))?;
            self.outcome.output = masked.value.into_json();
        }
        Ok(false)
    }

    fn send(&mut self, document: &RequestDocument, facts: &Facts<'_>) -> Result<Step, RunError> {
        let compiled = Arc::clone(&self.compiled);
        let limit = compiled.limits.sends;
        if self.sends >= limit {
            return Err(RunError::Sends { limit });
        }
        let built = self.evaluate(facts, None, |evaluator| {
            request::build(document, evaluator, &compiled.limits, facts.random)
        })?;
        let mut request = built.request;
        request.redacted = RedactedRequest::of(built.draft, &compiled, &self.secrets);
        self.redacted_request = Some(request.redacted.clone());
        self.sends += 1;
        self.state = State::Sent;
        Ok(Step::Send(Box::new(request)))
    }

    /// Reads and judges an answer; the state that follows.
    fn take(&mut self, response: &Response, facts: &Facts<'_>) -> Result<State, RunError> {
        let compiled = Arc::clone(&self.compiled);
        let Some(document) = compiled.requests.get(self.at) else {
            return Err(RunError::NothingSent);
        };
        let of = &document.response;
        let received = response::read(response, &of.types, &compiled.limits).map_err(|error| self.hushed(error))?;
        let result = self.weigh(document, &received, facts);
        // SECURITY: only now is known which of it is kept, and so must not be shown.
        self.redacted_response = Some(RedactedResponse::of(&received, &compiled, &self.secrets));
        result
    }

    /// Judges what was read; the state that follows.
    fn weigh(&mut self, document: &RequestDocument, received: &Received, facts: &Facts<'_>) -> Result<State, RunError> {
        let of = &document.response;
        if let Some(temp) = &of.temp {
            let pointer = format!("{}/response/temp", document.pointer);
            let masked = self.evaluate(facts, Some(received), |evaluator| evaluator.document(&pointer, temp))?;
            self.merge(temp, masked, Secrets::add_received);
        }
        if let Some(state) = self.repeat(document, facts)? {
            return Ok(state);
        }
        let mut given = ResponseValues::default();
        let result = self.evaluate(facts, Some(received), |evaluator| {
            judge::judge(of, evaluator, received.status)?;
            judge::give(of, evaluator, &document.pointer, facts.zone, &mut given)
        });
        // SECURITY: a token is one even if what stands after it in the document fails.
        self.secrets.add_data(&given.data);
        result.map_err(|error| self.hushed(error))?;
        self.keep(given)?;
        self.at += 1;
        self.repeats = 0;
        Ok(State::Fresh)
    }

    /// Decides whether the request is sent again.
    fn repeat(&mut self, document: &RequestDocument, facts: &Facts<'_>) -> Result<Option<State>, RunError> {
        let Some(repeat) = &document.repeat else {
            return Ok(None);
        };
        let wanted = self.evaluate(facts, None, |evaluator| evaluator.test(&repeat.test))?;
        if !wanted || self.repeats >= repeat.limit {
            return Ok(None);
        }
        self.repeats += 1;
        self.waited_ms = self.waited_ms.saturating_add(repeat.delay_ms);
        let limit_ms = self.compiled.limits.wait_ms;
        if self.waited_ms > limit_ms {
            return Err(RunError::Waits { limit_ms });
        }
        Ok(Some(State::Waiting(repeat.delay_ms)))
    }

    fn keep(&mut self, given: ResponseValues) -> Result<(), RunError> {
        let ResponseValues {
            uid,
            metadata,
            data,
            names,
            expires_at_ms,
        } = given;
        let told = |text: String| self.given.mask(&text);
        let uid = uid.map(told);
        let metadata = metadata.map(|(kind, label)| (kind, told(label)));
        self.outcome.names.extend(names.into_iter().map(told));
        self.inputs.data.extend(data.clone());
        self.compiled.limits.check_secrets(&self.inputs)?;
        self.outcome.data.extend(data);
        self.outcome.uid = uid.or(self.outcome.uid.take());
        self.outcome.metadata = metadata.or(self.outcome.metadata.take());
        self.outcome.expires_at_ms = expires_at_ms.or(self.outcome.expires_at_ms);
        Ok(())
    }

    /// Merges a `temp` into what there is, member by member. What is hidden of it is added to the secrets.
    fn merge(&mut self, document: &Document, masked: Masked, add: fn(&mut Secrets, &Value)) {
        let hidden = Members::of(document, |root, member| self.hides(root, member));
        let withheld = Members::of(document, |root, member| self.withholds(root, member));
        let Value::Object(members) = masked.value else { return };
        for (name, value) in members {
            if hidden.has(&name) {
                add(&mut self.secrets, &value);
                self.temp_hidden.insert(name.clone());
            } else {
                self.temp_hidden.remove(&name);
            }
            if withheld.has(&name) {
                add(&mut self.given, &value);
                self.temp_withheld.insert(name.clone());
            } else {
                self.temp_withheld.remove(&name);
            }
            self.temp.insert(name, value);
        }
    }

    fn hides(&self, root: &str, member: Option<&str>) -> bool {
        match (root, member) {
            ("temp", Some(member)) => self.temp_hidden.contains(member),
            ("temp", None) => !self.temp_hidden.is_empty(),
            _ => self.inputs.hides(root, member),
        }
    }

    /// Tests whether a read must be hidden in messages about a response: everything secret that is not part of it.
    fn withholds(&self, root: &str, member: Option<&str>) -> bool {
        match (root, member) {
            ("temp", Some(member)) => self.temp_withheld.contains(member),
            ("temp", None) => !self.temp_withheld.is_empty(),
            ("body" | "headers", _) => false,
            _ => self.inputs.hides(root, member),
        }
    }

    /// Evaluates with everything that a template may read, and remembers the tokens that were minted on the way.
    fn evaluate<T>(
        &mut self,
        facts: &Facts<'_>,
        received: Option<&Received>,
        work: impl FnOnce(&Evaluator<'_>) -> Result<T, RunError>,
    ) -> Result<T, RunError> {
        let mints = Mints::default();
        let hidden = RefCell::new(Vec::new());
        let result = {
            let observer = |call: &HostCall<'_>| mints.observe(call);
            let hides = |root: &str, member: Option<&str>| self.hides(root, member);
            let withholds = |root: &str, member: Option<&str>| self.withholds(root, member);
            let mut scope = Scope::new(facts.now_ms)
                .with_zone(facts.zone.clone())
                .with_random(facts.random)
                .with_observer(&observer)
                .with_map("parameters", &self.inputs.parameters)
                .with_map("common", &self.inputs.common)
                .with_map("data", &self.inputs.data)
                .with_json("environment", &self.inputs.environment)
                .with_object("temp", &self.temp);
            if let Some(received) = received {
                scope = scope
                    .with_value("body", &received.body)
                    .with_object("headers", &received.headers)
                    .with_value("statusCode", &received.status_value);
            }
            work(&Evaluator {
                scope,
                hides: &hides,
                withholds: &withholds,
                hidden: &hidden,
            })
        };
        // Error messages are made of the response and shown; everything else that is made of secrets is one.
        if received.is_none() {
            for value in hidden.into_inner() {
                self.secrets.add_made(&value);
                self.given.add_made(&value);
            }
        }
        let tokens = mints.into_tokens();
        for (token, _) in &tokens {
            self.secrets.add_token(token);
            self.given.add_token(token);
        }
        let minted = tokens.into_iter().map(|(_, minted)| minted.hushed(&self.secrets));
        self.minted.extend(minted);
        result.map_err(|error| self.hushed(error))
    }

    /// An error whose words may be those of a service, or of a template's result, without the secrets of this run.
    fn hushed(&self, error: RunError) -> RunError {
        let mask = |text: String| self.secrets.mask_within(&text, MESSAGE_BYTES);
        match error {
            RunError::Request { pointer, problem } => RunError::Request {
                pointer,
                problem: mask(problem),
            },
            // `"…" is not a valid algorithm` repeats what may have been a parameter.
            RunError::Template { pointer, error } => RunError::Template {
                pointer,
                error: error.with_host_words(|words| self.secrets.mask_quoted(&self.secrets.mask(words))),
            },
            RunError::Response { problem } => RunError::Response { problem: mask(problem) },
            RunError::Judged { kind, message, status } => RunError::Judged {
                kind,
                message: legible(&mask(message)),
                status,
            },
            other => other,
        }
    }
}

/// The members of a document's result of which something is so.
struct Members {
    named: BTreeSet<String>,
    /// All members, because the ones that a spread or a computed name makes are not known.
    all: bool,
}

impl Members {
    /// Collects the members that read a value for which `is` holds.
    fn of(document: &Document, is: impl Fn(&str, Option<&str>) -> bool) -> Self {
        let mut members = Self {
            named: BTreeSet::new(),
            all: false,
        };
        for (name, reads) in document.member_reads() {
            if reads.iter().any(|read| is(&read.root, read.member.as_deref())) {
                match name {
                    Some(name) => drop(members.named.insert(name.to_owned())),
                    None => members.all = true,
                }
            }
        }
        members
    }

    fn has(&self, name: &str) -> bool {
        self.all || self.named.contains(name)
    }
}

/// A service's message, without control characters that would write over a terminal or a log.
fn legible(message: &str) -> String {
    message
        .chars()
        .map(|c| if is_disruptive(c) && c != '\n' { ' ' } else { c })
        .collect()
}

/// Maximum length of a message that is shown.
const MESSAGE_BYTES: usize = 4096;

// SECURITY: where the run stands, and nothing of what it holds.
impl fmt::Debug for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Run")
            .field("request", &self.at)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}
