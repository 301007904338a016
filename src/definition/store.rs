//! The files of an API on disk: reads them all, and tells when any has changed.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::definition::problem::Problems;
use crate::definition::resource::{
    CREDENTIALS_FILE, DIRECTORIES, FUNCTIONS_DIRECTORY, File, REQUIRED_DIRECTORIES, ROOT_FILES,
};
use crate::definition::suggestion::is_near_miss;
use crate::platform::files::{self, FileInfo};

/// Most bytes of one file. The largest resource of AWS, an integration with all its mappings, is far below.
pub const MAX_FILE_LENGTH: u64 = 1024 * 1024;

/// Names that other programs have at the root, and that are one letter away from ours: Expo and Heroku, and code.
const NAMES_OF_OTHERS: [&str; 2] = ["app.json", "router"];

/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

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
    /// None where the file cannot be looked at. A rename or a swapped symbolic link changes the id even where times do
    /// not.
    info: Option<FileInfo>,
}

/// The files' texts, with what could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The directory that they are below.
    pub root: PathBuf,
    /// Every file that may hold a resource.
    pub files: Vec<File>,
    /// Missing directories and what else is wrong with the tree.
    pub problems: Problems,
    /// Those of the files that are links which lead nowhere.
    pub dangling: BTreeSet<String>,
}

impl Listing {
    fn add(&mut self, path: String, at: &Path) {
        let text = read_text(at);
        let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        if text.is_err() && files::info(at).is_err_and(is_missing) {
            self.dangling.insert(path.clone());
        }
        self.files.push(File { path, text });
    }
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
        let mut bytes = read_bytes(path)?;
        refuse_other_encoding(&bytes)?;
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        Ok(bytes)
    }

    /// Reads every file.
    pub fn load(&self) -> Listing {
        let mut listing = Listing {
            root: self.root.clone(),
            files: Vec::new(),
            problems: Problems::new(),
            dangling: BTreeSet::new(),
        };
        if let Err(error) = files::entries(&self.root) {
            let text = format!("the root directory cannot be read: {error}");
            listing.problems.error(&self.root.to_string_lossy(), "", text);
            return listing;
        }
        for name in ROOT_FILES {
            let path = self.root.join(name);
            // A link that leads nowhere is a file that cannot be read, not an absent one.
            if files::link_info(&path).is_ok() {
                listing.add(name.to_owned(), &path);
                if name == CREDENTIALS_FILE && is_open_to_others(&path) {
                    let text = "others than its owner and its group can read or write the file, which holds secrets";
                    listing.problems.warning(name, "", text);
                }
            }
        }
        for directory in DIRECTORIES {
            self.load_directory(directory, &mut listing);
        }
        self.warn_of_near_misses(&mut listing.problems);
        listing
    }

    /// Warns of what is not read at the root, and is called nearly as what is.
    fn warn_of_near_misses(&self, problems: &mut Problems) {
        for name in names_in(&self.root).unwrap_or_default() {
            let Some(written) = name.to_str().filter(|name| !NAMES_OF_OTHERS.contains(name)) else {
                continue;
            };
            let known: &[&str] = match self.root.join(written).is_dir() {
                true => &DIRECTORIES,
                false => &ROOT_FILES,
            };
            if known.contains(&written) {
                continue;
            }
            if let Some(meant) = known.iter().find(|meant| is_near_miss(written, meant)) {
                problems.warning(written, "", format!("ignored; did you mean {meant:?}?"));
            }
        }
    }

    fn load_directory(&self, directory: &str, listing: &mut Listing) {
        let path = self.root.join(directory);
        let required = REQUIRED_DIRECTORIES.contains(&directory);
        let names = match names_in(&path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound && !required => return,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return listing.problems.error(directory, "", "the directory is missing");
            }
            Err(error) => {
                let text = format!("the directory cannot be read: {error}");
                return listing.problems.error(directory, "", text);
            }
        };
        for name in names {
            let Some(text_name) = name.to_str().filter(|name| name.ends_with(".json")) else {
                // The code of functions may lie beside the files that name it.
                if directory == FUNCTIONS_DIRECTORY && path.join(&name).is_dir() {
                    continue;
                }
                let shown = format!("{directory}/{}", name.to_string_lossy());
                listing
                    .problems
                    .warning(&shown, "", "ignored: its name does not end in .json");
                continue;
            };
            listing.add(format!("{directory}/{text_name}"), &path.join(&name));
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
                info: files::info(&path).ok(),
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
        let Some(info) = &self.info else { return false };
        // A writer can set the one time back, but not the other. A stamp in the future says nothing about its age.
        let is_younger = |time: SystemTime| now.duration_since(time).is_ok_and(|since| since < age);
        let times = [info.modified, info.changed].into_iter().filter_map(files::time_of);
        times.into_iter().any(is_younger)
    }
}

