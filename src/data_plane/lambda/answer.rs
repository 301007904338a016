//! What functions' answers have in common in both payload formats (spec §5.5, §5.6).

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use crate::definition::json::Json;
use crate::http1::message::{Body, Headers, Response};

/// Most bytes of an answer's fields with what stands between them; AWS fails at about that (`R3.16`).
pub const MAX_FIELDS_LENGTH: usize = 10_240;

/// Fields that are the gateway's own business (`R5.32`), as is all that begins with `apigw-` or `proxy-`.
const NOT_TAKEN: [&str; 8] = [
    "connection",
    "content-length",
    "date",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Base64 with its padding or without.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Why an answer is none, in a sentence for the operator; the client gets a 500.
#[derive(Debug, PartialEq, Eq)]
pub struct InvalidAnswer(pub String);

/// Reads an answer that is to be an object.
///
/// # Errors
/// It is something else.
pub fn object(payload: &[u8]) -> Result<Vec<(String, Json)>, InvalidAnswer> {
    match parsed(payload) {
        Some(Json::Object(members)) => Ok(members),
        _ => Err(InvalidAnswer("its answer is not a JSON object".to_owned())),
    }
}

/// The value that an answer is; none where it is no JSON.
pub fn parsed(payload: &[u8]) -> Option<Json> {
    str::from_utf8(payload).ok().and_then(|text| Json::parse(text).ok())
}

/// The members of an answer that is an object.
#[derive(Clone, Copy, Debug)]
pub struct Members<'a>(pub &'a [(String, Json)]);

impl<'a> Members<'a> {
    /// A member; null is as good as none, and of a name that occurs twice the last one counts.
    pub fn get(self, name: &str) -> Option<&'a Json> {
        self.get_even_null(name).filter(|value| **value != Json::Null)
    }

    /// A member, be it null.
    pub fn get_even_null(self, name: &str) -> Option<&'a Json> {
        let member = self.0.iter().rev().find(|(member, _)| member == name);
        member.map(|(_, value)| value)
    }

    /// The members of an object among the members; none where there is no such member.
    ///
    /// # Errors
    /// It is something else.
    pub fn object(self, name: &str) -> Result<&'a [(String, Json)], InvalidAnswer> {
        match self.get(name) {
            None => Ok(&[]),
            Some(Json::Object(members)) => Ok(members),
            Some(other) => Err(wrong(name, "an object", other)),
        }
    }

    /// The items of a list among the members.
    ///
    /// # Errors
    /// It is something else.
    pub fn list(self, name: &str) -> Result<&'a [Json], InvalidAnswer> {
        match self.get(name) {
            None => Ok(&[]),
            Some(value) => list(name, value),
        }
    }

    /// The content (`R5.26`, `R5.31`, `R5.38`, `R5.39`).
    ///
    /// # Errors
    /// It is no text, or is said to be base64 and is not.
    pub fn body(self) -> Result<Body, InvalidAnswer> {
        let is_base64 = match self.get("isBase64Encoded") {
            None => false,
            Some(Json::Bool(is_base64)) => *is_base64,
            Some(other) => return Err(wrong("isBase64Encoded", "true or false", other)),
        };
        let text = match self.get("body") {
            None => return Ok(Body::Empty),
            Some(Json::String(text)) => text,
            Some(other) => return Err(wrong("body", "a string", other)),
        };
        if !is_base64 {
            return Ok(Body::Bytes(text.clone().into_bytes()));
        }
        let bytes = BASE64.decode(text);
        bytes
            .map(Body::Bytes)
            .map_err(|error| InvalidAnswer(format!("its body is not base64: {error}")))
    }
}

/// The items of a list.
///
/// # Errors
/// It is something else.
pub fn list<'a>(name: &str, value: &'a Json) -> Result<&'a [Json], InvalidAnswer> {
    match value {
        Json::Array(items) => Ok(items),
        other => Err(wrong(name, "a list", other)),
    }
}

/// Says that a member is of the wrong kind.
pub fn wrong(name: &str, wanted: &str, value: &Json) -> InvalidAnswer {
    InvalidAnswer(format!("its {name:?} is {}, not {wanted}", value.kind()))
}

/// Adds a field, unless it is one that a function has no say in.
///
/// # Errors
/// The name is none, or the value is not one that a field can have.
pub fn add(headers: &mut Headers, name: &str, value: &Json) -> Result<(), InvalidAnswer> {
    let text = match value {
        Json::Null => return Ok(()),
        Json::String(text) => text.clone(),
        Json::Number(number) => number.to_string(),
        Json::Bool(value) => value.to_string(),
        Json::Array(_) | Json::Object(_) => return Err(wrong(name, "a string", value)),
    };
    let folded = name.to_ascii_lowercase();
    if NOT_TAKEN.contains(&folded.as_str()) || folded.starts_with("apigw-") || folded.starts_with("proxy-") {
        return Ok(());
    }
    let added = headers.append(name, text.as_bytes());
    added.map_err(|_| InvalidAnswer(format!("its header {name:?} cannot stand in a response")))
}

/// The status code that a number is (`R5.25`).
///
/// # Errors
/// There is no number, or it is not one from 200 to 599.
pub fn status(number: Option<&serde_json::Number>) -> Result<u16, InvalidAnswer> {
    let is_status = |number: &f64| number.fract() == 0.0 && (200.0..600.0).contains(number);
    let number = number.and_then(serde_json::Number::as_f64).filter(is_status);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is whole and in range"
    )]
    let status = number.map(|number| number as u16);
    status.ok_or_else(|| InvalidAnswer("its \"statusCode\" is not one from 200 to 599".to_owned()))
}

/// Puts a response together, with the type that a text has where the function names none (`R5.24`, `R5.36`).
///
/// # Errors
/// The fields are too large.
pub fn response(status: u16, mut headers: Headers, body: Body) -> Result<Response, InvalidAnswer> {
    if headers.get("content-type").is_none() {
        headers.put("content-type", "text/plain; charset=utf-8");
    }
    if headers.length() > MAX_FIELDS_LENGTH {
        let text = format!("its header fields have more than {MAX_FIELDS_LENGTH} bytes");
        return Err(InvalidAnswer(text));
    }
    let body = if matches!(status, 204 | 304) { Body::Empty } else { body };
    Ok(Response { status, headers, body })
}
