//! Each theme of `tests/cases` holds on a real gateway.

use crate::support::case::run::run_theme;

#[test]
fn routing() {
    run_theme("routing", 126);
}

#[test]
fn stages() {
    run_theme("stages", 67);
}

#[test]
fn addresses() {
    run_theme("addresses", 110);
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
    run_theme("check", 1655);
}

#[test]
fn parameter_mapping() {
    run_theme("parameter_mapping", 751);
}

#[test]
fn cors() {
    run_theme("cors", 160);
}

#[test]
fn vpc_link() {
    run_theme("vpc_link", 67);
}

#[test]
fn throttling() {
    run_theme("throttling", 20);
}

#[test]
fn access_log() {
    run_theme("access_log", 44);
}

#[test]
fn lambda_event_v2() {
    run_theme("lambda_event_v2", 355);
}

#[test]
fn lambda_event_v1() {
    run_theme("lambda_event_v1", 109);
}

#[test]
fn lambda_answer_v2() {
    run_theme("lambda_answer_v2", 218);
}

#[test]
fn lambda_answer_v1() {
    run_theme("lambda_answer_v1", 186);
}

#[test]
fn lambda_errors() {
    run_theme("lambda_errors", 64);
}

#[test]
fn authorizer_lambda() {
    run_theme("authorizer_lambda", 328);
}

#[test]
fn services() {
    run_theme("services", 120);
}

/// The cases do not depend on what listens to clients.
#[cfg(feature = "tiny_http")]
#[test]
fn every_theme_on_tiny_http() {
    use crate::support::case::run::run_theme_on;
    use crate::support::repository::root;
    use apigateway::server::FrontKind;
    let themes = root().join("tests/cases");
    // All that fail, not the first.
    let failed = std::fs::read_dir(themes).unwrap().filter(|theme| {
        let theme = theme.as_ref().unwrap().file_name();
        std::panic::catch_unwind(|| run_theme_on(FrontKind::TinyHttp, theme.to_str().unwrap(), 1)).is_err()
    });
    assert_eq!(failed.count(), 0, "themes that fail on tiny_http");
}
