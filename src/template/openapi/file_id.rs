//! `x-apigateway-id`: how a document tells the ids of files, so that they survive a round trip.

use crate::template::message::Messages;
use crate::template::value::Value;

/// The key, which AWS ignores.
pub(super) const ID: &str = "x-apigateway-id";

/// The id that `x-apigateway-id` gives.
pub(super) fn id_of(value: &Value, messages: &Messages) -> Option<String> {
    let given = value.get(ID)?;
    let id = messages.text(given)?;
    let is_id = !id.is_empty()
        && id.len() <= 128
        && !id.starts_with('.')
        && id.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
    if !is_id {
        messages.error(&given.place, format!("{id:?} is no id: letters, digits, -, _ and ."));
        return None;
    }
    Some(id)
}
