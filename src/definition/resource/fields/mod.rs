//! Reads the members of one JSON object, and notes what is wrong with each instead of stopping at the first.

pub mod mappings;

use std::collections::{BTreeMap, HashSet};

use crate::definition::credentials::Secret;
use crate::definition::json::Json;
use crate::definition::model::member::{Member, Shape};
use crate::definition::problem::{Problems, member};
use crate::definition::suggestion::did_you_mean;

/// The members of one object of one file.
#[derive(Debug)]
pub struct Fields<'a> {
    file: &'a str,
    pointer: String,
    members: &'a [(String, Json)],
    known: Vec<&'static str>,
    problems: &'a mut Problems,
}

impl<'a> Fields<'a> {
    /// The members of a whole file, which must be an object.
    pub fn of(file: &'a str, json: &'a Json, problems: &'a mut Problems) -> Option<Fields<'a>> {
        let Json::Object(members) = json else {
            problems.error(file, "", format!("must be a JSON object, not {}", json.kind()));
            return None;
        };
        // What editors look for to know the file's schema.
        Some(Fields::at(file, String::new(), members, vec!["$schema"], problems))
    }

    fn at(
        file: &'a str,
        pointer: String,
        members: &'a [(String, Json)],
        known: Vec<&'static str>,
        problems: &'a mut Problems,
    ) -> Fields<'a> {
        let mut names = HashSet::new();
        for (name, _) in members {
            if !names.insert(name) {
                problems.error(file, member(&pointer, name), "the field occurs twice");
            }
        }
        Fields {
            file,
            pointer,
            members,
            known,
            problems,
        }
    }

