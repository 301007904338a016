//! The files that a function is made of: which of them has changed.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ffi::OsStr;
use std::hash::{DefaultHasher, Hasher};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::outbound::function::definition::Definition;
use crate::outbound::function::source_names::{is_code, is_of_programs, is_source};
use crate::platform::files::{self, FileId, FileInfo, FileKind, TimeStamp, canonical};

/// Most files and directories that are looked at for one function, and how deep.
const MAX_ENTRIES: usize = 5000;
const MAX_DEPTH: usize = 16;

/// Lie in the directory of a virtual environment of Python, and in one whose content can be made again at any time.
const MARKS_OF_WHAT_IS_MADE: [&str; 2] = ["pyvenv.cfg", "CACHEDIR.TAG"];

/// The resources of functions lie in here, and so may their code, in directories of its own.
const FUNCTIONS: &str = "functions";

/// A file system may give the same time stamp to a write that comes so soon after another. What is so young is read.
const RESTLESS: Duration = Duration::from_millis(20);

/// Most bytes that are read of such a file.
const MAX_READ: u64 = 1024 * 1024;

/// What a function is restarted for.
#[derive(Debug)]
pub(super) struct Sources {
    /// Files and directories with all below them.
    paths: Vec<PathBuf>,
    /// Whether `Watch` names them.
    are_named: bool,
    /// The command's own files, which may lie in a directory that is left out: `bootstrap` in `sh bootstrap`.
    files: Vec<PathBuf>,
    root: PathBuf,
    /// What in the root are resources.
    root_names: &'static [&'static str],
}

/// What was seen of the sources.
#[derive(Clone, Debug, Default)]
pub(super) struct Snapshot {
    trees: Vec<Arc<Tree>>,
}

/// All files below a directory, or one file.
#[derive(Debug, Default)]
struct Tree {
    files: BTreeMap<PathBuf, Seen>,
    /// There was more than is looked at.
    is_cut: bool,
    /// Whether they are those that the command names.
    is_named_by_command: bool,
}

/// What was seen of a file.
#[derive(Clone, Debug)]
struct Seen {
    modified: TimeStamp,
    changed: TimeStamp,
    length: u64,
    id: FileId,
    is_executable: bool,
    /// A digest of what it held, where it was so young that another write might leave no trace.
    content: Option<u64>,
}

/// One file that is not as it was.
#[derive(Debug)]
pub(super) struct Change {
    pub(super) path: PathBuf,
    /// Which files it was and is.
    pub(super) ids: [Option<FileId>; 2],
    /// When it was changed, as far as that can be told, and how exact that is.
    pub(super) at: Option<(SystemTime, Duration)>,
    /// Whether it is code that was there before.
    pub(super) is_known_code: bool,
}

/// Looks of the same moment: functions that share a directory share its look.
#[derive(Debug, Default)]
pub(super) struct Looks(HashMap<(PathBuf, bool), Arc<Tree>>);

impl Sources {
    /// `Watch`, or else the working directory, which is absolute; always the files that the command names.
    pub(super) fn of(definition: &Definition, working_directory: &Path) -> Sources {
        let are_named = !definition.watch.is_empty();
        let mut paths = match are_named {
            true => definition
                .watch
                .iter()
                .map(|path| working_directory.join(path))
                .collect(),
            false => vec![working_directory.to_owned()],
        };
        paths.extend(definition.layers.iter().cloned());
        let words = definition.command.iter().enumerate();
        // The program is looked up unless it is a path; an argument may name what the program writes.
        let is_file = |(number, word): &(usize, &String)| match number {
            0 => word.contains('/'),
            _ => Path::new(word).file_name().is_some_and(is_source),
        };
        Sources {
            paths,
            are_named,
            files: words
                .filter(is_file)
                .map(|(_, word)| working_directory.join(word))
                .collect(),
            root: definition.root.clone(),
            root_names: definition.root_names,
        }
    }

