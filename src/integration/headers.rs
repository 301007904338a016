//! Header fields on their way to an integration and back (spec §3.3, §3.4).

use std::net::IpAddr;

use crate::context::RequestContext;
use crate::message::{Headers, Method};
use crate::upstream::IntegrationResponse;

/// Fields that concern one connection, or that the gateway writes itself; they never pass (RFC 9110 §7.6.1), nor does
/// any that begins with `proxy-`.
const NOT_PASSED: [&str; 10] = [
    "connection",
    "content-length",
    "expect",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "trailers",
    "transfer-encoding",
    "upgrade",
];

/// What tells an upstream who asked. `Forwarded` takes their place (`R3.7`).
const TRANSLATED: [&str; 4] = [
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-proto",
];

/// What `Via` says of the gateway.
const VIA: &str = "HTTP/1.1 AmazonAPIGateway";

/// The fields that an integration gets.
pub fn to_integration(context: &RequestContext, authority: &str, client: &Headers) -> Headers {
    let mut headers = end_to_end(client);
    let host = client.get("host").unwrap_or_default();
    let forwarded = forwarded(context, host, client);
    headers.retain(|name, _| !TRANSLATED.contains(&name));
    put_text(&mut headers, "forwarded", &forwarded);
    put_text(&mut headers, "via", &joined(client, "via", VIA.as_bytes()));
    if headers.get("x-amzn-trace-id").is_none_or(<[u8]>::is_empty) {
        headers.put("x-amzn-trace-id", &context.trace_id);
    }
    headers.put("host", authority);
    headers
}

/// The fields of an integration's answer that the client gets (`R3.15`).
///
/// `Content-Length` is told again for the body that is sent, but where there is none it is all that HEAD asks for.
pub fn from_integration(response: &IntegrationResponse, client: Method) -> Headers {
    let mut headers = end_to_end(&response.headers);
    // R3.14: the gateway dates its answers itself.
    headers.remove("date");
    if (client == Method::Head || response.status == 304)
        && let Some(length) = response.headers.get("content-length")
    {
        put_text(&mut headers, "content-length", length);
    }
    headers
}

/// Everything but the hop-by-hop fields, also those that `Connection` names.
fn end_to_end(all: &Headers) -> Headers {
    let mut headers = all.clone();
    headers.retain(|name, _| {
        !NOT_PASSED.contains(&name) && !name.starts_with("proxy-") && !all.has_token("connection", name)
    });
    headers
}

/// The `Forwarded` field (RFC 7239): the client's own, its `X-Forwarded-*` translated, then ours.
fn forwarded(context: &RequestContext, host: &[u8], client: &Headers) -> Vec<u8> {
    let mut elements = translated(client);
    let mut own = format!("by={};for={}", node(context.gateway_ip), node(context.source_ip)).into_bytes();
    if !host.is_empty() {
        own.extend_from_slice(b";host=");
        own.extend(value(host));
    }
    own.extend_from_slice(b";proto=http");
    elements.push(own);
    joined(client, "forwarded", &elements.join(&b","[..]))
}

/// One element for each address of `X-Forwarded-For`, host and protocol with the first.
fn translated(client: &Headers) -> Vec<Vec<u8>> {
    let mut elements: Vec<Vec<u8>> = client
        .list("x-forwarded-for")
        .map(|address| [b"for=", address_node(address).as_slice()].concat())
        .collect();
    let mut about_the_first = Vec::new();
    for (name, parameter) in [("x-forwarded-host", "host="), ("x-forwarded-proto", "proto=")] {
        if let Some(text) = client.list(name).next() {
            about_the_first.push([parameter.as_bytes(), &value(text)].concat());
        }
    }
    if !about_the_first.is_empty() {
        if elements.is_empty() {
            elements.push(Vec::new());
        }
        if let Some(first) = elements.first_mut() {
            if !first.is_empty() {
                about_the_first.insert(0, std::mem::take(first));
            }
            *first = about_the_first.join(&b";"[..]);
        }
    }
    elements
}

/// An address of `X-Forwarded-For`, which writes IPv6 without brackets.
fn address_node(text: &[u8]) -> Vec<u8> {
    match str::from_utf8(text).ok().and_then(|text| text.parse::<IpAddr>().ok()) {
        Some(address) => node(address).into_bytes(),
        None => value(text),
    }
}

/// A node identifier: IPv6 stands in brackets and quotes (RFC 7239 §6). A listener that takes any address does not
/// know at which one a client reached it.
fn node(address: IpAddr) -> String {
    match address {
        any if any.is_unspecified() => "unknown".to_owned(),
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("\"[{address}]\""),
    }
}

