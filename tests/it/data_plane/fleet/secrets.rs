//! Who asks Valkey, over what, and that no password is told of (`F12`).

use std::time::Duration;

use apigateway::outbound::valkey::Password;
use apigateway::outbound::valkey::address::Address;

use super::{fleet_options, is_shared, limited, passes, start};
use crate::support::directory::Directory;
use crate::support::repository::text_of;
use crate::support::tls::Authority;
use crate::support::valkey::{valkey, valkey_in};
use crate::support::wait::wait_until;

/// What an access control list needs at least, as docs/fleets.md has it.
fn published_rights() -> Vec<String> {
    let text = text_of("docs/fleets.md");
    let line = text.lines().find(|line| line.starts_with("ACL SETUSER ")).unwrap();
    line.split_whitespace().map(str::to_owned).collect()
}

#[test]
fn a_password_is_read_on_each_connect() {
    let Some(valkey) = valkey(&["--requirepass", "s3cret"]) else {
        return;
    };
    let mut options = fleet_options(&valkey.url());
    valkey.directory.write("password", "wrong-one\n");
    options.password = Some(Password::File(valkey.directory.path().join("password")));
    let gateway = start(&limited(0.001, 1), options);
    assert!(!is_shared(&gateway));
    assert!(passes(&gateway), "its own bucket");
    valkey.directory.write("password", "s3cret\r\n");
    wait_until("shared", || is_shared(&gateway));
    // In the URL, with and without a user.
    for user in ["", "default"] {
        let options = fleet_options(&format!("redis://{user}:s3cret@127.0.0.1:{}/3", valkey.port));
        assert!(!format!("{options:?}").contains("s3cret"));
        assert!(is_shared(&start(&limited(1.0, 1), options)), "{user:?}");
    }
    let mut options = fleet_options(&valkey.url());
    options.password = Some(Password::Text("s3cret".to_owned().into()));
    assert!(!format!("{options:?}").contains("s3cret"));
    assert!(is_shared(&start(&limited(1.0, 1), options)));
    assert!(
        !is_shared(&start(&limited(1.0, 1), fleet_options(&valkey.url()))),
        "without one"
    );
}

#[test]
fn the_published_rights_suffice() {
    let Some(valkey) = valkey(&[]) else { return };
    let rights = published_rights();
    let rights: Vec<&str> = rights.iter().map(String::as_str).collect();
    assert_eq!(valkey.command(&rights), "OK");
    let (user, prefix) = (
        rights[2],
        rights.iter().find_map(|right| right.strip_prefix('~')).unwrap(),
    );
    let password = rights.iter().find_map(|right| right.strip_prefix('>')).unwrap();
    let mut options = fleet_options(&format!("redis://{user}:{password}@127.0.0.1:{}", valkey.port));
    options.prefix = prefix.trim_end_matches('*').to_owned();
    let gateway = start(&limited(0.001, 2), options.clone());
    assert!(is_shared(&gateway));
    assert!(passes(&gateway) && passes(&gateway) && !passes(&gateway));
    assert!(is_shared(&gateway));
    gateway.server.stop(Duration::from_secs(1));
    let keys = valkey.command(&["KEYS", "*"]);
    assert!(keys.lines().all(|key| key.starts_with(&options.prefix)), "{keys}");
    // Another prefix is none of its business.
    options.prefix = "other:".to_owned();
    assert!(!is_shared(&start(&limited(1.0, 1), options)));
}

#[test]
fn a_socket_of_the_file_system() {
    let directory = Directory::empty();
    let path = directory.path().join("v.sock");
    let path = path.to_str().unwrap().to_owned();
    let Some(_valkey) = valkey_in(directory, &["--unixsocket", &path]) else {
        return;
    };
    let gateway = start(&limited(0.001, 1), fleet_options(&format!("unix:{path}")));
    assert!(is_shared(&gateway));
    assert!(passes(&gateway) && !passes(&gateway));
}

#[test]
fn over_tls_names_are_verified() {
    let authority = Authority::new();
    let directory = Directory::empty();
    let (certificate, key) = authority.pair("localhost");
    directory.write("ca.pem", &authority.pem);
    directory.write("cert.pem", &certificate);
    directory.write("key.pem", &key);
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let port = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let (certificate, key, ca) = (file("cert.pem"), file("key.pem"), file("ca.pem"));
    let tls = [
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &ca,
        "--tls-auth-clients",
        "no",
    ];
    let Some(_valkey) = valkey_in(Directory::empty(), &tls) else {
        return;
    };
    for (host, ca, expected) in [
        ("localhost", Some(&ca), true),
        ("127.0.0.1", Some(&ca), false),
        ("localhost", None, false),
    ] {
        let mut options = fleet_options("redis://h");
        options.address = Address::parse(&format!("rediss://{host}:{port}")).unwrap();
        options.ca = ca.map(Into::into);
        assert_eq!(is_shared(&start(&limited(1.0, 1), options)), expected, "{host} {ca:?}");
    }
}
