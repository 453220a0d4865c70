//! What a store remembers of a move: kept in it as JSON, and changed in one atomic step with a check
//! of what it was before.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Departure, MoveId};
use crate::{Error, Result};

/// A store's part in the last move that it was in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mark {
    stage: Stage,
    id: MoveId,
    /// The other store's place.
    other: String,
    /// Since when (ms).
    at: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Stage {
    Leaving,
    Left,
    Arriving,
    Arrived,
}

impl Mark {
    /// Why the store is closed, if it is.
    pub(crate) fn refusal(&self, place: &str) -> Option<Error> {
        let other = &self.other;
        let message = match self.stage {
            Stage::Arrived => return None,
            Stage::Left => format!(
                "it was moved to {other} on {}; name that one with --store",
                date(self.at)
            ),
            Stage::Leaving => format!(
                "it is being moved to {other} since {}; run `trunkline store copy` again, which goes on where it was",
                date(self.at)
            ),
            Stage::Arriving => format!(
                "it holds a copy from {other} that has not ended; run the same `trunkline store copy` again, which goes on where it was"
            ),
        };
        Some(unusable(place, message))
    }

    /// The mark of a store that begins to leave for `to`, and how far it is.
    pub(crate) fn depart(
        before: Option<&Self>,
        place: &str,
        to: &str,
        now_ms: i64,
    ) -> Result<(Self, Departure)> {
        let mark = match before {
            Some(mark) if mark.stage == Stage::Arriving => {
                return Err(mark.refusal(place).unwrap_or_else(|| not_empty(place)));
            }
            Some(mark) if mark.stage == Stage::Left && mark.other != to => {
                return Err(mark.refusal(place).unwrap_or_else(|| not_empty(place)));
            }
            Some(mark) if mark.is_departure() && mark.other == to => mark.clone(),
            Some(_) | None => Self {
                stage: Stage::Leaving,
                id: MoveId::draw(),
                other: to.to_owned(),
                at: now_ms,
            },
        };
        let departure = Departure {
            id: mark.id.clone(),
            ended: mark.stage == Stage::Left,
        };
        Ok((mark, departure))
    }

    fn is_departure(&self) -> bool {
        matches!(self.stage, Stage::Leaving | Stage::Left)
    }

    /// The mark of a store from which everything has been carried out.
    pub(crate) fn departed(
        before: Option<&Self>,
        place: &str,
        id: &MoveId,
        now_ms: i64,
    ) -> Result<Self> {
        match before {
            Some(mark) if mark.is_departure() && mark.id == *id => Ok(Self {
                stage: Stage::Left,
                at: if mark.stage == Stage::Left {
                    mark.at
                } else {
                    now_ms
                },
                ..mark.clone()
            }),
            Some(_) | None => Err(another_move(place)),
        }
    }

    /// The mark of a store into which a move is carried, and whether it is still to come.
    pub(crate) fn arrive(
        before: Option<&Self>,
        place: &str,
        id: &MoveId,
        from: &str,
        is_empty: bool,
        now_ms: i64,
    ) -> Result<(Self, bool)> {
        match before {
            Some(mark) if mark.stage == Stage::Arrived && mark.id == *id => {
                Ok((mark.clone(), false))
            }
            Some(mark) if mark.stage == Stage::Arriving && mark.id == *id => {
                Ok((mark.clone(), true))
            }
            Some(mark) if mark.stage != Stage::Arrived => {
                Err(mark.refusal(place).unwrap_or_else(|| not_empty(place)))
            }
            Some(_) | None if !is_empty => Err(not_empty(place)),
            Some(_) | None => {
                let mark = Self {
                    stage: Stage::Arriving,
                    id: id.clone(),
                    other: from.to_owned(),
                    at: now_ms,
                };
                Ok((mark, true))
            }
        }
    }

    /// The mark of a store in which everything has arrived.
    pub(crate) fn arrived(
        before: Option<&Self>,
        place: &str,
        id: &MoveId,
        now_ms: i64,
    ) -> Result<Self> {
        match before {
            Some(mark) if mark.stage == Stage::Arrived && mark.id == *id => Ok(mark.clone()),
            Some(mark) if mark.stage == Stage::Arriving && mark.id == *id => Ok(Self {
                stage: Stage::Arrived,
                at: now_ms,
                ..mark.clone()
            }),
            Some(_) | None => Err(another_move(place)),
        }
    }
}

fn date(ms: i64) -> String {
    let at = Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
    at.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn unusable(place: &str, message: String) -> Error {
    Error::Unusable {
        place: place.to_owned(),
        message,
    }
}

fn not_empty(place: &str) -> Error {
    unusable(
        place,
        "it holds onboardings that this copy did not bring; copy to an empty store".to_owned(),
    )
}

fn another_move(place: &str) -> Error {
    unusable(
        place,
        "another copy has begun since; run `trunkline store copy` again".to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: &str = "sqlite:here.db";

    fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
        result.expect_err("it is refused").to_string()
    }

    #[test]
    fn a_store_leaves_for_one_place_and_may_choose_another_until_it_has_left() {
        let (mark, first) = Mark::depart(None, HERE, "redis://a", 0).unwrap();
        assert!(!first.ended);
        assert!(
            mark.refusal(HERE)
                .unwrap()
                .to_string()
                .contains("redis://a")
        );
        let (mark, again) = Mark::depart(Some(&mark), HERE, "redis://a", 9).unwrap();
        assert_eq!(first, again);
        let (mark, other) = Mark::depart(Some(&mark), HERE, "redis://b", 9).unwrap();
        assert_ne!(other.id, first.id);
        assert!(message(Mark::departed(Some(&mark), HERE, &first.id, 9)).contains("again"));
        let mark = Mark::departed(Some(&mark), HERE, &other.id, 9).unwrap();
        let told = message(Mark::depart(Some(&mark), HERE, "redis://a", 9));
        assert!(told.contains("moved to redis://b on 1970-01-01"), "{told}");
        let (_, repeated) = Mark::depart(Some(&mark), HERE, "redis://b", 9).unwrap();
        assert!(repeated.ended);
    }

    #[test]
    fn a_store_takes_one_move_in_and_is_open_again_once_all_has_arrived() {
        let (id, other) = (MoveId::draw(), MoveId::draw());
        assert!(message(Mark::arrive(None, HERE, &id, "x", false, 0)).contains("empty"));
        let (mark, to_come) = Mark::arrive(None, HERE, &id, "x", true, 0).unwrap();
        assert!(to_come && mark.refusal(HERE).is_some());
        assert!(message(Mark::arrive(Some(&mark), HERE, &other, "y", true, 0)).contains("from x"));
        assert!(message(Mark::depart(Some(&mark), HERE, "z", 0)).contains("from x"));
        assert!(
            Mark::arrive(Some(&mark), HERE, &id, "x", false, 0)
                .unwrap()
                .1
        );
        assert!(Mark::arrived(Some(&mark), HERE, &other, 0).is_err());
        let mark = Mark::arrived(Some(&mark), HERE, &id, 0).unwrap();
        assert!(mark.refusal(HERE).is_none());
        assert!(
            !Mark::arrive(Some(&mark), HERE, &id, "x", false, 0)
                .unwrap()
                .1
        );
        assert!(Mark::depart(Some(&mark), HERE, "z", 0).is_ok());
    }

    #[test]
    fn a_mark_is_kept_as_text() {
        let (mark, _) = Mark::depart(None, HERE, "redis://a", 7).unwrap();
        let text = serde_json::to_string(&mark).unwrap();
        assert_eq!(serde_json::from_str::<Mark>(&text).unwrap(), mark);
    }
}
