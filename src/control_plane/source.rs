//! Where the configuration comes from that is served: files below a root, or a template.

use std::path::PathBuf;

use crate::definition::problem::Problems;
use crate::definition::store::{Fingerprint, Store};
use crate::definition::unit::Listing;
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
    Template(Box<TemplateSource>, Loaded),
}

impl Source {
    /// Files, and what they are now. They are looked at before they are read, so that a write in between is seen the next
    /// time.
    pub(super) fn of_files(store: Store) -> (Source, Listing) {
        let fingerprint = store.fingerprint(&Listing::default());
        let listing = store.load();
        (Source::Files(store, fingerprint), listing)
    }

    /// A template, and the files that it means.
    ///
    /// # Errors
    /// All that is to be told of it, errors among that.
    pub(super) fn of_template(mut source: TemplateSource) -> Result<(Source, Listing), Vec<Message>> {
        let loaded = source.load();
        match loaded.files().cloned() {
            Some(listing) => Ok((Source::Template(Box::new(source), loaded), listing)),
            None => Err(loaded.messages),
        }
    }

    /// Where the files are; none for a template.
    pub(super) fn store(&self) -> Option<&Store> {
        match self {
            Source::Files(store, _) => Some(store),
            Source::Template(..) => None,
        }
    }

    /// Whether what was read may be different now; `listing` is what was read.
    pub(super) fn look(&mut self, listing: &Listing) -> bool {
        match self {
            Source::Files(store, fingerprint) => {
                let now = store.fingerprint(listing);
                let may_differ = fingerprint.may_differ(&now);
                *fingerprint = now;
                may_differ
            }
            Source::Template(source, _) => source.may_differ(),
        }
    }

    /// Reads everything again; tells whether a template's messages are others. Where a template has errors, its files are
    /// those of before.
    pub(super) fn read(&mut self, before: &Listing) -> (Listing, bool) {
        match self {
            Source::Files(store, _) => (store.load_again(before), false),
            Source::Template(source, loaded) => {
                let now = source.load();
                let differs = now.messages != loaded.messages;
                *loaded = now;
                (loaded.files().unwrap_or(before).clone(), differs)
            }
        }
    }

    /// What the log calls it.
    pub(super) fn shown(&self) -> String {
        match self {
            Source::Files(store, _) => store.root().display().to_string(),
            Source::Template(source, _) => source.path().display().to_string(),
        }
    }

    /// Whether it is a template with errors.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Source::Template(_, loaded) if loaded.is_broken())
    }

    /// What is to be told of a template with the problems of its files; none where files are served.
    pub(super) fn messages(&self, problems: &Problems) -> Option<Vec<Message>> {
        match self {
            Source::Files(..) => None,
            Source::Template(_, loaded) => Some(loaded.all_messages(problems)),
        }
    }
}

/// Logs messages of a template.
pub(super) fn report_messages(messages: &[Message]) {
    for message in messages {
        match message.level {
            Level::Error => log::error!("{message}"),
            Level::Warning => log::warn!("{message}"),
            Level::Note => log::info!("{message}"),
        }
    }
}
