//! Reads a file or a folder, whatever kind of document it holds.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::definition::json::Json;
use crate::definition::store::Fingerprint;
use crate::template::assemble::{Assembly, assemble, has_http_api};
use crate::template::cdk::{self, Stack};
use crate::template::document::Documents;
use crate::template::draft::Draft;
use crate::template::evaluator::Evaluator;
use crate::template::functions::InlineCode;
use crate::template::message::{Message, Messages, has_errors};
use crate::template::node::Node;
use crate::template::openapi::info::infos;
use crate::template::openapi::read::{Settings, read as read_openapi};
use crate::template::options::{Environment, Options};
use crate::template::output::{Api, VirtualFile};
use crate::template::place::Place;
use crate::template::value::Value;
use crate::template::yaml::{SyntaxError, parse_json, parse_yaml};

/// What a folder stands for: the first of these.
const IN_FOLDER: [&str; 5] = [
    ".aws-sam/build/template.yaml",
    "template.yaml",
    "template.yml",
    "template.json",
    "manifest.json",
];

const DEFAULT_REGION: &str = "us-east-1";
const DEFAULT_ACCOUNT: &str = "123456789012";

/// What a document means.
#[derive(Debug, Default)]
pub struct Reading {
    /// Its HTTP APIs, in the order of the document.
    pub apis: Vec<Api>,
    /// What all APIs share: functions, domains, VPC links.
    pub shared: Vec<VirtualFile>,
    /// Code that stands in the document.
    pub inline: Vec<InlineCode>,
    /// What is to be told of it.
    pub messages: Vec<Message>,
    /// Whether it describes one API and no ids, as OpenAPI does.
    pub is_openapi: bool,
    /// What an OpenAPI document says that HTTP APIs do not have: a sentence each.
    pub infos: Vec<String>,
    /// Whether an OpenAPI document says that the API's own endpoint is open.
    pub opens_endpoint: bool,
    /// The files that decide what it means, and folders that may come to, as they were before they were read.
    pub watched: Fingerprint,
}

impl Reading {
    /// Whether it cannot be served.
    pub fn has_errors(&self) -> bool {
        has_errors(&self.messages)
    }

    /// Where an API of several has its files, or the only one where it has an id: `apis/<id>/`; else the root.
    pub fn prefix(&self, api: &Api, under: Option<&str>) -> String {
        match (under, self.apis.len()) {
            (Some(id), _) => format!("apis/{id}/"),
            (None, 1) => String::new(),
            (None, _) => format!("apis/{}/", api.id),
        }
    }

    /// Its files with their paths below the root. One API is the root API, unless `under` names a folder of `apis/`.
    pub fn files(&self, under: Option<&str>) -> Vec<VirtualFile> {
        let mut files = Vec::new();
        for api in &self.apis {
            let prefix = self.prefix(api, under);
            for file in &api.files {
                files.push(VirtualFile {
                    path: format!("{prefix}{}", file.path),
                    ..file.clone()
                });
            }
        }
        files.extend(self.shared.iter().cloned());
        files
    }
}

/// Reads what a path leads to: a document, or a folder with one.
pub fn read(path: &Path, options: &Options) -> Reading {
    let documents = Documents::default();
    let messages = Messages::default();
    for name in IN_FOLDER.iter().filter(|_| path.is_dir() || !path.exists()) {
        documents.watch(&path.join(name));
    }
    let (file, shown) = found(path);
    let mut is_openapi = false;
    let assembly = match documents.read(&file, &shown) {
        Ok(document) => {
            is_openapi = has(&document, &["openapi", "swagger"]);
            read_document(document, &file, options, &messages, &documents)
        }
        Err((place, text)) => {
            messages.error(&place, text);
            Assembly::default()
        }
    };
    Reading {
        apis: assembly.apis,
        shared: assembly.shared,
        inline: assembly.inline,
        messages: messages.into_sorted(),
        is_openapi,
        watched: documents.watched(),
        ..Reading::default()
    }
}

