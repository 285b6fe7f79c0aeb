//! Declarations and logos of organizations.

use narthex_directory::{Change, Declaring, Logo, Met, NewOrganization, OrganizationId};

use super::error::Outcome;
use super::list::{self, Key};
use super::rows::Values;
use super::session::{Command, Session, Tx};
use narthex_tables::rows::{Columns, corrupt};

/// Returns the changes that bring the declared organizations to their declared state.
pub(super) async fn declare(tx: &Tx, declared: Vec<NewOrganization>, at_ms: i64) -> Outcome<Vec<Change>> {
    let mut declaring = Declaring::new(at_ms);
    for new in declared {
        let named = list::organization(tx, Key::Name, new.name.as_str()).await?;
        let manual = match &named {
            Some(named) => list::manual_grants(tx, named.id).await?,
            None => Vec::new(),
        };
        let known_as = match &new.external_id {
            Some(external_id) => list::organization_known_as(tx, &new.realm, external_id).await?,
            None => None,
        };
        let met = Met {
            named,
            manual,
            known_as,
        };
        declaring.add(new, met)?;
    }
    Ok(declaring.finish(&list::declared(tx).await?))
}

/// The logo of an organization, if it has one.
pub(super) async fn logo(session: &Session, organization: OrganizationId) -> Outcome<Option<Logo>> {
    let sql = "SELECT bytes FROM organization_logos WHERE organization_id = $1";
    let Some(row) = session.row(sql, &[&organization.to_string()]).await? else {
        return Ok(None);
    };
    let bytes = Columns::of(&Values(&row), "logo").bytes()?.to_vec();
    let logo = Logo::new(bytes).ok_or_else(|| corrupt("logo", "it is neither PNG nor JPEG"))?;
    Ok(Some(logo))
}

/// Sets or removes a logo's bytes.
pub(super) async fn keep_logo(tx: &mut Tx, organization: OrganizationId, bytes: Option<Vec<u8>>) -> Outcome<()> {
    let id = Box::new(organization.to_string());
    let command = match bytes {
        Some(bytes) => Command::new(
            "INSERT INTO organization_logos (organization_id, bytes) VALUES ($1, $2) \
             ON CONFLICT (organization_id) DO UPDATE SET bytes = excluded.bytes",
            vec![id, Box::new(bytes)],
        ),
        None => Command::new("DELETE FROM organization_logos WHERE organization_id = $1", vec![id]),
    };
    tx.run(command).await
}
