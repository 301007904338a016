//! What a call changes of the files, collected before any of it is written.

use crate::control_plane::api::file_writer::Edit;
use crate::definition::unit::{File, Listing, UnitName};
use crate::template::listing::TemplateListing;
use std::sync::Arc;

/// What a call changes.
#[derive(Debug, Default)]
pub struct Edits {
    /// Files, in the order in which they are to be written: it is without errors after each.
    files: Vec<Edit>,
    /// The directory of a new API, and its files by their paths in it.
    created: Option<(String, Vec<(String, String)>)>,
    /// The API whose directory goes.
    deleted: Option<UnitName>,
    /// What files come from, where they are those of a document.
    origin: Option<Arc<TemplateListing>>,
}

impl Edits {
    /// A file is to say that. One that says it already is not written.
    pub fn put(&mut self, path: &str, before: Option<&str>, after: String) {
        if before == Some(after.as_str()) {
            return;
        }
        self.files.push(Edit {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: Some(after),
        });
    }

    /// A file is to go.
    pub fn remove(&mut self, path: &str, before: Option<&str>) {
        self.files.push(Edit {
            path: path.to_owned(),
            before: before.map(str::to_owned),
            after: None,
        });
    }

    /// The directory of an API is to be made, with these files.
    pub fn create_directory(&mut self, directory: String, files: Vec<(String, String)>) {
        self.created = Some((directory, files));
    }

    /// The directory of an API is to go.
    pub fn delete_directory(&mut self, api: UnitName) {
        self.deleted = Some(api);
    }

    /// Problems of files are to be told of the document that these come from.
    pub fn explain(&mut self, origin: Arc<TemplateListing>) {
        self.origin = Some(origin);
    }

    /// What the files come from.
    pub fn origin(&self) -> Option<&TemplateListing> {
        self.origin.as_deref()
    }

    /// The files that change.
    pub fn files(&self) -> &[Edit] {
        &self.files
    }

    /// The directory that is to be made.
    pub fn created(&self) -> Option<&(String, Vec<(String, String)>)> {
        self.created.as_ref()
    }

    /// The API whose directory goes.
    pub fn deleted(&self) -> Option<&UnitName> {
        self.deleted.as_ref()
    }

    /// Whether nothing changes.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.created.is_none() && self.deleted.is_none()
    }

    /// The parts of the root that change.
    pub fn units(&self) -> Vec<UnitName> {
        let created = self
            .created
            .iter()
            .map(|(directory, _)| UnitName::of(&format!("{directory}/x")));
        let files = self.files.iter().map(|edit| UnitName::of(&edit.path));
        let mut units: Vec<UnitName> = files.chain(created).chain(self.deleted.clone()).collect();
        units.sort();
        units.dedup();
        units
    }

    /// Changes what was read in the same way.
    pub fn apply(&self, listing: &mut Listing) {
        for edit in &self.files {
            match &edit.after {
                Some(text) => listing.put(File::new(edit.path.clone(), text.clone())),
                None => {
                    if let Some(unit) = listing.units.get_mut(&UnitName::of(&edit.path)) {
                        Arc::make_mut(unit).remove(&edit.path);
                    }
                }
            }
        }
        if let Some((directory, files)) = &self.created {
            for (path, text) in files {
                listing.put(File::new(format!("{directory}/{path}"), text.clone()));
            }
        }
        if let Some(api) = &self.deleted {
            listing.units.remove(api);
        }
        listing.units.retain(|_, unit| unit.is_there());
    }
}
