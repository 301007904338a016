//! Answers of the console: JSON that is safe wherever it is put, and the fields that protect a browser.

use serde_json::{Value, json};

use crate::control_plane::api::error::ApiError;
use crate::http1::message::{Body, Headers, Response};

/// What a browser may do with the page: load its own parts, and nothing else.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                                       connect-src 'self'; base-uri 'none'; form-action 'none'; \
                                       frame-ancestors 'none'; require-trusted-types-for 'script'";

/// An answer with the fields that all answers of the console have.
pub(in crate::management) fn with_protection(mut response: Response) -> Response {
    for (name, value) in [
        ("content-security-policy", CONTENT_SECURITY_POLICY),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        response.headers.put(name, value);
    }
    response
}

/// JSON that means the same within HTML and within JavaScript: `<`, `>`, `&`, U+2028 and U+2029 are escaped. They stand in
/// texts only.
pub(super) fn escaped(json: &Value) -> String {
    let text = json.to_string();
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => safe.push_str("\\u003c"),
            '>' => safe.push_str("\\u003e"),
            '&' => safe.push_str("\\u0026"),
            '\u{2028}' => safe.push_str("\\u2028"),
            '\u{2029}' => safe.push_str("\\u2029"),
            other => safe.push(other),
        }
    }
    safe
}

/// JSON as an answer.
pub(super) fn json_answer(status: u16, json: &Value) -> Response {
    let mut headers = Headers::new();
    headers.put("content-type", "application/json");
    headers.put("cache-control", "no-store");
    Response {
        status,
        headers,
        body: Body::Bytes(escaped(json).into_bytes()),
    }
}

/// What a call that fails is told.
pub(super) fn error_answer(error: &ApiError) -> Response {
    let mut response = json_answer(error.status, &json!({"message": error.message}));
    response.headers.put("x-amzn-errortype", error.exception);
    response
}

/// The answer to a call that has nothing to say.
pub(super) fn no_content() -> Response {
    let mut headers = Headers::new();
    headers.put("cache-control", "no-store");
    Response {
        status: 204,
        headers,
        body: Body::Empty,
    }
}

/// Bytes as text; those that are not UTF-8 are written as `\xff`.
pub(super) fn shown(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(chunk.valid());
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_no_byte_that_html_reads() {
        let json = json!({"</script>&": "\u{2028}\u{2029}\u{0}\"\\"});
        let text = escaped(&json);
        assert_eq!(
            text,
            "{\"\\u003c/script\\u003e\\u0026\":\"\\u2028\\u2029\\u0000\\\"\\\\\"}"
        );
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
    }

    #[test]
    fn bytes_that_are_no_text() {
        assert_eq!(shown(b"a\xff\xc3\xa9\xed\xa0\x80"), "a\\xffé\\xed\\xa0\\x80");
    }
}
