//! Callers with real tokens, and writers at the admin API, all of whom note what they send and what they are answered.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use narthex_testkit::{
    Answer, Client, TestIssuer,
    admin::{Admin, text},
    client::Call as Request,
    clock::now_ms,
    history::{Call, Change, Cut, History, Phase, Verdict},
};
use serde_json::json;
use tokio::sync::{RwLock, RwLockWriteGuard};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep};

use super::nodes::{Cluster, NODES};

/// How often each node is called, and how often by somebody new.
const CALL_EVERY: Duration = Duration::from_millis(25);
const NEW_EVERY: u64 = 10;
/// How long a register stays as it is: for longer than a node may be unaware of it, or every answer would be right.
const CHANGE_EVERY: Duration = Duration::from_millis(2_300);
/// The same for tags, which make every node ask about everybody again, and so hide what it has not heard of.
const TAGS_EVERY: Duration = Duration::from_secs(6);
/// How long a client waits for an answer.
const PATIENCE: Duration = Duration::from_secs(29);

/// Writes down what happens, by one clock.
#[derive(Debug, Clone)]
pub(super) struct Recorder {
    began: Instant,
    history: Arc<Mutex<History>>,
}

impl Recorder {
    pub(super) fn start() -> Self {
        Self {
            began: Instant::now(),
            history: Arc::default(),
        }
    }

    pub(super) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap()
    }

    pub(super) fn phase(&self, name: &str) {
        let began_us = self.now_us();
        self.lock().phases.push(Phase {
            name: name.to_owned(),
            began_us,
        });
    }

    pub(super) fn cut(&self, cut: Cut) {
        self.lock().cuts.push(cut);
    }

    pub(super) fn history(&self) -> History {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap()
    }
}

/// A token of somebody who signs out everywhere from time to time.
#[derive(Debug, Clone)]
pub(super) struct Token {
    pub(super) user: String,
    pub(super) register: String,
    pub(super) issued_at_ms: i64,
    text: String,
}

/// What everybody who calls and writes knows.
struct Shared {
    urls: Vec<String>,
    apis: Vec<Admin>,
    client: Client,
    recorder: Recorder,
    /// What was signed for those who sign out, the newest last.
    tokens: Mutex<Vec<Token>>,
    /// When all other tokens are said to be signed. An older token of somebody of whom a newer one is known changes
    /// nothing, not even what it would gain: that is another story.
    issued_at_ms: i64,
    /// Nodes that something is done to: fewer changes go there, for a writer waits long for an answer.
    disturbed: [AtomicBool; NODES],
    /// Held to keep tags as they are.
    tags: RwLock<()>,
    turn: AtomicUsize,
    over: AtomicBool,
}

/// Everybody who calls and writes.
pub(super) struct Load {
    shared: Arc<Shared>,
    tasks: JoinSet<()>,
}

/// A register, and how the admin API turns it.
#[derive(Clone)]
enum Register {
    /// Whether an organization lists the tag that everybody's token holds.
    Tags(String),
    /// Whether a user is active.
    Status(String, String),
    /// Whether a user has a role that was given by hand.
    Hand(String, String),
}

impl Load {
    /// Makes organizations and users, and begins.
    pub(super) async fn start(cluster: &Cluster, recorder: &Recorder) -> Self {
        let shared = Arc::new(Shared {
            urls: cluster.nodes.iter().map(|node| node.narthex.url()).collect(),
            apis: cluster.nodes.iter().map(|node| node.narthex.api()).collect(),
            client: Client::new(),
            recorder: recorder.clone(),
            tokens: Mutex::default(),
            issued_at_ms: now_ms(),
            disturbed: Default::default(),
            tags: RwLock::default(),
            turn: AtomicUsize::new(0),
            over: AtomicBool::new(false),
        });
        let registers = shared.prepare().await;
        let mut tasks = JoinSet::new();
        let mut after = Duration::ZERO;
        for (register, every) in registers {
            tasks.spawn(write(Arc::clone(&shared), register, after, every));
            after += CHANGE_EVERY / 8;
        }
        for user in ["revoked-0", "revoked-1"] {
            let id = shared.id_of(user).await;
            tasks.spawn(sign_out(Arc::clone(&shared), user.to_owned(), id));
        }
        for node in 0..NODES {
            tasks.spawn(call_on(Arc::clone(&shared), node));
        }
        Self { shared, tasks }
    }

