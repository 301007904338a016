//! Keeps secrets out of what is captured: values of fields and query parameters with a telling name are replaced by their
//! length.

use std::borrow::Cow;

use percent_encoding::percent_decode;

/// Fields and parameters whose values are secrets, by their whole name.
const NAMES: [&str; 6] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
    "x-api-key",
    "x-amz-security-token",
];

/// What a name holds whose value is a secret.
const WORDS: [&str; 9] = [
    "token",
    "secret",
    "password",
    "passwd",
    "session",
    "credential",
    "signature",
    "api-key",
    "apikey",
];

/// Whether the value of a field or of a query parameter with that name is a secret. Case does not count, and `_` is as `-`.
///
/// # Example
/// ```
/// use apigateway::data_plane::capture::redaction::is_secret;
///
/// assert!(is_secret(b"X_Api_Key"));
/// assert!(is_secret(b"X-Amz-Signature"));
/// assert!(!is_secret(b"accept"));
/// ```
pub fn is_secret(name: &[u8]) -> bool {
    let folded = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    let begins = |part: &[u8], word: &str| {
        part.len() >= word.len()
            && part
                .iter()
                .zip(word.bytes())
                .all(|(byte, letter)| folded(*byte) == letter)
    };
    let is_name = |known: &&str| known.len() == name.len() && begins(name, known);
    // Few letters begin a word, so most places of a name cost one look.
    let is_word = |at: usize| {
        let part = name.get(at..).unwrap_or_default();
        match part.first().map(|byte| byte.to_ascii_lowercase()) {
            Some(b'a' | b'c' | b'p' | b's' | b't') => WORDS.iter().any(|word| begins(part, word)),
            _ => false,
        }
    };
    NAMES.iter().any(is_name) || (0..name.len()).any(is_word)
}

/// What stands for a secret of so many bytes.
pub fn mark(length: usize) -> String {
    format!("«redacted, {length} B»")
}

/// Appends a query with marks in place of secrets.
pub fn push_query(text: &mut String, query: &str) {
    for (pair, separator) in pairs(query) {
        match secret_of(pair) {
            Some((name, value)) => {
                text.push_str(name);
                text.push('=');
                text.push_str(&mark(value.len()));
            }
            None => text.push_str(pair),
        }
        text.push_str(separator);
    }
}

/// The parameters of a query, each with what separates it from the next one. Some servers take `;` for `&`, and a URL in a
/// field may have a fragment with parameters of its own.
fn pairs(query: &str) -> impl Iterator<Item = (&str, &str)> {
    query.split_inclusive(SEPARATORS).map(|part| {
        let pair = part.trim_end_matches(SEPARATORS);
        (pair, part.get(pair.len()..).unwrap_or_default())
    })
}

const SEPARATORS: [char; 4] = ['&', ';', '#', '?'];

/// A query without the parameters that hold secrets; none where it has none of these.
pub fn query_without_secrets(query: &str) -> Option<String> {
    has_secret(query).then(|| {
        let kept = pairs(query).filter(|(pair, _)| secret_of(pair).is_none());
        let mut kept: String = kept.flat_map(|(pair, separator)| [pair, separator]).collect();
        if !query.ends_with(SEPARATORS) && kept.ends_with(SEPARATORS) {
            kept.pop();
        }
        kept
    })
}

fn has_secret(query: &str) -> bool {
    pairs(query).any(|(pair, _)| secret_of(pair).is_some())
}

/// Name and value of a parameter with a secret.
fn secret_of(pair: &str) -> Option<(&str, &str)> {
    let (name, value) = pair.split_once('=')?;
    let is_plain = name.bytes().all(|byte| byte != b'%' && byte != b'+');
    let decoded: Cow<'_, [u8]> = match is_plain {
        true => Cow::Borrowed(name.as_bytes()),
        false => Cow::Owned(percent_decode(name.replace('+', " ").as_bytes()).collect()),
    };
    (!value.is_empty() && is_secret(&decoded)).then_some((name, value))
}

/// The value of a field with marks in place of what is secret, and whether there is such a mark. A value that is a URL
/// with a query is kept but for the query's secrets.
pub fn field_value(name: &str, value: &[u8]) -> (Vec<u8>, bool) {
    if is_secret(name.as_bytes()) {
        return (mark(value.len()).into_bytes(), true);
    }
    if let Ok(text) = str::from_utf8(value)
        && let Some(mark) = text.find(['?', '#'])
        && let Some((before, query)) = text.split_at_checked(mark + 1)
        && has_secret(query)
    {
        let mut shown = before.to_owned();
        push_query(&mut shown, query);
        return (shown.into_bytes(), true);
    }
    (value.to_vec(), false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_by_their_names() {
        for (name, expected) in [
            ("authorization", true),
            ("Proxy-Authorization", true),
            ("COOKIE", true),
            ("set_cookie", true),
            ("X_API_KEY", true),
            ("x-csrf-token", true),
            ("clientSecret", true),
            ("my_session_id", true),
            ("X-Amz-Credential", true),
            ("apiKey", true),
            ("api_key", true),
            ("db-passwd", true),
            ("accept", false),
            ("cookies", false),
            ("authorization-x", false),
            ("tok-en", false),
            ("", false),
        ] {
            assert_eq!(is_secret(name.as_bytes()), expected, "{name}");
        }
    }

    #[test]
    fn every_word_is_found_at_every_place() {
        for word in WORDS {
            for name in [
                word.to_owned(),
                format!("x-{word}"),
                format!("{word}s"),
                word.to_uppercase(),
            ] {
                assert!(is_secret(name.as_bytes()), "{name}");
            }
        }
    }

    #[test]
    fn queries() {
        for (query, shown, kept) in [
            ("a=1&b=2", "a=1&b=2", None),
            ("token=abc&a=1", "token=«redacted, 3 B»&a=1", Some("a=1")),
            ("%74oken=abc", "%74oken=«redacted, 3 B»", Some("")),
            (
                "a=1&X-Amz-Signature=ff&&b",
                "a=1&X-Amz-Signature=«redacted, 2 B»&&b",
                Some("a=1&&b"),
            ),
            ("token=&token", "token=&token", None),
            ("a=1;token=x;b", "a=1;token=«redacted, 1 B»;b", Some("a=1;b")),
            ("a=1&token=x", "a=1&token=«redacted, 1 B»", Some("a=1")),
            ("token=x&", "token=«redacted, 1 B»&", Some("")),
            ("api+key=1", "api+key=1", None),
            ("api_key=a=b", "api_key=«redacted, 3 B»", Some("")),
        ] {
            let mut text = String::new();
            push_query(&mut text, query);
            assert_eq!(text, shown);
            assert_eq!(query_without_secrets(query).as_deref(), kept, "{query}");
        }
    }

    #[test]
    fn values_of_fields() {
        for (name, value, expected) in [
            ("authorization", "Bearer x", "«redacted, 8 B»"),
            (
                "referer",
                "http://a/?token=x&b=1",
                "http://a/?token=«redacted, 1 B»&b=1",
            ),
            ("location", "/a?b=1", "/a?b=1"),
            (
                "location",
                "https://a/#state=1&access_token=x",
                "https://a/#state=1&access_token=«redacted, 1 B»",
            ),
            ("accept", "*/*", "*/*"),
        ] {
            let (shown, is_redacted) = field_value(name, value.as_bytes());
            assert_eq!(String::from_utf8(shown).unwrap(), expected);
            assert_eq!(is_redacted, value != expected, "{name}");
        }
    }
}
