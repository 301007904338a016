//! The command line: its commands, and how it is read.

use std::ffi::OsString;

use argh::{ArgsInfo, FromArgs};

use crate::arguments::ServeArguments;
use crate::commands::{
    CheckArguments, CompletionsArguments, ExportArguments, ImportArguments, InitArguments, ManArguments,
    RoutesArguments,
};

/// Serves an Amazon API Gateway HTTP API from the JSON files in a directory.
///
/// Without a command it serves. Each option of a command can also come from the environment: --listen as
/// APIGATEWAY_LISTEN.
#[derive(FromArgs, ArgsInfo)]
#[argh(
    name = "apigateway",
    example = "apigateway init pets && apigateway --root pets\napigateway check --root pets\napigateway routes --root pets --match \"GET /hello/Rex\"",
    note = "NO_COLOR keeps colours off a terminal."
)]
pub(crate) struct Arguments {
    /// print the version
    #[argh(switch)]
    pub(crate) version: bool,

    #[argh(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(FromArgs, ArgsInfo)]
#[argh(subcommand)]
#[expect(clippy::large_enum_variant, reason = "there is one value in the program's life")]
pub(crate) enum Command {
    Init(InitArguments),
    Serve(ServeArguments),
    Check(CheckArguments),
    Routes(RoutesArguments),
    Import(ImportArguments),
    Export(ExportArguments),
    Completions(CompletionsArguments),
    Man(ManArguments),
}

/// Reads the command line. `apigateway --listen …` is `apigateway serve --listen …`; `-h` and `-V` stand for `--help` and
/// `--version` where no option's value can stand.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Result<Arguments, argh::EarlyExit>, String> {
    let mut texts = Vec::new();
    for argument in arguments.skip(1) {
        let text = argument.into_string();
        texts.push(text.map_err(|argument| format!("the argument {} is not UTF-8", argument.display()))?);
    }
    let of_command = texts.first().is_some_and(|first| !first.starts_with('-'));
    if let Some(text) = texts.get_mut(usize::from(of_command)) {
        match text.as_str() {
            "-h" => "--help".clone_into(text),
            "-V" if !of_command => "--version".clone_into(text),
            _ => {}
        }
    }
    let first = texts.first().map(String::as_str).unwrap_or_default();
    if first.starts_with("--") && !["--version", "--help"].contains(&first) {
        texts.insert(0, "serve".to_owned());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(Arguments::from_args(&["apigateway"], &texts))
}

/// What is said of a command line that is refused, in one line.
pub(crate) fn refusal(exit: &argh::EarlyExit) -> String {
    let text = exit.output.trim_end().replace('\n', " ");
    match text.starts_with("Unrecognized argument") {
        true => format!("{}; see apigateway --help", text.trim_end_matches('.')),
        false => text,
    }
}
