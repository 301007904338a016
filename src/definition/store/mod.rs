//! The files of a root on disk: reads them, and tells when any has changed.

mod fingerprint;
mod reader;

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::problem::Problems;
use crate::definition::resource::read_domain;
pub use crate::definition::store::fingerprint::Fingerprint;
pub use crate::definition::store::reader::MAX_FILE_LENGTH;
use crate::definition::store::reader::{Reader, json_names, names_in, read_bytes, refuse_other_encoding};
use crate::definition::suggestion::is_near_miss;
use crate::definition::unit::{
    API_DIRECTORIES, API_FILE, APIS_DIRECTORY, CREDENTIALS_FILE, DOMAINS_DIRECTORY, Listing, ROOT_NAMES,
    SHARED_DIRECTORIES, USUAL_DIRECTORIES, Unit, UnitName,
};
use crate::platform::files;

/// Names that other programs have at the root, and that are one letter away from ours: Expo and Heroku, and code.
const NAMES_OF_OTHERS: [&str; 5] = ["app.json", "router", "api", "deployment", "domain"];

/// What some editors put before UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// The directory that holds `stages/`, `routes/`, `integrations/`, `apis/` and the like.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
    tls: Option<TlsFiles>,
}

/// The files of the listener's own certificate. Their paths do not begin at the root.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM, leaf first.
    pub certificate: String,
    /// Its key in PEM.
    pub key: String,
}

impl Store {
    /// The files below that directory.
    pub fn at(root: impl Into<PathBuf>) -> Store {
        Store {
            root: root.into(),
            tls: None,
        }
    }

    /// The same, with the certificate of a listener that speaks TLS.
    #[must_use]
    pub fn with_tls(self, tls: Option<TlsFiles>) -> Store {
        Store { tls, ..self }
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
        self.load_again(&Listing::default())
    }

    /// Reads every file that may have changed since another reading; of the others, takes over what was read.
    pub fn load_again(&self, before: &Listing) -> Listing {
        let mut listing = Listing {
            root: self.root.clone(),
            ..Listing::default()
        };
        if let Err(error) = files::entries(&self.root) {
            let text = format!("the root directory cannot be read: {error}");
            listing.problems.error(&self.root.to_string_lossy(), "", text);
            return listing;
        }
        let mut names = vec![UnitName::Shared, UnitName::RootApi];
        for name in self.names(APIS_DIRECTORY, &mut listing.problems) {
            match name
                .to_str()
                .filter(|_| self.root.join(APIS_DIRECTORY).join(&name).is_dir())
            {
                Some(id) => names.push(UnitName::Api(id.to_owned())),
                None => {
                    let shown = format!("{APIS_DIRECTORY}/{}", name.to_string_lossy());
                    let text = "ignored: an API is a directory of that name with an api.json in it";
                    listing.problems.warning(&shown, "", text);
                }
            }
        }
        let domains = self.names(DOMAINS_DIRECTORY, &mut listing.problems);
        for name in json_names(DOMAINS_DIRECTORY, domains, &mut listing.problems) {
            let domain = name.strip_suffix(".json").unwrap_or(&name);
            names.push(UnitName::Domain(domain.to_owned()));
        }
        if self.tls.is_some() {
            names.push(UnitName::Tls);
        }
        for name in names {
            let unit = self.load_unit(&name, before.units.get(&name).map(Arc::as_ref));
            if unit.is_there() {
                listing.units.insert(name, Arc::new(unit));
            } else {
                listing.problems.extend(unit.problems);
            }
        }
        self.warn_of_near_misses("", &ROOT_NAMES, &mut listing.problems);
        listing
    }

