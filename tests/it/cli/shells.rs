//! Completions of shells and the manual page name every command and every option that `--help` names.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::directory::Directory;
use crate::support::program::{program, run, small_api};

const COMMANDS: [&str; 8] = [
    "init",
    "serve",
    "check",
    "routes",
    "import",
    "export",
    "completions",
    "man",
];

/// The options that the help of a command lists.
fn options_of(command: &str) -> BTreeSet<String> {
    let help = run(&[command, "--help"]).stdout;
    let words = help
        .iter()
        .filter_map(|line| line.strip_prefix("  --")?.split([' ', ',']).next());
    words
        .filter(|word| *word != "help")
        .map(|word| format!("--{word}"))
        .collect()
}

fn printed(arguments: &[&str]) -> String {
    let ended = run(arguments);
    assert_eq!(ended.code(), 0, "{ended:?}");
    ended.stdout.join("\n") + "\n"
}

#[test]
fn each_shell_gets_every_command_and_option() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        for command in COMMANDS {
            assert!(script.contains(command), "{shell}: {command}");
            for option in options_of(command) {
                let written = match shell {
                    "fish" => format!("-l {}", option.trim_start_matches('-')),
                    _ => option,
                };
                assert!(script.contains(&written), "{shell}: {command} {written}");
            }
        }
    }
}

#[test]
fn the_scripts_are_of_their_shells() {
    for shell in ["bash", "zsh", "fish"] {
        let script = printed(&["completions", shell]);
        let child = Command::new(shell)
            .arg("-n")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        // Not every machine has every shell.
        let Ok(mut child) = child else { continue };
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{shell}: {output:?}"
        );
    }
}

