//! What the AWS CLI prints, `get-routes` and its like, as a document that is imported.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::definition::json::Json;
use crate::platform::files;
use crate::template::document::read_text;
use crate::template::message::{Level, Message};
use crate::template::output::{Api, VirtualFile};
use crate::template::place::{Place, Pointer};
use crate::template::reading::Reading;
use crate::template::shape::order_of;
use crate::template::yaml::parse_json;

/// Fields that AWS prints and that say nothing in a file.
const SAYS_NOTHING: [&str; 24] = [
    "ApiEndpoint",
    "ApiGatewayManaged",
    "ApiId",
    "ApiKeyRequired",
    "ApiKeySelectionExpression",
    "AuthorizerId",
    "AutoDeploy",
    "CodeSha256",
    "CodeSize",
    "CreatedDate",
    "DeploymentId",
    "ImportInfo",
    "IntegrationId",
    "IntegrationResponseSelectionExpression",
    "LastDeploymentStatusMessage",
    "LastModified",
    "LastUpdatedDate",
    "ProtocolType",
    "RouteId",
    "RouteSelectionExpression",
    "StageName",
    "Tags",
    "Warnings",
    "IpAddressType",
];

/// What a function's file takes from `get-function-configuration`.
const OF_FUNCTION: [&str; 5] = ["Runtime", "Handler", "Environment", "Timeout", "MemorySize"];

/// What a file or a folder holds, where that is what the AWS CLI prints; else none.
pub(super) fn printed_resources(path: &Path) -> Option<Reading> {
    let paths = paths(path)?;
    let mut gathered = Gathered::default();
    for (path, shown) in paths {
        let text = read_text(&path).ok()?;
        let json = match Json::parse(&text) {
            Ok(json) => json,
            Err(_) => {
                let error = parse_json(&shown.as_str().into(), &text).err()?;
                gathered.message(Level::Error, error.place, error.text);
                continue;
            }
        };
        let place = Place::file(&shown);
        match list_of(&json) {
            Some(items) => {
                let pointer = Pointer::default().member("Items");
                for (at, item) in items.iter().enumerate() {
                    let place = Place {
                        pointer: pointer.item(at),
                        ..place.clone()
                    };
                    gathered.take(item, &place);
                }
            }
            None => gathered.take(&json, &place),
        }
    }
    gathered.is_any.then(|| gathered.reading())
}

/// The JSON files that are meant; none where a template may be.
fn paths(path: &Path) -> Option<Vec<(PathBuf, String)>> {
    let is_json = |path: &Path| path.extension().is_some_and(|extension| extension == "json");
    if !path.is_dir() {
        let shown = path.to_string_lossy().into_owned();
        return is_json(path).then(|| vec![(path.to_owned(), shown)]);
    }
    let mut names: Vec<String> = Vec::new();
    for (name, _) in files::entries(path).ok()? {
        let name = name.to_str()?;
        if ["template.json", "template.yaml", "template.yml", "manifest.json"].contains(&name) {
            return None;
        }
        if is_json(Path::new(name)) && !name.starts_with('.') {
            names.push(name.to_owned());
        }
    }
    names.sort();
    let shown = path.to_string_lossy();
    let shown = |name: &str| format!("{}/{name}", shown.trim_end_matches('/'));
    Some(names.iter().map(|name| (path.join(name), shown(name))).collect())
}

fn list_of(json: &Json) -> Option<&[Json]> {
    match member(json, "Items")? {
        Json::Array(items) => Some(items),
        _ => None,
    }
}

fn member<'a>(json: &'a Json, name: &str) -> Option<&'a Json> {
    let Json::Object(members) = json else { return None };
    members
        .iter()
        .find(|(known, value)| known == name && *value != Json::Null)
        .map(|(_, value)| value)
}

fn text<'a>(json: &'a Json, name: &str) -> Option<&'a str> {
    match member(json, name) {
        Some(Json::String(text)) => Some(text),
        _ => None,
    }
}

#[derive(Default)]
struct Gathered {
    is_any: bool,
    /// By their paths, so that what was printed twice is one.
    files: BTreeMap<String, VirtualFile>,
    functions: BTreeMap<String, VirtualFile>,
    api: Option<(String, Place)>,
    messages: Vec<Message>,
}

impl Gathered {
    fn message(&mut self, level: Level, place: Place, text: impl Into<String>) {
        self.messages.push(Message {
            place,
            level,
            text: text.into(),
        });
    }