    /// While this is held nobody changes tags.
    pub(super) async fn calm(&self) -> RwLockWriteGuard<'_, ()> {
        let held = self.shared.tags.write().await;
        // Everybody is asked about once more, so that every node knows.
        sleep(Duration::from_millis(700)).await;
        held
    }

    /// Something is about to be done to these nodes.
    pub(super) fn disturb(&self, nodes: Range<usize>) {
        self.set_disturbed(nodes, true);
    }

    /// It is over.
    pub(super) fn settle(&self, nodes: Range<usize>) {
        self.set_disturbed(nodes, false);
    }

    fn set_disturbed(&self, nodes: Range<usize>, disturbed: bool) {
        for node in &self.shared.disturbed[nodes] {
            node.store(disturbed, Ordering::SeqCst);
        }
    }

    /// Ends, and waits for the last answers. Gives the tokens of those who signed out.
    pub(super) async fn stop(mut self) -> Vec<Token> {
        self.shared.over.store(true, Ordering::SeqCst);
        while let Some(ended) = self.tasks.join_next().await {
            ended.unwrap();
        }
        self.shared.tokens.lock().unwrap().clone()
    }
}

impl Shared {
    fn over(&self) -> bool {
        self.over.load(Ordering::SeqCst)
    }

    /// A node for the next change: in turn, and one that is disturbed only once in a while.
    fn node(&self) -> usize {
        for _ in 0..2 * NODES {
            let turn = self.turn.fetch_add(1, Ordering::SeqCst);
            let node = turn % NODES;
            if turn.is_multiple_of(8) || !self.disturbed[node].load(Ordering::SeqCst) {
                return node;
            }
        }
        self.turn.load(Ordering::SeqCst) % NODES
    }

    async fn id_of(&self, user: &str) -> String {
        text(&self.apis[0].user(user).await.unwrap().unwrap(), "id").to_owned()
    }

    /// Organizations, users and what they have before the run; every register is on.
    async fn prepare(&self) -> Vec<(Register, Duration)> {
        let api = &self.apis[0];
        for name in ["steady", "tags-0", "tags-1", "by-hand"] {
            let groups = if name == "by-hand" { json!([]) } else { json!(["staff"]) };
            let organization = json!({ "name": name, "realm": "corp", "external_member_groups": groups });
            api.done("POST", "/organizations", Some(&organization)).await.unwrap();
        }
        let mut users: Vec<String> = vec!["revoked-0".into(), "revoked-1".into()];
        users.extend((0..4).map(|number| format!("steady-{number}")));
        users.extend((0..4).map(|number| format!("status-{number}")));
        users.extend((0..2).map(|number| format!("hand-{number}")));
        for user in &users {
            let call = Request::post(&format!("{}/whoami", self.urls[0])).bearer(&self.sign(user));
            let answer = self.client.send(call).await.unwrap();
            assert_eq!(answer.status, 200, "{user}: {}", answer.text());
            if user.starts_with("revoked") {
                self.renew(user, 0);
            }
        }
        let mut registers = Vec::new();
        for number in 0..2 {
            let hand = format!("hand-{number}");
            let hand = Register::Hand(self.id_of(&hand).await, hand);
            assert!((200..300).contains(&hand.turn(api, true).await.unwrap().status));
            registers.push((hand, CHANGE_EVERY));
            registers.push((Register::Tags(format!("tags-{number}")), TAGS_EVERY));
        }
        for number in 0..4 {
            let user = format!("status-{number}");
            registers.push((
                Register::Status(self.id_of(&user).await, user),
                Duration::from_millis(500),
            ));
        }
        // What was made here is known everywhere before the run begins.
        sleep(Duration::from_secs(1)).await;
        registers
    }

