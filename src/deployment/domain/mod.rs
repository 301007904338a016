//! A custom domain, checked: its name, its mappings, and what is told of TLS.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-mappings.html>

mod check;
pub mod mapping;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use percent_encoding::percent_decode_str;

use crate::definition::problem::Problems;
use crate::definition::resource::read_domain;
use crate::definition::suggestion::did_you_mean;
use crate::definition::unit::Unit;
use crate::deployment::Deployment;
use crate::deployment::domain::check::Checker;
use crate::deployment::domain::mapping::Mapping;
use crate::identity::tls::server_certificate::ServerCertificate;
use crate::identity::tls::truststore::Truststore;
use crate::platform::clock;

/// A custom domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// Its name; `*.` may stand first.
    pub name: String,
    /// Its mappings, in the order of the file.
    pub mappings: Vec<Mapping>,
    /// Whom clients' certificates must be of, where they must show some: then it cannot be served without TLS.
    pub truststore: Option<Arc<Truststore>>,
    /// Its own certificate, where it has one.
    pub certificate: Option<Arc<ServerCertificate>>,
    /// Where each key stands in the list.
    by_key: HashMap<String, usize>,
    /// Segments of the longest key.
    most_segments: usize,
}

impl Domain {
    /// Checks the file of a domain below a root. The domain is there only if nothing is wrong with the file; whether
    /// APIs and stages are there is for the check of its targets to say.
    pub fn compile(name: &str, root: &Path, unit: &Unit) -> (Option<Domain>, Problems) {
        let (resource, mut problems) = read_domain(unit);
        let Some(resource) = resource else {
            return (None, problems);
        };
        let mut checker = Checker {
            name,
            unit,
            resource: &resource,
            now: clock::unix_seconds(),
            root,
            problems: &mut problems,
        };
        checker.check_name();
        let certificate = checker.configurations();
        let mutual_tls = resource.mutual_tls.as_ref();
        // Without it where it is missing, which is an error.
        let truststore = mutual_tls.and_then(|mutual_tls| checker.mutual_tls(mutual_tls));
        let mappings = checker.mappings();
        let by_key: HashMap<String, usize> = mappings
            .iter()
            .enumerate()
            .map(|(at, mapping)| (mapping.key.clone(), at))
            .collect();
        let segments = |mapping: &Mapping| mapping.key.split('/').count();
        let domain = Domain {
            name: name.to_owned(),
            most_segments: mappings.iter().map(segments).max().unwrap_or_default(),
            mappings,
            truststore: truststore.map(Arc::new),
            certificate: certificate.map(Arc::new),
            by_key,
        };
        ((!problems.has_errors()).then_some(domain), problems)
    }

    /// Tells of mappings to what is not there; `apis` are those that are.
    pub(super) fn check_targets<'a>(
        &self,
        apis: impl Iterator<Item = &'a Deployment> + Clone,
        problems: &mut Problems,
    ) {
        let file = format!("domains/{}.json", self.name);
        for (at, mapping) in self.mappings.iter().enumerate() {
            let Some(api) = apis.clone().find(|api| api.api_id() == mapping.api_id) else {
                let hint = did_you_mean(&mapping.api_id, apis.clone().map(Deployment::api_id));
                let text = format!("there is no API with the id {:?}{hint}", mapping.api_id);
                problems.error(&file, format!("/ApiMappings/{at}/ApiId"), text);
                continue;
            };
            if api.stage_named(&mapping.stage).is_none() {
                let hint = did_you_mean(&mapping.stage, api.stages().map(|stage| stage.name.as_str()));
                let text = format!("the API {:?} has no stage {:?}{hint}", mapping.api_id, mapping.stage);
                problems.error(&file, format!("/ApiMappings/{at}/Stage"), text);
            }
            if self.truststore.is_some() && !api.is_execute_api_disabled() {
                let text = format!(
                    "clients need no certificate at the other addresses of the API {:?}: set \
                     DisableExecuteApiEndpoint (R11.13)",
                    mapping.api_id
                );
                problems.warning(&file, format!("/ApiMappings/{at}/ApiId"), text);
            }
        }
    }

    /// Tells what it means that the listener does not speak TLS: an error where clients must show certificates, for the
    /// domain would be open; a warning where there is a certificate.
    pub(super) fn check_without_tls(&self, problems: &mut Problems) {
        let file = format!("domains/{}.json", self.name);
        if self.truststore.is_some() {
            let text = "the listener does not speak TLS, so clients can show no certificate: the domain would be open";
            problems.error(&file, "/MutualTlsAuthentication", text);
        } else if self.certificate.is_some() {
            let text = "it has no effect: the listener does not speak TLS";
            problems.warning(&file, "/DomainNameConfigurations/0/CertificateFile", text);
        }
    }

    /// The mapping whose key is the longest that leads a path as it was sent, and what follows the key. The path is cut
    /// first; its segments are decoded once.
    pub fn mapping<'p>(&self, path: &'p str) -> Option<(&Mapping, &'p str)> {
        let mut found = self.by_key.get("").map(|at| (*at, path));
        let (mut leading, mut rest) = (String::new(), path);
        for _ in 0..self.most_segments {
            let Some(below) = rest.strip_prefix('/') else {
                break;
            };
            let (segment, after) = below.split_at_checked(below.find('/').unwrap_or(below.len()))?;
            let segment = match percent_decode_str(segment).decode_utf8() {
                Ok(segment) if !segment.is_empty() && !segment.contains('/') => segment,
                // No key has such a segment.
                _ => break,
            };
            let key: Cow<'_, str> = if leading.is_empty() {
                segment
            } else {
                Cow::Owned(format!("{leading}/{segment}"))
            };
            if let Some(at) = self.by_key.get(key.as_ref()) {
                found = Some((*at, after));
            }
            leading = key.into_owned();
            rest = after;
        }
        let (at, rest) = found?;
        self.mappings.get(at).map(|mapping| (mapping, rest))
    }

    /// As the column of a table has it: `-`, `certificate`, `mutual`, or both.
    pub fn tls(&self) -> &'static str {
        match (self.certificate.is_some(), self.truststore.is_some()) {
            (false, false) => "-",
            (true, false) => "certificate",
            (false, true) => "mutual",
            (true, true) => "certificate, mutual",
        }
    }
}
