//! These tests check and compile the definitions.

mod quotas;
