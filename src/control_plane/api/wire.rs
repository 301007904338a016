//! The wire: the content of a call as JSON, with its limits, and the parts of its query.

use crate::control_plane::api::error::ApiError;
use crate::definition::json::Json;
use crate::definition::notation::query;
use crate::http1::message::{Body, BodyError};

/// Most bytes of a call's content.
pub const MAX_BODY_LENGTH: usize = 10 * 1024 * 1024;

/// Most objects and lists that stand in one another.
const MAX_DEPTH: usize = 64;

/// Most values of a call: none of AWS's has so many, and each takes many times its length of memory.
const MAX_VALUES: usize = 200_000;

/// The whole content.
///
/// # Errors
/// It is longer than [`MAX_BODY_LENGTH`], or breaks off.
pub fn read(body: Body) -> Result<Vec<u8>, ApiError> {
    body.into_bytes(MAX_BODY_LENGTH).map_err(|error| match error {
        BodyError::TooLarge => ApiError::too_large(),
        BodyError::Io(error) => ApiError::bad_request(format!("the content of the call breaks off: {error}")),
    })
}

/// The members of the object that a content is; no content is an empty object.
///
/// # Errors
/// It is no JSON object, is not UTF-8, is nested too deep, or has a member twice.
pub fn members(content: &[u8]) -> Result<Vec<(String, Json)>, ApiError> {
    if content.iter().all(u8::is_ascii_whitespace) {
        return Ok(Vec::new());
    }
    let text = str::from_utf8(content).map_err(|_| ApiError::bad_request("the content of the call is not UTF-8"))?;
    check_size(content)?;
    let json = Json::parse(text)
        .map_err(|error| ApiError::bad_request(format!("the content of the call is not JSON: {error}")))?;
    refuse_duplicates(&json)?;
    match json {
        Json::Object(members) => Ok(members),
        other => Err(ApiError::bad_request(format!(
            "the content of the call must be a JSON object, not {}",
            other.kind()
        ))),
    }
}

/// Counts levels and values before memory is taken for them.
fn check_size(content: &[u8]) -> Result<(), ApiError> {
    let (mut depth, mut values, mut is_in_text) = (0_usize, 0_usize, false);
    let mut bytes = content.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_in_text => drop(bytes.next()),
            b'"' => is_in_text = !is_in_text,
            _ if is_in_text => {}
            b'{' | b'[' => {
                depth += 1;
                values += 1;
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b',' => values += 1,
            _ => {}
        }
        if depth > MAX_DEPTH {
            let text = format!("the content of the call is nested deeper than {MAX_DEPTH} levels");
            return Err(ApiError::bad_request(text));
        }
        if values > MAX_VALUES {
            let text = format!("the content of the call has more than {MAX_VALUES} values");
            return Err(ApiError::bad_request(text));
        }
    }
    Ok(())
}

fn refuse_duplicates(json: &Json) -> Result<(), ApiError> {
    match json {
        Json::Object(members) => {
            let mut names = std::collections::HashSet::new();
            for (name, value) in members {
                if !names.insert(name.as_str()) {
                    let text = format!("the member {name:?} occurs twice in the content of the call");
                    return Err(ApiError::bad_request(text));
                }
                refuse_duplicates(value)?;
            }
            Ok(())
        }
        Json::Array(items) => items.iter().try_for_each(refuse_duplicates),
        _ => Ok(()),
    }
}

/// The values of a query's parameter, decoded.
///
/// # Errors
/// One of them is not UTF-8.
pub fn parameters(query: Option<&str>, name: &str) -> Result<Vec<String>, ApiError> {
    let values = query::values(query.unwrap_or_default(), name);
    let text = |value: &std::borrow::Cow<'_, [u8]>| {
        let text = String::from_utf8(value.to_vec());
        text.map_err(|_| ApiError::bad_request(format!("{name} is not UTF-8")))
    };
    values.iter().map(text).collect()
}

/// The one value of a query's parameter; none where there is none.
///
/// # Errors
/// It occurs twice, or is not UTF-8.
pub fn parameter(query: Option<&str>, name: &str) -> Result<Option<String>, ApiError> {
    let mut values = parameters(query, name)?;
    match values.len() {
        0 | 1 => Ok(values.pop()),
        _ => Err(ApiError::bad_request(format!("{name} occurs twice"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_content_may_be() {
        let deep = |levels: usize| format!("{{\"a\":{}1{}}}", "[".repeat(levels), "]".repeat(levels));
        for (content, expected) in [
            (&b""[..], Ok(0)),
            (b" \n", Ok(0)),
            (b"{}", Ok(0)),
            (br#"{"a": "}{[[\"", "b": null}"#, Ok(2)),
            (deep(63).as_bytes(), Ok(1)),
            (deep(64).as_bytes(), Err("nested deeper than 64")),
            (deep(100_000).as_bytes(), Err("nested deeper than 64")),
            (br#"{"a":1,"a":1}"#, Err("\"a\" occurs twice")),
            (br#"{"b":[{"a":1,"\u0061":1}]}"#, Err("\"a\" occurs twice")),
            (b"{\"a\":\"\xff\"}", Err("not UTF-8")),
            (b"\xef\xbb\xbf{}", Err("not JSON")),
            (b"[]", Err("must be a JSON object, not a list")),
            (b"{", Err("not JSON")),
            (b"{} {}", Err("not JSON")),
            (br#"{"a":1e999}"#, Err("not JSON")),
            (br#"{"a":"\ud800"}"#, Err("not JSON")),
        ] {
            let found = members(content);
            let shown = String::from_utf8_lossy(&content[..content.len().min(60)]).into_owned();
            match (found, expected) {
                (Ok(members), Ok(count)) => assert_eq!(members.len(), count, "{shown}"),
                (Err(error), Err(part)) => assert!(error.message.contains(part), "{shown}: {}", error.message),
                (found, _) => panic!("{shown}: {found:?}"),
            }
        }
        let many = format!("{{\"a\":[{}1]}}", "1,".repeat(200_000));
        assert!(
            members(many.as_bytes())
                .unwrap_err()
                .message
                .contains("more than 200000 values")
        );
    }
}
