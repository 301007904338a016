//! What differs between two readings of the files, for the log.

use std::collections::BTreeMap;
use std::fmt;

use crate::definition::problem::Problem;
use crate::definition::unit::Listing;

/// Most files of a kind that a line of the log names.
const MAX_NAMED: usize = 10;

/// What differs between two readings of the files.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Changes {
    added: Vec<String>,
    removed: Vec<String>,
    changed: Vec<String>,
    /// Something else than a resource: a directory, or a file that is none.
    others: bool,
}

impl Changes {
    pub(super) fn between(before: &Listing, after: &Listing) -> Changes {
        let (mut before_by_path, mut changes) = (by_path(before), Changes::default());
        for (path, text) in by_path(after) {
            match before_by_path.remove(path) {
                None => changes.added.push(path.to_owned()),
                Some(known) if known != text => changes.changed.push(path.to_owned()),
                Some(_) => {}
            }
        }
        changes.removed = before_by_path.into_keys().map(str::to_owned).collect();
        changes.others = problems(before).ne(problems(after));
        changes
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Changes::default()
    }
}

fn by_path(listing: &Listing) -> BTreeMap<&str, &Result<String, String>> {
    listing.files().map(|file| (file.path.as_str(), &file.text)).collect()
}

/// What is wrong with the directories.
fn problems(listing: &Listing) -> impl Iterator<Item = &Problem> {
    let of_units = listing.units.values().flat_map(|unit| unit.problems.iter());
    listing.problems.iter().chain(of_units)
}

impl fmt::Display for Changes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        for (what, paths) in [
            ("added", &self.added),
            ("removed", &self.removed),
            ("changed", &self.changed),
        ] {
            if paths.is_empty() {
                continue;
            }
            let named = paths.get(..MAX_NAMED).unwrap_or(paths);
            let more = paths.len() - named.len();
            let more = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            parts.push(format!("{what} {}{more}", named.join(", ")));
        }
        match parts.is_empty() {
            true if self.others => f.write_str("files that hold no resource"),
            true => f.write_str("no file has changed"),
            false => f.write_str(&parts.join("; ")),
        }
    }
}
