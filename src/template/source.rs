//! A template that is served: read again when a file of it has changed.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::definition::problem::Problems;
use crate::definition::store::{Fingerprint, Store};
use crate::definition::unit::Listing;
use crate::platform::files::{self, PrivateDirectory};
use crate::template::import::take_stages;
use crate::template::listing::{TemplateListing, inline_files, list};
use crate::template::message::{Level, Message, has_errors, sorted};
use crate::template::options::Options;
use crate::template::output::Api;
use crate::template::place::Place;
use crate::template::printed::printed_resources;
use crate::template::reading::{Reading, found, read};

/// Looks at which the template's file may be missing before that is told: tools replace the folder that they build.
const MISSES: u32 = 4;

/// A template, its options and the root that goes with it.
#[derive(Debug)]
pub struct TemplateSource {
    path: PathBuf,
    options: Options,
    root: Store,
    /// Where inline code lies.
    directory: PrivateDirectory,
    seen: Option<Seen>,
    /// What was read last without errors.
    last_good: Option<Arc<Reading>>,
    misses: u32,
    /// Whether what the AWS CLI prints is read too.
    takes_printed_resources: bool,
}

#[derive(Debug)]
struct Seen {
    watched: Fingerprint,
    root: Fingerprint,
}

/// One reading of a template.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// What is to be compiled; where the template has errors, what it was before, if there was anything.
    pub listing: Option<Arc<TemplateListing>>,
    /// What the template means.
    pub reading: Arc<Reading>,
    /// What is to be told of the template.
    pub messages: Vec<Message>,
}

impl Loaded {
    /// Whether the template cannot be served.
    pub fn is_broken(&self) -> bool {
        has_errors(&self.messages)
    }

    /// All that is to be told, with the problems of the compiled files.
    pub fn all_messages(&self, problems: &Problems) -> Vec<Message> {
        let mut all = self.messages.clone();
        for message in self.listing.iter().flat_map(|listing| listing.messages(problems)) {
            if !is_known(&message, &self.messages) {
                all.push(message);
            }
        }
        sorted(all)
    }
}

/// Whether the reading of the template has told of what a warning of the files says.
///
/// That a function is invoked elsewhere is told where its code is, and need not be told at each route.
fn is_known(message: &Message, known: &[Message]) -> bool {
    if message.text.starts_with("there is no stage") {
        let is_told = |text: &str| text.contains(" has no stage") || text.starts_with("no stage is made");
        return known.iter().any(|known| is_told(&known.text));
    }
    if message.text.contains("cannot start: its working directory") {
        return known
            .iter()
            .any(|known| known.place.file == message.place.file && known.text.contains("its code is in AWS"));
    }
    let Some(name) = message
        .text
        .strip_prefix("there is no file functions/")
        .and_then(|rest| rest.split(".json").next())
    else {
        return false;
    };
    let begins = |known: &Message| {
        known
            .text
            .strip_prefix(name)
            .is_some_and(|rest| rest.starts_with(" is "))
    };
    known.iter().any(begins)
}

/// Errors for ids that would be no names of files: ids become parts of paths, and may lead to no other directory.
fn names_outside(reading: &Reading) -> Vec<Message> {
    let files = reading.apis.iter().flat_map(|api| &api.files).chain(&reading.shared);
    let of_files = files
        .filter(|file| !is_path_of_resource(&file.path))
        .map(|file| (&file.place, &file.path));
    // OpenAPI has no ids.
    let has_bad_id = |api: &&Api| !api.id.is_empty() && !is_name(&api.id);
    let of_apis = reading.apis.iter().filter(has_bad_id).map(|api| (&api.place, &api.id));
    let error = |(place, path): (&Place, &String)| Message {
        place: place.clone(),
        level: Level::Error,
        text: format!("{path:?} cannot be the path of a file: an id has no / and no \\, and begins with no dot"),
    };
    of_files.chain(of_apis).map(error).collect()
}

/// Whether a path is that of a file below one directory at most.
fn is_path_of_resource(path: &str) -> bool {
    path.split('/').count() <= 2 && path.split('/').all(is_name)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('.') && !text.contains(['/', '\\', '\0'])
}

