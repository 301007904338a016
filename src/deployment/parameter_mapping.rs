//! Parameter mappings, read and checked, with a stage's variables in them: a request does no parsing.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-parameter-mapping.html>

use std::collections::{BTreeMap, HashMap};

use crate::definition::notation::mapping_key::{MappingKey, Operation, Side, Target};
use crate::definition::notation::mapping_value::{MappingValue, Source};
use crate::definition::notation::route_key::RouteKey;
use crate::definition::problem::{Problems, member};
use crate::definition::resource::fields::mappings::Mapping;
use crate::definition::resource::integration::Integration as Resource;
use crate::definition::suggestion::did_you_mean;
use crate::http1::target::{has_dot_segment_encoded, is_authority, percent_signs_are_whole};

/// What `ResponseParameters` may be for, and what they may change it to (`R4.2`).
const STATUSES: std::ops::RangeInclusive<u16> = 200..=599;

/// What becomes of requests on their way to the integration.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct RequestMapping {
    /// Changes of header fields, in the order in which they are made.
    pub header: Vec<Change>,
    /// Changes of the query, in the order in which they are made.
    pub querystring: Vec<Change>,
    /// What takes the path's place.
    pub path: Option<MappingValue>,
}

/// What becomes of an integration's answers of one status.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ResponseMapping {
    /// Changes of header fields, in the order in which they are made.
    pub header: Vec<Change>,
    /// What takes the status code's place.
    pub status_code: Option<MappingValue>,
}

/// A change of what has that name.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// A field's name in lower case, or a query parameter's as it is.
    pub name: String,
    /// What is done.
    pub edit: Edit,
}

/// What is done to a field or a parameter.
#[derive(Debug, PartialEq, Eq)]
pub enum Edit {
    /// All values go.
    Remove,
    /// All values give way to this one.
    Overwrite(MappingValue),
    /// This value is added.
    Append(MappingValue),
}

impl Change {
    /// The value that is put in, if any.
    pub fn value(&self) -> Option<&MappingValue> {
        match &self.edit {
            Edit::Remove => None,
            Edit::Overwrite(value) | Edit::Append(value) => Some(value),
        }
    }
}

impl RequestMapping {
    /// Whether nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.header.is_empty() && self.querystring.is_empty() && self.path.is_none()
    }
}

/// The mappings of one integration, checked, before a stage's variables are put in.
#[derive(Debug, Default)]
pub(super) struct Draft {
    request: Rules,
    response: BTreeMap<u16, Rules>,
}

/// Keys that are all different, in the order in which they are carried out, with their values.
type Rules = BTreeMap<(Operation, Target), Rule>;

/// A value, and where it is written.
#[derive(Debug)]
struct Rule {
    pointer: String,
    value: MappingValue,
}

impl Draft {
    /// Checks the mappings; `users` are the keys of the routes that target the integration.
    pub(super) fn check(resource: &Resource, users: &[&RouteKey], problems: &mut Problems) -> Draft {
        let mut draft = Draft::of_responses(resource, users, problems);
        let file = resource.file.as_str();
        let mut checker = Checker { file, users, problems };
        draft.request = checker.rules(&resource.request_parameters, Side::Request);
        draft
    }

    /// Checks the mappings of answers alone, for an integration whose `RequestParameters` are no mappings.
    pub(super) fn of_responses(resource: &Resource, users: &[&RouteKey], problems: &mut Problems) -> Draft {
        let file = resource.file.as_str();
        let mut checker = Checker { file, users, problems };
        let mut response = BTreeMap::new();
        for (status, parameters) in &resource.response_parameters {
            let rules = checker.rules(parameters, Side::Response);
            match status_code(status) {
                Some(code) => drop(response.insert(code, rules)),
                None => {
                    let pointer = member("/ResponseParameters", status);
                    let text = format!("{status:?} is not a status code from 200 to 599");
                    checker.problems.error(file, pointer, text);
                }
            }
        }
        Draft {
            request: Rules::new(),
            response,
        }
    }

