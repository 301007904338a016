//! A service integration whose file has been checked, before a stage's variables are put in (contract S1–S6).

use std::collections::BTreeMap;

use crate::definition::notation::integration_subtype::{IntegrationSubtype, Parameter};
use crate::definition::notation::mapping_key::Side;
use crate::definition::notation::mapping_value::{MappingValue, Piece, Source};
use crate::definition::notation::route_key::RouteKey;
use crate::definition::notation::service_parameter::ParameterKind;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::fields::mappings::Mapping;
use crate::definition::resource::integration::Integration as Resource;
use crate::definition::suggestion::did_you_mean;
use crate::deployment::parameter_mapping::{check_path_variables, warn_of_undefined};
use crate::deployment::service::json_template::JsonTemplate;
use crate::deployment::service::{ServiceIntegration, ServiceParameter, ValueSource};

/// Where the parameters stand in the file.
const PARAMETERS: &str = "/RequestParameters";

/// A service integration, checked but for what the stage decides.
#[derive(Debug)]
pub(crate) struct Draft {
    subtype: IntegrationSubtype,
    rules: Vec<Rule>,
}

/// A parameter's value, and where it is written.
#[derive(Debug)]
struct Rule {
    parameter: &'static Parameter,
    pointer: String,
    written: String,
    value: MappingValue,
}

impl Draft {
    /// Checks the fields; `users` are the keys of the routes that target the integration.
    pub(crate) fn check(
        subtype: IntegrationSubtype,
        resource: &Resource,
        users: &[&RouteKey],
        problems: &mut Problems,
    ) -> Draft {
        check_other_fields(resource, problems);
        let mut checker = Checker {
            file: &resource.file,
            subtype,
            users,
            problems,
        };
        let mut rules: Vec<Rule> = Vec::new();
        for mapping in &resource.request_parameters {
            rules.extend(checker.rule(mapping));
        }
        checker.require_all(&rules);
        Draft { subtype, rules }
    }

    /// The names of the stage variables that are read.
    pub(crate) fn stage_variables(&self) -> impl Iterator<Item = &str> {
        let sources = self.rules.iter().flat_map(|rule| rule.value.sources());
        sources.filter_map(Source::stage_variable)
    }

    /// Warns of stage variables that a stage does not define, and of values that are wrong with those that it does.
    pub(crate) fn check_stage(
        &self,
        file: &str,
        stage_name: &str,
        variables: &BTreeMap<String, String>,
        problems: &mut Problems,
    ) {
        for rule in &self.rules {
            if !warn_of_undefined(&rule.value, file, &rule.pointer, stage_name, variables, problems) {
                continue;
            }
            let variable = |name: &str| variables.get(name).map(String::as_str);
            let value = rule.value.with_stage_variables(variable);
            let text = value.as_ref().and_then(MappingValue::text);
            if let Some(Err(reason)) = text.map(|text| rule.parameter.kind.read(text.as_bytes().to_vec())) {
                let text =
                    format!("with the variables of the stage {stage_name:?}: {reason}; every request is answered 400");
                problems.warning(file, rule.pointer.as_str(), text);
            }
        }
    }

    /// The integration with a stage's variables in it.
    pub(crate) fn with_variables(&self, variables: &BTreeMap<String, String>) -> ServiceIntegration {
        let variable = |name: &str| variables.get(name).map(String::as_str);
        let finished = |parameter: &'static Parameter| {
            let rule = self.rules.iter().find(|rule| rule.parameter == parameter)?;
            Some(ServiceParameter {
                parameter,
                written: rule.written.clone(),
                value: value_source(parameter, rule.value.with_stage_variables(variable)),
            })
        };
        ServiceIntegration {
            subtype: self.subtype,
            parameters: self.subtype.parameters().filter_map(finished).collect(),
        }
    }
}

/// Where a value comes from, once a stage's variables are in it.
fn value_source(parameter: &Parameter, value: Option<MappingValue>) -> ValueSource {
    let Some(value) = value else {
        return ValueSource::Missing;
    };
    if let Some(text) = value.text() {
        let read = parameter.kind.read(text.as_bytes().to_vec());
        return read.map_or(ValueSource::Invalid, ValueSource::Static);
    }
    match value {
        MappingValue::Source(source) => ValueSource::Source(source),
        MappingValue::Pieces(pieces) if is_json(parameter.kind, &pieces) => {
            JsonTemplate::of(&pieces).map_or(ValueSource::Invalid, ValueSource::Json)
        }
        MappingValue::Pieces(pieces) => ValueSource::Pieces(pieces),
    }
}

/// Whether a text with sources in it is read as JSON, whatever they are.
fn is_json(kind: ParameterKind, pieces: &[Piece]) -> bool {
    match (kind, pieces.first()) {
        (ParameterKind::Attributes, _) => true,
        (ParameterKind::Strings, Some(Piece::Text(text))) => text.starts_with('['),
        _ => false,
    }
}

