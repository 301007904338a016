//! `apigateway init`: a small API to begin with, or that of a document.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use apigateway::definition::store::Store;
use apigateway::definition::unit::ROOT_NAMES;
use apigateway::outbound::function::interpreters;
use apigateway::platform::files::{self, FileKind};
use serde_json::json;

use crate::commands::InitArguments;
use crate::say;
use crate::template_commands::import_into_new;

/// What the function is written in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    Node,
}

/// The minor version of Python that is written where none can be told.
const USUAL_PYTHON: u32 = 13;

const PYTHON_HANDLER: &str = r#"import json


def handler(event, context):
    """Answers GET /hello/{name}. What it prints is in the gateway's log."""
    name = event["pathParameters"]["name"]
    print("greeting", name)
    return {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": json.dumps({"message": f"Hello, {name}!"}),
    }
"#;

const NODE_HANDLER: &str = r#"// Answers GET /hello/{name}. What it prints is in the gateway's log.
export const handler = async (event) => {
  const { name } = event.pathParameters;
  console.log("greeting", name);
  return {
    statusCode: 200,
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ message: `Hello, ${name}!` }),
  };
};
"#;

/// Makes an API where there is none.
///
/// # Errors
/// A sentence: the directory has an API or a file of that name already, it cannot be read or written, or the document has
/// an error. Nothing is overwritten.
pub(crate) fn init(arguments: InitArguments) -> Result<ExitCode, String> {
    let directory = PathBuf::from(arguments.dir.unwrap_or_else(|| ".".to_owned()));
    if directory.as_os_str().is_empty() {
        return Err("init: the name of the directory is empty".to_owned());
    }
    refuse_unless_without_api(&directory)?;
    refuse_within_api(&directory)?;
    let language = match arguments.language.as_deref() {
        None => None,
        Some("python") => Some(Language::Python),
        Some("node") => Some(Language::Node),
        Some(other) => return Err(format!("--language: {other:?} is not python or node")),
    };
    if let Some(source) = arguments.from {
        if language.is_some() {
            return Err("--language is for the function of init, and --from brings its own".to_owned());
        }
        if !import_into_new(&source, &directory)? {
            return Ok(ExitCode::FAILURE);
        }
        say(&next_steps(
            &directory,
            &format!("  apigateway routes{}\n", root_option(&directory)),
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let language = language.unwrap_or_else(usual_language);
    let written = sample(&directory, language);
    write(&directory, &written)?;
    let lines: String = written.iter().map(|(path, _)| format!("wrote {path}\n")).collect();
    let code = match language {
        Language::Python => "functions/hello/app.py",
        Language::Node => "functions/hello/index.mjs",
    };
    let curl = "  curl http://127.0.0.1:8000/hello/Rex\n  curl 'http://127.0.0.1:8000/echo/pets?a=b'\n";
    say(&format!(
        "{lines}{}Edit {code}, or put the URL of a service into integrations/echo.json: an edit is served within a second.\n{}",
        next_steps(&directory, curl),
        missing_interpreter(language)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// ` --root DIR`, where the working directory is another.
fn root_option(directory: &Path) -> String {
    match directory == Path::new(".") {
        true => String::new(),
        false => format!(" --root {}", quoted(&directory.display().to_string())),
    }
}

/// A text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |character: char| character.is_alphanumeric() || "/._-+@%:,=".contains(character);
    match text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn next_steps(directory: &Path, then: &str) -> String {
    format!("\nTry next:\n  apigateway{}\n{then}", root_option(directory))
}

fn refuse_unless_without_api(directory: &Path) -> Result<(), String> {
    let shown = directory.display();
    match files::info(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(format!("{shown} cannot be read: {error}")),
        Ok(info) if info.kind != FileKind::Directory => return Err(format!("{shown} is not a directory")),
        Ok(_) => {}
    }
    files::entries(directory).map_err(|error| format!("{shown} cannot be read: {error}"))?;
    match Store::at(directory).load().files().next() {
        Some(file) => Err(format!(
            "{shown} has an API already ({}): init makes one only where there is none",
            file.path
        )),
        None => Ok(()),
    }
}

/// A folder of an API is no place for another one.
fn refuse_within_api(directory: &Path) -> Result<(), String> {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let name = absolute.file_name().and_then(OsStr::to_str).unwrap_or_default();
    let Some(parent) = absolute.parent().filter(|_| ROOT_NAMES.contains(&name)) else {
        return Ok(());
    };
    // What lies in the folder alone makes no API of its parent.
    let own = format!("{name}/");
    let listing = Store::at(parent).load();
    match listing.files().find(|file| !file.path.starts_with(&own)) {
        Some(file) => Err(format!(
            "{} is the folder {name} of an API that is there already ({})",
            directory.display(),
            file.path
        )),
        None => Ok(()),
    }
}

fn sample(directory: &Path, language: Language) -> Vec<(&'static str, String)> {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_owned());
    let name = absolute
        .file_name()
        .map_or("api".into(), |name| name.to_string_lossy().into_owned());
    let (code, text, runtime, handler) = match language {
        Language::Python => (
            "functions/hello/app.py",
            PYTHON_HANDLER,
            format!("python3.{}", python_version()),
            "app.handler",
        ),
        Language::Node => (
            "functions/hello/index.mjs",
            NODE_HANDLER,
            "nodejs22.x".to_owned(),
            "index.handler",
        ),
    };
    vec![
        ("api.json", object(&[("Name", &name), ("ProtocolType", "HTTP")])),
        (
            "stages/$default.json",
            object(&[("StageName", "$default"), ("Description", "Serves every route")]),
        ),
        (
            "routes/echo.json",
            object(&[("RouteKey", "ANY /echo/{proxy+}"), ("Target", "integrations/echo")]),
        ),
        (
            "routes/hello.json",
            object(&[("RouteKey", "GET /hello/{name}"), ("Target", "integrations/hello")]),
        ),
        (
            "integrations/echo.json",
            object(&[
                ("IntegrationType", "HTTP_PROXY"),
                ("IntegrationMethod", "ANY"),
                ("IntegrationUri", "http://apigateway.localhost/echo/{proxy}"),
            ]),
        ),
        (
            "integrations/hello.json",
            object(&[
                ("IntegrationType", "AWS_PROXY"),
                ("IntegrationUri", "arn:aws:lambda:us-east-1:123456789012:function:hello"),
                ("PayloadFormatVersion", "2.0"),
            ]),
        ),
        (
            "functions/hello.json",
            object(&[
                ("Runtime", &runtime),
                ("Handler", handler),
                ("WorkingDirectory", "functions/hello"),
            ]),
        ),
        (code, text.to_owned()),
    ]
}

/// A JSON object of texts, in this order.
fn object(members: &[(&str, &str)]) -> String {
    let line = |(name, value): &(&str, &str)| format!("  \"{name}\": {}", json!(value));
    let lines: Vec<String> = members.iter().map(line).collect();
    format!("{{\n{}\n}}\n", lines.join(",\n"))
}

/// Writes files that are not there yet. If one cannot be written, none is left.
fn write(directory: &Path, contents: &[(&str, String)]) -> Result<(), String> {
    let place = |path: &str| directory.join(path);
    if let Some((path, _)) = contents.iter().find(|(path, _)| files::link_info(&place(path)).is_ok()) {
        return Err(format!(
            "{} is there already: init overwrites nothing",
            place(path).display()
        ));
    }
    for (count, (path, text)) in contents.iter().enumerate() {
        if let Err(error) = files::create(&place(path), text.as_bytes()) {
            for (path, _) in contents.iter().take(count) {
                let _ = files::remove(&place(path));
            }
            return Err(format!("{} cannot be written: {error}", place(path).display()));
        }
    }
    Ok(())
}

fn usual_language() -> Language {
    match on_path("python3").is_none() && on_path("node").is_some() {
        true => Language::Node,
        false => Language::Python,
    }
}

/// The minor version of the Python 3 of this machine. Where its name does not tell it, the program is asked.
fn python_version() -> u32 {
    let of_name = |path: &Path| path.file_name()?.to_str()?.strip_prefix("python3.")?.parse().ok();
    let Some(path) = on_path("python3") else {
        return USUAL_PYTHON;
    };
    of_name(&files::canonical(&path))
        .or_else(interpreters::python_version)
        .unwrap_or(USUAL_PYTHON)
}

/// What the sample does not do where nothing runs its function.
fn missing_interpreter(language: Language) -> String {
    let (program, name) = match language {
        Language::Python => ("python3", "Python 3.8 or later"),
        Language::Node => ("node", "Node.js 18 or later"),
    };
    match on_path(program) {
        Some(_) => String::new(),
        None => format!(
            "There is no {program} in the directories of PATH: GET /hello/{{name}} is answered 500 until {name} is installed.\n"
        ),
    }
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&path).map(|place| place.join(program));
    places.find(|place| place.is_file() && files::is_executable(place))
}
