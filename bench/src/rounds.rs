//! Drives the peers of a scenario in alternation, so that what disturbs the machine disturbs all of them.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

use crate::https::{self, Handshakes};
use crate::peer::{self, Gateway, Kind, Peer, Setup};
use crate::process::as_f64;
use crate::programs::{CADDY, HAPROXY};
use crate::scenario::{Clients, Scenario};
use crate::upstream::Upstream;
use crate::wrk::{self, Load, Measured};
use crate::{Outcome, http};

/// Descriptors that are needed besides those of idle connections.
const OTHER_DESCRIPTORS: u64 = 2_000;

/// How long and how often each peer is driven.
#[derive(Clone, Copy, Debug)]
pub struct Rounds {
    /// Rounds, in each of which every peer is driven once.
    pub count: usize,
    /// Seconds of each.
    pub seconds: u64,
}

/// One peer in one round.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// What wrk saw.
    pub measured: Measured,
    /// Time on a processor per request, in microseconds.
    pub cpu: f64,
    /// Resident memory at the end, in MiB.
    pub memory: f64,
}

/// A row of a table: a peer in all rounds, or why it has none.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the peer is called.
    pub label: String,
    /// A sample for each round.
    pub samples: Outcome<Vec<Sample>>,
}

/// What a scenario came to.
#[derive(Clone, Debug)]
pub enum Table {
    /// Rows, of which the first is the reference.
    Rows(Vec<Row>),
    /// It cannot be measured on this machine, and why.
    Skipped(String),
}

struct Driven {
    label: String,
    peer: Outcome<Peer>,
    idle: Vec<TcpStream>,
    samples: Vec<Sample>,
}

/// Measures a scenario.
///
/// # Errors
/// The files for it cannot be written. What fails of a single peer is in its row.
pub fn run(
    scenario: &Scenario,
    rounds: Rounds,
    gateways: &[Gateway],
    upstream: &Upstream,
    directory: &Path,
) -> Outcome<Table> {
    let of_ours = |kind: &&Kind| matches!(kind, Kind::Gateway(_));
    let ours = scenario.kinds.iter().filter(of_ours).count();
    let peers = scenario.kinds.len() + ours * gateways.len().saturating_sub(1);
    if let Some(reason) = too_few_descriptors(scenario.idle * peers) {
        return Ok(Table::Skipped(reason));
    }
    let directory = directory.join(scenario.name);
    fs::create_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let script = wrk::write_script(&directory, scenario.body)?;
    let setup = Setup {
        directory: &directory,
        upstream,
        over_tls: scenario.over_tls,
        https: scenario.https,
        path: scenario.path,
    };
    let mut all = start(scenario, gateways, &setup);
    let token = peer::token_field(upstream);
    let load = Load {
        https: scenario.https,
        path: scenario.path,
        connections: scenario.connections,
        body: scenario.body,
        field: scenario.with_token.then_some(token.as_str()),
    };
    let drive = |address: SocketAddr, seconds: u64| {
        let handshakes = |resumed| Handshakes {
            path: scenario.path,
            clients: scenario.connections,
            resumed,
        };
        match scenario.clients {
            Clients::Keep => wrk::drive(address, &load, seconds, &script),
            Clients::ShakeHands => https::drive(address, handshakes(false), Duration::from_secs(seconds)),
            Clients::Resume => https::drive(address, handshakes(true), Duration::from_secs(seconds)),
        }
    };
    for round in 0..=rounds.count {
        let count = all.len();
        for turn in 0..count {
            let Some(driven) = all.get_mut((round + turn) % count) else {
                continue;
            };
            eprintln!("{}: round {round} of {}, {}", scenario.name, rounds.count, driven.label);
            // The first round is to warm up: connections, threads, the processor's frequency.
            let seconds = if round == 0 { 1 } else { rounds.seconds };
            driven.drive(|address| drive(address, seconds), scenario.half_open, round > 0);
        }
    }
    Ok(Table::Rows(all.into_iter().map(Driven::into_row).collect()))
}

/// Why there cannot be so many idle connections to all peers together, if so.
fn too_few_descriptors(idle: usize) -> Option<String> {
    let (limit, _) = getrlimit(Resource::RLIMIT_NOFILE).unwrap_or_default();
    let needed = u64::try_from(idle).unwrap_or_default() + OTHER_DESCRIPTORS;
    (idle > 0 && limit < needed).then(|| format!("a process may have {limit} descriptors, and {needed} are needed"))
}

fn start(scenario: &Scenario, gateways: &[Gateway], setup: &Setup<'_>) -> Vec<Driven> {
    let mut all = Vec::new();
    for kind in &scenario.kinds {
        let is_here = match kind {
            Kind::Haproxy => HAPROXY.find().is_some(),
            Kind::Caddy => CADDY.find().is_some(),
            _ => true,
        };
        let variants = match kind {
            Kind::Gateway(_) | Kind::Workers => gateways.len(),
            _ => 1,
        };
        for gateway in gateways.iter().take(if is_here { variants } else { 0 }) {
            let mut peer = peer::start(*kind, gateway, setup);
            let idle = match &peer {
                Ok(peer) if scenario.https => https::idle_connections(peer.address, scenario.idle, scenario.path),
                Ok(peer) => http::idle_connections(peer.address, scenario.idle),
                Err(_) => Ok(Vec::new()),
            };
            let idle = idle.unwrap_or_else(|error| {
                peer = Err(error);
                Vec::new()
            });
            all.push(Driven {
                label: kind.label(gateway),
                peer,
                idle,
                samples: Vec::new(),
            });
        }
    }
    all
}

impl Driven {
    /// Drives a peer, unless something of it has failed already.
    fn drive(&mut self, drive: impl Fn(SocketAddr) -> Outcome<Measured>, half_open: usize, counts: bool) {
        let Ok(peer) = &self.peer else { return };
        match sample(peer, drive, half_open) {
            Ok(sample) if counts => self.samples.push(sample),
            Ok(_) => {}
            Err(error) => self.peer = Err(error),
        }
        let open = http::still_open(&self.idle);
        if open < self.idle.len() {
            self.peer = Err(format!("{} idle connections were closed", self.idle.len() - open));
        }
    }

    fn into_row(self) -> Row {
        Row {
            label: self.label,
            samples: self.peer.map(|_| self.samples),
        }
    }
}

fn sample(peer: &Peer, drive: impl Fn(SocketAddr) -> Outcome<Measured>, half_open: usize) -> Outcome<Sample> {
    let half_open = https::half_open(peer.address, half_open)?;
    let before = peer.process.usage()?;
    let measured = drive(peer.address)?;
    let after = peer.process.usage()?;
    let open = https::still_half_open(&half_open);
    if open < half_open.len() {
        return Err(format!("{} half-open connections were closed", half_open.len() - open));
    }
    Ok(Sample {
        measured,
        cpu: (after.cpu - before.cpu) * 1e6 / as_f64(measured.requests),
        memory: as_f64(after.resident) / 1024.0 / 1024.0,
    })
}
