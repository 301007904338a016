//! The attributes of a message of SQS: `{"name": {"DataType": "String", "StringValue": "text"}}`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::definition::json::Json;

/// Most attributes of a message, as SQS has it.
const MOST: usize = 10;

/// An attribute of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageAttribute {
    /// Its name.
    pub name: String,
    /// `DataType`.
    pub data_type: String,
    /// Its value.
    pub value: AttributeValue,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttributeValue {
    /// `StringValue`.
    String(String),
    /// `BinaryValue`, in base64.
    Binary(String),
}

/// Reads attributes, in the order in which they are written.
///
/// # Errors
/// A sentence on what is wrong with them.
pub(super) fn read(json: &Json) -> Result<Vec<MessageAttribute>, String> {
    let members = members(json, "the value")?;
    if members.len() > MOST {
        return Err(format!("there are {} attributes, {MOST} at most", members.len()));
    }
    let mut attributes: Vec<MessageAttribute> = Vec::new();
    for (name, value) in members {
        if name.is_empty() {
            return Err("an attribute has an empty name".to_owned());
        }
        if attributes.iter().any(|other| other.name == *name) {
            return Err(format!("the attribute {name:?} occurs twice"));
        }
        attributes.push(attribute(name, value)?);
    }
    Ok(attributes)
}

fn members<'a>(json: &'a Json, what: &str) -> Result<&'a [(String, Json)], String> {
    match json {
        Json::Object(members) => Ok(members),
        other => Err(format!("{what} must be a JSON object, not {}", other.kind())),
    }
}

fn attribute(name: &str, json: &Json) -> Result<MessageAttribute, String> {
    let of = |text: &str| format!("the attribute {name:?} {text}");
    let (mut data_type, mut value) = (None, None);
    for (member, json) in members(json, &format!("the attribute {name:?}"))? {
        let Json::String(text) = json else {
            return Err(of(&format!("has a {member} that is no string but {}", json.kind())));
        };
        let is_twice = match member.as_str() {
            "DataType" => data_type.replace(text.clone()).is_some(),
            "StringValue" => value.replace(AttributeValue::String(text.clone())).is_some(),
            "BinaryValue" if STANDARD.decode(text).is_err() => return Err(of("has a BinaryValue that is not base64")),
            "BinaryValue" => value.replace(AttributeValue::Binary(text.clone())).is_some(),
            other => {
                let text = format!("has {other:?}: it takes DataType, and StringValue or BinaryValue");
                return Err(of(&text));
            }
        };
        if is_twice {
            return Err(of("has one type and one value, not two"));
        }
    }
    Ok(MessageAttribute {
        name: name.to_owned(),
        data_type: data_type
            .filter(|text| !text.is_empty())
            .ok_or_else(|| of("has no DataType"))?,
        value: value.ok_or_else(|| of("has neither StringValue nor BinaryValue"))?,
    })
}
