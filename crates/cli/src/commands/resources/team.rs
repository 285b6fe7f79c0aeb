//! `narthex team …`

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use narthex_admin::api::{List, TeamBody};
use narthex_clock::NewIds;
use narthex_directory::{Edit, ExternalId, NewTeam, Scope, TeamEdit, TeamFilter, TeamId};
use narthex_mapping::profile;

use super::organization::list_members;
use super::table::Table;
use super::{AdminContext, Answer, gather, usage_error};
use crate::args::{Common, ListPage, TeamCommand};
use crate::commands::terminal::moment;

/// Runs it.
pub(super) async fn run(command: TeamCommand) -> anyhow::Result<Answer> {
    match command {
        TeamCommand::List {
            organization,
            page,
            common,
        } => list(organization, page, &common).await,
        TeamCommand::Show { team, common } => {
            let context = AdminContext::open(&common).await?;
            let found = context.team(&team).await?;
            show(&context, found.into()).await
        }
        TeamCommand::Create {
            organization,
            name,
            external_id,
            common,
        } => create(&organization, &name, external_id, &common).await,
        TeamCommand::Update {
            team,
            name,
            organization,
            no_organization,
            external_id,
            common,
        } => {
            let name = name.map(|name| name_of(&name)).transpose()?;
            let external_id = external_id.map(ExternalId::new).transpose()?;
            if (&name, &organization, no_organization, &external_id) == (&None, &None, false, &None) {
                return Err(usage_error(
                    "nothing to change is given; `narthex team update --help` lists what can be",
                ));
            }
            let context = AdminContext::open(&common).await?;
            let organization = match organization {
                Some(organization) => Edit::Set(context.organization(&organization).await?.id),
                None if no_organization => Edit::Clear,
                None => Edit::Keep,
            };
            let edit = TeamEdit {
                name,
                organization,
                external_id: external_id.map_or(Edit::Keep, Edit::Set),
            };
            let team = context.team(&team).await?.id;
            let changed = context.directory.update_team(team, None, edit, context.by()).await?;
            show(&context, changed.into()).await
        }
        TeamCommand::Members {
            team,
            as_of,
            page,
            common,
        } => {
            let context = AdminContext::open(&common).await?;
            let team = context.team(&team).await?;
            list_members(&context, Scope::Team(team.id), &team.name, as_of, page).await
        }
    }
}

async fn create(
    organization: &str,
    name: &str,
    external_id: Option<String>,
    common: &Common,
) -> anyhow::Result<Answer> {
    let name = name_of(name)?;
    let context = AdminContext::open(common).await?;
    let organization = context.organization(organization).await?;
    let new = NewTeam {
        id: TeamId::new(context.now_ms(), &mut NewIds::new()?),
        realm: organization.realm,
        organization: Some(organization.id),
        external_id: external_id.map(ExternalId::new).transpose()?,
        name,
    };
    let made = context.directory.create_team(new, context.by()).await?;
    show(&context, made.into()).await
}

async fn list(organization: Option<String>, page: ListPage, common: &Common) -> anyhow::Result<Answer> {
    let context = AdminContext::open(common).await?;
    let organization = match organization {
        Some(organization) => Some(context.organization(&organization).await?.id),
        None => None,
    };
    let filter = TeamFilter {
        organization,
        ..TeamFilter::default()
    };
    let found = gather(page, |page| context.directory.teams(filter.clone(), page)).await?;
    let mut names = BTreeMap::new();
    for id in found.items.iter().filter_map(|team| team.organization) {
        if let Entry::Vacant(unnamed) = names.entry(id.to_string()) {
            unnamed.insert(context.scope_name(Scope::Organization(id)).await?.unwrap_or_default());
        }
    }
    context.list(&List::of(found, TeamBody::from), |teams| {
        let headings = ["NAME", "ORGANIZATION", "REALM", "EXTERNAL ID", "ID"];
        Table::new(headings, "There are no such teams.").rows(teams, |team| {
            let organization = team.organization_id.as_ref().and_then(|id| names.get(id));
            [
                team.name.clone(),
                organization.cloned().unwrap_or_else(|| "none yet".to_owned()),
                team.realm.clone(),
                team.external_id.clone().unwrap_or_default(),
                team.id.clone(),
            ]
        })
    })
}

fn name_of(text: &str) -> anyhow::Result<String> {
    let kept = profile::text(text).map_err(|error| usage_error(format!("the name: {error}")))?;
    kept.ok_or_else(|| usage_error("the name is empty"))
}

async fn show(context: &AdminContext, team: TeamBody) -> anyhow::Result<Answer> {
    let organization = match &team.organization_id {
        Some(id) => context.scope_name(Scope::Organization(id.parse()?)).await?,
        None => None,
    };
    context.answer(&team, || {
        let facts = [
            ("name", Some(team.name.clone())),
            ("id", Some(team.id.clone())),
            ("organization", organization.or(Some("none yet".to_owned()))),
            ("realm", Some(team.realm.clone())),
            ("external id", team.external_id.clone()),
            ("made", Some(moment(team.created_at.0))),
        ];
        Table::facts(facts).to_string()
    })
}
