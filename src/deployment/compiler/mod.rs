//! Compiles a root unit by unit, and again only those units whose files have changed.

mod run;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::definition::problem::Problems;
use crate::definition::resource::SharedResources;
use crate::definition::unit::{Listing, Unit, UnitName};
use crate::deployment::compiler::run::{Compiled, Run, SharedTrust};
use crate::deployment::configuration::Configuration;
use crate::deployment::domain::Domain;
use crate::deployment::shared::Shared;
use crate::deployment::tls_identities::TlsIdentities;
use crate::deployment::{Deployment, unused_files};
use crate::identity::tls::server_certificate::ServerCertificate;

/// What each unit of a root was compiled to. A copy shares all that was compiled, so a change can be tried on one.
#[derive(Clone, Debug, Default)]
pub struct Compiler {
    /// Whether it is known that the listener does not speak TLS.
    is_without_tls: bool,
    shared: Option<Compiled<Shared>>,
    apis: BTreeMap<UnitName, Compiled<Deployment>>,
    domains: BTreeMap<UnitName, Compiled<Domain>>,
    tls: Option<Compiled<ServerCertificate>>,
    /// Those that were served last: what is of the same files goes on.
    identities: Option<Arc<TlsIdentities>>,
}

/// What became of a listing.
#[derive(Debug)]
pub struct Compilation {
    /// What is to be served. Units with errors are in it as they were before.
    pub configuration: Configuration,
    /// What is wrong with the units that were compiled, and with the root.
    pub problems: Problems,
    /// Whether units were compiled again, or are gone.
    pub units: BTreeSet<UnitName>,
}

impl Configuration {
    /// Checks and compiles all files, whatever listens. The problems come with it in either case: all of them, not the
    /// first.
    pub fn of(listing: &Listing) -> (Option<Configuration>, Problems) {
        Configuration::by(&mut Compiler::default(), listing)
    }

    /// As [`Configuration::of`], by a compiler that has not compiled anything yet.
    pub fn by(compiler: &mut Compiler, listing: &Listing) -> (Option<Configuration>, Problems) {
        let compilation = compiler.compile(listing, true);
        let is_sound = !compilation.problems.has_errors();
        (is_sound.then_some(compilation.configuration), compilation.problems)
    }
}

impl Compiler {
    /// A compiler for a listener that does not speak TLS: domains that need it are refused.
    pub fn without_tls() -> Compiler {
        Compiler {
            is_without_tls: true,
            ..Compiler::default()
        }
    }

    /// A compiler for the listener of a listing: it speaks TLS where there is a certificate for it.
    pub fn for_listener(listing: &Listing) -> Compiler {
        match listing.units.contains_key(&UnitName::Tls) {
            true => Compiler::default(),
            false => Compiler::without_tls(),
        }
    }

    /// Compiles the units whose files have changed since the last listing, or all of them.
    ///
    /// A unit with errors stays as it was, but trusts no one whom its files no longer trust. A unit that is not in the
    /// listing is gone, unless the listing could not tell.
    pub fn compile(&mut self, listing: &Listing, all: bool) -> Compilation {
        let mut run = Run {
            all,
            is_without_tls: self.is_without_tls,
            root: &listing.root,
            is_whole: !listing.problems.has_errors(),
            problems: listing.problems.clone(),
            units: BTreeSet::new(),
        };
        let none = Arc::new(Unit::empty(UnitName::Shared));
        let shared_unit = match (listing.units.get(&UnitName::Shared), &self.shared) {
            (Some(unit), _) => Arc::clone(unit),
            (None, Some(known)) if !run.is_whole => Arc::clone(&known.unit),
            (None, _) => none,
        };
        let resources = SharedResources::read(&listing.root, &shared_unit);
        let (shared, is_other) = run.shared(self.shared.take(), &shared_unit, &resources);
        let trust = SharedTrust {
            value: shared.value.clone().unwrap_or_default(),
            is_other,
            is_stale: shared.is_stale,
            unit: &shared_unit,
            resources: &resources,
        };
        let before = std::mem::take(&mut self.apis);
        self.apis = run.apis(&before, listing, &trust);
        self.tell_ids_apart(&before, &mut run.problems);
        self.domains = run.domains(std::mem::take(&mut self.domains), listing, &self.apis);
        self.shared = Some(shared);
        self.tls = run.tls(self.tls.take(), listing);
        if let Err(error) = self.identify() {
            run.problems.error("tls", "", format!("TLS cannot be set up: {error}"));
        }
        let is_stale = self.apis.values().any(|api| api.is_stale);
        let has_apis = self.values().next().is_some();
        if run.is_whole && !is_stale && has_apis {
            unused_files::warn(&trust.value, self.values(), &mut run.problems);
        }
        Compilation {
            configuration: self.configuration(listing),
            problems: run.problems.sorted(),
            units: run.units,
        }
    }

