//! The names of the stage that is served at the root.

/// The stage that is served at the root (`R2.1`).
pub(super) const DEFAULT_STAGE: &str = "$default";

/// The file name that also serves as the default stage, for systems where `$` is a nuisance in a file name.
pub(super) const DEFAULT_STAGE_ALIAS: &str = "default";
