//! `narthex team …`

use narthex_directory::{ExternalId, NewTeam, Scope, TeamFilter, TeamId};
use narthex_gateway::NewIds;
use narthex_gateway::admin::{List, TeamBody};
use narthex_mapping::profile;

use super::organization::list_members;
use super::table::Table;
use super::{Answer, Desk, gather, misused};
use crate::args::TeamCommand;
use crate::commands::screen::moment;

/// Runs it.
pub(super) async fn run(command: TeamCommand) -> anyhow::Result<Answer> {
    match command {
        TeamCommand::List {
            organization,
            page,
            common,
        } => {
            let desk = Desk::open(&common).await?;
            let organization = Some(desk.organization(&organization).await?.id);
            let filter = TeamFilter {
                organization,
                ..TeamFilter::default()
            };
            let found = gather(page, |page| desk.directory.teams(filter.clone(), page)).await?;
            desk.list(&List::of(found, TeamBody::from), |teams| {
                Table::new(["NAME", "EXTERNAL ID", "ID"], "It has no teams.").rows(teams, |team| {
                    [
                        team.name.clone(),
                        team.external_id.clone().unwrap_or_default(),
                        team.id.clone(),
                    ]
                })
            })
        }
        TeamCommand::Show { team, common } => {
            let desk = Desk::open(&common).await?;
            let found = desk.team(&team).await?;
            show(&desk, found.into()).await
        }
        TeamCommand::Create {
            organization,
            name,
            external_id,
            common,
        } => {
            let kept = profile::text(&name).map_err(|error| misused(format!("the name: {error}")))?;
            let name = kept.ok_or_else(|| misused("the name is empty"))?;
            let desk = Desk::open(&common).await?;
            let organization = desk.organization(&organization).await?;
            let new = NewTeam {
                id: TeamId::new(desk.now_ms(), &mut NewIds::new()?),
                realm: organization.realm,
                organization: Some(organization.id),
                external_id: external_id.map(ExternalId::new).transpose()?,
                name,
            };
            let made = desk.directory.create_team(new, desk.by()).await?;
            show(&desk, made.into()).await
        }
        TeamCommand::Members { team, page, common } => {
            let desk = Desk::open(&common).await?;
            let team = desk.team(&team).await?;
            list_members(&desk, Scope::Team(team.id), &team.name, page).await
        }
    }
}

async fn show(desk: &Desk, team: TeamBody) -> anyhow::Result<Answer> {
    let organization = match &team.organization_id {
        Some(id) => desk.scope_name(Scope::Organization(id.parse()?)).await?,
        None => None,
    };
    desk.answer(&team, || {
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
