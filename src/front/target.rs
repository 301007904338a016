//! What a request is for: its target and its host (RFC 9112 §3.2).

use crate::message::{Headers, Version};
use crate::notation::uri::is_host;

/// Checks `Host`: one, unless the version is 1.0, and a host with an optional port (RFC 9112 §3.2). An empty one is for
/// targets without a host, which only other schemes have.
///
/// # Errors
/// A sentence for the log; the answer is 400.
pub fn check_host(headers: &Headers, version: Version) -> Result<(), &'static str> {
    let mut hosts = headers.get_all("host");
    let Some(host) = hosts.next() else {
        return if version == Version::Http11 {
            Err("there is no Host")
        } else {
            Ok(())
        };
    };
    if hosts.next().is_some() {
        return Err("there is more than one Host");
    }
    let host = str::from_utf8(host).map_err(|_| "Host is not ASCII")?;
    let (name, port) = match host.rsplit_once(':') {
        Some((name, port)) if !port.ends_with(']') => (name, port),
        _ => (host, ""),
    };
    if is_host(name) && port.bytes().all(|byte| byte.is_ascii_digit()) {
        Ok(())
    } else {
        Err("Host is not a host with an optional port")
    }
}

/// Path and query of a request target, as sent. Absolute form is accepted (RFC 9112 §3.2.2).
///
/// # Errors
/// A sentence for the log; the answer is 400.
pub fn split_target(target: &str) -> Result<(String, Option<String>), &'static str> {
    if !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("the target has a character that must be percent-encoded");
    }
    if target.contains('#') {
        return Err("the target has a fragment");
    }
    let scheme = target
        .split_once("://")
        .map(|(scheme, rest)| (scheme.to_ascii_lowercase(), rest));
    let origin = match &scheme {
        Some((scheme, rest)) if !target.starts_with('/') => {
            if !matches!(scheme.as_str(), "http" | "https") {
                return Err("the target has a scheme that is not served");
            }
            from_authority(rest)
        }
        _ if target.starts_with('/') => target.to_owned(),
        _ => return Err("the target is neither a path nor a URL"),
    };
    Ok(match origin.split_once('?') {
        Some((path, query)) => (path.to_owned(), Some(query.to_owned())),
        None => (origin, None),
    })
}

/// Whether a target is a URL of http or https without path and query: with OPTIONS, it is for the whole server
/// (RFC 9112 §3.2.4).
pub fn is_without_path(target: &str) -> bool {
    let is_whole = authority(target).is_some_and(|authority| target.ends_with(authority));
    is_whole && split_target(target).is_ok_and(|(path, query)| path == "/" && query.is_none())
}

/// The authority of a target in absolute form.
pub fn authority(target: &str) -> Option<&str> {
    let (_, rest) = target.split_once("://").filter(|_| !target.starts_with('/'))?;
    rest.split(['/', '?']).next()
}

/// What follows the authority of an absolute target, which has a path even where it is not written.
fn from_authority(rest: &str) -> String {
    let path = rest.find(['/', '?']).and_then(|at| rest.get(at..)).unwrap_or_default();
    if path.starts_with('/') {
        path.to_owned()
    } else {
        format!("/{path}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_has_one_host() {
        for (hosts, good) in [
            (&["h"][..], true),
            (&["h:8000"], true),
            (&["h:"], true),
            (&["[::1]"], true),
            (&["[::1]:80"], true),
            (&[""], false),
            (&[":80"], false),
            (&["", "h"], false),
            (&[], false),
            (&["a", "a"], false),
            (&["a,b"], false),
            (&["a b"], false),
            (&["u@h"], false),
            (&["h/x"], false),
            (&["h:8o"], false),
            (&["[::1"], false),
            (&["::1"], false),
        ] {
            let fields: Vec<_> = hosts.iter().map(|host| ("host", *host)).collect();
            assert_eq!(
                check_host(&Headers::of(&fields), Version::Http11).is_ok(),
                good,
                "{hosts:?}"
            );
        }
        assert!(check_host(&Headers::of(&[]), Version::Http10).is_ok());
        assert!(check_host(&Headers::of(&[("host", "")]), Version::Http10).is_err());
    }

    #[test]
    fn targets_have_a_path() {
        for (target, path, query) in [
            ("/", "/", None),
            ("/a?b?c", "/a", Some("b?c")),
            ("/a?", "/a", Some("")),
            ("//a", "//a", None),
            ("/http://x/y", "/http://x/y", None),
            ("http://h", "/", None),
            ("HTTP://h/a?b", "/a", Some("b")),
            ("http://h?b", "/", Some("b")),
        ] {
            let expected = (path.to_owned(), query.map(str::to_owned));
            assert_eq!(split_target(target), Ok(expected), "{target}");
        }
        for target in [
            "/a b",
            "/caf\u{e9}",
            "/a\u{0}",
            "/a#b",
            "ftp://h/a",
            "*",
            "h:80",
            "@h/a",
            "",
        ] {
            assert!(split_target(target).is_err(), "{target:?}");
        }
    }
}