    /// The names of the stage variables that are read.
    pub(super) fn stage_variables(&self) -> impl Iterator<Item = &str> {
        let rules = std::iter::once(&self.request).chain(self.response.values());
        let sources = rules.flat_map(|rules| rules.values().flat_map(|rule| rule.value.sources()));
        sources.filter_map(Source::stage_variable)
    }

    /// Says what is wrong with the values once a stage's variables are in them.
    pub(super) fn check_stage(
        &self,
        file: &str,
        stage_name: &str,
        variables: &BTreeMap<String, String>,
        problems: &mut Problems,
    ) {
        let variable = |name: &str| variables.get(name).map(String::as_str);
        for rules in std::iter::once(&self.request).chain(self.response.values()) {
            for ((_, target), Rule { pointer, value }) in rules {
                if !warn_of_undefined(value, file, pointer, stage_name, variables, problems) {
                    continue;
                }
                let value = value.with_stage_variables(variable);
                if let Some(text) = value.as_ref().and_then(|value| wrong_text(target, value.text()?)) {
                    let text = format!("with the variables of the stage {stage_name:?}: {text}");
                    problems.error(file, pointer.as_str(), text);
                }
            }
        }
    }

    /// The mapping of requests, with a stage's variables in it.
    pub(super) fn request(&self, variables: &BTreeMap<String, String>) -> RequestMapping {
        let mut mapping = RequestMapping::default();
        for (target, edit) in edits(&self.request, variables) {
            match (target, edit) {
                (Target::Header(name), edit) => mapping.header.push(Change { name, edit }),
                (Target::Querystring(name), edit) => mapping.querystring.push(Change { name, edit }),
                (Target::Path, Edit::Overwrite(value)) => mapping.path = Some(value),
                _ => {}
            }
        }
        mapping
    }

    /// The mappings of answers by their status, with a stage's variables in them.
    pub(super) fn response(&self, variables: &BTreeMap<String, String>) -> HashMap<u16, ResponseMapping> {
        let mut mappings = HashMap::new();
        for (status, rules) in &self.response {
            let mut mapping = ResponseMapping::default();
            for (target, edit) in edits(rules, variables) {
                match (target, edit) {
                    (Target::Header(name), edit) => mapping.header.push(Change { name, edit }),
                    (Target::StatusCode, Edit::Overwrite(value)) => mapping.status_code = Some(value),
                    _ => {}
                }
            }
            mappings.insert(*status, mapping);
        }
        mappings
    }
}

fn edits(rules: &Rules, variables: &BTreeMap<String, String>) -> impl Iterator<Item = (Target, Edit)> {
    let variable = |name: &str| variables.get(name).map(String::as_str);
    rules
        .iter()
        .filter_map(move |((operation, target), Rule { value, .. })| {
            let edit = match operation {
                Operation::Remove => Edit::Remove,
                Operation::Overwrite => Edit::Overwrite(value.with_stage_variables(variable)?),
                Operation::Append => Edit::Append(value.with_stage_variables(variable)?),
            };
            Some((target.clone(), edit))
        })
}

/// A status code that an integration can have, in its three digits.
pub fn status_code(text: &str) -> Option<u16> {
    let is_plain = text.len() == 3 && text.bytes().all(|byte| byte.is_ascii_digit());
    let code = is_plain.then(|| text.parse().ok()).flatten();
    code.filter(|code| STATUSES.contains(code))
}

/// What is wrong with a text for its target; it reads nothing of a request.
fn wrong_text(target: &Target, text: &str) -> Option<String> {
    match target {
        Target::StatusCode if status_code(text).is_none() => {
            Some(format!("{text:?} is not a status code from 200 to 599"))
        }
        Target::Header(name) if name == "host" && !is_authority(text) => {
            Some(format!("{text:?} is not a host with an optional port"))
        }
        Target::Path if !percent_signs_are_whole(text) => Some("the path has a '%' without two hex digits".to_owned()),
        Target::Path if has_dot_segment_encoded(text) => Some("the path has a '.' or '..' segment".to_owned()),
        _ => None,
    }
}

