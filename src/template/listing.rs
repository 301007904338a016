//! A template as a listing of files, which is compiled as any other, and the problems of those files as messages.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::definition::problem::{Problem, Problems, Severity};
use crate::definition::resource::{CREDENTIALS_FILE, File};
use crate::definition::store::{Listing, Store};
use crate::template::message::{Level, Message};
use crate::template::output::{Api, VirtualFile};
use crate::template::place::{Place, Pointer};
use crate::template::reading::Reading;

/// What the directories of files are that today's listing has no place for.
const NOT_LISTED: [&str; 3] = ["apis/", "domains/", "vpclinks/"];

const FUNCTIONS: &str = "functions/";

/// Files that a template means, besides those of the root that go with it.
#[derive(Debug)]
pub struct TemplateListing {
    /// What is compiled.
    pub listing: Listing,
    /// The virtual files, to lead problems back to the template.
    files: Vec<VirtualFile>,
}

/// Lists what one API of a template means, with `credentials.json` and `functions/` of a root. Inline code lies below a
/// directory.
pub fn list(reading: &Reading, api: &Api, root: Option<&Store>, inline: &Path) -> TemplateListing {
    let mut files: Vec<VirtualFile> = api.files.iter().chain(&reading.shared).cloned().collect();
    for file in &mut files {
        if file.path.starts_with(FUNCTIONS) && file.text_of("WorkingDirectory") == Some("") {
            let place = file.origin("/WorkingDirectory").clone();
            let folder = inline.join(file.id());
            file.set_text("WorkingDirectory", folder.to_string_lossy(), &place);
        }
    }
    let mut listing = match root {
        Some(root) => of_root(root, &files),
        None => Listing {
            root: PathBuf::new(),
            files: Vec::new(),
            problems: Problems::new(),
            dangling: BTreeSet::new(),
        },
    };
    for file in &files {
        let is_listed = !NOT_LISTED.iter().any(|directory| file.path.starts_with(directory));
        let is_replaced = listing.files.iter().any(|known| known.path == file.path);
        if is_listed && !is_replaced {
            listing.files.push(File {
                path: file.path.clone(),
                text: Ok(file.text()),
            });
        }
    }
    TemplateListing { listing, files }
}

/// What of a root goes with a template: the credentials, and files of functions that the template names.
fn of_root(root: &Store, files: &[VirtualFile]) -> Listing {
    let mut listing = root.load();
    let is_named = |path: &str| {
        let Some(name) = path.strip_prefix(FUNCTIONS).and_then(|name| name.strip_suffix(".json")) else {
            return false;
        };
        let is_function = |file: &VirtualFile| file.path == path || names(file, name);
        files.iter().any(is_function)
    };
    listing
        .files
        .retain(|file| file.path == CREDENTIALS_FILE || is_named(&file.path));
    let mut kept = Problems::new();
    for problem in &listing.problems {
        // The directories of an API may be missing, and others hold something else.
        let is_of_them = problem.file == CREDENTIALS_FILE || is_named(&problem.file);
        let is_root = problem.file == root.root().to_string_lossy();
        if is_of_them || is_root {
            match problem.severity {
                Severity::Error => kept.error(&problem.file, problem.pointer.clone(), problem.text.clone()),
                Severity::Warning => kept.warning(&problem.file, problem.pointer.clone(), problem.text.clone()),
            }
        }
    }
    listing.problems = kept;
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
        let is_real = |file: &VirtualFile| self.is_of_the_root(&file.path);
        let file = self
            .files
            .iter()
            .find(|file| file.path == problem.file && !is_real(file));
        let place = match file {
            Some(file) => file.origin(&problem.pointer).clone(),
            None => self.place_of_others(problem),
        };
        Message {
            place,
            level,
            text: self.told(&problem.text),
        }
    }

    fn is_of_the_root(&self, path: &str) -> bool {
        path.starts_with(FUNCTIONS) && {
            let virtual_text = self.files.iter().find(|file| file.path == path).map(VirtualFile::text);
            let listed = self.listing.files.iter().find(|file| file.path == path);
            listed.is_some_and(|listed| listed.text.as_ref().ok() != virtual_text.as_ref())
        }
    }

    fn place_of_others(&self, problem: &Problem) -> Place {
        let segments = problem.pointer.split('/').skip(1);
        let pointer = segments.fold(Pointer::default(), |pointer, segment| {
            pointer.member(&segment.replace("~1", "/").replace("~0", "~"))
        });
        // A directory that is no file of the template is the template's as a whole.
        let is_directory = ["stages", "routes", "integrations", "authorizers"].contains(&problem.file.as_str());
        match self.files.first().filter(|_| is_directory) {
            Some(file) => file.place.clone(),
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
        for file in &self.files {
            if text.contains(&file.path) && !self.is_of_the_root(&file.path) {
                text = text.replace(&file.path, &file.place.position());
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
