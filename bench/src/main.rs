//! The command: measures the gateway beside other proxies, and prints tables in Markdown.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use apigateway_bench::peer::Gateway;
use apigateway_bench::programs::{NGINX, Program, STRACE, VALGRIND, WRK};
use apigateway_bench::rounds::{self, Rounds};
use apigateway_bench::scenario::{self, Scenario};
use apigateway_bench::{Outcome, counting, guard, programs, relay, report, upstream};
use argh::FromArgs;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Measures the gateway beside nginx, HAProxy, Caddy and a bare relay, on this machine, with wrk.
///
/// Everything is started here, on free ports of 127.0.0.1, and ended again. PERFORMANCE.md says how to read the tables.
#[derive(FromArgs)]
struct Arguments {
    /// rounds, in each of which every peer is driven once; default: 7
    #[argh(option, default = "7")]
    rounds: usize,

    /// seconds that a peer is driven in each round; default: 3
    #[argh(option, default = "3")]
    seconds: u64,

    /// scenarios that are measured, separated by commas; default: all
    #[argh(option, arg_name = "names")]
    only: Option<String>,

    /// program of a gateway, instead of this repository's; may be repeated
    #[argh(option, arg_name = "path")]
    bin: Vec<PathBuf>,

    /// tell the names of the scenarios
    #[argh(switch)]
    list: bool,

    /// count the instructions of a request with valgrind, instead of measuring
    #[argh(switch)]
    instructions: bool,

    /// with --instructions: fail if a request takes more of them, answered by a loop
    #[argh(option, arg_name = "instructions")]
    at_most: Option<u32>,

    /// count the system calls of a request with strace, instead of measuring
    #[argh(switch)]
    syscalls: bool,

    #[argh(subcommand)]
    command: Option<Command>,
}

#[derive(FromArgs)]
#[argh(subcommand)]
enum Command {
    Floor(FloorArguments),
}

/// Relay between two ports without looking: the peer named floor.
#[derive(FromArgs)]
#[argh(subcommand, name = "floor")]
struct FloorArguments {
    /// port to listen at
    #[argh(positional)]
    listen: u16,

    /// port of the upstream
    #[argh(positional)]
    upstream: u16,
}

fn main() -> ExitCode {
    let arguments: Arguments = argh::from_env();
    let is_well = match (&arguments.command, guard::directory()) {
        (Some(Command::Floor(floor)), _) => relay::run(floor.listen, floor.upstream).map(|()| true),
        _ if arguments.list => Ok(list()),
        (None, None) => guard::run(),
        (None, Some(directory)) => measure(&arguments, &directory),
    };
    match is_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> bool {
    for scenario in scenario::all() {
        println!("{:<18} {}", scenario.name, scenario.title);
    }
    true
}

/// Measures what the arguments say, and tells whether all of it could be.
fn measure(arguments: &Arguments, directory: &Path) -> Outcome<bool> {
    let scenarios = match &arguments.only {
        Some(names) => scenario::named(names)?,
        None => scenario::all(),
    };
    if arguments.rounds == 0 || arguments.seconds == 0 {
        return Err("--rounds and --seconds are 1 at least".to_owned());
    }
    if arguments.at_most.is_some() && !arguments.instructions {
        return Err("--at-most bounds what --instructions counts".to_owned());
    }
    let needed: &[Program] = match (arguments.instructions, arguments.syscalls) {
        (false, false) => &[NGINX, WRK],
        (true, false) => &[NGINX, VALGRIND],
        (false, true) => &[NGINX, STRACE],
        (true, true) => &[NGINX, VALGRIND, STRACE],
    };
    programs::check(needed)?;
    raise_descriptors();
    let gateways = gateways(&arguments.bin)?;
    let upstream = upstream::start(directory)?;
    let (mut failures, mut too_many) = (Vec::new(), None);
    if arguments.instructions || arguments.syscalls {
        if arguments.instructions {
            match counting::instructions(&gateways, &upstream, directory) {
                Ok(counts) => {
                    println!("{}", counting::table(&counts));
                    too_many = arguments.at_most.map(|most| counting::too_many(&counts, most));
                }
                Err(error) => failures.push(error),
            }
        }
        if arguments.syscalls {
            match counting::system_calls(&gateways, &upstream, directory) {
                Ok(text) => println!("{text}"),
                Err(error) => failures.push(error),
            }
        }
    } else {
        let rounds = Rounds {
            count: arguments.rounds,
            seconds: arguments.seconds,
        };
        for scenario in scenarios {
            failures.extend(measure_one(&scenario, rounds, &gateways, &upstream, directory));
        }
        println!("{} rounds of {} s\n", arguments.rounds, arguments.seconds);
    }
    println!("{}", programs::machine());
    match arguments.bin.is_empty() {
        true => println!("* gateway: commit {}", programs::commit()),
        false => gateways
            .iter()
            .for_each(|gateway| println!("* {}: {}", gateway.label, gateway.program.display())),
    }
    for failure in &failures {
        eprintln!("not measured: {failure}");
    }
    let too_many = too_many.unwrap_or_default();
    for sentence in &too_many {
        eprintln!("{sentence}");
    }
    Ok(failures.is_empty() && too_many.is_empty())
}

/// Measures a scenario, prints its table, and gives what could not be measured.
fn measure_one(
    scenario: &Scenario,
    rounds: Rounds,
    gateways: &[Gateway],
    upstream: &upstream::Upstream,
    directory: &Path,
) -> Vec<String> {
    match rounds::run(scenario, rounds, gateways, upstream, directory) {
        Ok(table) => {
            let (text, failures) = report::table(scenario, &table);
            println!("{text}");
            failures
        }
        Err(error) => vec![format!("{}: {error}", scenario.name)],
    }
}

/// The programs that were named, or this repository's, built.
fn gateways(named: &[PathBuf]) -> Outcome<Vec<Gateway>> {
    if named.is_empty() {
        let program = programs::build_gateway()?;
        return Ok(vec![Gateway {
            program,
            label: "gateway".to_owned(),
        }]);
    }
    let gateway = |(number, program): (usize, &PathBuf)| {
        let label = match named.len() {
            1 => "gateway".to_owned(),
            _ => format!("gateway {}", number + 1),
        };
        let program = program
            .canonicalize()
            .map_err(|error| format!("{}: {error}", program.display()))?;
        Ok(Gateway { program, label })
    };
    named.iter().enumerate().map(gateway).collect()
}

/// As many descriptors as there may be, for us and for what is started.
fn raise_descriptors() {
    if let Ok((_, most)) = getrlimit(Resource::RLIMIT_NOFILE) {
        let _ = setrlimit(Resource::RLIMIT_NOFILE, most, most);
    }
}