    pub(super) fn look(&self, looks: &mut Looks) -> Snapshot {
        let mut trees = Vec::with_capacity(self.paths.len() + 1);
        for path in &self.paths {
            let key = (path.clone(), self.are_named);
            let tree = looks.0.entry(key).or_insert_with(|| Arc::new(self.look_below(path)));
            trees.push(Arc::clone(tree));
        }
        let mut own = Tree {
            is_named_by_command: true,
            ..Tree::default()
        };
        for file in &self.files {
            if let Ok(info) = files::info(file)
                && info.kind == FileKind::File
            {
                own.add(canonical(file), &info);
            }
        }
        // The first look at a file counts, and here it is known for code.
        trees.insert(0, Arc::new(own));
        Snapshot { trees }
    }

    /// A file, or all that a person wrote below a directory. Links to directories are not followed.
    fn look_below(&self, path: &Path) -> Tree {
        let mut seen = Tree::default();
        let top = canonical(path);
        match files::info(&top) {
            Ok(info) if info.kind == FileKind::Directory => {}
            Ok(info) => {
                if info.kind == FileKind::File {
                    seen.add(top, &info);
                }
                return seen;
            }
            Err(_) => return seen,
        }
        let root = canonical(&self.root);
        let mut entries = 0;
        let mut directories = vec![(top, 0, false)];
        while let Some((directory, depth, only_code)) = directories.pop() {
            if depth > 0 && MARKS_OF_WHAT_IS_MADE.iter().any(|mark| directory.join(mark).exists()) {
                continue;
            }
            let resources = self.resources_in(&directory, &root, depth);
            let Ok(found) = files::entries(&directory) else {
                continue;
            };
            for (name, kind) in found.into_iter().filter(|(name, _)| is_source(name)) {
                let path = directory.join(&name);
                let is_directory = kind == FileKind::Directory;
                if resources.hold(&name, is_directory) {
                    continue;
                }
                if !is_directory && only_code && !is_code(&path) {
                    continue;
                }
                if entries >= MAX_ENTRIES {
                    seen.is_cut = true;
                    return seen;
                }
                entries += 1;
                if is_directory {
                    if depth < MAX_DEPTH {
                        directories.push((path, depth + 1, only_code || is_of_programs(&name)));
                    }
                } else if let Ok(info) = files::info(&path).or_else(|_| files::link_info(&path))
                    && matches!(info.kind, FileKind::File | FileKind::Link)
                {
                    seen.add(path, &info);
                }
            }
        }
        seen
    }

    /// Which entries of a directory are resources. One that `Watch` names itself is looked at whatever it holds.
    fn resources_in(&self, directory: &Path, root: &Path, depth: usize) -> Resources {
        let name = directory.file_name().and_then(OsStr::to_str);
        let is_of_resources =
            directory.parent() == Some(root) && name.is_some_and(|name| self.root_names.contains(&name));
        match depth {
            _ if directory == root => Resources::Named(self.root_names),
            0 if is_of_resources && !self.are_named => Resources::Json,
            1.. if is_of_resources => Resources::Files,
            _ => Resources::None,
        }
    }
}

/// Which entries of a directory are resources of the API.
enum Resources {
    None,
    Named(&'static [&'static str]),
    Json,
    Files,
}

impl Resources {
    fn hold(&self, name: &OsStr, is_directory: bool) -> bool {
        match self {
            Resources::None => false,
            Resources::Named(names) => names.iter().any(|known| *known == name) && !(is_directory && name == FUNCTIONS),
            Resources::Json => Path::new(name).extension() == Some("json".as_ref()),
            Resources::Files => !is_directory,
        }
    }
}

impl Tree {
    fn add(&mut self, path: PathBuf, info: &FileInfo) {
        let mut seen = Seen {
            modified: info.modified,
            changed: info.changed,
            length: info.length,
            id: info.id,
            is_executable: info.permissions & 0o111 != 0,
            content: None,
        };
        if info.kind == FileKind::File && seen.is_restless() {
            seen.content = digest(&path);
        }
        self.files.insert(path, seen);
    }

