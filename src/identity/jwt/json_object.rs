//! A JSON object in which each member occurs once: every reader reads the same.

use std::collections::HashSet;

use serde_json::value::RawValue;

use crate::definition::json::Json;
use crate::definition::notation::raw_json::Members;

/// Most lists and objects within one another. Claims are flat; this is far more than issuers write.
const MAX_DEPTH: usize = 16;

/// The members of an object, their values as they were written.
#[derive(Debug)]
pub(super) struct Object<'a>(Vec<(String, &'a RawValue)>);

/// The text is no JSON object in which each member occurs once.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoObject;

impl<'a> Object<'a> {
    /// Reads a text that is one object.
    pub(super) fn parse(text: &'a [u8]) -> Result<Object<'a>, NoObject> {
        let Members(members) = serde_json::from_slice(text).map_err(|_| NoObject)?;
        let mut names = HashSet::with_capacity(members.len());
        if !members.iter().all(|(name, _)| names.insert(name.as_str())) {
            return Err(NoObject);
        }
        drop(names);
        Ok(Object(members))
    }

    /// Whether the values hold what they should: texts that are text, members that occur once, and no great depth.
    pub(super) fn is_sound(&self) -> bool {
        self.0.iter().all(|(_, value)| match value.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(value.get()).is_ok(),
            Some(b'{' | b'[') => Json::parse(value.get()).is_ok_and(|json| is_sound(&json, 1)),
            _ => true,
        })
    }

    /// The members in their order.
    pub(super) fn members(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// The value of a member.
    pub(super) fn get(&self, wanted: &str) -> Option<&'a RawValue> {
        self.members().find(|(name, _)| *name == wanted).map(|(_, value)| value)
    }

    /// Whether there is such a member, whatever its value.
    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// What a member says that is a string; none where it is something else.
    pub(super) fn string(&self, name: &str) -> Option<String> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }

    /// The items of a member that is a list of strings; none where it is something else.
    pub(super) fn strings(&self, name: &str) -> Option<Vec<String>> {
        serde_json::from_str(self.get(name)?.get()).ok()
    }
}

/// Whether nothing in a value is ambiguous or too deep.
fn is_sound(json: &Json, depth: usize) -> bool {
    match json {
        _ if depth > MAX_DEPTH => false,
        Json::Array(items) => items.iter().all(|item| is_sound(item, depth + 1)),
        Json::Object(members) => {
            let mut names = HashSet::with_capacity(members.len());
            members
                .iter()
                .all(|(name, value)| names.insert(name) && is_sound(value, depth + 1))
        }
        Json::Null | Json::Bool(_) | Json::Number(_) | Json::String(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_no_object() {
        for text in [
            "",
            "null",
            "[]",
            "\"{}\"",
            "1",
            "{",
            "{}{}",
            "{} x",
            "\u{feff}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":2}",
            "{\"a\":01}",
            "{\"a\":+1}",
            "{\"a\":NaN}",
            "{\"a\":1,}",
            "{'a':1}",
            "{\"a\":\"\n\"}",
            "[[\"a\",1]]",
        ] {
            assert_eq!(Object::parse(text.as_bytes()).err(), Some(NoObject), "{text}");
        }
        assert_eq!(Object::parse(b"{\"a\":\"\xff\"}").err(), Some(NoObject));
    }

    #[test]
    fn values_are_sound_at_any_place() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        for (text, expected) in [
            ("{}".to_owned(), true),
            ("{\"a\":{\"b\":[{\"c\":1,\"d\":1}]}}".to_owned(), true),
            ("{\"a\":{\"b\":[{\"c\":1,\"c\":1}]}}".to_owned(), false),
            ("{\"a\":\"\\ud800\"}".to_owned(), false),
            ("{\"a\":[\"\\ud800\"]}".to_owned(), false),
            ("{\"a\":[1e999]}".to_owned(), false),
            (nested(MAX_DEPTH), true),
            (nested(MAX_DEPTH + 1), false),
            (nested(4_000), false),
        ] {
            assert_eq!(
                Object::parse(text.as_bytes()).unwrap().is_sound(),
                expected,
                "{:.40}",
                text
            );
        }
    }

    #[test]
    fn members_have_the_type_that_is_asked_for() {
        let object = Object::parse(br#"{"s":"\u0061","l":["a","b"],"m":["a",1],"n":1,"z":null}"#).unwrap();
        assert_eq!(object.string("s").as_deref(), Some("a"));
        assert_eq!(object.strings("l"), Some(vec!["a".to_owned(), "b".to_owned()]));
        for name in ["l", "m", "n", "z", "absent"] {
            assert_eq!(object.string(name), None, "{name}");
        }
        for name in ["s", "m", "n", "z", "absent"] {
            assert_eq!(object.strings(name), None, "{name}");
        }
        assert!(object.has("z") && !object.has("absent"));
    }
}
