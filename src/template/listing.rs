//! A template as a listing of files, which is compiled as any other, and the problems of those files as messages.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::problem::{Problem, Problems, Severity};
use crate::definition::store::Store;
use crate::definition::unit::{CREDENTIALS_FILE, File, Listing, Unit, UnitName};
use crate::template::message::{Level, Message};
use crate::template::output::VirtualFile;
use crate::template::place::{Place, Pointer};
use crate::template::reading::Reading;

const FUNCTIONS: &str = "functions/";

/// Files that a template means, besides those of the root that go with it.
#[derive(Debug)]
pub struct TemplateListing {
    /// What is compiled.
    pub listing: Listing,
    /// The virtual files by their paths, to lead problems back to the template.
    files: HashMap<String, VirtualFile>,
    /// Those of the root that stand in for files of the template.
    stand_ins: HashSet<String>,
    /// Where the first API is defined.
    place: Option<Place>,
}

/// Lists what a template means, with `credentials.json` and `functions/` of a root. Inline code lies below a directory.
pub fn list(reading: &Reading, root: Option<&Store>, under: Option<&str>, inline: &Path) -> TemplateListing {
    let mut files = reading.files(under);
    for file in &mut files {
        if file.path.starts_with(FUNCTIONS) && file.text_of("WorkingDirectory") == Some("") {
            let place = file.origin("/WorkingDirectory").clone();
            let folder = inline.join(file.id());
            file.set_text("WorkingDirectory", folder.to_string_lossy(), &place);
        }
    }
    let mut listing = match root {
        Some(root) => of_root(root, &files),
        None => Listing::default(),
    };
    listing.private = Some(inline.to_string_lossy().into_owned()).filter(|private| !private.is_empty());
    let stand_ins: HashSet<String> = listing.files().map(|file| file.path.clone()).collect();
    for file in files.iter().filter(|file| !stand_ins.contains(&file.path)) {
        listing.put(File::new(file.path.clone(), file.text()));
    }
    TemplateListing {
        listing,
        files: files.into_iter().map(|file| (file.path.clone(), file)).collect(),
        stand_ins,
        place: reading.apis.first().map(|api| api.place.clone()),
    }
}

/// What of a root goes with a template: the credentials, and files of functions that the template names.
fn of_root(root: &Store, files: &[VirtualFile]) -> Listing {
    let is_named = |path: &str| {
        let Some(name) = path.strip_prefix(FUNCTIONS).and_then(|name| name.strip_suffix(".json")) else {
            return false;
        };
        files.iter().any(|file| file.path == path || names(file, name))
    };
    let is_kept = |path: &str| path == CREDENTIALS_FILE || is_named(path);
    let mut unit = root.load_unit(&UnitName::Shared, None);
    unit.files.retain(|file| is_kept(&file.path));
    // What else lies in the directories is none of the template's.
    let mut problems = Problems::new();
    for problem in unit.problems.iter().filter(|problem| is_kept(&problem.file)) {
        match problem.severity {
            Severity::Error => problems.error(&problem.file, problem.pointer.clone(), problem.text.clone()),
            Severity::Warning => problems.warning(&problem.file, problem.pointer.clone(), problem.text.clone()),
        }
    }
    let unit = Unit { problems, ..unit };
    let mut listing = Listing {
        root: root.root().to_owned(),
        ..Listing::default()
    };
    listing.units.insert(UnitName::Shared, Arc::new(unit));
    let tls = root.load_unit(&UnitName::Tls, None);
    if tls.is_there() {
        listing.units.insert(UnitName::Tls, Arc::new(tls));
    }
    listing
}

/// Whether a URI of a file may name a function.
fn names(file: &VirtualFile, function: &str) -> bool {
    let uris = [file.text_of("IntegrationUri"), file.text_of("AuthorizerUri")];
    uris.into_iter()
        .flatten()
        .any(|uri| match uri.split_once(":function:") {
            Some((_, rest)) => {
                let named = rest.split([':', '/']).next().unwrap_or_default();
                named == function || named.contains('$')
            }
            None => false,
        })
}

impl TemplateListing {
    /// The problems of the files, each at its place in the template.
    pub fn messages(&self, problems: &Problems) -> Vec<Message> {
        problems.iter().map(|problem| self.message(problem)).collect()
    }

    /// A problem at its place in the template. One of a file that is really there keeps it.
    pub fn message(&self, problem: &Problem) -> Message {
        let level = match problem.severity {
            Severity::Error => Level::Error,
            Severity::Warning => Level::Warning,
        };
        let place = match self.file(&problem.file) {
            Some(file) => file.origin(&problem.pointer).clone(),
            None => self.place_of_others(problem),
        };
        Message {
            place,
            level,
            text: self.told(&problem.text),
        }
    }

    /// A virtual file that is listed.
    fn file(&self, path: &str) -> Option<&VirtualFile> {
        self.files.get(path).filter(|_| !self.stand_ins.contains(path))
    }

    fn place_of_others(&self, problem: &Problem) -> Place {
        let segments = problem.pointer.split('/').skip(1);
        let pointer = segments.fold(Pointer::default(), |pointer, segment| {
            pointer.member(&segment.replace("~1", "/").replace("~0", "~"))
        });
        // A directory that is no file of the template is the template's as a whole.
        let last = problem.file.rsplit('/').next().unwrap_or_default();
        let is_directory = ["stages", "routes", "integrations", "authorizers"].contains(&last);
        match self.place.as_ref().filter(|_| is_directory) {
            Some(place) => place.clone(),
            None => Place {
                pointer,
                ..Place::file(&problem.file)
            },
        }
    }

    /// A sentence that names no file that is not there.
    fn told(&self, text: &str) -> String {
        let mut text = text.to_owned();
        // The template has resources, and no files of them.
        for (directory, name) in [
            ("authorizers", "authorizer"),
            ("integrations", "integration"),
            ("routes", "route"),
        ] {
            let begins = format!("there is no file {directory}/");
            if let Some((before, rest)) = text.split_once(&begins)
                && let Some((id, after)) = rest.split_once(".json")
            {
                text = format!("{before}there is no {name} {id}{after}");
            }
        }
        let is_part = |character: char| character.is_alphanumeric() || "/-_.$".contains(character);
        let words: Vec<String> = text.split(|character| !is_part(character)).map(str::to_owned).collect();
        for word in words {
            if let Some(file) = self.file(&word) {
                text = text.replace(&word, &file.place.position());
            }
        }
        text
    }
}

/// The paths that a template's inline code has below a directory, and what the files hold.
pub fn inline_files(reading: &Reading) -> impl Iterator<Item = (PathBuf, &str)> {
    reading
        .inline
        .iter()
        .map(|code| (PathBuf::from(&code.function).join(&code.file), code.text.as_str()))
}
