//! JSON whose values stay as they were written: numbers keep their digits, objects the order of their members.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object in their order, duplicates among them. The values are not looked into, so depth costs no
/// stack.
#[derive(Debug)]
pub struct Members<'a>(pub Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Members<'a>, D::Error> {
        struct Object<'a>(std::marker::PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for Object<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object(std::marker::PhantomData))
    }
}

/// A string as what it says, all else as compact JSON (`R4.18`); none for a string that is no text (half of a
/// surrogate pair).
pub fn text(json: &str) -> Option<String> {
    if json.starts_with('"') {
        return serde_json::from_str(json).ok();
    }
    Some(compact(json))
}

/// JSON without the blanks between its tokens.
pub fn compact(json: &str) -> String {
    let (mut is_string, mut is_escaped) = (false, false);
    json.chars()
        .filter(|character| {
            if is_string {
                is_string = is_escaped || *character != '"';
                is_escaped = !is_escaped && *character == '\\';
                return true;
            }
            is_string = *character == '"';
            !matches!(character, ' ' | '\t' | '\r' | '\n')
        })
        .collect()
}
