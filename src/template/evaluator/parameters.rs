//! Parameters of a template and AWS's pseudo parameters (`R31.7`, `R31.8`).

use std::sync::Arc;

use crate::template::evaluator::Evaluator;
use crate::template::node::{Content, Map};
use crate::template::place::Place;
use crate::template::value::Value;

impl Evaluator<'_> {
    /// Checks what `--parameter` gives.
    pub(in crate::template) fn check_parameters(&self) {
        let file = Place::file(&self.root.place.file);
        for (name, value) in &self.options.parameters {
            let Some(node) = self.section("Parameters").and_then(|section| section.get(name)) else {
                self.messages
                    .error(&file, format!("--parameter {name}: the template has no such parameter"));
                continue;
            };
            if let Some(text) = node.map().and_then(|map| refusal(map, value)) {
                self.messages
                    .error(&node.place, format!("--parameter {name}={value}: {text}"));
            }
        }
    }

    /// A parameter's value; none where there is no such parameter.
    pub(super) fn parameter(&self, name: &str, place: &Place) -> Option<Value> {
        let definition = self.section("Parameters")?.get(name)?;
        let map = definition.map();
        let kind = map
            .and_then(|map| map.get("Type"))
            .and_then(|node| node.text())
            .unwrap_or("String");
        let given = self.options.parameters.iter().rev().find(|(known, _)| known == name);
        let text: Arc<str> = match (given, map.and_then(|map| map.get("Default")).map(|node| &node.content)) {
            (Some((_, value)), _) => value.as_str().into(),
            // The default of such a parameter is the name of another one, in AWS.
            (None, Some(Content::Scalar(default))) if !kind.starts_with("AWS::SSM::Parameter::Value<") => {
                Arc::clone(&default.text)
            }
            (None, Some(Content::Null)) => "".into(),
            _ => {
                let text = format!("the parameter {name:?} has no value: --parameter {name}=VALUE gives it");
                return Some(Value::unresolved(place, text));
            }
        };
        let is_list = kind == "CommaDelimitedList" || kind.contains("List<");
        Some(match is_list {
            true => {
                let items = text.split(',').map(|item| Value::text(place, item.trim()));
                Value::list(place, items.collect())
            }
            false if kind == "Number" => Value::plain(place, text),
            false => Value::text(place, text),
        })
    }

    /// The value of a pseudo parameter.
    pub(super) fn pseudo_parameter(&self, name: &str, place: &Place) -> Option<Value> {
        let environment = &self.environment;
        let text = match name.strip_prefix("AWS::")? {
            "Region" => environment.region.clone(),
            "AccountId" => environment.account_id.clone(),
            "Partition" => environment.partition().to_owned(),
            "URLSuffix" => environment.url_suffix().to_owned(),
            "StackName" => environment.stack_name.clone(),
            "StackId" => {
                let resource = format!("stack/{}/00000000-0000-0000-0000-000000000000", environment.stack_name);
                environment.arn("cloudformation", &resource)
            }
            "NotificationARNs" => return Some(Value::list(place, Vec::new())),
            "NoValue" => return Some(Value::absent(place)),
            _ => return None,
        };
        Some(Value::text(place, text))
    }
}

/// Why a parameter does not take a value.
fn refusal(definition: &Map, value: &str) -> Option<String> {
    let number = |name: &str| definition.get(name)?.text()?.parse::<f64>().ok();
    if let Some(Content::List(allowed)) = definition.get("AllowedValues").map(|node| &node.content) {
        let texts: Vec<&str> = allowed.iter().filter_map(|item| item.text()).collect();
        if !texts.contains(&value) {
            return Some(format!("the value is none of AllowedValues: {}", texts.join(", ")));
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "a length is far below 2^52")]
    let length = value.chars().count() as f64;
    if number("MinLength").is_some_and(|least| length < least) {
        return Some("the value is shorter than MinLength".to_owned());
    }
    if number("MaxLength").is_some_and(|most| length > most) {
        return Some("the value is longer than MaxLength".to_owned());
    }
    let kind = definition.get("Type").and_then(|node| node.text()).unwrap_or_default();
    if kind == "Number" {
        let Ok(given) = value.trim().parse::<f64>() else {
            return Some("the value is not a number".to_owned());
        };
        if number("MinValue").is_some_and(|least| given < least) {
            return Some("the value is below MinValue".to_owned());
        }
        if number("MaxValue").is_some_and(|most| given > most) {
            return Some("the value is above MaxValue".to_owned());
        }
    }
    let pattern = definition.get("AllowedPattern")?.text()?;
    match crate::template::pattern::matches(pattern, value) {
        Some(true) => None,
        Some(false) => Some(format!("the value does not match AllowedPattern {pattern}")),
        None => Some(format!(
            "AllowedPattern {pattern} cannot be checked here: leave it out, or use Default"
        )),
    }
}
