//! Functions of a template as `functions/<name>.json` (`R33.1` to `R33.11`).

use std::collections::HashMap;
use std::path::PathBuf;

use crate::definition::json::Json;
use crate::template::assets::{self, Code};
use crate::template::cloudformation::sections;
use crate::template::evaluator::{Evaluator, Resource};
use crate::template::output::{Api, VirtualFile};
use crate::template::place::Place;
use crate::template::shape::{Shape, put, texts};
use crate::template::value::{Data, Value};

/// Code that stands in the template, and is to be a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InlineCode {
    /// The function.
    pub function: String,
    /// The name of the file: `index.py`, `index.js` or `index.mjs`.
    pub file: String,
    /// What the file holds.
    pub text: String,
}

/// The functions that APIs reach.
#[derive(Debug, Default)]
pub(super) struct Functions {
    pub(super) files: Vec<VirtualFile>,
    pub(super) inline: Vec<InlineCode>,
}

const NOT_RUN: &str = "its requests are 500, or go to --lambda-endpoint";

/// Reads the functions that the APIs name.
pub(super) fn read(evaluator: &Evaluator<'_>, apis: &[Api]) -> Functions {
    let reach = Reach::of(apis);
    let mut functions = Functions::default();
    let mut by_name: HashMap<String, Place> = HashMap::new();
    for resource in evaluator.resources() {
        if !["AWS::Serverless::Function", "AWS::Lambda::Function"].contains(&resource.kind.as_str()) {
            continue;
        }
        let name = evaluator.name_of(&resource, "FunctionName");
        if !reach.has(&name) || !sections::exists(evaluator, &resource) {
            continue;
        }
        if let Some(first) = by_name.insert(name.clone(), resource.place.clone()) {
            let text = format!("the function at {} is named {name:?} too", first.position());
            evaluator.messages.error(&resource.place, text);
            continue;
        }
        sections::open(evaluator, &resource);
        if let Some(file) = function(evaluator, &resource, &name, &mut functions.inline) {
            functions.files.push(file);
        }
    }
    functions
}

/// Which functions the URIs of APIs name.
struct Reach {
    uris: Vec<String>,
}

