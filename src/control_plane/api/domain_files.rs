//! The file of a custom domain, as a call finds it.

use std::sync::Arc;

use crate::control_plane::api::api_files::Members;
use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::root::Root;
use crate::definition::document::Document;
use crate::definition::problem::Severity;
use crate::definition::resource::read_domain;
use crate::definition::unit::{DOMAINS_DIRECTORY, Unit, UnitName};

/// The file of a domain.
#[derive(Debug)]
pub struct DomainFile {
    name: String,
    unit: Arc<Unit>,
}

impl DomainFile {
    /// The file of a domain that is there.
    ///
    /// # Errors
    /// There is none of that name.
    pub fn find(root: &Root<'_>, name: &str) -> Result<DomainFile, ApiError> {
        // The name becomes part of a path only where it is one in the directory.
        if !root.domain_names().iter().any(|known| known == name) {
            let text = "The domain name resource specified in the request was not found.";
            return Err(ApiError::not_found(text));
        }
        Ok(DomainFile::known(root, name.to_owned()))
    }

    /// The file of a domain whose name was found in the directory.
    pub fn known(root: &Root<'_>, name: String) -> DomainFile {
        DomainFile {
            unit: root.unit(&UnitName::Domain(name.clone())),
            name,
        }
    }

    /// The file of a domain that is not there yet.
    pub fn new(name: &str) -> DomainFile {
        DomainFile {
            unit: Arc::new(Unit::empty(UnitName::Domain(name.to_owned()))),
            name: name.to_owned(),
        }
    }

    /// The domain's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The path of the file below the root.
    pub fn path(&self) -> String {
        format!("{DOMAINS_DIRECTORY}/{}.json", self.name)
    }

    /// The file's text; none where it cannot be read.
    pub fn text(&self) -> Option<&str> {
        self.unit.file(&self.path())?.text.as_deref().ok()
    }

    /// What the file says.
    ///
    /// # Errors
    /// It is not JSON or breaks a shape.
    pub fn members(&self) -> Result<Members, ApiError> {
        self.document().map(|document| document.members())
    }

    /// The file, to be changed.
    ///
    /// # Errors
    /// As [`DomainFile::members`].
    pub fn document(&self) -> Result<Document, ApiError> {
        let (_, problems) = read_domain(&self.unit);
        if let Some(problem) = problems.iter().find(|problem| problem.severity == Severity::Error) {
            return Err(ApiError::conflict(problem.to_string()));
        }
        let document = Document::of(self.text().unwrap_or_default());
        document.map_err(|text| ApiError::conflict(format!("{}: {text}", self.path())))
    }
}
