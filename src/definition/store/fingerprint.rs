//! What can be told of files without reading them.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::platform::files::{self, FileInfo};

/// A time stamp younger than this may be given again to a later write, so it proves nothing yet.
///
/// File systems stamp with the kernel's tick, up to 10 ms on Linux.
const RESTLESS: Duration = Duration::from_millis(50);

/// What can be told of the files without reading them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fingerprint {
    entries: Vec<Entry>,
    /// Whether a file was written just before, so that another write might leave no trace.
    restless: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    path: PathBuf,
    /// None where the file cannot be looked at. A rename or a swapped symbolic link changes the id even where times do
    /// not.
    info: Option<FileInfo>,
}

impl Fingerprint {
    /// Looks at files.
    pub fn of(paths: Vec<PathBuf>) -> Fingerprint {
        let now = SystemTime::now();
        let entries: Vec<Entry> = paths
            .into_iter()
            .map(|path| Entry {
                info: files::info(&path).ok(),
                path,
            })
            .collect();
        let mut known = entries.iter().filter_map(|entry| entry.info.as_ref());
        let restless = known.any(|info| !is_settled(info, now));
        Fingerprint { entries, restless }
    }

    /// Looks at one more file, unless it was looked at before.
    pub fn note(&mut self, path: &Path) {
        if self.entries.iter().any(|entry| entry.path == path) {
            return;
        }
        let Fingerprint { entries, restless } = Fingerprint::of(vec![path.to_owned()]);
        self.entries.extend(entries);
        self.restless |= restless;
    }

    /// Looks at the same files once more.
    #[must_use]
    pub fn again(&self) -> Fingerprint {
        Fingerprint::of(self.entries.iter().map(|entry| entry.path.clone()).collect())
    }

    /// Whether files may differ between this look and a later one.
    pub fn may_differ(&self, later: &Fingerprint) -> bool {
        self.restless || self.entries != later.entries
    }
}

/// Whether each later write gives a file another time stamp than it had at a moment.
pub(super) fn is_settled(info: &FileInfo, now: SystemTime) -> bool {
    // A writer can set the one time back, but not the other. A stamp in the future says nothing about its age.
    let is_young = |time: SystemTime| now.duration_since(time).is_ok_and(|since| since < RESTLESS);
    let times = [info.modified, info.changed].into_iter().filter_map(files::time_of);
    !times.into_iter().any(is_young)
}