/// A parameter's value: a token as it is, all else quoted.
fn value(text: &[u8]) -> Vec<u8> {
    if crate::message::is_token(text) {
        return text.to_vec();
    }
    let mut quoted = vec![b'"'];
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            quoted.push(b'\\');
        }
        quoted.push(*byte);
    }
    quoted.push(b'"');
    quoted
}

/// The client's values of a list field, then ours.
///
/// A value that leaves a quote open is dropped: what follows it, which is our word, would be read as its text.
fn joined(client: &Headers, name: &str, own: &[u8]) -> Vec<u8> {
    let is_whole = |value: &&[u8]| !value.is_empty() && closes_its_quotes(value);
    let mut values: Vec<&[u8]> = client.get_all(name).filter(is_whole).collect();
    values.push(own);
    values.join(&b","[..])
}

fn closes_its_quotes(value: &[u8]) -> bool {
    let mut is_quoted = false;
    let mut bytes = value.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_quoted = !is_quoted,
            b'\\' if is_quoted && bytes.next().is_none() => return false,
            _ => {}
        }
    }
    !is_quoted
}

fn put_text(headers: &mut Headers, name: &'static str, value: &[u8]) {
    headers.remove(name);
    // Every part comes from fields that were valid, or from ourselves.
    let _ = headers.append(name, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context() -> RequestContext {
        RequestContext {
            request_id: "id".into(),
            source_ip: "203.0.113.9".parse().unwrap(),
            gateway_ip: "::1".parse().unwrap(),
            trace_id: "Root=1-0-0".into(),
        }
    }

    #[test]
    fn forwarded_keeps_translates_and_appends() {
        let own = "by=\"[::1]\";for=203.0.113.9;host=h;proto=http";
        for (fields, expected) in [
            (&[("host", "h")][..], own.to_owned()),
            (&[("host", "h:1")], own.replace("host=h", "host=\"h:1\"")),
            (&[], own.replace("host=h;", "")),
            (
                &[("host", "h"), ("forwarded", "for=a"), ("forwarded", "for=b")],
                format!("for=a,for=b,{own}"),
            ),
            (
                &[("host", "h"), ("x-forwarded-for", "10.0.0.1, 2001:db8::1")],
                format!("for=10.0.0.1,for=\"[2001:db8::1]\",{own}"),
            ),
            (
                &[
                    ("host", "h"),
                    ("x-forwarded-proto", "https"),
                    ("x-forwarded-for", "10.0.0.1:80, b"),
                    ("x-forwarded-host", "x.y"),
                ],
                format!("for=\"10.0.0.1:80\";host=x.y;proto=https,for=b,{own}"),
            ),
            (
                &[("host", "h"), ("x-forwarded-proto", "https")],
                format!("proto=https,{own}"),
            ),
            (&[("host", "h"), ("forwarded", "for=x;a=\"")], own.to_owned()),
            (&[("host", "h"), ("forwarded", "for=x;a=\"\\\"")], own.to_owned()),
            (
                &[("host", "h"), ("forwarded", "for=\"\\\"\"")],
                format!("for=\"\\\"\",{own}"),
            ),
            (
                &[("host", "h"), ("forwarded", "for=a"), ("x-forwarded-for", "b\"c")],
                format!("for=a,for=\"b\\\"c\",{own}"),
            ),
        ] {
            let got = to_integration(&context(), "up", &Headers::of(fields));
            let text = String::from_utf8(got.get("forwarded").unwrap().to_vec()).unwrap();
            assert_eq!(text, expected, "{fields:?}");
            assert!(got.iter().all(|(name, _)| !name.starts_with("x-forwarded")), "{got:?}");
        }
    }

    #[test]
    fn hop_by_hop_fields_stay_here() {
        let client = Headers::of(&[
            ("connection", "close, X-Mine"),
            ("x-mine", "1"),
            ("keep-alive", "1"),
            ("te", "trailers"),
            ("upgrade", "websocket"),
            ("proxy-connection", "x"),
            ("expect", "100-continue"),
            ("transfer-encoding", "chunked"),
            ("content-length", "3"),
            ("via", "1.0 fred"),
            ("x-amzn-trace-id", "Root=mine"),
            ("cookie", "a=1"),
            ("cookie", "b=2"),
        ]);
        let got = to_integration(&context(), "up:1", &client);
        let names: Vec<(&str, &[u8])> = got.iter().filter(|(name, _)| *name != "forwarded").collect();
        assert_eq!(
            names,
            [
                ("x-amzn-trace-id", &b"Root=mine"[..]),
                ("cookie", b"a=1"),
                ("cookie", b"b=2"),
                ("via", b"1.0 fred,HTTP/1.1 AmazonAPIGateway"),
                ("host", b"up:1"),
            ]
        );
    }
}