/// The end of a sentence about a path variable that no route has: the text behind it counted as its name, or it is
/// misspelt.
fn meant(name: &str, known: &[&str]) -> String {
    let goes_on = |known: &&&str| {
        let rest = name.strip_prefix(**known);
        rest.is_some_and(|rest| rest.starts_with(['.', '-', ':']))
    };
    match known.iter().filter(goes_on).max_by_key(|known| known.len()) {
        Some(known) => {
            let rest = name.strip_prefix(known).unwrap_or_default();
            format!("; did you mean \"${{request.path.{known}}}{rest}\"?")
        }
        None => did_you_mean(name, known.iter().copied()),
    }
}

struct Checker<'a> {
    file: &'a str,
    users: &'a [&'a RouteKey],
    problems: &'a mut Problems,
}

impl Checker<'_> {
    fn rules(&mut self, mappings: &[Mapping], side: Side) -> Rules {
        let mut rules = Rules::new();
        let mut written: HashMap<(Operation, Target), &str> = HashMap::new();
        for mapping in mappings {
            let (text, key_pointer, pointer) = (&mapping.key, &mapping.key_pointer, &mapping.value_pointer);
            let key = match MappingKey::parse(text, side) {
                Ok(MappingKey { operation, target }) => (operation, target),
                Err(error) => {
                    self.problems.error(self.file, key_pointer, error.to_string());
                    continue;
                }
            };
            if let Some(twin) = written.insert(key.clone(), text) {
                let text = format!("{text:?} is the same as {twin:?}: the case of a header's name does not matter");
                self.problems.error(self.file, key_pointer, text);
                continue;
            }
            // R4.6: what stands beside a removal means nothing.
            let value = match key.0 {
                Operation::Remove => "-",
                _ => &mapping.value,
            };
            match MappingValue::parse(value, side) {
                Ok(value) => {
                    if let Some(meant) = value.text().and_then(|text| MappingValue::meant(text, side)) {
                        let text = format!("this is sent as it is written; did you mean {meant:?}?");
                        self.problems.warning(self.file, pointer, text);
                    }
                    self.check_value(pointer, &key.1, &value);
                    let pointer = pointer.clone();
                    rules.insert(key, Rule { pointer, value });
                }
                Err(error) => self.problems.error(self.file, pointer, error.to_string()),
            }
        }
        rules
    }

    /// Checks what a value means for its target, as far as that can be told without a request.
    fn check_value(&mut self, pointer: &str, target: &Target, value: &MappingValue) {
        if let Some(text) = value.text().and_then(|text| wrong_text(target, text)) {
            self.problems.error(self.file, pointer, text);
        }
        check_path_variables(value, self.file, pointer, self.users, self.problems);
    }
}

/// Warns of stage variables that a value reads and the stage does not define; tells whether it reads any.
pub(super) fn warn_of_undefined(
    value: &MappingValue,
    file: &str,
    pointer: &str,
    stage_name: &str,
    variables: &BTreeMap<String, String>,
    problems: &mut Problems,
) -> bool {
    let names: Vec<&str> = value.sources().filter_map(Source::stage_variable).collect();
    // R2.13: a missing source, which is as good as a mistake.
    for name in names.iter().filter(|name| !variables.contains_key(**name)) {
        let text =
            format!("the stage {stage_name:?} does not define the stage variable {name:?}: it counts as missing");
        problems.warning(file, pointer, text);
    }
    !names.is_empty()
}

/// Checks that each path variable of a value is one of a route that uses the integration.
pub(super) fn check_path_variables(
    value: &MappingValue,
    file: &str,
    pointer: &str,
    users: &[&RouteKey],
    problems: &mut Problems,
) {
    for source in value.sources() {
        let Source::PathParameter(name) = source else { continue };
        let known: Vec<&str> = users.iter().flat_map(|user| user.variables()).collect();
        if users.is_empty() || known.contains(&name.as_str()) {
            continue;
        }
        let text = format!(
            "no route that uses this integration has a path variable {{{name}}}{}",
            meant(name, &known)
        );
        // AWS knows no such name, so the text behind another one may be meant.
        match name.contains('.') {
            true => problems.error(file, pointer, text),
            false => problems.warning(file, pointer, text),
        }
    }
}
