//! Writes what a call says into the text of a file: a new one, or one whose other members stay as they are.

use crate::control_plane::api::members::{Given, is_value};
use crate::definition::document::Document;
use crate::definition::json::Json;
use crate::definition::model::member::{Member, Shape, Update};

/// The members of a new file, in the order of the model: what the call says and is not AWS's default.
pub fn members_of_new(table: &'static [Member], given: &Given) -> Vec<(String, Json)> {
    let mut members = Vec::new();
    for member in table.iter().filter(|member| member.in_file) {
        let Some(value) = given.get(member.name) else {
            continue;
        };
        let mut value = value.clone();
        if let (Shape::Object(inner), Json::Object(values)) = (&member.shape, &mut value) {
            let is_default = |(name, value): &(String, Json)| {
                let member = inner.iter().find(|member| member.name == name);
                member
                    .and_then(|member| member.default)
                    .is_some_and(|default| is_value(value, default))
            };
            values.retain(|entry| !is_default(entry));
        }
        let is_default = member.default.is_some_and(|default| is_value(&value, default));
        if is_default || is_without_members(&member.shape, &value) {
            continue;
        }
        members.push((member.name.to_owned(), value));
    }
    members
}

/// Whether it is an object that says nothing: what is not there, on AWS.
fn is_without_members(shape: &Shape, value: &Json) -> bool {
    let is_object = matches!(
        shape,
        Shape::Object(_) | Shape::ObjectMap(_) | Shape::TextMap { .. } | Shape::TextMaps
    );
    is_object && matches!(value, Json::Object(members) if members.is_empty())
}

/// Changes a file as a call says.
pub fn update(document: &mut Document, table: &'static [Member], given: &Given) {
    let order: Vec<&str> = table.iter().map(|member| member.name).collect();
    for (member, value) in given.iter().filter(|(member, _)| member.in_file) {
        apply(document, &[], member, value, &order);
    }
}

/// Changes a member, and does no more than that.
pub fn set(document: &mut Document, table: &'static [Member], name: &str, value: &Json) {
    let order: Vec<&str> = table.iter().map(|member| member.name).collect();
    document.set(&[name], value, &order);
}

fn apply(document: &mut Document, parents: &[&str], member: &Member, value: &Json, order: &[&str]) {
    let mut path = parents.to_vec();
    path.push(member.name);
    match (&member.shape, value) {
        (_, Json::Null) => drop(document.remove(&path)),
        (Shape::Object(table), Json::Object(values)) if member.update == Update::Merge => {
            apply_all(document, &path, table, values);
            remove_if_empty(document, &path);
        }
        (Shape::ObjectMap(table), Json::Object(entries)) if member.update == Update::Merge => {
            for (key, inner) in entries {
                let Json::Object(values) = inner else { continue };
                let mut path = path.clone();
                path.push(key);
                if document.get(&path).is_none() {
                    document.set(&path, &Json::Object(Vec::new()), order);
                }
                apply_all(document, &path, table, values);
            }
        }
        (Shape::TextMap { .. } | Shape::TextMaps, Json::Object(entries)) if member.update != Update::Replace => {
            for (key, value) in entries {
                let mut path = path.clone();
                path.push(key);
                match value {
                    Json::Null => drop(document.remove(&path)),
                    value => document.set(&path, value, order),
                }
            }
            remove_if_empty(document, &path);
        }
        _ => put(document, &path, member, value, order),
    }
}

fn apply_all(document: &mut Document, path: &[&str], table: &[Member], values: &[(String, Json)]) {
    let order: Vec<&str> = table.iter().map(|member| member.name).collect();
    for (name, value) in values {
        if let Some(member) = table.iter().find(|member| member.name == name) {
            apply(document, path, member, value, &order);
        }
    }
}

/// Puts a value in its place. AWS's default needs none.
fn put(document: &mut Document, path: &[&str], member: &Member, value: &Json, order: &[&str]) {
    let is_default = member.default.is_some_and(|default| is_value(value, default));
    match document.get(path) {
        Some(before) if before == *value => {}
        _ if is_default => drop(document.remove(path)),
        _ => document.set(path, value, order),
    }
}

fn remove_if_empty(document: &mut Document, path: &[&str]) {
    if matches!(document.get(path), Some(Json::Object(members)) if members.is_empty()) {
        document.remove(path);
    }
}
