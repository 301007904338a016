//! Gives the property `response_body` of tests/it/support/response_properties.rs whatever a fuzzer comes upon.
#![no_main]

#[allow(dead_code, reason = "each target has one of the properties")]
#[path = "../../tests/it/support/properties.rs"]
mod properties;
#[allow(dead_code, reason = "each target has one of the properties")]
#[path = "../../tests/it/support/response_properties.rs"]
mod response_properties;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| response_properties::response_body(bytes));