impl TemplateSource {
    /// A template that is to be read.
    ///
    /// # Errors
    /// A sentence: the system refuses a private directory.
    pub fn new(path: PathBuf, options: Options, root: Store) -> Result<TemplateSource, String> {
        let since = SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        let directory = PrivateDirectory::new(&since.as_nanos().to_string())
            .map_err(|error| format!("the system refuses a private directory: {error}"))?;
        Ok(TemplateSource {
            path,
            options,
            root,
            directory,
            seen: None,
            last_good: None,
            misses: 0,
            takes_printed_resources: false,
        })
    }

    /// A template that is to be written as files: a root's functions do not stand in for those of the template.
    ///
    /// # Errors
    /// As of [`TemplateSource::new`].
    pub fn for_import(path: PathBuf, options: Options, root: Store) -> Result<TemplateSource, String> {
        Ok(TemplateSource {
            takes_printed_resources: true,
            ..TemplateSource::new(path, options, root)?
        })
    }

    /// The path that was given.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads the template.
    pub fn load(&mut self) -> Loaded {
        // Looked at before it is read, so that a write in between is seen the next time.
        let root = self.root.fingerprint(&Listing::default());
        let printed = match self.takes_printed_resources {
            true => printed_resources(&self.path),
            false => None,
        };
        let mut reading = printed.unwrap_or_else(|| read(&self.path, &self.options));
        if self.takes_printed_resources && reading.is_openapi {
            take_stages(&mut reading, self.root.root(), self.options.api.as_deref());
        }
        self.seen = Some(Seen {
            watched: reading.watched.clone(),
            root,
        });
        let mut messages = reading.messages.clone();
        let outside = names_outside(&reading);
        let may_write = outside.is_empty();
        messages.extend(outside);
        for (path, text) in inline_files(&reading).filter(|_| may_write) {
            let path = self.directory.path().join(path);
            let is_there = files::read_at_most(&path, text.len() as u64).is_ok_and(|known| known == text.as_bytes());
            if !is_there && let Err(error) = files::replace(&path, text.as_bytes()) {
                messages.push(Message {
                    place: Place::file(&self.path.to_string_lossy()),
                    level: Level::Error,
                    text: format!("inline code cannot be written to {}: {error}", path.display()),
                });
            }
        }
        let is_broken = has_errors(&messages);
        let reading = Arc::new(reading);
        if !is_broken {
            self.last_good = Some(Arc::clone(&reading));
        }
        // Where there are errors, the files of before with the credentials of now. What is written must hold by itself,
        // and where it is written there may be nothing yet.
        let root = (!self.takes_printed_resources).then_some(&self.root);
        let under = self.options.api.as_deref().filter(|_| self.takes_printed_resources);
        let list = |reading: &Arc<Reading>| Arc::new(list(reading, root, under, self.directory.path()));
        Loaded {
            listing: self.last_good.as_ref().map(list),
            reading,
            messages,
        }
    }

    /// Whether a file may have changed since the last reading.
    pub fn may_differ(&mut self) -> bool {
        let Some(seen) = &self.seen else { return true };
        let (file, _) = found(&self.path);
        let is_there = file.is_file();
        if !is_there && self.misses < MISSES {
            self.misses += 1;
            return false;
        }
        if is_there {
            self.misses = 0;
        }
        let now = Seen {
            watched: seen.watched.again(),
            root: self.root.fingerprint(&Listing::default()),
        };
        let differs = seen.watched.may_differ(&now.watched) || seen.root.may_differ(&now.root);
        self.seen = Some(now);
        differs
    }
}

impl Loaded {
    /// The files that are to be compiled.
    pub fn files(&self) -> Option<&Listing> {
        self.listing.as_deref().map(|listing| &listing.listing)
    }

    /// The messages of a level.
    pub fn messages_of(&self, level: Level) -> Vec<Message> {
        self.messages
            .iter()
            .filter(|message| message.level == level)
            .cloned()
            .collect()
    }
}
