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

/// Reads the command line. `apigateway --listen …` is `apigateway serve --listen …`.
pub(crate) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Result<Arguments, argh::EarlyExit>, String> {
    let mut texts = Vec::new();
    for argument in arguments.skip(1) {
        let text = argument.into_string();
        texts.push(text.map_err(|argument| format!("the argument {} is not UTF-8", argument.display()))?);
    }
    let first = texts.first().map(String::as_str).unwrap_or_default();
    if first.starts_with("--") && !["--version", "--help"].contains(&first) {
        texts.insert(0, "serve".to_owned());
    }
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    Ok(Arguments::from_args(&["apigateway"], &texts))
}
