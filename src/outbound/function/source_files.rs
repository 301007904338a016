//! The files that a function is made of: whether any has changed. Besides `store` the only user of `std::fs`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::outbound::function::Definition;

/// Most files and directories that are looked at for one function, and how deep.
const MAX_ENTRIES: usize = 5000;
const MAX_DEPTH: usize = 16;

/// Directories of what is made or fetched, not written.
const LEFT_OUT: [&str; 4] = ["node_modules", "target", "__pycache__", "venv"];

/// Lies in the directory of a virtual environment of Python.
const VIRTUAL_ENVIRONMENT: &str = "pyvenv.cfg";

/// A file system may give the same time stamp to a write that comes so soon after another.
const RESTLESS: Duration = Duration::from_millis(20);

/// What a function is restarted for.
#[derive(Debug)]
pub(super) struct Sources {
    /// Files and directories with all below them.
    paths: Vec<PathBuf>,
    /// The command's own files, which may lie in a directory that is left out.
    files: Vec<PathBuf>,
}

/// What was seen of the sources, without reading them.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Fingerprint {
    sum: u64,
    entries: usize,
    /// Something was written just before, so that another write might leave no trace.
    is_restless: bool,
}

/// Looks of the same moment: functions that share a directory share its look.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<PathBuf, Fingerprint>);

impl Sources {
    /// `Watch`, or else the working directory, which is absolute; always the files that the command names.
    pub(super) fn of(definition: &Definition, working_directory: &Path) -> Sources {
        let paths = if definition.watch.is_empty() {
            vec![working_directory.to_owned()]
        } else {
            definition
                .watch
                .iter()
                .map(|path| working_directory.join(path))
                .collect()
        };
        let files = definition.command.iter().filter(|word| word.contains('/'));
        let files = files.map(|word| working_directory.join(word)).collect();
        Sources { paths, files }
    }

    pub(super) fn look(&self, looks: &mut Looks) -> Fingerprint {
        let mut all = Fingerprint::default();
        for path in &self.paths {
            let seen = match looks.0.get(path) {
                Some(seen) => *seen,
                None => *looks.0.entry(path.clone()).or_insert(look_below(path)),
            };
            all.add(seen);
        }
        for file in &self.files {
            if let Ok(metadata) = fs::metadata(file)
                && metadata.is_file()
            {
                all.add(Fingerprint::of(file, &metadata));
            }
        }
        all
    }
}

impl Fingerprint {
    /// Whether the sources may differ between this look and a later one.
    pub(super) fn may_differ(&self, later: &Fingerprint) -> bool {
        self.is_restless || (self.sum, self.entries) != (later.sum, later.entries)
    }

    /// Whether there was more than is looked at.
    pub(super) fn is_cut(&self) -> bool {
        self.entries >= MAX_ENTRIES
    }

    fn of(path: &Path, metadata: &fs::Metadata) -> Fingerprint {
        let mut hasher = DefaultHasher::new();
        let modified = metadata.modified().ok();
        let changed = (metadata.ctime(), metadata.ctime_nsec());
        (path, modified, changed, metadata.len(), metadata.ino()).hash(&mut hasher);
        let age = modified.and_then(|time| SystemTime::now().duration_since(time).ok());
        Fingerprint {
            sum: hasher.finish(),
            entries: 1,
            is_restless: age.is_some_and(|age| age < RESTLESS),
        }
    }

    /// The order does not matter: a directory has none.
    fn add(&mut self, other: Fingerprint) {
        self.sum = self.sum.wrapping_add(other.sum);
        self.entries += other.entries;
        self.is_restless |= other.is_restless;
    }
}

/// A file, or all that a person wrote below a directory. Links to directories are not followed.
fn look_below(root: &Path) -> Fingerprint {
    let mut seen = Fingerprint::default();
    match fs::metadata(root) {
        Ok(metadata) if metadata.is_dir() => {}
        Ok(metadata) => return Fingerprint::of(root, &metadata),
        Err(_) => return seen,
    }
    let mut directories = vec![(root.to_owned(), 0)];
    while let Some((directory, depth)) = directories.pop() {
        if depth > 0 && directory.join(VIRTUAL_ENVIRONMENT).exists() {
            continue;
        }
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten().filter(|entry| is_source(&entry.file_name())) {
            if seen.is_cut() {
                return seen;
            }
            let path = entry.path();
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                seen.entries += 1;
                if depth < MAX_DEPTH {
                    directories.push((path, depth + 1));
                }
            } else if let Ok(metadata) = fs::metadata(&path).or_else(|_| fs::symlink_metadata(&path))
                && !metadata.is_dir()
            {
                seen.add(Fingerprint::of(&path, &metadata));
            }
        }
    }
    seen
}

fn is_source(name: &OsStr) -> bool {
    let bytes = name.as_encoded_bytes();
    !bytes.starts_with(b".") && !bytes.ends_with(b"~") && !LEFT_OUT.iter().any(|left_out| *left_out == name)
}