/// What the fields besides the parameters may be.
fn check_other_fields(resource: &Resource, problems: &mut Problems) {
    let file = resource.file.as_str();
    let is_vpc_link = resource.connection_type.as_deref() == Some("VPC_LINK");
    for (pointer, is_there, what) in [
        (
            "/IntegrationUri",
            resource.integration_uri.is_some(),
            "URI: its IntegrationSubtype says what is called",
        ),
        ("/TlsConfig", resource.tls_config.is_some(), "server name to verify"),
        ("/ConnectionId", resource.connection_id.is_some(), "VPC link"),
        ("/ConnectionType", is_vpc_link, "VPC link"),
    ] {
        if is_there {
            problems.error(file, pointer, format!("a service integration has no {what}"));
        }
    }
    match resource.payload_format_version.as_deref() {
        None | Some("1.0") => {}
        Some("2.0") => {
            let text = "\"2.0\" means \"1.0\", the only version of a service integration";
            problems.warning(file, "/PayloadFormatVersion", text);
        }
        Some(other) => {
            let text = format!("{other:?} is not \"1.0\", the only version of a service integration");
            problems.error(file, "/PayloadFormatVersion", text);
        }
    }
    if resource.credentials_arn.is_none() && !problems.has_error(file, "/CredentialsArn") {
        let text = "the field is missing: AWS wants the role that may call the service; here the gateway's own credentials sign";
        problems.warning(file, "/CredentialsArn", text);
    }
}

struct Checker<'a> {
    file: &'a str,
    subtype: IntegrationSubtype,
    users: &'a [&'a RouteKey],
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn rule(&mut self, mapping: &Mapping) -> Option<Rule> {
        let pointer = mapping.value_pointer.as_str();
        let Some(parameter) = self.subtype.parameter(&mapping.key) else {
            let text = self.unknown(&mapping.key);
            self.problems.error(self.file, &mapping.key_pointer, text);
            return None;
        };
        let value = match MappingValue::parse(&mapping.value, Side::Request) {
            Ok(value) => value,
            Err(error) => {
                self.problems.error(self.file, pointer, error.to_string());
                return None;
            }
        };
        self.check_value(pointer, parameter, &value);
        Some(Rule {
            parameter,
            pointer: pointer.to_owned(),
            written: mapping.value.clone(),
            value,
        })
    }

    fn unknown(&self, key: &str) -> String {
        let name = self.subtype.as_str();
        let is_mapping = ["append:", "overwrite:", "remove:"]
            .iter()
            .any(|operation| key.starts_with(operation));
        let names: Vec<&str> = self.subtype.parameters().map(|parameter| parameter.name).collect();
        if is_mapping {
            let first = names.first().copied().unwrap_or_default();
            return format!("{key:?} changes a request to a URI: {name} takes names of parameters such as {first:?}");
        }
        let hint = did_you_mean(key, names.iter().copied());
        format!("{name} has no parameter {key:?}{hint}")
    }

    fn check_value(&mut self, pointer: &str, parameter: &Parameter, value: &MappingValue) {
        check_path_variables(value, self.file, pointer, self.users, self.problems);
        let Some(text) = value.text() else {
            if let MappingValue::Pieces(pieces) = value
                && is_json(parameter.kind, pieces)
                && let Err(error) = JsonTemplate::of(pieces)
            {
                self.problems.error(self.file, pointer, error.to_string());
            }
            return;
        };
        if let Some(meant) = MappingValue::meant(text, Side::Request) {
            let text = format!("this is sent as it is written; did you mean {meant:?}?");
            self.problems.warning(self.file, pointer, text);
        }
        match parameter.kind.read(text.as_bytes().to_vec()) {
            Err(reason) => self.problems.error(self.file, pointer, reason),
            // S5: what works here is not to be learnt in production.
            Ok(_) if parameter.name == "MessageAttributes" => {
                let text =
                    "AWS refuses attributes without a source in them: \"Invalid selection expression specified\"";
                self.problems.warning(self.file, pointer, text);
            }
            Ok(_) => {}
        }
    }

    /// S2: names every required parameter that is not there.
    fn require_all(&mut self, rules: &[Rule]) {
        if self.problems.has_error(self.file, PARAMETERS) {
            return;
        }
        let is_missing = |parameter: &&'static Parameter| {
            let is_there = rules.iter().any(|rule| rule.parameter == *parameter);
            parameter.is_required
                && !is_there
                && !self.problems.has_error(self.file, &member(PARAMETERS, parameter.name))
        };
        let missing: Vec<&str> = self
            .subtype
            .parameters()
            .filter(is_missing)
            .map(|parameter| parameter.name)
            .collect();
        if !missing.is_empty() {
            let text = format!("{} needs {}", self.subtype.as_str(), missing.join(", "));
            self.problems.error(self.file, PARAMETERS, text);
        }
    }
}