    /// What is wrong with the files of a unit that were compiled last.
    pub fn problems_of(&self, name: &UnitName) -> Option<&Problems> {
        match name {
            UnitName::Shared => self.shared.as_ref().map(|shared| &shared.problems),
            UnitName::Domain(_) => self.domains.get(name).map(|domain| &domain.problems),
            UnitName::Tls => self.tls.as_ref().map(|tls| &tls.problems),
            UnitName::RootApi | UnitName::Api(_) => self.apis.get(name).map(|api| &api.problems),
        }
    }

    /// Takes up the certificates that are there now.
    fn identify(&mut self) -> Result<(), rustls::Error> {
        let domains: Vec<_> = self
            .domains
            .values()
            .filter_map(|domain| domain.value.clone())
            .collect();
        let listener = self.tls.as_ref().and_then(|tls| tls.value.as_ref());
        if let Some(listener) = listener {
            let identities = TlsIdentities::new(self.identities.as_deref(), listener, &domains)?;
            self.identities = Some(Arc::new(identities));
        }
        Ok(())
    }

    /// The APIs that are served.
    fn values(&self) -> impl Iterator<Item = &Deployment> + Clone {
        self.apis.values().filter_map(|api| api.value.as_deref())
    }

    /// Takes an API out that has the id of another one. Where one of the two was served by that id before, the other
    /// one is at fault.
    fn tell_ids_apart(&mut self, before: &BTreeMap<UnitName, Compiled<Deployment>>, problems: &mut Problems) {
        let root_value = self.apis.get(&UnitName::RootApi).and_then(|root| root.value.clone());
        let Some(root) = root_value else { return };
        let id = root.api_id();
        let name = UnitName::Api(id.to_ascii_lowercase());
        let Some(other) = self.apis.get_mut(&name).filter(|other| other.value.is_some()) else {
            return;
        };
        let was_served = before.get(&name).is_some_and(|other| other.value.is_some());
        let of_root = before.get(&UnitName::RootApi).and_then(|root| root.value.clone());
        let is_new_at_root = of_root.as_ref().is_none_or(|before| before.api_id() != id);
        let (at_fault, file, pointer, taken_by, value) = match was_served && is_new_at_root {
            true => (
                &UnitName::RootApi,
                "api.json".to_owned(),
                "/ApiId",
                format!("{name}/api.json"),
                of_root,
            ),
            false => (&name, format!("{name}/api.json"), "", "api.json".to_owned(), None),
        };
        let text = format!("the id {id:?} is that of the API in {taken_by} as well: ids are told apart without case");
        let compiled = match at_fault {
            UnitName::RootApi => self.apis.get_mut(&UnitName::RootApi),
            _ => Some(other),
        };
        if let Some(compiled) = compiled {
            compiled.problems.error(&file, pointer, &text);
            compiled.is_stale = true;
            compiled.value = value;
        }
        problems.error(&file, pointer, text);
    }

    fn configuration(&self, listing: &Listing) -> Configuration {
        let shared = self.shared.iter().map(|shared| (UnitName::Shared, shared.is_stale));
        let apis = self.apis.iter().map(|(name, api)| (name.clone(), api.is_stale));
        let domains = self
            .domains
            .iter()
            .map(|(name, domain)| (name.clone(), domain.is_stale));
        let tls = self.tls.iter().map(|tls| (UnitName::Tls, tls.is_stale));
        let units = shared.chain(apis).chain(domains).chain(tls).collect();
        let by_id = |api: &Arc<Deployment>| (api.api_id().to_ascii_lowercase(), Arc::clone(api));
        let root_api = self.apis.get(&UnitName::RootApi).and_then(|root| root.value.clone());
        let (mut domains, mut wildcard_domains) = (HashMap::new(), HashMap::new());
        for (name, domain) in &self.domains {
            let UnitName::Domain(name) = name else { continue };
            // A name in capitals is an error, and closes the host that was meant.
            let name = name.to_ascii_lowercase();
            let (map, name) = match name.strip_prefix("*.") {
                Some(rest) => (&mut wildcard_domains, rest.to_owned()),
                None => (&mut domains, name),
            };
            let known: &mut Option<Arc<Domain>> = map.entry(name).or_default();
            *known = known.take().or(domain.value.clone());
        }
        Configuration {
            shared: self
                .shared
                .iter()
                .find_map(|shared| shared.value.clone())
                .unwrap_or_default(),
            units,
            apis: self
                .apis
                .values()
                .filter_map(|api| api.value.as_ref())
                .map(by_id)
                .collect(),
            root_api,
            domains,
            wildcard_domains,
            tls: self.identities.clone(),
            has_apis_directory: listing.has_apis(),
            hash: String::new(),
        }
    }
}
