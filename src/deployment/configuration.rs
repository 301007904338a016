//! Everything that is served: the APIs of a root, its custom domains, and what they share.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::definition::content_hash;
use crate::definition::credentials::Credentials;
use crate::definition::problem::Problems;
use crate::definition::unit::{Listing, UnitName};
use crate::deployment::domain::Domain;
use crate::deployment::shared::Shared;
use crate::deployment::tls_identities::{Expiry, TlsIdentities};
use crate::deployment::{Deployment, host, tls_identities, warnings};
use crate::identity::tls::identity::Identity;
use crate::identity::tls::truststore::Truststore;
use crate::outbound::function::Definition;
use crate::platform::clock;

/// What is served. It never changes.
#[derive(Clone, Debug, Default)]
pub struct Configuration {
    pub(super) shared: Arc<Shared>,
    /// Every API by its id in lower case.
    pub(super) apis: BTreeMap<String, Arc<Deployment>>,
    /// The one whose files stand at the root.
    pub(super) root_api: Option<Arc<Deployment>>,
    /// By name; none where a new domain has errors, so that its host does not fall to another address.
    pub(super) domains: HashMap<String, Option<Arc<Domain>>>,
    /// Those that begin with `*.`, by what follows.
    pub(super) wildcard_domains: HashMap<String, Option<Arc<Domain>>>,
    /// What TLS handshakes go on with; none where the listener does not speak TLS.
    pub(super) tls: Option<Arc<TlsIdentities>>,
    /// The parts of the root, and whether their files have errors now: then they are served as they were before, if at all.
    pub(super) units: BTreeMap<UnitName, bool>,
    /// Whether there are APIs besides the root API's files.
    pub(super) has_apis_directory: bool,
    /// A short name for the files that are served.
    pub(super) hash: String,
}

impl Configuration {
    /// Every API: the root API first, then by id.
    pub fn apis(&self) -> impl Iterator<Item = &Arc<Deployment>> + Clone {
        let is_root = |api: &&Arc<Deployment>| *api.unit() == UnitName::RootApi;
        let others = self.apis.values().filter(move |api| !is_root(api));
        self.apis.values().filter(is_root).chain(others)
    }

    /// The API with that id, to the letter.
    pub fn api(&self, id: &str) -> Option<&Arc<Deployment>> {
        let by_id = self.apis.get(id).or_else(|| self.apis.get(&id.to_ascii_lowercase()));
        by_id.filter(|api| api.api_id() == id)
    }

    /// The API that answers where no host and no path names one: the root API, else the only one.
    pub fn default_api(&self) -> Option<&Arc<Deployment>> {
        let root = self.root_api();
        root.or_else(|| self.apis.values().next().filter(|_| self.apis.len() == 1))
    }

    /// The API whose files stand at the root.
    pub fn root_api(&self) -> Option<&Arc<Deployment>> {
        self.root_api.as_ref()
    }

    /// Every custom domain that is served, by name.
    pub fn domains(&self) -> Vec<&Arc<Domain>> {
        let mut domains: Vec<&Arc<Domain>> = self
            .domains
            .values()
            .chain(self.wildcard_domains.values())
            .flatten()
            .collect();
        domains.sort_by(|one, other| one.name.cmp(&other.name));
        domains
    }

    /// The custom domain of a host, by its name or by a wildcard, which stands for one label (RFC 9525 §6.3).
    pub(super) fn domain(&self, host: &str) -> Option<&Option<Arc<Domain>>> {
        let exact = self.domains.get(host);
        exact.or_else(|| {
            if self.wildcard_domains.is_empty() {
                return None;
            }
            let (label, rest) = host.split_once('.')?;
            self.wildcard_domains.get(rest).filter(|_| !label.is_empty())
        })
    }

    /// What a TLS handshake goes on with whose client asks for that name; none where the listener does not speak TLS.
    pub fn tls_identity(&self, name: Option<&str>) -> Option<&Arc<Identity>> {
        let identities = self.tls.as_ref()?;
        let domain = name.and_then(|name| self.domain(&host::normalized(name.as_bytes())));
        Some(identities.of(domain.and_then(|domain| domain.as_deref())))
    }

    /// Whether the listener speaks TLS.
    pub fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The domain of a request, and its truststore, where its clients must show certificates; `host` is what the request
    /// names.
    pub fn mutual_tls(&self, host: &[u8]) -> Option<(&Arc<Domain>, &Arc<Truststore>)> {
        self.tls
            .as_ref()
            .filter(|identities| identities.ask_for_certificates())?;
        let domain = self.domain(&host::normalized(host))?.as_ref()?;
        Some((domain, domain.truststore.as_ref()?))
    }

    /// Until when certificates hold that are served: the listener's, and domains' own.
    pub fn certificate_expiries(&self) -> Vec<Expiry> {
        let Some(identities) = &self.tls else {
            return Vec::new();
        };
        let mut expiries = vec![identities.listener_expiry()];
        for domain in self.domains() {
            expiries.extend(domain.certificate.as_ref().map(|certificate| Expiry {
                domain: domain.name.clone(),
                at: certificate.end(),
            }));
        }
        expiries
    }

    /// Until when all certificates of truststores hold.
    pub fn truststore_expiries(&self) -> Vec<Expiry> {
        let domains = self.domains().into_iter().filter(|_| self.speaks_tls());
        let expiry = |domain: &Arc<Domain>| {
            let at = domain.truststore.as_ref()?.first_end();
            Some(Expiry {
                domain: domain.name.clone(),
                at,
            })
        };
        domains.filter_map(expiry).collect()
    }

    /// Tells of certificates that end soon.
    pub fn expiry_reminders(&self) -> Vec<String> {
        let (certificates, truststores) = (self.certificate_expiries(), self.truststore_expiries());
        tls_identities::reminders(&certificates, &truststores, clock::unix_seconds())
    }

    /// Who may sign requests.
    pub fn credentials(&self) -> &Credentials {
        self.shared.credentials()
    }

    /// Whose tokens any authorizer takes.
    pub fn issuers(&self) -> Vec<&str> {
        let issuers: BTreeSet<&str> = self.apis.values().flat_map(|api| api.issuers()).collect();
        issuers.into_iter().collect()
    }

    /// The functions that the gateway runs.
    pub fn local_functions(&self) -> Vec<Arc<Definition>> {
        let mut functions = Vec::new();
        for function in self.apis.values().flat_map(|api| api.local_functions()) {
            if !functions.contains(function) {
                functions.push(Arc::clone(function));
            }
        }
        functions
    }

    /// The parts of the root, and whether their files have errors now.
    pub fn units(&self) -> &BTreeMap<UnitName, bool> {
        &self.units
    }

    /// The parts of the root whose files have errors now.
    pub fn stale(&self) -> impl Iterator<Item = &UnitName> {
        self.units
            .iter()
            .filter(|(_, is_stale)| **is_stale)
            .map(|(name, _)| name)
    }

    /// Notes which files it is of.
    pub fn note_files(&mut self, served: &Listing) {
        self.hash = content_hash::of(served);
    }

    /// A short name for the files that are served, see [`content_hash`].
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether there are APIs in `apis/`.
    pub fn has_apis_directory(&self) -> bool {
        self.has_apis_directory
    }

    /// What the files say of region and account besides what the gateway is told: warnings where all functions' ARNs
    /// agree on another one.
    pub fn review_options(&self, region: &str, account_id: &str) -> Problems {
        let mut problems = Problems::new();
        let arns: Vec<_> = self.apis().flat_map(|api| api.arns()).cloned().collect();
        warnings::of_options(&arns, region, account_id, &mut problems);
        problems
    }
}
