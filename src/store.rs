//! The files of an API on disk: reads them all, and tells when any has changed. The only user of `std::fs`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::problem::Problems;
use crate::resource::{DIRECTORIES, File, REQUIRED_DIRECTORIES, ROOT_FILES};

/// Most bytes of one file. The largest resource of AWS, an integration with all its mappings, is far below.
pub const MAX_FILE_LENGTH: u64 = 1024 * 1024;

/// A time stamp younger than this may be given again to a later write, so it proves nothing yet.
///
/// File systems stamp with the kernel's tick, up to 10 ms on Linux.
const RESTLESS: Duration = Duration::from_millis(50);

/// The directory that holds `stages/`, `routes/`, `integrations/` and `api.json`.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

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
    /// None where the file cannot be looked at.
    state: Option<State>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct State {
    modified: Option<SystemTime>,
    length: u64,
    identity: Identity,
}

/// Which file a name stands for: a rename or a swapped symbolic link changes it even where times do not.
type Identity = (u64, u64, i64, i64);

/// The files' texts, with what could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// Every file that may hold a resource.
    pub files: Vec<File>,
    /// Missing directories and what else is wrong with the tree.
    pub problems: Problems,
}

impl Store {
    /// The API below that directory.
    pub fn at(root: impl Into<PathBuf>) -> Store {
        Store { root: root.into() }
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Reads a file that is named by an option.
    ///
    /// # Errors
    /// A sentence without its subject: the file cannot be read, is none, or is too large.
    pub fn read_option_file(path: &Path) -> Result<Vec<u8>, String> {
        read_bytes(path)
    }

    /// Reads every file.
    pub fn load(&self) -> Listing {
        let mut listing = Listing {
            files: Vec::new(),
            problems: Problems::new(),
        };
        if let Err(error) = fs::read_dir(&self.root) {
            let text = format!("the root directory cannot be read: {error}");
            listing.problems.error(&self.root.to_string_lossy(), "", text);
            return listing;
        }
        for name in ROOT_FILES {
            let path = self.root.join(name);
            // A link that leads nowhere is a file that cannot be read, not an absent one.
            if path.symlink_metadata().is_ok() {
                listing.files.push(File {
                    path: name.to_owned(),
                    text: read_text(&path),
                });
            }
        }
        for directory in DIRECTORIES {
            self.load_directory(directory, &mut listing);
        }
        listing
    }

    fn load_directory(&self, directory: &str, listing: &mut Listing) {
        let path = self.root.join(directory);
        let required = REQUIRED_DIRECTORIES.contains(&directory);
        let names = match names_in(&path) {
            Ok(names) => names,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !required => return,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return listing.problems.error(directory, "", "the directory is missing");
            }
            Err(error) => {
                let text = format!("the directory cannot be read: {error}");
                return listing.problems.error(directory, "", text);
            }
        };
        for name in names {
            let Some(text_name) = name.to_str().filter(|name| name.ends_with(".json")) else {
                let shown = format!("{directory}/{}", name.to_string_lossy());
                listing
                    .problems
                    .warning(&shown, "", "ignored: its name does not end in .json");
                continue;
            };
            listing.files.push(File {
                path: format!("{directory}/{text_name}"),
                text: read_text(&path.join(&name)),
            });
        }
    }

    /// Looks at every file without reading it.
    pub fn fingerprint(&self) -> Fingerprint {
        let mut paths: Vec<PathBuf> = ROOT_FILES.iter().map(|name| self.root.join(name)).collect();
        for directory in DIRECTORIES {
            let path = self.root.join(directory);
            if let Ok(names) = names_in(&path) {
                paths.extend(names.into_iter().map(|name| path.join(name)));
            }
            paths.push(path);
        }
        let now = SystemTime::now();
        let entries: Vec<Entry> = paths
            .into_iter()
            .map(|path| Entry {
                state: fs::metadata(&path).ok().map(|metadata| State::of(&metadata)),
                path,
            })
            .collect();
        let restless = entries.iter().any(|entry| entry.is_younger_than(RESTLESS, now));
        Fingerprint { entries, restless }
    }
}

impl Fingerprint {
    /// Whether files may differ between this look and a later one.
    pub fn may_differ(&self, later: &Fingerprint) -> bool {
        self.restless || self.entries != later.entries
    }
}

impl Entry {
    fn is_younger_than(&self, age: Duration, now: SystemTime) -> bool {
        let Some(modified) = self.state.as_ref().and_then(|state| state.modified) else {
            return false;
        };
        // A time stamp in the future says nothing about its age; the content is compared anyway.
        now.duration_since(modified).is_ok_and(|since| since < age)
    }
}

impl State {
    fn of(metadata: &fs::Metadata) -> State {
        use std::os::unix::fs::MetadataExt;
        State {
            modified: metadata.modified().ok(),
            length: metadata.len(),
            identity: (metadata.dev(), metadata.ino(), metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The names in a directory that a person put there, sorted.
///
/// Hidden files and editors' backups are left out: a ConfigMap mount keeps its data in `..data`, and an editor its
/// swap file beside the original.
fn names_in(directory: &Path) -> std::io::Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        let bytes = name.as_encoded_bytes();
        if !bytes.starts_with(b".") && !bytes.ends_with(b"~") {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn read_text(path: &Path) -> Result<String, String> {
    String::from_utf8(read_bytes(path)?).map_err(|error| format!("is not UTF-8: {error}"))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("cannot be read: {error}");
    let metadata = fs::metadata(path).map_err(unreadable)?;
    // Opening a named pipe would wait for a writer for ever.
    if !metadata.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE_LENGTH + 1)
        .read_to_end(&mut bytes)
        .map_err(unreadable)?;
    if bytes.len() as u64 > MAX_FILE_LENGTH {
        return Err(format!("is larger than {MAX_FILE_LENGTH} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_look_proves_nothing_while_a_file_is_fresh() {
        let root = std::env::temp_dir().join(format!("apigateway-store-{}", std::process::id()));
        let routes = root.join("routes");
        fs::create_dir_all(&routes).unwrap();
        let file = fs::File::create(routes.join("a.json")).unwrap();
        let store = Store::at(&root);
        let fresh = store.fingerprint();
        assert!(
            fresh.may_differ(&fresh.clone()),
            "another write could have the same time stamp"
        );

        let old = SystemTime::now().checked_sub(Duration::from_secs(60)).unwrap();
        file.set_modified(old).unwrap();
        fs::File::open(&routes).unwrap().set_modified(old).unwrap();
        let settled = store.fingerprint();
        assert!(!settled.may_differ(&store.fingerprint()));
        fs::remove_dir_all(&root).unwrap();
    }
}
