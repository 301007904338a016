//! Header fields on their way to an integration and back (spec §3.3, §3.4).

use std::borrow::Cow;
use std::net::IpAddr;

use crate::data_plane::context_variables::RequestContext;
use crate::definition::notation::forwarded::{closes_its_quotes, push_node, push_translated_node, push_value};
use crate::deployment::http_proxy::{ConnectionType, HttpProxy};
use crate::http1::message::{Headers, Method, is_hop_by_hop};
use crate::http1::target::Scheme;
use crate::outbound::upstream::IntegrationResponse;

/// Whether a field tells an upstream who asked, or whom. `Forwarded`, `Via` and `Host` are written anew, and the first
/// takes the place of the others (`R3.7`).
fn is_translated(name: &str) -> bool {
    matches!(
        name,
        "forwarded"
            | "host"
            | "via"
            | "x-forwarded-for"
            | "x-forwarded-host"
            | "x-forwarded-port"
            | "x-forwarded-proto"
    )
}

/// Whether some upstreams take a field of the client's for one that the gateway writes or holds back, see
/// [`Headers::remove_twins`].
fn is_twin_of_ours(name: &str) -> bool {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        return false;
    }
    let name = name.replace(|character: char| !character.is_ascii_alphanumeric(), "-");
    is_hop_by_hop(&name) || is_translated(&name) || name == "x-amzn-trace-id"
}

/// Bytes of the fields that the gateway adds to a request, as a rule.
const ADDED_LENGTH: usize = 320;

/// What `Via` says of the gateway.
const VIA: &[u8] = b"HTTP/1.1 AmazonAPIGateway";

/// The fields that an integration gets (spec §3.3).
pub fn to_integration(context: &RequestContext, proxy: &HttpProxy, client: &Headers) -> Headers {
    let mut headers = end_to_end(client, |name| !is_translated(name) && !is_twin_of_ours(name));
    let host = client.get("host").unwrap_or_default();
    // What a private integration sees is its client's address only.
    let by = match proxy.connection {
        ConnectionType::Internet => Some(context.gateway_ip),
        ConnectionType::VpcLink => None,
    };
    headers.append_own("forwarded", &forwarded(by, context, client));
    match client.get("via") {
        None => headers.append_own("via", VIA),
        Some(_) => headers.append_own("via", &joined(client.get_all("via"), VIA)),
    }
    put_trace_id(&mut headers, context);
    match proxy.connection {
        ConnectionType::VpcLink if !host.is_empty() => headers.append_own("host", host),
        _ => headers.append_own("host", proxy.uri.authority().as_bytes()),
    }
    headers
}

/// The fields that a function sees (`R5.8`–`R5.10`): of the client's address it is told by `X-Forwarded-*`, where HTTP
/// integrations get `Forwarded`.
pub fn to_function(context: &RequestContext, client: &Headers, body_length: usize) -> Headers {
    let mut headers = end_to_end(client, |name| !is_twin_of_ours(name));
    put_trace_id(&mut headers, context);
    // R5.9: what the client says, then its peer's address.
    let said = client.get_all("x-forwarded-for").filter(|value| !value.is_empty());
    let said = said.collect::<Vec<_>>().join(&b","[..]);
    let peer = context.peer_ip.to_string();
    let chain = match said.is_empty() {
        true => peer.into_bytes(),
        false => [said.as_slice(), b", ", peer.as_bytes()].concat(),
    };
    headers.remove("x-forwarded-for");
    headers.append_own("x-forwarded-for", &chain);
    // R5.8: the client's own port and scheme, which a proxy before the gateway knows.
    let port = match context.client.port {
        Some(port) => Cow::Owned(port.to_string()),
        None => Cow::Borrowed(port(context.host(client), context.client.scheme)),
    };
    headers.put("x-forwarded-port", &port);
    headers.put("x-forwarded-proto", context.client.scheme.as_str());
    // AWS's `host` is the domain of the API that the client named.
    if let Some(host) = &context.client.host {
        headers.put("host", host);
    }
    headers.put("content-length", &body_length.to_string());
    headers
}

/// The port that a client wrote behind the host, or the scheme's own.
fn port(host: &[u8], scheme: Scheme) -> &str {
    let own = match scheme {
        Scheme::Http => "80",
        Scheme::Https => "443",
    };
    let after_address = host.rsplit(|byte| *byte == b']').next().unwrap_or(host);
    let mut parts = after_address.rsplitn(2, |byte| *byte == b':');
    match (parts.next(), parts.next()) {
        (Some(port), Some(_)) if !port.is_empty() => str::from_utf8(port).unwrap_or(own),
        _ => own,
    }
}

fn put_trace_id(headers: &mut Headers, context: &RequestContext) {
    match headers.get("x-amzn-trace-id") {
        None => headers.append_own("x-amzn-trace-id", context.trace_id.as_bytes()),
        Some([]) => headers.put("x-amzn-trace-id", &context.trace_id),
        Some(_) => {}
    }
}

/// Leaves the fields of an integration's answer that the client gets (`R3.15`).
///
/// `Content-Length` is told again for the body that is sent, but where there is none it is all that HEAD asks for.
pub fn narrow_to_client(response: &mut IntegrationResponse, client: Method) {
    let tells_length = client == Method::Head || response.status == 304;
    let length = response.headers.get("content-length").filter(|_| tells_length);
    let length = length.map(<[u8]>::to_vec);
    let named = named_by_connection(&response.headers).into_iter();
    let named: Vec<Vec<u8>> = named.map(<[u8]>::to_vec).collect();
    // R3.14: the gateway dates its answers itself.
    response
        .headers
        .narrow(|name| name != "date" && passes(name, named.iter().map(Vec::as_slice)));
    if let Some(length) = length {
        response.headers.append_own("content-length", &length);
    }
}

