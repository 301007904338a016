//! Certificates that change while requests go on (T4).

use std::fs;
use std::os::unix::fs::symlink;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Https;
use crate::support::client::get;
use crate::support::endpoint::Endpoint;
use crate::support::https::{Certified, TlsClient, params, write_key};
use crate::support::wait::wait_until;

/// The certificate that a new connection gets.
fn shown(https: &Https, name: &str) -> Vec<u8> {
    let client = https.connect(name);
    client.tls.peer_certificates().unwrap()[0].to_vec()
}

#[test]
fn a_new_pair_is_served_within_a_second_and_no_connection_is_closed() {
    let https = Https::with_domain("live.test", None);
    let mut client = https.connect("live.test");
    let is_over = AtomicBool::new(false);
    let (address, config) = (https.gateway.address, https.config());
    let connect = || TlsClient::connect(address, "live.test", &config);
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut kept = connect();
                while !is_over.load(Ordering::SeqCst) {
                    assert_eq!(kept.get("live.test", "/kept").status, 200);
                    assert_eq!(connect().get("live.test", "/new").status, 200);
                    answered.fetch_add(2, Ordering::SeqCst);
                }
            });
        }
        for _ in 0..3 {
            assert_eq!(client.get("live.test", "/before").status, 200);
            let next = Certified::by(&https.authority, params("live.test"));
            let begun = Instant::now();
            // Key and certificate one after the other: in between, the old pair serves on.
            write_key(&https.gateway.directory, "live.test", &next.key_pem);
            thread::sleep(Duration::from_millis(600));
            https.gateway.directory.write("live.test.pem", &next.pem);
            wait_until("the new certificate is served", || {
                shown(&https, "live.test") == next.der.to_vec()
            });
            assert!(begun.elapsed() < Duration::from_secs(6), "T4: {:?}", begun.elapsed());
            assert_eq!(
                client.get("live.test", "/after").status,
                200,
                "T4: the connection goes on"
            );
        }
        is_over.store(true, Ordering::SeqCst);
    });
    assert!(answered.load(Ordering::SeqCst) > 10);
}

#[test]
fn a_reload_that_is_asked_for_is_seen_by_every_handshake_after_it() {
    let https = Https::with_domain("live.test", None);
    for _ in 0..5 {
        let next = Certified::by(&https.authority, params("live.test"));
        next.write(&https.gateway.directory, "live.test");
        https.gateway.server.reload();
        assert_eq!(shown(&https, "live.test"), next.der.to_vec(), "T4");
    }
}

#[test]
fn a_link_that_is_swapped_is_a_change_wherever_the_files_lie() {
    let outside = crate::support::directory::Directory::empty();
    let https = Https::with(
        Endpoint::telling_the_target(),
        |directory, authority| {
            // As an orchestrator mounts a secret: a link to a directory with the files of one version.
            for version in ["one", "two"] {
                fs::create_dir(outside.path().join(version)).unwrap();
                let pair = Certified::by(authority, params("listener.test"));
                outside.write(&format!("{version}/tls.pem"), &pair.pem);
                write_key(&outside, &format!("{version}/tls"), &pair.key_pem);
            }
            symlink("one", outside.path().join("..data")).unwrap();
            for (name, target) in [("listener.pem", "tls.pem"), ("listener.key", "tls.key")] {
                directory.remove(name);
                symlink(outside.path().join("..data").join(target), directory.path().join(name)).unwrap();
            }
        },
        |options| options,
    );
    let before = shown(&https, "listener.test");
    symlink("two", outside.path().join("..next")).unwrap();
    fs::rename(outside.path().join("..next"), outside.path().join("..data")).unwrap();
    wait_until("the other version is served", || {
        shown(&https, "listener.test") != before
    });
}

#[test]
fn a_pair_that_does_not_hold_leaves_the_old_one() {
    let https = Https::with(
        Endpoint::telling_the_target(),
        |_, _| {},
        |mut options| {
            options.admin = Some("127.0.0.1:0".to_owned());
            options
        },
    );
    let before = shown(&https, "listener.test");
    let admin = https.gateway.server.admin_addr().unwrap();
    let is_stale = || {
        get(admin, "/metrics")
            .text()
            .contains("apigateway_config_stale{unit=\"tls\"} 1\n")
    };
    assert!(!is_stale());
    https.gateway.directory.write("listener.pem", "no certificate");
    wait_until("the pair is stale", is_stale);
    assert_eq!(shown(&https, "listener.test"), before, "T4");
    https.gateway.directory.remove("listener.key");
    https.gateway.server.reload();
    assert_eq!(shown(&https, "listener.test"), before, "T4");
    let next = Certified::by(&https.authority, params("listener.test"));
    next.write(&https.gateway.directory, "listener");
    wait_until("the next pair is served", || {
        shown(&https, "listener.test") == next.der.to_vec()
    });
    assert!(!is_stale());
    let page = get(admin, "/metrics").text();
    assert!(
        page.contains("apigateway_certificate_expiry_timestamp_seconds{domain=\"-\"} "),
        "{page}"
    );
}
