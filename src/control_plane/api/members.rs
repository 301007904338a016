//! Checks the members of a call against the model, and turns them into those of a file.

use crate::control_plane::api::error::ApiError;
use crate::control_plane::api::operation::Operation;
use crate::definition::json::Json;
use crate::definition::model::member::{Member, Shape, Update, Value};
use crate::definition::model::model_name;
use crate::definition::resource::fields::whole;

/// What a call does with a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// The resource is made.
    Create,
    /// The resource is changed.
    Update,
}

/// What a call says, by the names of files; null is a value that is to be taken out.
#[derive(Clone, Debug, Default)]
pub struct Given(Vec<(&'static Member, Json)>);

impl Given {
    /// Each member that is said.
    pub fn iter(&self) -> impl Iterator<Item = &(&'static Member, Json)> {
        self.0.iter()
    }

    /// What is said of a member; none where nothing is, or where it is to be taken out.
    pub fn get(&self, name: &str) -> Option<&Json> {
        self.said(name).filter(|value| **value != Json::Null)
    }

    /// As [`Given::get`], with null for what is to be taken out.
    pub fn said(&self, name: &str) -> Option<&Json> {
        let found = self.0.iter().find(|(member, _)| member.name == name);
        found.map(|(_, value)| value)
    }

    /// The text that is said of a member.
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.get(name)? {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// Takes out what is said of a member, and gives it back.
    pub fn take(&mut self, name: &str) -> Option<Json> {
        let place = self.0.iter().position(|(member, _)| member.name == name)?;
        Some(self.0.remove(place).1)
    }

    /// Says something of a member in the place of what the call says.
    pub fn put(&mut self, table: &'static [Member], name: &str, value: Json) {
        self.take(name);
        if let Some(member) = table.iter().find(|member| member.name == name) {
            self.0.push((member, value));
        }
    }
}

/// Reads what a call says of a resource's members.
///
/// # Errors
/// A member is unknown, missing, of a wrong type or out of range; the first in the order of the call.
pub fn check(
    operation: Operation,
    action: Action,
    table: &'static [Member],
    body: &[(String, Json)],
) -> Result<Given, ApiError> {
    let of = format!(" of {operation}");
    let mut given = Vec::new();
    for (wire, value) in body {
        let name = model_name(wire);
        let is_meant = |member: &&Member| {
            member.name == name
                && if action == Action::Create {
                    member.in_create
                } else {
                    member.in_update
                }
        };
        let member = table.iter().find(is_meant);
        let is_spelt_so = !wire.starts_with(|first: char| first.is_ascii_uppercase());
        let Some(member) = member.filter(|_| is_spelt_so) else {
            return Err(ApiError::bad_request(format!("{name} is not a member{of}")));
        };
        if let Some(value) = read(member, action, value)? {
            given.push((member, value));
        }
    }
    let given = Given(given);
    let is_missing = |member: &&Member| member.is_required && given.said(member.name).is_none();
    match table.iter().find(is_missing) {
        Some(member) if action == Action::Create => Err(ApiError::bad_request(format!(
            "{} is a required parameter{of}",
            member.name
        ))),
        _ => Ok(given),
    }
}

/// Refuses all that an operation without members is told.
///
/// # Errors
/// The content of the call has a member.
pub fn refuse_all(operation: Operation, body: &[(String, Json)]) -> Result<(), ApiError> {
    check(operation, Action::Update, &[], body).map(drop)
}

/// A value as files have it; none where it says nothing.
fn read(member: &Member, action: Action, value: &Json) -> Result<Option<Json>, ApiError> {
    if *value == Json::Null {
        return Ok(None);
    }
    if member.dropped.is_some_and(|dropped| is_value(value, dropped)) {
        return Ok(None);
    }
    if member.is_of_web_sockets {
        return match value.is_empty() {
            true => Ok(None),
            false => Err(ApiError::bad_request(format!(
                "{} is supported only for WebSocket APIs",
                member.name
            ))),
        };
    }
    let is_bare = match value {
        Json::String(text) => text.is_empty(),
        Json::Array(items) => items.is_empty(),
        Json::Object(members) => members.is_empty(),
        _ => false,
    };
    if is_bare && member.is_cleared_by_empty {
        shaped(member, action, &member.shape, value, true)?;
        return Ok(Some(Json::Null));
    }
    shaped(member, action, &member.shape, value, false).map(Some)
}

/// A value of that shape, with the names of files.
fn shaped(member: &Member, action: Action, shape: &Shape, value: &Json, is_cleared: bool) -> Result<Json, ApiError> {
    let name = member.name;
    let wrong = |wanted: &str| ApiError::bad_request(format!("{name} must be {wanted}, not {}", value.kind()));
    match (shape, value) {
        (Shape::Text { least, most }, Json::String(text)) => {
            if !is_cleared {
                check_length(name, text, *least, *most)?;
            }
            Ok(value.clone())
        }
        (Shape::Text { .. }, _) => Err(wrong("a string")),
        (Shape::OneOf(choices), Json::String(text)) => match choices.contains(&text.as_str()) {
            true => Ok(value.clone()),
            false => Err(ApiError::bad_request(format!(
                "{name} must be one of {}, not {text:?}",
                choices.join(", ")
            ))),
        },
        (Shape::OneOf(_), _) => Err(wrong("a string")),
        (Shape::Integer { least, most }, Json::Number(number)) => {
            let whole = whole(number).ok_or_else(|| wrong("a whole number"))?;
            match (*least..=*most).contains(&whole) {
                true => Ok(Json::Number(whole.into())),
                false => Err(ApiError::bad_request(format!(
                    "{name} must be between {least} and {most}, not {whole}"
                ))),
            }
        }
        (Shape::Integer { .. }, _) => Err(wrong("a whole number")),
        (Shape::Number, Json::Number(number)) => match number.as_f64() {
            Some(number) if number >= 0.0 => Ok(value.clone()),
            _ => Err(ApiError::bad_request(format!("{name} must not be negative"))),
        },
        (Shape::Number, _) => Err(wrong("a number")),
        (Shape::Boolean, Json::Bool(_)) => Ok(value.clone()),
        (Shape::Boolean, _) => Err(wrong("true or false")),
        (Shape::Texts { most }, Json::Array(items)) => {
            for item in items {
                match item {
                    Json::String(text) => check_length(name, text, 0, *most)?,
                    other => {
                        let text = format!("{name} must be a list of strings, not of {}", other.kind());
                        return Err(ApiError::bad_request(text));
                    }
                }
            }
            Ok(value.clone())
        }
        (Shape::Texts { .. }, _) => Err(wrong("a list of strings")),
        (Shape::TextMap { least, most }, Json::Object(members)) => texts(member, action, members, *least, *most),
        (Shape::TextMaps, Json::Object(members)) => {
            let map = |(key, value): &(String, Json)| match value {
                Json::Object(inner) => Ok((key.clone(), texts(member, Action::Create, inner, 1, 512)?)),
                other => Err(ApiError::bad_request(format!(
                    "{name} must have an object of strings for {key:?}, not {}",
                    other.kind()
                ))),
            };
            members.iter().map(map).collect::<Result<_, _>>().map(Json::Object)
        }
        (Shape::Object(table), Json::Object(members)) => object(member, action, table, members),
        (Shape::ObjectMap(table), Json::Object(members)) => {
            let map = |(key, value): &(String, Json)| match value {
                Json::Object(inner) => Ok((key.clone(), object(member, action, table, inner)?)),
                other => Err(ApiError::bad_request(format!(
                    "{name} must have an object for {key:?}, not {}",
                    other.kind()
                ))),
            };
            members.iter().map(map).collect::<Result<_, _>>().map(Json::Object)
        }
        (Shape::TextMap { .. } | Shape::TextMaps | Shape::Object(_) | Shape::ObjectMap(_), _) => {
            Err(wrong("an object"))
        }
        (Shape::Objects(table), Json::Array(items)) => {
            let item = |item: &Json| match item {
                // A list takes the place of the one before it, so that its objects are new.
                Json::Object(members) => object(member, Action::Create, table, members),
                other => Err(ApiError::bad_request(format!(
                    "{name} must be a list of objects, not of {}",
                    other.kind()
                ))),
            };
            items.iter().map(item).collect::<Result<_, _>>().map(Json::Array)
        }
        (Shape::Objects(_), _) => Err(wrong("a list of objects")),
        (Shape::Other, _) => Err(ApiError::bad_request(format!("{name} cannot be set"))),
    }
}

/// The members of an object in an object.
fn object(
    outer: &Member,
    action: Action,
    table: &'static [Member],
    members: &[(String, Json)],
) -> Result<Json, ApiError> {
    let mut read_members = Vec::new();
    for (wire, value) in members {
        let name = model_name(wire);
        let is_meant = |member: &&Member| member.name == name && member.in_create;
        let is_spelt_so = !wire.starts_with(|first: char| first.is_ascii_uppercase());
        let Some(member) = table.iter().find(is_meant).filter(|_| is_spelt_so) else {
            let text = format!("{name} is not a member of {}", outer.name);
            return Err(ApiError::bad_request(text));
        };
        match read(member, action, value)? {
            Some(Json::Null) if action == Action::Create => {}
            Some(value) => read_members.push((name, value)),
            None => {}
        }
    }
    let place = |name: &String| table.iter().position(|member| member.name == name);
    read_members.sort_by_key(|(name, _)| place(name));
    Ok(Json::Object(read_members))
}

/// Texts by name; an empty one is null where it takes out the one that is there.
fn texts(
    member: &Member,
    action: Action,
    members: &[(String, Json)],
    least: usize,
    most: usize,
) -> Result<Json, ApiError> {
    let name = member.name;
    let text = |(key, value): &(String, Json)| match value {
        Json::String(text)
            if text.is_empty() && action == Action::Update && member.update == Update::MergeAndRemove =>
        {
            Ok((key.clone(), Json::Null))
        }
        Json::String(text) => {
            check_length(name, text, least, most)?;
            Ok((key.clone(), value.clone()))
        }
        other => Err(ApiError::bad_request(format!(
            "{name} must have a string for {key:?}, not {}",
            other.kind()
        ))),
    };
    members.iter().map(text).collect::<Result<_, _>>().map(Json::Object)
}

fn check_length(name: &str, text: &str, least: usize, most: usize) -> Result<(), ApiError> {
    let length = text.chars().count();
    if (least..=most).contains(&length) {
        return Ok(());
    }
    Err(ApiError::bad_request(match most {
        usize::MAX => format!("{name} must not be empty"),
        _ => format!("{name} must be {least} to {most} characters long, not {length}"),
    }))
}

/// Whether a value is that of the model.
pub fn is_value(json: &Json, value: Value) -> bool {
    *json == of_model(value)
}

/// A value of the model as JSON.
pub fn of_model(value: Value) -> Json {
    match value {
        Value::Text(text) => Json::String(text.to_owned()),
        Value::Integer(number) => Json::Number(number.into()),
        Value::Boolean(value) => Json::Bool(value),
        Value::EmptyObject => Json::Object(Vec::new()),
        Value::EmptyList => Json::Array(Vec::new()),
    }
}
