//! What can be served, and surely does not do what was meant: the notations of other programs, which mean nothing here.

use std::collections::BTreeMap;

use crate::definition::notation::context_variable::ContextVariable;
use crate::definition::notation::mapping_key::Side;
use crate::definition::notation::mapping_value::{MappingValue, Source};
use crate::definition::notation::route_key::{RouteKey, Segment, is_variable_name};
use crate::definition::problem::Problems;
use crate::definition::resource::Resources;
use crate::definition::resource::integration::Integration;
use crate::deployment::route_draft::{RouteDraft, RouteTarget};

/// What other routers write behind a variable's name to say what it takes.
const CONVERTERS: [&str; 7] = ["float", "int", "path", "slug", "str", "string", "uuid"];

/// Adds the warnings.
pub(super) fn warn(routes: &BTreeMap<&str, RouteDraft<'_>>, resources: &Resources, problems: &mut Problems) {
    for route in routes.values() {
        for segment in route.key.segments() {
            if let Some(text) = misread(segment) {
                problems.warning(route.file, "/RouteKey", text);
            }
        }
        let RouteTarget::Integration(id) = route.target else {
            continue;
        };
        let Some(integration) = resources.integrations.get(id) else {
            continue;
        };
        if integration.integration_type.as_deref() == Some("HTTP_PROXY") {
            let user = User {
                file: route.file,
                text: route.key_text,
                key: &route.key,
            };
            user.warn_of(integration, problems);
        }
    }
}

/// What a segment does here, where other routers read it otherwise.
fn misread(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Literal(text) => {
            let meant = match text.strip_prefix(':').filter(|name| is_variable_name(name)) {
                Some(name) => format!("{{{name}}}"),
                None if matches!(text.as_str(), "*" | "**") => "{proxy+}".to_owned(),
                None => return None,
            };
            Some(format!(
                "the segment {text:?} takes nothing but itself; did you mean {meant:?}?"
            ))
        }
        Segment::Variable(whole) => {
            let (name, converter) = whole.split_once(':')?;
            let greedy = if converter == "path" { "+" } else { "" };
            let is_converter = CONVERTERS.contains(&converter) && !name.is_empty();
            is_converter
                .then(|| format!("the variable's whole name is {whole:?}; did you mean \"{{{name}{greedy}}}\"?"))
        }
        Segment::Greedy(_) => None,
    }
}

/// A route that has its requests sent to an HTTP endpoint.
struct User<'a> {
    file: &'a str,
    text: &'a str,
    key: &'a RouteKey,
}

impl User<'_> {
    fn warn_of(&self, integration: &Integration, problems: &mut Problems) {
        let Some(uri) = integration.integration_uri.as_deref() else {
            return;
        };
        let mut warn = |text: String| problems.warning(&integration.file, "/IntegrationUri", text);
        for (written, meant) in self.sent_as_written(uri) {
            warn(format!("{written:?} is sent as it is written; did you mean {meant:?}?"));
        }
        let Some(name) = self.greedy() else { return };
        // A private integration gets the whole path of the request.
        let is_private = integration.connection_type.as_deref() == Some("VPC_LINK");
        if !is_private && !uri.contains(&format!("{{{name}}}")) && !is_mapped(integration, name) {
            let (key, file) = (self.text, self.file);
            warn(format!(
                "it has no {{{name}}}: every path of {key:?} ({file}) leads to this one"
            ));
        }
    }

    /// What of a URI is text, and means a variable elsewhere, with how it is written here.
    fn sent_as_written(&self, uri: &str) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for part in uri.split(['/', '?', '&', '=']) {
            let name = part.strip_prefix(':').unwrap_or_default();
            if self.key.variables().any(|known| known == name) {
                found.push((part.to_owned(), format!("{{{name}}}")));
            }
        }
        for text in uri.split('$').skip(1) {
            let end = text.find(|character: char| !(character.is_ascii_alphanumeric() || "._-".contains(character)));
            let text = text.get(..end.unwrap_or(text.len())).unwrap_or_default();
            if let Some(name) = text.strip_prefix("request.path.") {
                found.push((format!("${text}"), format!("{{{name}}}")));
            } else if text.starts_with("stageVariables.") {
                found.push((format!("${text}"), format!("${{{text}}}")));
            }
        }
        found
    }

    /// The name of the greedy variable.
    fn greedy(&self) -> Option<&str> {
        self.key.segments().iter().find_map(|segment| match segment {
            Segment::Greedy(name) => Some(name.as_str()),
            _ => None,
        })
    }
}

/// Whether a mapping passes on what a variable stands for, or the path that it is in.
fn is_mapped(integration: &Integration, name: &str) -> bool {
    let has_path = |source: &Source| match source {
        Source::Path | Source::Context(ContextVariable::Path) => true,
        Source::PathParameter(read) => read == name,
        _ => false,
    };
    integration.request_parameters.iter().any(|mapping| {
        MappingValue::parse(&mapping.value, Side::Request).is_ok_and(|value| value.sources().any(has_path))
    })
}
