//! Changes what is served: edited files.

pub mod watcher;
