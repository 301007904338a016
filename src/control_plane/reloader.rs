//! Reads the files again, compiles what has changed, and deploys it: one change at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control_plane::api::recovery;
use crate::control_plane::changes::Changes;
use crate::control_plane::source::{Source, report_messages};
use crate::data_plane::gateway::Gateway;
use crate::definition::problem::{Problems, Severity};
use crate::definition::store::Store;
use crate::definition::unit::{Listing, UnitName};
use crate::deployment::compiler::{Compilation, Compiler};
use crate::deployment::configuration::Configuration;
use crate::template::message::Message;
use crate::template::source::TemplateSource;

/// What is known of the files, and what was compiled of them.
#[derive(Debug)]
pub struct Files {
    source: Source,
    /// As they were read last.
    listing: Listing,
    /// Those of what is served: of each unit with errors, the last ones without.
    served: Listing,
    compiler: Compiler,
    /// Looks that another process has put off, which is in the middle of a change of several files.
    put_off: u32,
}

/// Looks that another process can put off: 2 s. Then it has ended, and what it has begun is finished here.
const MOST_PUT_OFF: u32 = 5;

impl Files {
    /// Reads and compiles the files for the first time.
    ///
    /// # Errors
    /// What is wrong with them, warnings too.
    pub fn first(store: Store) -> Result<(Files, Configuration, Problems), Problems> {
        let (source, listing) = Source::of_files(store);
        let (files, configuration, problems) = Files::compiled(source, listing);
        match configuration {
            Some(configuration) => Ok((files, configuration, problems)),
            None => Err(problems),
        }
    }

    /// Reads and compiles a template for the first time.
    ///
    /// # Errors
    /// All that is to be told of it, errors among that.
    pub fn of_template(template: TemplateSource) -> Result<(Files, Configuration, Problems), Vec<Message>> {
        let (source, listing) = Source::of_template(template)?;
        let (files, configuration, problems) = Files::compiled(source, listing);
        match configuration {
            Some(configuration) => Ok((files, configuration, problems)),
            None => Err(files.source.messages(&problems).unwrap_or_default()),
        }
    }

    fn compiled(source: Source, listing: Listing) -> (Files, Option<Configuration>, Problems) {
        let mut compiler = Compiler::for_listener(&listing);
        let (mut configuration, problems) = Configuration::by(&mut compiler, &listing);
        if let Some(configuration) = &mut configuration {
            configuration.note_files(&listing);
        }
        let files = Files {
            source,
            served: listing.clone(),
            listing,
            compiler,
            put_off: 0,
        };
        (files, configuration, problems)
    }

    /// Logs the problems of the files, each at its place in the template where one is served.
    pub fn report(&self, problems: &Problems) {
        match self.source.messages(problems) {
            Some(messages) => report_messages(&messages),
            None => report(problems),
        }
    }

    /// Where the files are; none where a template is served.
    pub fn store(&self) -> Option<&Store> {
        self.source.store()
    }

    /// The files as they were read last.
    pub fn listing(&self) -> &Listing {
        &self.listing
    }

    /// The files as they are on disk now; of a template, as they were read last.
    pub fn listing_now(&self) -> Listing {
        match self.source.store() {
            Some(store) => store.load_again(&self.listing),
            None => self.listing.clone(),
        }
    }

    /// Whether two readings found the same.
    pub fn are_the_same(one: &Listing, other: &Listing) -> bool {
        Changes::between(one, other).is_empty() && one.problems == other.problems
    }

    /// Messages of a template with those of its files; none where files are served.
    pub fn messages(&self, problems: &Problems) -> Option<Vec<Message>> {
        self.source.messages(problems)
    }

    /// Whether a template is served whose text has errors now.
    pub fn is_template_broken(&self) -> bool {
        self.source.is_broken()
    }

    /// What would be served of other files, and the compiler that knows them.
    pub fn try_out(&self, listing: &Listing) -> (Compiler, Compilation) {
        let mut compiler = self.compiler.clone();
        let compilation = compiler.compile(listing, false);
        (compiler, compilation)
    }

