//! The parts of a root that are compiled by themselves: APIs, domains, and the files that all APIs share.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use zeroize::Zeroize;

use crate::definition::problem::Problems;
use crate::platform::files::FileInfo;

/// The file of the API itself.
pub const API_FILE: &str = "api.json";

/// The directories of an API, one for each kind of resource.
pub const API_DIRECTORIES: [&str; 5] = ["stages", "routes", "integrations", "authorizers", "deployments"];

/// Those of them that an API usually has: the root API is warned where one is missing.
pub const USUAL_DIRECTORIES: [&str; 3] = ["stages", "routes", "integrations"];

/// The directory in which code may lie too.
pub const FUNCTIONS_DIRECTORY: &str = "functions";

/// The directories that all APIs share.
pub const SHARED_DIRECTORIES: [&str; 2] = [FUNCTIONS_DIRECTORY, "vpclinks"];

/// The file that holds secrets.
pub const CREDENTIALS_FILE: &str = "credentials.json";

/// The directory with a directory for each API besides the root API.
pub const APIS_DIRECTORY: &str = "apis";

/// The directory with a file for each custom domain.
pub const DOMAINS_DIRECTORY: &str = "domains";

/// Everything at the root that holds resources, or may come to: it is no source of a function's.
pub const ROOT_NAMES: [&str; 11] = [
    API_FILE,
    CREDENTIALS_FILE,
    "stages",
    "routes",
    "integrations",
    "authorizers",
    FUNCTIONS_DIRECTORY,
    "deployments",
    APIS_DIRECTORY,
    DOMAINS_DIRECTORY,
    "vpclinks",
];

/// Which part of a root it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UnitName {
    /// `functions/`, `credentials.json` and `vpclinks/`.
    Shared,
    /// The API whose files stand at the root.
    RootApi,
    /// The API in `apis/<id>/`.
    Api(String),
    /// The custom domain in `domains/<name>.json`.
    Domain(String),
    /// The certificate that the listener has for all names that have none of their own.
    Tls,
}

impl UnitName {
    /// The part that a file belongs to, by its path below the root.
    ///
    /// # Example
    /// ```
    /// use apigateway::definition::unit::UnitName;
    ///
    /// assert_eq!(UnitName::of("apis/orders/routes/a.json"), UnitName::Api("orders".to_owned()));
    /// assert_eq!(UnitName::of("domains/a.test.json"), UnitName::Domain("a.test".to_owned()));
    /// assert_eq!(UnitName::of("functions/f.json"), UnitName::Shared);
    /// assert_eq!(UnitName::of("routes/a.json"), UnitName::RootApi);
    /// ```
    pub fn of(path: &str) -> UnitName {
        let (first, below) = path.split_once('/').unwrap_or((path, ""));
        match first {
            APIS_DIRECTORY => UnitName::Api(below.split('/').next().unwrap_or_default().to_owned()),
            DOMAINS_DIRECTORY => UnitName::Domain(below.strip_suffix(".json").unwrap_or(below).to_owned()),
            CREDENTIALS_FILE => UnitName::Shared,
            _ if SHARED_DIRECTORIES.contains(&first) => UnitName::Shared,
            _ => UnitName::RootApi,
        }
    }

    /// What the paths of an API's files begin with; empty for the root API, and for what is no API.
    pub fn prefix(&self) -> String {
        match self {
            UnitName::Api(id) => format!("{APIS_DIRECTORY}/{id}/"),
            UnitName::Shared | UnitName::RootApi | UnitName::Domain(_) | UnitName::Tls => String::new(),
        }
    }

    /// Whether it is an API.
    pub fn is_api(&self) -> bool {
        matches!(self, UnitName::RootApi | UnitName::Api(_))
    }
}

/// As the metric `apigateway_config_stale` names it: `.`, `apis/orders`, `domains/a.test`, `tls`, `shared`.
impl fmt::Display for UnitName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UnitName::Shared => f.write_str("shared"),
            UnitName::RootApi => f.write_str("."),
            UnitName::Api(id) => write!(f, "{APIS_DIRECTORY}/{id}"),
            UnitName::Domain(name) => write!(f, "{DOMAINS_DIRECTORY}/{name}"),
            UnitName::Tls => f.write_str("tls"),
        }
    }
}

