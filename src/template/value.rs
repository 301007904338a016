//! What an expression of a template gives, and what a property reads from it.

use std::sync::Arc;

use crate::template::message::Messages;
use crate::template::node::{Content, Key, Node, Scalar};
use crate::template::place::Place;

/// A value without expressions.
#[derive(Clone, Debug)]
pub(super) struct Value {
    pub(super) place: Place,
    pub(super) data: Data,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    /// Absent: `null`, or `AWS::NoValue`.
    Absent,
    Scalar(Scalar),
    List(Vec<Value>),
    Map(Vec<Member>),
    /// What cannot be told without AWS, or is wrong: a sentence. It is an error where it is read.
    Unresolved(Arc<str>),
}

/// A member of a mapping.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) key: Key,
    pub(super) value: Value,
}

impl Value {
    pub(super) fn absent(place: &Place) -> Value {
        Value {
            place: place.clone(),
            data: Data::Absent,
        }
    }

    /// A text that is never taken for a number.
    pub(super) fn text(place: &Place, text: impl Into<Arc<str>>) -> Value {
        Value {
            place: place.clone(),
            data: Data::Scalar(Scalar {
                text: text.into(),
                plain: false,
            }),
        }
    }

    /// A number or a boolean as it is written.
    pub(super) fn plain(place: &Place, text: impl Into<Arc<str>>) -> Value {
        Value {
            place: place.clone(),
            data: Data::Scalar(Scalar {
                text: text.into(),
                plain: true,
            }),
        }
    }

    pub(super) fn list(place: &Place, items: Vec<Value>) -> Value {
        Value {
            place: place.clone(),
            data: Data::List(items),
        }
    }

    pub(super) fn map(place: &Place, members: Vec<(&str, Value)>) -> Value {
        let member = |(name, value): (&str, Value)| Member {
            key: Key {
                name: name.into(),
                place: value.place.clone(),
            },
            value,
        };
        Value {
            place: place.clone(),
            data: Data::Map(members.into_iter().map(member).collect()),
        }
    }

    pub(super) fn unresolved(place: &Place, why: impl Into<Arc<str>>) -> Value {
        Value {
            place: place.clone(),
            data: Data::Unresolved(why.into()),
        }
    }

    /// A document without expressions as a value. A tag, which only an expression has, is unresolved.
    pub(super) fn of(node: &Node) -> Value {
        let data = match (&node.tag, &node.content) {
            (Some(tag), _) => Data::Unresolved(format!("!{tag} has no meaning here").into()),
            (None, Content::Null) => Data::Absent,
            (None, Content::Scalar(scalar)) => Data::Scalar(scalar.clone()),
            (None, Content::List(items)) => Data::List(items.iter().map(|item| Value::of(item)).collect()),
            (None, Content::Map(map)) => {
                let member = |(key, node): &(Key, Arc<Node>)| Member {
                    key: key.clone(),
                    value: Value::of(node),
                };
                Data::Map(map.members.iter().map(member).collect())
            }
        };
        Value {
            place: node.place.clone(),
            data,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self.data, Data::Absent)
    }

    /// What it is, with its article.
    pub(super) fn kind(&self) -> &'static str {
        match &self.data {
            Data::Absent => "null",
            Data::Scalar(scalar) if scalar.plain && is_boolean(&scalar.text) => "a boolean",
            Data::Scalar(scalar) if scalar.plain && scalar.text.parse::<f64>().is_ok() => "a number",
            Data::Scalar(_) => "a text",
            Data::List(_) => "a list",
            Data::Map(_) => "a mapping",
            Data::Unresolved(_) => "unknown",
        }
    }

    /// The members, where it is a mapping.
    pub(super) fn members(&self) -> &[Member] {
        match &self.data {
            Data::Map(members) => members,
            _ => &[],
        }
    }

    /// The items, where it is a list.
    pub(super) fn items(&self) -> &[Value] {
        match &self.data {
            Data::List(items) => items,
            _ => &[],
        }
    }

    pub(super) fn is_map(&self) -> bool {
        matches!(self.data, Data::Map(_))
    }

    /// A member that is there.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.member(name).map(|member| &member.value)
    }

    /// A member that is there, whose name may begin with a capital or a small letter.
    pub(super) fn get_any_case(&self, name: &str) -> Option<&Value> {
        let found = |member: &&Member| member.key.name.eq_ignore_ascii_case(name) && !member.value.is_absent();
        self.members().iter().find(found).map(|member| &member.value)
    }

    pub(super) fn member(&self, name: &str) -> Option<&Member> {
        let found = |member: &&Member| &*member.key.name == name && !member.value.is_absent();
        self.members().iter().find(found)
    }

    /// The scalar's characters, whatever type they are of; no problem is told.
    pub(super) fn peek(&self) -> Option<&str> {
        match &self.data {
            Data::Scalar(scalar) => Some(&scalar.text),
            _ => None,
        }
    }

    /// Sets a member of a mapping; one that is there is replaced.
    pub(super) fn set(&mut self, name: &str, value: Value) {
        let Data::Map(members) = &mut self.data else { return };
        match members.iter_mut().find(|member| &*member.key.name == name) {
            Some(member) => member.value = value,
            None => members.push(Member {
                key: Key {
                    name: name.into(),
                    place: value.place.clone(),
                },
                value,
            }),
        }
    }

    /// The member of a mapping, to be changed.
    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Value> {
        let Data::Map(members) = &mut self.data else {
            return None;
        };
        let found = members.iter_mut().find(|member| &*member.key.name == name);
        found.map(|member| &mut member.value)
    }
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

