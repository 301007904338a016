//! One compilation of a listing: which units are compiled, and what those with errors stay.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use crate::definition::problem::Problems;
use crate::definition::resource::{Resources, SharedResources};
use crate::definition::unit::{APIS_DIRECTORY, Listing, Unit, UnitName, is_api_id};
use crate::deployment::domain::Domain;
use crate::deployment::shared::Shared;
use crate::deployment::{Deployment, snapshot};
use crate::identity::tls::server_certificate::{InvalidPair, ServerCertificate};
use crate::platform::{clock, files};

/// What a unit was compiled to.
#[derive(Debug)]
pub(super) struct Compiled<T> {
    /// The files that were compiled last.
    pub(super) unit: Arc<Unit>,
    /// What is wrong with them.
    pub(super) problems: Problems,
    /// Whether they have errors. Then the value is of older files, or there is none.
    pub(super) is_stale: bool,
    pub(super) value: Option<Arc<T>>,
}

impl<T> Clone for Compiled<T> {
    fn clone(&self) -> Compiled<T> {
        Compiled {
            unit: Arc::clone(&self.unit),
            problems: self.problems.clone(),
            is_stale: self.is_stale,
            value: self.value.clone(),
        }
    }
}

impl<T> Compiled<T> {
    /// Whether files must be compiled: they differ from those that were, or those have errors.
    fn is_outdated(&self, unit: &Unit) -> bool {
        self.is_stale || *self.unit != *unit
    }
}

/// What the compilation of an API takes of the files that all APIs share.
pub(super) struct SharedTrust<'a> {
    pub(super) value: Arc<Shared>,
    /// Whether an API may become another one by it.
    pub(super) is_other: bool,
    pub(super) is_stale: bool,
    pub(super) unit: &'a Unit,
    pub(super) resources: &'a SharedResources,
}

impl SharedTrust<'_> {
    /// An API as it was, but without those whom its files no longer trust.
    fn narrowed(&self, api: Arc<Deployment>, unit: &Unit) -> Arc<Deployment> {
        Arc::new(api.with_trust_of(unit, self.unit, self.resources))
    }
}

/// One compilation of a listing.
pub(super) struct Run<'a> {
    /// Whether units are compiled whose files have not changed.
    pub(super) all: bool,
    pub(super) is_without_tls: bool,
    pub(super) root: &'a Path,
    /// Whether what is not in the listing is gone.
    pub(super) is_whole: bool,
    pub(super) problems: Problems,
    pub(super) units: BTreeSet<UnitName>,
}

impl Run<'_> {
    /// Tells too whether APIs may become others by it.
    pub(super) fn shared(
        &mut self,
        before: Option<Compiled<Shared>>,
        unit: &Arc<Unit>,
        resources: &SharedResources,
    ) -> (Compiled<Shared>, bool) {
        if let Some(before) = before.as_ref().filter(|before| !self.all && !before.is_outdated(unit)) {
            return (before.clone(), false);
        }
        self.units.insert(UnitName::Shared);
        let (value, problems) = Shared::compile(resources);
        self.problems.extend(problems.clone());
        let is_stale = problems.has_errors();
        let before = before.and_then(|before| before.value);
        let value = match &before {
            Some(before) if is_stale => before.narrowed(unit, resources),
            _ => value,
        };
        let is_same = before.is_some_and(|before| before.is_same_for_apis(&value));
        let compiled = Compiled {
            unit: Arc::clone(unit),
            problems,
            is_stale,
            value: Some(Arc::new(value)),
        };
        (compiled, !is_same)
    }

    pub(super) fn apis(
        &mut self,
        before: &BTreeMap<UnitName, Compiled<Deployment>>,
        listing: &Listing,
        shared: &SharedTrust<'_>,
    ) -> BTreeMap<UnitName, Compiled<Deployment>> {
        let mut apis = BTreeMap::new();
        for (name, unit) in listing.units.iter().filter(|(name, _)| name.is_api()) {
            let known = before.get(name);
            let must_compile = self.all || shared.is_other || known.is_none_or(|known| known.is_outdated(unit));
            let compiled = match known {
                Some(known) if !must_compile => {
                    let mut known = known.clone();
                    if shared.is_stale {
                        known.value = known.value.map(|api| shared.narrowed(api, unit));
                    }
                    known
                }
                _ => self.api(name, unit, known.and_then(|known| known.value.clone()), shared),
            };
            apis.insert(name.clone(), compiled);
        }
        self.keep_or_forget(before, &mut apis);
        apis
    }

    fn api(
        &mut self,
        name: &UnitName,
        unit: &Arc<Unit>,
        before: Option<Arc<Deployment>>,
        shared: &SharedTrust<'_>,
    ) -> Compiled<Deployment> {
        self.units.insert(name.clone());
        let mut resources = Resources::read(unit);
        check_id(&mut resources);
        let (value, problems) = snapshot::compile(unit, &resources, &shared.value);
        self.problems.extend(problems.clone());
        let is_stale = value.is_none();
        // What an API is compiled with may be older than the files that all APIs share, which may trust fewer by now.
        let value = match value.map(Arc::new) {
            Some(api) if shared.is_stale => Some(shared.narrowed(api, unit)),
            None => before.map(|api| shared.narrowed(api, unit)),
            fresh => fresh,
        };
        Compiled {
            unit: Arc::clone(unit),
            problems,
            is_stale,
            value,
        }
    }

    pub(super) fn domains(
        &mut self,
        before: BTreeMap<UnitName, Compiled<Domain>>,
        listing: &Listing,
        apis: &BTreeMap<UnitName, Compiled<Deployment>>,
    ) -> BTreeMap<UnitName, Compiled<Domain>> {
        let have_apis_changed = self.units.iter().any(UnitName::is_api);
        let mut domains = BTreeMap::new();
        for (unit_name, unit) in &listing.units {
            let UnitName::Domain(name) = unit_name else { continue };
            let known = before.get(unit_name);
            if let Some(known) = known.filter(|known| !self.all && !have_apis_changed && !known.is_outdated(unit)) {
                domains.insert(unit_name.clone(), known.clone());
                continue;
            }
            self.units.insert(unit_name.clone());
            let (domain, mut problems) = Domain::compile(name, self.root, unit);
            if let Some(domain) = &domain {
                let served = apis.values().filter_map(|api| api.value.as_deref());
                domain.check_targets(served, &mut problems);
                if self.is_without_tls {
                    domain.check_without_tls(&mut problems);
                }
            }
            self.problems.extend(problems.clone());
            let is_stale = problems.has_errors();
            let domain = domain.filter(|_| !is_stale).map(Arc::new);
            let compiled = Compiled {
                unit: Arc::clone(unit),
                problems,
                is_stale,
                value: domain.or_else(|| known.and_then(|known| known.value.clone())),
            };
            domains.insert(unit_name.clone(), compiled);
        }
        self.keep_or_forget(&before, &mut domains);
        domains
    }

    /// The listener's own certificate. Whether there is one is said when the program starts.
    pub(super) fn tls(
        &mut self,
        before: Option<Compiled<ServerCertificate>>,
        listing: &Listing,
    ) -> Option<Compiled<ServerCertificate>> {
        let Some(unit) = listing.units.get(&UnitName::Tls) else {
            return before;
        };
        if let Some(before) = before.as_ref().filter(|before| !self.all && !before.is_outdated(unit)) {
            return Some(before.clone());
        }
        self.units.insert(UnitName::Tls);
        let mut problems = Problems::new();
        let value = listener_certificate(unit, &mut problems).map(Arc::new);
        self.problems.extend(problems.clone());
        Some(Compiled {
            unit: Arc::clone(unit),
            problems,
            is_stale: value.is_none(),
            value: value.or_else(|| before.and_then(|before| before.value)),
        })
    }

    /// Keeps what is not in the listing where the listing could not tell of it.
    fn keep_or_forget<T>(
        &mut self,
        before: &BTreeMap<UnitName, Compiled<T>>,
        now: &mut BTreeMap<UnitName, Compiled<T>>,
    ) {
        for (name, compiled) in before {
            if now.contains_key(name) {
                continue;
            }
            if self.is_whole {
                self.units.insert(name.clone());
            } else {
                let mut compiled = compiled.clone();
                compiled.is_stale = true;
                now.insert(name.clone(), compiled);
            }
        }
    }
}

