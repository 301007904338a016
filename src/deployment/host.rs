//! The host that a request names, in the form in which hosts are compared.

use std::borrow::Cow;
use std::net::Ipv6Addr;

use crate::http1::search;

/// A host without its port and one trailing dot, in lower case.
pub fn normalized(host: &[u8]) -> Cow<'_, str> {
    let host = str::from_utf8(host).unwrap_or_default();
    let host = without_port(host);
    let host = host.strip_suffix('.').unwrap_or(host);
    match host.bytes().any(|byte| byte.is_ascii_uppercase()) {
        true => Cow::Owned(host.to_ascii_lowercase()),
        false => Cow::Borrowed(host),
    }
}

/// A host without its port; brackets stay.
pub fn without_port(host: &str) -> &str {
    if let Some(at) = search::find_byte(host.as_bytes(), b']') {
        return host.get(..=at).unwrap_or(host);
    }
    let Some((name, port)) = host.split_once(':') else {
        return host;
    };
    // An address without brackets is no host, but says which one is meant.
    match port.contains(':') && host.parse::<Ipv6Addr>().is_ok() {
        true => host,
        false => name,
    }
}
