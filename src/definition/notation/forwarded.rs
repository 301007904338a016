//! The `Forwarded` field (RFC 7239): its parameters are written, and those of others read.
//!
//! # Example
//! ```
//! use apigateway::definition::notation::forwarded;
//!
//! let mut field = b"for=".to_vec();
//! forwarded::push_node(&mut field, "2001:db8::1".parse().unwrap());
//! assert_eq!(field, b"for=\"[2001:db8::1]\"");
//! let elements = forwarded::elements(br#"for="[2001:db8::1]:4711";proto=https, for=_hidden"#);
//! assert_eq!(elements[0].node, Some("2001:db8::1".parse().unwrap()));
//! assert_eq!(elements[0].proto.as_deref(), Some(&b"https"[..]));
//! assert_eq!(elements[1], forwarded::Element::default());
//! ```

use std::net::{IpAddr, SocketAddr};

use crate::http1::message::is_token;
use crate::http1::search;

/// Adds a node identifier: IPv6 stands in brackets and quotes (RFC 7239 §6). A listener that takes any address does not
/// know at which one a client reached it.
pub fn push_node(field: &mut Vec<u8>, address: IpAddr) {
    match address {
        any if any.is_unspecified() => field.extend_from_slice(b"unknown"),
        IpAddr::V4(_) => push_address(field, address),
        IpAddr::V6(_) => {
            field.extend_from_slice(b"\"[");
            push_address(field, address);
            field.extend_from_slice(b"]\"");
        }
    }
}

/// Adds the node of an address of `X-Forwarded-For`, which writes IPv6 without brackets.
pub fn push_translated_node(field: &mut Vec<u8>, text: &[u8]) {
    match str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok()) {
        Some(address) => push_node(field, address),
        None => push_value(field, text),
    }
}

/// Adds a parameter's value: a token as it is, all else quoted.
pub fn push_value(field: &mut Vec<u8>, text: &[u8]) {
    if is_token(text) {
        return field.extend_from_slice(text);
    }
    field.push(b'"');
    let has = |byte| search::find_byte(text, byte).is_some();
    if has(b'"') || has(b'\\') {
        for byte in text {
            if matches!(byte, b'"' | b'\\') {
                field.push(b'\\');
            }
            field.push(*byte);
        }
    } else {
        field.extend_from_slice(text);
    }
    field.push(b'"');
}

/// Adds an address as text. Each request does it several times, and for IPv4 the standard library's way is slow.
pub fn push_address(text: &mut Vec<u8>, address: IpAddr) {
    let IpAddr::V4(address) = address else {
        return text.extend_from_slice(address.to_string().as_bytes());
    };
    let (mut digits, mut length) = ([0; "255.255.255.255".len()], 0);
    let mut push = |byte| {
        if let Some(place) = digits.get_mut(length) {
            *place = byte;
            length += 1;
        }
    };
    for (place, octet) in address.octets().into_iter().enumerate() {
        if place > 0 {
            push(b'.');
        }
        if octet >= 100 {
            push(b'0' + octet / 100);
        }
        if octet >= 10 {
            push(b'0' + octet / 10 % 10);
        }
        push(b'0' + octet % 10);
    }
    text.extend_from_slice(digits.get(..length).unwrap_or_default());
}

/// Whether every quoted string of a field ends; what follows an open quote would be read as its text.
pub fn closes_its_quotes(field: &[u8]) -> bool {
    let mut is_quoted = false;
    let mut bytes = field.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted && bytes.next().is_none() => return false,
            _ => {}
        }
    }
    !is_quoted
}

/// What one element of a field says. A parameter that stands twice says nothing that one could rely on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// `for`, where it is an address.
    pub node: Option<IpAddr>,
    /// `proto`, as it is written.
    pub proto: Option<Vec<u8>>,
    /// `host`, as it is written.
    pub host: Option<Vec<u8>>,
}

