//! Clients that are not ours: `openssl s_client` and curl (T1, T2, T9, C1).

use std::io::Write;
use std::process::{Command, Stdio};

use super::Https;
use crate::support::endpoint::Endpoint;
use crate::support::https::{Certified, authority_params, client_params, openssl, write_key};

const REQUEST: &str = "GET /a HTTP/1.1\r\nHost: mutual.test\r\nConnection: close\r\n\r\n";

/// What `openssl s_client` says of a connection on which that is sent.
fn s_client(https: &Https, arguments: &[&str], input: &str) -> String {
    let address = https.gateway.address.to_string();
    let mut client = Command::new("openssl")
        .args(["s_client", "-connect", &address])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It may have ended by then.
    let _ = client.stdin.take().unwrap().write_all(input.as_bytes());
    let output = client.wait_with_output().unwrap();
    format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// A request with these arguments, which is answered, or not.
fn ask(https: &Https, arguments: &[&str]) -> (bool, String) {
    let said = s_client(https, &[arguments, &["-ign_eof"]].concat(), REQUEST);
    (said.contains("HTTP/1.1 200 OK"), said)
}

/// The path of a file beside the API.
fn path(https: &Https, name: &str) -> String {
    https.gateway.directory.path().join(name).to_str().unwrap().to_owned()
}

/// A listener with a certificate of RSA, with which older key exchanges would be possible, too.
fn with_rsa() -> Https {
    let prepare = |directory: &crate::support::directory::Directory, _: &Certified| {
        write_key(directory, "listener", &openssl(&["genrsa", "2048"]));
        let path = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        let (key, certificate) = (path("listener.key"), path("listener.pem"));
        let subject = ["-subj", "/CN=a.test", "-addext", "subjectAltName=DNS:a.test"];
        let made = ["req", "-x509", "-key", &key, "-days", "40", "-out", &certificate];
        openssl(&[&made[..], &subject].concat());
    };
    Https::with(Endpoint::telling_the_target(), prepare, |options| options)
}

#[test]
fn old_versions_and_ciphers_are_refused() {
    let https = with_rsa();
    for (arguments, expected) in [
        (&["-tls1_3"][..], true),
        (&["-tls1_2"], true),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"], true),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES256-GCM-SHA384"], true),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"], true),
        // Without forward secrecy, over another group, or with CBC.
        (&["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0"], false),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:@SECLEVEL=0"], false),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], false),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], false),
    ] {
        let (is_answered, said) = ask(&https, arguments);
        assert_eq!(is_answered, expected, "T2: {arguments:?}: {said}");
        // It was the gateway that refused.
        let has_alert = said.contains("SSL alert number 40") || said.contains("SSL alert number 70");
        assert_eq!(has_alert, !expected, "T2: {arguments:?}: {said}");
        assert!(said.contains("Compression: NONE"), "T2: {said}");
    }
}

#[test]
fn nothing_is_renegotiated_and_no_data_is_early() {
    let https = with_rsa();
    let said = s_client(&https, &["-tls1_2"], "R\n");
    assert!(
        said.contains("RENEGOTIATING") && said.contains("no renegotiation"),
        "T2: {said}"
    );
    let session = path(&https, "session");
    let (is_answered, said) = ask(&https, &["-tls1_3", "-sess_out", &session]);
    assert!(is_answered && said.contains("Max Early Data: 0"), "T2: {said}");
    // T9: of several connections, too.
    https.gateway.directory.write("early", REQUEST);
    let (early, next) = (path(&https, "early"), path(&https, "next"));
    for arguments in [
        &["-tls1_3", "-sess_in", &session, "-sess_out", &next][..],
        &["-tls1_3", "-sess_in", &next, "-early_data", &early],
    ] {
        let (is_answered, said) = ask(&https, arguments);
        assert!(is_answered && said.contains("Reused, TLSv1.3"), "T9: {said}");
        assert!(said.contains("Early data was not sent"), "T2: {said}");
    }
    assert_eq!(https.endpoint.rest().len(), 3, "T2: nothing was asked twice");
}

