//! What two readings of the same file differ in.

use std::{collections::BTreeMap, fmt};

/// Most names of one kind that are told.
const NAMED_MAX: usize = 20;

/// The names of what two readings differ in.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
}

impl Changes {
    pub(super) fn between<K: Ord + fmt::Display, V: PartialEq>(
        before: &BTreeMap<K, V>,
        now: &BTreeMap<K, V>,
    ) -> Self {
        let mut changes = Self::default();
        for (name, value) in now {
            match before.get(name) {
                None => changes.added.push(name.to_string()),
                Some(old) if old != value => changes.changed.push(name.to_string()),
                Some(_) => {}
            }
        }
        let removed = before.keys().filter(|name| !now.contains_key(name));
        changes.removed.extend(removed.map(ToString::to_string));
        changes
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        for (what, names) in [
            ("added", &self.added),
            ("removed", &self.removed),
            ("changed", &self.changed),
        ] {
            if names.is_empty() {
                continue;
            }
            if !first {
                f.write_str("; ")?;
            }
            first = false;
            let (shown, more) = names.split_at(names.len().min(NAMED_MAX));
            write!(f, "{what} {}", shown.join(", "))?;
            if !more.is_empty() {
                write!(f, " and {} more", more.len())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_added_removed_and_changed_is_named() {
        let before = BTreeMap::from([("acme", 1), ("globex", 2), ("initech", 3)]);
        let now = BTreeMap::from([("acme", 1), ("globex", 7), ("hooli", 4)]);
        assert_eq!(
            Changes::between(&before, &now).to_string(),
            "added hooli; removed initech; changed globex"
        );
        assert!(Changes::between(&now, &now).is_empty());
    }

    #[test]
    fn of_many_names_the_first_are_told() {
        let now: BTreeMap<u32, ()> = (0..1000).map(|n| (n, ())).collect();
        let told = Changes::between(&BTreeMap::new(), &now).to_string();
        assert!(told.ends_with("19 and 980 more"), "{told}");
    }
}