    /// An object whose own fields `read` takes.
    pub fn object<T>(&mut self, name: &'static str, read: impl FnOnce(&mut Fields<'_>) -> T) -> Option<T> {
        let members = self.members_of(name)?;
        let pointer = member(&self.pointer, name);
        let mut fields = Fields::at(self.file, pointer, members, Vec::new(), self.problems);
        let value = read(&mut fields);
        fields.finish();
        Some(value)
    }

    /// A list of objects, the fields of each of which `read` takes.
    ///
    /// A value of another type is an empty list, so that it is not taken for an absent one.
    pub fn objects<T>(&mut self, name: &'static str, mut read: impl FnMut(&mut Fields<'_>) -> T) -> Option<Vec<T>> {
        self.value(name)?;
        let items = self.typed(name, "a list of objects", |json| match json {
            Json::Array(items) => Some(items.as_slice()),
            _ => None,
        });
        let mut values = Vec::new();
        for (at, item) in items.unwrap_or_default().iter().enumerate() {
            let pointer = member(&member(&self.pointer, name), &at.to_string());
            let Json::Object(members) = item else {
                let text = format!("must be an object, not {}", item.kind());
                self.problems.error(self.file, pointer, text);
                continue;
            };
            let mut fields = Fields::at(self.file, pointer, members, Vec::new(), self.problems);
            values.push(read(&mut fields));
            fields.finish();
        }
        Some(values)
    }

    /// An object whose members, of any name, are objects whose fields `read` takes.
    pub fn object_map<T>(
        &mut self,
        name: &'static str,
        read: impl Fn(&mut Fields<'_>) -> T,
    ) -> Option<BTreeMap<String, T>> {
        let members = self.members_of(name)?;
        let mut objects = BTreeMap::new();
        for (key, value) in members {
            let pointer = member(&member(&self.pointer, name), key);
            let inner = match value {
                Json::Object(inner) => inner.as_slice(),
                Json::Null => continue,
                other => {
                    let text = format!("must be an object, not {}", described(other));
                    self.problems.error(self.file, pointer, text);
                    continue;
                }
            };
            let mut fields = Fields::at(self.file, pointer.clone(), inner, Vec::new(), self.problems);
            let value = read(&mut fields);
            fields.finish();
            if objects.insert(key.clone(), value).is_some() {
                self.problems.error(self.file, pointer, "the name occurs twice");
            }
        }
        Some(objects)
    }

    /// Whether a field is an object that has such a member, and that is no text.
    pub fn has_object_with(&self, name: &str, inner: &str) -> bool {
        let is_it = |(member, value): &(String, Json)| member == inner && !matches!(value, Json::String(_));
        self.members.iter().any(|(member, value)| match value {
            Json::Object(members) => member == name && members.iter().any(is_it),
            _ => false,
        })
    }

    /// An object whose members, of any name, are objects, as they are written.
    pub fn raw_objects(&mut self, name: &'static str) -> Vec<(String, Vec<(String, Json)>)> {
        let mut objects = Vec::new();
        for (key, value) in self.members_of(name).unwrap_or_default() {
            match value {
                Json::Object(members) => objects.push((key.clone(), members.clone())),
                other => {
                    let text = format!("must be an object, not {}", described(other));
                    let pointer = member(&member(&self.pointer, name), key);
                    self.problems.error(self.file, pointer, text);
                }
            }
        }
        objects
    }

    /// An object, as it is written.
    pub fn members_of(&mut self, name: &'static str) -> Option<&'a [(String, Json)]> {
        self.typed(name, "an object", |json| match json {
            Json::Object(members) => Some(members.as_slice()),
            _ => None,
        })
    }

    /// Notes that a value of this object is wrong.
    pub fn error(&mut self, name: &str, text: impl Into<String>) {
        self.problems.error(self.file, member(&self.pointer, name), text);
    }

    /// Warns of a value of this object.
    pub fn warning(&mut self, name: &str, text: impl Into<String>) {
        self.problems.warning(self.file, member(&self.pointer, name), text);
    }

    /// Whether something is wrong with a field of this object.
    pub fn has_error(&self, name: &str) -> bool {
        self.problems.has_error(self.file, &member(&self.pointer, name))
    }

    /// Notes that a value is missing, unless it is known to be wrong.
    pub fn required<T>(&mut self, name: &str, value: Option<T>) -> Option<T> {
        if value.is_none() {
            let pointer = member(&self.pointer, name);
            self.problems
                .error_unless_known(self.file, &pointer, "the field is missing");
        }
        value
    }

    /// The field's value; null counts as absent, as the AWS CLI prints it.
    fn value(&mut self, name: &'static str) -> Option<&'a Json> {
        self.known.push(name);
        self.members
            .iter()
            .find(|(member, value)| member == name && *value != Json::Null)
            .map(|(_, value)| value)
    }

    fn typed<T>(&mut self, name: &'static str, wanted: &str, read: impl FnOnce(&'a Json) -> Option<T>) -> Option<T> {
        let json = self.value(name)?;
        let value = read(json);
        if value.is_none() {
            self.error(name, format!("must be {wanted}, not {}", described(json)));
        }
        value
    }

    /// A text.
    pub fn string(&mut self, name: &'static str) -> Option<String> {
        self.typed(name, "a string", |json| match json {
            Json::String(text) => Some(text.clone()),
            _ => None,
        })
    }

    /// A text that no output may show: what is wrong with it is said without it.
    pub fn secret(&mut self, name: &'static str) -> Option<Secret> {
        let json = self.value(name)?;
        if let Json::String(text) = json {
            return Some(Secret::new(text.clone()));
        }
        self.error(name, format!("must be a string, not {}", json.kind()));
        None
    }

    /// A whole number, as such or as its text, which CloudFormation takes for it.
    pub fn integer(&mut self, name: &'static str) -> Option<i64> {
        self.typed(name, "a whole number", |json| whole(&number(json)?))
    }

    /// A number, as such or as its text.
    pub fn number(&mut self, name: &'static str) -> Option<f64> {
        self.typed(name, "a number", |json| number(json)?.as_f64())
    }

    /// Yes or no, as such or as its text.
    pub fn boolean(&mut self, name: &'static str) -> Option<bool> {
        self.typed(name, "true or false", |json| match json {
            Json::Bool(value) => Some(*value),
            Json::String(text) => text.parse().ok(),
            _ => None,
        })
    }

    /// A text that is one of a few.
    pub fn one_of(&mut self, name: &'static str, choices: &[&str]) -> Option<String> {
        let text = self.string(name)?;
        if choices.contains(&text.as_str()) {
            return Some(text);
        }
        let text = match choices {
            [only] => format!("must be {only:?}, not {text:?}"),
            _ => {
                let hint = did_you_mean(&text, choices.iter().copied());
                format!("{text:?} is not one of {}{hint}", choices.join(", "))
            }
        };
        self.error(name, text);
        None
    }

    /// A list of texts.
    ///
    /// A value of another type is an empty list, so that it is not taken for an absent one.
    pub fn strings(&mut self, name: &'static str) -> Option<Vec<String>> {
        self.value(name)?;
        let items = self.typed(name, "a list of strings", |json| match json {
            Json::Array(items) => Some(items.as_slice()),
            _ => None,
        });
        let items = items.unwrap_or_default();
        let mut texts = Vec::new();
        for (at, item) in items.iter().enumerate() {
            match item {
                Json::String(text) => texts.push(text.clone()),
                other => {
                    let pointer = member(&member(&self.pointer, name), &at.to_string());
                    let text = format!("must be a string, not {}", described(other));
                    self.problems.error(self.file, pointer, text);
                }
            }
        }
        Some(texts)
    }

    /// An object whose values are texts.
    pub fn string_map(&mut self, name: &'static str) -> Option<BTreeMap<String, String>> {
        let members = self.members_of(name)?;
        let pointer = member(&self.pointer, name);
        Some(self.texts(&pointer, members))
    }

    fn texts(&mut self, pointer: &str, members: &[(String, Json)]) -> BTreeMap<String, String> {
        let mut map = BTreeMap::new();
        for (key, value) in members {
            match value {
                Json::String(text) => {
                    if map.insert(key.clone(), text.clone()).is_some() {
                        self.problems
                            .error(self.file, member(pointer, key), "the name occurs twice");
                    }
                }
                other => {
                    let text = format!("must be a string, not {}", described(other));
                    self.problems.error(self.file, member(pointer, key), text);
                }
            }
        }
        map
    }

    /// Fields that AWS prints and that say nothing about what is served.
    pub fn without_effect(&mut self, names: &[&'static str]) {
        self.known.extend(names);
    }

    /// The members of a resource of AWS's that were not read yet, and whose values have no effect here: only their shapes are
    /// checked.
    pub fn others(&mut self, table: &'static [Member]) {
        let left = table
            .iter()
            .filter(|member| member.in_file && !self.known.contains(&member.name));
        for member in left.collect::<Vec<_>>() {
            let name = member.name;
            match member.shape {
                Shape::Text { .. } => drop(self.string(name)),
                Shape::OneOf(choices) => drop(self.one_of(name, choices)),
                Shape::Integer { .. } => drop(self.integer(name)),
                Shape::Number => drop(self.number(name)),
                Shape::Boolean => drop(self.boolean(name)),
                Shape::Texts { .. } => drop(self.strings(name)),
                Shape::TextMap { .. } => drop(self.string_map(name)),
                Shape::Object(inner) => drop(self.object(name, |fields| fields.others(inner))),
                Shape::Objects(inner) => drop(self.objects(name, |fields| fields.others(inner))),
                Shape::ObjectMap(inner) => drop(self.object_map(name, |fields| fields.others(inner))),
                Shape::TextMaps | Shape::Other => self.known.push(name),
            }
        }
    }

    /// As [`Fields::others`], whatever their values are.
    pub fn others_of_any_shape(&mut self, table: &'static [Member]) {
        self.known
            .extend(table.iter().filter(|member| member.in_file).map(|member| member.name));
    }

    /// A field of AWS's whose feature is not built: an error as soon as it says anything.
    pub fn not_supported_yet(&mut self, name: &'static str, feature: &str) {
        self.refuse(name, &format!("not supported yet: {feature}"));
    }

    /// A field that AWS has for other APIs than HTTP APIs: an error as soon as it says anything.
    pub fn of_other_apis(&mut self, resource: &str, name: &'static str, apis: &str) {
        let text = format!("{resource} of an HTTP API has no {name}: AWS has it for {apis} only");
        self.refuse(name, &text);
    }

    fn refuse(&mut self, name: &'static str, text: &str) {
        let says_nothing = |value: &Json| value.is_empty() || *value == Json::String("false".to_owned());
        if self.value(name).is_some_and(|value| !says_nothing(value)) {
            self.error(name, text);
        }
    }

    /// Warns of each field that was not read.
    pub fn finish(self) {
        for (name, _) in self.members {
            if self.known.contains(&name.as_str()) {
                continue;
            }
            let hint = did_you_mean(name, self.known.iter().copied());
            self.problems
                .warning(self.file, member(&self.pointer, name), format!("unknown field{hint}"));
        }
    }
}

/// A number, or the text of one by the same grammar (RFC 8259 §6).
fn number(json: &Json) -> Option<serde_json::Number> {
    match json {
        Json::Number(number) => Some(number.clone()),
        Json::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A number without a fraction, however it is written.
pub fn whole(number: &serde_json::Number) -> Option<i64> {
    /// Beyond this, a float does not hold every whole number.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let float = || {
        number
            .as_f64()
            .filter(|float| float.fract() == 0.0 && float.abs() < EXACT)
    };
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and in range")]
    number.as_i64().or_else(|| float().map(|float| float as i64))
}

/// What a value is, in a sentence; a number with its digits, since it may be the digits that are wrong.
fn described(json: &Json) -> String {
    match json {
        Json::Number(number) => format!("the number {number}"),
        other => other.kind().to_owned(),
    }
}
