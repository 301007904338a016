//! Ids of what AWS would draw random ones for: derived, so that an import is repeatable (`R30.19`, `R30.20`, `R31.16`).

use std::collections::HashMap;
use std::fmt::Write;

use ring::digest::{Algorithm, SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// Most characters of an id before a hash is put to it.
const MAX_LENGTH: usize = 100;

/// Hex digits of the hash that tells ids apart.
const HASH_LENGTH: usize = 8;

/// `ApiId`: the logical id as a label of a host's name (`R31.16`).
pub(super) fn api_id(logical_id: &str) -> String {
    logical_id.to_ascii_lowercase()
}

/// The ids of keys that are distinct, in their order.
pub(super) fn ids<'a>(keys: impl IntoIterator<Item = &'a str> + Clone, id_of: fn(&str) -> String) -> Vec<String> {
    let drafts: Vec<(String, bool)> = keys.clone().into_iter().map(|key| cut(&id_of(key))).collect();
    let mut counts: HashMap<String, usize> = HashMap::new();
    for (draft, _) in &drafts {
        *counts.entry(draft.to_ascii_lowercase()).or_default() += 1;
    }
    let ids = drafts.into_iter().zip(keys).map(|((draft, is_cut), key)| {
        let is_alone = counts.get(&draft.to_ascii_lowercase()) == Some(&1);
        match is_alone && !is_cut && !draft.is_empty() {
            true => draft,
            false => format!("{draft}-{}", hash(&SHA256, key, HASH_LENGTH)),
        }
    });
    ids.collect()
}

/// The id of a route: `GET /pets/{id}` has `get-pets-id`.
pub(super) fn of_route_key(route_key: &str) -> String {
    if route_key == "$default" {
        return "default".to_owned();
    }
    let (method, path) = route_key.split_once(' ').unwrap_or((route_key, ""));
    let path = of_name(path);
    let method = method.to_ascii_lowercase();
    match path.is_empty() {
        true => method,
        false => format!("{method}-{path}"),
    }
}

/// A name with each run of characters that an id does not have as one `-`.
pub(super) fn of_name(name: &str) -> String {
    let mut id = String::new();
    for character in name.chars() {
        if character.is_ascii_alphanumeric() || character == '_' || character == '.' {
            id.push(character);
        } else if !id.ends_with('-') {
            id.push('-');
        }
    }
    id.trim_matches(['-', '.']).to_owned()
}

fn cut(id: &str) -> (String, bool) {
    let cut: String = id.chars().take(MAX_LENGTH).collect();
    let is_cut = cut.len() < id.len();
    (cut, is_cut)
}

/// The first hex digits of a text's hash.
fn hash(algorithm: &'static Algorithm, text: &str, length: usize) -> String {
    let mut hex = String::new();
    for byte in digest(algorithm, text.as_bytes()).as_ref() {
        let _ = write!(hex, "{byte:02x}");
    }
    hex.truncate(length);
    hex
}

/// The first ten hex digits of a text's SHA-1, as SAM puts them into logical ids.
pub(super) fn sam_hash(text: &str) -> String {
    hash(&SHA1_FOR_LEGACY_USE_ONLY, text, 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_readable_and_distinct() {
        let keys = [
            "GET /pets/{id}",
            "ANY /",
            "$default",
            "GET /a-b",
            "GET /a/b",
            "GET /A/b",
            "POST /{proxy+}",
        ];
        let ids = ids(keys, of_route_key);
        assert_eq!(ids[..3], ["get-pets-id", "any", "default"]);
        for id in &ids[3..6] {
            assert_eq!(id.len(), "get-a-b-".len() + HASH_LENGTH, "{id}");
        }
        assert_eq!(ids[6], "post-proxy");
        assert_ne!(ids[3], ids[4]);
        assert_eq!(of_name("my auth!"), "my-auth");
    }
}
