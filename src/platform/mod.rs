//! The process and its system: clock, random ids, signals, files, log, counters.

pub mod concurrency;
pub mod loops;
pub mod clock;
pub mod der;
pub mod signals;
pub mod files;
pub mod process;
pub mod terminal;
pub mod logging;
pub mod metrics;
pub mod reload_gate;
