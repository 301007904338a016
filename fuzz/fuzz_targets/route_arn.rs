//! Gives the property `route_arn` of tests/it/support/properties.rs whatever a fuzzer comes upon.
#![no_main]

#[allow(dead_code, reason = "each target has one of the properties")]
#[path = "../../tests/it/support/properties.rs"]
mod properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| properties::route_arn(bytes));