    /// Reads the files of one part of the root, as [`Store::load_again`] does. Without a file it is not there.
    pub fn load_unit(&self, name: &UnitName, before: Option<&Unit>) -> Unit {
        // The listener's files have paths of the command line.
        let root = match name {
            UnitName::Tls => Path::new(""),
            _ => &self.root,
        };
        let mut reader = Reader::new(root, name, before);
        match name {
            UnitName::Shared => {
                reader.read_if_there(CREDENTIALS_FILE);
                if files::info(&self.root.join(CREDENTIALS_FILE)).is_ok_and(|info| info.is_open_to_others()) {
                    let text = "others than its owner and its group can read or write the file, which holds secrets";
                    reader.unit.problems.warning(CREDENTIALS_FILE, "", text);
                }
                for directory in SHARED_DIRECTORIES {
                    reader.read_directory(directory);
                }
            }
            UnitName::Domain(domain) => {
                reader.read_if_there(&format!("{DOMAINS_DIRECTORY}/{domain}.json"));
                if let (Some(domain), _) = read_domain(&reader.unit) {
                    for path in domain.named_files() {
                        reader.attach(path);
                    }
                }
            }
            UnitName::Tls => {
                if let Some(tls) = &self.tls {
                    reader.attach(&tls.certificate);
                    reader.attach(&tls.key);
                }
            }
            UnitName::RootApi | UnitName::Api(_) => {
                let prefix = name.prefix();
                reader.read_if_there(&format!("{prefix}{API_FILE}"));
                for directory in API_DIRECTORIES {
                    reader.read_directory(&format!("{prefix}{directory}"));
                }
                let mut unit = reader.unit;
                self.judge_directories(&mut unit);
                return unit;
            }
        }
        reader.unit
    }

    /// Tells which directories of an API are missing, and what is ignored beside them.
    fn judge_directories(&self, unit: &mut Unit) {
        let prefix = unit.name.prefix();
        let is_missing = |path: &str| {
            let found = files::link_info(&self.root.join(path));
            found.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
        };
        if unit.name == UnitName::RootApi {
            if unit.is_there() {
                for directory in USUAL_DIRECTORIES.into_iter().filter(|directory| is_missing(directory)) {
                    unit.problems.warning(directory, "", "the directory is missing");
                }
            }
            return;
        }
        // What belongs to a directory that is gone is gone with it.
        let path = format!("{prefix}{API_FILE}");
        if unit.file(&path).is_none() && !is_missing(prefix.trim_end_matches('/')) {
            let text = "the file is missing: a directory in apis/ is an API by it";
            unit.problems.error(&path, "", text);
        }
        let own: Vec<&str> = API_DIRECTORIES.into_iter().chain([API_FILE]).collect();
        self.warn_of_near_misses(&prefix, &own, &mut unit.problems);
        let shared = SHARED_DIRECTORIES.into_iter();
        for name in shared.chain([CREDENTIALS_FILE, DOMAINS_DIRECTORY, APIS_DIRECTORY]) {
            let path = format!("{prefix}{name}");
            if !is_missing(&path) {
                let text = format!("ignored: {name} is read at the root only, for all APIs");
                unit.problems.warning(&path, "", text);
            }
        }
    }

    /// Warns of what is not read in a directory, and is called nearly as what is.
    fn warn_of_near_misses(&self, prefix: &str, known: &[&str], problems: &mut Problems) {
        let directory = self.root.join(prefix);
        for name in names_in(&directory).unwrap_or_default() {
            let Some(written) = name.to_str().filter(|name| !NAMES_OF_OTHERS.contains(name)) else {
                continue;
            };
            let is_directory = directory.join(written).is_dir();
            let known = known.iter().filter(|name| is_directory != name.ends_with(".json"));
            let mut near = known.clone().filter(|meant| is_near_miss(written, meant));
            if let Some(meant) = near.next().filter(|_| !known.clone().any(|name| *name == written)) {
                let text = format!("ignored; did you mean {meant:?}?");
                problems.warning(&format!("{prefix}{written}"), "", text);
            }
        }
    }

    /// The names in a directory at the root, which need not be there.
    fn names(&self, directory: &str, problems: &mut Problems) -> Vec<OsString> {
        names_in(&self.root.join(directory)).unwrap_or_else(|error| {
            if error.kind() != io::ErrorKind::NotFound {
                problems.error(directory, "", format!("the directory cannot be read: {error}"));
            }
            Vec::new()
        })
    }

