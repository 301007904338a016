//! Reads the files again, compiles what has changed, and deploys it: one change at a time.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::control_plane::changes::Changes;
use crate::data_plane::gateway::Gateway;
use crate::definition::problem::{Problems, Severity};
use crate::definition::store::{Fingerprint, Store};
use crate::definition::unit::Listing;
use crate::deployment::compiler::{Compilation, Compiler};
use crate::deployment::configuration::Configuration;

/// What is known of the files, and what was compiled of them.
#[derive(Debug)]
pub struct Files {
    store: Store,
    fingerprint: Fingerprint,
    /// As they were read last.
    listing: Listing,
    /// Those of what is served: of each unit with errors, the last ones without.
    served: Listing,
    compiler: Compiler,
}

impl Files {
    /// Reads and compiles the files for the first time.
    ///
    /// # Errors
    /// What is wrong with them, warnings too.
    pub fn first(store: Store) -> Result<(Files, Configuration, Problems), Problems> {
        // Looked at before they are read, so that a write in between is seen the next time.
        let fingerprint = store.fingerprint(&Listing::default());
        let listing = store.load();
        let mut compiler = Compiler::for_listener(&listing);
        let (configuration, problems) = match Configuration::by(&mut compiler, &listing) {
            (Some(configuration), problems) => (configuration, problems),
            (None, problems) => return Err(problems),
        };
        let files = Files {
            store,
            fingerprint,
            served: listing.clone(),
            listing,
            compiler,
        };
        Ok((files, configuration, problems))
    }

    /// Whether the files are others than before, or may be.
    fn look(&mut self) -> bool {
        let fingerprint = self.store.fingerprint(&self.listing);
        let may_differ = self.fingerprint.may_differ(&fingerprint);
        self.fingerprint = fingerprint;
        may_differ
    }

    /// Reads the files again; tells whether they differ from those that were read last.
    fn read(&mut self) -> bool {
        let listing = self.store.load_again(&self.listing);
        let differs = !Changes::between(&self.listing, &listing).is_empty();
        self.listing = listing;
        differs
    }

    /// Notes which files are served now.
    fn note_served(&mut self, configuration: &Configuration) {
        let mut served = self.listing.clone();
        for name in configuration.stale() {
            match self.served.units.get(name) {
                Some(before) => drop(served.units.insert(name.clone(), Arc::clone(before))),
                None => drop(served.units.remove(name)),
            }
        }
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
            configuration,
            problems,
            ..
        } = files.compiler.compile(&files.listing, false);
        report(&problems);
        let (settings, metrics) = (self.gateway.settings(), self.gateway.metrics());
        report(&configuration.review_options(&settings.region, &settings.account_id));
        files.note_served(&configuration);
        remind(&configuration);
        let stale: Vec<String> = configuration.stale().map(ToString::to_string).collect();
        let is_whole = stale.is_empty() && !problems.has_errors();
        self.gateway.deploy(configuration);
        if is_whole {
            metrics.reloads.add_one();
            log::info!("reloaded {}: {changes}", files.store.root().display());
        } else {
            metrics.failed_reloads.add_one();
            let units = if stale.is_empty() {
                "all".to_owned()
            } else {
                stale.join(", ")
            };
            log::error!("not reloaded, it goes on as it was: {units}: {changes}");
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
