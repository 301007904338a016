//! These tests read what an operator sees: health, metrics, the access log.

mod health;
mod echo;
mod logs;
mod metrics;
mod console;
mod console_page;

const GET: &str = "GET /x HTTP/1.1\r\nHost: gw.test\r\n\r\n";

fn bearer(target: &str, token: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: gw.test\r\nAuthorization: Bearer {token}\r\n\r\n")
}
