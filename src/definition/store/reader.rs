//! Reads the files of one part of a root.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use crate::definition::problem::Problems;
use crate::definition::store::fingerprint::is_settled;
use crate::definition::unit::{FUNCTIONS_DIRECTORY, File, Unit, UnitName};
use crate::platform::files;

/// Most bytes of one file. The largest resource of AWS, an integration with all its mappings, is far below.
pub const MAX_FILE_LENGTH: u64 = 1024 * 1024;

/// Reads the files of one part of a root.
pub(super) struct Reader<'a> {
    root: &'a Path,
    /// What was read before, by path.
    known: BTreeMap<&'a str, &'a Arc<File>>,
    pub(super) unit: Unit,
}

impl<'a> Reader<'a> {
    /// Of a part of that root; of files that have not changed since `before`, what was read is taken over.
    pub(super) fn new(root: &'a Path, name: &UnitName, before: Option<&'a Unit>) -> Reader<'a> {
        let known = before
            .into_iter()
            .flat_map(|unit| unit.files.iter().chain(&unit.attachments));
        Reader {
            root,
            known: known.map(|file| (file.path.as_str(), file)).collect(),
            unit: Unit::empty(name.clone()),
        }
    }

    /// A link that leads nowhere is a file that cannot be read, not an absent one.
    pub(super) fn read_if_there(&mut self, path: &str) {
        if files::link_info(&self.root.join(path)).is_ok() {
            self.read(path.to_owned());
        }
    }

    fn read(&mut self, path: String) {
        let file = self.file(path, read_text);
        self.unit.files.push(file);
    }

    /// Reads a file that another one names, by a path that is absolute or below the root.
    pub(super) fn attach(&mut self, path: &str) {
        if self.unit.attachment(path).is_none() {
            let file = self.file(path.to_owned(), read_pem);
            self.unit.attachments.push(file);
        }
    }

    fn file(&mut self, path: String, read: fn(&Path) -> Result<String, String>) -> Arc<File> {
        let at = self.root.join(&path);
        let now = SystemTime::now();
        // Looked at before it is read, so that a write in between is seen the next time.
        let info = files::info(&at).ok();
        if let Some(known) = self.known.get(path.as_str())
            && info.is_some()
            && known.info == info
        {
            return Arc::clone(known);
        }
        let text = read(&at);
        let is_missing = |error: io::Error| error.kind() == io::ErrorKind::NotFound;
        if text.is_err() && files::info(&at).is_err_and(is_missing) {
            self.unit.dangling.insert(path.clone());
        }
        let info = info.filter(|info| text.is_ok() && is_settled(info, now));
        Arc::new(File { path, text, info })
    }

    /// The resources of one kind; the directory need not be there.
    pub(super) fn read_directory(&mut self, directory: &str) {
        let path = self.root.join(directory);
        let names = match names_in(&path) {
            Ok(names) => names,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return,
            Err(error) => {
                let text = format!("the directory cannot be read: {error}");
                return self.unit.problems.error(directory, "", text);
            }
        };
        // The code of functions may lie beside the files that name it.
        let is_code = |name: &OsString| directory == FUNCTIONS_DIRECTORY && !is_json(name) && path.join(name).is_dir();
        let names = names.into_iter().filter(|name| !is_code(name)).collect();
        for name in json_names(directory, names, &mut self.unit.problems) {
            self.read(format!("{directory}/{name}"));
        }
    }
}

fn is_json(name: &OsString) -> bool {
    name.to_str().is_some_and(|name| name.ends_with(".json"))
}

/// Those of the names in a directory that are of resources.
pub(super) fn json_names(directory: &str, names: Vec<OsString>, problems: &mut Problems) -> Vec<String> {
    let mut resources = Vec::new();
    for name in names {
        match name.to_str().filter(|_| is_json(&name)) {
            Some(name) => resources.push(name.to_owned()),
            None => {
                let shown = format!("{directory}/{}", name.to_string_lossy());
                problems.warning(&shown, "", "ignored: its name does not end in .json");
            }
        }
    }
    resources
}

/// The names in a directory that a person put there, sorted.
///
/// Hidden files and editors' backups are left out: a ConfigMap mount keeps its data in `..data`, and an editor its
/// swap file beside the original.
pub(super) fn names_in(directory: &Path) -> io::Result<Vec<OsString>> {
    let names = files::entries(directory)?.into_iter().map(|(name, _)| name);
    let is_a_person_s = |name: &OsString| {
        let bytes = name.as_encoded_bytes();
        !bytes.starts_with(b".") && !bytes.ends_with(b"~")
    };
    let mut names: Vec<OsString> = names.filter(is_a_person_s).collect();
    names.sort();
    Ok(names)
}

fn read_text(path: &Path) -> Result<String, String> {
    let bytes = read_bytes(path)?;
    refuse_other_encoding(&bytes)?;
    String::from_utf8(bytes).map_err(|error| format!("is not UTF-8: {error}"))
}

/// What stands between the sections of a PEM file may be in any encoding.
fn read_pem(path: &Path) -> Result<String, String> {
    let bytes = read_bytes(path)?;
    refuse_other_encoding(&bytes)?;
    Ok(String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned()))
}

pub(super) fn refuse_other_encoding(bytes: &[u8]) -> Result<(), String> {
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

pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, String> {
    let bytes = files::read_at_most(path, MAX_FILE_LENGTH).map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => "is not a regular file".to_owned(),
        _ => format!("cannot be read: {error}"),
    })?;
    if bytes.len() as u64 > MAX_FILE_LENGTH {
        return Err(format!("is larger than {MAX_FILE_LENGTH} bytes"));
    }
    Ok(bytes)
}
