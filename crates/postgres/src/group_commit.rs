//! Group commit for the plans of many users: all plans in the queue share one transaction, two round trips and one
//! flush of the server's log, and each table takes one statement.
//!
//! Of plans that touch the same records only one can hold: the first joins the group, and the others wait for its
//! outcome. A group that fails as a whole is applied again plan by plan, so that one plan spoils no other.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use narthex_directory::{Change, Grant, Moves, Stamp, StoreError, Stripe, SyncPlan, Touch, User, UserId};
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::Shared;
use super::edit::{counter, counter_of, tally};
use super::error::{Fault, Outcome, unavailable};
use super::rows::Values;
use super::session::{Command, Then, Tx};
use super::usage::{asserted, issuer_row};
use super::value::{Typed, borrowed};
use super::write::{self, IssuerRow};
use narthex_tables::consequences::{EventRow, Written};
use narthex_tables::rows::{Columns, corrupt};

/// Capacity of the queue of plans; senders wait when it is full.
const QUEUE: usize = 4_096;
/// Largest number of plans in one transaction: an answer should not wait for thousands of others.
const GROUP: usize = 256;
/// Longest time that a plan waits for its turn and its transaction.
const PATIENCE: Duration = Duration::from_secs(10);

type Answer = Result<Stamp, StoreError>;

/// Plan in the queue, with the channel to the caller that waits for it.
#[derive(Debug)]
pub(super) struct Waiting {
    plan: Arc<SyncPlan>,
    written: Written,
    answer: oneshot::Sender<Answer>,
}

/// Queue of the task that applies plans.
#[derive(Debug)]
pub(super) struct Plans(mpsc::Sender<Waiting>);

impl Plans {
    /// Starts the task. It ends after the drop of this value and the last plan in the queue.
    pub(super) fn start(shared: &Arc<Shared>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        tokio::spawn(serve(Arc::clone(shared), waiting));
        Self(queue)
    }

    /// Applies a plan. Returns when it is durable.
    pub(super) async fn apply(&self, plan: Arc<SyncPlan>, written: Written) -> Answer {
        let stopped = || unavailable("the store is being closed");
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { plan, written, answer };
        let answered = async {
            self.0.send(waiting).await.map_err(|_| stopped())?;
            answered.await.map_err(|_| stopped())?
        };
        // After a timeout it is unknown whether it is still applied; planned again, it is found done or done again.
        timeout(PATIENCE, answered)
            .await
            .unwrap_or_else(|_| Err(unavailable("writing takes too long")))
    }
}

/// Applies plans group by group. While one group is written, the next one already waits for the writers' lock; its
/// members are gathered when it has the lock.
async fn serve(shared: Arc<Shared>, mut queue: mpsc::Receiver<Waiting>) {
    let mut backlog = VecDeque::new();
    loop {
        if backlog.is_empty() {
            match queue.recv().await {
                Some(waiting) => backlog.push_back(waiting),
                None => return,
            }
        }
        let turn = Tx::begin(&shared).await;
        while let Ok(waiting) = queue.try_recv() {
            backlog.push_back(waiting);
        }
        match turn {
            Ok(tx) => {
                let (group, shared) = (Group::gather(&mut backlog), Arc::clone(&shared));
                tokio::spawn(async move { group.apply(&shared, tx).await });
            }
            Err(fault) => {
                let error = StoreError::from(fault);
                for waiting in backlog.drain(..) {
                    reply(waiting, Err(error.clone()));
                }
            }
        }
    }
}

/// Plans that touch no record in common, and riders that wait for the outcome of one of them.
#[derive(Debug, Default)]
struct Group {
    members: Vec<Waiting>,
    /// Each with the index of the member that it waits for.
    riders: Vec<(usize, Waiting)>,
}

/// A record that a plan makes or changes. Of two plans that name one, only one can hold.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Touched<'p> {
    User(UserId),
    ExternalId(&'p str, &'p str),
    Username(&'p str, &'p str),
    Organization(String),
    OrganizationName(&'p str),
    OrganizationExternalId(&'p str, &'p str),
    Team(String),
    TeamExternalId(&'p str, &'p str),
}