    /// Adds what differs in a later look.
    fn compare(&self, later: &Tree, changes: &mut Vec<Change>) {
        // Where not all is looked at, what is and what is not may differ from look to look.
        let is_whole = !self.is_cut && !later.is_cut;
        for (path, seen) in &later.files {
            match self.files.get(path) {
                Some(before) if before.is_the_same(seen, path) => {}
                Some(before) => changes.push(Change {
                    path: path.clone(),
                    ids: [Some(before.id), Some(seen.id)],
                    at: time_of(seen.changed),
                    is_known_code: seen.is_code(path, self.is_named_by_command),
                }),
                None if is_whole => changes.push(Change {
                    path: path.clone(),
                    ids: [None, Some(seen.id)],
                    at: time_of(seen.changed),
                    is_known_code: false,
                }),
                None => {}
            }
        }
        let is_gone = |path: &PathBuf| is_whole && !later.files.contains_key(path);
        for (path, seen) in self.files.iter().filter(|(path, _)| is_gone(path)) {
            changes.push(Change {
                path: path.clone(),
                ids: [Some(seen.id), None],
                at: changed_above(path),
                is_known_code: seen.is_code(path, self.is_named_by_command),
            });
        }
    }
}

impl Seen {
    fn is_restless(&self) -> bool {
        let youngest = time_of(self.modified.max(self.changed));
        let age = youngest.and_then(|(time, _)| SystemTime::now().duration_since(time).ok());
        age.is_some_and(|age| age < RESTLESS)
    }

    fn is_the_same(&self, later: &Seen, path: &Path) -> bool {
        let key = |seen: &Seen| (seen.modified, seen.changed, seen.length, seen.id);
        key(self) == key(later)
            && self
                .content
                .is_none_or(|content| later.content.or_else(|| digest(path)) == Some(content))
    }

    /// By its ending; what has none, as `bootstrap`, by its mode or by the command that names it. Some file systems let
    /// everything be executed, and a command may name data.
    fn is_code(&self, path: &Path, is_named_by_command: bool) -> bool {
        let is_run = match path.extension() {
            None => self.is_executable || is_named_by_command,
            Some(_) => self.is_executable && is_named_by_command,
        };
        is_run || is_code(path)
    }
}

impl Snapshot {
    /// Whether there was more than is looked at.
    pub(super) fn is_cut(&self) -> bool {
        self.trees.iter().any(|tree| tree.is_cut)
    }

    /// What differs between this look and a later one of the same sources.
    pub(super) fn changes(&self, later: &Snapshot) -> Vec<Change> {
        let mut changes = Vec::new();
        for (before, after) in self.trees.iter().zip(&later.trees) {
            before.compare(after, &mut changes);
        }
        let mut paths = HashSet::new();
        changes.retain(|change: &Change| paths.insert(change.path.clone()));
        changes
    }
}

/// The files to which this process writes what it prints.
pub(super) fn own_outputs() -> Vec<FileId> {
    let ids = [files::id_of(io::stdout()), files::id_of(io::stderr())];
    ids.into_iter().flatten().collect()
}

/// A time stamp, and how exact it is: some file systems know whole seconds only.
fn time_of(stamp: TimeStamp) -> Option<(SystemTime, Duration)> {
    let precision = if stamp.1 == 0 {
        Duration::from_secs(1)
    } else {
        Duration::ZERO
    };
    Some((files::time_of(stamp)?, precision))
}

/// When something has gone from where a file was.
fn changed_above(path: &Path) -> Option<(SystemTime, Duration)> {
    let info = path
        .ancestors()
        .skip(1)
        .find_map(|directory| files::info(directory).ok())?;
    time_of(info.changed)
}

fn digest(path: &Path) -> Option<u64> {
    let content = files::read_at_most(path, MAX_READ).ok()?;
    let mut hasher = DefaultHasher::new();
    hasher.write(&content);
    Some(hasher.finish())
}
