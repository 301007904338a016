//! CloudFormation's resources of HTTP APIs (`R31.15` to `R31.22`), and what the template has besides.

pub(super) mod api;
pub(super) mod domain;
pub(super) mod parts;
pub(super) mod sections;
