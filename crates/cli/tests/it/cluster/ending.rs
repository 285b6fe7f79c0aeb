//! What is in the database when all is over.

use std::collections::{BTreeMap, HashMap};

use narthex_testkit::{
    admin::{Admin, text},
    history::{End, History},
};
use serde_json::Value;

use super::load::Token;
use super::nodes::Cluster;

/// Reads it: users from the promoted server itself, the rest through the admin API.
pub(super) async fn read(cluster: &Cluster, history: &History, tokens: &[Token]) -> End {
    let users = cluster
        .standby
        .sql("directory", "SELECT external_id FROM users")
        .unwrap();
    let mut end = End {
        users: users.lines().map(str::to_owned).collect(),
        ..End::default()
    };
    let api = cluster.nodes[0].narthex.api();
    let mut registers: Vec<&str> = history.changes.iter().map(|change| &*change.register).collect();
    registers.sort_unstable();
    registers.dedup();
    for register in registers {
        let (kind, _) = register.split_once('-').unwrap();
        match kind {
            "tags" => {
                let organization = api.get(&format!("/organizations/{register}")).await.unwrap();
                let on = !organization["external_member_groups"].as_array().unwrap().is_empty();
                end.values.insert(register.to_owned(), on);
                let told = events(&api, &format!("organization={}", text(&organization, "id"))).await;
                let told = told.iter().filter_map(|event| changed(event, "external_member_groups"));
                end.audit
                    .insert(register.to_owned(), told.map(|to| !to.is_null()).collect());
            }
            "status" => {
                let user = api.user(register).await.unwrap().unwrap();
                end.values
                    .insert(register.to_owned(), text(&user, "status") == "active");
                let told = events(&api, &format!("user={}", text(&user, "id"))).await;
                let told = told.iter().filter_map(|event| changed(event, "status"));
                end.audit
                    .insert(register.to_owned(), told.map(|to| *to == "active").collect());
            }
            "hand" => {
                let user = api.user(register).await.unwrap().unwrap();
                let id = text(&user, "id");
                let manual = |value: &&Value| text(value, "source") == "manual";
                let grants = api.open_grants(id).await.unwrap();
                end.values
                    .insert(register.to_owned(), grants.iter().any(|grant| manual(&grant)));
                let told = events(&api, &format!("user={id}")).await;
                let told = told.iter().filter(|event| manual(&&event["detail"]));
                // The first one was given before the run.
                let told = told.map(|event| text(event, "action") == "grant.opened").skip(1);
                end.audit.insert(register.to_owned(), told.collect());
            }
            _ => {}
        }
    }
    end.values.extend(revoked(cluster, tokens));
    end
}

/// Whether the tokens of users who signed out everywhere are good.
fn revoked(cluster: &Cluster, tokens: &[Token]) -> BTreeMap<String, bool> {
    let sql = "SELECT external_id, coalesce(tokens_not_before_ms, 0) FROM users";
    let rows = cluster.standby.sql("directory", sql).unwrap();
    let not_before: HashMap<&str, i64> = rows
        .lines()
        .filter_map(|row| row.split_once('|'))
        .map(|(user, not_before)| (user, not_before.parse().unwrap()))
        .collect();
    let good = |token: &Token| token.issued_at_ms >= not_before[&*token.user];
    tokens
        .iter()
        .map(|token| (token.register.clone(), good(token)))
        .collect()
}

async fn events(api: &Admin, filter: &str) -> Vec<Value> {
    api.list(&format!("/audit-events?order=oldest_first&limit=200&{filter}"))
        .await
        .unwrap()
}

/// What a field became; none if the event does not say.
fn changed<'e>(event: &'e Value, field: &str) -> Option<&'e Value> {
    let updated = text(event, "action").ends_with(".updated");
    event["detail"].get(field).filter(|_| updated)?.get("to")
}
