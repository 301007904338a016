//! Cases are data: this module reads and runs them, and compares what comes with what they expect.

pub mod format;
pub mod compare;
pub mod run;
