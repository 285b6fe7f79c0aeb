//! All rows of a PostgreSQL database, out and in.

use std::future::Future;
use std::io::{self, BufRead, Write};
use std::time::Duration;

use narthex_directory::StoreError;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error, IsolationLevel, Transaction};

use super::connect::{Connector, connect};
use super::error::{Fault, told, unavailable};
use super::options::PostgresOptions;
use super::session::TURN;
use super::value::{Value, borrowed, with_kinds};
use super::{migrate, pooler, write};
use narthex_tables::transfer::read::{Reader, Record};
use narthex_tables::transfer::row::{Cell, Row};
use narthex_tables::transfer::schema::{self, BETWEEN, Holds, ORGANIZATION_TAGS, TABLES, Table};
use narthex_tables::transfer::write::Writer;
use narthex_tables::transfer::{Header, Step, Summary, TransferError, Watch, found, same, stopped};

/// Timeout for one statement: those that count and compare look at everything.
const STATEMENT: Duration = Duration::from_mins(10);
/// Number of rows that are read, and written, at once.
const ROWS: usize = 1_000;
/// Number of rows that are read at once where one can have a megabyte or more: the answer is in memory as a whole.
const LARGE_ROWS: usize = 16;
/// Number of bytes of rows that are written at once, more or less.
const BYTES: usize = 2 * 1_048_576;
/// Number of batches in the queue to be written.
const BATCHES: usize = 2;

/// The work is long and alone: rows come by their index and not from a sort, which would be on the server's disk, and
/// references are looked up by index although the tables have no statistics yet.
///
/// All of it is one transaction without a prepared statement: so it goes through a pooler as well.
const SETTINGS: &str = "SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '30s'; \
     SET LOCAL idle_in_transaction_session_timeout = '30min'; SET LOCAL jit = off; SET LOCAL enable_seqscan = off; \
     SET LOCAL enable_sort = off; SET LOCAL plan_cache_mode = force_generic_plan; \
     SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/// Writes all rows of one moment.
pub async fn export<W: Write>(
    options: &PostgresOptions,
    header: &Header,
    writer: &mut Writer<W>,
    watch: &mut Watch,
) -> Result<(), TransferError> {
    let mut client = open(options).await?;
    match migrate::pending(&client).await?.first() {
        Some(first) if first.version == 1 => return Err(TransferError::Absent),
        Some(_) => return Err(TransferError::Outdated),
        None => {}
    }
    let moment = client
        .build_transaction()
        .isolation_level(IsolationLevel::RepeatableRead)
        .read_only(true);
    let tx = within(moment.start()).await?;
    within(tx.batch_execute(SETTINGS)).await?;
    let mut total = 0;
    for table in TABLES {
        total += count(&tx, &table.count()).await?;
    }
    writer.header(header)?;
    rows(&tx, writer, |records| {
        watch.tell(Step::Export, records, u64::try_from(total).ok(), 0)
    })
    .await?;
    within(tx.commit()).await
}

/// Fills an empty database.
pub async fn import<R: BufRead + Send + 'static>(
    options: &PostgresOptions,
    reader: Reader<R>,
    watch: &mut Watch,
) -> Result<Summary, TransferError> {
    let mut client = open(options).await?;
    migrate::migrate(&mut client).await?;
    // Whatever ends this early, a kill too, leaves the database as it was: the transaction is not committed.
    let tx = within(client.transaction()).await?;
    within(tx.batch_execute(SETTINGS)).await?;
    // No other writer runs meanwhile, so what is empty stays so.
    within(tx.batch_execute(TURN)).await?;
    let summary = fill(&tx, reader, watch).await?;
    commit(tx).await?;
    Ok(summary)
}

