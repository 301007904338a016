//! Completions of shells and the manual page, made of the same table as `--help`.

use std::fmt::Write;

use argh::{ArgsInfo, CommandInfoWithArgs, FlagInfo, FlagInfoKind};

use crate::command_line::Arguments;

/// Options whose values are paths.
const PATHS: [&str; 2] = ["file", "dir"];

/// What makes a shell complete commands and options; none for an unknown shell.
pub(crate) fn completions(shell: &str) -> Option<String> {
    let info = Arguments::get_args_info();
    match shell {
        "bash" => Some(bash(&info)),
        "zsh" => Some(zsh(&info)),
        "fish" => Some(fish(&info)),
        _ => None,
    }
}

fn options<'a>(info: &'a CommandInfoWithArgs) -> impl Iterator<Item = &'a FlagInfo<'a>> {
    info.flags.iter().filter(|flag| !flag.hidden && flag.long != "--help")
}

/// The name of an option's value; none for a switch.
fn value<'a>(flag: &FlagInfo<'a>) -> Option<&'a str> {
    match flag.kind {
        FlagInfoKind::Option { arg_name } => Some(arg_name),
        FlagInfoKind::Switch => None,
    }
}

fn takes_path(flag: &FlagInfo<'_>) -> bool {
    value(flag).is_some_and(|name| PATHS.contains(&name))
}

/// The values that an option of a command takes, if they are few words.
fn choices(command: &str, flag: &FlagInfo<'_>) -> &'static [&'static str] {
    match (command, flag.long) {
        ("export", "--format") => &["yaml", "json"],
        (_, "--format" | "--log-format") => &["text", "json"],
        (_, "--log-level") => &["error", "warn", "info", "debug"],
        (_, "--control-plane") => &["off", "open", "signed"],
        (_, "--console") => &["on", "off"],
        (_, "--capture") => &["auto", "always", "off"],
        (_, "--basepath") => &["ignore", "prepend", "split"],
        (_, "--language") => &["python", "node"],
        _ => &[],
    }
}

/// A text of the table as `--help` prints it: the table has braces doubled.
fn plain(text: &str) -> String {
    text.replace("{{", "{").replace("}}", "}")
}

fn bash(info: &CommandInfoWithArgs) -> String {
    let names: Vec<&str> = info.commands.iter().map(|command| command.name).collect();
    let mut cases = String::new();
    for command in &info.commands {
        let words: Vec<&str> = options(&command.command).map(|flag| flag.long).collect();
        let words = [words.join(" "), words_of_position(command.name).join(" ")].join(" ");
        let _ = writeln!(
            cases,
            "        {}) words=\"{} --help\" ;;",
            command.name,
            words.trim_end()
        );
    }
    let mut values = String::new();
    let mut paths: Vec<String> = Vec::new();
    for command in &info.commands {
        for flag in options(&command.command) {
            let choices = choices(command.name, flag);
            if !choices.is_empty() {
                let mut pattern = format!("\"{} {}\"", command.name, flag.long);
                if command.name == "serve" {
                    let _ = write!(pattern, "|--*\" {}\"", flag.long);
                }
                let _ = writeln!(
                    values,
                    "        {pattern}) COMPREPLY=($(compgen -W \"{}\" -- \"$current\")); return ;;",
                    choices.join(" ")
                );
            } else if takes_path(flag) {
                let pattern = format!("*\" {}\"", flag.long);
                if !paths.contains(&pattern) {
                    paths.push(pattern);
                }
            }
        }
    }
    format!(
        r#"# apigateway, for bash: source <(apigateway completions bash)
_apigateway() {{
    local current="${{COMP_WORDS[COMP_CWORD]}}" previous="${{COMP_WORDS[COMP_CWORD-1]}}" words
    COMPREPLY=()
    case "${{COMP_WORDS[1]}} $previous" in
{values}        {paths}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    esac
    case "${{COMP_WORDS[1]}}" in
{cases}        --*) words="{serve}" ;;
        *) words="{names} --version --help" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$current"))
    if [ "$COMP_CWORD" -gt 1 ] && [ "${{#COMPREPLY[@]}}" -eq 0 ]; then
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}}
complete -o filenames -F _apigateway apigateway
"#,
        paths = paths.join("|"),
        names = names.join(" "),
        serve = serve_options(info).join(" "),
    )
}

