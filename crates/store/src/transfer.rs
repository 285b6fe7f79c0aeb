//! Moving a directory from one store to another, through a file of lines: which database it is.

use std::io::{BufRead, Write};
use std::ops::ControlFlow;

use narthex_postgres::PostgresOptions;
use narthex_sqlite::Options;
use narthex_tables::transfer::read::Reader;
use narthex_tables::transfer::write::Writer;
use narthex_tables::transfer::{FORMAT, Watch, stopped};
use tokio::task::spawn_blocking;

pub use narthex_tables::transfer::{Counts, Header, LINE_BYTES_MAX, Progress, Step, Summary, TransferError};

/// Store that a transfer reads or fills.
#[derive(Debug, Clone)]
pub enum Place {
    /// A file.
    Sqlite(Options),
    /// A database.
    Postgres(Box<PostgresOptions>),
}

/// Writes everything that a store holds at one moment. Nodes may go on writing meanwhile.
///
/// Returns the summary of the records, and the writer.
pub async fn export<W: Write + Send + 'static>(
    place: Place,
    out: W,
    at_ms: i64,
    watch: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
) -> Result<(Summary, W), TransferError> {
    let mut watch = Watch::new(watch);
    let header = |store: &str, schema| Header {
        format: FORMAT,
        schema,
        program: env!("CARGO_PKG_VERSION").to_owned(),
        store: store.to_owned(),
        exported_at_ms: at_ms,
    };
    let mut writer = Writer::new(out);
    match place {
        Place::Sqlite(options) => {
            let header = header("sqlite", narthex_sqlite::schema_version());
            let work = move || {
                narthex_sqlite::transfer::export(&options, &header, &mut writer, &mut watch)?;
                writer.finish()
            };
            spawn_blocking(work).await.map_err(stopped)?
        }
        Place::Postgres(options) => {
            let header = header("postgresql", narthex_postgres::schema_version());
            narthex_postgres::transfer::export(&options, &header, &mut writer, &mut watch).await?;
            writer.finish()
        }
    }
}

/// Fills an empty store with the records of a file, or leaves it as it is. A store that does not exist is created.
pub async fn import<R: BufRead + Send + 'static>(
    place: Place,
    input: R,
    watch: impl FnMut(Progress) -> ControlFlow<()> + Send + 'static,
) -> Result<(Header, Summary), TransferError> {
    let mut watch = Watch::new(watch);
    match place {
        Place::Sqlite(options) => {
            let work = move || {
                // A file that is no export creates no store.
                let (header, mut reader) = Reader::open(input, narthex_sqlite::schema_version())?;
                let summary = narthex_sqlite::transfer::import(&options, &mut reader, &mut watch)?;
                Ok((header, summary))
            };
            spawn_blocking(work).await.map_err(stopped)?
        }
        Place::Postgres(options) => {
            let open = || Reader::open(input, narthex_postgres::schema_version());
            let (header, reader) = spawn_blocking(open).await.map_err(stopped)??;
            let summary = narthex_postgres::transfer::import(&options, reader, &mut watch).await?;
            Ok((header, summary))
        }
    }
}
