//! Keeps secrets out of what is captured: values of fields and query parameters with a telling name are replaced by their
//! length.

use std::borrow::Cow;

use percent_encoding::percent_decode;

use crate::http1::search::find_byte;

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
    // Each name that a client sends is looked at, so that most bytes cost one look.
    let is_name = match name.len() {
        6 => begins_with(name, b"cookie"),
        10 => begins_with(name, b"set-cookie"),
        13 => begins_with(name, b"authorization"),
        19 => begins_with(name, b"proxy-authorization"),
        _ => false,
    };
    let begins_with_word = |at: usize, words: &[&[u8]]| {
        let part = name.get(at..).unwrap_or_default();
        words.iter().any(|word| begins_with(part, word))
    };
    let is_word = |(at, byte): (usize, &u8)| match byte {
        b't' | b'T' => begins_with_word(at, &[b"token"]),
        b's' | b'S' => begins_with_word(at, &[b"secret", b"session", b"signature"]),
        b'p' | b'P' => begins_with_word(at, &[b"password", b"passwd"]),
        b'c' | b'C' => begins_with_word(at, &[b"credential"]),
        b'a' | b'A' => begins_with_word(at, &[b"api-key", b"apikey"]),
        _ => false,
    };
    is_name || name.iter().enumerate().any(is_word)
}

/// Whether there may be a secret among fields: a quick look at all names, in lower case, and at all values.
pub fn may_hold_secrets(names: &[u8], values: &[u8]) -> bool {
    // Each name and each word of a secret has a `k`, or one of these pairs. The loops have no way out, so that they look at
    // many bytes at once.
    let is_of_secret = |found: bool, (byte, next): (&u8, &u8)| {
        let is_pair = |one: u8, other: u8| (*byte == one) & (*next == other);
        let is_word = is_pair(b's', b's') | is_pair(b'c', b'r') | is_pair(b'g', b'n') | is_pair(b'z', b'a');
        found | (*byte == b'k') | is_word
    };
    let pairs = names.iter().zip(names.get(1..).unwrap_or_default());
    let is_of_query = |found: bool, byte: &u8| found | (*byte == b'?') | (*byte == b'#');
    pairs.fold(false, is_of_secret) || values.iter().fold(false, is_of_query)
}

fn begins_with(part: &[u8], word: &[u8]) -> bool {
    let folded = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    part.len() >= word.len() && part.iter().zip(word).all(|(byte, letter)| folded(*byte) == *letter)
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

/// The value of a field with marks in place of what is secret; none where it has none of these. A value that is a URL with a
/// query is kept but for the query's secrets.
pub fn redacted(name: &[u8], value: &[u8]) -> Option<String> {
    if is_secret(name) {
        return Some(mark(value.len()));
    }
    let query = find_byte(value, b'?').or_else(|| find_byte(value, b'#'))?;
    // A `#` may stand before the first `?`.
    let query = find_byte(value.get(..query)?, b'#').unwrap_or(query);
    let (before, query) = str::from_utf8(value).ok()?.split_at_checked(query + 1)?;
    has_secret(query).then(|| {
        let mut shown = before.to_owned();
        push_query(&mut shown, query);
        shown
    })
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
            let folded = name.to_lowercase();
            assert!(!expected || may_hold_secrets(folded.as_bytes(), b""), "{name}");
        }
    }

    #[test]
    fn every_word_is_found_at_every_place() {
        for word in [
            "token",
            "secret",
            "password",
            "passwd",
            "session",
            "credential",
            "signature",
            "api-key",
            "apikey",
        ] {
            for name in [
                word.to_owned(),
                format!("x-{word}"),
                format!("{word}s"),
                word.to_uppercase(),
            ] {
                assert!(is_secret(name.as_bytes()), "{name}");
                assert!(may_hold_secrets(name.to_lowercase().as_bytes(), b""), "{name}");
            }
        }
    }

    #[test]
    fn usual_fields_cost_a_quick_look() {
        let names = b"hostuser-agentacceptx-forwarded-forx-amzn-trace-idcontent-typecontent-lengthdateserver";
        assert!(!may_hold_secrets(names, b"127.0.0.1:8000curl/8.0*/*"));
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
            ("location", "/a#token=x?b=1", "/a#token=«redacted, 1 B»?b=1"),
            ("accept", "*/*", "*/*"),
        ] {
            let shown = redacted(name.as_bytes(), value.as_bytes());
            assert_eq!(shown.is_some(), value != expected, "{name}");
            assert_eq!(shown.as_deref().unwrap_or(value), expected);
            assert!(shown.is_none() || may_hold_secrets(name.as_bytes(), value.as_bytes()));
        }
    }
}