/// The elements of a field, in order. A field that leaves a quote open is one element that says nothing: what a client
/// leaves open takes in what its proxy adds.
pub fn elements(field: &[u8]) -> Vec<Element> {
    if !closes_its_quotes(field) {
        return vec![Element::default()];
    }
    let elements = split(field, b',').filter(|element| !element.trim_ascii().is_empty());
    elements
        .map(|element| Element {
            node: parameter(element, b"for").and_then(|node| address(&node)),
            proto: parameter(element, b"proto"),
            host: parameter(element, b"host"),
        })
        .collect()
}

/// The value of a parameter that stands once.
fn parameter(element: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut values = split(element, b';').filter_map(|pair| {
        let mut parts = pair.trim_ascii().splitn(2, |byte| *byte == b'=');
        let is_it = parts.next()?.eq_ignore_ascii_case(name);
        parts.next().filter(|_| is_it)
    });
    let value = values.next()?;
    values.next().is_none().then(|| unquoted(value))
}

/// The address of a node: with or without a port, IPv6 with or without brackets.
pub fn address(node: &[u8]) -> Option<IpAddr> {
    let text = str::from_utf8(node.trim_ascii()).ok()?;
    let bracketed = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let address = match bracketed {
        Some(inner) => inner.parse::<std::net::Ipv6Addr>().map(IpAddr::from).ok()?,
        None => text
            .parse::<IpAddr>()
            .ok()
            .or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?,
    };
    Some(address.to_canonical())
}

/// Splits at a byte that stands outside quoted strings.
fn split(text: &[u8], separator: u8) -> impl Iterator<Item = &[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(move |byte| {
        if is_escaped {
            is_escaped = false;
            return false;
        }
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted => is_escaped = true,
            _ => {}
        }
        !is_quoted && *byte == separator
    })
}

fn unquoted(value: &[u8]) -> Vec<u8> {
    let Some(inner) = value.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")) else {
        return value.to_vec();
    };
    let mut text = Vec::new();
    let mut bytes = inner.iter();
    while let Some(byte) = bytes.next() {
        text.extend(if *byte == b'\\' { bytes.next() } else { Some(byte) });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_told_apart_in_spite_of_quotes() {
        for (field, expected) in [
            ("for=1.2.3.4", vec![Some("1.2.3.4")]),
            ("FOR=1.2.3.4:80", vec![Some("1.2.3.4")]),
            ("proto=http;for=1.2.3.4;by=5.6.7.8", vec![Some("1.2.3.4")]),
            ("for=\"[::1]\", for=\"[::2]:9\"", vec![Some("::1"), Some("::2")]),
            ("for=\"::ffff:1.2.3.4\"", vec![Some("1.2.3.4")]),
            ("for=unknown,for=_a,proto=http", vec![None, None, None]),
            ("for=\"a,for=1.2.3.4\"", vec![None]),
            ("host=\"a;for=1.1.1.1\";for=2.2.2.2", vec![Some("2.2.2.2")]),
            ("for=\"1.2.3\\.4\"", vec![Some("1.2.3.4")]),
            ("for=1.1.1.1;for=2.2.2.2", vec![None]),
            (", ,for=1.1.1.1,", vec![Some("1.1.1.1")]),
            ("", vec![]),
        ] {
            let expected: Vec<Option<IpAddr>> = expected
                .into_iter()
                .map(|address| address.map(|address| address.parse().unwrap()))
                .collect();
            let nodes: Vec<_> = elements(field.as_bytes())
                .into_iter()
                .map(|element| element.node)
                .collect();
            assert_eq!(nodes, expected, "{field}");
        }
    }

    #[test]
    fn addresses_as_proxies_write_them() {
        for (text, expected) in [
            ("1.2.3.4", Some("1.2.3.4")),
            (" 1.2.3.4 ", Some("1.2.3.4")),
            ("1.2.3.4:5", Some("1.2.3.4")),
            ("2001:db8::1", Some("2001:db8::1")),
            ("[2001:db8::1]:5", Some("2001:db8::1")),
            ("[1.2.3.4]", None),
            ("1.2.3", None),
            ("host", None),
            ("", None),
        ] {
            assert_eq!(
                address(text.as_bytes()),
                expected.map(|text| text.parse().unwrap()),
                "{text}"
            );
        }
    }
}