/// Reads the text of an OpenAPI document as the API with that id, and nothing besides it. It makes no stage, since
/// AWS's ImportApi makes none (`R12.10`). Messages call the text `name`.
pub fn read_text(text: &str, name: &str, id: &str, options: &Options) -> Reading {
    let messages = Messages::default();
    let mut reading = Reading {
        is_openapi: true,
        ..Reading::default()
    };
    match parse(&name.into(), text) {
        Ok(document) if has(&document, &["openapi", "swagger"]) => {
            let draft = openapi_draft(&document, id, options, &messages);
            reading.opens_endpoint = draft.api_file.get("DisableExecuteApiEndpoint") == Some(&Json::Bool(false));
            reading.apis = vec![draft.finish()];
            reading.infos = infos(&document);
        }
        Ok(document) => messages.error(&document.place, "this is no OpenAPI document: it has no member openapi"),
        Err(error) => messages.error(&error.place, error.text),
    }
    reading.messages = messages.into_sorted();
    reading
}

/// A text as JSON where it is that, else as YAML. Neither has a bound that the other needs.
fn parse(name: &Arc<str>, text: &str) -> Result<Arc<Node>, SyntaxError> {
    let text = text.trim_start_matches('\u{feff}');
    if !text.trim_start().starts_with('{') {
        return parse_yaml(name, text);
    }
    // A mapping in YAML can begin so too; what is neither is told as JSON.
    parse_json(name, text).or_else(|error| parse_yaml(name, text).map_err(|_| error))
}

/// The file that a path stands for, and what messages call it.
pub(super) fn found(path: &Path) -> (PathBuf, String) {
    if !path.is_dir() {
        return (path.to_owned(), path.to_string_lossy().into_owned());
    }
    let name = IN_FOLDER
        .into_iter()
        .find(|name| path.join(name).is_file())
        .unwrap_or("template.yaml");
    let file = path.join(name);
    let shown = match path.to_str() {
        Some("." | "./") => name.to_owned(),
        _ => file.to_string_lossy().into_owned(),
    };
    (file, shown)
}

fn has(document: &Node, keys: &[&str]) -> bool {
    document
        .map()
        .is_some_and(|map| keys.iter().any(|key| map.get(key).is_some()))
}

fn read_document(
    document: Arc<Node>,
    file: &Path,
    options: &Options,
    messages: &Messages,
    documents: &Documents,
) -> Assembly {
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    if has(&document, &["openapi", "swagger"]) {
        return openapi(&document, options, messages);
    }
    if has(&document, &["Resources"]) {
        let environment = environment(options, None);
        return template(document, environment, folder, options, messages, documents);
    }
    if has(&document, &["artifacts"]) {
        return manifest(&document, &folder, options, messages, documents);
    }
    let text = "this is no OpenAPI document (openapi), no template (Resources) and no CDK manifest (artifacts)";
    messages.error(&document.place, text);
    Assembly::default()
}

fn template(
    document: Arc<Node>,
    environment: Environment,
    folder: PathBuf,
    options: &Options,
    messages: &Messages,
    documents: &Documents,
) -> Assembly {
    let evaluator = Evaluator::new(document, environment, options, messages, documents, folder);
    let assembly = assemble(&evaluator);
    documents.note_duplicates(messages, |key| evaluator.knows_duplicate(key));
    assembly
}

fn environment(options: &Options, stack: Option<&Stack>) -> Environment {
    let given = |option: &Option<String>, of_stack: Option<&String>, default: &str| {
        option
            .clone()
            .or_else(|| of_stack.cloned())
            .unwrap_or_else(|| default.to_owned())
    };
    Environment {
        region: given(
            &options.region,
            stack.and_then(|stack| stack.region.as_ref()),
            DEFAULT_REGION,
        ),
        account_id: given(
            &options.account_id,
            stack.and_then(|stack| stack.account_id.as_ref()),
            DEFAULT_ACCOUNT,
        ),
        stack_name: given(&options.stack_name, stack.map(|stack| &stack.name), "local"),
    }
}

/// The API that a document describes.
fn openapi_draft(document: &Node, id: &str, options: &Options, messages: &Messages) -> Draft {
    let place = whole(document);
    let environment = environment(options, None);
    let settings = Settings {
        environment: &environment,
        base_path: options.base_path,
        fail_on_warnings: options.fail_on_warnings,
    };
    refuse_duplicates(document, messages);
    let mut draft = Draft::new(&"api".into(), id, &place);
    draft.take(read_openapi(&Value::of(document), &settings, messages), messages);
    draft
}

/// The place of a document as a whole.
fn whole(document: &Node) -> Place {
    Place {
        pointer: Default::default(),
        ..document.place.clone()
    }
}

