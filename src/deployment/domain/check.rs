//! What may stand in the file of a custom domain.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::definition::problem::Problems;
use crate::definition::resource::domain::{ApiMapping, Domain as Resource, MutualTls};
use crate::definition::store::Store;
use crate::definition::unit::Unit;
use crate::deployment::domain::mapping::Mapping;
use crate::http1::target::has_dot_segment;
use crate::identity::tls::server_certificate::{InvalidPair, ServerCertificate};
use crate::identity::tls::truststore::Truststore;
use crate::platform::files;

/// Most characters of a domain's name (RFC 1035 §2.3.4), and of one of its labels.
const MAX_NAME_LENGTH: usize = 253;
const MAX_LABEL_LENGTH: usize = 63;

/// Most characters of a mapping's key (`R11.7`).
pub(super) const MAX_KEY_LENGTH: usize = 300;

/// Most keys of several segments that AWS allows a domain.
const MOST_LONG_KEYS: usize = 200;

/// What a key may have besides letters and digits (`R11.7`).
const OTHER_KEY_CHARACTERS: &str = "$-_.+!*'()/";

/// Checks the file of a domain.
pub(super) struct Checker<'a> {
    pub(super) name: &'a str,
    pub(super) unit: &'a Unit,
    pub(super) resource: &'a Resource,
    /// Seconds since 1970.
    pub(super) now: i64,
    pub(super) root: &'a Path,
    pub(super) problems: &'a mut Problems,
}

impl Checker<'_> {
    fn error(&mut self, pointer: &str, text: impl Into<String>) {
        self.problems.error(&self.resource.file, pointer, text);
    }

    fn warning(&mut self, pointer: &str, text: impl Into<String>) {
        self.problems.warning(&self.resource.file, pointer, text);
    }

    pub(super) fn check_name(&mut self) {
        let name = self.name;
        if let Err(reason) = check_name(name) {
            self.error("", format!("the file name {name:?} is not a domain name: {reason}"));
        }
        if let Some(written) = self.resource.domain_name.as_deref().filter(|written| *written != name) {
            self.error("/DomainName", format!("{written:?} is not the file's name, {name:?}"));
        }
    }

    /// Checks `DomainNameConfigurations`; gives the certificate, if there is one.
    pub(super) fn configurations(&mut self) -> Option<ServerCertificate> {
        let resource = self.resource;
        if resource.configurations.len() > 1 {
            self.error("/DomainNameConfigurations/1", "a domain has one configuration at most");
        }
        let configuration = resource.configurations.first()?;
        let pointer = |name: &str| format!("/DomainNameConfigurations/0/{name}");
        match configuration.security_policy.as_deref() {
            None | Some("TLS_1_2") => {}
            Some("TLS_1_0") => self.warning(
                &pointer("SecurityPolicy"),
                "TLS 1.2 is the least that is spoken, whatever the policy says",
            ),
            Some(other) => {
                let text = format!("{other:?} is not one of TLS_1_0, TLS_1_2");
                self.error(&pointer("SecurityPolicy"), text);
            }
        }
        match (&configuration.certificate_file, &configuration.key_file) {
            (None, None) => None,
            (Some(certificate), Some(key)) => self.certificate(certificate, key),
            (Some(_), None) => {
                self.error(&pointer("KeyFile"), "the field is missing: a certificate needs its key");
                None
            }
            (None, Some(_)) => {
                self.error(
                    &pointer("CertificateFile"),
                    "the field is missing: a key needs its certificate",
                );
                None
            }
        }
    }

    fn certificate(&mut self, certificate: &str, key: &str) -> Option<ServerCertificate> {
        let pointer = |name: &str| format!("/DomainNameConfigurations/0/{name}");
        let (at_certificate, at_key) = (pointer("CertificateFile"), pointer("KeyFile"));
        if files::info(&self.path_of(key)).is_ok_and(|info| info.is_open_to_others()) {
            let text = "others than its owner and its group can read or write the file, which holds a secret";
            self.warning(&at_key, text);
        }
        let read = (self.file(&at_certificate, certificate), self.file(&at_key, key));
        let (Some(certificate_pem), Some(key_pem)) = read else {
            return None;
        };
        match ServerCertificate::from_pem(certificate_pem.as_bytes(), key_pem.as_bytes()) {
            Ok(pair) => {
                for warning in pair.warnings(Some(self.name), self.now) {
                    self.warning(&at_certificate, format!("the file {certificate:?} {warning}"));
                }
                Some(pair)
            }
            Err(faults) => {
                for fault in faults {
                    match fault {
                        InvalidPair::Certificate(reason) => {
                            self.error(&at_certificate, format!("the file {certificate:?} {reason}"));
                        }
                        InvalidPair::Key(reason) => self.error(&at_key, format!("the file {key:?} {reason}")),
                    }
                }
                None
            }
        }
    }

    pub(super) fn mutual_tls(&mut self, mutual_tls: &MutualTls) -> Option<Truststore> {
        let file = mutual_tls.truststore_file.as_deref();
        let uri = mutual_tls.truststore_uri.as_deref();
        let field = |name: &str| format!("/MutualTlsAuthentication/{name}");
        let pointer = match (file, uri) {
            (Some(_), _) => field("TruststoreFile"),
            (None, Some(uri)) if uri.starts_with("s3://") => {
                let text = "an object of S3 cannot be read here: TruststoreFile names a file that is the same";
                self.error(&field("TruststoreUri"), text);
                return None;
            }
            (None, Some(_)) => field("TruststoreUri"),
            (None, None) => {
                let text = "the field is missing: clients' certificates are verified by it";
                let pointer = field("TruststoreFile");
                self.problems.error_unless_known(&self.resource.file, &pointer, text);
                return None;
            }
        };
        if let (Some(_), Some(uri)) = (file, uri)
            && uri.contains("://")
            && !uri.starts_with("s3://")
            && !uri.starts_with("file://")
        {
            let text = format!("{uri:?} is neither a path nor a URL of S3 or of a file");
            self.error(&field("TruststoreUri"), text);
        }
        let path = mutual_tls.truststore()?;
        let pem = self.file(&pointer, path)?;
        let truststore = Truststore::from_pem(pem.as_bytes());
        truststore
            .map_err(|reason| self.error(&pointer, format!("the file {path:?} {reason}")))
            .ok()
    }

    fn path_of(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The text of a file that the domain names. It was read with the domain's own, or is read now.
    fn file(&mut self, pointer: &str, path: &str) -> Option<String> {
        let text = match self.unit.attachment(path) {
            Some(text) => text.clone(),
            None => {
                let bytes = Store::read_option_file(&self.path_of(path));
                bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
            }
        };
        text.map_err(|reason| self.error(pointer, format!("the file {path:?} {reason}")))
            .ok()
    }

    pub(super) fn mappings(&mut self) -> Vec<Mapping> {
        let (mut keys, mut ids) = (HashSet::new(), HashSet::new());
        let mut mappings = Vec::new();
        for (at, resource) in self.resource.api_mappings.iter().enumerate() {
            let pointer = |name: &str| format!("/ApiMappings/{at}/{name}");
            let key = resource.api_mapping_key.as_deref().unwrap_or_default();
            if let Err(reason) = check_key(key) {
                self.error(&pointer("ApiMappingKey"), reason);
            }
            if !keys.insert(key) {
                let text = match key {
                    "" => "there are two mappings without a key".to_owned(),
                    key => format!("the key {key:?} occurs twice"),
                };
                self.error(&pointer("ApiMappingKey"), text);
            }
            if let Some(id) = resource.api_mapping_id.as_deref().filter(|id| !ids.insert(*id)) {
                self.error(&pointer("ApiMappingId"), format!("the id {id:?} occurs twice"));
            }
            mappings.extend(mapping(resource, key));
        }
        let long = keys.iter().filter(|key| key.contains('/')).count();
        if long > MOST_LONG_KEYS {
            let text = format!("there are {long} keys of several segments: AWS has {MOST_LONG_KEYS} at most");
            self.warning("/ApiMappings", text);
        }
        mappings
    }
}