#[test]
fn chains_of_clients_have_signatures_and_keys_that_hold() {
    let root = Certified::own(authority_params("Root"));
    let https = Https::with_domain("mutual.test", Some(&root));
    root.write(&https.gateway.directory, "root");
    let (issuer, issuer_key) = (path(&https, "root.pem"), path(&https, "root.key"));
    let (leaf, leaf_key) = (path(&https, "leaf.pem"), path(&https, "leaf.key"));
    let (request, extensions) = (path(&https, "leaf.csr"), path(&https, "leaf.ext"));
    let usage = "basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n";
    https.gateway.directory.write("leaf.ext", usage);
    let p384 = ["ecparam", "-name", "secp384r1", "-genkey", "-noout"];
    let p521 = ["ecparam", "-name", "secp521r1", "-genkey", "-noout"];
    for (what, key, digest, expected) in [
        ("RSA", &["genrsa", "2048"][..], "-sha256", true),
        ("P-384", &p384, "-sha384", true),
        ("Ed25519", &["genpkey", "-algorithm", "ed25519"], "-sha256", true),
        ("SHA-1", &p384, "-sha1", false),
        ("a small RSA", &["genrsa", "1024"], "-sha256", false),
        ("P-521", &p521, "-sha256", false),
    ] {
        write_key(&https.gateway.directory, "leaf", &openssl(key));
        openssl(&[
            "req",
            "-new",
            "-key",
            &leaf_key,
            "-subj",
            "/CN=client",
            "-out",
            &request,
        ]);
        let made = ["x509", "-req", "-in", &request, "-CA", &issuer, "-CAkey", &issuer_key];
        let rest = ["-extfile", &extensions, "-set_serial", "7", digest, "-out", &leaf];
        openssl(&[&made[..], &rest].concat());
        for version in ["-tls1_2", "-tls1_3"] {
            let shown = ["-servername", "mutual.test", "-cert", &leaf, "-key", &leaf_key];
            let lenient = ["-cipher", "DEFAULT:@SECLEVEL=0", version];
            let (is_answered, said) = ask(&https, &[&shown[..], &lenient].concat());
            assert_eq!(is_answered, expected, "C1: {what}, {version}: {said}");
        }
    }
    let (is_answered, said) = ask(&https, &["-servername", "mutual.test"]);
    assert!(!is_answered && said.contains("SSL alert number 116"), "C1: {said}");
}

#[test]
fn curl_verifies_the_gateway_and_shows_its_certificate() {
    let clients = Certified::own(authority_params("Clients"));
    let https = Https::with_domain("mutual.test", Some(&clients));
    https.gateway.directory.write("authority.pem", &https.authority.pem);
    Certified::by(&clients, client_params("curl")).write(&https.gateway.directory, "curl");
    let (authority, pem, key) = (
        path(&https, "authority.pem"),
        path(&https, "curl.pem"),
        path(&https, "curl.key"),
    );
    let shown = ["--cert", &pem, "--key", &key];
    for (name, arguments, expected) in [
        ("listener.test", &["--tlsv1.3"][..], "/a"),
        ("listener.test", &["--tlsv1.2", "--tls-max", "1.2"], "/a"),
        ("listener.test", &["--http2"], "/a"),
        ("mutual.test", &shown, "/a"),
        // Refused by an alert.
        ("mutual.test", &[], ""),
    ] {
        let port = https.gateway.address.port();
        let output = Command::new("curl")
            .args([
                "-s",
                "--cacert",
                &authority,
                "--resolve",
                &format!("{name}:{port}:127.0.0.1"),
            ])
            .args(arguments)
            .arg(format!("https://{name}:{port}/a"))
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&output.stdout),
            expected,
            "{name}, {arguments:?}: {output:?}"
        );
    }
}
