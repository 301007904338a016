//! Query strings, parameter by parameter, with every byte that no mapping asks about left as it is.
//!
//! # Example
//! ```
//! use apigateway::definition::notation::query;
//!
//! let raw = "a=1&b=x+y&a=%32";
//! assert_eq!(query::value(raw, "a").as_deref(), Some(&b"1,2"[..]));
//! assert_eq!(query::value(raw, "b").as_deref(), Some(&b"x y"[..]));
//! assert_eq!(query::value(raw, "A"), None);
//! assert_eq!(query::without(raw, "a"), "b=x+y");
//! ```

use std::borrow::Cow;
use std::fmt;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, percent_encode};

/// Everything but RFC 3986's unreserved characters.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The values of every parameter of that name, decoded, with `,` between them (`R4.3`); none where there is none.
pub fn value(raw: &str, name: &str) -> Option<Vec<u8>> {
    let values = values(raw, name);
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

/// The values of every parameter of that name, decoded, in order.
pub fn values<'a>(raw: &'a str, name: &str) -> Vec<Cow<'a, [u8]>> {
    let parameters = raw
        .split('&')
        .map(|parameter| parameter.split_once('=').unwrap_or((parameter, "")));
    let named = parameters.filter(|(encoded, _)| is_named(encoded, name));
    named.map(|(_, value)| decoded(value)).collect()
}

/// The query without the parameters of that name.
pub fn without(raw: &str, name: &str) -> String {
    let keep = |parameter: &&str| {
        let encoded = parameter.split_once('=').map_or(*parameter, |(name, _)| name);
        !is_named(encoded, name)
    };
    raw.split('&').filter(keep).collect::<Vec<_>>().join("&")
}

/// A name or a value as it stands in a query: all but unreserved characters encoded (`R4.16`).
pub fn encoded(text: &[u8]) -> impl fmt::Display {
    percent_encode(text, RESERVED)
}

fn is_named(encoded: &str, name: &str) -> bool {
    encoded == name || *decoded(encoded) == *name.as_bytes()
}

/// A name or a value without its encoding. A `+` is a blank, as forms write it; a broken sequence stays as it is.
pub fn decoded(text: &str) -> Cow<'_, [u8]> {
    if text.contains('+') {
        let blanks = text.replace('+', " ");
        return Cow::Owned(percent_decode(blanks.as_bytes()).collect());
    }
    percent_decode(text.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_decoded_and_by_case() {
        for (raw, name, expected) in [
            ("", "a", None),
            ("a", "a", Some("")),
            ("a=", "a", Some("")),
            ("a=1=2", "a", Some("1=2")),
            ("%61=1", "a", Some("1")),
            ("a%62=1&ab=2", "ab", Some("1,2")),
            ("A=1", "a", None),
            ("a+b=1", "a b", Some("1")),
            ("a=%zz&a=%4", "a", Some("%zz,%4")),
            ("a=1&&a=", "a", Some("1,")),
            ("b=a", "a", None),
            ("a+b=1", "a+b", Some("1")),
        ] {
            let got = value(raw, name).map(|value| String::from_utf8(value).unwrap());
            assert_eq!(got.as_deref(), expected, "{raw} {name}");
        }
    }

    #[test]
    fn what_is_not_named_stays_byte_for_byte() {
        for (raw, expected) in [
            ("a=1", ""),
            ("b=%7e&a=1&c", "b=%7e&c"),
            ("%61=1&&b=+", "&b=+"),
            ("b=a&A=1", "b=a&A=1"),
        ] {
            assert_eq!(without(raw, "a"), expected, "{raw}");
        }
    }
}
