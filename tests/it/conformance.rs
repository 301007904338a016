//! Each theme of `tests/cases`, on a real gateway.

use crate::support::case::run_theme;

#[test]
fn routing() {
    run_theme("routing", 126);
}

#[test]
fn stages() {
    run_theme("stages", 67);
}

#[test]
fn http_proxy() {
    run_theme("http_proxy", 246);
}

#[test]
fn errors() {
    run_theme("errors", 102);
}

#[test]
fn check() {
    run_theme("check", 60);
}