/// Commits. Unless the server says that it rolled back, it may have committed.
async fn commit(tx: Transaction<'_>) -> Result<(), TransferError> {
    let why = match timeout(STATEMENT + Duration::from_secs(10), tx.commit()).await {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(error)) if rolled_back(&error) => return Err(failed(error)),
        Ok(Err(error)) => told(&error),
        Err(_) => "PostgreSQL does not answer".to_owned(),
    };
    Err(TransferError::Unconfirmed { why })
}

/// Tests whether the server says that a rule or another transaction kept it from committing. A server that is shut
/// down, for one, may have committed already and only wait for its standbys.
fn rolled_back(error: &Error) -> bool {
    error.code().is_some_and(|code| {
        let class = code.code().get(..2);
        matches!(class, Some("23" | "40")) && *code != SqlState::T_R_STATEMENT_COMPLETION_UNKNOWN
    })
}

async fn open(options: &PostgresOptions) -> Result<Client, TransferError> {
    // The tasks that drive the connections end with the clients.
    let (client, _) = connect(&Connector::new(options).map_err(unavailable)?).await?;
    let Some(direct) = options.direct() else {
        return Ok(client);
    };
    let (direct, _) = connect(&Connector::new(direct).map_err(unavailable)?).await?;
    pooler::same_database(&client, &direct).await?;
    Ok(direct)
}

/// Waits for an answer, a little longer than the server lets a statement run.
async fn within<T>(answer: impl Future<Output = Result<T, Error>>) -> Result<T, TransferError> {
    match timeout(STATEMENT + Duration::from_secs(10), answer).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(failed(error)),
        Err(_) => Err(unavailable("PostgreSQL does not answer").into()),
    }
}

fn failed(error: Error) -> TransferError {
    let said = told(&error);
    TransferError::Store(match Fault::from(error) {
        Fault::Constraint => unavailable(said),
        Fault::Store(error) => error,
    })
}

async fn count(tx: &Transaction<'_>, sql: &str) -> Result<i64, TransferError> {
    let row = within(tx.query_typed_one(sql, &[])).await?;
    row.try_get(0).map_err(failed)
}

/// Writes all rows in the order of a file.
async fn rows<W: Write>(
    tx: &Transaction<'_>,
    writer: &mut Writer<W>,
    mut tell: impl FnMut(u64) -> Result<(), TransferError>,
) -> Result<(), TransferError> {
    for (index, table) in TABLES.iter().enumerate() {
        let large = table
            .columns
            .iter()
            .any(|column| matches!(column.holds, Holds::Bytes(_)));
        let at_once = if large { LARGE_ROWS } else { ROWS };
        let (declare, fetch) = (
            format!("DECLARE rows NO SCROLL CURSOR FOR {}", table.select()),
            format!("FETCH FORWARD {at_once} FROM rows"),
        );
        within(tx.batch_execute(&declare)).await?;
        loop {
            let found = within(tx.query_typed(&fetch, &[])).await?;
            for row in &found {
                writer.record(index, read(table, row).map_err(failed)?)?;
            }
            tell(writer.records())?;
            if found.len() < at_once {
                break;
            }
        }
        within(tx.batch_execute("CLOSE rows")).await?;
    }
    Ok(())
}

fn read(table: &Table, row: &tokio_postgres::Row) -> Result<Row, Error> {
    let mut cells = Vec::with_capacity(table.columns.len());
    for (index, column) in table.columns.iter().enumerate() {
        let cell = match column.holds {
            Holds::Text(_) | Holds::Object | Holds::Texts(_) => row.try_get::<_, Option<_>>(index)?.map(Cell::Text),
            Holds::Time | Holds::Count => row.try_get::<_, Option<_>>(index)?.map(Cell::Integer),
            Holds::Flag => row.try_get::<_, Option<_>>(index)?.map(Cell::Flag),
            Holds::Bytes(_) => row.try_get::<_, Option<_>>(index)?.map(Cell::Bytes),
        };
        cells.push(cell.unwrap_or(Cell::Null));
    }
    Ok(Row(cells))
}

