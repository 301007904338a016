//! Over TLS a service proves its name, as any integration does; `--upstream-ca` counts.

use super::{FLAGS, KEY, files};
use crate::support::directory::Directory;
use crate::support::gateway::{Gateway, aws_access, options};
use crate::support::tls::{Authority, TlsEnd, TlsServer};

#[test]
fn a_service_over_tls_is_trusted_or_500() {
    let (authority, other) = (Authority::new(), Authority::new());
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
    for (trusted, name, status) in [
        (&authority, "localhost", 200),
        (&other, "localhost", 500),
        (&authority, "other.test", 500),
    ] {
        let server = TlsServer::start(authority.server(name, 4000), answer, TlsEnd::Open);
        let directory = Directory::of(&files());
        directory.write("roots.pem", &trusted.pem);
        let mut options = options(&directory);
        options.upstream_ca = Some(directory.path().join("roots.pem"));
        let url = format!("https://localhost:{}", server.address.port());
        options.settings.aws = aws_access(Some(&url), None, &KEY);
        let gateway = Gateway::start(directory, options);
        assert_eq!(gateway.exchange(FLAGS).status, status, "{name}");
    }
}
