//! The tables, and how an older file becomes a newer one.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use rusqlite::{
    Connection, ErrorCode, OptionalExtension, Transaction, TransactionBehavior, config::DbConfig,
};

use super::{failure::Failure, steady_clock::SteadyClock};
use crate::{Error, Result, SealingKey, World, clock::Clock};

/// Each entry brings a file from the version of its index to the next. Entries are never edited
/// once released; a change of the tables is a new entry.
const MIGRATIONS: [&str; 3] = [
    include_str!("migrations/0001_initial.sql"),
    include_str!("migrations/0002_moves.sql"),
    include_str!("migrations/0003_telling.sql"),
];

/// What the key check in `meta` opens to.
const KEY_CHECK: &str = "trunkline";

/// The settings every connection needs. `synchronous = FULL` makes an accepted signup outlive a
/// power cut; with WAL that costs one flush per commit, which the writer shares among callers.
pub(super) fn configure(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(super::BUSY_TIMEOUT)?;
    write_ahead(connection)?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    // A statement is planned once, not anew whenever its arguments change.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(())
}

/// Between two tries to change the file's journal.
const TRY_AGAIN: Duration = Duration::from_millis(10);

/// Turns the write-ahead log on. Where two processes do so to a new file at once, SQLite tells one
/// of them that it is busy without waiting: both hold what the other waits for. The second try
/// finds it done.
fn write_ahead(connection: &Connection) -> rusqlite::Result<()> {
    let started = Instant::now();
    loop {
        let turned_on = connection.pragma_update(None, "journal_mode", "WAL");
        let busy = turned_on
            .as_ref()
            .is_err_and(|error| error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy));
        if !busy || started.elapsed() > super::BUSY_TIMEOUT {
            return turned_on;
        }
        thread::sleep(TRY_AGAIN);
    }
}

/// Brings the file to the newest version, checks that it belongs to this world and key, and goes on
/// with its time.
pub(super) fn prepare(
    connection: &mut Connection,
    place: &str,
    world: World,
    key: &SealingKey,
    clock: Arc<dyn Clock>,
) -> Result<SteadyClock> {
    let fail = |error| Error::from(Failure::new(place, error));
    // Where there is nothing to write, whoever looks waits for no other process's write.
    let behavior = match is_whole(connection, &*clock).map_err(fail)? {
        true => TransactionBehavior::Deferred,
        false => TransactionBehavior::Immediate,
    };
    let transaction = connection
        .transaction_with_behavior(behavior)
        .map_err(fail)?;
    migrate(&transaction, place)?;
    check_world(&transaction, place, world)?;
    check_key(&transaction, place, key)?;
    let clock = SteadyClock::of_file(&transaction, clock).map_err(fail)?;
    transaction.commit().map_err(fail)?;
    Ok(clock)
}

/// Whether [`prepare`] has nothing to write to the file.
fn is_whole(connection: &Connection, clock: &dyn Clock) -> rusqlite::Result<bool> {
    let version: i64 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != MIGRATIONS.len() as i64 {
        return Ok(false);
    }
    let said: i64 = connection.query_row(
        "SELECT count(*) FROM meta WHERE name IN ('world', 'key_check')",
        [],
        |row| row.get(0),
    )?;
    Ok(said == 2 && SteadyClock::goes_on(connection, clock)?)
}

fn migrate(transaction: &Transaction<'_>, place: &str) -> Result<()> {
    let fail = |error| Error::from(Failure::new(place, error));
    let version: usize = transaction
        .pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0))
        .map(|version| usize::try_from(version).unwrap_or(usize::MAX))
        .map_err(fail)?;
    let known = MIGRATIONS.len();
    if version > known {
        return Err(Error::Unusable {
            place: place.to_owned(),
            message: format!(
                "its schema is version {version} and this trunkline knows up to {known}; use the newer trunkline that wrote it"
            ),
        });
    }
    for migration in &MIGRATIONS[version..] {
        transaction.execute_batch(migration).map_err(fail)?;
    }
    if version < known {
        transaction
            .pragma_update(None, "user_version", known as i64)
            .map_err(fail)?;
    }
    Ok(())
}

fn meta(transaction: &Transaction<'_>, name: &str) -> rusqlite::Result<Option<Vec<u8>>> {
    transaction
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
            row.get(0)
        })
        .optional()
}

fn set_meta(transaction: &Transaction<'_>, name: &str, value: &[u8]) -> rusqlite::Result<usize> {
    transaction.execute(
        "INSERT INTO meta (name, value) VALUES (?1, ?2)",
        (name, value),
    )
}

fn check_world(transaction: &Transaction<'_>, place: &str, world: World) -> Result<()> {
    let fail = |error| Error::from(Failure::new(place, error));
    let wanted = world.name();
    match meta(transaction, "world").map_err(fail)? {
        None => set_meta(transaction, "world", wanted)
            .map(drop)
            .map_err(fail),
        Some(found) if found == wanted => Ok(()),
        // Nothing was accepted yet; the first batch decides.
        Some(_) if is_empty(transaction).map_err(fail)? => Ok(()),
        Some(_) => Err(other_world(place, world)),
    }
}

/// Says that a store is not of this world, and what to do.
pub(super) fn other_world(place: &str, world: World) -> Error {
    let message = match world {
        World::Live => {
            "it was filled with --sandbox, so its trunks exist in the simulator only; choose another file with --store sqlite:PATH, or remove this one"
        }
        World::Sandbox => {
            "it holds real onboardings, which --sandbox must not touch; choose another file with --store sqlite:PATH"
        }
    };
    Error::Unusable {
        place: place.to_owned(),
        message: message.to_owned(),
    }
}

fn is_empty(transaction: &Transaction<'_>) -> rusqlite::Result<bool> {
    transaction.query_row("SELECT NOT EXISTS (SELECT 1 FROM onboarding)", [], |row| {
        row.get(0)
    })
}

fn check_key(transaction: &Transaction<'_>, place: &str, key: &SealingKey) -> Result<()> {
    let fail = |error| Error::from(Failure::new(place, error));
    let unusable = |message: String| Error::Unusable {
        place: place.to_owned(),
        message,
    };
    match meta(transaction, "key_check").map_err(fail)? {
        None => {
            let sealed = key
                .seal(b"key_check", &onboarding::Secret::new(KEY_CHECK))
                .map_err(|error| unusable(error.to_string()))?;
            set_meta(transaction, "key_check", &sealed).map(drop).map_err(fail)
        }
        Some(sealed) => match key.open(b"key_check", &sealed) {
            Ok(text) if text.expose() == KEY_CHECK => Ok(()),
            Ok(_) | Err(_) => Err(unusable(
                "it was sealed with another secret key; give the one it was made with (the embedded default is the file beside it that ends in .key)".to_owned(),
            )),
        },
    }
}
