//! Declarations and logos of organizations.

use narthex_directory::{Change, Declaring, Logo, Met, NewOrganization, OrganizationId};
use rusqlite::{Connection, OptionalExtension, params};

use super::error::Outcome;
use super::list::{self, Key};
use super::writer::Tx;
use narthex_tables::rows::corrupt;

/// Returns the changes that bring the declared organizations to their declared state.
pub(super) fn declare(tx: &Tx<'_>, declared: Vec<NewOrganization>, at_ms: i64) -> Outcome<Vec<Change>> {
    let mut declaring = Declaring::new(at_ms);
    for new in declared {
        let named = list::organization(tx, Key::Name, new.name.as_str())?;
        let manual = match &named {
            Some(named) => list::manual_grants(tx, &named.id.to_string())?,
            None => Vec::new(),
        };
        let known_as = match &new.external_id {
            Some(external_id) => list::organization_known_as(tx, &new.realm, external_id)?,
            None => None,
        };
        let met = Met {
            named,
            manual,
            known_as,
        };
        declaring.add(new, met)?;
    }
    Ok(declaring.finish(&list::declared(tx)?))
}

/// The logo of an organization, if it has one.
pub(super) fn logo(connection: &Connection, organization: OrganizationId) -> Outcome<Option<Logo>> {
    let mut statement = connection.prepare_cached("SELECT bytes FROM organization_logos WHERE organization_id = ?1")?;
    let bytes: Option<Vec<u8>> = statement
        .query_row([organization.to_string()], |row| row.get(0))
        .optional()?;
    let Some(bytes) = bytes else {
        return Ok(None);
    };
    let logo = Logo::new(bytes).ok_or_else(|| corrupt("logo", "it is neither PNG nor JPEG"))?;
    Ok(Some(logo))
}

/// Sets or removes a logo's bytes.
pub(super) fn keep_logo(tx: &Tx<'_>, organization: OrganizationId, bytes: Option<&[u8]>) -> Outcome<()> {
    let id = organization.to_string();
    match bytes {
        Some(bytes) => tx
            .prepare_cached(
                "INSERT INTO organization_logos (organization_id, bytes) VALUES (?1, ?2) \
                 ON CONFLICT (organization_id) DO UPDATE SET bytes = excluded.bytes",
            )?
            .execute(params![id, bytes])?,
        None => tx
            .prepare_cached("DELETE FROM organization_logos WHERE organization_id = ?1")?
            .execute([id])?,
    };
    Ok(())
}
