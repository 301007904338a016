//! `--version` and `--help` tell the commands, and every option with its default.

use super::{OPTIONS, TEMPLATE_OPTIONS};
use crate::support::program::run;

#[test]
fn the_version_is_the_package_s() {
    let ended = run(&["--version"]);
    assert_eq!(ended.code(), 0);
    assert_eq!(ended.stdout, [concat!("apigateway ", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn short_options_stand_for_long_ones() {
    for (short, long) in [
        (&["-V"][..], &["--version"][..]),
        (&["-h"], &["--help"]),
        (&["routes", "-h"], &["routes", "--help"]),
    ] {
        let (short, long) = (run(short), run(long));
        assert_eq!((short.code(), short.stdout), (0, long.stdout));
    }
}

#[test]
fn an_unrecognized_argument_is_told_where_to_look() {
    for arguments in [
        &["--lissten"][..],
        &["chekc"],
        &["check", "--lissten"],
        &["check", "-V"],
    ] {
        let ended = run(arguments);
        let refusal = ended.refusal();
        assert!(refusal.starts_with("Unrecognized argument: "), "{refusal}");
        assert!(refusal.ends_with("; see apigateway --help"), "{refusal}");
    }
}

#[test]
fn help_tells_the_commands() {
    let ended = run(&["--help"]);
    assert_eq!(ended.code(), 0);
    assert!(ended.stdout[0].starts_with("Usage: apigateway "), "{ended:?}");
    let text = ended.stdout.join("\n");
    for word in [
        "init",
        "serve",
        "check",
        "routes",
        "import",
        "export",
        "completions",
        "man",
        "NO_COLOR",
        "--version",
        "--help",
        "APIGATEWAY_",
    ] {
        assert!(text.contains(word), "{word}: {text}");
    }
    assert_eq!(ended.stderr, [""; 0]);
}

#[test]
fn help_of_serve_lists_every_option_with_its_default() {
    let ended = run(&["serve", "--help"]);
    assert_eq!(ended.code(), 0);
    let mut listed: Vec<&str> = ended
        .stdout
        .iter()
        .filter_map(|line| line.strip_prefix("  --")?.split([' ', ',']).next())
        .collect();
    listed.sort_unstable();
    if cfg!(feature = "tiny_http") {
        listed.retain(|name| *name != "front");
    }
    let of_templates = TEMPLATE_OPTIONS.iter().map(|name| &name[2..]);
    let of_files = OPTIONS.iter().map(|(name, _)| &name[2..]);
    let mut options: Vec<&str> = of_files
        .chain(of_templates)
        .chain(["capture-secrets", "help"])
        .collect();
    options.sort_unstable();
    assert_eq!(listed, options);
    let text = ended.stdout.join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    let text = text.split(" Examples: ").next().unwrap();
    for (option, default) in [
        ("--root", "."),
        ("--listen", "127.0.0.1:8000"),
        ("--admin", "127.0.0.1:8001"),
        ("--workers", "512"),
        ("--region", "us-east-1"),
        ("--access-log", "-"),
        ("--log-level", "info"),
        ("--log-format", "text on a terminal, else json"),
        ("--account-id", "123456789012"),
        ("--max-connections", "10000"),
        ("--head-timeout", "10"),
        ("--body-timeout", "30"),
        ("--dns-ttl", "5"),
        ("--idle-timeout", "75"),
        ("--write-timeout", "30"),
        ("--grace", "25"),
    ] {
        let described = text.rsplit(&format!("{option} ")).next().unwrap();
        let own = described.split(" --").next().unwrap();
        assert!(own.ends_with(&format!("default: {default}")), "{option}: {own}");
    }
}

#[test]
fn help_of_check_lists_its_options() {
    let ended = run(&["check", "--help"]);
    assert_eq!(ended.code(), 0);
    assert!(
        ended.stdout.iter().any(|line| line.starts_with("  --root ")),
        "{ended:?}"
    );
    assert!(!ended.stdout.iter().any(|line| line.contains("--listen")), "{ended:?}");
}