/// The names in a directory that a person put there, sorted.
///
/// Hidden files and editors' backups are left out: a ConfigMap mount keeps its data in `..data`, and an editor its
/// swap file beside the original.
fn names_in(directory: &Path) -> io::Result<Vec<OsString>> {
    let names = files::entries(directory)?.into_iter().map(|(name, _)| name);
    let is_a_person_s = |name: &OsString| {
        let bytes = name.as_encoded_bytes();
        !bytes.starts_with(b".") && !bytes.ends_with(b"~")
    };
    let mut names: Vec<OsString> = names.filter(is_a_person_s).collect();
    names.sort();
    Ok(names)
}

/// Whether the file's mode lets every user in. Its group may be: an orchestrator mounts secrets so.
fn is_open_to_others(path: &Path) -> bool {
    const READ_OR_WRITE: u32 = 0o006;
    files::info(path).is_ok_and(|info| info.permissions & READ_OR_WRITE != 0)
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = read_bytes(path)?;
    refuse_other_encoding(&bytes)?;
    String::from_utf8(bytes).map_err(|error| format!("is not UTF-8: {error}"))
}

fn refuse_other_encoding(bytes: &[u8]) -> Result<(), String> {
    match other_encoding(bytes) {
        None => Ok(()),
        Some(encoding) => Err(format!(
            "is {encoding}, not UTF-8: PowerShell's > writes UTF-16, its Out-File -Encoding utf8 UTF-8"
        )),
    }
}

/// The encoding that a file begins like, where it is not UTF-8: by its byte order mark, or by the zero bytes beside the
/// first character, which JSON has in ASCII.
fn other_encoding(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0xff, 0xfe, 0, 0, ..] | [0, 0, 0xfe, 0xff, ..] => Some("UTF-32"),
        [first, 0, 0, 0, ..] | [0, 0, 0, first, ..] if *first != 0 => Some("UTF-32"),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => Some("UTF-16"),
        [first, 0, ..] | [0, first, ..] if *first != 0 => Some("UTF-16"),
        _ => None,
    }
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = files::read_at_most(path, MAX_FILE_LENGTH).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => "is not a regular file".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if bytes.len() as u64 > MAX_FILE_LENGTH {
        return Err(format!("is larger than {MAX_FILE_LENGTH} bytes"));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_file_of_secrets_that_others_can_read_is_told_of() {
        let root = std::env::temp_dir().join(format!("apigateway-secrets-{}", std::process::id()));
        for directory in REQUIRED_DIRECTORIES {
            fs::create_dir_all(root.join(directory)).unwrap();
        }
        let path = root.join(CREDENTIALS_FILE);
        fs::write(&path, "{}").unwrap();
        for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1), (0o602, 1), (0o400, 0)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let listing = Store::at(&root).load();
            let shown: Vec<String> = listing.problems.iter().map(ToString::to_string).collect();
            assert_eq!(shown.len(), warnings, "{mode:o}: {shown:?}");
            assert!(
                shown
                    .iter()
                    .all(|line| line.starts_with("credentials.json#: warning: others"))
            );
        }
        fs::remove_dir_all(&root).unwrap();
    }

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

        // A time stamp of long ago is no proof of rest: the writer of the file may have set it.
        let old = SystemTime::now().checked_sub(Duration::from_secs(60)).unwrap();
        file.set_modified(old).unwrap();
        fs::File::open(&routes).unwrap().set_modified(old).unwrap();
        assert!(store.fingerprint().restless);
        while store.fingerprint().restless {
            std::thread::yield_now();
        }
        let settled = store.fingerprint();
        assert!(!settled.may_differ(&store.fingerprint()));
        fs::remove_dir_all(&root).unwrap();
    }
}