    /// Whether the files are others than before, or may be.
    fn look(&mut self) -> bool {
        let may_differ = self.source.look(&self.listing) || self.put_off > 0;
        if !may_differ {
            return false;
        }
        let root = self.store().map(Store::root);
        if let Some(root) = root.filter(|root| !recovery::journals(root).is_empty()) {
            if self.put_off < MOST_PUT_OFF {
                self.put_off += 1;
                return false;
            }
            recovery::finish(root);
        }
        self.put_off = 0;
        true
    }

    /// Reads the files again; tells whether they differ from those that were read last.
    fn read(&mut self) -> bool {
        let (listing, differs) = self.source.read(&self.listing);
        let differs = differs || !Changes::between(&self.listing, &listing).is_empty();
        self.listing = listing;
        differs
    }

    /// Notes which files are served now.
    fn note_served(&mut self, configuration: &mut Configuration) {
        let mut served = self.listing.clone();
        for name in configuration.stale() {
            match self.served.units.get(name) {
                Some(before) => drop(served.units.insert(name.clone(), Arc::clone(before))),
                None => drop(served.units.remove(name)),
            }
        }
        configuration.note_files(&served);
        self.served = served;
    }
}

/// Changes what a gateway serves. Whatever changes it takes its turn here.
#[derive(Debug)]
pub struct Reloader {
    gateway: Arc<Gateway>,
    files: Mutex<Files>,
}

impl Reloader {
    /// For a gateway that serves those files.
    pub fn new(files: Files, gateway: Arc<Gateway>) -> Reloader {
        Reloader {
            gateway,
            files: Mutex::new(files),
        }
    }

    /// The gateway.
    pub fn gateway(&self) -> &Arc<Gateway> {
        &self.gateway
    }

    fn files(&self) -> MutexGuard<'_, Files> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads or changes what is known of the files, while nothing else does.
    pub fn with_files<T>(&self, act: impl FnOnce(&mut Files) -> T) -> T {
        act(&mut self.files())
    }

    /// Serves what files were compiled to that stand on disk now.
    pub fn serve(&self, files: &mut Files, listing: Listing, compiler: Compiler, mut configuration: Configuration) {
        files.listing = listing;
        files.compiler = compiler;
        files.note_served(&mut configuration);
        self.gateway.deploy(configuration);
    }

    /// Serves the files as they are now, if they have changed since the last look, or where it is asked for.
    pub fn reload_if_changed(&self, requested: bool) {
        let mut files = self.files();
        let may_differ = files.look();
        if !requested && !may_differ {
            return;
        }
        let differs = files.read();
        if requested || differs {
            self.reload(&mut files);
        }
    }

    fn reload(&self, files: &mut Files) {
        // What an attempt that failed has told already takes effect with this one.
        let changes = Changes::between(&files.served, &files.listing);
        let Compilation {
            mut configuration,
            problems,
            ..
        } = files.compiler.compile(&files.listing, false);
        files.report(&problems);
        let (settings, metrics) = (self.gateway.settings(), self.gateway.metrics());
        report(&configuration.review_options(&settings.region, &settings.account_id));
        files.note_served(&mut configuration);
        let hash = configuration.hash().to_owned();
        remind(&configuration);
        let stale: Vec<String> = configuration.stale().map(ToString::to_string).collect();
        let is_broken = files.source.is_broken();
        let is_whole = stale.is_empty() && !problems.has_errors() && !is_broken;
        self.gateway.deploy(configuration);
        if is_whole {
            metrics.reloads.add_one();
            log::info!("reloaded {}, hash {hash}: {changes}", files.source.shown());
        } else {
            metrics.failed_reloads.add_one();
            let units = if is_broken {
                format!("{} has errors", files.source.shown())
            } else if stale.is_empty() {
                "all".to_owned()
            } else {
                stale.join(", ")
            };
            // The root alone needs no name: the paths are below it.
            let units = match units == UnitName::RootApi.to_string() {
                true => String::new(),
                false => format!("{units}: "),
            };
            log::error!("not reloaded, it goes on as it was: {units}{changes}");
        }
    }
}

/// Logs which certificates end soon.
pub fn remind(configuration: &Configuration) {
    for reminder in configuration.expiry_reminders() {
        log::warn!("{reminder}");
    }
}

/// Logs what is wrong with the files.
pub fn report(problems: &Problems) {
    for problem in problems {
        match problem.severity {
            Severity::Error => log::error!("{problem}"),
            Severity::Warning => log::warn!("{problem}"),
        }
    }
}
