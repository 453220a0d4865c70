//! What strangers can bring about as often as they like is told now and then, with a count.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How often one kind of thing is told: a person sees soon that it goes on, and a flood of it writes
/// some hundred lines an hour.
const EVERY: Duration = Duration::from_secs(10);

/// Most kinds that are told apart at once; what is beyond is not told until some are forgotten.
const KINDS_MAX: usize = 1000;

/// Counts what happens by its kind.
#[derive(Debug)]
pub(crate) struct Seldom<K>(Mutex<HashMap<K, Told>>);

#[derive(Debug)]
struct Told {
    at: Instant,
    kept_back: u64,
}

impl<K> Default for Seldom<K> {
    fn default() -> Self {
        Self(Mutex::new(HashMap::new()))
    }
}

impl<K: Eq + Hash> Seldom<K> {
    /// Counts one more of this kind at this time. If it is to be told: how many since the last that
    /// was told, with this one.
    pub(crate) fn count(&self, kind: K, now: Instant) -> Option<u64> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= KINDS_MAX && !all.contains_key(&kind) {
            all.retain(|_, told| now.saturating_duration_since(told.at) < EVERY);
            if all.len() >= KINDS_MAX {
                return None;
            }
        }
        let Some(told) = all.get_mut(&kind) else {
            let first = Told {
                at: now,
                kept_back: 0,
            };
            all.insert(kind, first);
            return Some(1);
        };
        told.kept_back = told.kept_back.saturating_add(1);
        if now.saturating_duration_since(told.at) < EVERY {
            return None;
        }
        told.at = now;
        Some(std::mem::take(&mut told.kept_back))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_flood_the_first_is_told_and_then_one_now_and_then_with_a_count() {
        let seldom = Seldom::default();
        let began = Instant::now();
        let told: Vec<u64> = (0..2500)
            .filter_map(|n| seldom.count("flood", began + Duration::from_millis(10 * n)))
            .collect();
        assert_eq!(told, [1, 1000, 1000]);
        assert_eq!(seldom.count("another", began), Some(1), "kinds are apart");
    }

    #[test]
    fn kinds_without_end_cost_bounded_memory() {
        let seldom = Seldom::default();
        let began = Instant::now();
        let told = (0..5000).filter_map(|kind| seldom.count(kind, began));
        assert_eq!(told.count(), KINDS_MAX);
        assert_eq!(seldom.count(9999, began + EVERY), Some(1));
        assert_eq!(seldom.0.lock().unwrap().len(), 1);
    }
}