    /// A token, another one each time, that says who somebody is, and the tag that organizations list; or for those who
    /// have a role by hand another tag.
    fn sign(&self, user: &str) -> String {
        let tag = if user.starts_with("hand") { "visitor" } else { "staff" };
        let number = self.turn.fetch_add(1, Ordering::SeqCst);
        let token = issuer().token_at(self.issued_at_ms).subject(user).tags([tag]);
        token.claim("jti", number.to_string()).sign()
    }

    /// Signs another token for somebody who signed out.
    fn renew(&self, user: &str, generation: usize) {
        let issued_at_ms = now_ms();
        self.tokens.lock().unwrap().push(Token {
            user: user.to_owned(),
            register: format!("{user}-{generation}"),
            // A token says it in whole seconds.
            issued_at_ms: issued_at_ms.div_euclid(1000) * 1000,
            text: issuer().token_at(issued_at_ms).subject(user).tags(["staff"]).sign(),
        });
    }

    /// Makes a change and notes it: whether it was acknowledged, and none if nobody can tell any more.
    async fn change(
        &self,
        register: &str,
        value: bool,
        make: impl AsyncFnOnce(&Admin) -> anyhow::Result<Answer>,
    ) -> Option<bool> {
        let node = self.node();
        let sent_us = self.recorder.now_us();
        let begun = Instant::now();
        let answer = make(&self.apis[node]).await;
        // An error before that means that the connection is gone: the request is with nobody any more, or with the
        // database, which finishes it before it begins another one.
        let answered_us = (begun.elapsed() < PATIENCE).then(|| self.recorder.now_us());
        // What is to be taken away and is not there is acknowledged too.
        let acknowledged = answer.is_ok_and(|answer| (200..300).contains(&answer.status) || answer.status == 404);
        self.recorder.lock().changes.push(Change {
            register: register.to_owned(),
            value,
            node,
            sent_us,
            answered_us,
            acknowledged,
        });
        answered_us.map(|_| acknowledged)
    }
}

impl Register {
    fn name(&self) -> &str {
        match self {
            Self::Tags(name) | Self::Status(_, name) | Self::Hand(_, name) => name,
        }
    }

    async fn turn(&self, api: &Admin, on: bool) -> anyhow::Result<Answer> {
        match self {
            Self::Tags(name) => {
                let groups = if on { json!(["staff"]) } else { json!([]) };
                let edit = json!({ "external_member_groups": groups });
                api.call("PATCH", &format!("/organizations/{name}"), Some(&edit)).await
            }
            Self::Status(id, _) => {
                let edit = json!({ "status": if on { "active" } else { "disabled" } });
                api.call("PATCH", &format!("/users/{id}"), Some(&edit)).await
            }
            Self::Hand(id, _) => {
                let path = format!("/organizations/by-hand/members/{id}");
                if on {
                    api.call("PUT", &path, Some(&json!({ "role": "member" }))).await
                } else {
                    api.call("DELETE", &path, None).await
                }
            }
        }
    }
}