/// Records of one table that are written at once.
struct Batch {
    table: usize,
    rows: Vec<Row>,
    lines: Vec<u64>,
    /// Number of bytes of the file that were read by then.
    bytes: u64,
}

/// Reads records into batches. Runs on a thread of its own, since reading a file blocks.
fn batches<R: BufRead>(mut reader: Reader<R>, to: &mpsc::Sender<Batch>) -> Result<Summary, TransferError> {
    let mut batch: Option<(Batch, usize)> = None;
    let send = |batch: Option<(Batch, usize)>| match batch {
        // The writing task has given up, and says why.
        Some((batch, _)) => to.blocking_send(batch).map_err(|_| TransferError::Stopped),
        None => Ok(()),
    };
    loop {
        let Record { table, row, line } = match reader.read()? {
            Ok(record) => record,
            Err(summary) => {
                send(batch.take())?;
                return Ok(summary);
            }
        };
        let full = |(batch, size): &(Batch, usize)| batch.table != table || batch.rows.len() >= ROWS || *size >= BYTES;
        if batch.as_ref().is_some_and(full) {
            send(batch.take())?;
        }
        let new = || Batch {
            table,
            rows: Vec::new(),
            lines: Vec::new(),
            bytes: 0,
        };
        let (batch, size) = batch.get_or_insert_with(|| (new(), 0));
        *size += row.size();
        batch.rows.push(row);
        batch.lines.push(line);
        batch.bytes = reader.bytes();
    }
}

async fn fill<R: BufRead + Send + 'static>(
    tx: &Transaction<'_>,
    reader: Reader<R>,
    watch: &mut Watch,
) -> Result<Summary, TransferError> {
    let mut counts = Vec::new();
    for table in TABLES.iter().chain([&ORGANIZATION_TAGS]) {
        counts.push((table.kind, count(tx, &table.count()).await?));
    }
    found(&counts)?;
    let (to, mut from) = mpsc::channel(BATCHES);
    let reading = spawn_blocking(move || batches(reader, &to));
    let mut records = 0;
    while let Some(batch) = from.recv().await {
        insert(tx, &batch).await?;
        records += u64::try_from(batch.rows.len()).unwrap_or(0);
        watch.tell(Step::Import, records, None, batch.bytes)?;
    }
    let promised = reading.await.map_err(stopped)??;
    for (query, why) in BETWEEN {
        let count = count(tx, query).await?;
        if count > 0 {
            return Err(TransferError::Between { count, why });
        }
    }
    let mut held = Writer::new(io::sink());
    let total = Some(promised.counts.total());
    rows(tx, &mut held, |records| watch.tell(Step::Check, records, total, 0)).await?;
    same(&held.into_summary(), &promised)?;
    // Nodes that already serve on this database are notified that everything may have changed.
    let (ids, times) = (vec![0_i64], vec![1_i64]);
    within(tx.query_typed(write::MOVE, &with_kinds(&[&ids, &times]))).await?;
    Ok(promised)
}

async fn insert(tx: &Transaction<'_>, batch: &Batch) -> Result<(), TransferError> {
    let Some(table) = TABLES.get(batch.table) else {
        return Ok(());
    };
    write_rows(tx, table, &batch.rows, &batch.lines).await?;
    if table.name == "organizations" {
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        for (row, line) in batch.rows.iter().zip(&batch.lines) {
            let tags = schema::organization_tags(row).map_err(|why| TransferError::Line { line: *line, why })?;
            lines.resize(rows.len() + tags.len(), *line);
            rows.extend(tags);
        }
        for (rows, lines) in rows.chunks(ROWS).zip(lines.chunks(ROWS)) {
            write_rows(tx, &ORGANIZATION_TAGS, rows, lines).await?;
        }
    }
    Ok(())
}