    /// The names of what may be a resource in a directory at the root, sorted; none where it cannot be read.
    pub fn names_in(&self, directory: &str) -> Vec<String> {
        let names = names_in(&self.root.join(directory)).unwrap_or_default();
        names.into_iter().filter_map(|name| name.into_string().ok()).collect()
    }

    /// Looks at every file without reading it, also at those that files of a listing name.
    pub fn fingerprint(&self, listing: &Listing) -> Fingerprint {
        let mut paths: Vec<PathBuf> = [API_FILE, CREDENTIALS_FILE].map(|name| self.root.join(name)).into();
        // The listener's files are looked at whatever was read.
        paths.extend(
            self.tls
                .iter()
                .flat_map(|tls| [tls.certificate.clone().into(), tls.key.clone().into()]),
        );
        let others = listing.units.values().filter(|unit| unit.name != UnitName::Tls);
        paths.extend(
            others
                .flat_map(|unit| &unit.attachments)
                .map(|file| self.root.join(&file.path)),
        );
        let in_api = |api: &Path| API_DIRECTORIES.map(|name| api.join(name));
        let mut directories: Vec<PathBuf> = in_api(&self.root).into();
        directories.extend(SHARED_DIRECTORIES.map(|name| self.root.join(name)));
        directories.push(self.root.join(DOMAINS_DIRECTORY));
        let apis = self.root.join(APIS_DIRECTORY);
        for name in names_in(&apis).unwrap_or_default() {
            let api = apis.join(name);
            paths.push(api.join(API_FILE));
            directories.extend(in_api(&api));
            // What is ignored there is told of.
            directories.push(api);
        }
        directories.push(apis);
        for directory in directories {
            if let Ok(names) = names_in(&directory) {
                paths.extend(names.into_iter().map(|name| directory.join(name)));
            }
            paths.push(directory);
        }
        Fingerprint::of(paths)
    }
}

impl Unit {
    /// Whether the part of the root is there: it has a file, or there is an error in place of one.
    pub fn is_there(&self) -> bool {
        !self.files.is_empty() || !self.attachments.is_empty() || self.problems.has_errors()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, SystemTime};

    #[test]
    fn a_file_of_secrets_that_others_can_read_is_told_of() {
        let root = std::env::temp_dir().join(format!("apigateway-secrets-{}", std::process::id()));
        fs::create_dir_all(&root).unwrap();
        let path = root.join(CREDENTIALS_FILE);
        fs::write(&path, "{}").unwrap();
        for (mode, warnings) in [(0o600, 0), (0o640, 0), (0o644, 1), (0o602, 1), (0o400, 0)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let unit = Store::at(&root).load_unit(&UnitName::Shared, None);
            let shown: Vec<String> = unit.problems.iter().map(ToString::to_string).collect();
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
        let fresh = store.fingerprint(&Listing::default());
        assert!(
            fresh.may_differ(&fresh.clone()),
            "another write could have the same time stamp"
        );

        // A time stamp of long ago is no proof of rest: the writer of the file may have set it.
        let old = SystemTime::now().checked_sub(Duration::from_secs(60)).unwrap();
        file.set_modified(old).unwrap();
        fs::File::open(&routes).unwrap().set_modified(old).unwrap();
        let is_restless = || {
            let look = store.fingerprint(&Listing::default());
            look.may_differ(&look)
        };
        assert!(is_restless());
        while is_restless() {
            std::thread::yield_now();
        }
        let settled = store.fingerprint(&Listing::default());
        assert!(!settled.may_differ(&store.fingerprint(&Listing::default())));

        // Now the file need not be read again, until it is written again.
        let name = UnitName::RootApi;
        let (before, path) = (store.load_unit(&name, None), "routes/a.json");
        let again = store.load_unit(&name, Some(&before));
        assert!(Arc::ptr_eq(before.file(path).unwrap(), again.file(path).unwrap()));
        fs::write(routes.join("a.json"), "{}").unwrap();
        let edited = store.load_unit(&name, Some(&again));
        assert_eq!(edited.file(path).unwrap().text.as_deref(), Ok("{}"));
        fs::remove_dir_all(&root).unwrap();
    }
}
