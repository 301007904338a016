//! What is measured: the list of scenarios.

use crate::api::{self, Api};
use crate::peer::Kind;

/// What clients do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Clients {
    /// They keep their connections.
    Keep,
    /// They connect for each request, with a full handshake.
    ShakeHands,
    /// They connect for each request, and resume a session.
    Resume,
}

/// One table.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// By which it is chosen.
    pub name: &'static str,
    /// What it is, for a heading.
    pub title: String,
    /// What there is to know about its numbers; may be empty.
    pub note: &'static str,
    /// The path that is asked for.
    pub path: &'static str,
    /// Connections that ask at the same time.
    pub connections: usize,
    /// Length of the body of a POST; without one it is a GET.
    pub body: Option<usize>,
    /// Whether each request has a token.
    pub with_token: bool,
    /// Whether the upstream is spoken to over TLS.
    pub over_tls: bool,
    /// Whether clients speak HTTPS.
    pub https: bool,
    /// What clients do with their connections.
    pub clients: Clients,
    /// Connections beside these, on which nothing is said; by HTTPS, one request was answered on each before.
    pub idle: usize,
    /// Connections beside these whose TLS handshake is begun and goes no further.
    pub half_open: usize,
    /// What is compared; the first that is here is the reference.
    pub kinds: Vec<Kind>,
}

/// A path of [`Api::ManyRoutes`] that has a variable.
const PETS: &str = "/p5000/pets/7";

/// All scenarios in the order of their tables.
pub fn all() -> Vec<Scenario> {
    let proxies = || vec![Kind::Nginx, Kind::Haproxy, Kind::Caddy, Kind::Gateway(Api::Plain)];
    let small = |name, connections| Scenario {
        name,
        title: format!("GET of 96 bytes, {connections} connections"),
        note: "",
        path: "/small",
        connections,
        body: None,
        with_token: false,
        over_tls: false,
        https: false,
        clients: Clients::Keep,
        idle: 0,
        half_open: 0,
        kinds: [proxies(), vec![Kind::Workers, Kind::Floor]].concat(),
    };
    let ours = |name, title: &str, api| Scenario {
        title: format!("{title}, 32 connections"),
        kinds: vec![Kind::Gateway(Api::Plain), Kind::Gateway(api)],
        ..small(name, 32)
    };
    let https = |name, title: &str, connections| Scenario {
        title: title.to_owned(),
        https: true,
        kinds: vec![Kind::Nginx, Kind::Haproxy, Kind::Gateway(Api::Plain)],
        ..small(name, connections)
    };
    vec![
        small("small-8", 8),
        small("small-32", 32),
        small("small-256", 256),
        Scenario {
            title: "POST of 16 KiB, 32 connections".to_owned(),
            note: "The upstream answers at once and discards the body. The reference is HAProxy where it is installed.",
            path: "/post",
            body: Some(16 * 1024),
            kinds: vec![
                Kind::Haproxy,
                Kind::Nginx,
                Kind::Caddy,
                Kind::Gateway(Api::Plain),
                Kind::Workers,
            ],
            ..small("post-16k", 32)
        },
        Scenario {
            title: "GET of 1 MiB, 8 connections".to_owned(),
            path: "/large",
            kinds: [proxies(), vec![Kind::Workers]].concat(),
            ..small("large-8", 8)
        },
        Scenario {
            path: PETS,
            ..ours("routes", &format!("{} routes beside one", api::ROUTES), Api::ManyRoutes)
        },
        Scenario {
            title: "GET of 96 bytes, 32 connections, beside 9,000 idle ones".to_owned(),
            idle: 9_000,
            kinds: vec![Kind::Nginx, Kind::Gateway(Api::Plain)],
            ..small("idle-9000", 32)
        },
        ours(
            "mapping",
            "A mapping of three request and two response parameters",
            Api::Mapping,
        ),
        ours(
            "accounts",
            "An access log in a file, the management listener and a throttle",
            Api::Accounts,
        ),
        Scenario {
            with_token: true,
            note: "Every request has the same token, RS256, so all but the first are remembered. Both get it.",
            ..ours("jwt", "A JWT authorizer", Api::Jwt)
        },
        Scenario {
            title: "GET of 96 bytes from a TLS upstream, 32 connections".to_owned(),
            over_tls: true,
            kinds: vec![Kind::Nginx, Kind::Haproxy, Kind::Gateway(Api::Tls)],
            ..small("tls", 32)
        },
        Scenario {
            note: "TLS 1.3 with P-256 on kept connections; the upstream is plain.",
            ..https("tls-front-32", "GET of 96 bytes by HTTPS, 32 connections", 32)
        },
        Scenario {
            path: "/large",
            ..https("tls-front-large-8", "GET of 1 MiB by HTTPS, 8 connections", 8)
        },
        Scenario {
            note: "Each client connects, shakes hands, asks once and closes. It verifies nothing, so that the servers' \
                share is greater. A request is a handshake here.",
            clients: Clients::ShakeHands,
            ..https("tls-handshakes", "Full TLS 1.3 handshakes, 8 clients", 8)
        },
        Scenario {
            note: "As above; all handshakes but each client's first are of a session before.",
            clients: Clients::Resume,
            ..https("tls-resumed", "Resumed TLS 1.3 handshakes, 8 clients", 8)
        },
        Scenario {
            note: "One request was answered on each idle connection.",
            idle: 9_000,
            kinds: vec![Kind::Nginx, Kind::Gateway(Api::Plain)],
            ..https(
                "tls-idle",
                "GET of 96 bytes by HTTPS, 32 connections, beside 9,000 idle ones",
                32,
            )
        },
        Scenario {
            note: "A third of these has sent nothing, a third half of its first message, a third all of it.",
            half_open: 500,
            ..https(
                "tls-half-open",
                "GET of 96 bytes by HTTPS, 32 connections, beside 500 half-open handshakes",
                32,
            )
        },
    ]
}

/// Those of the given names, separated by commas, in the order of their tables.
///
/// # Errors
/// A name is none.
pub fn named(names: &str) -> Result<Vec<Scenario>, String> {
    let mut scenarios = all();
    let names: Vec<&str> = names.split(',').map(str::trim).collect();
    if let Some(unknown) = names
        .iter()
        .find(|name| !scenarios.iter().any(|one| one.name == **name))
    {
        return Err(format!("there is no scenario {unknown}; --list tells their names"));
    }
    scenarios.retain(|scenario| names.contains(&scenario.name));
    Ok(scenarios)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn scenarios_are_found_by_name() {
        let names: BTreeSet<&str> = all().iter().map(|scenario| scenario.name).collect();
        assert_eq!(names.len(), all().len());
        let chosen: Vec<&str> = named("tls, small-8").unwrap().iter().map(|one| one.name).collect();
        assert_eq!(chosen, ["small-8", "tls"]);
        assert!(named("small-8,small").unwrap_err().contains("no scenario small;"));
    }
}
