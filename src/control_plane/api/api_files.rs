//! The files of an API, as a call finds them.

use std::sync::Arc;

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::kind::Kind;
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::problem::{Problem, Problems, Severity};
use crate::definition::resource::Resources;
use crate::definition::unit::{API_FILE, File, Unit, UnitName};

/// The id of a root API whose files say none.
const DEFAULT_ID: &str = "local";

/// The members of a file.
pub type Members = Vec<(String, Json)>;

/// The files of an API.
#[derive(Debug)]
pub struct ApiFiles {
    unit: Arc<Unit>,
    id: String,
    prefix: String,
}

impl ApiFiles {
    /// The files of that part of a root.
    pub fn of(unit: Arc<Unit>) -> ApiFiles {
        let id = match &unit.name {
            UnitName::Api(id) => id.clone(),
            _ => {
                let file = unit.file(API_FILE).and_then(|file| file.text.as_ref().ok());
                let members = file
                    .and_then(|text| Document::of(text).ok())
                    .map(|document| document.members());
                let id = members.as_deref().and_then(|members| text(members, "ApiId"));
                id.unwrap_or(DEFAULT_ID).to_owned()
            }
        };
        ApiFiles {
            prefix: unit.name.prefix(),
            id,
            unit,
        }
    }

    /// The API's id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Which part of the root it is.
    pub fn name(&self) -> &UnitName {
        &self.unit.name
    }

    /// What the paths of its files begin with: nothing for the root API.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The path of `api.json` below the root.
    pub fn api_path(&self) -> String {
        format!("{}{API_FILE}", self.prefix)
    }

    /// The path of a resource's file below the root.
    pub fn path(&self, kind: &Kind, id: &str) -> String {
        format!("{}{}/{id}.json", self.prefix, kind.directory)
    }

    /// The text of a file; none where it is not there, or cannot be read.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.unit.file(path)?.text.as_deref().ok()
    }

    /// The ids of all resources of a kind, readable or not.
    pub fn ids(&self, kind: &Kind) -> Vec<&str> {
        self.of_kind(kind).map(File::id).collect()
    }

    fn of_kind(&self, kind: &Kind) -> impl Iterator<Item = &File> {
        let files = self.unit.files.iter().map(AsRef::as_ref);
        files.filter(move |file: &&File| file.directory(&self.prefix) == kind.directory)
    }

    /// Whether a resource has a file.
    pub fn has(&self, kind: &Kind, id: &str) -> bool {
        self.of_kind(kind).any(|file| file.id() == id)
    }

    /// What `api.json` says; nothing where a root API has none.
    ///
    /// # Errors
    /// The file is not JSON or breaks a shape.
    pub fn api(&self) -> Result<Members, ApiError> {
        let path = self.api_path();
        match self.unit.file(&path) {
            None if self.unit.name == UnitName::RootApi => Ok(Vec::new()),
            _ => self.members_at(&path),
        }
    }

    /// What a resource's file says.
    ///
    /// # Errors
    /// There is none with that id; or the file is not JSON or breaks a shape.
    pub fn members(&self, kind: &Kind, id: &str) -> Result<Members, ApiError> {
        match self.has(kind, id) {
            true => self.members_at(&self.path(kind, id)),
            false => Err(kind.not_found(id)),
        }
    }

    /// The resource's file, to be changed.
    ///
    /// # Errors
    /// As [`ApiFiles::members`].
    pub fn document(&self, kind: &Kind, id: &str) -> Result<Document, ApiError> {
        self.members(kind, id)?;
        self.document_at(&self.path(kind, id))
    }

    /// A file, to be changed.
    ///
    /// # Errors
    /// It is no JSON object.
    pub fn document_at(&self, path: &str) -> Result<Document, ApiError> {
        Document::of(self.text(path).unwrap_or("{}\n")).map_err(|text| ApiError::conflict(format!("{path}: {text}")))
    }

    /// Every resource of a kind whose file can be read, by id.
    pub fn all(&self, kind: &Kind) -> Vec<(String, Members)> {
        let problems = self.problems_of(|file| file.directory(&self.prefix) == kind.directory);
        let members = |file: &File| parsed(&file.path, file.text.as_deref().ok(), &problems).ok();
        self.of_kind(kind)
            .filter_map(|file| Some((file.id().to_owned(), members(file)?)))
            .collect()
    }

    /// Checks that every file of a kind can be read.
    ///
    /// # Errors
    /// The first that is not JSON or breaks a shape.
    pub fn check(&self, kind: &Kind) -> Result<(), ApiError> {
        let problems = self.problems_of(|file| file.directory(&self.prefix) == kind.directory);
        let parsed = |file: &File| parsed(&file.path, file.text.as_deref().ok(), &problems).map(drop);
        self.of_kind(kind).try_for_each(parsed)
    }

    fn members_at(&self, path: &str) -> Result<Members, ApiError> {
        parsed(path, self.text(path), &self.problems_of(|file| file.path == path))
    }

    /// What is wrong with the shapes of some files; the others are not read for it.
    fn problems_of(&self, is_meant: impl Fn(&File) -> bool) -> Problems {
        let mut unit = Unit {
            problems: self.unit.problems.clone(),
            dangling: self.unit.dangling.clone(),
            ..Unit::empty(self.unit.name.clone())
        };
        let files = self.unit.files.iter().filter(|file| is_meant(file));
        unit.files.extend(files.cloned());
        Resources::read(&unit).problems
    }
}

/// The members that a file's text has, unless the file breaks a shape.
fn parsed(path: &str, text: Option<&str>, problems: &Problems) -> Result<Members, ApiError> {
    let is_error = |problem: &&Problem| problem.severity == Severity::Error && problem.file == path;
    if problems.has_errors_in(path)
        && let Some(problem) = problems.iter().find(is_error)
    {
        return Err(ApiError::conflict(problem.to_string()));
    }
    let document = Document::of(text.unwrap_or_default());
    let document = document.map_err(|text| ApiError::conflict(format!("{path}: {text}")))?;
    Ok(document.members())
}

/// The text that a member of a file says.
pub fn text<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a str> {
    members.iter().find_map(|(member, value)| match value {
        Json::String(text) if member == name => Some(text.as_str()),
        _ => None,
    })
}

/// Whether a member of a file says yes, as such or as its text.
pub fn is_true(members: &[(String, Json)], name: &str) -> bool {
    members.iter().any(|(member, value)| {
        member == name && (*value == Json::Bool(true) || *value == Json::String("true".to_owned()))
    })
}

/// The value of a member of a file.
pub fn value<'a>(members: &'a [(String, Json)], name: &str) -> Option<&'a Json> {
    let found = members.iter().find(|(member, _)| member == name);
    found.map(|(_, value)| value).filter(|value| **value != Json::Null)
}

/// Whether a call takes a member out.
pub fn is_null(members: &[(String, Json)], name: &str) -> bool {
    members
        .iter()
        .any(|(member, value)| member == name && *value == Json::Null)
}
