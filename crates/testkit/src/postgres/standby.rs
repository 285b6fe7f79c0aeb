//! A standby that follows a server, and its promotion.

use std::time::Duration;

use anyhow::{Result, bail};

use super::OwnServer;
use super::server::Place;

impl OwnServer {
    /// A standby of this server, which follows it by streaming from now on. The name is a word of small letters.
    pub fn standby(&self, name: &str) -> Result<Self> {
        Self::start_in(|folder| Place::copy(folder, &self.place, name))
    }

    /// Makes each later commit wait until one of these standbys has it on its disk too: whichever of the two servers is
    /// lost, the other one has everything that a client was told is done.
    pub fn wait_for_standbys(&self, names: &[&str]) -> Result<()> {
        let quorum = format!("ANY 1 ({})", names.join(", "));
        self.place
            .sql(&format!("ALTER SYSTEM SET synchronous_standby_names = '{quorum}'"))?;
        self.place.sql("SELECT pg_reload_conf()")?;
        for _ in 0..500 {
            let state = self.place.sql(
                "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state IN ('sync', 'quorum')",
            )?;
            if state == names.len().to_string() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        bail!("the standbys {names:?} do not follow after 10 s");
    }

    /// Makes a standby the server that takes writes; returns when it does.
    pub fn promote(&self) -> Result<()> {
        match self.place.sql("SELECT pg_promote(true, 30)")?.as_str() {
            "t" => Ok(()),
            said => bail!("the standby was not promoted: {said}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Acknowledged data is on the standby after the primary is gone, and the standby takes writes once it is promoted.
    #[test]
    fn nothing_acknowledged_is_lost_with_the_primary() {
        let mut primary = OwnServer::start().unwrap();
        primary.create_database("directory").unwrap();
        let standby = primary.standby("standby").unwrap();
        primary.wait_for_standbys(&["standby"]).unwrap();
        primary
            .sql("directory", "CREATE TABLE kept AS SELECT 1 AS number")
            .unwrap();
        let refused = standby
            .sql("directory", "CREATE TABLE other ()")
            .unwrap_err()
            .to_string();
        assert!(refused.contains("read-only"), "{refused}");
        primary.kill();
        standby.promote().unwrap();
        standby.sql("directory", "INSERT INTO kept VALUES (2)").unwrap();
        assert_eq!(standby.sql("directory", "SELECT sum(number) FROM kept").unwrap(), "3");
    }
}
