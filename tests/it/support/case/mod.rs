//! Cases as data: their format, how they are run, and how what comes is compared with what they expect.

pub mod format;
pub mod compare;
pub mod run;