/// Writes rows in one statement. If one of them breaks a rule of the schema, they are written one by one to find it.
async fn write_rows(tx: &Transaction<'_>, table: &Table, rows: &[Row], lines: &[u64]) -> Result<(), TransferError> {
    let statement = insertion(table);
    within(tx.batch_execute("SAVEPOINT batch")).await?;
    let Err(first) = execute(tx, &statement, table, rows).await? else {
        // Each that stays is one more level that later statements look through.
        return within(tx.batch_execute("RELEASE SAVEPOINT batch")).await;
    };
    within(tx.batch_execute("ROLLBACK TO batch")).await?;
    for (row, line) in rows.iter().zip(lines) {
        if let Err(why) = execute(tx, &statement, table, std::slice::from_ref(row)).await? {
            return Err(TransferError::Line { line: *line, why });
        }
    }
    let (start, end) = (lines.first().copied(), lines.last().copied());
    Err(TransferError::Lines {
        first: start.unwrap_or(0),
        last: end.unwrap_or(0),
        why: first,
    })
}

/// Runs a statement for rows. The inner error is the problem with them.
async fn execute(
    tx: &Transaction<'_>,
    statement: &str,
    table: &Table,
    rows: &[Row],
) -> Result<Result<(), String>, TransferError> {
    let values: Vec<Value<'_>> = (0..table.columns.len())
        .map(|index| array(table, rows, index))
        .collect();
    let done = timeout(
        STATEMENT + Duration::from_secs(10),
        tx.execute_typed(statement, &with_kinds(&borrowed(&values))),
    )
    .await;
    let error = match done {
        Err(_) => return Err(unavailable("PostgreSQL does not answer").into()),
        Ok(Ok(_)) => return Ok(Ok(())),
        Ok(Err(error)) => error,
    };
    // SECURITY: the server's own message quotes values; the name of the rule does not.
    let rule = error
        .as_db_error()
        .and_then(|error| error.constraint())
        .unwrap_or("a rule");
    match error.code() {
        Some(code) if code.code().starts_with("23") => Ok(Err(format!(
            "it does not go with the lines before it: `{rule}` of the schema does not hold"
        ))),
        Some(code) if *code == SqlState::PROGRAM_LIMIT_EXCEEDED || code.code().starts_with("22") => {
            Ok(Err(StoreError::from(Fault::from(error)).to_string()))
        }
        _ => Err(failed(error)),
    }
}

fn insertion(table: &Table) -> String {
    let arrays = table.columns.iter().enumerate().map(|(index, column)| {
        let kind = match column.holds {
            Holds::Text(_) | Holds::Object | Holds::Texts(_) => "text",
            Holds::Time | Holds::Count => "bigint",
            Holds::Flag => "boolean",
            Holds::Bytes(_) => "bytea",
        };
        format!("${}::{kind}[]", index + 1)
    });
    let arrays: Vec<String> = arrays.collect();
    let (name, names, arrays) = (table.name, table.names(), arrays.join(", "));
    format!("INSERT INTO {name} ({names}) SELECT * FROM unnest({arrays})")
}

/// One column of many rows.
fn array<'a>(table: &Table, rows: &'a [Row], index: usize) -> Value<'a> {
    let cells = rows.iter().map(move |row| row.0.get(index));
    let Some(column) = table.columns.get(index) else {
        return Box::new(Vec::<Option<i64>>::new());
    };
    macro_rules! of {
        ($variant:path, $taken:expr) => {
            Box::new(
                cells
                    .map(|cell| {
                        if let Some($variant(value)) = cell {
                            Some($taken(value))
                        } else {
                            None
                        }
                    })
                    .collect::<Vec<_>>(),
            )
        };
    }
    match column.holds {
        Holds::Text(_) | Holds::Object | Holds::Texts(_) => of!(Cell::Text, String::as_str),
        Holds::Time | Holds::Count => of!(Cell::Integer, |number: &i64| *number),
        Holds::Flag => of!(Cell::Flag, |flag: &bool| *flag),
        Holds::Bytes(_) => of!(Cell::Bytes, Vec::as_slice),
    }
}