/// Whether a text can be the id of an API in `apis/`: the first label of a host.
pub fn is_api_id(text: &str) -> bool {
    const MAX_LENGTH: usize = 63;
    let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (1..=MAX_LENGTH).contains(&text.len())
        && text.bytes().all(is_allowed)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

/// A file as it was found.
#[derive(Clone, Debug)]
pub struct File {
    /// Its path below the root, with `/` between the parts: `routes/pets.json`.
    pub path: String,
    /// Its text, or why that cannot be had.
    pub text: Result<String, String>,
    /// What was told of it before it was read; none where a later write might leave no trace.
    pub info: Option<FileInfo>,
}

/// Files are the same that say the same.
impl PartialEq for File {
    fn eq(&self, other: &File) -> bool {
        self.path == other.path && self.text == other.text
    }
}

impl Eq for File {}

/// Secrets do not stay in memory that is given back.
impl Drop for File {
    fn drop(&mut self) {
        if let Ok(text) = &mut self.text
            && (self.path == CREDENTIALS_FILE || text.contains("PRIVATE KEY-----"))
        {
            text.zeroize();
        }
    }
}

impl File {
    /// A file that says that.
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> File {
        File {
            path: path.into(),
            text: Ok(text.into()),
            info: None,
        }
    }

    /// The directory below that prefix, empty for a file that stands beside the directories.
    pub fn directory(&self, prefix: &str) -> &str {
        let below = self.path.strip_prefix(prefix).unwrap_or(&self.path);
        below.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    /// The id: the file's name without `.json`.
    pub fn id(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.strip_suffix(".json").unwrap_or(name)
    }
}

/// The files of one part of a root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// Which part it is.
    pub name: UnitName,
    /// Every file that may hold a resource.
    pub files: Vec<Arc<File>>,
    /// Files that those name: certificates, keys and truststores. They may lie anywhere.
    pub attachments: Vec<Arc<File>>,
    /// What is wrong with its directories.
    pub problems: Problems,
    /// Those of the files that are links which lead nowhere.
    pub dangling: BTreeSet<String>,
}

impl Unit {
    /// A part without files.
    pub fn empty(name: UnitName) -> Unit {
        Unit {
            name,
            files: Vec::new(),
            attachments: Vec::new(),
            problems: Problems::new(),
            dangling: BTreeSet::new(),
        }
    }

    /// The file with that path below the root.
    pub fn file(&self, path: &str) -> Option<&Arc<File>> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The text of a file that a file of the unit names, or why it cannot be had; none where it was not read.
    pub fn attachment(&self, path: &str) -> Option<&Result<String, String>> {
        let found = self.attachments.iter().find(|file| file.path == path);
        found.map(|file| &file.text)
    }

    /// Puts a file in its place, or takes its place.
    pub fn put(&mut self, file: File) {
        self.remove(&file.path);
        let at = self.files.partition_point(|other| other.path < file.path);
        self.files.insert(at, Arc::new(file));
    }

    /// Takes a file out.
    pub fn remove(&mut self, path: &str) {
        self.files.retain(|file| file.path != path);
        self.dangling.remove(path);
    }
}

/// The texts of all files below a root, with what could not be read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The directory that they are below.
    pub root: PathBuf,
    /// The parts that are there.
    pub units: BTreeMap<UnitName, Arc<Unit>>,
    /// What is wrong with the root itself, and with what belongs to no part of it. With an error here, a part that is not
    /// in the listing may be there all the same.
    pub problems: Problems,
    /// A directory that files name and that is of this process alone: it is no part of what they say.
    pub private: Option<String>,
}

impl Listing {
    /// Files that stand in no directory. Functions find their programs below `root`.
    pub fn of(root: impl Into<PathBuf>, files: impl IntoIterator<Item = File>) -> Listing {
        let mut listing = Listing {
            root: root.into(),
            ..Listing::default()
        };
        for file in files {
            listing.put(file);
        }
        listing
    }

    /// Puts a file into the part that it belongs to.
    pub fn put(&mut self, file: File) {
        let name = UnitName::of(&file.path);
        let unit = self.units.entry(name.clone());
        Arc::make_mut(unit.or_insert_with(|| Arc::new(Unit::empty(name)))).put(file);
    }

    /// Every file.
    pub fn files(&self) -> impl Iterator<Item = &Arc<File>> {
        self.units
            .values()
            .flat_map(|unit| unit.files.iter().chain(&unit.attachments))
    }

    /// Whether there is a directory with APIs besides the root API.
    pub fn has_apis(&self) -> bool {
        self.units.keys().any(|name| matches!(name, UnitName::Api(_)))
    }
}