impl Reach {
    fn of(apis: &[Api]) -> Reach {
        let files = apis.iter().flat_map(|api| &api.files);
        let uris = files.flat_map(|file| [file.text_of("IntegrationUri"), file.text_of("AuthorizerUri")]);
        Reach {
            uris: uris.flatten().map(str::to_owned).collect(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.uris.iter().any(|uri| {
            let Some((_, rest)) = uri.split_once(":function:") else {
                return false;
            };
            // A stage variable may stand for any function.
            let named = rest.split([':', '/']).next().unwrap_or_default();
            named == name || named.contains('$')
        })
    }
}

fn function(
    evaluator: &Evaluator<'_>,
    resource: &Resource,
    name: &str,
    inline: &mut Vec<InlineCode>,
) -> Option<VirtualFile> {
    let messages = evaluator.messages;
    let property = |name: &str| evaluator.property_with_globals(resource, name);
    let code = assets::of_function(evaluator, resource)?;
    if let Code::Elsewhere(why, place) = &code {
        messages.warning(place, format!("{name} is not run here: {why}; {NOT_RUN}"));
        return None;
    }
    let (runtime_value, handler_value) = (property("Runtime"), property("Handler"));
    let runtime = messages.text(&runtime_value);
    let Some(runtime) = runtime else {
        if runtime_value.is_absent() {
            messages.error(&resource.place, format!("the function {name} has no Runtime"));
        }
        return None;
    };
    let handler = messages.text(&handler_value);
    if let Some(why) = refusal(&runtime, handler.as_deref()) {
        messages.warning(
            &runtime_value.place,
            format!("{name} is not run here: {why}; {NOT_RUN}"),
        );
        return None;
    }
    let is_provided = runtime.starts_with("provided");
    let mut file = VirtualFile::new(format!("functions/{name}.json"), &resource.place);
    file.set_text("Runtime", &*runtime, &runtime_value.place);
    match handler {
        Some(handler) => file.set_text("Handler", handler, &handler_value.place),
        None if is_provided => {}
        None => {
            messages.error(&resource.place, format!("the function {name} has no Handler"));
            return None;
        }
    }
    match code {
        Code::Folder(folder, place) => {
            let bootstrap = folder.join("bootstrap");
            let can_go_elsewhere = is_provided && evaluator.options.has_lambda_endpoint;
            if can_go_elsewhere {
                evaluator.documents.watch(&bootstrap);
            }
            if can_go_elsewhere && !bootstrap.exists() {
                let text = format!(
                    "{name} is invoked at --lambda-endpoint: there is no bootstrap in {}",
                    folder.display()
                );
                messages.warning(&place, text);
                return None;
            }
            file.set_text("WorkingDirectory", folder.to_string_lossy(), &place);
        }
        Code::Inline(text, place) => {
            let file_name = if runtime.starts_with("python") {
                "index.py"
            } else if runtime.starts_with("nodejs") {
                match is_module(&text) {
                    true => "index.mjs",
                    false => "index.js",
                }
            } else {
                messages.error(&place, format!("{runtime} has no inline code"));
                return None;
            };
            file.set_text("WorkingDirectory", "", &place);
            inline.push(InlineCode {
                function: name.to_owned(),
                file: file_name.to_owned(),
                text,
            });
        }
        Code::Elsewhere(..) => return None,
    }
    put(&mut file, "Timeout", &property("Timeout"), Shape::Number, messages);
    put(
        &mut file,
        "MemorySize",
        &property("MemorySize"),
        Shape::Number,
        messages,
    );
    environment(evaluator, &property("Environment"), name, &mut file);
    layers(evaluator, &property("Layers"), &mut file);
    let architectures = property("Architectures");
    let wants_arm = architectures.items().iter().any(|item| item.peek() == Some("arm64"));
    if is_provided && wants_arm && std::env::consts::ARCH != "aarch64" {
        let text = format!(
            "{name} is built for arm64, and this machine is {}",
            std::env::consts::ARCH
        );
        messages.warning(&architectures.place, text);
    }
    Some(file)
}

/// Why functions of a runtime are not run here; none where they are.
fn refusal(runtime: &str, handler: Option<&str>) -> Option<String> {
    let is_run = ["python3.", "nodejs", "provided", "java", "ruby"]
        .iter()
        .any(|begin| runtime.starts_with(begin));
    let is_dotnet = runtime.starts_with("dotnet");
    if is_run {
        None
    } else if is_dotnet && handler.is_some_and(|handler| handler.contains("::")) {
        Some("a class library of .NET has no runtime client inside: make it an executable assembly".to_owned())
    } else if is_dotnet {
        None
    } else {
        Some(format!("functions of {runtime} have no runtime client inside"))
    }
}

/// Whether a text of Node is an ES module.
fn is_module(text: &str) -> bool {
    let begins = |line: &str, word: &str| {
        let rest = line.strip_prefix(word);
        rest.is_some_and(|rest| rest.starts_with([' ', '{', '*', '"', '\'']))
    };
    text.lines()
        .any(|line| begins(line, "import") || begins(line, "export"))
}

/// Variables; one that is not known is not set.
fn environment(evaluator: &Evaluator<'_>, value: &Value, name: &str, file: &mut VirtualFile) {
    let messages = evaluator.messages;
    let Some(variables) = value.get("Variables") else {
        return;
    };
    let mut known: Vec<(String, Json)> = Vec::new();
    for member in messages.members(variables).unwrap_or_default() {
        let variable = &member.key.name;
        if let Data::Unresolved(why) = &member.value.data {
            messages.warning(&member.value.place, format!("{variable} of {name} is not set: {why}"));
            continue;
        }
        if let Some(text) = messages.text(&member.value) {
            let pointer = crate::definition::problem::member("/Environment", variable);
            file.origins.insert(pointer, member.value.place.clone());
            known.push((variable.to_string(), Json::String(text)));
        }
    }
    if !known.is_empty() {
        file.set("Environment", Json::Object(known), &variables.place);
    }
}

/// Folders of layers that the template makes; others are AWS's.
fn layers(evaluator: &Evaluator<'_>, value: &Value, file: &mut VirtualFile) {
    let messages = evaluator.messages;
    let mut folders = Vec::new();
    for item in value.items() {
        let local = item.peek().and_then(|arn| {
            let id = arn.split_once(":layer:")?.1.split(':').next()?;
            let layer = evaluator.resource(id)?;
            layer.kind.ends_with("::LayerVersion").then_some(layer)
        });
        let found = local.and_then(|layer| assets::of_layer(evaluator, &layer));
        match found {
            Some(Code::Folder(folder, _)) => folders.push(folder),
            Some(Code::Elsewhere(why, place)) => messages.warning(&place, format!("the layer is not used: {why}")),
            _ => {
                let shown = item.peek().unwrap_or("it");
                messages.warning(
                    &item.place,
                    format!("the layer is not used: {shown} is known to AWS only"),
                );
            }
        }
    }
    if !folders.is_empty() {
        let shown: Vec<String> = folders
            .iter()
            .map(|folder: &PathBuf| folder.to_string_lossy().into_owned())
            .collect();
        file.set("Layers", texts(shown.iter().map(String::as_str)), &value.place);
    }
}
