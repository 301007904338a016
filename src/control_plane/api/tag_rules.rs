//! What tags may be (`R20.90`).

use crate::control_plane::api::error::ApiError;
use crate::definition::json::Json;

/// Most tags of a resource.
const MAX_TAGS: usize = 50;

/// Most characters of a tag's key.
const MAX_KEY_LENGTH: usize = 128;

/// Most characters of a tag's value.
const MAX_VALUE_LENGTH: usize = 256;

/// Keys that are AWS's own begin so, in any case.
const RESERVED: &str = "aws:";

/// Checks tags that are set.
///
/// # Errors
/// A key or a value is too long or too short, or a key is AWS's own.
pub fn check(tags: &[(String, Json)]) -> Result<(), ApiError> {
    check_count(tags.len())?;
    for (key, value) in tags {
        if !(1..=MAX_KEY_LENGTH).contains(&key.chars().count()) {
            let text = format!("Tags must have keys of 1 to {MAX_KEY_LENGTH} characters");
            return Err(ApiError::bad_request(text));
        }
        let start = key.get(..RESERVED.len()).unwrap_or_default();
        if start.eq_ignore_ascii_case(RESERVED) {
            let text = format!("Tags must not have keys that begin with {RESERVED}");
            return Err(ApiError::bad_request(text));
        }
        let is_value = matches!(value, Json::String(text) if text.chars().count() <= MAX_VALUE_LENGTH);
        if !is_value {
            let text = format!("Tags must have values of {MAX_VALUE_LENGTH} characters at most");
            return Err(ApiError::bad_request(text));
        }
    }
    Ok(())
}

/// Checks how many tags a resource has.
///
/// # Errors
/// Too many.
pub fn check_count(count: usize) -> Result<(), ApiError> {
    match count <= MAX_TAGS {
        true => Ok(()),
        false => Err(ApiError::bad_request(format!(
            "Tags must not be more than {MAX_TAGS} for a resource"
        ))),
    }
}
