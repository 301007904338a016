//! Where the configuration comes from that is served: files below a root, or a template.

use std::path::PathBuf;

use crate::definition::problem::Problems;
use crate::definition::store::{Fingerprint, Listing, Store};
use crate::template::message::{Level, Message};
use crate::template::options::Options;
use crate::template::source::{Loaded, TemplateSource};

/// A template that is named by an option.
#[derive(Clone, Debug)]
pub struct TemplateOption {
    /// The file, or a folder with one.
    pub path: PathBuf,
    /// The other options of it.
    pub options: Options,
}

/// Files or a template.
#[derive(Debug)]
pub(super) enum Source {
    Files(Store, Fingerprint),
    Template(Box<TemplateSource>),
}

/// What was read from a source.
#[derive(Debug)]
pub(super) struct Read {
    /// The files; those of before where a template has errors.
    pub(super) listing: Listing,
    /// What a template says besides.
    pub(super) loaded: Option<Loaded>,
}

impl Source {
    pub(super) fn of_files(store: Store) -> Source {
        let fingerprint = store.fingerprint();
        Source::Files(store, fingerprint)
    }

    /// Whether what was read may be different now.
    pub(super) fn look(&mut self) -> bool {
        match self {
            Source::Files(store, fingerprint) => {
                let now = store.fingerprint();
                let may_differ = fingerprint.may_differ(&now);
                *fingerprint = now;
                may_differ
            }
            Source::Template(source) => source.may_differ(),
        }
    }

    /// Reads everything. None where a template has errors and never was without.
    ///
    /// # Errors
    /// What is wrong with the template.
    pub(super) fn read(&mut self) -> Result<Read, Vec<Message>> {
        match self {
            Source::Files(store, _) => Ok(Read {
                listing: store.load(),
                loaded: None,
            }),
            Source::Template(source) => {
                let mut loaded = source.load();
                loaded.refuse_several();
                let is_first_and_broken = !source.has_been_served() && loaded.is_broken();
                match loaded.files().filter(|_| !is_first_and_broken) {
                    Some(listing) => Ok(Read {
                        listing: listing.clone(),
                        loaded: Some(loaded),
                    }),
                    None => Err(loaded.messages),
                }
            }
        }
    }

    /// What the log calls it.
    pub(super) fn shown(&self) -> String {
        match self {
            Source::Files(store, _) => store.root().display().to_string(),
            Source::Template(source) => source.path().display().to_string(),
        }
    }
}

/// Logs messages of a template.
pub fn report_messages(messages: &[Message]) {
    for message in messages {
        match message.level {
            Level::Error => log::error!("{message}"),
            Level::Warning => log::warn!("{message}"),
            Level::Note => log::info!("{message}"),
        }
    }
}

impl Read {
    /// What is to be told of a template with the problems of its files; none where there is no template.
    pub(super) fn messages(&self, problems: &Problems) -> Option<Vec<Message>> {
        Some(self.loaded.as_ref()?.all_messages(problems))
    }

    /// Whether a template has errors, so that what was read is of before.
    pub(super) fn is_broken(&self) -> bool {
        self.loaded.as_ref().is_some_and(Loaded::is_broken)
    }

    /// The messages of a template alone.
    pub(super) fn own_messages(&self) -> &[Message] {
        self.loaded
            .as_ref()
            .map(|loaded| loaded.messages.as_slice())
            .unwrap_or_default()
    }
}
