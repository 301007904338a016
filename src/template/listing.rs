//! A template as a listing of files, which is compiled as any other, and the problems of those files as messages.

use std::collections::{BTreeSet, HashMap, HashSet};
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
    /// The virtual files by their paths, to lead problems back to the template.
    files: HashMap<String, VirtualFile>,
    /// Those of the root that stand in for files of the template.
    stand_ins: HashSet<String>,
    /// Where the API is defined.
    place: Place,
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
    let stand_ins: HashSet<String> = listing.files.iter().map(|file| file.path.clone()).collect();
    for file in &files {
        let is_listed = !NOT_LISTED.iter().any(|directory| file.path.starts_with(directory));
        if is_listed && !stand_ins.contains(&file.path) {
            listing.files.push(File {
                path: file.path.clone(),
                text: Ok(file.text()),
            });
        }
    }
    TemplateListing {
        listing,
        files: files.into_iter().map(|file| (file.path.clone(), file)).collect(),
        stand_ins,
        place: api.place.clone(),
    }
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
        let is_directory = ["stages", "routes", "integrations", "authorizers"].contains(&problem.file.as_str());
        match is_directory {
            true => self.place.clone(),
            false => Place {
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
