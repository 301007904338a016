//! What a trusted proxy says of its client: address, scheme, host and port.
//!
//! A proxy speaks by `X-Forwarded-For`, `-Proto`, `-Host` and `-Port`, or by `Forwarded` (RFC 7239). One of the two
//! counts for everything: `X-Forwarded-*` where there is any of these fields, else `Forwarded`. Values that are not of
//! their form do not count.

use std::net::IpAddr;
use std::str::FromStr;

use crate::definition::notation::cidr::{Cidr, InvalidCidr};
use crate::definition::notation::forwarded::{self, Element};
use crate::http1::message::Headers;
use crate::http1::target::{Scheme, is_authority};

/// The proxies before the gateway whose word on the client counts.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies(Vec<Cidr>);

/// Reads blocks with commas between them.
impl FromStr for TrustedProxies {
    type Err = InvalidCidr;

    fn from_str(text: &str) -> Result<TrustedProxies, InvalidCidr> {
        let blocks: Result<Vec<Cidr>, InvalidCidr> = text.split(',').map(|block| block.trim().parse()).collect();
        Ok(TrustedProxies(blocks?))
    }
}

/// A client, and how it reached the first trusted proxy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub address: IpAddr,
    /// The scheme that it used.
    pub scheme: Scheme,
    /// The host that it named, perhaps with a port; none where `Host` has it.
    pub host: Option<String>,
    /// The port that it connected to; none where the host or the scheme says it.
    pub port: Option<u16>,
}

impl Client {
    /// A client without a proxy.
    fn direct(peer: IpAddr, scheme: Scheme) -> Client {
        Client {
            address: peer,
            scheme,
            host: None,
            port: None,
        }
    }
}

impl TrustedProxies {
    fn contains(&self, address: IpAddr) -> bool {
        self.0.iter().any(|block| block.contains(address))
    }

    /// The client of a request: the peer of its connection, or whom a trusted peer names, and so on.
    /// `own` is what the gateway itself speaks on the connection.
    pub fn client(&self, peer: IpAddr, own: Scheme, headers: &Headers) -> Client {
        if !self.contains(peer) {
            return Client::direct(peer, own);
        }
        let has = |name: &str| headers.get(name).is_some();
        // A proxy that writes both means the same by them; more proxies write `X-Forwarded-*`. What a client adds of the
        // other kind must not take their place.
        match [
            "x-forwarded-for",
            "x-forwarded-proto",
            "x-forwarded-host",
            "x-forwarded-port",
        ]
        .into_iter()
        .any(has)
        {
            true => self.by_x_forwarded(peer, own, headers),
            false => self.by_forwarded(peer, own, headers),
        }
    }

    fn by_x_forwarded(&self, peer: IpAddr, own: Scheme, headers: &Headers) -> Client {
        let chain: Vec<_> = headers.list("x-forwarded-for").map(forwarded::address).collect();
        let (address, place) = self.end_of_chain(peer, &chain);
        // A list with one value for each address is read at the client's. Else the nearest proxy wrote the last value.
        let value = |name: &'static str| {
            let values: Vec<&[u8]> = headers.list(name).collect();
            let place = place.filter(|_| values.len() == chain.len());
            place.map_or(values.last(), |place| values.get(place)).copied()
        };
        Client {
            address,
            scheme: value("x-forwarded-proto").and_then(scheme).unwrap_or(own),
            host: value("x-forwarded-host").and_then(host),
            port: value("x-forwarded-port").and_then(port),
        }
    }

    fn by_forwarded(&self, peer: IpAddr, own: Scheme, headers: &Headers) -> Client {
        let elements: Vec<Element> = headers.get_all("forwarded").flat_map(forwarded::elements).collect();
        let chain: Vec<_> = elements.iter().map(|element| element.node).collect();
        let (address, place) = self.end_of_chain(peer, &chain);
        let said = |part: fn(&Element) -> Option<&Vec<u8>>| part(elements.get(place?)?).map(Vec::as_slice);
        Client {
            address,
            scheme: said(|element| element.proto.as_ref()).and_then(scheme).unwrap_or(own),
            host: said(|element| element.host.as_ref()).and_then(host),
            port: None,
        }
    }

    /// The client's address, and the place of the last entry that a trusted proxy wrote.
    ///
    /// The chain is read from its end, so that what a client writes into it never counts.
    fn end_of_chain(&self, peer: IpAddr, chain: &[Option<IpAddr>]) -> (IpAddr, Option<usize>) {
        let (mut client, mut reached) = (peer, None);
        for (place, address) in chain.iter().enumerate().rev() {
            reached = Some(place);
            // Who is behind a name that hides an address cannot be told; the proxy that says so is all there is.
            let Some(address) = *address else { break };
            client = address;
            if !self.contains(address) {
                break;
            }
        }
        (client, reached)
    }
}