/// The fields of a service's answer that the client gets (contract S14): those that are about the service itself, and
/// those of CORS, stay here.
pub fn from_service(response: &IntegrationResponse) -> Headers {
    const OWN: [&str; 2] = ["server", "date"];
    const OWN_PREFIXES: [&str; 3] = ["x-amz-", "x-amzn-", "access-control-"];
    end_to_end(&response.headers, |name| {
        !OWN.contains(&name) && !OWN_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}

/// The trace id of a request, which its client may have brought.
pub fn trace_id<'a>(context: &'a RequestContext, client: &'a Headers) -> &'a [u8] {
    let own = client.get("x-amzn-trace-id").filter(|id| !id.is_empty());
    own.unwrap_or(context.trace_id.as_bytes())
}

/// The fields that pass and that are `wanted`, without those that `Connection` names.
fn end_to_end(all: &Headers, wanted: impl Fn(&str) -> bool) -> Headers {
    let named = named_by_connection(all);
    all.filtered(ADDED_LENGTH, |name| wanted(name) && passes(name, named.iter().copied()))
}

/// The fields that `Connection` names, but for what does not pass in any case, which most servers name alone.
fn named_by_connection(all: &Headers) -> Vec<&[u8]> {
    let is_known = |token: &[u8]| token.eq_ignore_ascii_case(b"keep-alive") || token.eq_ignore_ascii_case(b"close");
    match all.get_all("connection").all(is_known) {
        true => Vec::new(),
        false => all.list("connection").filter(|token| !is_known(token)).collect(),
    }
}

/// Whether a field is for more than one connection, where `Connection` names those. Host is for the message, whatever a
/// client says (see `Headers::remove_fields_of_connection`).
fn passes<'a>(name: &str, mut named: impl Iterator<Item = &'a [u8]>) -> bool {
    !is_hop_by_hop(name) && (name == "host" || !named.any(|token| token.eq_ignore_ascii_case(name.as_bytes())))
}

/// The `Forwarded` field (RFC 7239): the client's own, its `X-Forwarded-*` translated, then ours.
fn forwarded(by: Option<IpAddr>, context: &RequestContext, client: &Headers) -> Vec<u8> {
    let mut field = Vec::with_capacity(128);
    // A value that leaves a quote open is dropped: what follows it, which is our word, would be read as its text.
    let kept = client.get_all("forwarded").filter(|value| closes_its_quotes(value));
    for value in kept.filter(|value| !value.is_empty()) {
        field.extend_from_slice(value);
        field.push(b',');
    }
    for element in translated(client) {
        field.extend_from_slice(&element);
        field.push(b',');
    }
    if let Some(address) = by {
        field.extend_from_slice(b"by=");
        push_node(&mut field, address);
        field.push(b';');
    }
    field.extend_from_slice(b"for=");
    push_node(&mut field, context.client.address);
    let host = context.host(client);
    if !host.is_empty() {
        field.extend_from_slice(b";host=");
        push_value(&mut field, host);
    }
    field.extend_from_slice(b";proto=");
    field.extend_from_slice(context.client.scheme.as_str().as_bytes());
    field
}

/// One element for each address of `X-Forwarded-For`, host and protocol with the first.
fn translated(client: &Headers) -> Vec<Vec<u8>> {
    if !client.iter().any(|(name, _)| name.starts_with("x-forwarded-")) {
        return Vec::new();
    }
    let mut elements: Vec<Vec<u8>> = client
        .list("x-forwarded-for")
        .map(|address| {
            let mut element = b"for=".to_vec();
            push_translated_node(&mut element, address);
            element
        })
        .collect();
    let mut about_the_first = Vec::new();
    for (name, parameter) in [("x-forwarded-host", "host="), ("x-forwarded-proto", "proto=")] {
        if let Some(text) = client.list(name).next() {
            let mut pair = parameter.as_bytes().to_vec();
            push_value(&mut pair, text);
            about_the_first.push(pair);
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

/// The client's values of a list field, then ours.
fn joined<'a>(values: impl Iterator<Item = &'a [u8]>, own: &'a [u8]) -> Vec<u8> {
    let mut values: Vec<&[u8]> = values.filter(|value| !value.is_empty()).collect();
    values.push(own);
    values.join(&b","[..])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data_plane::trusted_proxies::Client;
    use std::time::{Instant, UNIX_EPOCH};

    fn context() -> RequestContext {
        RequestContext {
            request_id: "id".into(),
            client: Client {
                address: "203.0.113.9".parse().unwrap(),
                scheme: Scheme::Http,
                host: None,
                port: None,
            },
            peer_ip: "203.0.113.9".parse().unwrap(),
            gateway_ip: "::1".parse().unwrap(),
            trace_id: "Root=1-0-0".into(),
            time: UNIX_EPOCH,
            began: Instant::now(),
            sent_path: None,
            mapping_key: None,
            ends_with_key: false,
            client_certificate: None,
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
            let got = to_integration(&context(), &HttpProxy::of("http://up"), &Headers::of(fields));
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
        let got = to_integration(&context(), &HttpProxy::of("http://up:1"), &client);
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
