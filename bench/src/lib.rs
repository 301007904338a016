//! Measures the gateway beside other proxies, and by itself. PERFORMANCE.md in the repository says how to use it.
//!
//! The modules stand in dependency order: a module uses only those above it.

// Values and files.
pub mod statistics;
pub mod token;
pub mod certificate;
pub mod api;
// Processes.
pub mod process;
pub mod guard;
pub mod programs;
pub mod http;
pub mod wrk;
pub mod https;
pub mod relay;
// What is measured, and how.
pub mod upstream;
pub mod peer;
pub mod scenario;
pub mod rounds;
pub mod report;
pub mod counting;

/// What can fail here fails with a sentence for who runs the benchmark.
pub type Outcome<T> = Result<T, String>;