/// What bash offers at the end of a line.
fn offered(line: &str) -> Option<BTreeSet<String>> {
    let script = printed(&["completions", "bash"]);
    let words: Vec<String> = line.split(' ').map(|word| format!("'{word}'")).collect();
    let probe = format!(
        "{script}\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_apigateway\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        words.join(" "),
        words.len() - 1
    );
    let output = Command::new("bash").arg("-c").arg(probe).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

#[test]
fn bash_offers_what_can_come_next() {
    for (line, expected) in [
        ("apigateway ro", vec!["routes"]),
        ("apigateway completions ", vec!["--help", "bash", "fish", "zsh"]),
        ("apigateway serve --log-format ", vec!["json", "text"]),
        ("apigateway --list", vec!["--listen"]),
        ("apigateway --console ", vec!["off", "on"]),
        ("apigateway --listen x --log-format ", vec!["json", "text"]),
        ("apigateway serve --capture ", vec!["always", "auto", "off"]),
        ("apigateway routes --format ", vec!["json", "text"]),
        ("apigateway export --format ", vec!["json", "yaml"]),
        ("apigateway routes --m", vec!["--match"]),
    ] {
        let Some(offered) = offered(line) else { return };
        assert_eq!(offered, expected.into_iter().map(str::to_owned).collect(), "{line}");
    }
}

/// What fish offers at the end of a line, once it has read the script as a file.
fn offered_by_fish(line: &str) -> Option<BTreeSet<String>> {
    let directory = Directory::empty();
    directory.write("apigateway.fish", &printed(&["completions", "fish"]));
    let probe = format!("source apigateway.fish; complete -C '{line}'");
    let mut command = Command::new("fish");
    command.args(["-N", "-c", &probe]).current_dir(directory.path());
    let output = command.env("HOME", directory.path()).output().ok()?;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    let words = text.lines().map(|line| line.split('\t').next().unwrap().to_owned());
    Some(words.collect())
}

#[test]
fn fish_offers_the_options_of_the_command() {
    for (line, expected) in [
        ("apigateway --list", vec!["--listen"]),
        ("apigateway serve --list", vec!["--listen"]),
        ("apigateway check --list", vec![]),
        ("apigateway check --fo", vec!["--format"]),
        ("apigateway export --format ", vec!["json", "yaml"]),
        ("apigateway --console ", vec!["off", "on"]),
    ] {
        let Some(offered) = offered_by_fish(line) else { return };
        assert_eq!(offered, expected.into_iter().map(str::to_owned).collect(), "{line}");
    }
}

#[test]
fn zsh_has_the_values_of_options() {
    let script = printed(&["completions", "zsh"]);
    for values in ["(on off)", "(auto always off)", "(text json)", "(yaml json)"] {
        assert!(script.contains(&format!(":{values}'")), "{values}");
    }
}

#[test]
fn braces_are_as_help_prints_them() {
    for arguments in [
        &["man"][..],
        &["completions", "bash"],
        &["completions", "zsh"],
        &["completions", "fish"],
    ] {
        let text = printed(arguments);
        let has_descriptions = arguments != ["completions", "bash"];
        assert_eq!(text.contains("{ApiId}"), has_descriptions, "{arguments:?}");
        assert!(!text.contains("{{") && !text.contains("}}"), "{arguments:?}");
    }
}

/// A file is made of what they print: it must not be cut in silence.
#[test]
fn a_stdout_that_takes_nothing_is_an_error() {
    let api = small_api();
    let root = api.path().to_str().unwrap();
    for arguments in [&["completions", "zsh"][..], &["man"], &["export", "--root", root]] {
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let full = OpenOptions::new().write(true).open("/dev/full");
        // Not every system has the full device.
        let sinks = [Some(Stdio::from(closed)), full.ok().map(Stdio::from)];
        for sink in sinks.into_iter().flatten() {
            let mut command = program();
            command.args(arguments).stdout(sink);
            let output = command.output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
            assert!(
                said.lines().any(|line| line.starts_with("stdout cannot be written: ")),
                "{said}"
            );
        }
    }
}

/// What people read may be cut by whoever has seen enough, as `head` has, but not by a disk that is full.
#[test]
fn a_stdout_that_is_full_is_an_error_and_a_closed_one_is_none() {
    let api = small_api();
    let root = api.path().to_str().unwrap();
    let source = api.path().join("api.yaml");
    let document = "openapi: 3.0.1\ninfo: {title: pets, version: '1'}\npaths: {}\n";
    std::fs::write(&source, document).unwrap();
    let source = source.to_str().unwrap();
    let places = Directory::empty();
    let place = |name: String| places.path().join(name).to_str().unwrap().to_owned();
    for (number, arguments) in [
        &["--help"][..],
        &["--version"],
        &["serve", "--help"],
        &["check", "--root", root],
        &["check", "--root", root, "--format", "json"],
        &["routes", "--root", root],
        &["routes", "--root", root, "--format", "json"],
        &["routes", "--root", root, "--match", "GET /x"],
        &["init", "PLACE"],
        &["init", "--from", source, "PLACE"],
        &["import", source, "--root", "PLACE"],
    ]
    .into_iter()
    .enumerate()
    {
        let run = |sink: Stdio, place: &str| {
            let arguments = arguments.iter().map(|argument| match *argument {
                "PLACE" => place,
                other => other,
            });
            let output = program().args(arguments).stdout(sink).output().unwrap();
            (output.status.code(), String::from_utf8(output.stderr).unwrap())
        };
        let (reader, closed) = std::io::pipe().unwrap();
        drop(reader);
        let (code, said) = run(closed.into(), &place(format!("closed{number}")));
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        // Not every system has the full device.
        let Ok(full) = OpenOptions::new().write(true).open("/dev/full") else {
            continue;
        };
        let (code, said) = run(full.into(), &place(format!("full{number}")));
        assert_eq!(code, Some(1), "{arguments:?}: {said}");
        let is_told = said
            .lines()
            .any(|line| line.starts_with("stdout cannot be written: No space left"));
        assert!(is_told, "{arguments:?}: {said}");
    }
}

#[test]
fn bash_offers_all_options_of_a_command() {
    for command in COMMANDS {
        let Some(offered) = offered(&format!("apigateway {command} --")) else {
            return;
        };
        let mut expected = options_of(command);
        expected.insert("--help".to_owned());
        assert_eq!(offered, expected, "{command}");
    }
}

#[test]
fn the_manual_page_has_every_command_and_option() {
    let page = printed(&["man"]);
    assert!(page.starts_with(".TH APIGATEWAY 1 "), "{page}");
    let plain = page.replace("\\-", "-");
    for command in COMMANDS {
        assert!(plain.contains(&format!(".B apigateway {command}\n")), "{command}");
        for option in options_of(command) {
            assert!(plain.contains(&format!("\\fB{option}\\fR")), "{command} {option}");
        }
    }
    assert!(plain.contains("NO_COLOR"));
    // A line that began with a dot would be a command of roff.
    let known = [".TH", ".SH", ".TP", ".B", ".I", ".PP", ".nf", ".fi"];
    for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
        assert!(known.contains(&line.split(' ').next().unwrap()), "{line}");
    }
}

#[test]
fn an_unknown_shell_is_refused() {
    assert_eq!(
        run(&["completions", "tcsh"]).refusal(),
        "completions: \"tcsh\" is not bash, zsh or fish"
    );
}

#[test]
fn help_has_examples() {
    for command in COMMANDS {
        let help = printed(&[command, "--help"]);
        let examples = help
            .split("\nExamples:\n")
            .nth(1)
            .unwrap_or_else(|| panic!("{command}: {help}"));
        assert!(examples.contains("apigateway"), "{command}: {examples}");
    }
}
