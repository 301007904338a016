//! These tests run the built program: command line, environment, output, signals and exit status.

mod help;
mod init;
mod shells;
mod terminal;
mod options;
mod environment;
mod check;
mod routes;
mod routes_of_apis;
mod streams;
mod shipped_files;
mod signals;
mod deployment_files;
#[cfg(feature = "fleet")]
mod fleet;

use std::time::Duration;

/// The options of `serve`, and a value that each can take.
const OPTIONS: [(&str, &str); 33] = [
    ("--root", "."),
    ("--listen", "127.0.0.1:0"),
    ("--tls-certificate", ""),
    ("--tls-key", ""),
    ("--admin", "off"),
    ("--control-plane", "off"),
    ("--public-url", "http://{ApiId}.test"),
    ("--admin-host", "gateway.test"),
    ("--console", "off"),
    ("--capture", "always"),
    ("--workers", "3"),
    ("--loops", "1"),
    ("--max-connections", "100"),
    ("--access-log", "off"),
    ("--log-level", "warn"),
    ("--log-format", "text"),
    ("--upstream-ca", ""),
    ("--dns-ttl", "1"),
    ("--lambda-endpoint", "http://127.0.0.1:3001"),
    ("--aws-endpoint-url", "http://127.0.0.1:4566"),
    ("--trusted-proxy", "10.0.0.0/8"),
    ("--region", "eu-west-1"),
    ("--account-id", "000000000001"),
    ("--head-timeout", "10"),
    ("--body-timeout", "10"),
    ("--idle-timeout", "10"),
    ("--write-timeout", "10"),
    ("--grace", "1"),
    ("--valkey", ""),
    ("--valkey-password-file", ""),
    ("--valkey-ca", ""),
    ("--valkey-prefix", "x:"),
    ("--valkey-timeout-ms", "30"),
];

/// The options of `serve` that are of a template, and wrong without one.
const TEMPLATE_OPTIONS: [&str; 7] = [
    "--template",
    "--parameter",
    "--resolve",
    "--stack-name",
    "--stack",
    "--basepath",
    "--fail-on-warnings",
];

/// Much less than the grace that is given beside it.
const AT_ONCE: Duration = Duration::from_secs(8);