/// A document that is one API, which a stage serves (`R30.17`).
fn openapi(document: &Node, options: &Options, messages: &Messages) -> Assembly {
    let place = whole(document);
    for (name, _) in &options.parameters {
        messages.error(
            &place,
            format!("--parameter {name}: an OpenAPI document has no parameters"),
        );
    }
    let mut draft = openapi_draft(document, "", options, messages);
    draft.api_file.remove("ApiId");
    match stage_variables(&draft) {
        names if names.is_empty() => draft.add_stage("$default", &place, VirtualFile::new("", &place), messages),
        names => {
            let text = format!(
                "no stage is made, since it would have to define the stage variables {}",
                names.join(", ")
            );
            messages.warning(&place, text);
        }
    }
    // What an export writes where there is none, so that importing it again changes nothing.
    if draft.api_file.get("Version").is_none() {
        draft.api_file.set_text("Version", "1.0", &place);
    }
    if draft.api_file.get("Name").is_none() {
        draft
            .api_file
            .set_text("Name", options.api.as_deref().unwrap_or("api"), &place);
    }
    Assembly {
        apis: vec![draft.finish()],
        ..Assembly::default()
    }
}

/// The stage variables in URIs, which no request can do without.
fn stage_variables(draft: &Draft) -> Vec<String> {
    let uris = draft
        .files
        .iter()
        .flat_map(|file| [file.text_of("IntegrationUri"), file.text_of("AuthorizerUri")]);
    let mut names: Vec<String> = Vec::new();
    for uri in uris.flatten() {
        for part in uri.split("${stageVariables.").skip(1) {
            let name = part.split('}').next().unwrap_or_default();
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
    }
    names
}

/// In an OpenAPI document nothing tells which of two values is meant.
fn refuse_duplicates(document: &Node, messages: &Messages) {
    document.walk(&mut |node| {
        for key in node.map().map(|map| map.duplicates.as_slice()).unwrap_or_default() {
            messages.error(&key.place, format!("the key {:?} occurs twice", key.name));
        }
    });
}

fn manifest(document: &Node, folder: &Path, options: &Options, messages: &Messages, documents: &Documents) -> Assembly {
    let shown = document
        .place
        .file
        .rsplit_once('/')
        .map_or(String::new(), |(folder, _)| format!("{folder}/"));
    let stacks = cdk::stacks(document, folder, &shown, documents, messages);
    let place = &document.place;
    let named: Vec<&Stack> = match &options.stack {
        Some(name) => {
            let is_it = |stack: &&Stack| stack.name == *name || stack.artifact == *name;
            let found: Vec<&Stack> = stacks.iter().filter(is_it).collect();
            if found.is_empty() {
                let names: Vec<&str> = stacks.iter().map(|stack| stack.artifact.as_str()).collect();
                messages.error(place, format!("--stack {name}: the manifest has {}", names.join(", ")));
                return Assembly::default();
            }
            found
        }
        None => stacks.iter().collect(),
    };
    let mut candidates = Vec::new();
    for stack in named {
        match documents.read(&stack.path, &stack.shown) {
            Ok(template) => {
                let quiet = Messages::default();
                let folder = stack.path.parent().map_or_else(PathBuf::new, Path::to_owned);
                let environment = environment(options, Some(stack));
                let evaluator = Evaluator::new(
                    Arc::clone(&template),
                    environment,
                    options,
                    &quiet,
                    documents,
                    folder.clone(),
                );
                if options.stack.is_some() || has_http_api(&evaluator) {
                    candidates.push((stack, template, folder));
                }
            }
            Err((place, text)) => messages.error(&place, text),
        }
    }
    if candidates.len() > 1 {
        let names: Vec<&str> = candidates.iter().map(|(stack, ..)| stack.artifact.as_str()).collect();
        let text = format!(
            "several stacks have an HTTP API: {}: --stack NAME chooses one",
            names.join(", ")
        );
        messages.error(place, text);
        return Assembly::default();
    }
    match candidates.pop() {
        Some((stack, document, folder)) => template(
            document,
            environment(options, Some(stack)),
            folder,
            options,
            messages,
            documents,
        ),
        None => {
            if !messages.has_errors() {
                let names: Vec<&str> = stacks.iter().map(|stack| stack.artifact.as_str()).collect();
                messages.error(
                    place,
                    format!("no stack of the manifest has an HTTP API: {}", names.join(", ")),
                );
            }
            Assembly::default()
        }
    }
}
