//! What leaves the file by itself, a piece at a time.

use rusqlite::Connection;

use crate::{clock::millis, feed, outbox, refused};

/// Most rows of a table that leave at once: some milliseconds, which callers wait for.
const PIECE: usize = 500;

/// How often it is looked for.
const EVERY_MS: i64 = 5000;

/// How soon it goes on where a piece was not all: up to 5,000 rows a second then, as fast as
/// onboardings finish here.
const BEHIND_MS: i64 = 100;

/// When something is to leave next.
#[derive(Default)]
pub(super) struct Retention {
    /// Not to be looked for before then (ms).
    next: i64,
}

impl Retention {
    /// Removes what was kept for long enough, if it is time to.
    pub(super) fn keep_to(&mut self, connection: &Connection, now: i64) -> rusqlite::Result<()> {
        if now < self.next {
            return Ok(());
        }
        let told = now.saturating_sub(millis(feed::KEPT));
        let ended = now.saturating_sub(millis(outbox::ENDED_KEPT));
        let refused = now.saturating_sub(millis(refused::KEPT));
        let pieces = [
            // By the order in which it happened: whether the oldest are old is found at once.
            (
                "DELETE FROM happening WHERE at < ?1 \
                 AND position < (SELECT max(position) FROM happening) \
                 AND position IN (SELECT position FROM happening ORDER BY position LIMIT ?2)",
                told,
            ),
            (
                "DELETE FROM delivery WHERE seq IN (SELECT seq FROM delivery \
                 INDEXED BY delivery_ended WHERE state <> 0 AND last_at < ?1 \
                 ORDER BY last_at LIMIT ?2)",
                ended,
            ),
            (
                "DELETE FROM answer WHERE n IN (SELECT n FROM answer \
                 INDEXED BY answer_expires WHERE expires_at <= ?1 \
                 ORDER BY expires_at LIMIT ?2)",
                now,
            ),
            (
                "DELETE FROM refused WHERE n IN (SELECT n FROM refused WHERE last_at < ?1 LIMIT ?2)",
                refused,
            ),
        ];
        let mut behind = false;
        for (sql, before) in pieces {
            let gone = connection.prepare_cached(sql)?.execute((before, PIECE))?;
            behind |= gone == PIECE;
        }
        self.next = now.saturating_add(if behind { BEHIND_MS } else { EVERY_MS });
        Ok(())
    }
}