/// Words that are booleans to AWS's YAML 1.1 readers, and texts to YAML 1.2.
fn yaml_1_1_boolean(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "yes" | "on" => Some(true),
        "no" | "off" => Some(false),
        _ => None,
    }
}

/// How properties read values: what is wrong is told once, at the value.
impl Messages {
    fn wrong(&self, value: &Value, wanted: &str) {
        match &value.data {
            Data::Unresolved(why) => self.error(&value.place, &**why),
            _ => self.error(&value.place, format!("must be {wanted}, not {}", value.kind())),
        }
    }

    /// A text. Numbers are the very text that is written, booleans are in small letters.
    pub(super) fn text(&self, value: &Value) -> Option<String> {
        let Data::Scalar(scalar) = &value.data else {
            if !value.is_absent() {
                self.wrong(value, "a text");
            }
            return None;
        };
        if scalar.plain && is_boolean(&scalar.text) {
            return Some(scalar.text.to_ascii_lowercase());
        }
        if scalar.plain && yaml_1_1_boolean(&scalar.text).is_some() {
            let text = format!("{} is a boolean to other readers of YAML: quote it", scalar.text);
            self.warning(&value.place, text);
        }
        Some(scalar.text.to_string())
    }

    /// Yes or no, also as a text.
    pub(super) fn boolean(&self, value: &Value) -> Option<bool> {
        let Data::Scalar(scalar) = &value.data else {
            if !value.is_absent() {
                self.wrong(value, "true or false");
            }
            return None;
        };
        let text = scalar.text.to_ascii_lowercase();
        let found = match text.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => yaml_1_1_boolean(other).filter(|_| scalar.plain),
        };
        if found.is_none() {
            self.wrong(value, "true or false");
        }
        found
    }

    /// A number, also as a text.
    pub(super) fn number(&self, value: &Value) -> Option<serde_json::Number> {
        let Data::Scalar(scalar) = &value.data else {
            if !value.is_absent() {
                self.wrong(value, "a number");
            }
            return None;
        };
        let number = scalar.text.parse().ok();
        if number.is_none() {
            self.wrong(value, "a number");
        }
        number
    }

    /// The items of a list. A text with commas is one too where `commas` says so.
    pub(super) fn texts(&self, value: &Value, commas: bool) -> Option<Vec<Value>> {
        let items = match &value.data {
            Data::Absent => return None,
            Data::List(items) => items.clone(),
            Data::Scalar(scalar) if commas => {
                let parts = scalar.text.split(',').map(str::trim).filter(|part| !part.is_empty());
                parts.map(|part| Value::text(&value.place, part)).collect()
            }
            _ => {
                self.wrong(value, "a list of texts");
                return Some(Vec::new());
            }
        };
        let texts = items
            .iter()
            .filter_map(|item| Some(Value::text(&item.place, self.text(item)?)));
        Some(texts.collect())
    }

    /// The members of a mapping.
    pub(super) fn members<'a>(&self, value: &'a Value) -> Option<&'a [Member]> {
        match &value.data {
            Data::Absent => None,
            Data::Map(members) => Some(members),
            _ => {
                self.wrong(value, "a mapping");
                None
            }
        }
    }
}
