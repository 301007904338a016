//! The process and its system.

mod resource_exhaustion;
