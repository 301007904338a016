//! What may stand in the file of a custom domain.

use std::collections::HashSet;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use crate::definition::problem::Problems;
use crate::definition::resource::domain::{ApiMapping, Domain as Resource, MutualTls};
use crate::definition::store::Store;
use crate::deployment::domain::mapping::Mapping;
use crate::http1::target::has_dot_segment;
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
    pub(super) resource: &'a Resource,
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

    pub(super) fn name(&mut self, name: &str) {
        if let Err(reason) = check_name(name) {
            self.error("", format!("the file name {name:?} is not a domain name: {reason}"));
        }
        if let Some(written) = self.resource.domain_name.as_deref().filter(|written| *written != name) {
            self.error("/DomainName", format!("{written:?} is not the file's name, {name:?}"));
        }
    }

    /// Checks `DomainNameConfigurations`; tells whether there is a certificate.
    pub(super) fn configurations(&mut self) -> bool {
        let resource = self.resource;
        if resource.configurations.len() > 1 {
            self.error("/DomainNameConfigurations/1", "a domain has one configuration at most");
        }
        let Some(configuration) = resource.configurations.first() else {
            return false;
        };
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
            (None, None) => false,
            (Some(certificate), Some(key)) => {
                self.pem(&pointer("CertificateFile"), certificate, CERTIFICATE);
                self.pem(&pointer("KeyFile"), key, PRIVATE_KEY);
                if self.is_open_to_others(key) {
                    let text = "others than its owner and its group can read or write the file, which holds a secret";
                    self.warning(&pointer("KeyFile"), text);
                }
                true
            }
            (Some(_), None) => {
                self.error(&pointer("KeyFile"), "the field is missing: a certificate needs its key");
                false
            }
            (None, Some(_)) => {
                self.error(
                    &pointer("CertificateFile"),
                    "the field is missing: a key needs its certificate",
                );
                false
            }
        }
    }

    pub(super) fn mutual_tls(&mut self, mutual_tls: &MutualTls) {
        let file = mutual_tls.truststore_file.as_deref();
        let uri = mutual_tls.truststore_uri.as_deref();
        let field = |name: &str| format!("/MutualTlsAuthentication/{name}");
        let (pointer, path) = match (file, uri) {
            (Some(file), _) => (field("TruststoreFile"), file),
            (None, Some(uri)) if uri.starts_with("s3://") => {
                let text = "an object of S3 cannot be read here: TruststoreFile names a file that is the same";
                return self.error(&field("TruststoreUri"), text);
            }
            (None, Some(uri)) => (field("TruststoreUri"), local_path(uri)),
            (None, None) => {
                let text = "the field is missing: clients' certificates are verified by it";
                let pointer = field("TruststoreFile");
                return self.problems.error_unless_known(&self.resource.file, &pointer, text);
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
        self.pem(&pointer, path, CERTIFICATE);
    }

    fn path_of(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    fn is_open_to_others(&self, path: &str) -> bool {
        const READ_OR_WRITE: u32 = 0o006;
        files::info(&self.path_of(path)).is_ok_and(|info| info.permissions & READ_OR_WRITE != 0)
    }

    /// Checks that a file can be read and has a section of that kind.
    fn pem(&mut self, pointer: &str, path: &str, section: Section) {
        match Store::read_option_file(&self.path_of(path)) {
            Err(reason) => self.error(pointer, format!("the file {path:?} {reason}")),
            Ok(bytes) => {
                let text = String::from_utf8_lossy(&bytes);
                let begins = |kind: &str| text.contains(&format!("-----BEGIN {kind}-----"));
                if begins("ENCRYPTED PRIVATE KEY") && section.ends.iter().all(|kind| !begins(kind)) {
                    self.error(
                        pointer,
                        format!("the key in {path:?} is encrypted, which is not supported"),
                    );
                } else if !section.ends.iter().any(|kind| begins(kind)) {
                    self.error(pointer, format!("the file {path:?} has no {} in PEM", section.name));
                }
            }
        }
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

/// A kind of section of a PEM file (RFC 7468).
#[derive(Clone, Copy)]
struct Section {
    name: &'static str,
    ends: &'static [&'static str],
}

const CERTIFICATE: Section = Section {
    name: "certificate",
    ends: &["CERTIFICATE"],
};

const PRIVATE_KEY: Section = Section {
    name: "private key",
    ends: &["PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY"],
};

fn mapping(resource: &ApiMapping, key: &str) -> Option<Mapping> {
    Some(Mapping {
        key: key.to_owned(),
        api_id: resource.api_id.clone()?,
        stage: resource.stage.clone()?,
    })
}

/// The path that a `file:` URL names, or the text itself.
fn local_path(uri: &str) -> &str {
    uri.strip_prefix("file://").or(uri.strip_prefix("file:")).unwrap_or(uri)
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