    /// Takes one resource, by the fields that only its kind has.
    fn take(&mut self, json: &Json, place: &Place) {
        let has = |name: &str| member(json, name).is_some();
        if let Some(configuration) =
            member(json, "Configuration").filter(|inner| member(inner, "FunctionArn").is_some())
        {
            return self.function(configuration, place);
        }
        let kind = if has("FunctionArn") && has("FunctionName") {
            return self.function(json, place);
        } else if has("RouteKey") {
            ("routes", text(json, "RouteId"))
        } else if has("IntegrationType") {
            ("integrations", text(json, "IntegrationId"))
        } else if has("AuthorizerType") {
            ("authorizers", text(json, "AuthorizerId"))
        } else if has("StageName") {
            ("stages", text(json, "StageName"))
        } else if has("ProtocolType") || has("ApiEndpoint") {
            return self.api(json, place);
        } else if has("DeploymentId") {
            self.is_any = true;
            return self.message(
                Level::Note,
                place.clone(),
                "a deployment is not imported: what is there is served",
            );
        } else {
            // It is something else, such as a template in JSON.
            return;
        };
        self.is_any = true;
        let (directory, Some(id)) = kind else {
            return self.message(Level::Error, place.clone(), "the resource has no id");
        };
        let mut file = self.file(json, &format!("{directory}/{id}.json"), place);
        if directory == "stages" {
            file.set_text("StageName", id, place);
            file.set("AutoDeploy", Json::Bool(true), place);
        }
        if directory == "routes"
            && let Some(authorizer) = text(json, "AuthorizerId")
        {
            file.set_text("AuthorizerId", format!("authorizers/{authorizer}"), place);
        }
        if file.text_of("AuthorizationType") == Some("NONE") {
            file.remove("AuthorizationType");
        }
        let order = order_of(&file.path);
        file.order(order);
        self.files.insert(file.path.clone(), file);
    }

    /// A file with the fields that say something.
    fn file(&self, json: &Json, path: &str, place: &Place) -> VirtualFile {
        let mut file = VirtualFile::new(path, place);
        let Json::Object(members) = json else { return file };
        for (name, value) in members {
            if !SAYS_NOTHING.contains(&name.as_str()) && !value.is_empty() {
                file.set(name, value.clone(), &place.member(name));
            }
        }
        file
    }

    fn api(&mut self, json: &Json, place: &Place) {
        self.is_any = true;
        let id = text(json, "ApiId").unwrap_or_default().to_owned();
        if text(json, "ProtocolType").is_some_and(|kind| kind != "HTTP") {
            return self.message(Level::Warning, place.clone(), format!("the API {id} is no HTTP API"));
        }
        if let Some((known, _)) = &self.api
            && *known != id
        {
            let text = format!("the APIs {known} and {id} are two: import one at a time");
            return self.message(Level::Error, place.clone(), text);
        }
        let mut file = self.file(json, "api.json", place);
        file.set_text("ApiId", &*id, place);
        file.order(order_of("api.json"));
        self.files.insert("api.json".to_owned(), file);
        self.api = Some((id, place.clone()));
    }

    fn function(&mut self, json: &Json, place: &Place) {
        self.is_any = true;
        let Some(name) = text(json, "FunctionName") else { return };
        let path = format!("functions/{name}.json");
        let mut file = VirtualFile::new(&path, place);
        for field in OF_FUNCTION {
            if let Some(value) = member(json, field).filter(|value| !value.is_empty()) {
                file.set(field, value.clone(), &place.member(field));
            }
        }
        if file.get("Runtime").is_none() {
            return self.message(
                Level::Warning,
                place.clone(),
                format!("{name} is not run here: it has no Runtime"),
            );
        }
        let text = format!("{name}: its code is in AWS: put it into functions/{name}/, or name its folder in {path}");
        self.message(Level::Warning, place.clone(), text);
        // The import puts it below the root.
        file.set_text("WorkingDirectory", "", place);
        self.functions.insert(path, file);
    }

    fn reading(self) -> Reading {
        let mut messages = self.messages;
        let apis = match self.files.is_empty() {
            true => Vec::new(),
            false => {
                let first = self.files.values().next().map(|file| file.place.clone());
                let (id, place) = self
                    .api
                    .unwrap_or_else(|| (String::new(), first.unwrap_or_else(|| Place::file(""))));
                let files = self.files.into_values().collect();
                vec![Api { id, place, files }]
            }
        };
        messages.sort_by_key(|message| message.place.file.to_string());
        Reading {
            apis,
            shared: self.functions.into_values().collect(),
            messages,
            ..Reading::default()
        }
    }
}