fn touched(plan: &SyncPlan) -> Vec<Touched<'_>> {
    let mut all = vec![Touched::User(plan.touch.user)];
    for change in &plan.changes {
        match change {
            Change::CreateUser(user)
            | Change::UpdateUser { after: user, .. }
            | Change::EraseUser { after: user, .. } => {
                let realm = user.realm.as_str();
                all.push(Touched::ExternalId(realm, user.external_id.as_str()));
                all.push(Touched::Username(realm, user.username.as_str()));
            }
            Change::CreateOrganization(organization)
            | Change::UpdateOrganization {
                after: organization, ..
            } => {
                all.push(Touched::Organization(organization.id.to_string()));
                all.push(Touched::OrganizationName(organization.name.as_str()));
                let realm = organization.realm.as_str();
                let external_id = organization.external_id.as_ref();
                all.extend(external_id.map(|id| Touched::OrganizationExternalId(realm, id.as_str())));
            }
            Change::DeleteOrganization { before, .. } => all.push(Touched::Organization(before.id.to_string())),
            Change::CreateTeam(team)
            | Change::UpdateTeam { after: team, .. }
            | Change::DeleteTeam { before: team, .. } => {
                all.push(Touched::Team(team.id.to_string()));
                let external_id = team.external_id.as_ref();
                all.extend(external_id.map(|id| Touched::TeamExternalId(team.realm.as_str(), id.as_str())));
            }
            Change::OpenGrant(grant) | Change::CloseGrant(grant) => all.push(Touched::User(grant.user)),
        }
    }
    all
}

impl Group {
    /// Takes the plans that can share a transaction from the front of the backlog.
    fn gather(backlog: &mut VecDeque<Waiting>) -> Self {
        let mut owners: HashMap<Touched<'_>, usize> = HashMap::new();
        let mut places = Vec::new();
        let mut count = 0;
        for waiting in backlog.iter() {
            if count == GROUP {
                break;
            }
            let touches = touched(&waiting.plan);
            let owner = touches.iter().find_map(|touched| owners.get(touched)).copied();
            if owner.is_none() {
                owners.extend(touches.into_iter().map(|touched| (touched, count)));
                count += 1;
            }
            places.push(owner);
            // A plan behind one that moves the policy number must not rest on the number before.
            if owner.is_none() && waiting.written.moves.policy {
                break;
            }
        }
        drop(owners);
        let mut group = Self::default();
        for owner in places {
            match (backlog.pop_front(), owner) {
                (Some(waiting), None) => group.members.push(waiting),
                (Some(waiting), Some(owner)) => group.riders.push((owner, waiting)),
                (None, _) => {}
            }
        }
        group
    }

    /// Applies the plans and answers their callers.
    async fn apply(self, shared: &Shared, tx: Tx) {
        let plans: Vec<&Waiting> = self.members.iter().collect();
        let mut answers = match try_apply(shared, tx, &plans).await {
            Ok(answers) => answers,
            // One of the plans cannot be applied: each runs by itself, to find out which.
            Err(Fault::Constraint | Fault::Store(StoreError::Conflict)) if plans.len() > 1 => {
                let mut answers = Vec::with_capacity(plans.len());
                for plan in &plans {
                    let one = try_alone(shared, plan).await;
                    answers.push(one.map_or_else(failed, |mut answers| answers.pop().unwrap_or_else(nothing)));
                }
                answers
            }
            Err(fault) => {
                let error = StoreError::from(fault);
                plans.iter().map(|_| Err(error.clone())).collect()
            }
        };
        answers.resize_with(self.members.len(), nothing);
        for (owner, waiting) in self.riders {
            // The records that it was planned from have just changed, or are about to: it is planned again.
            let answer = match answers.get(owner) {
                Some(Err(error)) => error.clone(),
                _ => StoreError::Conflict,
            };
            reply(waiting, Err(answer));
        }
        for (waiting, answer) in self.members.into_iter().zip(answers) {
            reply(waiting, answer);
        }
    }
}

fn failed(fault: Fault) -> Answer {
    Err(fault.into())
}

fn nothing() -> Answer {
    Err(StoreError::Conflict)
}

fn reply(waiting: Waiting, answer: Answer) {
    // The caller may have gone away; the plan is applied all the same.
    let _ = waiting.answer.send(answer);
}

/// Applies one plan in a transaction of its own.
async fn try_alone(shared: &Shared, plan: &Waiting) -> Outcome<Vec<Answer>> {
    try_apply(shared, Tx::begin(shared).await?, &[plan]).await
}

