//! `AWS::ApiGatewayV2::DomainName` and `AWS::ApiGatewayV2::ApiMapping` (`R31.20`).

use crate::definition::json::Json;
use crate::template::evaluator::{Evaluator, Resource};
use crate::template::message::Messages;
use crate::template::output::VirtualFile;
use crate::template::place::Place;
use crate::template::value::Value;

/// A custom domain while its mappings are being gathered.
pub(in crate::template) struct Domain {
    pub(in crate::template) name: String,
    pub(in crate::template) place: Place,
    /// Whether it is closed, since its clients cannot be verified.
    pub(in crate::template) is_closed: bool,
    mappings: Vec<Json>,
}

impl Domain {
    pub(in crate::template) fn new(name: &str, place: &Place) -> Domain {
        Domain {
            name: name.to_ascii_lowercase(),
            place: place.clone(),
            is_closed: false,
            mappings: Vec::new(),
        }
    }

    /// Adds a mapping of a key to a stage of an API.
    pub(in crate::template) fn map(&mut self, id: &str, api: &str, stage: &str, key: &str) {
        if self.is_closed {
            return;
        }
        let mut fields = vec![("ApiMappingId", id), ("ApiId", api), ("Stage", stage)];
        if !key.is_empty() {
            fields.push(("ApiMappingKey", key));
        }
        let fields = fields
            .into_iter()
            .map(|(name, text)| (name.to_owned(), Json::String(text.to_owned())));
        self.mappings.push(Json::Object(fields.collect()));
    }

    /// Takes over the mappings of another API to the same name. Where one of them is closed, both are.
    pub(in crate::template) fn join(&mut self, other: Domain) {
        self.mappings.extend(other.mappings);
        if other.is_closed || self.is_closed {
            self.is_closed = true;
            self.mappings.clear();
        }
    }

    pub(in crate::template) fn into_file(self) -> VirtualFile {
        let mut file = VirtualFile::new(format!("domains/{}.json", self.name), &self.place);
        file.set_text("DomainName", self.name, &self.place);
        file.set("ApiMappings", Json::Array(self.mappings), &self.place);
        file
    }
}

/// A domain; none where its name is not known.
///
/// One whose clients cannot be verified has no mappings: its requests are refused, and never taken for another's.
pub(in crate::template) fn read_domain(evaluator: &Evaluator<'_>, resource: &Resource) -> Option<Domain> {
    let messages = evaluator.messages;
    let name = evaluator.property(resource, "DomainName");
    let text = messages.text(&name)?;
    let tls = evaluator.property(resource, "MutualTlsAuthentication");
    let mut domain = Domain::new(&text, &resource.place);
    domain.is_closed = refuses_mutual_tls(&text, &tls, messages);
    Some(domain)
}

/// Whether a domain asks for client certificates that cannot be verified here, which is told.
pub(in crate::template) fn refuses_mutual_tls(domain: &str, tls: &Value, messages: &Messages) -> bool {
    if tls.is_absent() {
        return false;
    }
    let text = format!("the domain {domain} is not served: its truststore is in S3, so no client can be verified");
    messages.warning(&tls.place, text);
    true
}

/// Adds a mapping to its domain, where both it and the API are of the template.
pub(in crate::template) fn add_mapping(
    evaluator: &Evaluator<'_>,
    resource: &Resource,
    domains: &mut [Domain],
    apis: &[(String, Vec<String>)],
) {
    let messages = evaluator.messages;
    let text = |name: &str| {
        let value = evaluator.property(resource, name);
        (value.peek().map(str::to_owned), value.place)
    };
    let ((domain, place), (api, _), (stage, stage_place)) = (text("DomainName"), text("ApiId"), text("Stage"));
    let domain = domain.map(|name| name.to_ascii_lowercase());
    let Some(domain) = domains.iter_mut().find(|known| Some(&known.name) == domain.as_ref()) else {
        let text = format!(
            "the mapping {} is not served: its domain is not one of the template",
            resource.id
        );
        return messages.warning(&place, text);
    };
    let found = apis.iter().find(|(id, _)| Some(id) == api.as_ref());
    let (Some((api, stages)), Some(stage)) = (found, stage) else {
        let text = format!(
            "the mapping {} is not served: its API is not an HTTP API of the template",
            resource.id
        );
        return messages.warning(&resource.place, text);
    };
    if !stages.contains(&stage) {
        return messages.error(&stage_place, format!("the API {api} has no stage {stage:?}"));
    }
    let (key, key_place) = text("ApiMappingKey");
    let key = key.unwrap_or_default();
    if key.starts_with('/') || key.ends_with('/') {
        return messages.error(&key_place, format!("the key {key:?} begins or ends with a /"));
    }
    domain.map(&resource.id, api, &stage, &key);
}