fn mapping(resource: &ApiMapping, key: &str) -> Option<Mapping> {
    Some(Mapping {
        key: key.to_owned(),
        api_id: resource.api_id.clone()?,
        stage: resource.stage.clone()?,
    })
}

/// Why a text is no name of a custom domain.
pub(super) fn check_name(name: &str) -> Result<(), String> {
    if name.len() > MAX_NAME_LENGTH {
        return Err(format!("it has more than {MAX_NAME_LENGTH} characters"));
    }
    if name.parse::<Ipv4Addr>().is_ok() {
        return Err("it is an IP address".to_owned());
    }
    let labels = name.strip_prefix("*.").unwrap_or(name);
    for label in labels.split('.') {
        if label.is_empty() || label.len() > MAX_LABEL_LENGTH {
            return Err(format!("between its dots stand 1 to {MAX_LABEL_LENGTH} characters"));
        }
        let is_allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
        if !label.bytes().all(is_allowed) {
            return Err("it has lower-case letters, digits, - and _; *. may stand first".to_owned());
        }
    }
    Ok(())
}

/// Why a text is no key of a mapping.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    if key.len() > MAX_KEY_LENGTH {
        let length = key.len();
        return Err(format!("the key has {length} characters: {MAX_KEY_LENGTH} at most"));
    }
    let is_allowed = |character: &char| character.is_ascii_alphanumeric() || OTHER_KEY_CHARACTERS.contains(*character);
    if let Some(character) = key.chars().find(|character| !is_allowed(character)) {
        return Err(format!("the key has {character:?}, which a key cannot have"));
    }
    if key.starts_with('/') || key.ends_with('/') || key.contains("//") {
        return Err(format!(
            "the key {key:?} has an empty segment: no '/' at the ends, and no \"//\""
        ));
    }
    // R1.30: a request with such a segment is refused, or a proxy before the gateway would choose another key.
    if has_dot_segment(key) {
        return Err(format!("the key {key:?} has a '.' or '..' segment"));
    }
    Ok(())
}
