//! The console's page: what its files hold, and what it does in Chromium, where that is installed.
//!
//! `tests/clients/console.py` has the cases of the browser. It wants Debian's `chromium` and `chromium-driver`, selenium
//! in `target/selenium` and axe-core in `target/axe`, which `.ci/run` installs.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::repository::{root, text_of};

const FILES: [&str; 4] = ["index.html", "app.js", "app.css", "icon.svg"];

fn file(name: &str) -> String {
    text_of(&format!("src/management/console/{name}"))
}

/// N1: 60 KB with gzip. Without that program a bound on what is compressed holds: of these files gzip leaves 30 %.
#[test]
fn the_page_is_small() {
    let mut compressed = 0;
    let mut raw = 0;
    for name in FILES {
        let text = file(name);
        raw += text.len();
        let mut command = Command::new("gzip");
        command.args(["-9", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped());
        let Ok(mut process) = command.spawn() else { continue };
        let mut stdin = process.stdin.take().unwrap();
        let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
        compressed += process.wait_with_output().unwrap().stdout.len();
        writer.join().unwrap().unwrap();
    }
    assert!(compressed <= 60_000, "{compressed} B with gzip");
    assert!(raw <= 190_000, "{raw} B");
}

/// N18: no word by which a string becomes markup or code.
#[test]
fn no_string_becomes_markup_or_code() {
    let script = file("app.js");
    for word in [
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval",
        "new Function",
        "DOMParser",
        "createContextualFragment",
        "setHTMLUnsafe",
        "javascript:",
        "srcdoc",
        "createPolicy",
    ] {
        let found = script.lines().position(|line| line.contains(word));
        assert_eq!(
            found,
            None,
            "app.js has {word} in line {}",
            found.unwrap_or_default() + 1
        );
    }
    // What calls by a text, which is as bad.
    for call in ["setTimeout('", "setTimeout(\"", "setTimeout(`", "setInterval("] {
        assert!(!script.contains(call), "app.js has {call}");
    }
}

/// N3, N1: all code and all style are in files of their own, and everything comes from here.
#[test]
fn the_page_has_no_inline_code_and_names_no_other_host() {
    let page = file("index.html");
    let handlers = page.split_whitespace().filter(|word| {
        let name = word.split('=').next().unwrap_or_default();
        word.contains('=') && name.len() > 2 && name.starts_with("on")
    });
    assert_eq!(handlers.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(
        !page.contains("<style") && !page.contains(" style="),
        "a style stands in the page"
    );
    assert_eq!(page.matches("<script").count(), 1);
    assert!(page.contains("<script src=\"/console/app.js\"></script>"));
    for name in FILES {
        let text = file(name);
        let urls = text.match_indices("//").filter_map(|(at, _)| {
            let scheme = text
                .get(..at)?
                .strip_suffix("http:")
                .or(text.get(..at)?.strip_suffix("https:"));
            scheme.and(text.get(at + 2..)?.split(['/', '"', '\'', '`', ' ', ',']).next())
        });
        for host in urls {
            let host = host.split(':').next().unwrap_or_default();
            let is_known =
                ["127.0.0.1", "www.w3.org", "{endpoint}", ""].contains(&host) || host.ends_with("example.com");
            assert!(is_known, "{name} names {host}");
        }
    }
    for word in ["@import", "url("] {
        assert!(!file("app.css").contains(word), "app.css has {word}");
    }
}

/// N10 to N24, in a browser.
#[test]
fn the_page_in_chromium() {
    let python = root().join("target/selenium/bin/python");
    let axe = root().join("target/axe/node_modules/axe-core/axe.min.js");
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let missing = [
        (is_there("chromium"), "chromium"),
        (is_there("chromedriver"), "chromedriver"),
        (python.exists(), "target/selenium"),
        (axe.exists(), "target/axe"),
    ];
    let missing: Vec<&str> = missing.iter().filter(|(is, _)| !is).map(|(_, name)| *name).collect();
    if !missing.is_empty() {
        // Not by a macro, whose output is shown for tests that fail only.
        let text = format!(
            "\nNOT TESTED: the console in a browser, since {} is not there; .ci/run installs it\n",
            missing.join(", ")
        );
        std::io::stderr().lock().write_all(text.as_bytes()).unwrap();
        return;
    }
    let mut command = Command::new(python);
    command.arg("-B").arg(root().join("tests/clients/console.py"));
    command.args([env!("CARGO_BIN_EXE_apigateway").as_ref(), axe.as_os_str()]);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("APIGATEWAY_") || name.starts_with("AWS_") {
            command.env_remove(name);
        }
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{said}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(said.ends_with("done\n"), "{said}");
}