/// Reads the listener's certificate and its key, which may stand in one file.
fn listener_certificate(unit: &Unit, problems: &mut Problems) -> Option<ServerCertificate> {
    let (certificate, key) = (unit.attachments.first()?, unit.attachments.last()?);
    for file in &unit.attachments {
        if let Err(reason) = &file.text {
            problems.error(&file.path, "", format!("the file {reason}"));
        }
    }
    if files::info(Path::new(&key.path)).is_ok_and(|info| info.is_open_to_others()) {
        let text = "others than its owner and its group can read or write the file, which holds a secret";
        problems.warning(&key.path, "", text);
    }
    let (Ok(certificate_pem), Ok(key_pem)) = (&certificate.text, &key.text) else {
        return None;
    };
    match ServerCertificate::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes()) {
        Ok(pair) => {
            for warning in pair.warnings(None, clock::unix_seconds()) {
                problems.warning(&certificate.path, "", format!("the file {warning}"));
            }
            Some(pair)
        }
        Err(faults) => {
            for fault in faults {
                let (file, reason) = match fault {
                    InvalidPair::Certificate(reason) => (&certificate.path, reason),
                    InvalidPair::Key(reason) => (&key.path, reason),
                };
                problems.error(file, "", format!("the file {reason}"));
            }
            None
        }
    }
}

/// Checks the id of an API.
fn check_id(resources: &mut Resources) {
    let written = resources.api.as_ref().and_then(|api| api.api_id.clone());
    let UnitName::Api(id) = &resources.unit else {
        if written.is_some_and(|id| !is_root_id(&id)) {
            let text = "an id has 1 to 128 visible ASCII characters without /, %, ? and #, and is not -, . or ..";
            resources.problems.error(&resources.api_file(), "/ApiId", text);
        }
        return;
    };
    if !is_api_id(id) {
        let text = format!(
            "the directory's name {id:?} is not an API's id: 1 to 63 lower-case letters, digits and -, no - at the ends"
        );
        resources.problems.error(&format!("{APIS_DIRECTORY}/{id}"), "", text);
    }
    if let Some(written) = written.filter(|written| written != id) {
        let text = format!("{written:?} is not the directory's name, {id:?}");
        resources.problems.error(&resources.api_file(), "/ApiId", text);
    }
}

/// Whether a text can be the root API's id: a segment of a path, and a label of a metric that says something.
fn is_root_id(text: &str) -> bool {
    const MAX_LENGTH: usize = 128;
    (1..=MAX_LENGTH).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"/%?#".contains(&byte))
        && !["-", ".", ".."].contains(&text)
}
