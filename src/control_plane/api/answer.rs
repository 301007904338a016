//! Turns the members of a file into those of an answer: the names of the wire, AWS's defaults, and one form for what
//! files may write in several.

use crate::control_plane::api::members::of_model;
use crate::definition::json::Json;
use crate::definition::model::member::{Member, Shape, Value};
use crate::definition::model::wire_name;

/// An answer, member by member.
#[derive(Clone, Debug, Default)]
pub struct Answer(Vec<(String, Json)>);

impl Answer {
    /// What a file says of a resource, with AWS's defaults.
    pub fn of(table: &[Member], file: &[(String, Json)]) -> Answer {
        Answer(object(table, file))
    }

    /// Says a member by its name in the model, in the place of what is said.
    pub fn put(&mut self, name: &str, value: Json) {
        let name = wire_name(name);
        self.0.retain(|(member, _)| *member != name);
        self.0.push((name, value));
    }

    /// Says a text.
    pub fn put_text(&mut self, name: &str, text: impl Into<String>) {
        self.put(name, Json::String(text.into()));
    }

    /// Says a text where nothing is said.
    pub fn put_default(&mut self, name: &str, text: &str) {
        if self.get(name).is_none() {
            self.put_text(name, text);
        }
    }

    /// Says nothing of a member.
    pub fn remove(&mut self, name: &str) {
        let name = wire_name(name);
        self.0.retain(|(member, _)| *member != name);
    }

    /// What is said of a member, by its name in the model.
    pub fn get(&self, name: &str) -> Option<&Json> {
        let name = wire_name(name);
        self.0
            .iter()
            .find(|(member, _)| *member == name)
            .map(|(_, value)| value)
    }

    /// The text that is said of a member.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// The whole.
    pub fn into_json(self) -> Json {
        Json::Object(self.0)
    }
}

/// What a file's object says, by the names of the wire.
pub fn object(table: &[Member], members: &[(String, Json)]) -> Vec<(String, Json)> {
    let mut answer = Vec::new();
    for member in table.iter().filter(|member| member.in_answer) {
        let found = members.iter().find(|(name, _)| name == member.name);
        let value = found.map(|(_, value)| value).filter(|value| **value != Json::Null);
        let value = match (value, member.default) {
            (Some(value), _) => shaped(&member.shape, value),
            (None, Some(Value::EmptyObject)) => shaped(&member.shape, &Json::Object(Vec::new())),
            (None, Some(default)) => of_model(default),
            (None, None) => continue,
        };
        answer.push((wire_name(member.name), value));
    }
    answer
}

fn shaped(shape: &Shape, value: &Json) -> Json {
    match (shape, value) {
        (Shape::Object(table), Json::Object(members)) => Json::Object(object(table, members)),
        (Shape::Objects(table), Json::Array(items)) => {
            let item = |item: &Json| match item {
                Json::Object(members) => Json::Object(object(table, members)),
                other => other.clone(),
            };
            Json::Array(items.iter().map(item).collect())
        }
        (Shape::ObjectMap(table), Json::Object(members)) => {
            let object = |(key, value): &(String, Json)| match value {
                Json::Object(inner) => Some((key.clone(), Json::Object(object(table, inner)))),
                _ => None,
            };
            Json::Object(members.iter().filter_map(object).collect())
        }
        (Shape::TextMaps, Json::Object(members)) => {
            let map = |(key, value): &(String, Json)| (key.clone(), listed(value).unwrap_or_else(|| value.clone()));
            Json::Object(members.iter().map(map).collect())
        }
        // CloudFormation writes numbers and truth as texts.
        (Shape::Integer { .. } | Shape::Number, Json::String(text)) => text.parse().map_or(value.clone(), Json::Number),
        (Shape::Boolean, Json::String(text)) => text.parse().map_or(value.clone(), Json::Bool),
        _ => value.clone(),
    }
}

/// The mappings that CloudFormation writes as a list of sources and destinations.
fn listed(value: &Json) -> Option<Json> {
    let Json::Object(members) = value else { return None };
    let (_, list) = members.iter().find(|(name, _)| name == "ResponseParameters")?;
    let Json::Array(items) = list else { return None };
    let mapping = |item: &Json| {
        let Json::Object(members) = item else { return None };
        let of = |name: &str| {
            members
                .iter()
                .find(|(member, _)| member == name)
                .map(|(_, value)| value)
        };
        match (of("Destination")?, of("Source")?) {
            (Json::String(destination), source) => Some((destination.clone(), source.clone())),
            _ => None,
        }
    };
    Some(Json::Object(items.iter().filter_map(mapping).collect()))
}