/// Applies plans that touch no record in common in one transaction. Returns an answer for each, or a fault of all.
async fn try_apply(shared: &Shared, mut tx: Tx, plans: &[&Waiting]) -> Outcome<Vec<Answer>> {
    // A stamp is never newer than the data that it is about.
    let numbers: Vec<u64> = plans
        .iter()
        .map(|waiting| shared.versions.stripe(Stripe::of(waiting.plan.touch.user)))
        .collect();
    let willing: Vec<bool> = plans
        .iter()
        // A newer token of this user may have been used since the snapshot, even one that changed nothing.
        .map(|waiting| !shared.usage.has_newer(&waiting.plan.touch))
        .collect();
    let begun = Begun::begin(&tx, plans, &willing).await?;
    let holds = |(waiting, willing): (&&Waiting, &bool)| *willing && begun.holds(&waiting.plan);
    let applied: Vec<bool> = plans.iter().zip(&willing).map(holds).collect();
    let chosen: Vec<&Waiting> = plans
        .iter()
        .zip(&applied)
        .filter(|(_, applied)| **applied)
        .map(|(w, _)| *w)
        .collect();
    let mut moved = HashMap::new();
    if !chosen.is_empty() {
        moved = write_all(&mut tx, &chosen).await?;
        tx.commit(&shared.versions).await?;
        for waiting in &chosen {
            shared.usage.note_applied(&waiting.plan);
        }
    }
    let answer = |((waiting, applied), before): ((&&Waiting, bool), u64)| {
        if !applied {
            return Err(StoreError::Conflict);
        }
        let user = waiting.plan.touch.user;
        Ok(Stamp {
            policy: begun.policy,
            stripe: Stripe::of(user),
            user: moved.get(&counter_of(user)).copied().unwrap_or(before),
        })
    };
    Ok(plans.iter().zip(applied).zip(numbers).map(answer).collect())
}

/// State at the beginning of the transaction: the versions found, and the users created.
struct Begun {
    policy: u64,
    versions: HashMap<String, u64>,
    created: HashSet<String>,
}

/// The policy number, and the versions of users.
const EXPECTED: &str = "SELECT NULL AS id, c.version FROM change_counters c WHERE c.id = 0 \
     UNION ALL SELECT u.id, u.version FROM users u WHERE u.id = ANY($1)";

impl Begun {
    async fn begin(tx: &Tx, plans: &[&Waiting], willing: &[bool]) -> Outcome<Self> {
        let plans = || {
            plans
                .iter()
                .zip(willing)
                .filter(|(_, willing)| **willing)
                .map(|(waiting, _)| &waiting.plan)
        };
        let known: Vec<String> = plans()
            .filter(|plan| plan.expects.user_version.is_some())
            .map(|plan| plan.touch.user.to_string())
            .collect();
        let new: Vec<(&User, Option<u64>)> = plans()
            .flat_map(|plan| plan.changes.iter().map(|change| (change, plan.expects.policy)))
            .filter_map(|(change, policy)| match change {
                Change::CreateUser(user) => Some((&**user, policy)),
                _ => None,
            })
            .collect();
        let values = write::new_users(&new);
        let created = async {
            if new.is_empty() {
                return Ok(Vec::new());
            }
            tx.rows(write::CREATE_USERS, &borrowed(&values)).await
        };
        let known: [&dyn Typed; 1] = [&known];
        let (found, created) = tokio::try_join!(biased; tx.rows(EXPECTED, &known), created)?;
        let mut begun = Self {
            policy: 0,
            versions: HashMap::new(),
            created: HashSet::new(),
        };
        for row in found.iter().map(Values) {
            let mut columns = Columns::of(&row, "user");
            match columns.maybe_string()? {
                Some(id) => drop(begun.versions.insert(id, columns.number()?)),
                None => begun.policy = columns.number()?,
            }
        }
        for row in created.iter().map(Values) {
            begun.created.insert(Columns::of(&row, "user").text()?.to_owned());
        }
        Ok(begun)
    }

    /// Tests whether the state that a plan expects still holds.
    fn holds(&self, plan: &SyncPlan) -> bool {
        let user = plan.touch.user.to_string();
        let same_user = match plan.expects.user_version {
            Some(version) => self.versions.get(&user) == Some(&version),
            None => self.created.contains(&user),
        };
        same_user && plan.expects.policy.is_none_or(|expected| expected == self.policy)
    }
}

/// Writes everything of the plans but their new users. Returns the counters that moved.
async fn write_all(tx: &mut Tx, plans: &[&Waiting]) -> Outcome<HashMap<i64, u64>> {
    let rows = Rows::of(plans);
    let mut commands = records(plans);
    commands.extend(rows.commands());
    if rows.counters.is_empty() {
        tx.run_all(&commands, Then::Commit).await?;
        return Ok(HashMap::new());
    }
    tx.run_all(&commands, Then::GoOn).await?;
    let (ids, times) = tally(&rows.counters);
    let found = tx.rows(write::MOVE, &[&ids, &times]).await?;
    let moved = found.iter().map(counter).collect::<Outcome<Vec<_>>>()?;
    if moved.len() != ids.len() {
        return Err(corrupt("counter", "it did not move").into());
    }
    tx.moved(moved.iter().copied());
    Ok(moved.into_iter().collect())
}

