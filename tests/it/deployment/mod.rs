//! The definitions as they are checked and compiled.

mod quotas;