/// Without a command, the options are those of `serve`.
fn serve_options(info: &CommandInfoWithArgs) -> Vec<&str> {
    let serve = info.commands.iter().find(|command| command.name == "serve");
    let of_serve = serve.into_iter().flat_map(|command| options(&command.command));
    of_serve.map(|flag| flag.long).chain(["--version", "--help"]).collect()
}

fn words_of_position(command: &str) -> &'static [&'static str] {
    match command {
        "completions" => &["bash", "zsh", "fish"],
        _ => &[],
    }
}

fn zsh(info: &CommandInfoWithArgs) -> String {
    let quoted = |text: &str| {
        plain(text)
            .replace('\'', "'\\''")
            .replace('[', "\\[")
            .replace(']', "\\]")
            .replace(':', "\\:")
    };
    let mut commands = String::new();
    let mut cases = String::new();
    for command in &info.commands {
        let _ = writeln!(
            commands,
            "        '{}:{}'",
            command.name,
            quoted(first_sentence(command.command.description))
        );
        let _ = write!(cases, "        {})\n            _arguments", command.name);
        for flag in options(&command.command) {
            let value = match value(flag) {
                None => String::new(),
                Some(name) => {
                    let choices = choices(command.name, flag);
                    let action = match (choices.is_empty(), takes_path(flag)) {
                        (false, _) => format!("({})", choices.join(" ")),
                        (true, true) => "_files".to_owned(),
                        (true, false) => " ".to_owned(),
                    };
                    format!(":{}:{action}", quoted(name))
                }
            };
            let _ = write!(
                cases,
                " \\\n                '{}[{}]{value}'",
                flag.long,
                quoted(flag.description)
            );
        }
        let words = words_of_position(command.name);
        match (words.is_empty(), command.command.positionals.is_empty()) {
            (false, _) => {
                let _ = write!(cases, " \\\n                '1:shell:({})'", words.join(" "));
            }
            (true, false) => cases.push_str(" \\\n                '*:file:_files'"),
            (true, true) => {}
        }
        cases.push_str("\n            ;;\n");
    }
    format!(
        r#"#compdef apigateway
# apigateway, for zsh: apigateway completions zsh > a directory of $fpath, as _apigateway
_apigateway() {{
    local -a commands
    commands=(
{commands}    )
    if (( CURRENT == 2 )) && [[ ${{words[2]}} != -* ]]; then
        _describe 'command' commands
        return
    fi
    local command=${{words[2]}}
    if [[ $command == -* ]]; then
        command=serve
    else
        shift words
        (( CURRENT-- ))
    fi
    case $command in
{cases}    esac
}}
if [[ $funcstack[1] == _apigateway ]]; then
    _apigateway "$@"
else
    compdef _apigateway apigateway
fi
"#
    )
}

