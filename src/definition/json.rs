//! JSON with every member kept: a name that occurs twice is for a person to decide, not for a parser.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use zeroize::Zeroize;

/// A JSON value. Objects keep the order and the duplicates of the text.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "the variants are JSON's own")]
pub enum Json {
    Null,
    Bool(bool),
    Number(serde_json::Number),
    String(String),
    Array(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// Reads a text that is one JSON value.
    ///
    /// # Errors
    /// The text is not JSON (RFC 8259); the error names line and column.
    pub fn parse(text: &str) -> Result<Json, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// Overwrites every text in it. To be called where a text may be a secret, when all has been read.
    pub fn wipe(&mut self) {
        match self {
            Json::Null | Json::Bool(_) | Json::Number(_) => {}
            Json::String(text) => text.zeroize(),
            Json::Array(items) => items.iter_mut().for_each(Json::wipe),
            Json::Object(members) => members.iter_mut().for_each(|(_, value)| value.wipe()),
        }
    }

    /// What kind of value it is, with its article.
    pub fn kind(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(_) => "a boolean",
            Json::Number(_) => "a number",
            Json::String(_) => "a string",
            Json::Array(_) => "a list",
            Json::Object(_) => "an object",
        }
    }

    /// Whether it says nothing: null, false, empty, or an object of such values, as the AWS CLI prints them.
    pub fn is_empty(&self) -> bool {
        match self {
            Json::Null | Json::Bool(false) => true,
            Json::Bool(true) | Json::Number(_) => false,
            Json::String(text) => text.is_empty(),
            Json::Array(items) => items.is_empty(),
            Json::Object(members) => members.iter().all(|(_, value)| value.is_empty()),
        }
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Json::Null => serializer.serialize_unit(),
            Json::Bool(value) => serializer.serialize_bool(*value),
            Json::Number(number) => number.serialize(serializer),
            Json::String(text) => serializer.serialize_str(text),
            Json::Array(items) => serializer.collect_seq(items),
            Json::Object(members) => Members(members).serialize(serializer),
        }
    }
}

/// The members of an object, to be written.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a>(pub &'a [(String, Json)]);

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in self.0 {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Json, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Json, E> {
        Ok(Json::Number(value.into()))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Json, E> {
        serde_json::Number::from_f64(value)
            .map(Json::Number)
            .ok_or_else(|| E::custom("a number that is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Json, E> {
        Ok(Json::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Json, E> {
        Ok(Json::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Json, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = sequence.next_element()? {
            items.push(item);
        }
        Ok(Json::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Json, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = map.next_entry()? {
            members.push(member);
        }
        Ok(Json::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn duplicates_are_kept() {
        let json = Json::parse(r#"{"a":1,"b":[true,null,"x"],"a":2.5}"#).unwrap();
        let Json::Object(members) = json else { panic!() };
        let names: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["a", "b", "a"]);
    }

    #[test]
    fn a_wiped_value_holds_no_text() {
        let mut json = Json::parse(r#"{"a":["x",{"b":"y"}],"c":"z"}"#).unwrap();
        json.wipe();
        assert_eq!(json, Json::parse(r#"{"a":["",{"b":""}],"c":""}"#).unwrap());
    }

    #[test]
    fn what_is_not_json_is_an_error_not_a_panic() {
        let deep = "[".repeat(100_000);
        for text in [
            "",
            "{",
            "nul",
            "{\"a\":}",
            "1e999",
            "\u{feff}{}",
            "{} {}",
            deep.as_str(),
        ] {
            assert!(Json::parse(text).is_err(), "{}", &text[..text.len().min(20)]);
        }
    }
}