fn scheme(text: &[u8]) -> Option<Scheme> {
    [Scheme::Http, Scheme::Https]
        .into_iter()
        .find(|scheme| text.eq_ignore_ascii_case(scheme.as_str().as_bytes()))
}

fn host(text: &[u8]) -> Option<String> {
    let text = str::from_utf8(text).ok()?;
    is_authority(text).then(|| text.to_owned())
}

fn port(text: &[u8]) -> Option<u16> {
    let text = str::from_utf8(text).ok()?;
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, fields: &[(&'static str, &str)]) -> Client {
        let trusted = "10.0.0.0/8, ::1".parse::<TrustedProxies>().unwrap();
        trusted.client(peer.parse().unwrap(), Scheme::Http, &Headers::of(fields))
    }

    #[test]
    fn the_client_is_whom_the_last_trusted_proxy_names() {
        for (peer, fields, expected) in [
            ("10.0.0.1", &[][..], "10.0.0.1"),
            ("10.0.0.1", &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1"),
            ("192.0.2.9", &[("x-forwarded-for", "192.0.2.1")], "192.0.2.9"),
            // What the client wrote itself stands before what its proxy added.
            ("10.0.0.1", &[("x-forwarded-for", "1.1.1.1, 192.0.2.1")], "192.0.2.1"),
            (
                "10.0.0.1",
                &[("x-forwarded-for", "1.1.1.1, 192.0.2.1, 10.0.0.2")],
                "192.0.2.1",
            ),
            (
                "10.0.0.1",
                &[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "192.0.2.1:80")],
                "192.0.2.1",
            ),
            ("10.0.0.1", &[("x-forwarded-for", "10.0.0.3, 10.0.0.2")], "10.0.0.3"),
            ("10.0.0.1", &[("x-forwarded-for", "192.0.2.1, nonsense")], "10.0.0.1"),
            (
                "10.0.0.1",
                &[("x-forwarded-for", "192.0.2.1, unknown, 10.0.0.2")],
                "10.0.0.2",
            ),
            ("10.0.0.1", &[("x-forwarded-for", "")], "10.0.0.1"),
            ("::1", &[("x-forwarded-for", "2001:db8::1")], "2001:db8::1"),
            (
                "::1",
                &[("forwarded", "for=\"[2001:db8::1]:9\";proto=https")],
                "2001:db8::1",
            ),
            (
                "::1",
                &[
                    ("forwarded", "for=1.1.1.1"),
                    ("forwarded", "for=192.0.2.1, for=10.1.1.1"),
                ],
                "192.0.2.1",
            ),
            ("::1", &[("forwarded", "for=192.0.2.1, for=\"")], "::1"),
            (
                "::1",
                &[("forwarded", "for=6.6.6.6"), ("forwarded", "a=\", for=192.0.2.1")],
                "::1",
            ),
            (
                "::1",
                &[("forwarded", "for=1.1.1.1"), ("x-forwarded-for", "192.0.2.1")],
                "192.0.2.1",
            ),
        ] {
            let client = client(peer, fields);
            assert_eq!(client.address, expected.parse::<IpAddr>().unwrap(), "{peer} {fields:?}");
        }
    }

    const FOR: (&str, &str) = ("x-forwarded-for", "192.0.2.1");
    const PROTO: (&str, &str) = ("x-forwarded-proto", "https");

    /// `https://api.test:8443` and the like; what no proxy says is left out.
    fn told(client: &Client) -> String {
        let port = client.port.map(|port| format!(" port {port}")).unwrap_or_default();
        format!(
            "{}://{}{port}",
            client.scheme.as_str(),
            client.host.as_deref().unwrap_or_default()
        )
    }

    #[test]
    fn scheme_host_and_port_are_those_of_the_same_entry() {
        for (fields, expected) in [
            (&[][..], "http://"),
            (&[FOR], "http://"),
            (&[FOR, PROTO], "https://"),
            // A proxy that leaves the address alone may tell the scheme all the same.
            (&[PROTO], "https://"),
            (&[FOR, ("x-forwarded-proto", "HTTPS")], "https://"),
            (&[FOR, ("x-forwarded-host", "api.test:8443")], "http://api.test:8443"),
            (&[FOR, PROTO, ("x-forwarded-port", "8443")], "https:// port 8443"),
            (
                &[FOR, PROTO, ("x-forwarded-host", "[2001:db8::1]:1")],
                "https://[2001:db8::1]:1",
            ),
            // What the client wrote stands before what its proxy added.
            (
                &[
                    ("x-forwarded-for", "6.6.6.6, 192.0.2.1"),
                    ("x-forwarded-proto", "https, http"),
                ],
                "http://",
            ),
            (&[FOR, ("x-forwarded-proto", "https, http")], "http://"),
            (
                &[FOR, ("x-forwarded-host", "evil.test"), ("x-forwarded-host", "api.test")],
                "http://api.test",
            ),
            // Two trusted proxies, each with a value of its own, or one for both.
            (
                &[
                    ("x-forwarded-for", "192.0.2.1, 10.0.0.2"),
                    ("x-forwarded-proto", "https, http"),
                ],
                "https://",
            ),
            (&[("x-forwarded-for", "192.0.2.1, 10.0.0.2"), PROTO], "https://"),
            (
                &[
                    ("x-forwarded-for", "6.6.6.6, 192.0.2.1, 10.0.0.2"),
                    ("x-forwarded-proto", "http, https, http"),
                ],
                "https://",
            ),
            // Not of their form.
            (
                &[
                    FOR,
                    ("x-forwarded-proto", "wss"),
                    ("x-forwarded-port", "+443"),
                    ("x-forwarded-host", "a b"),
                ],
                "http://",
            ),
            (
                &[FOR, ("x-forwarded-port", "0"), ("x-forwarded-host", "u@a.test")],
                "http://",
            ),
            (
                &[FOR, ("x-forwarded-port", "65536"), ("x-forwarded-host", "a.test/b")],
                "http://",
            ),
            (
                &[FOR, ("x-forwarded-port", "\u{b2}"), ("x-forwarded-host", "a.test:0")],
                "http://",
            ),
            (
                &[
                    FOR,
                    ("x-forwarded-proto", ""),
                    ("x-forwarded-port", ""),
                    ("x-forwarded-host", ""),
                ],
                "http://",
            ),
            // Forwarded.
            (
                &[("forwarded", "for=192.0.2.1;proto=https;host=api.test")],
                "https://api.test",
            ),
            (
                &[("forwarded", "proto=https;host=\"api.test:8443\"")],
                "https://api.test:8443",
            ),
            (&[("forwarded", "for=_hidden;proto=https")], "https://"),
            (
                &[("forwarded", "for=6.6.6.6;proto=https;host=evil.test, for=192.0.2.1")],
                "http://",
            ),
            (
                &[(
                    "forwarded",
                    "for=192.0.2.1;proto=https, for=10.0.0.2;proto=http;host=inner.test",
                )],
                "https://",
            ),
            (
                &[("forwarded", "for=192.0.2.1;proto=https;proto=http;host=a;host=b")],
                "http://",
            ),
            (&[("forwarded", "proto=https;host=evil.test, for=\"")], "http://"),
            // What a client leaves open takes in what its proxy adds: such a field says nothing.
            (
                &[(
                    "forwarded",
                    "for=6.6.6.6;proto=https;host=evil.test;x=\", for=192.0.2.1;proto=https;host=api.test",
                )],
                "http://",
            ),
            (
                &[("forwarded", "proto=https;host=\"evil.test, for=192.0.2.1")],
                "http://",
            ),
            (&[("forwarded", "proto=https;x=\"a\\\", for=192.0.2.1")], "http://"),
            // One source for all.
            (
                &[FOR, ("forwarded", "for=192.0.2.1;proto=https;host=api.test")],
                "http://",
            ),
            (
                &[
                    PROTO,
                    ("x-forwarded-host", "api.test"),
                    ("forwarded", "for=192.0.2.1;host=evil.test"),
                ],
                "https://api.test",
            ),
        ] {
            assert_eq!(told(&client("10.0.0.1", fields)), expected, "{fields:?}");
            assert_eq!(told(&client("192.0.2.9", fields)), "http://", "not trusted: {fields:?}");
        }
    }
}