fn fish(info: &CommandInfoWithArgs) -> String {
    let quoted = |text: &str| plain(text).replace('\\', "\\\\").replace('\'', "\\'");
    let names: Vec<&str> = info.commands.iter().map(|command| command.name).collect();
    let mut text = concat!(
        "# apigateway, for fish: apigateway completions fish > ~/.config/fish/completions/apigateway.fish\n",
        "complete -c apigateway -n __fish_use_subcommand -l version -d 'print the version'\n"
    )
    .to_owned();
    for command in &info.commands {
        let _ = writeln!(
            text,
            "complete -c apigateway -n __fish_use_subcommand -f -a {} -d '{}'",
            command.name,
            quoted(first_sentence(command.command.description))
        );
        let condition = match command.name {
            // Without a command, the options are those of serve.
            "serve" => format!(
                "'not __fish_seen_subcommand_from {}; or __fish_seen_subcommand_from serve'",
                names.join(" ")
            ),
            name => format!("'__fish_seen_subcommand_from {name}'"),
        };
        for flag in options(&command.command) {
            let choices = choices(command.name, flag);
            let value = match (value(flag), choices.is_empty(), takes_path(flag)) {
                (None, ..) => String::new(),
                (Some(_), false, _) => format!(" -x -a '{}'", choices.join(" ")),
                (Some(_), true, true) => " -r -F".to_owned(),
                (Some(_), true, false) => " -x".to_owned(),
            };
            let _ = writeln!(
                text,
                "complete -c apigateway -n {condition} -l {}{value} -d '{}'",
                flag.long.trim_start_matches('-'),
                quoted(flag.description)
            );
        }
        let words = words_of_position(command.name);
        if !words.is_empty() {
            let _ = writeln!(
                text,
                "complete -c apigateway -n {condition} -f -a '{}'",
                words.join(" ")
            );
        }
    }
    text
}

fn first_sentence(text: &str) -> &str {
    let end = text.find(". ").map_or(text.len(), |at| at + 1);
    text.get(..end).unwrap_or(text).trim_end().trim_end_matches('.')
}

/// The manual page, as roff (man(7)).
pub(crate) fn manual_page() -> String {
    let info = Arguments::get_args_info();
    let mut text = format!(
        ".TH APIGATEWAY 1 \"\" \"apigateway {}\" \"User Commands\"\n.SH NAME\napigateway \\- serves Amazon API Gateway HTTP APIs on your own machines\n\
         .SH SYNOPSIS\n.B apigateway\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n{}\n.SH COMMANDS\n",
        env!("CARGO_PKG_VERSION"),
        roff(info.description)
    );
    for command in &info.commands {
        let _ = writeln!(
            text,
            ".TP\n.B apigateway {}\n{}",
            roff(command.name),
            roff(command.command.description)
        );
    }
    for command in &info.commands {
        let _ = writeln!(text, ".SH OPTIONS OF {}", roff(&command.name.to_uppercase()));
        for position in command.command.positionals {
            let _ = writeln!(text, ".TP\n.I {}\n{}", roff(position.name), roff(position.description));
        }
        for flag in options(&command.command) {
            let value = value(flag).map_or(String::new(), |name| format!(" \\fI{}\\fR", roff(name)));
            let _ = writeln!(
                text,
                ".TP\n\\fB{}\\fR{value}\n{}",
                roff(flag.long),
                roff(flag.description)
            );
        }
        examples(&mut text, command.command.examples);
    }
    let _ = writeln!(
        text,
        ".SH ENVIRONMENT\nEach option can come from a variable: \\fBAPIGATEWAY_\\fR, then its name in capitals with _ for \\-. A flag overrides it.\n\
         .TP\n.B NO_COLOR\nif it is set and not empty, there are no colours on a terminal\n.SH EXIT STATUS\n0 after a clean stop, and where check finds no error; 1 otherwise; 128 and the signal's number after a second signal"
    );
    text
}

fn examples(text: &mut String, examples: &[&str]) {
    if !examples.is_empty() {
        text.push_str(".PP\nExamples:\n.nf\n");
        for line in examples.iter().flat_map(|example| example.lines()) {
            let _ = writeln!(text, "    {}", roff(line));
        }
        text.push_str(".fi\n");
    }
}

/// Text that roff takes for text.
fn roff(text: &str) -> String {
    let escaped = plain(text.trim()).replace('\\', "\\e").replace('-', "\\-");
    match escaped.starts_with(['.', '\'']) {
        true => format!("\\&{escaped}"),
        false => escaped,
    }
}