/// The changes of users, organizations and teams, of which a plan has few: one statement for each.
fn records<'p>(plans: &[&'p Waiting]) -> Vec<Command<'p>> {
    let mut commands = Vec::new();
    for change in plans.iter().flat_map(|waiting| &waiting.plan.changes) {
        match change {
            Change::UpdateUser { before, after, .. } | Change::EraseUser { before, after, .. } => {
                commands.push(write::update_user(before, after));
            }
            Change::CreateOrganization(organization) => {
                commands.push(write::create_organization(organization));
                if !organization.tags.roles().is_empty() {
                    commands.push(write::index_tags(organization));
                }
            }
            Change::UpdateOrganization { before, after, .. } => {
                // No name is kept: a plan changes none.
                commands.push(write::update_organization(before, after));
                if after.tags != before.tags {
                    commands.push(write::forget_tags(after.id));
                    commands.push(write::index_tags(after));
                }
            }
            Change::CreateTeam(team) => commands.push(write::create_team(team)),
            Change::UpdateTeam { before, after } => commands.push(write::update_team(before, after)),
            // No plan deletes.
            Change::DeleteOrganization { .. }
            | Change::DeleteTeam { .. }
            | Change::CreateUser(_)
            | Change::OpenGrant(_)
            | Change::CloseGrant(_) => {}
        }
    }
    commands
}

/// Rows of the tables that every plan writes: one statement for each table.
struct Rows<'p> {
    closed: Vec<&'p Grant>,
    opened: Vec<&'p Grant>,
    events: Vec<&'p EventRow>,
    issuers: Vec<IssuerRow<'p>>,
    touches: Vec<&'p Touch>,
    seen: Vec<&'p Touch>,
    regranted: Vec<UserId>,
    counters: Vec<i64>,
}

impl<'p> Rows<'p> {
    fn of(plans: &[&'p Waiting]) -> Self {
        let (mut closed, mut opened) = (Vec::new(), Vec::new());
        for change in plans.iter().flat_map(|waiting| &waiting.plan.changes) {
            match change {
                Change::CloseGrant(grant) => closed.push(&**grant),
                Change::OpenGrant(grant) => opened.push(&**grant),
                _ => {}
            }
        }
        let touches: Vec<&Touch> = plans.iter().map(|waiting| &waiting.plan.touch).collect();
        let known = plans
            .iter()
            .filter(|waiting| waiting.plan.expects.user_version.is_some());
        let (regranted, counters) = moves(plans);
        Self {
            closed,
            opened,
            events: plans.iter().flat_map(|waiting| &waiting.written.events).collect(),
            issuers: touches.iter().map(|touch| issuer_row(touch)).collect(),
            touches,
            seen: known.map(|waiting| &waiting.plan.touch).collect(),
            regranted,
            counters,
        }
    }

    /// A role that changes is closed before it is opened: at most one grant is open for one reason.
    fn commands(&self) -> Vec<Command<'_>> {
        let asserted = asserted(&self.touches);
        let commands = [
            (!self.closed.is_empty()).then(|| write::close_grants(&self.closed)),
            (!self.opened.is_empty()).then(|| write::open_grants(&self.opened)),
            Some(write::events(&self.events)),
            Some(write::take_places(&self.issuers, !self.seen.is_empty())),
            (!asserted.is_empty()).then(|| write::assert_again(&asserted)),
            (!self.seen.is_empty()).then(|| write::see(&self.seen)),
            (!self.regranted.is_empty()).then(|| write::move_versions(&self.regranted)),
        ];
        commands.into_iter().flatten().collect()
    }
}

/// The users whose version moves although no field of theirs does, and the counters that move.
fn moves(plans: &[&Waiting]) -> (Vec<UserId>, Vec<i64>) {
    let (mut users, mut counters) = (Vec::new(), Vec::new());
    for waiting in plans {
        let Moves { policy, users: moved } = &waiting.written.moves;
        counters.extend(policy.then_some(0));
        for user in moved {
            let edits = |change: &Change| matches!(change, Change::UpdateUser { after, .. } if after.id == *user);
            if !waiting.plan.changes.iter().any(edits) {
                users.push(*user);
            }
            counters.push(counter_of(*user));
        }
    }
    (users, counters)
}