/// Turns a register off and on. What is not acknowledged is asked for again, somewhere else.
async fn write(shared: Arc<Shared>, register: Register, after: Duration, every: Duration) {
    sleep(after).await;
    let mut value = true;
    while !shared.over() {
        value = !value;
        loop {
            let held = match register {
                Register::Tags(_) => Some(shared.tags.read().await),
                _ => None,
            };
            let made = shared.change(register.name(), value, async |api| register.turn(api, value).await);
            match made.await {
                Some(true) => break,
                Some(false) => {}
                None => return,
            }
            drop(held);
            if shared.over() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        sleep(every).await;
    }
}

/// Signs a user out everywhere, and gives the user another token.
async fn sign_out(shared: Arc<Shared>, user: String, id: String) {
    let path = format!("/users/{id}/revoke-tokens");
    for generation in 0.. {
        let register = format!("{user}-{generation}");
        loop {
            let made = shared.change(&register, false, async |api| api.call("POST", &path, None).await);
            match made.await {
                Some(true) => break,
                Some(false) => {}
                None => return,
            }
            if shared.over() {
                return;
            }
            sleep(Duration::from_millis(100)).await;
        }
        // Tokens are dated in whole seconds: one of this second counts as signed before.
        sleep(Duration::from_millis(1_100)).await;
        shared.renew(&user, generation + 1);
        sleep(Duration::from_millis(900)).await;
        if shared.over() {
            return;
        }
    }
}

/// Calls one node at a steady rate, whether it answers or not.
async fn call_on(shared: Arc<Shared>, node: usize) {
    let kept: Vec<(String, String)> = ["steady-0", "steady-1", "steady-2", "steady-3", "status-0", "status-1"]
        .into_iter()
        .chain(["status-2", "status-3", "hand-0", "hand-1"])
        .map(|user| (user.to_owned(), shared.sign(user)))
        .collect();
    let mut calls = JoinSet::new();
    let mut tick = interval(CALL_EVERY);
    let mut number: u64 = 0;
    while !shared.over() {
        tick.tick().await;
        number += 1;
        let (user, organization, needs, token) = next(&shared, node, number, &kept);
        let call = Request::post(&format!("{}/v1/algo/{organization}/echo/1.0", shared.urls[node])).bearer(&token);
        let shared = Arc::clone(&shared);
        calls.spawn(async move {
            let sent_us = shared.recorder.now_us();
            let answer = shared.client.send(call).await;
            let answered_us = shared.recorder.now_us();
            let (verdict, answer) = judged(answer);
            shared.recorder.lock().calls.push(Call {
                node,
                user,
                needs,
                sent_us,
                answered_us,
                verdict,
                answer,
            });
        });
        while calls.try_join_next().is_some() {}
    }
    while calls.join_next().await.is_some() {}
}

/// The next call on a node: who, where to, what it needs, and the token.
fn next(shared: &Shared, node: usize, number: u64, kept: &[(String, String)]) -> (String, String, Vec<String>, String) {
    if number.is_multiple_of(NEW_EVERY) {
        let user = format!("fresh-{node}-{number}");
        let token = shared.sign(&user);
        return (user, "steady".into(), Vec::new(), token);
    }
    if number % NEW_EVERY == 5 {
        // Of the two who sign out, one of their last two tokens.
        let of = format!("revoked-{}", number / NEW_EVERY % 2);
        let tokens = shared.tokens.lock().unwrap();
        let nth = usize::from(number / NEW_EVERY % 4 < 2);
        let mut last = tokens.iter().rev().filter(|token| token.user == of);
        let token = last.clone().nth(nth).or_else(|| last.next()).unwrap();
        return (of, "steady".into(), vec![token.register.clone()], token.text.clone());
    }
    let place = usize::try_from(number * 7 + u64::from(number.is_multiple_of(3))).unwrap();
    let (user, token) = &kept[place % kept.len()];
    let tags = format!("tags-{}", number % 2);
    let (organization, needs) = match (user.split_once('-').unwrap().0, number % 4) {
        ("hand", _) => ("by-hand".to_owned(), vec![user.clone()]),
        ("status", 0) => (tags.clone(), vec![user.clone(), tags]),
        ("status", _) => ("steady".to_owned(), vec![user.clone()]),
        (_, 0 | 1) => (tags.clone(), vec![tags]),
        _ => ("steady".to_owned(), Vec::new()),
    };
    // Mostly the token that was sent before, sometimes one that says the same.
    let token = if number % 16 == 3 {
        shared.sign(user)
    } else {
        token.clone()
    };
    (user.clone(), organization, needs, token)
}

fn judged(answer: anyhow::Result<Answer>) -> (Verdict, String) {
    match answer {
        Ok(answer) => {
            let verdict = match answer.status {
                200 => Verdict::Permit,
                401 | 403 => Verdict::Deny,
                _ => Verdict::Undecided,
            };
            let reason = answer.reason().unwrap_or_default();
            (verdict, format!("{} {reason}", answer.status).trim().to_owned())
        }
        Err(error) => (Verdict::Undecided, error.to_string()),
    }
}

fn issuer() -> TestIssuer {
    TestIssuer::new("https://idp.test")
}
